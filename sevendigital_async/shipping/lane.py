"""A lane: leases batches of one kind of play from the spool, posts them and settles them."""

from __future__ import annotations

import asyncio
import logging
import math
import random
import uuid
from collections.abc import Awaitable, Callable, Sequence
from contextlib import AsyncExitStack

from attrs import define, field

from ..clock import Clock, to_datetime
from ..config import UserToken
from ..errors import LeaseLostError, SevenDigitalError
from ..failpoints import hit
from ..models import LogKind
from ..models.stream_log import user_of
from .callbacks import CallbackError
from .circuit_breaker import Alert, AlertKind, CircuitBreaker
from .events import AlertRaised, EventSink, PermitAcquired, RequestFinished
from .flush import LaneFlush
from .log_transport import LogTransport, SendPermit
from .outcome import (
    OUTCOME_NAMES,
    Blocked,
    ClockSkewed,
    Delivered,
    Lost,
    Misdirected,
    Outcome,
    Refused,
    Throttled,
    Unauthorised,
    Unavailable,
    outcome_of,
)
from .records import PARTNER_QUEUE, InDoubtPolicy, LastRequest, Lease, Record
from .rules import Atomicity, LaneRules
from .settlement import Settlement
from .spools.base import SpoolReader
from .supervisor import Supervisor
from .tracing import INTERRUPTED_OUTCOME, BatchTracing

TokenSource = Callable[[str], Awaitable[UserToken | None]]

logger = logging.getLogger("sevendigital_async.shipping")

DEFAULT_THROTTLE_WAIT = 1.0
"""Seconds to wait after a 429 that names no time."""

REFUSED_USERS_TO_SUSPECT_PARTNER = 5
"""Consecutive refusals of different users after which the partner's key is suspected."""

FAILED_LOOKUPS_TO_ALERT = 100
"""Consecutive failed token lookups after which no more alerts are raised until one succeeds."""

MIN_LOGGED_PAUSE = 60.0
"""Seconds; a longer wait that the service asks for is logged."""

MAX_IDLE_TIME = 60.0
"""Seconds after which a lane asks the spool for work even if nothing woke it."""


@define(eq=False)
class Lane:
    """Sends the plays of one kind.

    Attributes:
        requests: Requests sent so far.
        largest_batch: Logs in the largest of them.
        flushing: Incomplete batches are sent, too.
        closing: Lease no more batches; leased ones are finished.
        leases: Batches leased now.
    """

    kind: LogKind
    rules: LaneRules
    in_doubt: InDoubtPolicy
    _spool: SpoolReader
    _sink: EventSink
    _tracing: BatchTracing
    _transport: LogTransport
    _token_lookup: TokenSource
    _clock: Clock
    _changed: Callable[[], None]
    _rng: random.Random
    requests: int = 0
    largest_batch: int = 0
    flushing: bool = False
    closing: bool = False
    leases: int = 0
    breaker: CircuitBreaker = field(init=False)
    _settlement: Settlement = field(init=False)
    _wake: asyncio.Event = field(init=False, factory=asyncio.Event)
    _lease_lock: asyncio.Lock = field(init=False, factory=asyncio.Lock)
    _refused_users: set[str] = field(init=False, factory=set)
    _failed_lookups: int = field(init=False, default=0)

    def __attrs_post_init__(self) -> None:
        """Create the circuit breaker and the settlement."""
        rules = self.rules
        self.breaker = CircuitBreaker(
            self._clock, self._rng, poison_share=rules.poison_share, poison_window=rules.poison_window
        )
        self._settlement = Settlement(
            self.kind,
            rules,
            self.in_doubt,
            self._spool,
            self._sink,
            self._clock,
            self._rng,
            self._post_again,
            self._count_outcomes,
        )

    def start(self, supervisor: Supervisor) -> None:
        """Start the workers."""
        for number in range(1, self.rules.concurrency + 1):
            supervisor.start(self._work(), f"{self.kind.value} worker {number}")

    def wake(self) -> None:
        """Ask the spool again: a batch may have become due."""
        self._wake.set()

    def begin_flush(self) -> LaneFlush:
        """Return a flush of the plays accepted by now."""
        return LaneFlush(self.kind, self._spool, self.breaker, self._settlement, self._clock)

    async def is_due(self) -> bool:
        """Whether plays are being sent, or could be: a batch is due, and the service has not asked to wait."""
        due_in = await self._spool.due_in(self.kind, flush=self.flushing)
        return self.leases > 0 or (due_in is not None and due_in <= 0 and self.breaker.pause_left <= 0)

    async def _work(self) -> None:
        while True:
            lease: Lease | None = None
            try:
                async with AsyncExitStack() as permits:
                    # One worker at a time leases a batch, and only when it may be sent, so that it is full.
                    async with self._lease_lock:
                        await self._wait_until_due()
                        permit = await self._acquire_permit(permits)
                        if permit is not None and not self.closing:
                            hit("before lease")
                            lease = await self._spool.lease(self.kind, flush=self.flushing)
                            hit("after lease")
                            self.leases += lease is not None
                    if permit is None or lease is None:
                        continue
                    records = await self._settlement.bury_expired(lease)
                    outcome = await self._post(permit, lease, records) if records else None
                if outcome is not None:
                    await self._settlement.settle(lease, records, outcome)
            except LeaseLostError as error:
                logger.warning("%s: %s", self.kind.value, error)
            except GeneratorExit:
                raise  # the loop is gone, and nothing can be awaited
            except BaseException:
                if lease is not None:
                    await asyncio.shield(self._settlement.abandon(lease))
                raise
            finally:
                self.leases -= lease is not None
                self._changed()

    async def _wait_until_due(self) -> None:
        while True:
            self._wake.clear()
            due_in = await self._spool.due_in(self.kind, flush=self.flushing)
            wait = math.inf if due_in is None or self.closing else max(due_in, self.breaker.wait)
            if wait <= 0:
                return
            await self._clock.wait(self._wake, min(wait, MAX_IDLE_TIME))

    async def _acquire_permit(self, permits: AsyncExitStack) -> SendPermit | None:
        asked_at = self._clock.monotonic()
        try:
            permit = await permits.enter_async_context(self._transport.permit(self.kind))
        except SevenDigitalError as error:
            # The quota is spent, or the client is closed. Nothing has been leased.
            self._apply(outcome_of(error, 0), PARTNER_QUEUE)
            return None
        self._sink.emit(PermitAcquired(kind=self.kind, seconds=self._clock.monotonic() - asked_at))
        # While this worker waited, another one may have had a request refused.
        return permit if self.breaker.wait <= 0 else None

    async def _post(self, permit: SendPermit, lease: Lease, records: Sequence[Record]) -> Outcome:
        self.breaker.record_sending()
        try:
            outcome = await self._exchange(permit, lease, records)
            self._apply(outcome, user_of(lease.queue))
        finally:
            self.breaker.record_end()
            self.wake()
        return outcome

    async def _exchange(self, permit: SendPermit, lease: Lease, records: Sequence[Record]) -> Outcome:
        user = None
        if lease.queue != PARTNER_QUEUE:
            try:
                user = await self._token_lookup(user_of(lease.queue))
            except CallbackError as error:
                lease.last_request = LastRequest("", OUTCOME_NAMES[Unauthorised])
                return Unauthorised(f"user_tokens {error}", sent=False)
            self._failed_lookups = 0
        request_id = uuid.uuid4().hex
        hit("before intent")
        await self._spool.intent(lease, records, request_id)
        hit("after intent")
        self.requests += 1
        self.largest_batch = max(self.largest_batch, len(records))
        lease.last_request = LastRequest(request_id, INTERRUPTED_OUTCOME)
        sent_at = self._clock.monotonic()
        outcome: Outcome
        with self._tracing.batch(self.kind, lease, records, request_id) as result:
            try:
                bodies = [record.body for record in records]
                outcome = Delivered(request_id, await permit.post(bodies, user, request_id=request_id))
            except SevenDigitalError as error:
                outcome = outcome_of(error, len(records))
            result.outcome = name = OUTCOME_NAMES[type(outcome)]
        seconds = self._clock.monotonic() - sent_at
        lease.last_request = LastRequest(request_id, name, seconds)
        self._sink.emit(
            RequestFinished(kind=self.kind, logs=len(records), outcome=name, request_id=request_id, seconds=seconds)
        )
        return outcome

    async def _post_again(self, lease: Lease, records: Sequence[Record]) -> Outcome | None:
        """Post a part of a batch that was refused; None when the lane may not send now."""
        if self.rules.atomicity is not Atomicity.ALL_OR_NOTHING:
            await self._settlement.mark_in_doubt(lease, records, InDoubtPolicy.KEEP)
        async with AsyncExitStack() as permits:
            permit = await self._acquire_permit(permits)
            return None if permit is None else await self._post(permit, lease, records)

    def _count_outcomes(self, delivered: int, buried: int) -> None:
        """Suspend the lane when most plays are buried: the cause is a schema error or an outage, not single plays."""
        if self.breaker.count_outcomes(delivered=delivered, buried=buried) and not self.breaker.suspended:
            share, window = self.rules.poison_share, self.rules.poison_window
            self._apply(Misdirected(f"more than {share:.0%} of the last {window} plays were refused"), PARTNER_QUEUE)

    def _apply(self, outcome: Outcome, signer: str) -> None:  # noqa: C901 - a case per outcome
        """Update the circuit breaker after an outcome, and raise an alert if an operator has to act."""
        breaker, before, pause_before = self.breaker, self.breaker.alert, self.breaker.pause_left
        match outcome:
            case Delivered():
                breaker.record_success()
                self._refused_users.clear()
            case Throttled(reason, wait):
                breaker.record_throttling(reason, wait or DEFAULT_THROTTLE_WAIT)
            case Misdirected(reason):
                breaker.suspend(reason)
            case Unavailable(reason, wait=wait):
                breaker.record_failure(reason, wait)
            case Blocked(reason, wait):
                breaker.record_block(reason, wait)
            case Lost(reason):
                breaker.record_failure(reason, None)
            case Unauthorised():
                self._on_refused_signer(outcome, signer)
            case ClockSkewed():
                breaker.record_answer()
                breaker.pause(DEFAULT_THROTTLE_WAIT)
            case Refused():
                breaker.record_answer()
        if breaker.alert is not None and breaker.alert is not before:
            self._sink.emit(AlertRaised(self.kind, breaker.alert))
        self._log_pause(pause_before, breaker.pause_left)

    def _log_pause(self, before: float, now: float) -> None:
        if now > max(MIN_LOGGED_PAUSE, before + 1.0):
            fields = {"event": "paused", "kind": self.kind.value, "wait": now}
            logger.warning(
                "%s: sending is paused for %.0f s, because the service asked to wait",
                self.kind.value,
                now,
                extra=fields,
            )

    def _on_refused_signer(self, refusal: Unauthorised, signer: str) -> None:
        if not refusal.sent:
            self._on_failed_lookup(refusal.reason, signer)
            return
        self.breaker.record_answer()
        if signer != PARTNER_QUEUE:
            self._alert_user(refusal.reason, signer)
            self._refused_users.add(signer)
        if signer == PARTNER_QUEUE or len(self._refused_users) >= REFUSED_USERS_TO_SUSPECT_PARTNER:
            self._refused_users.clear()
            self.breaker.refused_signer(refusal.reason)

    def _on_failed_lookup(self, reason: str, user_id: str) -> None:
        # The service has refused nothing, so neither the circuit nor the partner's own key is concerned.
        self._failed_lookups += 1
        if self._failed_lookups == FAILED_LOOKUPS_TO_ALERT:
            reason = f"{reason}; {FAILED_LOOKUPS_TO_ALERT} lookups in a row failed, further ones raise no alert"
        if self._failed_lookups <= FAILED_LOOKUPS_TO_ALERT:
            self._alert_user(reason, user_id)

    def _alert_user(self, reason: str, user_id: str) -> None:
        message = f"plays of user {user_id} wait: {reason}"
        now = to_datetime(self._clock.time())
        self._sink.emit(AlertRaised(self.kind, Alert(AlertKind.AUTHENTICATION, message, user_id, now)))
