"""Whether what is in the file is what was written to it."""

from __future__ import annotations

import os
import sqlite3
import struct
import sys
import zlib
from contextlib import closing, suppress
from functools import cache
from io import FileIO
from pathlib import Path

from attrs import define, field, frozen

from ....models import LogKind
from . import dead_letters, transitions
from .chunks import COLUMNS, CorruptionError, MissingTailError, Row, records_of
from .paths import NO_FOLLOW, open_private
from .schema import TABLES

FORM = struct.Struct("<qq")
SIZE = FORM.size + 4


@frozen
class Mark:
    """How far a file had been written.

    Attributes:
        name: Of the spool in it.
        flushed: How many of its transactions had been forced to the disk.
    """

    name: int
    flushed: int


@define(eq=False)
class CommitMarkerFile:
    """The file that the note is in.

    Attributes:
        path: Where it is.
    """

    path: Path
    _name: int = field(init=False, default=0)
    _file: FileIO | None = field(init=False, default=None)

    def read(self) -> Mark | None:
        """Return what it says; None if it says nothing, for it proves only what is missing."""
        try:
            with FileIO(os.open(self.path, os.O_RDONLY | NO_FOLLOW)) as file:
                kept = file.read(SIZE + 1)
        except OSError:
            return None
        if len(kept) != SIZE or zlib.crc32(kept[: FORM.size]).to_bytes(4, "little") != kept[FORM.size :]:
            return None
        return Mark(*FORM.unpack(kept[: FORM.size]))

    def open(self, name: int) -> None:
        """Make ready to write for a spool with this name.

        Raises:
            SpoolError: It is not a regular file.
            OSError: It can't be written.
        """
        self._name = name
        self._file = FileIO(open_private(self.path), "r+")
        if self._file.seek(0, os.SEEK_END) > SIZE:
            self._file.truncate(SIZE)

    def write(self, flushed: int) -> None:
        """Note that so many transactions have been forced to the disk."""
        if self._file is not None:
            facts = FORM.pack(self._name, flushed)
            with suppress(OSError):  # an older note is true as well
                note = facts + zlib.crc32(facts).to_bytes(4, "little")
                if sys.platform == "win32":
                    self._file.seek(0)
                    self._file.write(note)
                else:
                    os.pwrite(self._file.fileno(), note, 0)

    def close(self) -> None:
        """Let go of it."""
        if self._file is not None:
            self._file.close()
            self._file = None


def check(db: sqlite3.Connection, mark: Mark | None, *, thoroughly: bool) -> None:
    """Compare what is there with what must be there.

    Args:
        db: The connection; reading is enough.
        mark: How far the file had been written; None if that is not known.
        thoroughly: Look at every page and every play, which takes time in proportion to the file.

    Raises:
        CorruptionError: Something is not as it was written.
    """
    check_tables(db)
    check_progress(db, mark)
    check_sums(db)
    if thoroughly:
        check_pages(db)
        check_rows(db)
        check_counts(db)


def check_tables(db: sqlite3.Connection) -> None:
    """Compare the tables' form with ours.

    Raises:
        CorruptionError: It is another one.
    """
    if _layout_of(db) != _layout():
        raise CorruptionError("its tables have another form")


def check_progress(db: sqlite3.Connection, mark: Mark | None) -> None:
    """See that everything is there that was once on the disk.

    Raises:
        MissingTailError: It is not.
    """
    flushed, name = db.execute("SELECT flushed, name FROM progress").fetchone()
    if mark is not None and mark.name == name and mark.flushed > flushed:
        raise MissingTailError(
            "what was written to it last is missing, for its -wal file is damaged or gone, or this is an older copy"
        )


def check_sums(db: sqlite3.Connection) -> None:
    """Compare the counters with each other; cheap, whatever the size.

    Raises:
        CorruptionError: They don't add up.
    """
    lanes = db.execute("SELECT kind, put - delivered - waiting - buried - held FROM lane").fetchall()
    if {kind for kind, _ in lanes} != set(LogKind) or any(rest for _, rest in lanes):
        raise CorruptionError("its counters don't add up")


def check_pages(db: sqlite3.Connection) -> None:
    """Look at every page.

    Raises:
        CorruptionError: One is not as it was written.
    """
    [(verdict,), *_] = db.execute("PRAGMA integrity_check(1)").fetchall()
    if verdict != "ok":
        raise CorruptionError(verdict.splitlines()[-1])


def check_rows(db: sqlite3.Connection) -> None:
    """Compare what is undelivered, play by play, with its checksums.

    Raises:
        CorruptionError: Something is not as it was written.
    """
    for *row, name in db.execute(
        f"SELECT {COLUMNS}, coalesce((SELECT name FROM queue WHERE id = parcel.queue), '') FROM parcel"  # noqa: S608 - names of ours
        " WHERE queue > 0"
    ):
        records_of(Row(*row), name)
    for number, *facts, kept, body in db.execute(f"SELECT id, {dead_letters.FACTS}, checksum, body FROM set_aside"):  # noqa: S608 - names of ours
        dead_letters.check(number, facts, kept, body)
    transitions.left(db)


def check_counts(db: sqlite3.Connection) -> None:
    """Compare the counters with what is there.

    Raises:
        CorruptionError: Plays are missing.
    """
    waiting = _sums(db, "parcel.logs, parcel.size", "parcel JOIN queue ON queue.id = parcel.queue")
    shared = _sums(db, "parcel.logs, parcel.size", "parcel JOIN queue ON queue.id = parcel.queue AND name = ''")
    set_aside = _sums(db, "1, length(body), place = 'held'", "set_aside")
    for kind, *counted in db.execute("SELECT kind, waiting, kept, size, held, shared, shared_size FROM lane"):
        (logs, size), (aside_logs, aside_size, held) = waiting.get(kind, (0, 0)), set_aside.get(kind, (0, 0, 0))
        if counted != [logs, logs + aside_logs, size + aside_size, held, *shared.get(kind, (0, 0))]:
            raise CorruptionError("plays are missing from it")
    lost = db.execute(
        "SELECT 1 FROM parcel WHERE queue > 0 AND queue NOT IN (SELECT id FROM queue) UNION ALL"
        " SELECT 1 FROM queue WHERE name <> '' AND (logs, size) <>"
        " (SELECT sum(logs), sum(size) FROM parcel WHERE parcel.queue = queue.id) LIMIT 1"
    ).fetchone()
    if lost is not None:
        raise CorruptionError("its queues don't add up")


def _sums(db: sqlite3.Connection, values: str, tables: str) -> dict[str, tuple[int, ...]]:
    """Add up values by kind."""
    sums = ", ".join(f"sum({value})" for value in values.split(", "))
    return {kind: tuple(numbers) for kind, *numbers in db.execute(f"SELECT kind, {sums} FROM {tables} GROUP BY kind")}  # noqa: S608 - words of ours


@cache
def _layout() -> frozenset[tuple[str, str]]:
    with closing(sqlite3.connect(":memory:")) as db:
        db.executescript(TABLES)
        return _layout_of(db)


def _layout_of(db: sqlite3.Connection) -> frozenset[tuple[str, str]]:
    return frozenset(db.execute("SELECT name, sql FROM sqlite_schema WHERE sql IS NOT NULL"))
