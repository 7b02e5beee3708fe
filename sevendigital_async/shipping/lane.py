"""One kind of play on its way from the spool to the service: when a batch is cut, and how it is posted."""

from __future__ import annotations

import asyncio
import logging
import math
import random
import uuid
from collections.abc import Awaitable, Callable, Sequence
from contextlib import AsyncExitStack
from datetime import UTC, datetime

from attrs import define, field

from ..clock import Clock
from ..config import UserToken
from ..errors import LeaseLostError, SevenDigitalError
from ..models import LogKind
from ..models.stream_log import user_of
from .callbacks import CallbackError
from .circuit_breaker import Alert, AlertKind, CircuitBreaker
from .events import PermitAcquired, RequestFinished
from .flush import LaneFlush
from .hooks import Hooks
from .log_transport import LogTransport, SendPermit
from .metrics import EventSink
from .outcome import (
    NAMES,
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

TokenSource = Callable[[str], Awaitable[UserToken | None]]

logger = logging.getLogger("sevendigital_async.shipping")

DEFAULT_THROTTLE_WAIT = 1.0
"""Seconds to wait after a 429 that names no time."""

SIGNERS_TO_BLAME_THE_PARTNER = 5
"""Different users refused in a row, with nobody accepted in between, that point at the partner's own key."""

LOOKUPS_TO_REPORT = 100
"""Lookups of tokens that failed in a row, after which further ones are not reported until one succeeds."""

LONG_PAUSE = 60.0
"""Seconds; a longer wait that the service asks for is logged."""

IDLE = 60.0
"""Seconds after which a lane looks for work even if nothing woke it."""

INTERRUPTED = "interrupted"
"""The outcome of a request whose end the lane did not live to see."""


@define(eq=False)
class Lane:
    """Takes batches out of the spool, posts them, and heeds what the service says.

    Attributes:
        requests: Requests sent so far.
        largest_batch: Logs in the largest of them.
        leaving: Take no more batches; what is in hand comes to its end.
        leases: Batches in hand.
    """

    kind: LogKind
    rules: LaneRules
    in_doubt: InDoubtPolicy
    _spool: SpoolReader
    _sink: EventSink
    _transport: LogTransport
    _token_of: TokenSource
    _hooks: Hooks
    _clock: Clock
    _changed: Callable[[], None]
    _rng: random.Random
    requests: int = 0
    largest_batch: int = 0
    flushing: bool = False
    leaving: bool = False
    leases: int = 0
    breaker: CircuitBreaker = field(init=False)
    _settlement: Settlement = field(init=False)
    _wake: asyncio.Event = field(init=False, factory=asyncio.Event)
    _next: asyncio.Lock = field(init=False, factory=asyncio.Lock)
    _refused_users: set[str] = field(init=False, factory=set)
    _failed_lookups: int = field(init=False, default=0)

    def __attrs_post_init__(self) -> None:
        """Put up the gate."""
        rules = self.rules
        self.breaker = CircuitBreaker(
            self._clock, self._rng, poison_share=rules.poison_share, poison_window=rules.poison_window
        )
        self._settlement = Settlement(
            self.kind,
            rules,
            self.in_doubt,
            self._spool,
            self._hooks,
            self._clock,
            self._rng,
            self._post_again,
            self._fates,
        )

    def start(self, supervisor: Supervisor) -> None:
        """Start the workers."""
        for number in range(1, self.rules.concurrency + 1):
            supervisor.start(self._work(), f"{self.kind.value} worker {number}")

    def wake(self) -> None:
        """Look again: something may have become due."""
        self._wake.set()

    def begin_flush(self) -> LaneFlush:
        """Return what tells when the plays accepted by now have found their end."""
        return LaneFlush(self.kind, self._spool, self.breaker, self._settlement, self._hooks, self._clock)

    async def _work(self) -> None:
        while True:
            lease: Lease | None = None
            try:
                async with AsyncExitStack() as held:
                    # One worker at a time looks for the next batch, and cuts it only when its turn has come.
                    async with self._next:
                        await self._until_due()
                        permit = await self._acquire_permit(held)
                        if permit is not None and not self.leaving:
                            lease = await self._spool.lease(self.kind, flush=self.flushing)
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
                    await asyncio.shield(self._spool.abandon(lease, self.in_doubt))
                raise
            finally:
                self.leases -= lease is not None
                self._changed()

    async def _until_due(self) -> None:
        while True:
            self._wake.clear()
            due_in = await self._spool.due_in(self.kind, flush=self.flushing)
            wait = math.inf if due_in is None or self.leaving else max(due_in, self.breaker.wait)
            if wait <= 0:
                return
            await self._clock.wait(self._wake, min(wait, IDLE))

    async def _acquire_permit(self, held: AsyncExitStack) -> SendPermit | None:
        asked_at = self._clock.monotonic()
        try:
            permit = await held.enter_async_context(self._transport.permit(self.kind))
        except SevenDigitalError as error:
            # The quota is spent, or the client is closed. Nothing has been leased, so nothing is at stake.
            self._apply(outcome_of(error, 0), PARTNER_QUEUE)
            return None
        self._sink.emit(PermitAcquired(kind=self.kind, seconds=self._clock.monotonic() - asked_at))
        # While this one waited for its turn, another batch may have met with a closed door.
        return permit if self.breaker.wait <= 0 else None

    async def _post(self, permit: SendPermit, lease: Lease, records: Sequence[Record]) -> Outcome:
        self.breaker.sending()
        try:
            outcome = await self._exchange(permit, lease, records)
            self._apply(outcome, user_of(lease.queue))
        finally:
            self.breaker.finished()
            self.wake()
        return outcome

    async def _exchange(self, permit: SendPermit, lease: Lease, records: Sequence[Record]) -> Outcome:
        user = None
        if lease.queue != PARTNER_QUEUE:
            try:
                user = await self._token_of(user_of(lease.queue))
            except CallbackError as error:
                lease.last_request = LastRequest("", NAMES[Unauthorised])
                return Unauthorised(f"user_tokens {error}", sent=False)
            self._failed_lookups = 0
        request_id = uuid.uuid4().hex
        await self._spool.intent(lease, records, request_id)
        self.requests += 1
        self.largest_batch = max(self.largest_batch, len(records))
        lease.last_request = LastRequest(request_id, INTERRUPTED)
        sent_at = self._clock.monotonic()
        outcome: Outcome
        try:
            bodies = [record.body for record in records]
            outcome = Delivered(request_id, await permit.post(bodies, user, request_id=request_id))
        except SevenDigitalError as error:
            outcome = outcome_of(error, len(records))
        name, seconds = NAMES[type(outcome)], self._clock.monotonic() - sent_at
        lease.last_request = LastRequest(request_id, name, seconds)
        self._sink.emit(
            RequestFinished(kind=self.kind, logs=len(records), outcome=name, request_id=request_id, seconds=seconds)
        )
        return outcome

    async def _post_again(self, lease: Lease, records: Sequence[Record]) -> Outcome | None:
        """Post a part of a batch that was refused; None when the door is closed for now."""
        if self.rules.atomicity is not Atomicity.ALL_OR_NOTHING:
            await self._spool.doubt(lease, records, InDoubtPolicy.KEEP)
        async with AsyncExitStack() as held:
            permit = await self._acquire_permit(held)
            return None if permit is None else await self._post(permit, lease, records)

    def _fates(self, delivered: int, buried: int) -> None:
        """Suspend the lane when it buries most of what it carries: that is a schema error or an outage, not poison."""
        if self.breaker.count_fates(delivered=delivered, buried=buried) and not self.breaker.suspended:
            share, window = self.rules.poison_share, self.rules.poison_window
            self._apply(Misdirected(f"more than {share:.0%} of the last {window} plays were refused"), PARTNER_QUEUE)

    def _apply(self, outcome: Outcome, signer: str) -> None:  # noqa: C901 - a case per outcome
        """Let the gate know what the service said, and people what needs them."""
        breaker, before, pause_before = self.breaker, self.breaker.alert, self.breaker.pause_left
        match outcome:
            case Delivered():
                breaker.succeeded()
                self._refused_users.clear()
            case Throttled(reason, wait):
                breaker.throttled(reason, wait or DEFAULT_THROTTLE_WAIT)
            case Misdirected(reason):
                breaker.suspend(reason)
            case Unavailable(reason, wait=wait):
                breaker.failed(reason, wait)
            case Blocked(reason, wait):
                breaker.blocked(reason, wait)
            case Lost(reason):
                breaker.failed(reason, None)
            case Unauthorised():
                self._on_refused_signer(outcome, signer)
            case ClockSkewed():
                breaker.answered()
                breaker.pause(DEFAULT_THROTTLE_WAIT)
            case Refused():
                breaker.answered()
        if breaker.alert is not None and breaker.alert is not before:
            self._hooks.troubled(self.kind, breaker.alert)
        self._log_pause(pause_before, breaker.pause_left)

    def _log_pause(self, before: float, now: float) -> None:
        if now > max(LONG_PAUSE, before + 1.0):
            fields = {"event": "paused", "kind": self.kind.value, "wait": now}
            logger.warning("%s: nothing is sent for %.0f s, as the service asks", self.kind.value, now, extra=fields)

    def _on_refused_signer(self, refusal: Unauthorised, signer: str) -> None:
        if not refusal.sent:
            self._heed_failed_lookup(refusal.reason, signer)
            return
        self.breaker.answered()
        if signer != PARTNER_QUEUE:
            self._report_user(refusal.reason, signer)
            self._refused_users.add(signer)
        if signer == PARTNER_QUEUE or len(self._refused_users) >= SIGNERS_TO_BLAME_THE_PARTNER:
            self._refused_users.clear()
            self.breaker.refused_signer(refusal.reason)

    def _heed_failed_lookup(self, reason: str, user_id: str) -> None:
        # The service has refused nobody, so neither the circuit nor the partner's own key is concerned.
        self._failed_lookups += 1
        if self._failed_lookups == LOOKUPS_TO_REPORT:
            reason = f"{reason}; {LOOKUPS_TO_REPORT} lookups in a row failed, further ones are not reported"
        if self._failed_lookups <= LOOKUPS_TO_REPORT:
            self._report_user(reason, user_id)

    def _report_user(self, reason: str, user_id: str) -> None:
        message = f"plays of user {user_id} wait: {reason}"
        self._hooks.troubled(self.kind, Alert(AlertKind.AUTHENTICATION, message, user_id, self._now()))

    def _now(self) -> datetime:
        return datetime.fromtimestamp(self._clock.time(), UTC)
