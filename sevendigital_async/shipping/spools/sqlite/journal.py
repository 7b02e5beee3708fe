"""The journal: a row for the plays of one request.

Delivered plays stay in their chunks at first, and are moved into the journal and compressed when there is time.
"""

from __future__ import annotations

import sqlite3
import struct
import zlib
from collections.abc import Sequence
from typing import Any

import orjson
from attrs import field, frozen

from .... import failpoints
from ....models import LogKind
from ...records import Receipt, Record
from ..chunk_codec import pack
from ..inspector import JournalOutcome
from .chunk_table import ChunkRow, checksum, is_intact_delivered

ROW_COLUMNS = ("kind", "queue", "outcome", "at", "request_id", "answer", "logs", "in_doubt")
"""Columns of what the plays of a row have in common."""

TABLES = "journal LEFT JOIN chunk ON chunk.first = journal.chunk"
COLUMNS = ", ".join(
    [f"journal.{name}" for name in ("id", *ROW_COLUMNS, "compressed", "chunk", "checksum", "body")]
    + [f"chunk.{name}" for name in ChunkRow._fields]
)
"""What ``read`` needs. The row and the plays must come from one statement: between two, they may be moved."""

COMPRESSED, DAMAGED = 1, 2
"""Values of ``compressed``."""

DAMAGE_ERRORS = (ValueError, TypeError, ArithmeticError, OSError, struct.error, zlib.error)
"""Errors of reading a damaged row."""

CHUNKS_PER_TRANSACTION = 10
"""Rows that are compressed in one transaction, so that other jobs do not wait long for it."""


@frozen
class JournalRow:
    """A row of table ``journal``: the outcome of one request.

    Attributes:
        kind: Kind of the plays.
        queue: Its name.
        outcome: What happened to the plays.
        receipt: When, and in which request.
        records: The plays.
        chunk: The chunk that the plays fill and stay in: its first number, and its checksum.
    """

    kind: LogKind
    queue: str
    outcome: JournalOutcome
    receipt: Receipt
    records: Sequence[Record] = field(repr=False)
    chunk: tuple[int, int] | None = None

    @property
    def values(self) -> tuple[Any, ...]:
        """The values of the columns, except ``compressed``."""
        in_doubt = [index for index, record in enumerate(self.records) if record.in_doubt]
        facts = (
            self.kind.value,
            self.queue,
            self.outcome.value,
            self.receipt.delivered_at.timestamp(),
            self.receipt.request_id,
            self.receipt.answer,
            len(self.records),
            orjson.dumps(in_doubt).decode(),
        )
        if self.chunk is not None:
            return *facts, self.chunk[0], checksum(b"", *facts, *self.chunk), b""
        body = pack(self.records)
        return *facts, None, checksum(body, *facts), body


def write(db: sqlite3.Connection, rows: Sequence[JournalRow]) -> None:
    """Append rows to the journal."""
    failpoints.hit("before journal")
    places = ", ".join(["(?, ?, ?, ?, ?, ?, ?, ?, 0, ?, ?, ?)"] * len(rows))
    db.execute(
        f"INSERT INTO journal ({', '.join(ROW_COLUMNS)}, compressed, chunk, checksum, body) VALUES {places}",  # noqa: S608 - names of ours
        [value for row in rows for value in row.values],
    )
    failpoints.hit("after journal")


def read(row: Sequence[Any]) -> tuple[tuple[Any, ...], bytes]:
    """Return the facts of a row, and its plays for :func:`~sevendigital_async.shipping.spools.chunk_codec.unpack`.

    Args:
        row: The columns ``COLUMNS`` of ``TABLES``.

    Raises:
        Exception: One of ``DAMAGE_ERRORS``: the row is damaged.
    """
    facts, (compressed, chunk, kept, body), stored = tuple(row[1:9]), row[9:13], ChunkRow._make(row[13:])
    if compressed == DAMAGED:
        raise ValueError("marked as damaged earlier")
    if compressed == COMPRESSED:
        body = zlib.decompress(body)
    if chunk is None:
        if checksum(body, *facts) != kept:
            raise ValueError("checksum mismatch")
        return facts, body
    if checksum(b"", *facts, chunk, stored.checksum) != kept or not is_intact_delivered(stored, facts[1]):
        raise ValueError("its chunk is missing or damaged")
    return facts, stored.body


def prune(db: sqlite3.Connection, before: float) -> bool:
    """Delete rows written before a time, in seconds since the epoch, and compress the rest, a portion of each.

    Returns:
        There is more to do.
    """
    old = "FROM journal WHERE id IN (SELECT id FROM journal ORDER BY id LIMIT ?) AND at < ?"
    db.execute(f"DELETE FROM chunk WHERE queue < 0 AND first IN (SELECT chunk {old})", (CHUNKS_PER_TRANSACTION, before))  # noqa: S608 - words of ours
    deleted = db.execute(f"DELETE {old}", (CHUNKS_PER_TRANSACTION, before)).rowcount
    plain = db.execute(
        "SELECT id FROM journal WHERE compressed = 0 ORDER BY id LIMIT ?", (CHUNKS_PER_TRANSACTION,)
    ).fetchall()
    for (number,) in plain:
        _compress(db, number)
    return deleted == CHUNKS_PER_TRANSACTION or len(plain) == CHUNKS_PER_TRANSACTION


def _compress(db: sqlite3.Connection, number: int) -> None:
    try:
        row = db.execute(f"SELECT {COLUMNS} FROM {TABLES} WHERE journal.id = ?", (number,)).fetchone()  # noqa: S608 - names of ours
        facts, piece = read(row)
    except (*DAMAGE_ERRORS, sqlite3.OperationalError) as error:
        if hasattr(error, "sqlite_errorcode"):
            raise
        # A damaged row, or one with text that is not UTF-8, is left as it is; reading it raises.
        db.execute("UPDATE journal SET compressed = ? WHERE id = ?", (DAMAGED, number))
        return
    db.execute(
        "UPDATE journal SET compressed = ?, chunk = NULL, checksum = ?, body = ? WHERE id = ?",
        (COMPRESSED, checksum(piece, *facts), zlib.compress(piece, 1), number),
    )
    if (chunk := row[10]) is not None:
        db.execute("DELETE FROM chunk WHERE first = ?", (chunk,))
