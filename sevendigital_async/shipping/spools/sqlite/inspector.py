"""Reads a file that a shipper may have open, and replays and discards dead letters."""

from __future__ import annotations

import asyncio
import os
import sqlite3
import struct
import time
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from functools import partial
from typing import Any, TypeVar

import orjson
from attrs import fields, frozen

from ....clock import to_datetime
from ....errors import SpoolError
from ....models import LogKind
from ....private_files import printable
from ...records import Counts
from ...rules import lane_rules
from ..chunk_codec import PLAY_HEADER_BYTES, unpack
from ..inspector import DeadLetterState, JournalEntry, JournalOutcome, SpoolStatus, StoredDeadLetter
from . import dead_letters, journal
from .errors import CorruptionError, is_busy, translate_error
from .file import (
    BUSY_TIMEOUT,
    OWNER,
    SpoolFile,
    check_files,
    commit_marker_of,
    companion_path,
    lock_file_error,
    read_only,
    spool_path,
)
from .integrity import check
from .schema import adapt, dialect_of, version_of
from .statements import checkpoint_of
from .writer import release_abandoned

R = TypeVar("R")
T = TypeVar("T")

DURABILITY = (
    "in a file on this machine: an accepted play survives a crash of the process, and a power cut unless its shipper"
    " uses synchronous=NORMAL"
)

MAX_ID = 2**63 - 1
"""The largest id that SQLite can store."""

PLAYS_PER_READ = 5_000
"""Plays read at once, or a few more, so that a transaction never blocks a shipper for long."""


@frozen
class RowFilter:
    """Selects rows of the journal, or dead letters.

    Attributes:
        kind: Kind of the plays; None for all.
        state: Buried or held; None for both.
        since: When they were written at the earliest.
        until: Before when they were written.
    """

    kind: LogKind | None = None
    state: DeadLetterState | None = None
    since: datetime | None = None
    until: datetime | None = None

    @property
    def clause(self) -> tuple[str, dict[str, object]]:
        """The condition, and its parameters."""
        conditions: dict[str, object] = {
            "kind = :kind": self.kind and self.kind.value,
            "state = :state": self.state and self.state.value,
            "at >= :since": self.since and self.since.timestamp(),
            "at < :until": self.until and self.until.timestamp(),
        }
        given = {condition: value for condition, value in conditions.items() if value is not None}
        clause = " AND ".join(["id > :after", *given])
        return clause, {condition.rpartition(":")[2]: value for condition, value in given.items()}


def journal_after(db: sqlite3.Connection, after: int, row_filter: RowFilter) -> tuple[int, list[JournalEntry]]:
    """Read the next entries of the journal; returns them after the id from which to continue.

    Raises:
        CorruptionError: A row is damaged.
    """
    clause, values = row_filter.clause
    found = db.execute(
        f"SELECT {journal.COLUMNS} FROM {journal.TABLES} WHERE {clause} ORDER BY id",  # noqa: S608 - words of ours
        {**values, "after": after},
    )
    entries: list[JournalEntry] = []
    for row in found:
        number = row[0]
        try:
            entries.extend(_entries(row))
        except journal.DAMAGE_ERRORS as error:
            raise CorruptionError(f"row {number} of the journal is damaged") from error
        after = number
        if len(entries) >= PLAYS_PER_READ:
            found.close()
            break
    return after, entries


def _entries(row: Sequence[Any]) -> Iterator[JournalEntry]:
    facts, piece = journal.read(row)
    kind, _, outcome_name, at, request_id, answer, logs, positions = facts
    lane, outcome, moment = LogKind(kind), JournalOutcome(outcome_name), to_datetime(at)
    in_doubt = set(orjson.loads(positions))
    if logs * PLAY_HEADER_BYTES + sum(struct.unpack_from(f"<{logs}I", piece)) != len(piece):
        raise ValueError("wrong length")
    for index, (play, _) in enumerate(unpack(piece, logs)):
        yield JournalEntry(lane, play, outcome, moment, request_id, answer, index in in_doubt)


def dead_letters_after(db: sqlite3.Connection, after: int, row_filter: RowFilter) -> tuple[int, list[StoredDeadLetter]]:
    """Read the next dead letters; returns them after the id from which to continue.

    Raises:
        CorruptionError: A row is damaged.
    """
    clause, values = row_filter.clause
    found = db.execute(
        f"SELECT id, {dead_letters.LETTER_COLUMNS}, checksum, body FROM dead_letter WHERE {clause}"  # noqa: S608 - words of ours
        " ORDER BY id LIMIT :limit",
        {**values, "after": after, "limit": PLAYS_PER_READ},
    )
    letters: list[StoredDeadLetter] = []
    for number, *facts, kept, body in found:
        kind, _, state, _, reason, code, at, in_doubt = facts
        try:
            dead_letters.check(number, facts, kept, body)
            moment = to_datetime(at)
            letter = StoredDeadLetter(
                str(number), LogKind(kind), body, DeadLetterState(state), reason, code, moment, in_doubt=bool(in_doubt)
            )
        except (ValueError, TypeError, ArithmeticError, OSError) as error:
            raise CorruptionError(f"dead letter {number} is damaged") from error
        letters.append(letter)
        after = number
    return after, letters


def counts_of(db: sqlite3.Connection) -> Mapping[LogKind, Counts]:
    """Return how many plays are in which state, by kind. Leased plays count as waiting, as they do in the file."""
    names = [state.name for state in fields(Counts) if state.name != "in_flight"]
    rows = db.execute(f"SELECT kind, {', '.join(names)} FROM lane")  # noqa: S608 - names of ours
    return {LogKind(kind): Counts(**dict(zip(names, numbers, strict=True))) for kind, *numbers in rows}


def oldest_in(db: sqlite3.Connection, kind: LogKind) -> datetime | None:
    """Return when the oldest waiting or leased play was accepted."""
    (oldest,) = db.execute(
        "SELECT min(moment) FROM (SELECT min(oldest) AS moment FROM queue WHERE kind = ?1 UNION ALL"
        " SELECT min((SELECT accepted_at FROM chunk WHERE queue = queue.id ORDER BY first LIMIT 1)) FROM queue"
        "  WHERE kind = ?1 AND delayed IN (0, 1) AND due IS NULL AND name <> '' UNION ALL"
        " SELECT * FROM (SELECT accepted_at FROM chunk WHERE queue ="
        " (SELECT id FROM queue WHERE kind = ?1 AND name = '') ORDER BY first LIMIT 1))",
        (kind.value,),
    ).fetchone()
    return None if oldest is None else to_datetime(oldest)


class SqliteSpoolInspector:
    """Implements :class:`~sevendigital_async.shipping.spools.inspector.SpoolInspector` for a file.

    Reading does not block a shipper, and never changes the file: a file of an older version is read as it is. To replay
    and to discard, no shipper may have the file open; this migrates an older file.

    Args:
        path: The file.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self._path = spool_path(path)
        self._shown = printable(self._path)
        self._thread = ThreadPoolExecutor(1, thread_name_prefix=f"inspector {self._shown}")
        self._db: sqlite3.Connection | None = None
        self._version = 0

    async def journal(
        self, *, kind: LogKind | None = None, since: datetime | None = None, until: datetime | None = None
    ) -> AsyncIterator[JournalEntry]:
        """Iterate over the journal, oldest first; ``since`` is included, ``until`` is not.

        Entries that are written meanwhile are included, if ``until`` allows.

        Raises:
            SpoolCorruptionError: An entry is damaged.
            SpoolError: The spool does not exist or can't be read.
        """
        async for entry in self._portions(journal_after, RowFilter(kind, None, since, until)):
            yield entry

    async def dead_letters(
        self, *, kind: LogKind | None = None, state: DeadLetterState | None = None
    ) -> AsyncIterator[StoredDeadLetter]:
        """Iterate over dead letters, oldest first.

        Raises:
            SpoolCorruptionError: A row is damaged.
            SpoolError: The spool does not exist, or can't be read.
        """
        async for letter in self._portions(dead_letters_after, RowFilter(kind, state)):
            yield letter

    async def replay(self, ids: Sequence[str]) -> int:
        """Move dead letters to the ends of their queues; returns how many were found.

        Plays in doubt stay so: sending them again may double them, and the journal records this.

        Raises:
            SpoolInUseError: A shipper has the file open.
            SpoolError: The spool does not exist, or can't be written.
        """
        rules = lane_rules()
        return await self._change(ids, lambda db, some: dead_letters.replay(db, some, rules, time.time()))

    async def discard(self, ids: Sequence[str]) -> int:
        """Delete dead letters: they stay counted as buried, and the journal records them as discarded.

        Raises:
            SpoolInUseError: A shipper has the file open.
            SpoolError: The spool does not exist, or can't be written.
        """
        return await self._change(ids, lambda db, some: dead_letters.discard(db, some, time.time()))

    async def status(self) -> SpoolStatus:
        """Return the status of the spool; plays in flight count as waiting.

        Raises:
            SpoolError: The spool does not exist, or can't be read.
        """
        return await self._off_loop(lambda: self._reading(self._status))

    async def checkpoint(self, source: str) -> str | None:
        """Return the position last stored for a source; None if there is none.

        Raises:
            SpoolError: The spool does not exist, or can't be read.
        """
        return await self._off_loop(lambda: self._reading(lambda db: checkpoint_of(db, source)))

    async def aclose(self) -> None:
        try:
            await self._off_loop(self._close)
        finally:
            self._thread.shutdown(wait=False)

    # -- in the thread --

    async def _off_loop(self, work: Callable[[], R]) -> R:
        try:
            return await asyncio.get_running_loop().run_in_executor(self._thread, work)
        except (sqlite3.Error, CorruptionError, UnicodeError, OSError) as error:
            raise translate_error(error, self._shown) from error

    async def _portions(self, read: Callable[..., tuple[int, list[T]]], row_filter: RowFilter) -> AsyncIterator[T]:
        after = 0
        while True:
            next_portion = partial(read, after=after, row_filter=row_filter)
            after, portion = await self._off_loop(partial(self._reading, next_portion))
            if not portion:
                return
            for item in portion:
                yield item

    async def _change(self, ids: Sequence[str], step: Callable[[sqlite3.Connection, Sequence[int]], int]) -> int:
        numbers = list(dict.fromkeys(int(name) for name in ids if name.isascii() and name.isdigit()))
        return await self._off_loop(lambda: self._change_in_portions([n for n in numbers if n <= MAX_ID], step))

    def _change_in_portions(self, ids: Sequence[int], step: Callable[[sqlite3.Connection, Sequence[int]], int]) -> int:
        dialect = self._reading(dialect_of)  # raises if the file is not a spool, and never creates one
        release_abandoned(self._path)
        file, done = SpoolFile(self._path), 0
        db = file.open(dialect)
        try:
            for start in range(0, len(ids), dead_letters.LETTERS_PER_TRANSACTION):
                db.execute("BEGIN IMMEDIATE")
                try:
                    done += step(db, ids[start : start + dead_letters.LETTERS_PER_TRANSACTION])
                    db.execute("COMMIT")
                except BaseException:
                    if db.in_transaction:
                        db.execute("ROLLBACK")
                    raise
        finally:
            db.close()
            file.release()
        return done

    def _reading(self, read: Callable[[sqlite3.Connection], R]) -> R:
        """Read within one transaction, so that a migration that another process does meanwhile is not seen."""
        db = self._connected()
        db.execute("BEGIN")
        try:
            if version_of(db, self._shown) != self._version:
                self._close()  # the file has been migrated
                return self._reading(read)
            return read(db)
        finally:
            if db is self._db and db.in_transaction:
                db.execute("ROLLBACK")

    def _status(self, db: sqlite3.Connection) -> SpoolStatus:
        counts = counts_of(db)
        oldest = {kind: oldest_in(db, kind) if counts[kind].waiting else None for kind in counts}
        files = [path for ending in ("", "-wal") if (path := companion_path(self._path, ending)).exists()]
        size = sum(path.stat().st_size for path in files)
        return SpoolStatus(self._shown, self._in_use(), counts, oldest, size, DURABILITY)

    def _in_use(self) -> bool:
        lock = companion_path(self._path, OWNER)
        if not lock.exists():
            return False
        db = read_only(lock, timeout=0)
        try:
            db.execute("PRAGMA user_version").fetchone()
        except sqlite3.Error as error:
            if is_busy(error):
                return True
            raise lock_file_error(error, self._path) from error
        finally:
            db.close()
        return False

    def _connected(self) -> sqlite3.Connection:
        if self._db is None:
            check_files(self._path)
            if not self._path.exists():
                raise SpoolError(f"spool {self._shown} does not exist")
            if self._path.stat().st_size == 0:
                raise SpoolError(f"{self._shown} is empty, not a spool")
            marker = commit_marker_of(self._path).read()  # first, for a shipper may commit meanwhile
            db = read_only(self._path, timeout=BUSY_TIMEOUT)
            try:
                self._version = adapt(db, self._shown)
                check(db, marker, thoroughly=False)
            except BaseException:
                db.close()
                raise
            self._db = db
        return self._db

    def _close(self) -> None:
        if self._db is not None:
            self._db.close()
            self._db = None
