"""The journal: a row for the plays of one request.

What was delivered stays where it is at first, and is moved here and compressed when there is time for it.
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
from ..inspector import JournalOutcome
from .chunks import Row, checksum, is_sound_delivered, pack

FACTS = ("kind", "queue", "outcome", "at", "request_id", "answer", "logs", "doubted")
"""Columns that say what the plays of a row have in common."""

TABLES = "journal LEFT JOIN parcel ON parcel.first = journal.parcel"
COLUMNS = ", ".join(
    [f"journal.{name}" for name in ("id", *FACTS, "compressed", "parcel", "checksum", "body")]
    + [f"parcel.{name}" for name in Row._fields]
)
"""What ``read`` takes. The row and the plays must come from one statement: between two, they may be moved."""

COMPRESSED, DAMAGED = 1, 2
"""Values of ``compressed``."""

DAMAGE = (ValueError, TypeError, ArithmeticError, OSError, struct.error, zlib.error)
"""What comes of reading a row that is not as it was written."""

PORTION = 10
"""Rows that are looked at in one go, so that nobody waits long behind it."""


@frozen
class Entry:
    """What became of the plays of one request.

    Attributes:
        kind: Of the plays.
        queue: Its name.
        outcome: What.
        receipt: When, and in which request.
        records: The plays.
        parcel: Where they fill a parcel and stay in it: its number, and its checksum.
    """

    kind: LogKind
    queue: str
    outcome: JournalOutcome
    receipt: Receipt
    records: Sequence[Record] = field(repr=False)
    parcel: tuple[int, int] | None = None

    @property
    def row(self) -> tuple[Any, ...]:
        """What stands in the table, beside ``compressed``."""
        doubted = [index for index, record in enumerate(self.records) if record.in_doubt]
        facts = (
            self.kind.value,
            self.queue,
            self.outcome.value,
            self.receipt.delivered_at.timestamp(),
            self.receipt.request_id,
            self.receipt.answer,
            len(self.records),
            orjson.dumps(doubted).decode(),
        )
        if self.parcel is not None:
            return *facts, self.parcel[0], checksum(b"", *facts, *self.parcel), b""
        body = pack(self.records)
        return *facts, None, checksum(body, *facts), body


def write(db: sqlite3.Connection, entries: Sequence[Entry]) -> None:
    """Write it down."""
    failpoints.hit("before journal")
    places = ", ".join(["(?, ?, ?, ?, ?, ?, ?, ?, 0, ?, ?, ?)"] * len(entries))
    db.execute(
        f"INSERT INTO journal ({', '.join(FACTS)}, compressed, parcel, checksum, body) VALUES {places}",  # noqa: S608 - names of ours
        [value for entry in entries for value in entry.row],
    )
    failpoints.hit("after journal")


def read(row: Sequence[Any]) -> tuple[tuple[Any, ...], bytes]:
    """Return the facts of a row, and its plays for ``parcel.unpack``.

    Args:
        row: The columns ``COLUMNS`` of ``TABLES``.

    Raises:
        Exception: One of ``DAMAGE``: it is not as it was written.
    """
    facts, (compressed, parcel, kept, body), place = tuple(row[1:9]), row[9:13], Row._make(row[13:])
    if compressed == DAMAGED:
        raise ValueError("it was found damaged before")
    if compressed == COMPRESSED:
        body = zlib.decompress(body)
    if parcel is None:
        if checksum(body, *facts) != kept:
            raise ValueError("checksum mismatch")
        return facts, body
    if checksum(b"", *facts, parcel, place.checksum) != kept or not is_sound_delivered(place, facts[1]):
        raise ValueError("its parcel is missing or damaged")
    return facts, place.body


def tidy(db: sqlite3.Connection, before: float) -> bool:
    """Forget what was written before a time, in seconds since the epoch, and compress the rest, a portion of each.

    Returns:
        There is more to do.
    """
    old = "FROM journal WHERE id IN (SELECT id FROM journal ORDER BY id LIMIT ?) AND at < ?"
    db.execute(f"DELETE FROM parcel WHERE queue < 0 AND first IN (SELECT parcel {old})", (PORTION, before))  # noqa: S608 - words of ours
    forgotten = db.execute(f"DELETE {old}", (PORTION, before)).rowcount
    plain = db.execute("SELECT id FROM journal WHERE compressed = 0 ORDER BY id LIMIT ?", (PORTION,)).fetchall()
    for (number,) in plain:
        _compress(db, number)
    return forgotten == PORTION or len(plain) == PORTION


def _compress(db: sqlite3.Connection, number: int) -> None:
    try:
        row = db.execute(f"SELECT {COLUMNS} FROM {TABLES} WHERE journal.id = ?", (number,)).fetchone()  # noqa: S608 - names of ours
        facts, piece = read(row)
    except (*DAMAGE, sqlite3.OperationalError) as error:
        if hasattr(error, "sqlite_errorcode"):
            raise
        # What doesn't add up, or has a text that is none, stays as it is; who reads it is told.
        db.execute("UPDATE journal SET compressed = ? WHERE id = ?", (DAMAGED, number))
        return
    db.execute(
        "UPDATE journal SET compressed = ?, parcel = NULL, checksum = ?, body = ? WHERE id = ?",
        (COMPRESSED, checksum(piece, *facts), zlib.compress(piece, 1), number),
    )
    if (parcel := row[10]) is not None:
        db.execute("DELETE FROM parcel WHERE first = ?", (parcel,))
