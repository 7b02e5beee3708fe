"""The real command in a separate process, and plays for it."""

import asyncio
import contextlib
import os
import shutil
import sys
from collections import Counter
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import orjson

import sevendigital_async
from sevendigital_async import Credentials, LogKind, SevenDigital, StreamLog, StreamLogShipper
from sevendigital_async.cli import main
from sevendigital_async.sandbox import Faults, Sandbox
from support import forked_command

COMMAND = [sys.executable, "-W", "error", "-m", "sevendigital_async.cli"]
PATIENT = 60.0

IS_MEASURED = any(name.startswith("COVERAGE_PROCESS") for name in os.environ)
"""Coverage starts with the interpreter and so does not measure forks."""

KEY = "key-of-a-test"
SECRET = "top-secret-of-a-test"


@dataclass
class Ended:
    """How a process ended; that it kept its secrets and never showed a traceback is checked already."""

    code: int
    out: str
    err: str

    @property
    def summary(self):
        return orjson.loads(self.out)


def open_sandbox(*faults, latency=None, managed_users=True, **options):
    return Sandbox(
        credentials=Credentials(KEY, SECRET),
        faults=Faults.parse(faults, latency=latency, seed=1),
        managed_users=managed_users,
        **options,
    )


async def deliver(sandbox, logs=(), kind=LogKind.CATALOGUE, spool="x.db", **options):
    """Put plays into a spool, and deliver what waits in it; returns the statistics."""
    async with (
        SevenDigital(KEY, SECRET, base_url=sandbox.base_url) as client,
        StreamLogShipper(
            client, spool=spool, lanes={kind: {"linger": 0.0} for kind in LogKind}, close_timeout=0.0, **options
        ) as shipper,
    ):
        await shipper.put_many(kind, logs)
        return await shipper.flush(50)


def run_command(capsys, *arguments, code=0):
    """Run a command in this process; returns what it printed."""
    capsys.readouterr()
    assert main([str(argument) for argument in arguments]) == code
    printed = capsys.readouterr()
    assert "Traceback" not in printed.out + printed.err
    return printed


def environment(base_url=None, secret=SECRET, **more):
    kept = {name: value for name, value in os.environ.items() if not name.startswith("SEVENDIGITAL_")}
    given = {
        "PYTHONPATH": str(Path(sevendigital_async.__file__).parent.parent),
        "SEVENDIGITAL_CONSUMER_KEY": KEY,
        "SEVENDIGITAL_CONSUMER_SECRET": secret,
        "SEVENDIGITAL_BASE_URL": base_url,
        **more,
    }
    return {name: value for name, value in (kept | given).items() if value is not None}


class Started:
    """A running command."""

    def __init__(self, process, secrets):
        self.process = process
        self._secrets = secrets

    async def end(self, stdin=None):
        async with asyncio.timeout(PATIENT):
            out, err = await self.process.communicate(stdin)
        ended = Ended(self.process.returncode, (out or b"").decode(), (err or b"").decode())
        written = ended.out + ended.err
        assert "Traceback" not in written, written
        assert "Exception ignored" not in written, written
        for secret in self._secrets:
            assert secret not in written
        return ended


@contextlib.asynccontextmanager
async def running(
    *arguments, cwd, base_url=None, secret=SECRET, secrets=(), env=None, wrapper=(), new_interpreter=False, **streams
):
    """Start the command, perhaps by another one, as a fork or in a new interpreter; end it with the block."""
    environ = environment(base_url, secret, **(env or {}))
    for name in ("stdin", "stdout", "stderr"):
        streams.setdefault(name, asyncio.subprocess.PIPE)
    if wrapper or new_interpreter or IS_MEASURED:
        process = await asyncio.create_subprocess_exec(
            *wrapper, *COMMAND, *map(str, arguments), cwd=cwd, env=environ, **streams
        )
    else:
        process = await forked_command.start(*map(str, arguments), cwd=cwd, env=environ, **streams)
    try:
        yield Started(process, [SECRET, *([secret] if secret else []), *secrets])
    finally:
        if process.returncode is None:
            process.kill()
            await process.communicate()


async def sevendigital(*arguments, stdin=None, **options):
    """Run the command to its end."""
    async with running(*arguments, **options) as started:
        return await started.end(stdin)


def plays(number, *, users=0, start=0):
    """Make plays, no two alike."""
    now = datetime.now(UTC).replace(microsecond=0)
    return [
        StreamLog(
            track_id=str(index + 1),
            timestamp=now - timedelta(seconds=60 + index % 80_000),
            user_id=f"user-{index % users}" if users else None,
            client_id=f"device-{index}",
            duration_played=index % 200,
            country="GB",
        )
        for index in range(start, start + number)
    ]


def write_plays(path, logs):
    path.write_bytes(b"".join(log.encode() + b"\n" for log in logs))
    return path


def canonical(wire):
    return orjson.dumps(wire, option=orjson.OPT_SORT_KEYS)


def as_counted(logs):
    return Counter(canonical(log.as_wire()) for log in logs)


def copy_spool(source, target):
    """Copy the files of a closed spool, so that many tests can start from one."""
    for file in source.glob("x.db*"):
        shutil.copy(file, target)


def lines_in(path):
    return [StreamLog.decode(line) for line in path.read_bytes().splitlines()] if path.exists() else []


def received(sandbox, kind=None):
    return Counter(canonical(log.log) for log in sandbox.received(kind))


async def until(condition):
    """Wait for something that another process does."""
    async with asyncio.timeout(PATIENT):
        while not condition():
            await asyncio.sleep(0.01)
