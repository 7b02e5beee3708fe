"""After a crash: what the last owner was sending is in doubt, everything else waits again."""

from __future__ import annotations

import sqlite3
from collections import Counter
from collections.abc import Mapping
from datetime import datetime

import orjson
from attrs import frozen

from .... import failpoints
from ....models import LogKind
from ...records import InDoubtPolicy, Record
from ...rules import LaneRules
from ..base import AbandonedRecords
from . import transitions
from .chunks import records_between
from .statements import Due, Return, due_of, next_number
from .transitions import Batch, Intent, Transitions


@frozen
class LaneState:
    """What the file says of one kind when it is opened.

    Attributes:
        counts: The columns of its row in table ``lane``, by name.
        queue: Id of the partner's queue.
        due: When batches of signers are due.
    """

    counts: Mapping[str, int]
    queue: int
    due: Due


@frozen
class Opened:
    """What the file says when it is opened.

    Attributes:
        clock: Seconds on the spool's clock when it was last of importance.
        next: The number of the next play.
        lanes: By kind.
        recovered: Plays that were being sent when the last owner died, by kind.
    """

    clock: float
    next: int
    lanes: Mapping[LogKind, LaneState]
    recovered: Mapping[LogKind, int]


@frozen
class Recovery:
    """Settles what the last owner left.

    Attributes:
        rules: By kind.
        fate: Of plays that were being sent.
        now: By the wall clock.
    """

    rules: Mapping[LogKind, LaneRules]
    policy: InDoubtPolicy
    now: datetime

    def __call__(self, db: sqlite3.Connection) -> Opened:
        """Do it, in a transaction of the writer's thread."""
        recovered: Counter[LogKind] = Counter()
        for intent in transitions.left(db):
            recovered += self._settle(db, intent)
        for kind in LogKind:
            for resting in (0, 1):  # one index range each, however many queues there are
                db.execute(
                    "UPDATE queue SET due = 0, resting = 0, oldest ="
                    " (SELECT accepted_at FROM parcel WHERE queue = queue.id ORDER BY first LIMIT 1)"
                    " WHERE kind = ? AND resting = ? AND due IS NULL AND name <> ''",
                    (kind.value, resting),
                )
        clock, put_at = db.execute(
            "SELECT clock, put_at FROM progress LEFT JOIN (SELECT * FROM parcel ORDER BY first DESC LIMIT 1)"
        ).fetchone()
        lanes = {kind: _lane_state(db, kind) for kind in LogKind}
        return Opened(max(clock, put_at or 0.0), next_number(db), lanes, recovered)

    def _settle(self, db: sqlite3.Connection, intent: Intent) -> Counter[LogKind]:
        failpoints.hit("before take-over")
        kind_name, name = db.execute("SELECT kind, name FROM queue WHERE id = ?", (intent.queue,)).fetchone()
        kind = LogKind(kind_name)
        held = _numbers(intent.leased)
        sent = _numbers(intent.sending)
        records = records_between(db, intent.queue, name, min(held), max(held))
        abandoned = AbandonedRecords.of(
            [record for record in records if record.sequence in held],
            [record for record in records if record.sequence in sent],
            suspect=bool(intent.suspect),
        )
        settling = Transitions(db, self.rules[kind])

        def batch(records: list[Record], ends: Return | None) -> Batch:
            return Batch(
                kind, intent.lease, intent.queue, name, records, intent.request_id, [], suspect=False, ends=ends
            )

        if abandoned.suspect:
            settling.mark(batch(abandoned.suspect, None), self.now)
        if abandoned.in_doubt:
            policy = settling.hold if self.policy is InDoubtPolicy.HOLD else settling.doubt
            policy(batch(abandoned.in_doubt, None), self.now)
        settling.release(batch([], Return(at=0.0, attempt=0, delay=0.0, returned=True)))
        failpoints.hit("after take-over")
        return Counter({kind: len(abandoned.in_doubt)})


def _lane_state(db: sqlite3.Connection, kind: LogKind) -> LaneState:
    cursor = db.execute("SELECT * FROM lane WHERE kind = ?", (kind.value,))
    counts = dict(zip([column[0] for column in cursor.description], cursor.fetchone(), strict=True))
    (queue,) = db.execute("SELECT id FROM queue WHERE kind = ? AND name = ''", (kind.value,)).fetchone()
    return LaneState(counts, queue, due_of(db, kind))


def _numbers(runs: str) -> set[int]:
    return {number for first, count in orjson.loads(runs) for number in range(first, first + count)}
