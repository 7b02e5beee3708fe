"""What a person decides about plays that were set aside: functions of a connection, each within one transaction."""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime

import orjson
from attrs import frozen

from ...models import LogKind
from ..archive import JournalOutcome, Place
from ..records import Receipt, Record
from ..rules import LaneRules
from . import aside, journal
from .journal import Entry
from .parcel import Written
from .statements import append, count, next_number

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
        return self.places.count(Place.HELD.value)

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
            journal.write(db, [Entry(kind, queue, JournalOutcome.DROPPED, receipt, records)])
        number = len(plays.places)
        count(db, kind, held=-plays.held, buried=plays.held, kept=-number, size=-plays.size)
    return sum(len(plays.places) for plays in taken.values())


def _take(db: sqlite3.Connection, ids: Sequence[int]) -> dict[LogKind, _Taken]:
    listed = orjson.dumps(list(ids)).decode()
    rows = db.execute(
        f"SELECT id, {aside.FACTS}, checksum, body FROM set_aside"  # noqa: S608 - names of ours
        " WHERE id IN (SELECT value FROM json_each(?)) ORDER BY id",
        (listed,),
    ).fetchall()
    db.execute("DELETE FROM set_aside WHERE id IN (SELECT value FROM json_each(?))", (listed,))
    taken: dict[LogKind, tuple[list[str], dict[str, list[Record]], dict[tuple[str, str], list[Record]]]] = {}
    for number, *facts, kept, body in rows:
        aside.check(number, facts, kept, body)
        kind, queue, place, played_at, reason, _, _, in_doubt = facts
        places, queues, reasons = taken.setdefault(LogKind(kind), ([], {}, {}))
        record = Record(body, queue, datetime.fromtimestamp(played_at, UTC), in_doubt=bool(in_doubt))
        places.append(place)
        queues.setdefault(queue, []).append(record)
        reasons.setdefault((queue, reason), []).append(record)
    return {kind: _Taken(*groups) for kind, groups in taken.items()}
