"""Real processes of the command without a second of imports for each: forks of a process that has imported it.

``python -m support.forked_command FD`` is that process. It takes requests from a socket: arguments, directory and
environment as JSON, with the descriptors of standard input, output and error and of a pipe. To the pipe goes the id of
the new process, and its exit status in the end.
"""

import asyncio
import atexit
import contextlib
import functools
import gc
import io
import json
import os
import signal
import socket
import subprocess
import sys
from importlib import import_module
from pathlib import Path

from sevendigital_async.cli import main

COMMANDS = ("call", "dead-letters", "demo", "journal", "operations", "sandbox", "ship", "spool")
STREAMS = 3
MAX_REQUEST = 1 << 20


def serve(connection):
    """Fork a process for each request; returns in the forks, with the arguments that they shall run."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    while True:
        request, descriptors, *_ = socket.recv_fds(connection, MAX_REQUEST, STREAMS + 1)
        if not request:
            os._exit(0)
        if not os.fork():
            connection.close()
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            signal.signal(signal.SIGINT, signal.default_int_handler)
            *streams, status = descriptors
            if child := os.fork():
                watch(child, streams, status)
            os.close(status)
            return prepare(streams, **json.loads(request))
        for descriptor in descriptors:
            os.close(descriptor)


def watch(child, streams, status):
    """Report the id and the exit status of a process."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    for descriptor in streams:
        os.close(descriptor)
    os.write(status, b"%d\n" % child)
    _, ended = os.waitpid(child, 0)
    os.write(status, b"%d\n" % os.waitstatus_to_exitcode(ended))
    os._exit(0)


def prepare(streams, arguments, cwd, environ):
    """Make this process look like one that was just started."""
    for number, descriptor in enumerate(streams):
        os.dup2(descriptor, number)
        os.close(descriptor)
    sys.stdin = sys.__stdin__ = open(0, encoding="utf-8", closefd=False)  # noqa: SIM115
    for name, number, errors in (("stdout", 1, "strict"), ("stderr", 2, "backslashreplace")):
        raw = open(number, "wb", closefd=False)  # noqa: SIM115
        stream = io.TextIOWrapper(raw, encoding="utf-8", errors=errors, line_buffering=number == STREAMS - 1)
        setattr(sys, name, stream)
        setattr(sys, f"__{name}__", stream)
    os.chdir(cwd)
    os.environ.clear()
    os.environ.update(environ)
    sys.argv = ["sevendigital", *arguments]


@functools.cache
def server():
    """Start the process that forks; it ends with this one."""
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    root = Path(__file__).parents[2]
    process = subprocess.Popen(
        [sys.executable, "-W", "error", "-m", "support.forked_command", str(theirs.fileno())],
        env={**os.environ, "PYTHONPATH": f"{root}:{root / 'tests'}"},
        pass_fds=[theirs.fileno()],
        stdin=subprocess.DEVNULL,
    )
    theirs.close()
    atexit.register(lambda: (ours.close(), process.wait()))
    return ours


class ForkedProcess:
    """A fork; the part of ``asyncio.subprocess.Process`` that tests use."""

    def __init__(self, pid, status, stdin, stdout, stderr):
        self.pid, self.stdin, self.stdout, self.stderr = pid, stdin, stdout, stderr
        self.returncode = None
        self._ended = asyncio.create_task(self._wait_for(status))

    async def _wait_for(self, status):
        self.returncode = int(await status.read())
        if self.stdin is not None:
            self.stdin.close()

    async def wait(self):
        await asyncio.shield(self._ended)
        return self.returncode

    async def communicate(self, stdin=None):
        if self.stdin is not None:
            with contextlib.suppress(BrokenPipeError, ConnectionResetError):
                self.stdin.write(stdin or b"")
                await self.stdin.drain()
            self.stdin.close()
        out, err, _ = await asyncio.gather(read_all(self.stdout), read_all(self.stderr), self.wait())
        return out, err

    def send_signal(self, number):
        if self.returncode is not None:
            raise ProcessLookupError
        os.kill(self.pid, number)

    def kill(self):
        self.send_signal(signal.SIGKILL)


async def read_all(stream):
    return None if stream is None else await stream.read()


def encoded(arguments, cwd, env):
    return json.dumps({"arguments": arguments, "cwd": str(Path(cwd).absolute()), "environ": env}).encode()


async def start(*arguments, cwd, env, stdin, stdout, stderr):
    """Fork a process that runs the command."""
    loop = asyncio.get_running_loop()
    theirs, ends = [], []

    async def reading(descriptor):
        reader = asyncio.StreamReader()
        await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), os.fdopen(descriptor, "rb", 0))
        return reader

    for number, wanted in enumerate((stdin, stdout, stderr)):
        if wanted != asyncio.subprocess.PIPE:
            theirs.append(os.dup(wanted if isinstance(wanted, int) else wanted.fileno()))
            ends.append(None)
            continue
        read, write = os.pipe()
        theirs.append(write if number else read)
        if number:
            ends.append(await reading(read))
        else:
            transport, protocol = await loop.connect_write_pipe(
                lambda: asyncio.streams.FlowControlMixin(loop=loop), os.fdopen(write, "wb", 0)
            )
            ends.append(asyncio.StreamWriter(transport, protocol, None, loop))
    read, write = os.pipe()
    theirs.append(write)
    status = await reading(read)
    socket.send_fds(server(), [encoded(arguments, cwd, env)], theirs)
    for descriptor in theirs:
        os.close(descriptor)
    return ForkedProcess(int(await status.readline()), status, *ends)


def preload():
    """Import what commands import when they run."""

    with open(os.devnull, "w") as nowhere, contextlib.redirect_stdout(nowhere):  # noqa: PTH123
        for name in COMMANDS:
            main([name, "--help"])
    for name in ("models.all_models", "resources", "session.decode", "shipping.spools.sqlite"):
        import_module(f"sevendigital_async.{name}")
    gc.freeze()


if __name__ == "__main__":
    preload()
    serve(socket.socket(fileno=int(sys.argv[1])))
    sys.exit(main())
