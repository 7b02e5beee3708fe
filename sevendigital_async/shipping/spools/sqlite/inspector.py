"""Reading a file beside its owner, and deciding about dead letters."""

from __future__ import annotations

import asyncio
import os
import sqlite3
import struct
import time
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from functools import partial
from typing import Any, TypeVar

import orjson
from attrs import fields, frozen

from ....errors import SpoolError
from ....models import LogKind
from ...records import Counts
from ...rules import lane_rules
from ..inspector import DeadLetterState, JournalEntry, JournalOutcome, SpoolStatus, StoredDeadLetter
from . import dead_letters, journal
from .chunks import HEAD, CorruptionError, unpack
from .disk_space import is_busy, translated
from .file import BUSY_TIMEOUT, SpoolFile, mark_of, not_a_lock, read_only
from .integrity import check
from .paths import beside, check_files, printable, spool_path
from .schema import check_version, dialect_of
from .statements import checkpoint_of
from .writer import release_abandoned

PORTION = 5_000
"""Plays read at once, or a few more: one transaction never lasts long enough to be in anybody's way."""


@frozen
class Wanted:
    """Which rows.

    Attributes:
        kind: Of the plays; None for all.
        place: Buried or held; None for both.
        since: When they were written at the earliest.
        until: Before when they were written.
    """

    kind: LogKind | None = None
    place: DeadLetterState | None = None
    since: datetime | None = None
    until: datetime | None = None

    @property
    def clause(self) -> tuple[str, dict[str, object]]:
        """The condition, and its parameters."""
        conditions: dict[str, object] = {
            "kind = :kind": self.kind and self.kind.value,
            "place = :place": self.place and self.place.value,
            "at >= :since": self.since and self.since.timestamp(),
            "at < :until": self.until and self.until.timestamp(),
        }
        given = {condition: value for condition, value in conditions.items() if value is not None}
        words = " AND ".join(["id > :after", *given])
        return words, {condition.rpartition(":")[2]: value for condition, value in given.items()}


def journal_after(db: sqlite3.Connection, after: int, wanted: Wanted) -> tuple[int, list[JournalEntry]]:
    """Read the next entries of the journal, and say where to go on.

    Raises:
        CorruptionError: A row is not as it was written.
    """
    clause, values = wanted.clause
    found = db.execute(
        f"SELECT {journal.COLUMNS} FROM {journal.TABLES} WHERE {clause} ORDER BY id",  # noqa: S608 - words of ours
        {**values, "after": after},
    )
    entries: list[JournalEntry] = []
    for row in found:
        number = row[0]
        try:
            entries.extend(_entries(row))
        except journal.DAMAGE as error:
            raise CorruptionError(f"entry {number} of the journal is not as it was written") from error
        after = number
        if len(entries) >= PORTION:
            found.close()
            break
    return after, entries


def _entries(row: Sequence[Any]) -> Iterator[JournalEntry]:
    facts, piece = journal.read(row)
    kind, _, outcome, at, request_id, answer, logs, doubted = facts
    lane, became, moment = LogKind(kind), JournalOutcome(outcome), datetime.fromtimestamp(at, UTC)
    in_doubt = set(orjson.loads(doubted))
    if logs * HEAD + sum(struct.unpack_from(f"<{logs}I", piece)) != len(piece):
        raise ValueError("a piece of another length")
    for index, (play, _) in enumerate(unpack(piece, logs)):
        yield JournalEntry(lane, play, became, moment, request_id, answer, index in in_doubt)


def set_aside_after(db: sqlite3.Connection, after: int, wanted: Wanted) -> tuple[int, list[StoredDeadLetter]]:
    """Read the next plays that were set aside, and say where to go on.

    Raises:
        CorruptionError: A row is not as it was written.
    """
    clause, values = wanted.clause
    found = db.execute(
        f"SELECT id, {dead_letters.FACTS}, checksum, body FROM set_aside WHERE {clause} ORDER BY id LIMIT :portion",  # noqa: S608 - words of ours
        {**values, "after": after, "portion": PORTION},
    )
    plays: list[StoredDeadLetter] = []
    for number, *facts, kept, body in found:
        kind, _, place, _, reason, code, at, in_doubt = facts
        try:
            dead_letters.check(number, facts, kept, body)
            moment = datetime.fromtimestamp(at, UTC)
            play = StoredDeadLetter(
                str(number), LogKind(kind), body, DeadLetterState(place), reason, code, moment, in_doubt=bool(in_doubt)
            )
        except (ValueError, TypeError, ArithmeticError, OSError) as error:
            raise CorruptionError(f"play {number} of those set aside is not as it was written") from error
        plays.append(play)
        after = number
    return after, plays


def counts_of(db: sqlite3.Connection) -> Mapping[LogKind, Counts]:
    """Say where the plays are, by kind. What is on its way counts as waiting: the file knows no better."""
    names = [place.name for place in fields(Counts) if place.name != "in_flight"]
    rows = db.execute(f"SELECT kind, {', '.join(names)} FROM lane")  # noqa: S608 - names of ours
    return {LogKind(kind): Counts(**dict(zip(names, numbers, strict=True))) for kind, *numbers in rows}


def oldest_in(db: sqlite3.Connection, kind: LogKind) -> datetime | None:
    """Say when the oldest play that waits, or is on its way, was accepted."""
    (oldest,) = db.execute(
        "SELECT min(moment) FROM (SELECT min(oldest) AS moment FROM queue WHERE kind = ?1 UNION ALL"
        " SELECT min((SELECT accepted_at FROM parcel WHERE queue = queue.id ORDER BY first LIMIT 1)) FROM queue"
        "  WHERE kind = ?1 AND resting IN (0, 1) AND due IS NULL AND name <> '' UNION ALL"
        " SELECT * FROM (SELECT accepted_at FROM parcel WHERE queue ="
        " (SELECT id FROM queue WHERE kind = ?1 AND name = '') ORDER BY first LIMIT 1))",
        (kind.value,),
    ).fetchone()
    return None if oldest is None else datetime.fromtimestamp(oldest, UTC)


R = TypeVar("R")
T = TypeVar("T")

LARGEST_ID = 2**63 - 1

DURABILITY = (
    "in a file on this machine: an accepted play survives a crash of the process at once; a power cut, too, unless its"
    " shipper was told synchronous=NORMAL"
)


class SqliteSpoolInspector:
    """Implements :class:`~sevendigital_async.shipping.spools.inspector.Archive` for a file.

    Reading disturbs nobody. To replay and to drop, no shipper may have the file open.

    Args:
        path: The file.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self._path = spool_path(path)
        self._shown = printable(self._path)
        self._thread = ThreadPoolExecutor(1, thread_name_prefix=f"archive {self._shown}")
        self._db: sqlite3.Connection | None = None

    async def journal(
        self, *, kind: LogKind | None = None, since: datetime | None = None, until: datetime | None = None
    ) -> AsyncIterator[JournalEntry]:
        """Iterate over the journal, oldest first; ``since`` is included, ``until`` is not.

        What is written meanwhile is told as well, if ``until`` allows.

        Raises:
            SpoolCorruptionError: An entry is not as it was written.
            SpoolError: There is no such spool, or it can't be read.
        """
        async for entry in self._portions(journal_after, Wanted(kind, None, since, until)):
            yield entry

    async def dead_letters(
        self, *, kind: LogKind | None = None, state: DeadLetterState | None = None
    ) -> AsyncIterator[StoredDeadLetter]:
        """Iterate over what waits for a person, oldest first.

        Raises:
            SpoolCorruptionError: A row is not as it was written.
            SpoolError: There is no such spool, or it can't be read.
        """
        async for play in self._portions(set_aside_after, Wanted(kind, state)):
            yield play

    async def replay(self, ids: Sequence[str]) -> int:
        """Let plays wait for delivery again, each at the end of its queue; returns how many were there.

        Those in doubt stay so: sending them again may double them, and the journal will say so.

        Raises:
            SpoolInUseError: A shipper has the file open.
            SpoolError: There is no such spool, or it can't be written.
        """
        rules = lane_rules()
        return await self._mend(ids, lambda db, some: dead_letters.replay(db, some, rules, time.time()))

    async def discard(self, ids: Sequence[str]) -> int:
        """Let go of plays for good: they stay counted as buried, and the journal tells of it.

        Raises:
            SpoolInUseError: A shipper has the file open.
            SpoolError: There is no such spool, or it can't be written.
        """
        return await self._mend(ids, lambda db, some: dead_letters.drop(db, some, time.time()))

    async def status(self) -> SpoolStatus:
        """Say how the spool stands; what is in flight counts as waiting.

        Raises:
            SpoolError: There is no such spool, or it can't be read.
        """
        return await self._off_loop(self._status)

    async def checkpoint(self, source: str) -> str | None:
        """Return the position last kept for a source; None if there is none.

        Raises:
            SpoolError: There is no such spool, or it can't be read.
        """
        return await self._off_loop(lambda: checkpoint_of(self._connected(), source))

    async def aclose(self) -> None:
        """Let go of the file."""
        try:
            await self._off_loop(self._close)
        finally:
            self._thread.shutdown(wait=False)

    # -- in the thread --

    async def _off_loop(self, work: Callable[[], R]) -> R:
        try:
            return await asyncio.get_running_loop().run_in_executor(self._thread, work)
        except (sqlite3.Error, CorruptionError, UnicodeError, OSError) as error:
            raise translated(error, self._shown) from error

    async def _portions(
        self, read: Callable[[sqlite3.Connection, int, Wanted], tuple[int, list[T]]], wanted: Wanted
    ) -> AsyncIterator[T]:
        after = 0
        while True:
            after, portion = await self._off_loop(partial(self._read, read, after, wanted))
            if not portion:
                return
            for item in portion:
                yield item

    async def _mend(self, ids: Sequence[str], step: Callable[[sqlite3.Connection, Sequence[int]], int]) -> int:
        numbers = list(dict.fromkeys(int(name) for name in ids if name.isascii() and name.isdigit()))
        return await self._off_loop(lambda: self._step_by_step([n for n in numbers if n <= LARGEST_ID], step))

    def _step_by_step(self, ids: Sequence[int], step: Callable[[sqlite3.Connection, Sequence[int]], int]) -> int:
        dialect = dialect_of(
            self._connected()
        )  # says what is wrong with a file that is none of ours, and never makes one
        release_abandoned(self._path)
        file, done = SpoolFile(self._path), 0
        db = file.open(dialect)
        try:
            for start in range(0, len(ids), dead_letters.PORTION):
                db.execute("BEGIN IMMEDIATE")
                try:
                    done += step(db, ids[start : start + dead_letters.PORTION])
                    db.execute("COMMIT")
                except BaseException:
                    if db.in_transaction:
                        db.execute("ROLLBACK")
                    raise
        finally:
            db.close()
            file.release()
        return done

    def _read(
        self, read: Callable[[sqlite3.Connection, int, Wanted], tuple[int, list[T]]], after: int, wanted: Wanted
    ) -> tuple[int, list[T]]:
        return read(self._connected(), after, wanted)

    def _status(self) -> SpoolStatus:
        db = self._connected()
        counts = counts_of(db)
        oldest = {kind: oldest_in(db, kind) if counts[kind].waiting else None for kind in counts}
        files = [path for ending in ("", "-wal") if (path := beside(self._path, ending)).exists()]
        size = sum(path.stat().st_size for path in files)
        return SpoolStatus(self._shown, self._in_use(), counts, oldest, size, DURABILITY)

    def _in_use(self) -> bool:
        lock = beside(self._path, "-owner")
        if not lock.exists():
            return False
        db = read_only(lock, timeout=0)
        try:
            db.execute("PRAGMA user_version").fetchone()
        except sqlite3.Error as error:
            if is_busy(error):
                return True
            raise not_a_lock(error, self._path) from error
        finally:
            db.close()
        return False

    def _connected(self) -> sqlite3.Connection:
        if self._db is None:
            check_files(self._path)
            if not self._path.exists():
                raise SpoolError(f"there is no spool {self._shown}")
            if self._path.stat().st_size == 0:
                raise SpoolError(f"{self._shown} is empty, which no spool ever is")
            mark = mark_of(self._path).read()  # first, so that a shipper may go on meanwhile
            db = read_only(self._path, timeout=BUSY_TIMEOUT)
            try:
                check_version(db, self._shown)
                check(db, mark, thoroughly=False)
            except BaseException:
                db.close()
                raise
            self._db = db
        return self._db

    def _close(self) -> None:
        if self._db is not None:
            self._db.close()
            self._db = None
