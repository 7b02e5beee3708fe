"""A flush of one lane: whether the plays accepted before it are settled."""

from __future__ import annotations

import math

from attrs import define, field

from ..clock import Clock
from ..models import LogKind
from .circuit_breaker import CircuitBreaker
from .records import StaleCounts
from .settlement import Settlement
from .spools.base import SpoolReader, Watermark

MAX_DELAY = 40.0
"""Seconds of delay beyond which a flush does not wait for a queue: an operator has to act first."""

DELAYED_QUERY_INTERVAL = 1.0
"""Seconds between two queries for delayed queues while plays are in flight."""


@define(eq=False)
class LaneFlush:
    """Checks the plays of a lane that were accepted before it was made, and the calls of hooks for them."""

    _kind: LogKind
    _spool: SpoolReader
    _breaker: CircuitBreaker
    _settlement: Settlement
    _clock: Clock
    _watermark: Watermark = field(init=False)
    _asked_at: float = field(init=False, default=-math.inf)
    _was_settled: bool = field(init=False, default=False)

    def __attrs_post_init__(self) -> None:
        """Record which plays have been accepted by now."""
        self._watermark = self._spool.watermark(self._kind)

    async def is_done(self) -> bool:
        """Return whether those plays are settled, or blocked until an operator acts or a long pause ends."""
        self._was_settled = self._was_settled or await self._is_settled()
        last, pending = self._watermark.last, self._settlement.pending_hooks.values()
        return self._was_settled and not any(last is None or first <= last for first in pending)

    async def is_clear(self) -> bool:
        """Return whether all of those plays were delivered, buried or held."""
        return await self._watermark.left() == 0

    async def _is_settled(self) -> bool:
        if await self._watermark.left() == 0:
            return True
        counts = await self._spool.counts(self._kind)
        if isinstance(counts, StaleCounts):
            return False  # not known
        in_flight = counts.in_flight
        if self._breaker.needs_operator:
            return not in_flight
        now = self._clock.monotonic()
        if in_flight and now - self._asked_at < DELAYED_QUERY_INTERVAL:
            return False  # the query costs more than a count, and the end of a request brings the next check
        self._asked_at = now
        return await self._watermark.left(max_delay=MAX_DELAY) == 0
