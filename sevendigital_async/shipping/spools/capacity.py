"""Room for a bounded number of records and bytes, given out first come, first served."""

from __future__ import annotations

import asyncio
from collections import OrderedDict

from ...errors import ShipperError, SpoolFullError


class Capacity:
    """How much a spool may hold, and who waits for room."""

    def __init__(self, *, logs: int, size: int) -> None:
        self._limit = (logs, size)
        self._logs = 0
        self._size = 0
        self._waiting: OrderedDict[asyncio.Future[None], tuple[int, int]] = OrderedDict()
        self._refusal: ShipperError | None = None

    @property
    def is_wanted(self) -> bool:
        """Somebody waits for room."""
        return bool(self._waiting)

    def occupy(self, logs: int, size: int) -> None:
        """Count what is there already, room or not."""
        self._logs += logs
        self._size += size

    def take(self, logs: int, size: int) -> bool:
        """Take room if there is some and nobody was first."""
        if self._refusal or self._waiting or not self._fits(logs, size):
            return False
        self._logs += logs
        self._size += size
        return True

    def reserve_nowait(self, logs: int, size: int) -> None:
        """Take room.

        Raises:
            SpoolFullError: There is none, or others were first.
        """
        if self._refusal:
            raise self._refused()
        if not self.take(logs, size):
            raise SpoolFullError(f"the spool is full ({self._logs} logs, {self._size} bytes)")

    async def reserve(self, logs: int, size: int) -> None:
        """Take room, waiting for it in line.

        Raises:
            SpoolFullError: There will never be that much room.
        """
        if self._refusal:
            raise self._refused()
        if self.take(logs, size):
            return
        if logs > self._limit[0] or size > self._limit[1]:
            raise SpoolFullError(f"{logs} logs of {size} bytes exceed the whole spool")
        granted = asyncio.get_running_loop().create_future()
        self._waiting[granted] = (logs, size)
        try:
            await granted
        except asyncio.CancelledError:
            if granted.done() and not granted.cancelled() and not granted.exception():
                self.free(logs, size)  # room had been granted in the same moment
            else:
                self._waiting.pop(granted, None)
                self._grant()  # who stood behind may fit
            raise

    def free(self, logs: int, size: int) -> None:
        """Give room back."""
        self._logs -= logs
        self._size -= size
        self._grant()

    def refuse(self, error: ShipperError) -> None:
        """Grant nothing from now on."""
        self._refusal = error
        while self._waiting:
            granted, _ = self._waiting.popitem(last=False)
            if not granted.done():
                granted.set_exception(self._refused())

    def _refused(self) -> ShipperError:
        # A new exception each time: one that is raised again and again would collect tracebacks.
        assert self._refusal
        error = type(self._refusal)(*self._refusal.args)
        error.__cause__ = self._refusal.__cause__
        return error

    def _fits(self, logs: int, size: int) -> bool:
        return self._logs + logs <= self._limit[0] and self._size + size <= self._limit[1]

    def _grant(self) -> None:
        while self._waiting:
            granted, (logs, size) = next(iter(self._waiting.items()))
            if not granted.done():
                if not self._fits(logs, size):
                    return
                self._logs += logs
                self._size += size
                granted.set_result(None)
            del self._waiting[granted]
