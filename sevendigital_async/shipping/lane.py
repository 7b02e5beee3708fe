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
from ..models.batch_key import user_of
from .callbacks import CallbackError
from .courier import Courier, Turn
from .events import RequestEnded, TurnTaken
from .flush import LaneFlush
from .gate import Gate, Trouble, TroubleKind
from .hooks import Hooks
from .metrics import Watch
from .outcome import (
    NAMES,
    Blocked,
    Delivered,
    Lost,
    Misdirected,
    Outcome,
    OutOfStep,
    Refused,
    Throttled,
    Unauthorised,
    Unavailable,
    outcome_of,
)
from .records import SHARED, Exchange, Fate, Lease, Record
from .rules import Atomicity, LaneRules
from .settlement import Settlement
from .spool import Exit
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
    in_doubt: Fate
    _spool: Exit
    _watch: Watch
    _courier: Courier
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
    gate: Gate = field(init=False)
    _settlement: Settlement = field(init=False)
    _wake: asyncio.Event = field(init=False, factory=asyncio.Event)
    _next: asyncio.Lock = field(init=False, factory=asyncio.Lock)
    _refused_users: set[str] = field(init=False, factory=set)
    _failed_lookups: int = field(init=False, default=0)

    def __attrs_post_init__(self) -> None:
        """Put up the gate."""
        rules = self.rules
        self.gate = Gate(self._clock, self._rng, poison_share=rules.poison_share, poison_window=rules.poison_window)
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
        return LaneFlush(self.kind, self._spool, self.gate, self._settlement, self._hooks, self._clock)

    async def _work(self) -> None:
        while True:
            lease: Lease | None = None
            try:
                async with AsyncExitStack() as held:
                    # One worker at a time looks for the next batch, and cuts it only when its turn has come.
                    async with self._next:
                        await self._until_due()
                        turn = await self._take_turn(held)
                        if turn is not None and not self.leaving:
                            lease = await self._spool.lease(self.kind, flush=self.flushing)
                            self.leases += lease is not None
                    if turn is None or lease is None:
                        continue
                    records = await self._settlement.bury_expired(lease)
                    outcome = await self._post(turn, lease, records) if records else None
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
            wait = math.inf if due_in is None or self.leaving else max(due_in, self.gate.wait)
            if wait <= 0:
                return
            await self._clock.wait(self._wake, min(wait, IDLE))

    async def _take_turn(self, held: AsyncExitStack) -> Turn | None:
        asked_at = self._clock.monotonic()
        try:
            turn = await held.enter_async_context(self._courier.turn(self.kind))
        except SevenDigitalError as error:
            # The quota is spent, or the client is closed. Nothing has been leased, so nothing is at stake.
            self._heed(outcome_of(error, 0), SHARED)
            return None
        self._watch.tell(TurnTaken(kind=self.kind, seconds=self._clock.monotonic() - asked_at))
        # While this one waited for its turn, another batch may have met with a closed door.
        return turn if self.gate.wait <= 0 else None

    async def _post(self, turn: Turn, lease: Lease, records: Sequence[Record]) -> Outcome:
        self.gate.sending()
        try:
            outcome = await self._exchange(turn, lease, records)
            self._heed(outcome, user_of(lease.queue))
        finally:
            self.gate.finished()
            self.wake()
        return outcome

    async def _exchange(self, turn: Turn, lease: Lease, records: Sequence[Record]) -> Outcome:
        user = None
        if lease.queue != SHARED:
            try:
                user = await self._token_of(user_of(lease.queue))
            except CallbackError as error:
                lease.exchange = Exchange("", NAMES[Unauthorised])
                return Unauthorised(f"user_tokens {error}", sent=False)
            self._failed_lookups = 0
        request_id = uuid.uuid4().hex
        await self._spool.intent(lease, records, request_id)
        self.requests += 1
        self.largest_batch = max(self.largest_batch, len(records))
        lease.exchange = Exchange(request_id, INTERRUPTED)
        sent_at = self._clock.monotonic()
        outcome: Outcome
        try:
            bodies = [record.body for record in records]
            outcome = Delivered(request_id, await turn.post(bodies, user, request_id=request_id))
        except SevenDigitalError as error:
            outcome = outcome_of(error, len(records))
        name, seconds = NAMES[type(outcome)], self._clock.monotonic() - sent_at
        lease.exchange = Exchange(request_id, name, seconds)
        self._watch.tell(
            RequestEnded(kind=self.kind, logs=len(records), outcome=name, request_id=request_id, seconds=seconds)
        )
        return outcome

    async def _post_again(self, lease: Lease, records: Sequence[Record]) -> Outcome | None:
        """Post a part of a batch that was refused; None when the door is closed for now."""
        if self.rules.atomicity is not Atomicity.ALL_OR_NOTHING:
            await self._spool.doubt(lease, records, Fate.KEEP)
        async with AsyncExitStack() as held:
            turn = await self._take_turn(held)
            return None if turn is None else await self._post(turn, lease, records)

    def _fates(self, delivered: int, buried: int) -> None:
        """Suspend the lane when it buries most of what it carries: that is a schema error or an outage, not poison."""
        if self.gate.count_fates(delivered=delivered, buried=buried) and not self.gate.suspended:
            share, window = self.rules.poison_share, self.rules.poison_window
            self._heed(Misdirected(f"more than {share:.0%} of the last {window} plays were refused"), SHARED)

    def _heed(self, outcome: Outcome, signer: str) -> None:  # noqa: C901 - a case per outcome
        """Let the gate know what the service said, and people what needs them."""
        gate, before, pause_before = self.gate, self.gate.trouble, self.gate.pause_left
        match outcome:
            case Delivered():
                gate.succeeded()
                self._refused_users.clear()
            case Throttled(reason, wait):
                gate.throttled(reason, wait or DEFAULT_THROTTLE_WAIT)
            case Misdirected(reason):
                gate.suspend(reason)
            case Unavailable(reason, wait=wait):
                gate.failed(reason, wait)
            case Blocked(reason, wait):
                gate.blocked(reason, wait)
            case Lost(reason):
                gate.failed(reason, None)
            case Unauthorised():
                self._heed_refused_signer(outcome, signer)
            case OutOfStep():
                gate.answered()
                gate.pause(DEFAULT_THROTTLE_WAIT)
            case Refused():
                gate.answered()
        if gate.trouble is not None and gate.trouble is not before:
            self._hooks.troubled(self.kind, gate.trouble)
        self._log_pause(pause_before, gate.pause_left)

    def _log_pause(self, before: float, now: float) -> None:
        if now > max(LONG_PAUSE, before + 1.0):
            fields = {"event": "paused", "kind": self.kind.value, "wait": now}
            logger.warning("%s: nothing is sent for %.0f s, as the service asks", self.kind.value, now, extra=fields)

    def _heed_refused_signer(self, refusal: Unauthorised, signer: str) -> None:
        if not refusal.sent:
            self._heed_failed_lookup(refusal.reason, signer)
            return
        self.gate.answered()
        if signer != SHARED:
            self._report_user(refusal.reason, signer)
            self._refused_users.add(signer)
        if signer == SHARED or len(self._refused_users) >= SIGNERS_TO_BLAME_THE_PARTNER:
            self._refused_users.clear()
            self.gate.refused_signer(refusal.reason)

    def _heed_failed_lookup(self, reason: str, user_id: str) -> None:
        # The service has refused nobody, so neither the circuit nor the partner's own key is concerned.
        self._failed_lookups += 1
        if self._failed_lookups == LOOKUPS_TO_REPORT:
            reason = f"{reason}; {LOOKUPS_TO_REPORT} lookups in a row failed, further ones are not reported"
        if self._failed_lookups <= LOOKUPS_TO_REPORT:
            self._report_user(reason, user_id)

    def _report_user(self, reason: str, user_id: str) -> None:
        message = f"plays of user {user_id} wait: {reason}"
        self._hooks.troubled(self.kind, Trouble(TroubleKind.AUTHENTICATION, message, user_id, self._now()))

    def _now(self) -> datetime:
        return datetime.fromtimestamp(self._clock.time(), UTC)
