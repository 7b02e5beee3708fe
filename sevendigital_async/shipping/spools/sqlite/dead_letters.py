"""What a person decides about plays that were set aside: functions of a connection, each within one transaction."""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

import orjson
from attrs import frozen

from ....models import LogKind
from ...records import DeadLetter, Receipt, Record
from ...rules import LaneRules
from ..inspector import DeadLetterState, JournalOutcome
from . import journal
from .chunks import CorruptionError, Written, checksum
from .journal import Entry
from .statements import append, count, next_number

FACTS = "kind, queue, place, played_at, reason, code, at, in_doubt"
"""Columns that say what a play has beside its body."""


def write(
    db: sqlite3.Connection,
    kind: LogKind,
    queue: str,
    place: DeadLetterState,
    letters: Sequence[tuple[Record, DeadLetter]],
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
        CorruptionError: It is not as it was written.
    """
    if checksum(body, *facts) != kept:
        raise CorruptionError(f"play {number} of those set aside is not as it was written")


PORTION = 500
"""Plays moved in one transaction."""


@frozen
class _Taken:
    """Plays of one kind, taken from where they were set aside; by queue, and by queue and reason."""

    places: Sequence[str]
    queues: Mapping[str, Sequence[Record]]
    reasons: Mapping[tuple[str, str], Sequence[Record]]

    @property
    def held(self) -> int:
        return self.places.count(DeadLetterState.HELD.value)

    @property
    def size(self) -> int:
        return sum([len(record.body) for records in self.queues.values() for record in records])


def replay(db: sqlite3.Connection, ids: Sequence[int], rules: Mapping[LogKind, LaneRules], now: float) -> int:
    """Let plays wait again, each at the end of its queue; returns how many were there.

    Args:
        db: The connection.
        ids: Of the plays.
        rules: Of the lanes.
        now: Seconds since the epoch.
    """
    (clock,) = db.execute("SELECT clock FROM progress").fetchone()
    number = next_number(db)
    taken = _take(db, ids)
    for kind, plays in taken.items():
        for records in plays.queues.values():
            for record in records:
                record.sequence = number
                number += 1
        (shared,) = db.execute("SELECT id FROM queue WHERE kind = ? AND name = ''", (kind.value,)).fetchone()
        append(db, kind, plays.queues, shared=shared, rules=rules[kind], written=Written(clock, now))
        # They were counted as accepted, and given their room, when they came for the first time.
        moved = len(plays.places)
        count(db, kind, put=-moved, kept=-moved, size=-plays.size, held=-plays.held, buried=plays.held - moved)
    return sum(len(plays.places) for plays in taken.values())


def drop(db: sqlite3.Connection, ids: Sequence[int], now: float) -> int:
    """Let go of plays, and write that down with the reason for which they were set aside; returns how many were there.

    Args:
        db: The connection.
        ids: Of the plays.
        now: Seconds since the epoch.
    """
    taken = _take(db, ids)
    for kind, plays in taken.items():
        for (queue, reason), records in plays.reasons.items():
            receipt = Receipt("", datetime.fromtimestamp(now, UTC), reason)
            journal.write(db, [Entry(kind, queue, JournalOutcome.DISCARDED, receipt, records)])
        number = len(plays.places)
        count(db, kind, held=-plays.held, buried=plays.held, kept=-number, size=-plays.size)
    return sum(len(plays.places) for plays in taken.values())


def _take(db: sqlite3.Connection, ids: Sequence[int]) -> dict[LogKind, _Taken]:
    listed = orjson.dumps(list(ids)).decode()
    rows = db.execute(
        f"SELECT id, {FACTS}, checksum, body FROM set_aside"  # noqa: S608 - names of ours
        " WHERE id IN (SELECT value FROM json_each(?)) ORDER BY id",
        (listed,),
    ).fetchall()
    db.execute("DELETE FROM set_aside WHERE id IN (SELECT value FROM json_each(?))", (listed,))
    taken: dict[LogKind, tuple[list[str], dict[str, list[Record]], dict[tuple[str, str], list[Record]]]] = {}
    for number, *facts, kept, body in rows:
        check(number, facts, kept, body)
        kind, queue, place, played_at, reason, _, _, in_doubt = facts
        places, queues, reasons = taken.setdefault(LogKind(kind), ([], {}, {}))
        record = Record(body, queue, datetime.fromtimestamp(played_at, UTC), in_doubt=bool(in_doubt))
        places.append(place)
        queues.setdefault(queue, []).append(record)
        reasons.setdefault((queue, reason), []).append(record)
    return {kind: _Taken(*groups) for kind, groups in taken.items()}
