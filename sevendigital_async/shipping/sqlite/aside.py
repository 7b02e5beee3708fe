"""Plays that were set aside for a person: how they are written and how they are told from damaged ones."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from typing import Any

from ...models import LogKind
from ..archive import Place
from ..records import DeadLetter, Record
from .parcel import UnsoundError, checksum

FACTS = "kind, queue, place, played_at, reason, code, at, in_doubt"
"""Columns that say what a play has beside its body."""


def write(
    db: sqlite3.Connection, kind: LogKind, queue: str, place: Place, letters: Sequence[tuple[Record, DeadLetter]]
) -> None:
    """Put plays where only a person takes them from."""
    rows = []
    for record, letter in letters:
        facts = (
            kind.value,
            queue,
            place.value,
            record.played_at.timestamp(),
            letter.reason,
            letter.code,
            letter.buried_at.timestamp(),
            int(letter.in_doubt),
        )
        rows.append((*facts, checksum(record.body, *facts), record.body))
    db.executemany(
        f"INSERT INTO set_aside ({FACTS}, checksum, body) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",  # noqa: S608 - names of ours
        rows,
    )


def check(number: int, facts: Sequence[Any], kept: int, body: bytes) -> None:
    """Compare a row with its checksum.

    Raises:
        UnsoundError: It is not as it was written.
    """
    if checksum(body, *facts) != kept:
        raise UnsoundError(f"play {number} of those set aside is not as it was written")
