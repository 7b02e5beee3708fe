"""Progress and tables: alive on a terminal, plain lines anywhere else."""

from __future__ import annotations

import io
import os
import time
from collections.abc import Sequence
from contextlib import suppress
from types import TracebackType
from typing import Protocol, Self, TextIO

from attrs import frozen
from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TaskProgressColumn, TextColumn
from rich.table import Table
from rich.text import Text

from .output import Styled, one_line, say, visible

PLAIN_WIDTH = 160


@frozen
class Gauge:
    """How far something has come.

    Attributes:
        name: Of what.
        done: In the unit of ``total``.
        total: All there is to do; None if nobody knows.
        note: The numbers, for people.
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
        """Leave the stream as it was found."""
        ...

    def show(self, gauges: Sequence[Gauge]) -> None:
        """Show how far things have come."""
        ...

    def say(self, text: str) -> None:
        """Write a line that stays."""
        ...


def display_on(stream: TextIO | None, *, every: float) -> Display:
    """Return a live display for a terminal, and plain lines ``every`` so many seconds for anything else."""
    if stream is not None and is_terminal(stream):
        return LiveDisplay(stream)
    return PlainDisplay(stream, every)


def is_terminal(stream: TextIO | None) -> bool:
    """Tell whether a stream leads to somebody's eyes, through something that can move a cursor."""
    return stream is not None and stream.isatty() and os.environ.get("TERM", "dumb") not in {"dumb", "unknown"}


class PlainDisplay:
    """Implements Display in lines."""

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
        """Nothing to put back."""

    def show(self, gauges: Sequence[Gauge]) -> None:
        """Write a line, if it is time."""
        now = time.monotonic()
        if now >= self._due_at:
            self._due_at = now + self._every
            self.say("; ".join(f"{gauge.name}: {gauge.note}" for gauge in gauges))

    def say(self, text: str) -> None:
        """Write a line."""
        if self._stream is not None:
            say(text, self._stream)


class LiveDisplay:
    """Implements Display with bars that move."""

    def __init__(self, stream: TextIO) -> None:
        self._console = Console(file=stream, force_terminal=True, highlight=False)
        self._progress = Progress(
            TextColumn("{task.description}", markup=False),
            BarColumn(),
            TaskProgressColumn(),
            TextColumn("{task.fields[note]}", markup=False),
            console=self._console,
            # The event loop refreshes; a thread would take its turns from it.
            auto_refresh=False,
            redirect_stdout=False,
            redirect_stderr=False,
        )
        self._bars: dict[str, TaskID] = {}

    def __enter__(self) -> Self:
        """Begin."""
        self._progress.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Show the cursor again."""
        with suppress(OSError):
            self._progress.stop()

    def show(self, gauges: Sequence[Gauge]) -> None:
        """Move the bars."""
        for gauge in gauges:
            if gauge.name not in self._bars:
                self._bars[gauge.name] = self._progress.add_task(one_line(gauge.name), note="")
            note = one_line(gauge.note)
            self._progress.update(self._bars[gauge.name], completed=gauge.done, total=gauge.total, note=note)
        # A terminal that was closed must not end a run.
        with suppress(OSError):
            self._progress.refresh()

    def say(self, text: str) -> None:
        """Write a line above the bars."""
        with suppress(OSError):
            self._console.print(Text(visible(text)), soft_wrap=True)


def table(
    headings: Sequence[str], rows: Sequence[Sequence[str]], *, total: bool = False, numbers: bool = True
) -> Table:
    """Lay out text in columns: the first to the left, the others to the right if they are numbers.

    Args:
        headings: Of the columns.
        rows: A text for each column.
        total: The last row sums up the others.
        numbers: All columns but the first are numbers.
    """
    laid_out = Table(box=None, header_style="bold", pad_edge=False)
    for position, heading in enumerate(headings):
        laid_out.add_column(Text(one_line(heading)), justify="right" if position and numbers else "left")
    for row in rows:
        laid_out.add_row(*(Text(one_line(cell)) for cell in row), style="bold" if total and row is rows[-1] else None)
    return laid_out


def rendered(laid_out: Table, stream: TextIO | None) -> Styled:
    """Turn a table into text: with colours if ``stream`` is a terminal, else plain."""
    paper = io.StringIO()
    if is_terminal(stream):
        console = Console(file=paper, force_terminal=True)
    else:
        console = Console(file=paper, force_terminal=False, color_system=None, width=PLAIN_WIDTH)
    console.print(laid_out)
    return Styled("\n".join(line.rstrip() for line in paper.getvalue().rstrip("\n").split("\n")))
