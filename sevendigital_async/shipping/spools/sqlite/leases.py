"""Leases: batches are handed out, and every step with them is written down."""

from __future__ import annotations

import asyncio
import logging
import sqlite3
from collections import deque
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Any, TypeVar

from attrs import define, evolve, field

from ....errors import SpoolError, SpoolUnavailableError
from ....models import LogKind
from ...records import PARTNER_QUEUE, DeadLetter, InDoubtPolicy, Lease, Receipt, Record
from ..base import settle_abandoned
from . import statements, transitions
from .chunks import numbered_before, read_on, runs_of
from .group_commit import PAUSE
from .index import READ_AHEAD, PartnerQueue, SpoolIndex
from .statements import DeferredWrite, Due, Return
from .transitions import Batch, Transitions, intent_of
from .writer import Job, Writer


@define(eq=False)
class LeaseState:
    """What is known of a lease.

    Attributes:
        lease: As the lane has it.
        number: Its name in the file.
        queue: Id of the queue.
        unsettled: Its plays without an end.
        returned: Those that come back once all have an end.
        delay: Seconds for which the queue will rest then.
        blame: It counts as a failure.
        delivered: Some of it was accepted.
        request_id: Of the last request.
        abandoned: Nobody works on it any more; if the file takes nothing, it is settled when the file is reopened.
        step: The last thing that was done to it, perhaps not durable yet.
    """

    lease: Lease
    number: int
    queue: int
    unsettled: tuple[Record, ...]
    returned: list[Record] = field(factory=list)
    delay: float = 0.0
    count_attempt: bool = False
    delivered: bool = False
    request_id: str = ""
    abandoned: bool = False
    step: asyncio.Future[Any] | None = None

    @property
    def attempt(self) -> int:
        """How often the queue will have failed in a row when this ends now."""
        return (0 if self.delivered else self.lease.attempt) + self.count_attempt

    async def idle(self) -> None:
        """Wait until the last step is durable, so that the next one begins where it has left off."""
        while self.step is not None and not self.step.done():
            await asyncio.wait([self.step])

    def batch(self, records: Sequence[Record], *, ends_at: float | None = None) -> Batch:
        """Describe plays of this lease for the file; with ``ends_at``, the spool's time, as those that find an end."""
        lease = self.lease
        if ends_at is None:
            return self._batch(records, lease.sending, None)
        left = without(self.unsettled, records)
        back = Return(ends_at, self.attempt, self.delay, bool(self.returned))
        return self._batch(records, without(lease.sending, records), None if left else back)

    def settled(self, records: Sequence[Record]) -> bool:
        """These plays have found their end; True if they were the last."""
        self.unsettled = without(self.unsettled, records)
        self.lease.sending = without(self.lease.sending, records)
        return not self.unsettled

    def _batch(self, records: Sequence[Record], sending: Sequence[Record], ends: Return | None) -> Batch:
        lease = self.lease
        return Batch(
            lease.kind,
            self.number,
            self.queue,
            lease.queue,
            records,
            self.request_id,
            runs_of(sending),
            lease.suspect,
            ends,
        )


def without(records: tuple[Record, ...], gone: Sequence[Record]) -> tuple[Record, ...]:
    """Return the records that are not among ``gone``, in order."""
    if len(gone) == len(records):
        return ()  # nearly always: who is gone was there
    if not records:
        return records
    settled = set(gone)
    return tuple(record for record in records if record not in settled)


R = TypeVar("R")

BATCHES = 16
"""Batches of signers that are taken at once: to wait for the file once a batch would make deliveries slow."""

logger = logging.getLogger("sevendigital_async.shipping")


class SqliteLeases:
    """Hands out batches and settles them; see :class:`~sevendigital_async.shipping.spools.base.Exit`.

    Args:
        stock: What is known of the file.
        writer: Its thread.
    """

    def __init__(self, stock: SpoolIndex, writer: Writer) -> None:
        self._index = stock
        self._writer = writer
        self._rules = stock.owner.rules
        self._clock = stock.owner.clock
        self._leases: dict[Lease, LeaseState] = {}
        self._taken: dict[LogKind, deque[statements.Taken]] = {kind: deque() for kind in LogKind}
        self._numbers = 0

    def has_taken(self, kind: LogKind) -> bool:
        """Whether a batch can be handed out without the file."""
        return bool(self._taken[kind])

    def oldest(self, kind: LogKind) -> float | None:
        """When the oldest play of the batches that have been taken was accepted, by the wall clock."""
        return min([batch.oldest for batch in self._taken[kind]], default=None)

    async def lease(self, kind: LogKind, *, flush: bool) -> Lease | None:
        """Hand out the next due batch."""
        stock = self._index
        flush, now, shared = flush or stock.is_stuck, stock.now, stock.shared[kind]
        partner, signer = shared.due(now, flush=flush), stock.due[kind].at(now, self._rules[kind], flush=flush)
        if taken := self._taken[kind]:
            signer = min(taken[0].since, now)  # it was due when it was taken
        if signer is not None and signer <= now and (partner is None or signer < partner):
            return self._next(kind) or await self._handed_out(self._signer_job(kind, now, flush=flush))
        if partner is None or partner > now:
            return None
        returned = shared.take_returned(now)
        if returned is not None:
            return self._hand_out(kind, PARTNER_QUEUE, shared.id, returned.records, returned.attempt)
        fresh = shared.take_at_hand(now)
        if fresh:
            return self._hand_out(kind, PARTNER_QUEUE, shared.id, fresh, 0)
        return await self._handed_out(self._fresh_job(kind, shared, now))

    async def intent(self, lease: Lease, records: Sequence[Record], request_id: str) -> None:
        """Note that these plays are about to be sent; durable when it returns."""
        away = self._leases[lease]
        await away.idle()
        batch = evolve(away.batch(records), sending=runs_of(records), request_id=request_id)
        leased = runs_of(away.unsettled)
        noted = DeferredWrite(transitions.write, intent_of(batch, leased))
        await self._step(away, lambda _: noted, lambda _: None)
        lease.sending, away.request_id = tuple(records), request_id

    async def ack(self, lease: Lease, records: Sequence[Record], receipt: Receipt) -> None:
        """The service has accepted these plays: out of the backlog and into the journal, in one step."""
        away = self._leases[lease]
        await away.idle()
        away.delivered = True
        moves = {"in_flight": -len(records), "delivered": len(records)}
        await self._settle(away, records, lambda file, batch: file.deliver(batch, receipt), moves, gone=True)

    async def release(
        self, lease: Lease, records: Sequence[Record], *, delay: float = 0.0, count_attempt: bool = True
    ) -> None:
        """Give plays back."""
        away = self._leases[lease]
        await away.idle()
        self._coming_back(away, records, delay, count_attempt=count_attempt)
        moves = {"in_flight": -len(records), "waiting": len(records)}
        await self._settle(away, records, Transitions.release, moves)

    async def bury(self, lease: Lease, letters: Sequence[tuple[Record, DeadLetter]]) -> None:
        """Set plays aside; they keep their room until a person has dropped or replayed them."""
        away = self._leases[lease]
        await away.idle()
        moves = {"in_flight": -len(letters), "buried": len(letters)}
        await self._settle(
            away, [record for record, _ in letters], lambda file, batch: file.bury(batch, letters), moves
        )

    async def doubt(
        self, lease: Lease, records: Sequence[Record], policy: InDoubtPolicy, *, delay: float = 0.0
    ) -> None:
        """Mark plays as possibly delivered, in the journal first."""
        away = self._leases[lease]
        await away.idle()
        at = datetime.fromtimestamp(self._clock.time(), UTC)
        moves = {"in_doubt": sum([not record.in_doubt for record in records])}
        if policy is InDoubtPolicy.KEEP:
            batch = away.batch(records)
            await self._step(
                away,
                lambda db: Transitions(db, self._rules[lease.kind]).mark(batch, at),
                lambda _: self._doubted(lease.kind, records, moves),
            )
            return
        moves |= {"in_flight": -len(records)}
        if policy is InDoubtPolicy.HOLD:
            moves |= {"held": len(records)}
            await self._settle(away, records, lambda file, batch: file.hold(batch, at), moves, doubted=True)
        else:
            self._coming_back(away, records, delay, count_attempt=True)
            moves |= {"waiting": len(records)}
            await self._settle(away, records, lambda file, batch: file.doubt(batch, at), moves, doubted=True)

    async def abandon(self, lease: Lease, policy: InDoubtPolicy) -> None:
        """Settle what is left of a lease, as if its lane had died; a file that takes nothing does it when reopened."""
        away = self._leases.get(lease)
        if away is None:
            return
        away.abandoned = True
        await away.idle()
        # Whoever gave plays back may have been cancelled while the file took nothing: those have not come back.
        unsettled = set(away.unsettled)
        away.returned = [record for record in away.returned if record not in unsettled]
        try:
            await settle_abandoned(self, lease, away.unsettled, policy)
        except SpoolError as error:
            logger.error("a batch is left as it is, to be settled when the spool is opened again: %s", error)  # noqa: TRY400

    def _signer_job(self, kind: LogKind, now: float, *, flush: bool) -> Job[Any, Lease | None]:
        rules, settled = self._rules[kind], self._index.settled

        def work(db: sqlite3.Connection) -> tuple[list[statements.Taken], Due]:
            taken = statements.take(db, kind, rules, now, flush=flush, before=settled, batches=BATCHES)
            return taken, statements.due_of(db, kind)

        def applied(result: tuple[list[statements.Taken], Due]) -> Lease | None:
            taken, self._index.due[kind] = result
            self._taken[kind].extend(taken)
            return self._next(kind)

        return Job(work, applied)

    def _fresh_job(self, kind: LogKind, shared: PartnerQueue, now: float) -> Job[Any, Lease | None]:
        cursor, settled = shared.cursor, self._index.settled

        def applied(records: list[Record]) -> Lease | None:
            if cursor != shared.cursor:
                return None  # somebody else was faster
            batch = shared.take_read(records, now)
            return self._hand_out(kind, PARTNER_QUEUE, shared.id, batch, 0) if batch else None

        def work(db: sqlite3.Connection) -> list[Record]:
            return numbered_before(read_on(db, shared.id, PARTNER_QUEUE, cursor, READ_AHEAD), settled)

        return Job(work, applied)

    async def _handed_out(self, job: Job[Any, Lease | None]) -> Lease | None:
        handed_out = self._writer.submit(job)
        try:
            return await asyncio.shield(handed_out)
        except SpoolUnavailableError as error:
            self._index.report(str(error))
            await self._clock.sleep(PAUSE)
            return None
        except asyncio.CancelledError:
            await asyncio.wait([handed_out])
            if not handed_out.exception() and (unseen := handed_out.result()) is not None:
                await self.abandon(unseen, InDoubtPolicy.RESEND)
            raise

    def _next(self, kind: LogKind) -> Lease | None:
        if not self._taken[kind]:
            return None
        taken = self._taken[kind].popleft()
        return self._hand_out(kind, taken.name, taken.queue, taken.records, taken.attempt)

    def _hand_out(self, kind: LogKind, name: str, queue: int, records: Sequence[Record], attempt: int) -> Lease:
        self._numbers += 1
        lease = Lease(kind, name, tuple(records), attempt, key=self._numbers)
        self._leases[lease] = LeaseState(lease, self._numbers, queue, lease.records)
        self._index.move(kind, waiting=-len(records), in_flight=len(records))
        return lease

    def _coming_back(self, away: LeaseState, records: Sequence[Record], delay: float, *, count_attempt: bool) -> None:
        away.returned.extend(records)
        away.delay = max(away.delay, delay)
        away.count_attempt |= count_attempt and bool(records)

    async def _settle(
        self,
        away: LeaseState,
        records: Sequence[Record],
        step: Callable[[Transitions, Batch], Due | DeferredWrite[Any] | None],
        moves: dict[str, int],
        *,
        gone: bool = False,
        doubted: bool = False,
    ) -> None:
        """Give plays their end: in the file, and once that is durable in what is known of it here."""
        kind = away.lease.kind
        batch = away.batch(records, ends_at=self._index.now)

        def applied(due: Due | None) -> None:
            if doubted:
                self._doubted(kind, records, moves)
            else:
                self._index.move(kind, **moves)
            if due is not None:
                self._index.due[kind] = due
            if gone:
                self._index.capacity.free(len(records), batch.size)
            if "waiting" not in moves:
                self._index.pass_marks(kind, records)
            if away.settled(records):
                self._come_back(away)

        await self._step(away, lambda db: step(Transitions(db, self._rules[kind]), batch), applied)

    async def _step(
        self,
        away: LeaseState,
        work: Callable[[sqlite3.Connection], R | DeferredWrite[Any]],
        applied: Callable[[R], None],
    ) -> None:
        """Get a step into the file, for as long as it takes; for an abandoned lease, only once."""
        while True:
            away.step = self._writer.submit(Job(work, applied))
            try:
                await asyncio.shield(away.step)
            except SpoolUnavailableError as error:
                self._index.report(str(error))
                if away.abandoned:
                    raise
                await self._clock.sleep(PAUSE)
            else:
                self._index.report(None)
                return

    def _doubted(self, kind: LogKind, records: Sequence[Record], moves: dict[str, int]) -> None:
        for record in records:
            record.in_doubt = True
        self._index.move(kind, **moves)

    def _come_back(self, away: LeaseState) -> None:
        lease = away.lease
        del self._leases[lease]
        if away.returned and lease.queue == PARTNER_QUEUE:
            away.returned.sort(key=lambda record: record.sequence)
            due = self._index.now + away.delay
            self._index.shared[lease.kind].give_back(away.returned, due, away.attempt)
        if self._index.capacity.is_wanted:
            self._index.wake_all()
        else:
            self._index.owner.wake(lease.kind)
