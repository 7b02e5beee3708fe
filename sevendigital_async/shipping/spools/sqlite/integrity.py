"""Checks the integrity of a spool's file."""

from __future__ import annotations

import sqlite3

from attrs import frozen

from ....models import LogKind
from . import dead_letters, transitions
from .chunk_table import COLUMNS, ChunkRow, records_of
from .errors import CorruptionError, MissingTailError
from .schema import has_expected_layout


@frozen
class CommitMarker:
    """How far a file had been forced to the disk.

    Attributes:
        spool_id: Id of the spool in the file.
        flushed: How many of its transactions had been forced to the disk.
    """

    spool_id: int
    flushed: int


def check(db: sqlite3.Connection, marker: CommitMarker | None, *, thoroughly: bool) -> None:
    """Check the contents of a file.

    Args:
        db: The connection, adapted to the version of the file; it may be read-only.
        marker: How far the file had been forced to the disk; None if that is not known.
        thoroughly: Check every page and every undelivered play, which takes time in proportion to the file.

    Raises:
        CorruptionError: The file is damaged.
    """
    (version,) = db.execute("PRAGMA user_version").fetchone()
    if not has_expected_layout(db, version):
        raise CorruptionError(f"its tables do not match version {version}")
    check_progress(db, marker)
    check_sums(db)
    if thoroughly:
        check_pages(db)
        check_rows(db)
        check_counts(db)


def check_progress(db: sqlite3.Connection, marker: CommitMarker | None) -> None:
    """Check that the file has every transaction that was flushed to the disk.

    Raises:
        MissingTailError: Transactions are missing.
    """
    flushed, spool_id = db.execute("SELECT flushed, spool_id FROM progress").fetchone()
    if marker is not None and marker.spool_id == spool_id and marker.flushed > flushed:
        raise MissingTailError(
            "the last transactions are missing: its -wal file is damaged or gone, or this is an older copy"
        )


def check_sums(db: sqlite3.Connection) -> None:
    """Compare the counters with each other; cheap, whatever the size of the file.

    Raises:
        CorruptionError: They are inconsistent.
    """
    lanes = db.execute("SELECT kind, put - delivered - waiting - buried - held FROM lane").fetchall()
    if {kind for kind, _ in lanes} != set(LogKind) or any(rest for _, rest in lanes):
        raise CorruptionError("its counters do not match its rows")


def check_pages(db: sqlite3.Connection) -> None:
    """Check every page.

    Raises:
        CorruptionError: One is damaged.
    """
    [(verdict,), *_] = db.execute("PRAGMA integrity_check(1)").fetchall()
    if verdict != "ok":
        raise CorruptionError(verdict.splitlines()[-1])


def check_rows(db: sqlite3.Connection) -> None:
    """Compare undelivered plays, dead letters and intents with their checksums.

    Raises:
        CorruptionError: One is damaged.
    """
    for *row, name in db.execute(
        f"SELECT {COLUMNS}, coalesce((SELECT name FROM queue WHERE id = chunk.queue), '') FROM chunk"  # noqa: S608 - names of ours
        " WHERE queue > 0"
    ):
        records_of(ChunkRow(*row), name)
    for number, *facts, kept, body in db.execute(
        f"SELECT id, {dead_letters.LETTER_COLUMNS}, checksum, body FROM dead_letter"  # noqa: S608 - names of ours
    ):
        dead_letters.check(number, facts, kept, body)
    transitions.read_intents(db)


def check_counts(db: sqlite3.Connection) -> None:
    """Compare the counters with the plays.

    Raises:
        CorruptionError: Plays are missing.
    """
    waiting = _sums(db, "chunk.logs, chunk.size", "chunk JOIN queue ON queue.id = chunk.queue")
    partner = _sums(db, "chunk.logs, chunk.size", "chunk JOIN queue ON queue.id = chunk.queue AND name = ''")
    dead = _sums(db, "1, length(body), state = 'held'", "dead_letter")
    columns = "kind, waiting, stored_logs, stored_size, held, partner_logs, partner_size"
    for kind, *counted in db.execute(f"SELECT {columns} FROM lane"):  # noqa: S608 - names of ours
        (logs, size), (dead_logs, dead_size, held) = waiting.get(kind, (0, 0)), dead.get(kind, (0, 0, 0))
        if counted != [logs, logs + dead_logs, size + dead_size, held, *partner.get(kind, (0, 0))]:
            raise CorruptionError("some plays are missing")
    lost = db.execute(
        "SELECT 1 FROM chunk WHERE queue > 0 AND queue NOT IN (SELECT id FROM queue) UNION ALL"
        " SELECT 1 FROM queue WHERE name <> '' AND (logs, size) <>"
        " (SELECT sum(logs), sum(size) FROM chunk WHERE chunk.queue = queue.id) LIMIT 1"
    ).fetchone()
    if lost is not None:
        raise CorruptionError("its queues do not match its chunks")


def _sums(db: sqlite3.Connection, values: str, tables: str) -> dict[str, tuple[int, ...]]:
    """Add up values by kind."""
    sums = ", ".join(f"sum({value})" for value in values.split(", "))
    return {kind: tuple(numbers) for kind, *numbers in db.execute(f"SELECT kind, {sums} FROM {tables} GROUP BY kind")}  # noqa: S608 - words of ours
