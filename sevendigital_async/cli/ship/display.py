"""What became of the plays of a demo, and whether nothing is missing and nothing too much."""

from __future__ import annotations

import io
import os
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from contextlib import suppress
from types import TracebackType
from typing import Any, Protocol, Self, TextIO

from attrs import asdict, frozen
from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TaskProgressColumn, TextColumn
from rich.table import Table
from rich.text import Text

from ...models import LogKind
from ...shipping import Statistics
from ..output import Styled, one_line, say, visible

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


Records = Counter[tuple[LogKind, bytes]]
"""Plays by kind, each as bytes that are equal if the plays are."""

SUMMED = ("sent", "delivered", "buried", "in_doubt", "requests")


@frozen
class KindAccount:
    """What became of the plays of one kind, or of all; numbers of the shipper, but for the sandbox's last two."""

    sent: int
    delivered: int
    buried: int
    in_doubt: int
    requests: int
    largest_batch: int
    busiest_second: int
    limit: int | None


@frozen
class Account:
    """How a demo ended.

    Attributes:
        kinds: By kind.
        missing: Plays that were put and not received.
        surplus: Plays that were received and not put, or more often than put.
        seconds: From the first put to the last answer.
    """

    kinds: Mapping[LogKind, KindAccount]
    missing: int
    surplus: int
    seconds: float

    @property
    def equal(self) -> bool:
        """What arrived is what was put."""
        return not self.missing and not self.surplus

    @property
    def difference(self) -> str:
        """What does not match, as text."""
        return f"{self.missing:,} plays were put and not received, {self.surplus:,} received and not put"

    @property
    def sent(self) -> int:
        """Plays put."""
        return sum(kind.sent for kind in self.kinds.values())

    def as_json(self) -> dict[str, Any]:
        """Return the account as a tree."""
        return {
            "kinds": {kind.value: asdict(account) for kind, account in self.kinds.items()},
            "sent": self.sent,
            "missing": self.missing,
            "surplus": self.surplus,
            "equal": self.equal,
            "seconds": round(self.seconds, 3),
        }

    def as_text(self, stream: TextIO | None) -> Styled:
        """Return the account as a table and a closing line."""
        headings = ["kind", "sent", "delivered", "buried", "in doubt", "requests", "largest batch", "busiest second"]
        rows = [[kind.value, *_cells(account)] for kind, account in self.kinds.items()]
        sums = [sum(getattr(account, name) for account in self.kinds.values()) for name in SUMMED]
        rows.append(["total", *(f"{number:,}" for number in sums), "", ""])
        rate = self.sent / self.seconds if self.seconds else 0.0
        closing = (
            f"All accounted for: the sandbox received exactly the {self.sent:,} plays that were put, record for record."
            if self.equal
            else f"NOT EQUAL: {self.difference}."
        )
        shown = rendered(table(headings, rows, total=True), stream)
        return Styled(f"{shown}\n\n{closing}\n{self.seconds:.1f} s, {rate:,.0f} plays/s")


def _cells(account: KindAccount) -> list[str]:
    numbers = [getattr(account, name) for name in (*SUMMED, "largest_batch")]
    limit = "no limit" if account.limit is None else f"of {account.limit}"
    separator = ", " if account.limit is None else " "
    return [*(f"{number:,}" for number in numbers), f"{account.busiest_second}{separator}{limit}"]


def account_of(
    statistics: Statistics, stats: Mapping[str, Any], *, put: Records, received: Records, seconds: float
) -> Account:
    """Draw up the account.

    Args:
        statistics: The shipper's numbers.
        stats: The sandbox's.
        put: What the shipper was given.
        received: What the sandbox has.
        seconds: How long it took.
    """
    kinds = {
        kind: KindAccount(
            sent=lane.counts.put,
            delivered=lane.counts.delivered,
            buried=lane.counts.buried,
            in_doubt=lane.counts.in_doubt,
            requests=lane.requests,
            largest_batch=lane.largest_batch,
            busiest_second=stats["kinds"][kind.value]["busiest_second"],
            limit=stats["limit"] if kind is LogKind.PREVIEW else None,
        )
        for kind, lane in statistics.lanes.items()
    }
    return Account(kinds, missing=(put - received).total(), surplus=(received - put).total(), seconds=seconds)
