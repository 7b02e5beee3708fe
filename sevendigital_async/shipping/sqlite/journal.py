"""The journal: a row for the plays of one request, compressed when there is time for it."""

from __future__ import annotations

import sqlite3
import zlib
from collections.abc import Sequence
from typing import Any

import orjson

from ... import fault_points
from ...models import LogKind
from ..archive import JournalOutcome
from ..records import Receipt, Record
from .parcel import checksum, pack

FACTS = "kind, queue, outcome, at, request_id, answer, logs, doubted"
"""Columns that say what the plays of a row have in common."""

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
    packed: bytes | None = None,
) -> None:
    """Write down what became of the plays of one request; ``packed`` are the plays, where they have been packed."""
    fault_points.reached("before journal")
    doubted = [index for index, record in enumerate(records) if record.in_doubt]
    facts = (
        kind.value,
        queue,
        outcome.value,
        receipt.delivered_at.timestamp(),
        receipt.request_id,
        receipt.answer,
        len(records),
        orjson.dumps(doubted).decode(),
    )
    body = pack(records) if packed is None else packed
    db.execute(
        f"INSERT INTO journal ({FACTS}, compressed, checksum, body) VALUES (?, ?, ?, ?, ?, ?, ?, ?, 0, ?, ?)",  # noqa: S608 - names of ours
        (*facts, checksum(body, *facts), body),
    )
    fault_points.reached("after journal")


def body_of(facts: Sequence[Any], compressed: int, kept: int, body: bytes) -> bytes:
    """Return the plays of a row, for ``parcel.unpack``.

    Args:
        facts: Its ``FACTS``.
        compressed: Whether its body is.
        kept: Its checksum.
        body: Its body.

    Raises:
        ValueError: The row is not as it was written.
        zlib.error: The same.
    """
    packed = zlib.decompress(body) if compressed else body
    if checksum(packed, *facts) != kept:
        raise ValueError("checksum mismatch")
    return packed


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
        db.execute("UPDATE journal SET compressed = 1, body = ? WHERE id = ?", (zlib.compress(body, 1), row))
    return forgotten == PORTION or len(plain) == PORTION
