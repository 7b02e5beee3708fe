"""A log that is written in bursts and rotated, followed by a real ``sevendigital ship --follow`` that is killed."""

import asyncio
import gzip
import os
import random
import shutil
import signal
from collections import Counter
from datetime import UTC, datetime
from pathlib import Path

import orjson
from attrs import define, field

from sevendigital_async.sandbox import Sandbox
from sevendigital_async.shipping.spools.inspector import JournalOutcome
from sevendigital_async.shipping.spools.sqlite import SqliteSpoolInspector
from support.cli_process import running


@define
class RotatedLog:
    """Writes numbered plays to a file that is rotated in every way that logrotate knows.

    Attributes:
        path: Path of the file.
        rng: Chooses sizes, pauses and ways.
        written: Plays written until now, numbered from 0.
        rotated: How often each way was taken.
    """

    path: Path
    rng: random.Random
    written: int = 0
    rotated: Counter = field(factory=Counter)

    async def write(self, lines: int, rotations: int, *, pause: float) -> None:
        """Write lines in bursts, many of them cut in their middle for a moment, and rotate between them."""
        for rotation in range(rotations + 1):
            until = lines * (rotation + 1) // (rotations + 1)
            while self.written < until:
                await self.burst(min(until - self.written, self.rng.randrange(1, max(2, lines // 100))), pause)
            if rotation < rotations:
                await self._rotate(rotation, pause)

    async def burst(self, number: int, pause: float) -> None:
        now = datetime.now(UTC).isoformat()
        plays = [{"trackId": str(self.written + index), "timestamp": now, "userId": "u"} for index in range(number)]
        data = b"".join(orjson.dumps(play) + b"\n" for play in plays)
        cut = self.rng.randrange(len(data))
        with self.path.open("ab") as file:
            file.write(data[:cut])
            file.flush()
            await asyncio.sleep(self.rng.random() * pause)
            file.write(data[cut:])
        self.written += number
        await asyncio.sleep(self.rng.random() * pause)

    async def _rotate(self, number: int, pause: float) -> None:
        rotated = self.path.with_name(f"{self.path.name}.{number}")
        way = ("rename", "copytruncate", "compress")[number % 3]
        self.rotated[way] += 1
        if way == "copytruncate":
            await asyncio.to_thread(shutil.copyfile, self.path, rotated)
            await asyncio.sleep(self.rng.random() * pause)
            os.truncate(self.path, 0)
            return
        self.path.rename(rotated)
        if way == "compress":
            await asyncio.sleep(self.rng.random() * pause)
            packed = rotated.with_name(f"{rotated.name}.gz")
            packed.with_suffix(".part").write_bytes(await asyncio.to_thread(gzip.compress, rotated.read_bytes(), 1))
            packed.with_suffix(".part").rename(packed)
            rotated.unlink()


@define
class Outcome:
    """What arrived.

    Attributes:
        written: Plays that were written.
        missing: Plays that did not arrive.
        doubles: Plays that arrived more than once.
        silent_doubles: Those of them that the journal does not have as in doubt.
        rejected: Lines that were rejected.
        kills: Processes that were killed.
    """

    written: int
    missing: set[int]
    doubles: set[int]
    silent_doubles: set[int]
    rejected: list[bytes]
    kills: int


def reject_files(directory: Path) -> list[Path]:
    """Return the files of rejected lines."""
    return sorted(directory.glob("*.rejected*"))


async def follow_through_kills(
    directory: Path,
    sandbox: Sandbox,
    *,
    lines: int,
    rotations: int,
    kills: int,
    life: float,
    pause: float,
    seed: int = 1,
    **options: object,
) -> Outcome:
    """Follow a log while it is written, kill the process at random moments, let the last one finish, and count.

    Args:
        directory: Where log and spool are.
        sandbox: Receives the plays.
        lines: To write.
        rotations: Of the log.
        kills: Of the process, by SIGKILL.
        life: The most seconds that a process lives before it is killed.
        pause: The most seconds between two writes.
        seed: Of everything that is random.
        options: Of ``running``.
    """
    rng = random.Random(seed)
    log = RotatedLog(directory / "plays.jsonl", random.Random(seed + 1))
    command = ("ship", "--follow", "plays.jsonl", "--kind", "catalogue", "--linger", "0.1", "--poll", "0.05", "--json")
    place = {"cwd": directory, "base_url": sandbox.base_url, **options}

    def arrived() -> Counter:
        return Counter(int(play.log["trackId"]) for play in sandbox.received())

    # What was rotated before the first run is not read, so the first run begins before that.
    await log.burst(1, pause)
    async with running(*command, **place):
        async with asyncio.timeout(60):
            while not arrived():
                await asyncio.sleep(0.01)
    writing = asyncio.create_task(log.write(lines, rotations, pause=pause))
    for _ in range(kills):
        before = sandbox.stats()["kinds"]["catalogue"]["requests"]
        async with running(*command, **place) as process:
            async with asyncio.timeout(60):
                while not writing.done() and sandbox.stats()["kinds"]["catalogue"]["requests"] == before:
                    await asyncio.sleep(0.01)
            await asyncio.sleep(rng.random() * life)
            process.process.send_signal(signal.SIGKILL)
            await process.process.wait()
    async with running(*command, **place) as process:
        await writing
        async with asyncio.timeout(120):
            while len(arrived()) < log.written:
                await asyncio.sleep(0.1)
        await asyncio.sleep(0.5)
        process.process.send_signal(signal.SIGTERM)
        ended = await process.end()
        assert ended.summary["waiting"] == 0, ended.err
    found = arrived()
    doubles = {number for number, times in found.items() if times > 1}
    inspector = SqliteSpoolInspector(directory / "plays.jsonl.spool")
    in_doubt = {
        int(entry.log.track_id) async for entry in inspector.journal() if entry.outcome is JournalOutcome.IN_DOUBT
    }
    await inspector.aclose()
    rejected = [line for file in reject_files(directory) for line in file.read_bytes().splitlines()]
    missing = set(range(log.written)) - found.keys()
    return Outcome(log.written, missing, doubles, doubles - in_doubt, rejected, kills)
