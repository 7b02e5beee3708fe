"""Leases: which batches are leased, and the transitions of their plays."""

from __future__ import annotations

import asyncio
import logging
import sqlite3
from collections import deque
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

from attrs import define

from ....clock import to_datetime
from ....errors import ShipperClosedError, SpoolError, SpoolUnavailableError
from ....models import LogKind
from ...records import PARTNER_QUEUE, DeadLetter, InDoubtPolicy, Lease, Receipt, Record, runs_of
from ...rules import LaneRules
from ..lease_state import LeaseState, settle_abandoned, without_records
from . import statements, transitions
from .chunk_table import read_from, records_below
from .index import DueTimes, PartnerQueue, SpoolIndex
from .statements import LeaseEnd
from .transitions import BatchReceipt, Intent, LeaseBatch, numbers_as_json
from .writer import RETRY_INTERVAL, DeferredWrite, SqliteWriter, Work, WriterJob

R = TypeVar("R")

logger = logging.getLogger("sevendigital_async.shipping")

READ_AHEAD = 4_000
"""Plays that are read back at once: one read for each batch would limit a lane to a few hundred batches a second."""

SIGNER_BATCHES = 16
"""Batches of signers that are read at once, for the same reason."""


@define(eq=False, kw_only=True)
class SqliteLeaseState(LeaseState):
    """The state of a lease, and what the file needs to know of it.

    Attributes:
        rules: Rules of the lane.
        id: Its id in the file.
        queue: Id of the queue.
        has_delivered: Some of its plays were delivered.
        request_id: Id of the last request.
        is_abandoned: The lane has ended; if the file can't be written, the lease is settled when it is reopened.
        step: The last change of the lease in the file, perhaps not durable yet.
    """

    rules: LaneRules
    id: int
    queue: int
    has_delivered: bool = False
    request_id: str = ""
    is_abandoned: bool = False
    step: asyncio.Future[Any] | None = None

    @property
    def attempt(self) -> int:
        """How often the queue will have failed in a row if the lease ends now."""
        return (0 if self.has_delivered else self.lease.attempt) + self.count_attempt

    async def wait_for_step(self) -> None:
        """Wait until the last step is durable, so that the next one continues from there."""
        while self.step is not None and not self.step.done():
            await asyncio.wait([self.step])

    def intent(self, records: Sequence[Record], request_id: str) -> Intent:
        """Describe for the file that plays of this lease are about to be sent."""
        leased, sending = [numbers_as_json(runs_of(part)) for part in (self.unsettled, records)]
        return Intent(self.id, self.queue, request_id, leased, sending, int(self.lease.suspect))

    def batch(self, records: Sequence[Record]) -> LeaseBatch:
        """Describe plays that stay in this lease for the file."""
        return self._batch(records, self.lease.sending, None)

    def leaving(self, now: float, records: Sequence[Record]) -> LeaseBatch:
        """Describe plays that leave this lease, ``now`` by the spool's clock, for the file."""
        left = without_records(self.unsettled, records)
        end = None if left else LeaseEnd(now, self.attempt, self.delay, bool(self.released))
        return self._batch(records, without_records(self.lease.sending, records), end)

    def _batch(self, records: Sequence[Record], sending: Sequence[Record], end: LeaseEnd | None) -> LeaseBatch:
        lease = self.lease
        return LeaseBatch(
            lease.kind,
            self.rules,
            self.id,
            self.queue,
            lease.queue,
            records,
            self.request_id,
            runs_of(sending),
            lease.suspect,
            end,
        )


def mark_in_doubt(records: Sequence[Record]) -> None:
    """Mark records as possibly delivered."""
    for record in records:
        record.in_doubt = True


class SqliteLeases:
    """Leases batches and settles them: this part of :class:`~sevendigital_async.shipping.spools.base.SpoolReader`.

    The spool, its subclass, sets the index and the writer when it opens the file.
    """

    _index: SpoolIndex
    _writer: SqliteWriter

    def __init__(self) -> None:
        self._leases: dict[Lease, SqliteLeaseState] = {}
        self._signer_batches: dict[LogKind, deque[statements.SignerBatch]] = {kind: deque() for kind in LogKind}
        self._last_id = 0

    async def lease(self, kind: LogKind, *, flush: bool) -> Lease | None:
        """Lease the next due batch."""
        index = self._index
        flush, now, partner_queue = flush or index.is_stuck, index.now, index.partner_queues[kind]
        partner, signer = index.next_due(kind, now, flush=flush)
        if taken := self._signer_batches[kind]:
            signer = min(taken[0].due, now)  # it was due when it was read
        if signer is not None and signer <= now and (partner is None or signer < partner):
            return self._next_signer_batch(kind) or await self._lease_from_file(
                self._signer_job(kind, now, flush=flush)
            )
        if partner is None or partner > now:
            return None
        returned = partner_queue.take_released(now)
        if returned is not None:
            return self._register(kind, PARTNER_QUEUE, partner_queue.id, returned.records, returned.attempt)
        fresh = partner_queue.take_cached(now)
        if fresh:
            return self._register(kind, PARTNER_QUEUE, partner_queue.id, fresh, 0)
        return await self._lease_from_file(self._fresh_job(kind, partner_queue, now))

    async def intent(self, lease: Lease, records: Sequence[Record], request_id: str) -> None:
        """Store that these plays are about to be sent; durable when it returns."""
        state = self._leases[lease]
        await state.wait_for_step()
        work = DeferredWrite(transitions.write_intents, state.intent(records, request_id))
        await self._step(state, work, lambda _: None)
        lease.sending, state.request_id = tuple(records), request_id

    async def ack(self, lease: Lease, records: Sequence[Record], receipt: Receipt) -> None:
        """The service has accepted these plays: move them from the backlog to the journal in one step."""
        state = self._leases[lease]
        await state.wait_for_step()
        state.has_delivered = True
        batch = state.leaving(self._index.now, records)
        work: Work[DueTimes | None] = (
            DeferredWrite(transitions.deliver_all, BatchReceipt(batch, receipt))
            if batch.can_be_deferred
            else lambda db: transitions.deliver(db, batch, receipt)
        )
        await self._settle(state, batch, work, {"delivered": len(records)})

    async def release(
        self, lease: Lease, records: Sequence[Record], *, delay: float = 0.0, count_attempt: bool = True
    ) -> None:
        state = self._leases[lease]
        await state.wait_for_step()
        state.release(records, delay, count_attempt=count_attempt)
        batch = state.leaving(self._index.now, records)
        await self._settle(state, batch, lambda db: transitions.release(db, batch), {"waiting": len(records)})

    async def bury(self, lease: Lease, dead_letters: Sequence[tuple[Record, DeadLetter]]) -> None:
        """Make plays dead letters; they take capacity until they are replayed or discarded."""
        state = self._leases[lease]
        await state.wait_for_step()
        batch = state.leaving(self._index.now, [record for record, _ in dead_letters])
        await self._settle(
            state, batch, lambda db: transitions.bury(db, batch, dead_letters), {"buried": len(dead_letters)}
        )

    async def mark_in_doubt(
        self, lease: Lease, records: Sequence[Record], policy: InDoubtPolicy, *, delay: float = 0.0
    ) -> None:
        """Mark plays as possibly delivered, in the journal first."""
        state = self._leases[lease]
        await state.wait_for_step()
        at = to_datetime(self._index.context.clock.time())
        changes = {"in_doubt": sum([not record.in_doubt for record in records])}
        if policy is InDoubtPolicy.KEEP:
            kept = state.batch(records)

            def on_durable(_: None) -> None:
                mark_in_doubt(records)
                self._index.change_counts(lease.kind, **changes)

            await self._step(state, lambda db: transitions.keep_in_doubt(db, kept, at), on_durable)
        elif policy is InDoubtPolicy.HOLD:
            batch = state.leaving(self._index.now, records)
            changes |= {"held": len(records)}
            await self._settle(state, batch, lambda db: transitions.hold(db, batch, at), changes)
        else:
            state.release(records, delay, count_attempt=True)
            batch = state.leaving(self._index.now, records)
            changes |= {"waiting": len(records)}
            await self._settle(state, batch, lambda db: transitions.release_in_doubt(db, batch, at), changes)

    async def abandon(self, lease: Lease, policy: InDoubtPolicy) -> None:
        """Settle the remaining records of a lease; when the spool is next opened, if the file can't be written now."""
        state = self._leases.get(lease)
        if state is None:
            return
        state.is_abandoned = True
        await state.wait_for_step()
        # A release may have been cancelled while the file could not be written: its plays have not been released.
        unsettled = set(state.unsettled)
        state.released = [record for record in state.released if record not in unsettled]
        try:
            await settle_abandoned(self, lease, state.unsettled, policy)
        except (SpoolError, ShipperClosedError) as error:
            logger.error("a batch could not be settled now; it is settled when the spool is opened again: %s", error)  # noqa: TRY400

    def _signer_job(self, kind: LogKind, now: float, *, flush: bool) -> WriterJob[Any, Lease | None]:
        rules, visible_before = self._index.context.rules[kind], self._index.visible_before

        def work(db: sqlite3.Connection) -> tuple[list[statements.SignerBatch], DueTimes]:
            taken = statements.take_signer_batches(
                db, kind, rules, now, flush=flush, before=visible_before, batches=SIGNER_BATCHES
            )
            return taken, statements.due_times(db, kind)

        def on_durable(result: tuple[list[statements.SignerBatch], DueTimes]) -> Lease | None:
            taken, self._index.due[kind] = result
            self._signer_batches[kind].extend(taken)
            return self._next_signer_batch(kind)

        return WriterJob(work, on_durable)

    def _fresh_job(self, kind: LogKind, partner_queue: PartnerQueue, now: float) -> WriterJob[Any, Lease | None]:
        cursor, visible_before = partner_queue.cursor, self._index.visible_before

        def on_durable(records: list[Record]) -> Lease | None:
            if cursor != partner_queue.cursor:
                return None  # another lease has taken these plays
            batch = partner_queue.take_from_file(records, now)
            return self._register(kind, PARTNER_QUEUE, partner_queue.id, batch, 0) if batch else None

        def work(db: sqlite3.Connection) -> list[Record]:
            return records_below(read_from(db, partner_queue.id, PARTNER_QUEUE, cursor, READ_AHEAD), visible_before)

        return WriterJob(work, on_durable)

    async def _lease_from_file(self, job: WriterJob[Any, Lease | None]) -> Lease | None:
        done = self._writer.submit(job)
        try:
            return await asyncio.shield(done)
        except SpoolUnavailableError as error:
            self._index.report(str(error))
            await self._index.context.clock.sleep(RETRY_INTERVAL)
            return None
        except asyncio.CancelledError:
            await asyncio.wait([done])
            if not done.exception() and (unseen := done.result()) is not None:
                await self.abandon(unseen, InDoubtPolicy.RESEND)
            raise

    def _next_signer_batch(self, kind: LogKind) -> Lease | None:
        if not self._signer_batches[kind]:
            return None
        taken = self._signer_batches[kind].popleft()
        return self._register(kind, taken.name, taken.queue, taken.records, taken.attempt)

    def _register(self, kind: LogKind, name: str, queue: int, records: Sequence[Record], attempt: int) -> Lease:
        self._last_id += 1
        lease = Lease(kind, name, tuple(records), attempt, key=self._last_id)
        self._leases[lease] = SqliteLeaseState(
            lease=lease,
            unsettled=lease.records,
            rules=self._index.context.rules[kind],
            id=self._last_id,
            queue=queue,
        )
        self._index.change_counts(kind, waiting=-len(records), in_flight=len(records))
        return lease

    async def _settle(
        self,
        state: SqliteLeaseState,
        batch: LeaseBatch,
        work: Work[DueTimes | None],
        changes: dict[str, int],
    ) -> None:
        """Make a transition: in the file, and once that is durable in the index, with the changes of its counts."""
        kind, records = batch.kind, batch.records

        def on_durable(due: DueTimes | None) -> None:
            if "in_doubt" in changes:
                mark_in_doubt(records)
            self._index.change_counts(kind, in_flight=-len(records), **changes)
            if due is not None:
                self._index.due[kind] = due
            if "delivered" in changes:
                self._index.capacity.free(len(records), batch.size)
            if "waiting" not in changes:
                self._index.update_watermarks(kind, records)
            if state.settle(records):
                self._end(state)

        await self._step(state, work, on_durable)

    async def _step(
        self,
        state: SqliteLeaseState,
        work: Work[R],
        on_durable: Callable[[R], None],
    ) -> None:
        """Change the file, trying again for as long as it can't be written; for an abandoned lease, try only once."""
        while True:
            state.step = self._writer.submit(WriterJob(work, on_durable))
            try:
                await asyncio.shield(state.step)
            except SpoolUnavailableError as error:
                self._index.report(str(error))
                if state.is_abandoned:
                    raise
                await self._index.context.clock.sleep(RETRY_INTERVAL)
            else:
                self._index.report(None)
                return

    def _end(self, state: SqliteLeaseState) -> None:
        lease = state.lease
        del self._leases[lease]
        if state.released and lease.queue == PARTNER_QUEUE:
            due = self._index.now + state.delay
            self._index.partner_queues[lease.kind].release(state.released_in_order, due, state.attempt)
        if self._index.capacity.is_wanted:
            self._index.context.wake_all()
        else:
            self._index.context.wake(lease.kind)
