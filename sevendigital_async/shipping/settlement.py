"""What becomes of a batch once the service has spoken: every record finds its place in the spool."""

from __future__ import annotations

import logging
import random
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime

from attrs import define, field

from ..clock import Clock
from ..models import LogKind
from ..models.stream_log import WINDOW, user_of
from .circuit_breaker import auth_backoff, backoff
from .hooks import Hooks
from .outcome import Blocked, Delivered, Lost, Outcome, Refused, Unauthorised, Unavailable
from .records import PARTNER_QUEUE, DeadLetter, Delivery, InDoubtPolicy, Lease, Receipt, Record
from .rules import Atomicity, LaneRules
from .spools.base import SpoolReader

PostAgain = Callable[[Lease, Sequence[Record]], Awaitable[Outcome | None]]

logger = logging.getLogger("sevendigital_async.shipping")

WARNING_AGES = (0.8, 0.5)
"""Shares of the service's window at which undelivered plays deserve a warning."""


@define(eq=False)
class Settlement:
    """Settles the batches of one lane.

    ``post_again`` posts a part of a lease once more and returns None when the lane may not send now; ``count_fates``
    hears how many plays were delivered and how many were buried.
    """

    kind: LogKind
    rules: LaneRules
    in_doubt: InDoubtPolicy
    _spool: SpoolReader
    _hooks: Hooks
    _clock: Clock
    _rng: random.Random
    _post_again: PostAgain
    _count_fates: Callable[[int, int], None]
    pending_hooks: dict[object, int] = field(init=False, factory=dict)
    """Hooks that are to hear of plays or have not come back yet, with the lowest sequence of those; closing waits for
    them."""
    _warned_age: float = field(init=False, default=0.0)

    async def settle(self, lease: Lease, records: Sequence[Record], outcome: Outcome) -> None:
        """Give every one of ``records`` its place, as the outcome of posting them demands."""
        spool = self._spool
        if isinstance(outcome, Refused):
            lease.sending = ()  # an answer is an outcome, and a refusal is no doubt by itself
            lease.suspect = lease.suspect or not self._is_atomic
        match outcome:
            case Delivered(request_id, answer):
                await self._ack(lease, records, Receipt(request_id, self._now(), answer))
            case Refused():
                await self._isolate(lease, records, outcome)
            case Lost(reason, answered=answered):
                delay = backoff(lease.attempt + 1, self._rng)
                policy = self.in_doubt
                # Who counts a batch short once may do so forever, and each time take most of it again.
                if answered and policy is InDoubtPolicy.RESEND and any(record.in_doubt for record in records):
                    policy = InDoubtPolicy.HOLD
                    self._warn_of_holding(records, reason)
                await spool.doubt(lease, records, policy, delay=delay)
            case Unavailable(hit=True, vouched=vouched) if not (vouched and self._is_atomic):
                # Without the service's own word its answer is lost, as if the connection had broken.
                policy = InDoubtPolicy.RESEND if vouched else self.in_doubt
                await spool.doubt(lease, records, policy, delay=backoff(lease.attempt + 1, self._rng))
            case Unavailable() | Blocked():
                await spool.release(lease, records, delay=backoff(lease.attempt + 1, self._rng))
            case Unauthorised() if lease.queue != PARTNER_QUEUE:
                await spool.release(lease, records, delay=auth_backoff(lease.attempt))
            case _:
                await spool.release(lease, records, count_attempt=False)
        if not isinstance(outcome, Delivered | Refused):
            self._warn_of_age(records)

    @property
    def _is_atomic(self) -> bool:
        """Of a batch that was not accepted, nothing was."""
        return self.rules.atomicity is Atomicity.ALL_OR_NOTHING

    async def _ack(self, lease: Lease, records: Sequence[Record], receipt: Receipt) -> None:
        with self._tells(records):
            await self._spool.ack(lease, records, receipt)
            self._count_fates(len(records), 0)
            if self._hooks.on_delivered is not None:
                logs = tuple(record.body for record in records)
                doubted = sum(record.in_doubt for record in records)
                await self._hooks.delivered(Delivery(self.kind, user_of(lease.queue) or None, logs, doubted, receipt))

    async def _isolate(self, lease: Lease, records: Sequence[Record], refused: Refused) -> None:
        """Find the logs that spoil a batch, deliver the others, bury only what the service refuses by itself.

        Positions that the service names are believed if the rest is then accepted; if not, or without positions,
        the batch is halved until the bad ones stand alone.
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
                    await self._give_back(lease, [record for record, _ in named])
                return
        if len(records) == 1:
            await self._bury(lease, [(records[0], refused.reason, refused.code)])
            return
        pending = _halves(records)
        while pending:
            part = pending.pop()
            outcome = await self._post_again(lease, part)
            if isinstance(outcome, Refused):
                if len(part) == 1:
                    await self._bury(lease, [(part[0], _words_for(outcome), outcome.code)])
                else:
                    pending.extend(_halves(part))
                continue
            await self._settle_part(lease, part, outcome)
            if not isinstance(outcome, Delivered):
                for left in pending:
                    await self._give_back(lease, left)
                return

    async def _give_back(self, lease: Lease, records: Sequence[Record]) -> None:
        """Return what was refused as part of a batch; some of it may have been saved."""
        if lease.suspect:
            await self._spool.doubt(lease, records, InDoubtPolicy.KEEP)
        await self._spool.release(lease, records, count_attempt=False)

    async def _settle_part(self, lease: Lease, records: Sequence[Record], outcome: Outcome | None) -> None:
        if outcome is None:
            await self._give_back(lease, records)
        elif records:
            await self.settle(lease, records, outcome)

    async def _bury(
        self, lease: Lease, fallen: Sequence[tuple[Record, str, int | None]], *, spoilt: bool = True
    ) -> None:
        now = self._now()
        letters = [
            (record, DeadLetter(self.kind, record.body, reason, code, now, record.in_doubt))
            for record, reason, code in fallen
        ]
        with self._tells([record for record, _ in letters]):
            await self._spool.bury(lease, letters)
            await self._hooks.buried([letter for _, letter in letters], self._spool.forget_dead_letters)
        if spoilt:
            self._count_fates(0, len(letters))

    async def bury_expired(self, lease: Lease) -> Sequence[Record]:
        """Bury what is too old to be accepted; returns the others."""
        oldest = self._now() - WINDOW
        expired = [record for record in lease.records if record.played_at <= oldest]
        if not expired:
            return lease.records
        reason = f"expired: played more than {WINDOW.days} days ago and not accepted until now"
        await self._bury(lease, [(record, reason, None) for record in expired], spoilt=False)
        return [record for record in lease.records if record.played_at > oldest]

    @contextmanager
    def _tells(self, records: Sequence[Record]) -> Iterator[None]:
        hook = object()
        self.pending_hooks[hook] = min((record.sequence for record in records), default=0)
        try:
            yield
        finally:
            del self.pending_hooks[hook]

    def _warn_of_holding(self, records: Sequence[Record], reason: str) -> None:
        logger.warning(
            "%s: %d plays were in doubt before and are held for a person: %s",
            self.kind.value,
            len(records),
            reason,
            extra={"event": "held", "kind": self.kind.value},
        )

    def _warn_of_age(self, records: Sequence[Record]) -> None:
        age = (self._now() - min(record.played_at for record in records)) / WINDOW
        hit = next((share for share in WARNING_AGES if age >= share), 0.0)
        if hit > self._warned_age:
            logger.warning(
                "%s: plays are undelivered after %.0f of the %d days allowed",
                self.kind.value,
                age * 61,
                WINDOW.days,
                extra={"event": "ageing", "kind": self.kind.value},
            )
        self._warned_age = hit

    def _now(self) -> datetime:
        return datetime.fromtimestamp(self._clock.time(), UTC)


def _halves(records: Sequence[Record]) -> list[Sequence[Record]]:
    """Split in two, the first half last, for a stack."""
    middle = len(records) // 2
    return [records[middle:], records[:middle]]


def _words_for(refused: Refused) -> str:
    """Prefer what was said about the one log to what was said about the batch."""
    item = refused.items.get(0)
    return item.message if item else refused.reason
