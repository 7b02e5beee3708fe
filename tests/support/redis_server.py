"""A real redis-server on a free port of this machine, for as long as a test wants it."""

import atexit
import functools
import shutil
import socket
import subprocess
import tempfile
import time
from contextlib import suppress

import pytest

PROGRAM = shutil.which("redis-server")
NOT_INSTALLED = "redis-server is not installed: what needs a Redis is not tested here"


class RedisServer:
    """Starts with nothing in it; ``stop`` and ``start`` keep port and directory."""

    def __init__(self, *options: str) -> None:
        if PROGRAM is None:
            pytest.skip(NOT_INSTALLED)
        self.directory = tempfile.TemporaryDirectory(prefix="redis-")
        self.options = options or ("--save", "", "--appendonly", "no")
        with socket.create_server(("127.0.0.1", 0)) as free:
            self.port = free.getsockname()[1]
        self.process = None
        self.start()

    @property
    def url(self) -> str:
        return f"redis://127.0.0.1:{self.port}/0"

    def start(self, *, loaded: bool = True) -> None:
        """Start it; with ``loaded=False`` it may still be reading its data."""
        command = [PROGRAM, "--port", str(self.port), "--bind", "127.0.0.1", "--dir", self.directory.name]
        self.process = subprocess.Popen([*command, *self.options], stdout=subprocess.DEVNULL)
        give_up_at = time.monotonic() + 60
        while True:
            with suppress(OSError):
                if self.ask("PING") == "+PONG" or not loaded:
                    return
            assert time.monotonic() < give_up_at, "redis-server does not answer"
            time.sleep(0.02)

    def stop(self) -> None:
        if self.process is not None:
            self.process.kill()
            self.process.wait()
            self.process = None

    def ask(self, *words: str) -> str:
        """Send one command; returns the first line of the response as it came."""
        line = b"*%d\r\n" % len(words) + b"".join(b"$%d\r\n%s\r\n" % (len(w.encode()), w.encode()) for w in words)
        with socket.create_connection(("127.0.0.1", self.port), timeout=30) as connection:
            connection.sendall(line)
            return connection.makefile().readline().strip()

    def close(self) -> None:
        self.stop()
        self.directory.cleanup()


@functools.cache
def shared_server() -> RedisServer:
    """One server for all tests that leave it running; ends with this process."""
    server = RedisServer()
    atexit.register(server.close)
    return server
