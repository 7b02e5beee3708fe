"""The journal: a row for the plays of one request, compressed when there is time for it."""

from __future__ import annotations

import sqlite3
import zlib
from collections.abc import Sequence

import orjson

from ... import fault_points
from ...models import LogKind
from ..archive import JournalOutcome
from ..records import Receipt, Record
from .parcel import pack

PORTION = 10
"""Rows that are looked at in one go, so that nobody waits long behind it."""


def write(
    db: sqlite3.Connection,
    outcome: JournalOutcome,
    receipt: Receipt,
    records: Sequence[Record],
    *,
    kind: LogKind,
    queue: str,
) -> None:
    """Write down what became of the plays of one request."""
    fault_points.reached("before journal")
    doubted = [index for index, record in enumerate(records) if record.in_doubt]
    db.execute(
        "INSERT INTO journal (kind, queue, outcome, at, request_id, answer, logs, doubted, compressed, body)"
        " VALUES (?, ?, ?, ?, ?, ?, ?, ?, 0, ?)",
        (
            kind.value,
            queue,
            outcome.value,
            receipt.delivered_at.timestamp(),
            receipt.request_id,
            receipt.answer,
            len(records),
            orjson.dumps(doubted).decode(),
            _with_checksum(pack(records)),
        ),
    )
    fault_points.reached("after journal")


def body_of(body: bytes, compressed: int) -> bytes:
    """Return the plays of a row, for ``parcel.unpack``.

    Raises:
        zlib.error: They are not as they were written.
    """
    if compressed:
        return zlib.decompress(body)
    packed = body[:-4]
    if _with_checksum(packed) != body:
        raise zlib.error("checksum mismatch")
    return packed


def _with_checksum(packed: bytes) -> bytes:
    return packed + zlib.crc32(packed).to_bytes(4, "little")


def tidy(db: sqlite3.Connection, before: float) -> bool:
    """Forget what was written before a time, in seconds since the epoch, and compress the rest, a portion of each.

    Returns:
        There is more to do.
    """
    forgotten = db.execute(
        "DELETE FROM journal WHERE id IN (SELECT id FROM journal ORDER BY id LIMIT ?) AND at < ?", (PORTION, before)
    ).rowcount
    plain = db.execute("SELECT id, body FROM journal WHERE compressed = 0 ORDER BY id LIMIT ?", (PORTION,)).fetchall()
    for row, body in plain:
        db.execute(
            "UPDATE journal SET compressed = 1, body = ? WHERE id = ?", (zlib.compress(body_of(body, 0), 1), row)
        )
    return forgotten == PORTION or len(plain) == PORTION
