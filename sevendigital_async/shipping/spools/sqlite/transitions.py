"""Transitions of leased plays: to delivered, waiting, buried or held, and what a crash makes of a lease.

Each transition is a job of the writer thread: a function of a connection, within one transaction.
"""

from __future__ import annotations

import sqlite3
from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import datetime
from functools import cached_property
from typing import Any

import orjson
from attrs import evolve, field, frozen

from .... import failpoints
from ....models import LogKind
from ...records import PARTNER_QUEUE, DeadLetter, InDoubtPolicy, Receipt, Record, SequenceRuns, size_of
from ...rules import LaneRules
from ..inspector import DeadLetterState, JournalOutcome
from ..lease_state import AbandonedRecords
from . import dead_letters, journal
from .chunk_table import (
    QueueRecords,
    change_counters,
    checksum,
    mark_delivered,
    mark_in_doubt,
    read_between,
    remove_records,
)
from .errors import CorruptionError
from .index import DueTimes, RecoveredLane, RecoveredSpool
from .journal import JournalRow
from .statements import LeaseEnd, due_times, end_lease, next_sequence

COLUMNS = "lease, queue, request_id, leased, sending, suspect"


@frozen
class Intent:
    """A row of table ``intent``.

    Attributes:
        lease: Its number.
        queue: Id of the queue.
        request_id: Id of the request.
        leased: Sequence numbers of the leased plays, as JSON runs.
        sending: Sequence numbers of the plays in the request.
        suspect: The lease was refused and may have been saved in part.
    """

    lease: int
    queue: int
    request_id: str
    leased: str
    sending: str
    suspect: int

    @property
    def values(self) -> tuple[Any, ...]:
        """The values of the columns, with the checksum."""
        facts = (self.lease, self.queue, self.request_id, self.leased, self.sending, self.suspect)
        return *facts, checksum(b"", *facts)


def write_intents(db: sqlite3.Connection, intents: Sequence[Intent]) -> None:
    """Store intents, each in place of the previous intent of its lease."""
    places = ", ".join(["(?, ?, ?, ?, ?, ?, ?)"] * len(intents))
    db.execute(
        f"INSERT OR REPLACE INTO intent VALUES {places}",  # noqa: S608 - places only
        [value for intent in intents for value in intent.values],
    )


def delete_intents(db: sqlite3.Connection, leases: Sequence[int]) -> None:
    """Delete the intents of leases."""
    db.execute("DELETE FROM intent WHERE lease IN (SELECT value FROM json_each(?))", (numbers_as_json(leases),))


def narrow_intent(db: sqlite3.Connection, lease: int, sending: SequenceRuns) -> None:
    """Reduce the intent of a lease to the plays whose outcome is still unknown."""
    for intent in read_intents(db, "WHERE lease = ?", (lease,)):
        write_intents(db, [evolve(intent, sending=numbers_as_json(sending))])


def numbers_as_json(numbers: SequenceRuns | Sequence[int]) -> str:
    """Return numbers, or runs of them, as JSON."""
    return orjson.dumps(numbers).decode()


def read_intents(db: sqlite3.Connection, condition: str = "", values: tuple[int, ...] = ()) -> list[Intent]:
    """Read intents: those of requests whose outcome is not known.

    Raises:
        CorruptionError: One is damaged.
    """
    found = db.execute(f"SELECT {COLUMNS}, checksum FROM intent {condition}", values).fetchall()  # noqa: S608 - words of ours
    for *facts, kept in found:
        if checksum(b"", *facts) != kept:
            raise CorruptionError(f"the intent of request {facts[2]} is damaged")
    return [Intent(*facts) for *facts, _ in found]


@frozen
class LeaseBatch:
    """Plays of one lease that make the same transition, and what is left of the lease after it.

    Attributes:
        kind: Kind of the plays.
        rules: Rules of the lane.
        lease: Its number.
        queue: Id of the queue.
        name: Name of the queue.
        records: The plays.
        request_id: Id of the request they were sent in.
        sending: Plays whose outcome is still unknown after this.
        suspect: The lease was refused and may have been saved in part.
        end: Set for the last transition of the lease.
    """

    kind: LogKind
    rules: LaneRules
    lease: int
    queue: int
    name: str
    records: Sequence[Record] = field(repr=False)
    request_id: str
    sending: SequenceRuns
    suspect: bool
    end: LeaseEnd | None

    @cached_property
    def size(self) -> int:
        """Bytes of the plays."""
        return size_of(self.records)

    @property
    def part(self) -> QueueRecords:
        """The plays in their queue."""
        return QueueRecords(self.queue, self.name, self.records)

    @property
    def ends_intent(self) -> bool:
        """Whether no play that is left in the lease may have been sent.

        Plays of a suspect batch that were never sent again may have been saved, too: a crash must not forget them.
        """
        return self.end is not None or not (self.sending or self.suspect)

    @property
    def can_be_deferred(self) -> bool:
        """Whether the delivery of the plays changes nothing that a later job of the same transaction reads."""
        return self.name == PARTNER_QUEUE and self.ends_intent


@frozen
class BatchReceipt:
    """Plays that the service has accepted, with the receipt."""

    batch: LeaseBatch
    receipt: Receipt


def release(db: sqlite3.Connection, batch: LeaseBatch) -> DueTimes | None:
    """The plays did not arrive, and wait again."""
    return _finish(db, batch)


def bury(db: sqlite3.Connection, batch: LeaseBatch, letters: Sequence[tuple[Record, DeadLetter]]) -> DueTimes | None:
    """The plays are refused for good: they become dead letters."""
    remove_records(db, batch.part)
    _count_out(db, [batch], "buried")
    dead_letters.write(db, batch.kind, batch.name, DeadLetterState.BURIED, letters)
    return _finish(db, batch)


def release_in_doubt(db: sqlite3.Connection, batch: LeaseBatch, at: datetime) -> DueTimes | None:
    """The plays may have arrived, and are sent again."""
    keep_in_doubt(db, batch, at)
    return _finish(db, batch)


def keep_in_doubt(db: sqlite3.Connection, batch: LeaseBatch, at: datetime) -> None:
    """The plays may have arrived, and stay in the lease."""
    _journal_in_doubt(db, batch, at)
    newly = mark_in_doubt(db, batch.queue, batch.name, batch.records)
    change_counters(db, batch.kind, in_doubt=newly)


def hold(db: sqlite3.Connection, batch: LeaseBatch, at: datetime) -> DueTimes | None:
    """The plays may have arrived: they become dead letters."""
    records = batch.records
    _journal_in_doubt(db, batch, at)
    remove_records(db, batch.part)
    _count_out(db, [batch], "held")
    change_counters(db, batch.kind, in_doubt=sum([not record.in_doubt for record in records]))
    reason = f"the response to request {batch.request_id} was lost; check whether the service has this play"
    letters = [(record, DeadLetter(batch.kind, record.body, reason, None, at, in_doubt=True)) for record in records]
    dead_letters.write(db, batch.kind, batch.name, DeadLetterState.HELD, letters)
    return _finish(db, batch)


def deliver(db: sqlite3.Connection, batch: LeaseBatch, receipt: Receipt) -> DueTimes | None:
    """The service has accepted the plays."""
    _record_deliveries(db, [BatchReceipt(batch, receipt)])
    return _finish(db, batch)


def deliver_all(db: sqlite3.Connection, deliveries: Sequence[BatchReceipt]) -> None:
    """Deliver the batches of a transaction whose delivery was deferred (see ``LeaseBatch.can_be_deferred``)."""
    _record_deliveries(db, deliveries)
    delete_intents(db, [delivery.batch.lease for delivery in deliveries])


def _finish(db: sqlite3.Connection, batch: LeaseBatch) -> DueTimes | None:
    if batch.ends_intent:
        delete_intents(db, [batch.lease])
    else:
        narrow_intent(db, batch.lease, batch.sending)
    if batch.end is not None and batch.name:
        end_lease(db, batch.queue, batch.rules, batch.end)
    return due_times(db, batch.kind) if batch.name else None


def _journal_in_doubt(db: sqlite3.Connection, batch: LeaseBatch, at: datetime) -> None:
    receipt = Receipt(batch.request_id, at)
    journal.write(db, [JournalRow(batch.kind, batch.name, JournalOutcome.IN_DOUBT, receipt, batch.records)])


def _record_deliveries(db: sqlite3.Connection, deliveries: Sequence[BatchReceipt]) -> None:
    batches = [delivery.batch for delivery in deliveries]
    checksums = mark_delivered(db, [batch.part for batch in batches])
    for batch in batches:
        if batch.part.first not in checksums:
            remove_records(db, batch.part)
    journal.write(db, [_journal_row(delivery.batch, delivery.receipt, checksums) for delivery in deliveries])
    _count_out(db, batches, "delivered")


def _journal_row(batch: LeaseBatch, receipt: Receipt, checksums: Mapping[int, int]) -> JournalRow:
    first = batch.part.first
    chunk = (first, checksums[first]) if first in checksums else None
    return JournalRow(batch.kind, batch.name, JournalOutcome.DELIVERED, receipt, batch.records, chunk)


def _count_out(db: sqlite3.Connection, batches: Sequence[LeaseBatch], state: str) -> None:
    """Count plays as no longer waiting, but in another state."""
    changes: dict[LogKind, Counter[str]] = {}
    for batch in batches:
        logs, size = len(batch.records), batch.size
        changed = {"waiting": -logs, state: logs}
        if state == "delivered":  # delivered plays take no space
            changed |= {"stored_logs": -logs, "stored_size": -size}
        if batch.name == PARTNER_QUEUE:
            changed |= {"partner_logs": -logs, "partner_size": -size}
        else:
            db.execute("UPDATE queue SET logs = logs - ?, size = size - ? WHERE id = ?", (logs, size, batch.queue))
        changes.setdefault(batch.kind, Counter()).update(changed)
    for kind, sums in changes.items():
        change_counters(db, kind, **sums)


@frozen
class Recovery:
    """What a crash makes of leases: plays that were being sent are in doubt, all others wait again.

    Attributes:
        rules: By kind.
        policy: For plays that were being sent.
        now: By the wall clock.
    """

    rules: Mapping[LogKind, LaneRules]
    policy: InDoubtPolicy
    now: datetime

    def __call__(self, db: sqlite3.Connection) -> RecoveredSpool:
        """Recover a file, in a transaction of the writer thread."""
        recovered: Counter[LogKind] = Counter()
        for intent in read_intents(db):
            recovered += self._recover_lease(db, intent)
        for kind in LogKind:
            for delayed in (0, 1):  # one range of the index each, however many queues there are
                db.execute(
                    "UPDATE queue SET due = 0, delayed = 0, oldest ="
                    " (SELECT accepted_at FROM chunk WHERE queue = queue.id ORDER BY first LIMIT 1)"
                    " WHERE kind = ? AND delayed = ? AND due IS NULL AND name <> ''",
                    (kind.value, delayed),
                )
        clock, put_at = db.execute(
            "SELECT clock, put_at FROM progress LEFT JOIN (SELECT * FROM chunk ORDER BY first DESC LIMIT 1)"
        ).fetchone()
        lanes = {kind: _recovered_lane(db, kind) for kind in LogKind}
        return RecoveredSpool(max(clock, put_at or 0.0), next_sequence(db), lanes, recovered)

    def _recover_lease(self, db: sqlite3.Connection, intent: Intent) -> Counter[LogKind]:
        failpoints.hit("before take-over")
        kind_name, name = db.execute("SELECT kind, name FROM queue WHERE id = ?", (intent.queue,)).fetchone()
        kind = LogKind(kind_name)
        leased, sent = _sequences(intent.leased), _sequences(intent.sending)
        records = read_between(db, intent.queue, name, min(leased), max(leased))
        abandoned = AbandonedRecords.of(
            [record for record in records if record.sequence in leased],
            [record for record in records if record.sequence in sent],
            suspect=bool(intent.suspect),
        )
        end = LeaseEnd(at=0.0, attempt=0, delay=0.0, has_released=True)
        rest = LeaseBatch(
            kind,
            self.rules[kind],
            intent.lease,
            intent.queue,
            name,
            [],
            intent.request_id,
            sending=[],
            suspect=False,
            end=end,
        )
        if abandoned.suspect:
            keep_in_doubt(db, evolve(rest, records=abandoned.suspect, end=None), self.now)
        if abandoned.in_doubt:
            apply = hold if self.policy is InDoubtPolicy.HOLD else release_in_doubt
            apply(db, evolve(rest, records=abandoned.in_doubt, end=None), self.now)
        release(db, rest)
        failpoints.hit("after take-over")
        return Counter({kind: len(abandoned.in_doubt)})


def _recovered_lane(db: sqlite3.Connection, kind: LogKind) -> RecoveredLane:
    cursor = db.execute("SELECT * FROM lane WHERE kind = ?", (kind.value,))
    counts = dict(zip([column[0] for column in cursor.description], cursor.fetchone(), strict=True))
    (queue,) = db.execute("SELECT id FROM queue WHERE kind = ? AND name = ''", (kind.value,)).fetchone()
    return RecoveredLane(counts, queue, due_times(db, kind))


def _sequences(runs: str) -> set[int]:
    return {number for first, count in orjson.loads(runs) for number in range(first, first + count)}
