"""What becomes of plays that were handed out: every step of a batch, as one transaction of the file."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from datetime import datetime

from attrs import field, frozen

from ...models import LogKind
from ..archive import JournalOutcome, Place
from ..records import SHARED, DeadLetter, Receipt, Record
from ..rules import LaneRules
from . import aside, intents, journal
from .intents import Intent
from .parcel import Runs
from .shelf import mark, remove
from .statements import Due, Return, come_back, count, due_of


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


class Settling:
    """The steps. Each runs in a transaction of the writer's thread.

    Args:
        db: The connection.
        rules: Of the lane.
    """

    def __init__(self, db: sqlite3.Connection, rules: LaneRules) -> None:
        self._db = db
        self._rules = rules

    def deliver(self, batch: Batch, receipt: Receipt) -> Due | None:
        """The service has accepted the plays."""
        packed = self._remove(batch, leave=True, delivered=len(batch.records))
        outcome, records = JournalOutcome.DELIVERED, batch.records
        journal.write(self._db, outcome, receipt, records, kind=batch.kind, queue=batch.name, packed=packed)
        return self._close(batch)

    def release(self, batch: Batch) -> Due | None:
        """The plays surely did not arrive."""
        return self._close(batch)

    def bury(self, batch: Batch, letters: Sequence[tuple[Record, DeadLetter]]) -> Due | None:
        """The plays are set aside for good."""
        self._remove(batch, buried=len(letters))
        aside.write(self._db, batch.kind, batch.name, Place.BURIED, letters)
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
        self._remove(batch, held=len(records), in_doubt=sum([not record.in_doubt for record in records]))
        reason = f"the answer to request {batch.request_id} was lost; look whether the service has this play"
        letters = [(record, DeadLetter(batch.kind, record.body, reason, None, at, in_doubt=True)) for record in records]
        aside.write(self._db, batch.kind, batch.name, Place.HELD, letters)
        return self._close(batch)

    def _doubt(self, batch: Batch, at: datetime) -> None:
        self._write_doubt(batch, at)
        count(self._db, batch.kind, in_doubt=mark(self._db, batch.queue, batch.name, batch.records))

    def _write_doubt(self, batch: Batch, at: datetime) -> None:
        receipt = Receipt(batch.request_id, at)
        journal.write(self._db, JournalOutcome.IN_DOUBT, receipt, batch.records, kind=batch.kind, queue=batch.name)

    def _remove(self, batch: Batch, *, leave: bool = False, **changes: int) -> bytes | None:
        """Take the plays out of their queue and count them elsewhere; ``leave`` if they take no room any more."""
        number = len(batch.records)
        size, packed = remove(self._db, batch.queue, batch.name, batch.records)
        if leave:
            changes |= {"kept": -number, "size": -size}
        if batch.name == SHARED:
            changes |= {"shared": -number, "shared_size": -size}
        count(self._db, batch.kind, waiting=-number, **changes)
        return packed

    def _close(self, batch: Batch) -> Due | None:
        if batch.ends is None and (batch.sending or batch.suspect):
            # A part of a suspect batch that was never sent again may have been saved, too: a crash must not forget it.
            intents.narrow(self._db, batch.lease, batch.sending)
        else:
            self._db.execute("DELETE FROM intent WHERE lease = ?", (batch.lease,))
        if batch.ends is not None and batch.name:
            come_back(self._db, batch.queue, self._rules, batch.ends)
        return due_of(self._db, batch.kind) if batch.name else None


def write_intent(db: sqlite3.Connection, batch: Batch, leased: Runs) -> None:
    """Note what is about to be sent, in place of what was noted for the same lease before."""
    sending = intents.as_text(batch.sending)
    intents.write(
        db,
        Intent(batch.lease, batch.queue, batch.request_id, intents.as_text(leased), sending, int(batch.suspect)),
    )
