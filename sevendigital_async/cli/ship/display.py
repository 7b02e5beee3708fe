"""Progress on a terminal or in plain lines."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from types import TracebackType
from typing import TYPE_CHECKING, Protocol, Self, TextIO

from attrs import frozen

from ..output import echo, escape_control_characters, one_line
from ..tables import is_terminal

if TYPE_CHECKING:
    from rich.progress import TaskID


@frozen
class ProgressBar:
    """One line of progress: how much of ``total`` is done (None if unknown), and the counts as text."""

    name: str
    done: float
    total: float | None
    text: str


class Display(Protocol):
    """Where progress is shown."""

    def __enter__(self) -> Self: ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Restore the stream."""
        ...

    def show(self, bars: Sequence[ProgressBar]) -> None: ...

    def echo(self, text: str) -> None:
        """Write a line that stays."""
        ...


def open_display(stream: TextIO | None, *, interval: float) -> Display:
    """Return bars for a terminal, and for anything else a line every ``interval`` seconds."""
    if stream is not None and is_terminal(stream):
        return LiveDisplay(stream)
    return PlainDisplay(stream, interval)


class PlainDisplay:
    """Shows progress in lines."""

    def __init__(self, stream: TextIO | None, interval: float) -> None:
        self._stream = stream
        self._interval = interval
        self._due_at = time.monotonic() + interval

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Do nothing."""

    def show(self, bars: Sequence[ProgressBar]) -> None:
        now = time.monotonic()
        if now >= self._due_at:
            self._due_at = now + self._interval
            self.echo("; ".join(f"{bar.name}: {bar.text}" for bar in bars))

    def echo(self, text: str) -> None:
        if self._stream is not None:
            echo(text, self._stream)


class LiveDisplay:
    """Shows progress with bars that move."""

    def __init__(self, stream: TextIO) -> None:
        # rich takes a tenth of the command's start, and only a terminal needs it.
        from rich.console import Console  # noqa: PLC0415 - as above
        from rich.progress import BarColumn, Progress, TextColumn  # noqa: PLC0415 - as above

        self._console = Console(file=stream, force_terminal=True, highlight=False)
        self._progress = Progress(
            TextColumn("{task.description}", markup=False),
            BarColumn(),
            TextColumn("{task.fields[note]}", markup=False),
            console=self._console,
            # The event loop refreshes it; a thread would compete with the loop for the interpreter.
            auto_refresh=False,
            redirect_stdout=False,
            redirect_stderr=False,
        )
        self._bars: dict[str, TaskID] = {}

    def __enter__(self) -> Self:
        self._progress.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        with suppress(OSError):
            self._progress.stop()

    def show(self, bars: Sequence[ProgressBar]) -> None:
        for bar in bars:
            if bar.name not in self._bars:
                self._bars[bar.name] = self._progress.add_task(one_line(bar.name), note="")
            note = one_line(bar.text)
            self._progress.update(self._bars[bar.name], completed=bar.done, total=bar.total, note=note)
        # A closed terminal must not end a run.
        with suppress(OSError):
            self._progress.refresh()

    def echo(self, text: str) -> None:
        from rich.text import Text  # noqa: PLC0415 - as above

        with suppress(OSError):
            self._console.print(Text(escape_control_characters(text)), soft_wrap=True)


LIBRARY = "sevendigital_async"
SOURCES = f"{LIBRARY}.sources"
COUNTED_EVENTS = frozenset({"retried", "in-doubt", "buried", "recovered", "alert", "spool-alert", "failed"})
"""Events of the shipper that a run shows in its counts, or when they are passed to it."""


class LibraryLogHandler(logging.Handler):
    """Shows what the package logs, as long as it is open: what the sources report, and warnings of all parts.

    Args:
        show: Takes a line.
        warn: Takes a line about a warning or an error.
    """

    def __init__(self, show: Callable[[str], None], warn: Callable[[str], None]) -> None:
        super().__init__(logging.INFO)
        self._show = show
        self._warn = warn

    def emit(self, record: logging.LogRecord) -> None:
        line = f"sevendigital: {one_line(record.getMessage())}"
        if record.levelno < logging.WARNING:
            if record.name == SOURCES:
                self._show(line)
        elif getattr(record, "event", "") not in COUNTED_EVENTS:
            self._warn(line)

    def __enter__(self) -> None:
        sources = logging.getLogger(SOURCES)
        self._level_before = sources.level
        sources.setLevel(logging.INFO)
        logging.getLogger(LIBRARY).addHandler(self)

    def __exit__(self, *_: object) -> None:
        logging.getLogger(LIBRARY).removeHandler(self)
        logging.getLogger(SOURCES).setLevel(self._level_before)
