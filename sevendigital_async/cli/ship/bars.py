"""Progress with bars that move, on a terminal."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from types import TracebackType
from typing import Self, TextIO

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TaskProgressColumn, TextColumn
from rich.text import Text

from ..output import one_line, visible
from .display import Gauge


class LiveDisplay:
    """Shows progress with bars that move."""

    def __init__(self, stream: TextIO) -> None:
        self._console = Console(file=stream, force_terminal=True, highlight=False)
        self._progress = Progress(
            TextColumn("{task.description}", markup=False),
            BarColumn(),
            TaskProgressColumn(),
            TextColumn("{task.fields[note]}", markup=False),
            console=self._console,
            # The event loop refreshes it; a thread would compete with the loop for the interpreter.
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
        # A closed terminal must not end a run.
        with suppress(OSError):
            self._progress.refresh()

    def say(self, text: str) -> None:
        """Write a line above the bars."""
        with suppress(OSError):
            self._console.print(Text(visible(text)), soft_wrap=True)
