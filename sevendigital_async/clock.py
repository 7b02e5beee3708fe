"""Time as a dependency, so that tests need not wait for it."""

from __future__ import annotations

import asyncio
import time
from datetime import UTC, datetime, timedelta
from typing import Protocol

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)


def to_datetime(seconds: float) -> datetime:
    """Convert seconds since the epoch to a datetime in UTC."""
    return datetime.fromtimestamp(seconds, UTC)


def to_microseconds(moment: datetime) -> int:
    """Convert an aware datetime to whole microseconds since the epoch."""
    return (moment - EPOCH) // _MICROSECOND


def from_microseconds(microseconds: int) -> datetime:
    """Convert microseconds since the epoch to a datetime in UTC."""
    return EPOCH + microseconds * _MICROSECOND


class Clock(Protocol):
    """The clock that the package reads. Tests pass a virtual one."""

    def time(self) -> float:
        """Seconds since the epoch, by the wall clock."""
        ...

    def monotonic(self) -> float:
        """Seconds on a clock that never goes back."""
        ...

    async def sleep(self, seconds: float) -> None:
        """Suspend the calling task."""
        ...

    async def wait(self, event: asyncio.Event, seconds: float | None) -> bool:
        """Wait for an event for at most ``seconds`` (None: no limit); return False on a timeout."""
        ...


class SystemClock:
    """The machine's own clocks and the running loop's timers."""

    def time(self) -> float:
        """Seconds since the epoch."""
        return time.time()

    def monotonic(self) -> float:
        """Seconds on the monotonic clock."""
        return time.monotonic()

    async def sleep(self, seconds: float) -> None:
        """Suspend the calling task for ``seconds``."""
        await asyncio.sleep(seconds)

    async def wait(self, event: asyncio.Event, seconds: float | None) -> bool:
        """Wait for ``event``, at most ``seconds``."""
        try:
            async with asyncio.timeout(seconds):
                await event.wait()
        except TimeoutError:
            return False
        return True
