"""What becomes of plays that were handed out: every step of a batch, as one transaction of the file."""

from __future__ import annotations

import sqlite3
from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import datetime
from functools import cached_property
from typing import Any

import orjson
from attrs import evolve, field, frozen

from ....models import LogKind
from ...records import PARTNER_QUEUE, DeadLetter, Receipt, Record, size_of
from ...rules import LaneRules
from ..inspector import DeadLetterState, JournalOutcome
from . import dead_letters, journal
from .chunks import CorruptionError, Part, Runs, checksum, file_away, mark, remove
from .journal import Entry
from .statements import DeferredWrite, Due, Return, come_back, count, due_of

COLUMNS = "lease, queue, request_id, leased, sending, suspect"


@frozen
class Intent:
    """A row of table ``intent``.

    Attributes:
        lease: Its number.
        queue: Id of the queue.
        request_id: Of the request.
        leased: Numbers of the plays that were handed out, as JSON runs.
        sending: Numbers of those that are on their way.
        suspect: The lease was refused and may have been saved in part.
    """

    lease: int
    queue: int
    request_id: str
    leased: str
    sending: str
    suspect: int

    @property
    def row(self) -> tuple[Any, ...]:
        """What stands in the table."""
        facts = (self.lease, self.queue, self.request_id, self.leased, self.sending, self.suspect)
        return *facts, checksum(b"", *facts)


def write(db: sqlite3.Connection, intents: Sequence[Intent]) -> None:
    """Note them, each in place of what was noted for the same lease before."""
    places = ", ".join(["(?, ?, ?, ?, ?, ?, ?)"] * len(intents))
    db.execute(
        f"INSERT OR REPLACE INTO intent VALUES {places}",  # noqa: S608 - places only
        [value for intent in intents for value in intent.row],
    )


def forget(db: sqlite3.Connection, leases: Sequence[int]) -> None:
    """Let go of what was noted for leases."""
    db.execute("DELETE FROM intent WHERE lease IN (SELECT value FROM json_each(?))", (as_text(leases),))


def narrow(db: sqlite3.Connection, lease: int, sending: Runs) -> None:
    """Note that of a request no more than these are on their way."""
    for intent in _found(db, "WHERE lease = ?", (lease,)):
        write(db, [evolve(intent, sending=as_text(sending))])


def left(db: sqlite3.Connection) -> list[Intent]:
    """Return all whose outcome is not known.

    Raises:
        CorruptionError: One is not as it was written.
    """
    return _found(db, "", ())


def as_text(numbers: Runs | Sequence[int]) -> str:
    """Write numbers, or runs of them, as JSON."""
    return orjson.dumps(numbers).decode()


def _found(db: sqlite3.Connection, condition: str, values: tuple[int, ...]) -> list[Intent]:
    found = db.execute(f"SELECT {COLUMNS}, checksum FROM intent {condition}", values).fetchall()  # noqa: S608 - words of ours
    for *facts, kept in found:
        if checksum(b"", *facts) != kept:
            raise CorruptionError(f"the note of request {facts[2]} is not as it was written")
    return [Intent(*facts) for *facts, _ in found]


@frozen
class Batch:
    """Plays of one lease that share a fate, and what is left of the lease after them.

    Attributes:
        kind: Of the plays.
        lease: Its number.
        queue: Id of the queue.
        name: Of the queue.
        records: The plays.
        request_id: Of the request they were sent in.
        sending: What is still on its way after this.
        suspect: The lease was refused and may have been saved in part.
        ends: Set when it is the last step of the lease.
    """

    kind: LogKind
    lease: int
    queue: int
    name: str
    records: Sequence[Record] = field(repr=False)
    request_id: str
    sending: Runs
    suspect: bool
    ends: Return | None

    @cached_property
    def size(self) -> int:
        """Bytes of the plays."""
        return size_of(self.records)

    @property
    def part(self) -> Part:
        """Where the plays are."""
        return Part(self.queue, self.name, self.records)

    @property
    def ends_intent(self) -> bool:
        """Whether nothing of what is left of the lease may have been sent.

        A part of a suspect batch that was never sent again may have been saved, too: a crash must not forget it.
        """
        return self.ends is not None or not (self.sending or self.suspect)


@frozen
class Delivery:
    """Plays that the service has accepted, and its word for it."""

    batch: Batch
    receipt: Receipt


class Transitions:
    """The steps. Each runs in a transaction of the writer's thread.

    Args:
        db: The connection.
        rules: Of the lane.
    """

    def __init__(self, db: sqlite3.Connection, rules: LaneRules) -> None:
        self._db = db
        self._rules = rules

    def deliver(self, batch: Batch, receipt: Receipt) -> Due | DeferredWrite[Delivery] | None:
        """The service has accepted the plays."""
        delivery = Delivery(batch, receipt)
        if batch.name == PARTNER_QUEUE and batch.ends_intent:
            return DeferredWrite(deliver_together, delivery)
        _write_down(self._db, [delivery])
        return self._close(batch)

    def release(self, batch: Batch) -> Due | None:
        """The plays surely did not arrive."""
        return self._close(batch)

    def bury(self, batch: Batch, letters: Sequence[tuple[Record, DeadLetter]]) -> Due | None:
        """The plays are set aside for good."""
        remove(self._db, batch.part)
        _count(self._db, [batch], "buried")
        dead_letters.write(self._db, batch.kind, batch.name, DeadLetterState.BURIED, letters)
        return self._close(batch)

    def doubt(self, batch: Batch, at: datetime) -> Due | None:
        """The plays may have arrived, and are sent again."""
        self._doubt(batch, at)
        return self._close(batch)

    def mark(self, batch: Batch, at: datetime) -> None:
        """The plays may have arrived, and stay in the lease."""
        self._doubt(batch, at)

    def hold(self, batch: Batch, at: datetime) -> Due | None:
        """The plays may have arrived, and wait for a person."""
        records = batch.records
        self._write_doubt(batch, at)
        remove(self._db, batch.part)
        _count(self._db, [batch], "held")
        count(self._db, batch.kind, in_doubt=sum([not record.in_doubt for record in records]))
        reason = f"the answer to request {batch.request_id} was lost; look whether the service has this play"
        letters = [(record, DeadLetter(batch.kind, record.body, reason, None, at, in_doubt=True)) for record in records]
        dead_letters.write(self._db, batch.kind, batch.name, DeadLetterState.HELD, letters)
        return self._close(batch)

    def _doubt(self, batch: Batch, at: datetime) -> None:
        self._write_doubt(batch, at)
        count(self._db, batch.kind, in_doubt=mark(self._db, batch.queue, batch.name, batch.records))

    def _write_doubt(self, batch: Batch, at: datetime) -> None:
        receipt = Receipt(batch.request_id, at)
        journal.write(self._db, [Entry(batch.kind, batch.name, JournalOutcome.IN_DOUBT, receipt, batch.records)])

    def _close(self, batch: Batch) -> Due | None:
        if batch.ends_intent:
            forget(self._db, [batch.lease])
        else:
            narrow(self._db, batch.lease, batch.sending)
        if batch.ends is not None and batch.name:
            come_back(self._db, batch.queue, self._rules, batch.ends)
        return due_of(self._db, batch.kind) if batch.name else None


def deliver_together(db: sqlite3.Connection, deliveries: Sequence[Delivery]) -> None:
    """What ``deliver`` does, for all plays of the partner's own queues that a transaction delivers."""
    _write_down(db, deliveries)
    forget(db, [delivery.batch.lease for delivery in deliveries])


def _write_down(db: sqlite3.Connection, deliveries: Sequence[Delivery]) -> None:
    batches = [delivery.batch for delivery in deliveries]
    filed = file_away(db, [batch.part for batch in batches])
    for batch in batches:
        if batch.part.first not in filed:
            remove(db, batch.part)
    journal.write(db, [_entry(delivery.batch, delivery.receipt, filed) for delivery in deliveries])
    _count(db, batches, "delivered")


def _entry(batch: Batch, receipt: Receipt, filed: Mapping[int, int]) -> Entry:
    first = batch.part.first
    parcel = (first, filed[first]) if first in filed else None
    return Entry(batch.kind, batch.name, JournalOutcome.DELIVERED, receipt, batch.records, parcel)


def _count(db: sqlite3.Connection, batches: Sequence[Batch], place: str) -> None:
    """Count plays as no longer waiting, but being at another place."""
    changes: dict[LogKind, Counter[str]] = {}
    for batch in batches:
        number, size = len(batch.records), batch.size
        changed = {"waiting": -number, place: number}
        if place == "delivered":  # they take no room any more
            changed |= {"kept": -number, "size": -size}
        if batch.name == PARTNER_QUEUE:
            changed |= {"shared": -number, "shared_size": -size}
        else:
            db.execute("UPDATE queue SET logs = logs - ?, size = size - ? WHERE id = ?", (number, size, batch.queue))
        changes.setdefault(batch.kind, Counter()).update(changed)
    for kind, sums in changes.items():
        count(db, kind, **sums)


def intent_of(batch: Batch, leased: Runs) -> Intent:
    """Describe what is about to be sent."""
    sending = as_text(batch.sending)
    return Intent(batch.lease, batch.queue, batch.request_id, as_text(leased), sending, int(batch.suspect))
