"""The journal: a row for the plays of one request.

What was delivered stays where it is at first, and is moved here and compressed when there is time for it.
"""

from __future__ import annotations

import sqlite3
import zlib
from collections.abc import Sequence
from typing import Any

import orjson
from attrs import field, frozen

from ... import fault_points
from ...models import LogKind
from ..archive import JournalOutcome
from ..records import Receipt, Record
from .parcel import Row, checksum, is_sound_delivered, pack

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
        parcel: The number of the first, where they fill a parcel and stay in it.
    """

    kind: LogKind
    queue: str
    outcome: JournalOutcome
    receipt: Receipt
    records: Sequence[Record] = field(repr=False)
    parcel: int | None = None

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
        body = pack(self.records) if self.parcel is None else b""
        return *facts, self.parcel, _checksum(facts, self.parcel, body), body


def write(db: sqlite3.Connection, entries: Sequence[Entry]) -> None:
    """Write it down."""
    fault_points.reached("before journal")
    places = ", ".join(["(?, ?, ?, ?, ?, ?, ?, ?, 0, ?, ?, ?)"] * len(entries))
    db.execute(
        f"INSERT INTO journal ({', '.join(FACTS)}, compressed, parcel, checksum, body) VALUES {places}",  # noqa: S608 - names of ours
        [value for entry in entries for value in entry.row],
    )
    fault_points.reached("after journal")


def read(row: Sequence[Any]) -> tuple[tuple[Any, ...], bytes]:
    """Return the facts of a row, and its plays for ``parcel.unpack``.

    Args:
        row: The columns ``COLUMNS`` of ``TABLES``.

    Raises:
        ValueError: It is not as it was written.
        zlib.error: The same.
    """
    facts, (compressed, parcel, kept, body), place = tuple(row[1:9]), row[9:13], Row._make(row[13:])
    if compressed == COMPRESSED:
        body = zlib.decompress(body)
    if _checksum(facts, parcel, body) != kept:
        raise ValueError("checksum mismatch")
    if parcel is None:
        return facts, body
    if place.first != parcel or not is_sound_delivered(place, facts[1]):
        raise ValueError("its parcel is missing or damaged")
    return facts, place.body


def _checksum(facts: tuple[Any, ...], parcel: int | None, body: bytes) -> int:
    return checksum(body, *facts) if parcel is None else checksum(b"", *facts, parcel)


def tidy(db: sqlite3.Connection, before: float) -> bool:
    """Forget what was written before a time, in seconds since the epoch, and compress the rest, a portion of each.

    Returns:
        There is more to do.
    """
    old = "FROM journal WHERE id IN (SELECT id FROM journal ORDER BY id LIMIT ?) AND at < ?"
    db.execute(f"DELETE FROM parcel WHERE first IN (SELECT parcel {old})", (PORTION, before))  # noqa: S608 - words of ours
    forgotten = db.execute(f"DELETE {old}", (PORTION, before)).rowcount
    plain = db.execute(
        f"SELECT {COLUMNS} FROM {TABLES} WHERE compressed = 0 ORDER BY journal.id LIMIT ?",  # noqa: S608 - names of ours
        (PORTION,),
    ).fetchall()
    for row in plain:
        _compress(db, row)
    return forgotten == PORTION or len(plain) == PORTION


def _compress(db: sqlite3.Connection, row: Sequence[Any]) -> None:
    number, parcel = row[0], row[10]
    try:
        facts, piece = read(row)
    except (ValueError, zlib.error):
        # It stays as it is; who reads it is told.
        db.execute("UPDATE journal SET compressed = ? WHERE id = ?", (DAMAGED, number))
        return
    db.execute(
        "UPDATE journal SET compressed = ?, parcel = NULL, checksum = ?, body = ? WHERE id = ?",
        (COMPRESSED, _checksum(facts, None, piece), zlib.compress(piece, 1), number),
    )
    if parcel is not None:
        db.execute("DELETE FROM parcel WHERE first = ?", (parcel,))
