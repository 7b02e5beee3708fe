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
from .courier import Courier, Turn
from .events import RequestEnded, TurnTaken
from .gate import Gate, Trouble, TroubleKind
from .hooks import Hooks
from .metrics import Watch
from .outcome import (
    NAMES,
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
from .records import SHARED, Exchange, Fate, Lease, Record, StaleCounts
from .rules import Atomicity, LaneRules
from .settlement import Settlement
from .spool import Exit

TokenSource = Callable[[str], Awaitable[UserToken | None]]

logger = logging.getLogger("sevendigital_async.shipping")

DEFAULT_THROTTLE_WAIT = 1.0
"""Seconds to wait after a 429 that names no time."""

SIGNERS_TO_BLAME_THE_PARTNER = 5
"""Different users refused in a row, with nobody accepted in between, that point at the partner's own key."""

PARKED = 40.0
"""Seconds of rest beyond which a queue is not waiting for a back-off but for a person."""

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

    async def run(self) -> None:
        """Work until cancelled."""
        async with asyncio.TaskGroup() as workers:
            for _ in range(self.rules.concurrency):
                workers.create_task(self._work())

    def wake(self) -> None:
        """Look again: something may have become due."""
        self._wake.set()

    async def stalled(self) -> bool:
        """Say whether waiting longer would not help, because only a person or much time can."""
        counts = await self._spool.counts(self.kind)
        if isinstance(counts, StaleCounts):
            return False  # nobody knows
        if counts.in_flight or self._settlement.telling:
            return False
        if counts.waiting == 0 or self.gate.stuck:
            return True
        due_in = await self._spool.due_in(self.kind, flush=True)
        if due_in is not None and due_in <= PARKED:
            return False
        # Between the two questions, what waited may have been leased.
        return await self._spool.counts(self.kind) == counts

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
        try:
            user = None if lease.queue == SHARED else await self._token_of(user_of(lease.queue))
        except Exception as error:  # noqa: BLE001 - the caller's own code; it must not take the lane down
            lease.exchange = Exchange("", NAMES[Unauthorised])
            return Unauthorised(f"user_tokens failed for user {user_of(lease.queue)}: {error!r}")
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

    def _heed(self, outcome: Outcome, signer: str) -> None:
        """Let the gate know what the service said, and people what needs them."""
        gate, before = self.gate, self.gate.trouble
        match outcome:
            case Delivered():
                gate.succeeded()
                self._refused_users.clear()
            case Throttled(wait=wait):
                gate.answered()
                gate.pause(wait or DEFAULT_THROTTLE_WAIT)
            case Misdirected(reason):
                gate.suspend(reason)
            case Unavailable(reason, wait=wait):
                gate.failed(reason, wait)
            case Lost(reason):
                gate.failed(reason, None)
            case Unauthorised(reason):
                self._heed_refused_signer(reason, signer)
            case OutOfStep():
                gate.answered()
                gate.pause(DEFAULT_THROTTLE_WAIT)
            case Refused():
                gate.answered()
        if gate.trouble is not None and gate.trouble is not before:
            self._hooks.troubled(self.kind, gate.trouble)

    def _heed_refused_signer(self, reason: str, signer: str) -> None:
        self.gate.answered()
        if signer != SHARED:
            message = f"plays of user {signer} wait: {reason}"
            self._hooks.troubled(self.kind, Trouble(TroubleKind.AUTHENTICATION, message, signer, self._now()))
            self._refused_users.add(signer)
        if signer == SHARED or len(self._refused_users) >= SIGNERS_TO_BLAME_THE_PARTNER:
            self._refused_users.clear()
            self.gate.refused_signer(reason)

    def _now(self) -> datetime:
        return datetime.fromtimestamp(self._clock.time(), UTC)
