"""Whether a flush has done its work in one lane."""

from __future__ import annotations

import math

from attrs import define, field

from ..clock import Clock
from ..models import LogKind
from .circuit_breaker import CircuitBreaker
from .hooks import Hooks
from .records import StaleCounts
from .settlement import Settlement
from .spools.base import SpoolReader, Watermark

PARKED = 40.0
"""Seconds of rest beyond which a queue is not waiting for a back-off but for a person."""

LOOK_INTERVAL = 1.0
"""Seconds between two looks at which queues rest, while other plays move."""


@define(eq=False)
class LaneFlush:
    """Waits for the plays of a lane that were accepted before it was made, and for the hooks that hear of them."""

    _kind: LogKind
    _spool: SpoolReader
    _gate: CircuitBreaker
    _settlement: Settlement
    _hooks: Hooks
    _clock: Clock
    _watermark: Watermark = field(init=False)
    _looked_at: float = field(init=False, default=-math.inf)
    _has_passed: bool = field(init=False, default=False)

    def __attrs_post_init__(self) -> None:
        """Note what has been accepted by now."""
        self._watermark = self._spool.watermark(self._kind)

    async def is_done(self) -> bool:
        """Say whether those plays have found their end, or only a person or much time can help them."""
        if self._hooks.alerting:
            return False
        self._has_passed = self._has_passed or await self._passes()
        last, heard_of = self._watermark.last, self._settlement.pending_hooks.values()
        return self._has_passed and not any(last is None or first <= last for first in heard_of)

    async def is_clear(self) -> bool:
        """Say whether all of those plays were delivered, buried or held."""
        return await self._watermark.left() == 0

    async def _passes(self) -> bool:
        if await self._watermark.left() == 0:
            return True
        counts = await self._spool.counts(self._kind)
        if isinstance(counts, StaleCounts):
            return False  # nobody knows
        in_flight = counts.in_flight
        if self._gate.stuck:
            return not in_flight
        now = self._clock.monotonic()
        if in_flight and now - self._looked_at < LOOK_INTERVAL:
            return False  # it costs more than a count, and what is in flight will bring the next question
        self._looked_at = now
        return await self._watermark.left(rest=PARKED) == 0
