"""Rate limits: never more than N requests of a rate class in any one second, by the server's clock."""

from __future__ import annotations

import asyncio
import heapq
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Protocol

from ..clock import Clock
from ..operations import RateClass

SLOT_COOLDOWN = 1.002
"""Seconds between a response and its slot's next request: the window, plus two milliseconds for clock drift."""

MAX_SINGLE_SLEEP = 0.02
"""Waits up to this many seconds are one sleep."""

UNBOUNDED_TIMEOUT = 60.0
"""Seconds assumed as the timeout of a request without one."""


class Slot(Protocol):
    """The right to send one request."""

    async def sending(self, timeout: float | None) -> None:  # noqa: ASYNC109 - of the request, not of this call
        """Mark the request as being sent; without a response it may arrive until its timeout.

        Args:
            timeout: Seconds; None if there is none.

        Raises:
            ConnectError: The slot has expired; nothing may be sent.
        """
        ...

    def answered(self) -> None:
        """Mark the request as counted: the server has answered or closed the connection."""
        ...

    def not_sent(self) -> None:
        """Mark the request as not sent: there was no connection."""
        ...


class LocalSlot:
    """A slot of this process.

    Attributes:
        reusable_at: When it is free again.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self.reusable_at: float = clock.monotonic()

    async def sending(self, timeout: float | None) -> None:  # noqa: ASYNC109 - of the request, not of this call
        lost_after = UNBOUNDED_TIMEOUT if timeout is None else timeout
        self.reusable_at = self._clock.monotonic() + lost_after + SLOT_COOLDOWN

    def answered(self) -> None:
        self.reusable_at = self._clock.monotonic() + SLOT_COOLDOWN

    def not_sent(self) -> None:
        self.reusable_at = self._clock.monotonic()


class Slots:
    """The slots of one rate class: first come, first served."""

    def __init__(self, count: int, clock: Clock) -> None:
        self._clock = clock
        self._reusable_at = [clock.monotonic()] * count
        self._queue = asyncio.Lock()
        self._freed = asyncio.Event()

    @asynccontextmanager
    async def slot(self) -> AsyncIterator[LocalSlot]:
        await self._take()
        slot = LocalSlot(self._clock)
        try:
            yield slot
        finally:
            heapq.heappush(self._reusable_at, slot.reusable_at)
            self._freed.set()

    async def _take(self) -> None:
        async with self._queue:
            while True:
                wait = self._reusable_at[0] - self._clock.monotonic() if self._reusable_at else None
                if wait is not None and wait <= 0:
                    heapq.heappop(self._reusable_at)
                    return
                # A slot freed meanwhile may be reusable earlier.
                self._freed.clear()
                await self._clock.wait(self._freed, None if wait is None else _sleep_time(wait))


def _sleep_time(seconds: float) -> float:
    """Return the next sleep of a wait: systems wake up to 1 % late, so the end of a wait is a separate sleep."""
    return seconds if seconds < MAX_SINGLE_SLEEP else seconds * 0.95


class RateLimiter(Protocol):
    """The rate limits of one account, of one process or of several together."""

    def slot(self, rate_class: RateClass) -> AbstractAsyncContextManager[Slot]:
        """Wait for a slot and hold it."""
        ...

    async def pause_left(self) -> float:
        """Seconds for which the service has asked another process of this account to wait."""
        ...

    def pause(self, rate_class: RateClass | None, seconds: float) -> None:
        """Pause a class, or the whole account (None), in all processes."""
        ...

    async def aclose(self) -> None:
        """Free the slots that are held elsewhere."""
        ...


class LocalRateLimiter:
    """The rate limits of a process that has the account to itself; its callers keep the pauses."""

    def __init__(self, clock: Clock) -> None:
        self._slots = {rate_class: Slots(rate_class.value, clock) for rate_class in RateClass}

    def slot(self, rate_class: RateClass) -> AbstractAsyncContextManager[LocalSlot]:
        return self._slots[rate_class].slot()

    async def pause_left(self) -> float:
        """No other process exists."""
        return 0.0

    def pause(self, rate_class: RateClass | None, seconds: float) -> None:
        """No other process exists."""

    async def aclose(self) -> None:
        """Nothing is held elsewhere."""
