"""Settlement: moves every record of a batch to its next state, by the outcome of its request."""

from __future__ import annotations

import logging
import random
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import contextmanager

from attrs import define, field

from ..backoff import full_jitter
from ..clock import Clock, to_datetime
from ..failpoints import hit
from ..models import LogKind
from ..models.stream_log import MAX_PLAY_AGE, user_of
from .circuit_breaker import BACKOFF_BASE, BACKOFF_CAP, auth_backoff
from .events import DeadLettersBuried, EventSink, PlaysBuried, PlaysDelivered, PlaysInDoubt, PlaysRetried
from .outcome import OUTCOME_NAMES, Blocked, Delivered, Lost, Outcome, Refused, Unauthorised, Unavailable
from .records import PARTNER_QUEUE, DeadLetter, Delivery, InDoubtPolicy, LastRequest, Lease, Receipt, Record
from .rules import Atomicity, LaneRules
from .spools.base import SpoolReader

PostAgain = Callable[[Lease, Sequence[Record]], Awaitable[Outcome | None]]

logger = logging.getLogger("sevendigital_async.shipping")

WARNING_AGES = (0.8, 0.5)
"""Shares of the service's window at whose age undelivered plays are logged as a warning."""

EXPIRED = "expired"
"""The outcome of plays older than the service accepts; they are buried before a request is sent."""

NO_REQUEST = LastRequest("", "")


@define(eq=False)
class Settlement:
    """Settles the batches of one lane.

    ``post_again`` posts a part of a lease once more and returns None when the lane may not send now; ``count_outcomes``
    is called with the numbers of plays delivered and buried.

    Attributes:
        pending_hooks: Calls of hooks that have not returned yet, with the lowest sequence of their plays; closing waits
            for them.
    """

    kind: LogKind
    rules: LaneRules
    in_doubt: InDoubtPolicy
    _spool: SpoolReader
    _sink: EventSink
    _clock: Clock
    _rng: random.Random
    _post_again: PostAgain
    _count_outcomes: Callable[[int, int], None]
    pending_hooks: dict[object, int] = field(init=False, factory=dict)
    _warned_age: float = field(init=False, default=0.0)

    async def settle(self, lease: Lease, records: Sequence[Record], outcome: Outcome) -> None:
        """Settle ``records`` by the outcome of posting them."""
        if isinstance(outcome, Refused):
            lease.sending = ()  # a refusal is an outcome: the records are not in doubt because of it
            lease.suspect = lease.suspect or not self._is_atomic
        match outcome:
            case Delivered(request_id, answer):
                await self._ack(lease, records, Receipt(request_id, to_datetime(self._clock.time()), answer))
            case Refused():
                await self._isolate(lease, records, outcome)
            case Lost(reason, answered=answered):
                policy = self.in_doubt
                # A service that miscounts a batch may do so each time, and accept most of it again each time.
                if answered and policy is InDoubtPolicy.RESEND and any(record.in_doubt for record in records):
                    policy = InDoubtPolicy.HOLD
                    self._warn_of_holding(records, reason)
                await self.mark_in_doubt(lease, records, policy, delay=self._delay(lease))
            case Unavailable(reached=True, from_service=from_service) if not (from_service and self._is_atomic):
                # If the response is not the service's own, the service's response is lost, as with a broken connection.
                policy = InDoubtPolicy.RESEND if from_service else self.in_doubt
                await self.mark_in_doubt(lease, records, policy, delay=self._delay(lease))
            case Unavailable() | Blocked():
                await self._release(lease, records, delay=self._delay(lease))
            case Unauthorised() if lease.queue != PARTNER_QUEUE:
                await self._release(lease, records, delay=auth_backoff(lease.attempt))
            case _:
                await self._release(lease, records, count_attempt=False)
        if not isinstance(outcome, Delivered | Refused):
            self._warn_of_age(records)

    async def bury_expired(self, lease: Lease) -> Sequence[Record]:
        """Bury records older than the service accepts; returns the others."""
        oldest = to_datetime(self._clock.time()) - MAX_PLAY_AGE
        expired = [record for record in lease.records if record.played_at <= oldest]
        if not expired:
            return lease.records
        reason = f"expired: played more than {MAX_PLAY_AGE.days} days ago and not accepted until now"
        await self._bury(lease, [(record, reason, None) for record in expired], refused=False)
        return [record for record in lease.records if record.played_at > oldest]

    async def mark_in_doubt(
        self, lease: Lease, records: Sequence[Record], policy: InDoubtPolicy, *, delay: float = 0.0
    ) -> None:
        """Mark records as possibly delivered, and resend, hold or keep them."""
        certain = _count_certain(records)
        hit("before outcome")
        await self._spool.mark_in_doubt(lease, records, policy, delay=delay)
        hit("after outcome")
        self._emit_in_doubt(lease, certain, policy)
        if policy is InDoubtPolicy.RESEND:
            self._emit_retried(lease, len(records), delay, failed=True)

    async def abandon(self, lease: Lease) -> None:
        """Settle the remaining records of a lease whose worker ends."""
        certain = _count_certain(lease.records)
        await self._spool.abandon(lease, self.in_doubt)
        self._emit_in_doubt(lease, certain - _count_certain(lease.records), self.in_doubt)

    @property
    def _is_atomic(self) -> bool:
        """If a batch was not accepted, no part of it was."""
        return self.rules.atomicity is Atomicity.ALL_OR_NOTHING

    def _delay(self, lease: Lease) -> float:
        return full_jitter(lease.attempt + 1, base=BACKOFF_BASE, cap=BACKOFF_CAP, rng=self._rng)

    async def _ack(self, lease: Lease, records: Sequence[Record], receipt: Receipt) -> None:
        with self._pending_hook(records):
            hit("before outcome")
            await self._spool.ack(lease, records, receipt)
            hit("after outcome")
            in_doubt = len(records) - _count_certain(records)
            if self._sink.wants_deliveries and records:
                self._sink.emit(
                    PlaysDelivered(
                        kind=self.kind,
                        logs=len(records),
                        in_doubt=in_doubt,
                        request_id=receipt.request_id,
                        seconds=_last_request(lease).seconds,
                    )
                )
            self._count_outcomes(len(records), 0)
            if self._sink.has_subscriber(Delivery):
                logs = tuple(record.body for record in records)
                await self._sink.publish(Delivery(self.kind, user_of(lease.queue) or None, logs, in_doubt, receipt))

    async def _release(
        self, lease: Lease, records: Sequence[Record], *, delay: float = 0.0, count_attempt: bool = True
    ) -> None:
        hit("before outcome")
        await self._spool.release(lease, records, delay=delay, count_attempt=count_attempt)
        hit("after outcome")
        self._emit_retried(lease, len(records), delay, failed=count_attempt)

    async def _isolate(self, lease: Lease, records: Sequence[Record], refused: Refused) -> None:
        """Deliver the good logs of a refused batch, and bury only those that the service refuses by themselves.

        If the service names positions, and accepts the rest, the named logs are buried. Otherwise the batch is halved
        until each bad log is alone in its request.
        """
        if refused.items:
            named = [(record, refused.items[i]) for i, record in enumerate(records) if i in refused.items]
            rest = [record for i, record in enumerate(records) if i not in refused.items]
            outcome = await self._post_again(lease, rest) if rest else Delivered("")
            if not isinstance(outcome, Refused):
                await self._settle_part(lease, rest, outcome)
                if isinstance(outcome, Delivered):
                    await self._bury(lease, [(record, item.message, item.code) for record, item in named])
                else:
                    await self._release_refused(lease, [record for record, _ in named])
                return
        if len(records) == 1:
            await self._bury(lease, [(records[0], refused.reason, refused.code)])
            return
        pending = _split_in_halves(records)
        while pending:
            part = pending.pop()
            outcome = await self._post_again(lease, part)
            if isinstance(outcome, Refused):
                if len(part) == 1:
                    await self._bury(lease, [(part[0], _reason_for_one(outcome), outcome.code)])
                else:
                    pending.extend(_split_in_halves(part))
                continue
            await self._settle_part(lease, part, outcome)
            if not isinstance(outcome, Delivered):
                for left in pending:
                    await self._release_refused(lease, left)
                return

    async def _release_refused(self, lease: Lease, records: Sequence[Record]) -> None:
        """Release records that were refused as part of a batch, which may have been saved in part."""
        if lease.suspect:
            await self.mark_in_doubt(lease, records, InDoubtPolicy.KEEP)
        await self._release(lease, records, count_attempt=False)

    async def _settle_part(self, lease: Lease, records: Sequence[Record], outcome: Outcome | None) -> None:
        if outcome is None:
            await self._release_refused(lease, records)
        elif records:
            await self.settle(lease, records, outcome)

    async def _bury(
        self, lease: Lease, buried: Sequence[tuple[Record, str, int | None]], *, refused: bool = True
    ) -> None:
        now = to_datetime(self._clock.time())
        dead_letters = [
            (record, DeadLetter(self.kind, record.body, reason, code, now, record.in_doubt))
            for record, reason, code in buried
        ]
        with self._pending_hook([record for record, _ in dead_letters]):
            hit("before bury")
            await self._spool.bury(lease, dead_letters)
            hit("after bury")
            last = lease.last_request  # perhaps the one that delivered the rest of the batch
            outcome, request_id = (OUTCOME_NAMES[Refused], last.request_id) if last else (EXPIRED, "")
            self._sink.emit(PlaysBuried(kind=self.kind, logs=len(buried), outcome=outcome, request_id=request_id))
            await self._sink.publish(
                DeadLettersBuried([dead_letter for _, dead_letter in dead_letters], self._spool.forget_dead_letters)
            )
        if refused:
            self._count_outcomes(0, len(dead_letters))

    @contextmanager
    def _pending_hook(self, records: Sequence[Record]) -> Iterator[None]:
        hook = object()
        self.pending_hooks[hook] = min([record.sequence for record in records], default=0)
        try:
            yield
        finally:
            del self.pending_hooks[hook]

    def _emit_retried(self, lease: Lease, logs: int, wait: float, *, failed: bool) -> None:
        last = _last_request(lease)
        if logs:
            self._sink.emit(
                PlaysRetried(
                    kind=self.kind,
                    logs=logs,
                    outcome=last.outcome,
                    request_id=last.request_id,
                    wait=wait,
                    failed=failed,
                )
            )

    def _emit_in_doubt(self, lease: Lease, logs: int, policy: InDoubtPolicy) -> None:
        last = _last_request(lease)
        if logs:
            self._sink.emit(
                PlaysInDoubt(
                    kind=self.kind, logs=logs, outcome=last.outcome, request_id=last.request_id, policy=policy.value
                )
            )

    def _warn_of_holding(self, records: Sequence[Record], reason: str) -> None:
        logger.warning(
            "%s: %d plays were in doubt before and are held, not sent again: %s",
            self.kind.value,
            len(records),
            reason,
            extra={"event": "held", "kind": self.kind.value},
        )

    def _warn_of_age(self, records: Sequence[Record]) -> None:
        age = (to_datetime(self._clock.time()) - min(record.played_at for record in records)) / MAX_PLAY_AGE
        reached = next((share for share in WARNING_AGES if age >= share), 0.0)
        if reached > self._warned_age:
            logger.warning(
                "%s: the oldest plays are undelivered after %.0f of the %d days allowed",
                self.kind.value,
                age * MAX_PLAY_AGE.days,
                MAX_PLAY_AGE.days,
                extra={"event": "ageing", "kind": self.kind.value},
            )
        self._warned_age = reached


def _count_certain(records: Sequence[Record]) -> int:
    """Count the records that are not in doubt."""
    return sum([not record.in_doubt for record in records])


def _last_request(lease: Lease) -> LastRequest:
    return lease.last_request or NO_REQUEST


def _split_in_halves(records: Sequence[Record]) -> list[Sequence[Record]]:
    """Split in two, the first half last, for a stack."""
    middle = len(records) // 2
    return [records[middle:], records[:middle]]


def _reason_for_one(refused: Refused) -> str:
    """Prefer the message about the one log to the message about the batch."""
    item = refused.items.get(0)
    return item.message if item else refused.reason
