"""Rate classes: never more than N requests in any one second, by the server's clock."""

from __future__ import annotations

import asyncio
import heapq
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Protocol

from ..clock import Clock
from ..operations import RateClass

WINDOW = 1.002
"""Seconds between an answer and its slot's next request: the window, and two milliseconds for clocks that drift."""

SHORT = 0.02
"""Seconds that are slept in one go."""

UNBOUNDED_TIMEOUT = 60.0
"""Seconds that stand in for the timeout of a request that has none."""


class Slot(Protocol):
    """The right to send one request."""

    async def sending(self, timeout: float | None) -> None:  # noqa: ASYNC109 - told, not kept
        """The request leaves as soon as this returns. Without an answer, it may arrive until its timeout is over.

        Args:
            timeout: Seconds; None if there is none.

        Raises:
            ConnectError: The right has lapsed; nothing may be sent.
        """
        ...

    def answered(self) -> None:
        """The server has answered or closed the connection: what it counted, it has counted by now."""
        ...

    def not_sent(self) -> None:
        """There was no connection, so there is nothing to count."""
        ...


class LocalSlot:
    """A slot of this process. It says when it may be used again."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self.reusable_at = clock.monotonic()

    async def sending(self, timeout: float | None) -> None:  # noqa: ASYNC109 - told, not kept
        """The request leaves now."""
        lost_after = UNBOUNDED_TIMEOUT if timeout is None else timeout
        self.reusable_at = self._clock.monotonic() + lost_after + WINDOW

    def answered(self) -> None:
        """The server has answered or closed the connection: what it counted, it has counted by now."""
        self.reusable_at = self._clock.monotonic() + WINDOW

    def not_sent(self) -> None:
        """There was no connection, so there is nothing to count."""
        self.reusable_at = self._clock.monotonic()


class Slots:
    """The slots of one rate class, handed out first come, first served."""

    def __init__(self, count: int, clock: Clock) -> None:
        self._clock = clock
        self._reusable_at = [clock.monotonic()] * count
        self._queue = asyncio.Lock()
        self._returned = asyncio.Event()

    @asynccontextmanager
    async def slot(self) -> AsyncIterator[LocalSlot]:
        """Wait for a slot and hold it."""
        await self._take()
        slot = LocalSlot(self._clock)
        try:
            yield slot
        finally:
            heapq.heappush(self._reusable_at, slot.reusable_at)
            self._returned.set()

    async def _take(self) -> None:
        async with self._queue:
            while True:
                wait = self._reusable_at[0] - self._clock.monotonic() if self._reusable_at else None
                if wait is not None and wait <= 0:
                    heapq.heappop(self._reusable_at)
                    return
                # A slot that comes back may be ready before the one that is being waited for.
                self._returned.clear()
                await self._clock.wait(self._returned, None if wait is None else _nap(wait))


def _nap(seconds: float) -> float:
    """Return how long to sleep of a wait: systems wake late by up to a hundredth of it, so its end is slept apart."""
    return seconds if seconds < SHORT else seconds * 0.95


class RateLimiter(Protocol):
    """The limits of one account, kept by one process or by several together."""

    def slot(self, rate_class: RateClass) -> AbstractAsyncContextManager[Slot]:
        """Wait for a slot and hold it."""
        ...

    async def pause_left(self) -> float:
        """Seconds for which another process has been told to send nothing for this account."""
        ...

    def pause(self, rate_class: RateClass | None, seconds: float) -> None:
        """Let all processes know that nothing of a class, or of the whole account (None), may go out for a while."""
        ...

    async def aclose(self) -> None:
        """Let go of what is held elsewhere."""
        ...


class LocalRateLimiter:
    """The limits of a process that has the account to itself; each of its callers keeps the pauses by itself."""

    def __init__(self, clock: Clock) -> None:
        self._slots = {rate_class: Slots(rate_class.value, clock) for rate_class in RateClass}

    def slot(self, rate_class: RateClass) -> AbstractAsyncContextManager[LocalSlot]:
        """Wait for a slot and hold it."""
        return self._slots[rate_class].slot()

    async def pause_left(self) -> float:
        """Nobody else is told anything."""
        return 0.0

    def pause(self, rate_class: RateClass | None, seconds: float) -> None:
        """There is nobody to tell."""

    async def aclose(self) -> None:
        """Nothing is held elsewhere."""
