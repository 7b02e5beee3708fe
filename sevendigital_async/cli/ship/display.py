"""Progress on a terminal or in plain lines."""

from __future__ import annotations

import time
from collections.abc import Sequence
from types import TracebackType
from typing import Protocol, Self, TextIO

from attrs import frozen

from ..output import say
from ..tables import is_terminal


@frozen
class Gauge:
    """The progress of one thing.

    Attributes:
        name: Name of the thing.
        done: How much is done, in the unit of ``total``.
        total: How much there is to do; None if unknown.
        note: The progress as text.
    """

    name: str
    done: float
    total: float | None
    note: str


class Display(Protocol):
    """Where progress is shown."""

    def __enter__(self) -> Self:
        """Begin."""
        ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Restore the stream."""
        ...

    def show(self, gauges: Sequence[Gauge]) -> None:
        """Show progress."""
        ...

    def say(self, text: str) -> None:
        """Write a line that stays."""
        ...


def display_on(stream: TextIO | None, *, every: float) -> Display:
    """Return bars for a terminal, and for anything else a line every ``every`` seconds."""
    if stream is not None and is_terminal(stream):
        from .bars import LiveDisplay  # noqa: PLC0415 - rich takes a tenth of the command's start

        return LiveDisplay(stream)
    return PlainDisplay(stream, every)


class PlainDisplay:
    """Shows progress in lines."""

    def __init__(self, stream: TextIO | None, every: float) -> None:
        self._stream = stream
        self._every = every
        self._due_at = time.monotonic() + every

    def __enter__(self) -> Self:
        """Begin."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Do nothing."""

    def show(self, gauges: Sequence[Gauge]) -> None:
        """Write a line if one is due."""
        now = time.monotonic()
        if now >= self._due_at:
            self._due_at = now + self._every
            self.say("; ".join(f"{gauge.name}: {gauge.note}" for gauge in gauges))

    def say(self, text: str) -> None:
        """Write a line."""
        if self._stream is not None:
            say(text, self._stream)
