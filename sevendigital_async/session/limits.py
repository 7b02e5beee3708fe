"""What bounds the requests of one account: the slots of its rate classes and the pauses the service asks for."""

from __future__ import annotations

from contextlib import AbstractAsyncContextManager
from typing import Protocol

from ..clock import Clock
from ..operations import RateClass
from .slots import LocalSlot, Slot, Slots


class Limits(Protocol):
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


class LocalLimits:
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
