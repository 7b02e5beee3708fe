"""Runs workers, kills them, and compares what the spool says with what the server has seen."""

import asyncio
import atexit
import os
import shutil
import signal
import sqlite3
import subprocess
import sys
import tempfile
from collections import Counter
from contextlib import closing
from pathlib import Path

import orjson
from attrs import asdict, define, evolve, field

import sevendigital_async
from sevendigital_async import LogKind
from sevendigital_async.sandbox import Faults
from sevendigital_async.shipping.spools.chunk_codec import unpack
from sevendigital_async.shipping.spools.sqlite import integrity, journal, schema
from sevendigital_async.shipping.spools.sqlite.chunk_table import COLUMNS, records_of
from sevendigital_async.shipping.spools.sqlite.file import commit_marker_of

from .crash_worker import Orders

WORKER = Path(__file__).with_name("crash_worker.py")
FAULTS = ["500:2%", "429:2%", "disconnect-before:3%", "disconnect-after:3%"]

BLOCK = 1_000_000
"""Numbers that one run may use, so that a play which was put but not acknowledged is never put again."""

PATIENT = 120.0


def number_of(body):
    return int(orjson.loads(body)["trackId"][1:])


@define
class Findings:
    """What the file of a spool says, play by play."""

    waiting: dict[int, bool] = field(factory=dict)
    """By number: may it have arrived?"""
    sending: set[int] = field(factory=set)
    suspect: set[int] = field(factory=set)
    dead_letters: dict[int, str] = field(factory=dict)
    delivered: Counter = field(factory=Counter)
    doubts: dict[int, list[float]] = field(factory=dict)
    lanes: dict[str, dict[str, int]] = field(factory=dict)

    @classmethod
    def of(cls, spool):
        """Look at a copy, so that looking changes nothing."""
        with tempfile.TemporaryDirectory() as directory:
            copy = Path(directory) / spool.name
            for path in spool.parent.glob(f"{spool.name}*"):
                if not path.name.endswith(("-shm", "-owner")):
                    shutil.copy(path, copy.with_name(path.name))
            with closing(sqlite3.connect(copy)) as db:
                schema.adapt(db, str(copy))
                integrity.check(db, commit_marker_of(copy).read(), thoroughly=True)
                return cls()._read(db)

    def _read(self, db):
        sequences = {}
        for *row, name in db.execute(
            f"SELECT {COLUMNS}, (SELECT name FROM queue WHERE queue.id = chunk.queue) FROM chunk WHERE queue > 0"  # noqa: S608
        ):
            for record in records_of(row, name):
                number = number_of(record.body)
                assert number not in self.waiting, f"{number} waits twice"
                self.waiting[number] = record.in_doubt
                sequences[record.sequence] = number
        for leased, sending, suspect in db.execute("SELECT leased, sending, suspect FROM intent"):
            self.sending |= {sequences[sequence] for sequence in _numbers(sending) if sequence in sequences}
            if suspect:
                self.suspect |= {sequences[sequence] for sequence in _numbers(leased) if sequence in sequences}
        for place, body in db.execute("SELECT state, body FROM dead_letter"):
            assert number_of(body) not in self.dead_letters
            self.dead_letters[number_of(body)] = place
        for row in db.execute(f"SELECT {journal.COLUMNS} FROM {journal.TABLES} ORDER BY journal.id"):  # noqa: S608
            facts, piece = journal.read(row)
            _, _, outcome, at, _, _, logs, _ = facts
            for play, _ in unpack(piece, logs):
                if outcome == "delivered":
                    self.delivered[number_of(play)] += 1
                else:
                    self.doubts.setdefault(number_of(play), []).append(at)
        cursor = db.execute("SELECT * FROM lane")
        names = [column[0] for column in cursor.description]
        self.lanes = {row[0]: dict(zip(names[1:], row[1:], strict=True)) for row in cursor}
        return self

    def total(self, column):
        return sum(lane[column] for lane in self.lanes.values())

    def check_counts(self):
        """See that every play is in one place, and that the counters are what is there; returns the places."""
        places = Counter([*self.waiting, *self.dead_letters, *self.delivered.elements()])
        assert set(places.values()) <= {1}, [number for number, times in places.items() if times > 1][:5]
        assert self.total("put") == len(places)
        assert self.total("waiting") == len(self.waiting)
        assert self.total("delivered") == len(self.delivered)
        assert self.total("held") == sum(place == "held" for place in self.dead_letters.values())
        assert self.total("buried") == sum(place == "buried" for place in self.dead_letters.values())
        assert self.total("stored_logs") == len(self.waiting) + len(self.dead_letters)
        assert self.total("in_doubt") == len(self.doubts)
        return places


def _numbers(runs):
    return {number for first, count in orjson.loads(runs) for number in range(first, first + count)}


class Forks:
    """The process that forks workers, one after the other; started when the first one is needed."""

    _process = None

    @classmethod
    async def start(cls, output, orders):
        if cls._process is None:
            cls._process = await asyncio.to_thread(cls._launch)
            atexit.register(cls._process.stdin.close)
        cls._process.stdin.write(orjson.dumps([str(output), asdict(orders)]) + b"\n")
        cls._process.stdin.flush()
        return Worker(int(await cls.line()), output, asyncio.create_task(cls.line()))

    @staticmethod
    def _launch():
        environment = {"PYTHONPATH": str(Path(sevendigital_async.__file__).parent.parent)}
        command = [sys.executable, "-W", "error", str(WORKER)]
        return subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=environment)

    @classmethod
    async def line(cls):
        return await asyncio.to_thread(cls._process.stdout.readline)


@define
class Worker:
    """A worker that was forked."""

    pid: int
    output: Path
    ended: asyncio.Task

    @property
    def returncode(self):
        return int(self.ended.result()) if self.ended.done() else None

    def kill(self):
        os.kill(self.pid, signal.SIGKILL)

    async def communicate(self):
        """Wait for the end; returns what it has written."""
        await asyncio.wait([self.ended])
        return self.output.read_bytes()


@define
class Crashes:
    """One spool, one server, many workers one after the other."""

    sandbox: object
    directory: Path
    orders: Orders = None
    runs: int = 0
    accepted: set[int] = field(factory=set)

    def __attrs_post_init__(self):
        self.orders = Orders(self.sandbox.base_url, str(self.spool), str(self.directory / "accepted"))

    @property
    def spool(self):
        return self.directory / "plays.db"

    @staticmethod
    def number(run, index):
        """Return the number of a play of a run; the first run is 1."""
        return run * BLOCK + index

    async def start(self, count=0, **changes):
        """Start a worker that puts so many new plays."""
        self.runs += 1
        orders = evolve(self.orders, numbers=(self.number(self.runs, 0), count), **changes)
        return await Forks.start(self.directory / "output", orders)

    async def run(self, count=0, *, kill_at=None, **changes):
        """Run a worker to its end; True if it was killed.

        ``kill_at`` is (plays accepted by it, seconds after that): a moment to kill it.
        """
        before = self._accepted_size()
        process = await self.start(count, **changes)
        try:
            if kill_at is not None:
                while process.returncode is None and self._accepted_size() < before + 8 * kill_at[0]:
                    await asyncio.sleep(0.002)
                await asyncio.sleep(kill_at[1])
                if process.returncode is None:
                    process.kill()
            async with asyncio.timeout(PATIENT):
                output = (await process.communicate()).decode()
        finally:
            if process.returncode is None:
                process.kill()
                await process.communicate()
        assert process.returncode in {0, -signal.SIGKILL}, output
        assert "Traceback" not in output, output
        return process.returncode != 0

    def _accepted_size(self):
        path = Path(self.orders.accepted)
        return path.stat().st_size if path.exists() else 0

    def check(self):
        """Compare the spool with the server's ledger; every promise, whatever has happened."""
        path = Path(self.orders.accepted)
        self.accepted = {int(line) for line in path.read_bytes().split()} if path.exists() else set()
        found = Findings.of(self.spool)
        arrivals = {}
        for row in self.sandbox.received():
            arrivals.setdefault(int(row.log["trackId"][1:]), []).append(row.arrived_at)

        # No loss, and every play in one place.
        places = found.check_counts()
        assert self.accepted <= places.keys(), f"lost: {sorted(self.accepted - places.keys())[:5]}"
        # What is called delivered has arrived; what arrived is called delivered, or in doubt, or being sent.
        assert found.delivered.keys() <= arrivals.keys()
        uncertain = found.sending | found.suspect | found.doubts.keys()
        assert arrivals.keys() <= found.delivered.keys() | uncertain
        assert {number for number, in_doubt in found.waiting.items() if in_doubt} <= found.doubts.keys()
        # Honest doubles: in the journal before they were sent again.
        doubles = {number: times for number, times in arrivals.items() if len(times) > 1}
        for number, times in doubles.items():
            doubts = sorted(found.doubts.get(number, ()))
            assert len(doubts) >= len(times) - 1, f"{number} arrived {len(times)} times, doubted {len(doubts)} times"
            assert all(doubt <= time for doubt, time in zip(doubts, sorted(times)[1:], strict=False)), number
        assert self.sandbox.stats()["kinds"][LogKind.PREVIEW]["busiest_second"] <= 5
        return found, doubles

    async def finish(self, count=0, **changes):
        """Let a last worker deliver everything; returns findings and doubles."""
        assert not await self.run(count, **changes)
        found, doubles = self.check()
        assert not found.waiting, f"{len(found.waiting)} are still waiting"
        return found, doubles


async def die_at(point, crashes, rng):
    """Let two workers die at a point, one at once and one later, and a third one find what they have left."""
    poison = [f"poison-unindexed:n{crashes.number(run, rng.randrange(300))}" for run in (1, 2)]
    # With other faults, a poisonous play may be held before it is ever refused by itself.
    faults = [] if "bury" in point else FAULTS
    crashes.sandbox.faults = Faults.parse([*faults, *poison], seed=rng.randrange(99))
    orders = {"kinds": ("catalogue", "subscriber"), "users": 3, "in_doubt": rng.choice(["resend", "hold"])}
    if "take-over" in point:
        assert await crashes.run(300, die_at=("body sent", 1), **orders)
    assert await crashes.run(300, die_at=(point, 1), **orders)
    crashes.check()
    await crashes.run(300, die_at=(point, rng.randrange(2, 6)), **orders)
    crashes.check()
    crashes.sandbox.faults = Faults.parse(poison)
    found, _ = await crashes.finish(**orders)
    assert found.total("put") >= len(crashes.accepted)
