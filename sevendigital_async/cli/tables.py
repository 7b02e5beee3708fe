"""Tables and long lines, as wide as the terminal.

A table that is too wide for the terminal is written as lines of ``heading: value``. Lines are broken between words.
"""

from __future__ import annotations

import os
import textwrap
from collections.abc import Iterator, Sequence
from contextlib import suppress
from typing import TextIO

from attrs import frozen
from rich.cells import cell_len

from .output import TerminalText, one_line

COLUMN_GAP = "  "
BOLD, NORMAL = "\x1b[1m", "\x1b[0m"


def is_terminal(stream: TextIO | None) -> bool:
    """Return whether a stream is a terminal that can move its cursor."""
    return stream is not None and stream.isatty() and os.environ.get("TERM", "dumb") not in {"dumb", "unknown"}


def width_of(stream: TextIO | None) -> int | None:
    """Return the columns that text may take: COLUMNS, or those of the terminal; None for no limit."""
    columns = os.environ.get("COLUMNS", "")
    if columns.isascii() and columns.isdecimal() and int(columns):
        return int(columns)
    with suppress(OSError, ValueError, AttributeError):
        if stream is not None and stream.isatty():
            return os.get_terminal_size(stream.fileno()).columns or None
    return None


def wrap(text: str, stream: TextIO | None) -> str:
    """Return a line broken between words where it is too long for a stream; what follows is indented."""
    width = width_of(stream)
    if width is None or cell_len(text) <= width:
        return text
    return textwrap.fill(
        text, width, subsequent_indent=COLUMN_GAP, break_long_words=False, break_on_hyphens=False, drop_whitespace=True
    )


@frozen
class Table:
    """Text in columns: the first is aligned left, the others right if there are numbers in them.

    Attributes:
        headings: Of the columns.
        rows: The cells.
        has_total: The last row is a sum.
        has_numbers: The columns after the first are numbers.
    """

    headings: Sequence[str]
    rows: Sequence[Sequence[str]]
    has_total: bool = False
    has_numbers: bool = True

    def render(self, stream: TextIO | None) -> TerminalText:
        """Return the table as it is written to a stream: with bold text if it is a terminal, else plain."""
        limit = width_of(stream)
        cells = [[one_line(cell) for cell in row] for row in (self.headings, *self.rows)]
        widths = [max(map(cell_len, column)) for column in zip(*cells, strict=True)]
        if limit is not None and sum(widths) + len(COLUMN_GAP) * (len(widths) - 1) > limit:
            return TerminalText("\n".join(wrap(line, stream) for line in self._records(cells)))
        lines = [self._line(row, widths) for row in cells]
        if is_terminal(stream) and "NO_COLOR" not in os.environ:
            emphasised = {0, len(lines) - 1} if self.has_total else {0}
            lines = [f"{BOLD}{line}{NORMAL}" if n in emphasised and line else line for n, line in enumerate(lines)]
        return TerminalText("\n".join(lines))

    def _line(self, row: Sequence[str], widths: Sequence[int]) -> str:
        padded = [
            _pad(cell, width, right=self.has_numbers and position > 0)
            for position, (cell, width) in enumerate(zip(row, widths, strict=True))
        ]
        return COLUMN_GAP.join(padded).rstrip()

    def _records(self, cells: Sequence[Sequence[str]]) -> Iterator[str]:
        """Yield a line for each cell, below the first cell of its row."""
        headings, *rows = cells
        for title, *values in rows:
            if len(values) == 1:
                yield f"{title}: {values[0]}"
                continue
            yield title
            for heading, value in zip(headings[1:], values, strict=True):
                if value:
                    yield f"{COLUMN_GAP}{heading}: {value}"


def _pad(cell: str, width: int, *, right: bool) -> str:
    space = " " * (width - cell_len(cell))
    return space + cell if right else cell + space
