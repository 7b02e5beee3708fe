"""Capacity for a bounded number of records and bytes, granted first come, first served."""

from __future__ import annotations

import asyncio
from collections import OrderedDict

from ...errors import ShipperError, SpoolFullError
from ...quantity import pluralize
from .base import copy_error


class Capacity:
    """How many records and bytes a spool may hold, and the appends that wait until there is space for them."""

    def __init__(self, *, logs: int, size: int) -> None:
        self._limit = (logs, size)
        self._logs = 0
        self._size = 0
        self._waiting: OrderedDict[asyncio.Future[None], tuple[int, int]] = OrderedDict()
        self._refusal: ShipperError | None = None

    @property
    def is_wanted(self) -> bool:
        """An append waits for capacity."""
        return bool(self._waiting)

    def occupy(self, logs: int, size: int) -> None:
        """Count what the spool holds already, even beyond the limit."""
        self._logs += logs
        self._size += size

    def take(self, logs: int, size: int) -> bool:
        """Reserve capacity if there is enough and no append waits for it."""
        most_logs, most_size = self._limit
        logs += self._logs
        size += self._size
        if logs > most_logs or size > most_size or self._waiting or self._refusal:
            return False
        self._logs, self._size = logs, size
        return True

    def check_open(self) -> None:
        """Check that :meth:`refuse` has not been called.

        Raises:
            ShipperError: The error given to it.
        """
        if self._refusal:
            raise copy_error(self._refusal)

    def reserve_nowait(self, logs: int, size: int) -> None:
        """Reserve capacity.

        Raises:
            SpoolFullError: There is not enough, or appends wait for it.
        """
        self.check_open()
        if not self.take(logs, size):
            raise SpoolFullError(f"the spool is full ({pluralize(self._logs, 'log')}, {pluralize(self._size, 'byte')})")

    async def reserve(self, logs: int, size: int) -> None:
        """Reserve capacity, waiting for it in order of the calls.

        Raises:
            SpoolFullError: The request exceeds the limit of the spool.
        """
        self.check_open()
        if self.take(logs, size):
            return
        if logs > self._limit[0] or size > self._limit[1]:
            raise SpoolFullError(
                f"{pluralize(logs, 'log')} of {pluralize(size, 'byte')} exceed the limit of the spool"
                f" ({pluralize(self._limit[0], 'log')},"
                f" {pluralize(self._limit[1], 'byte')})"
            )
        granted = asyncio.get_running_loop().create_future()
        self._waiting[granted] = (logs, size)
        try:
            await granted
        except asyncio.CancelledError:
            if granted.done() and not granted.cancelled() and not granted.exception():
                self.free(logs, size)  # granted in the same moment
            else:
                self._waiting.pop(granted, None)
                self._grant()  # the next in line may fit
            raise

    def free(self, logs: int, size: int) -> None:
        """Release capacity."""
        self._logs -= logs
        self._size -= size
        self._grant()

    def refuse(self, error: ShipperError) -> None:
        """Grant nothing from now on: calls of ``reserve``, waiting ones too, raise ``error``."""
        self._refusal = error
        while self._waiting:
            granted, _ = self._waiting.popitem(last=False)
            if not granted.done():
                granted.set_exception(copy_error(error))

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
