"""Signals as something to wait for."""

from __future__ import annotations

import asyncio
import signal
from types import TracebackType
from typing import Self


class Interruptions:
    """Counts SIGINT, SIGTERM and SIGHUP while it is open, in place of what they would do.

    A SIGHUP that is ignored (``nohup``) stays ignored.

    Attributes:
        first: Set by the first signal.
        again: Set by the second.
        name: Of the first one.
    """

    def __init__(self) -> None:
        self.first = asyncio.Event()
        self.again = asyncio.Event()
        self.name = ""
        self._signals = [signal.SIGINT, signal.SIGTERM]
        if signal.getsignal(signal.SIGHUP) is not signal.SIG_IGN:
            self._signals.append(signal.SIGHUP)

    def __enter__(self) -> Self:
        """Listen."""
        loop = asyncio.get_running_loop()
        self._previous = {number: signal.getsignal(number) for number in self._signals}
        for number in self._signals:
            loop.add_signal_handler(number, self._hear, number)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Listen no longer."""
        loop = asyncio.get_running_loop()
        for number in self._signals:
            loop.remove_signal_handler(number)
            signal.signal(number, self._previous[number] or signal.SIG_DFL)

    def _hear(self, number: signal.Signals) -> None:
        if self.first.is_set():
            self.again.set()
        else:
            self.name = number.name
            self.first.set()
