"""Chunks of bytes into numbered lines, whatever the chunks and whatever the bytes. No I/O."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

LONGEST = 64 * 1024
"""Bytes of a line that are kept; a play needs a few hundred."""

LARGEST_FILE = 2**63 - 1

BYTE_ORDER_MARK = b"\xef\xbb\xbf"


class Mark(NamedTuple):
    """A place between two lines.

    Attributes:
        line: Number of the line that begins there.
        offset: Bytes before it.
    """

    line: int
    offset: int

    def check(self) -> None:
        """Refuse what no file has.

        Raises:
            ValueError: It is no such place.
        """
        if self.line < 1 or not 0 <= self.offset <= LARGEST_FILE:
            raise ValueError("no place in a file")


BEGINNING = Mark(1, 0)


class Line(NamedTuple):
    """One line of the input.

    Attributes:
        number: From 1.
        data: Without its line feed; a carriage return before that is kept, for JSON takes it as a space.
        cut: The line is longer than ``data``, which holds only its beginning.
        start: Bytes of the input before it.
        end: Bytes of the input before the next one.
    """

    number: int
    data: bytes
    cut: bool = False
    start: int = 0
    end: int = 0

    @property
    def before(self) -> Mark:
        """Where it begins."""
        return Mark(self.number, self.start)

    @property
    def after(self) -> Mark:
        """Where the next one begins."""
        return Mark(self.number + 1, self.end)

    @property
    def blank(self) -> bool:
        """Nothing but space."""
        return not self.data.strip()


class LineSplitter:
    """Cuts chunks into lines and holds no more than one chunk and the beginning of one line.

    Args:
        longest: Bytes of a line that are kept.
        mark: Where the first chunk begins.
    """

    def __init__(self, longest: int = LONGEST, mark: Mark = BEGINNING) -> None:
        self._longest = longest
        self._number, self._start = mark
        self._end = self._start
        self._held = bytearray()
        self._cut = False

    def feed(self, chunk: bytes) -> Iterator[Line]:
        """Take the next chunk; give the lines that end in it. To be exhausted before the next call."""
        *ends, rest = chunk.split(b"\n")
        for end in ends:
            self._hold(end)
            self._end += 1
            yield self._finish()
        self._hold(rest)

    def close(self) -> Iterator[Line]:
        """Give the last line, if it lacks its line feed."""
        if self._held:
            yield self._finish()

    def _hold(self, piece: bytes) -> None:
        room = self._longest - len(self._held)
        self._held += piece[:room] if len(piece) > room else piece
        self._cut |= len(piece) > room
        self._end += len(piece)

    def _finish(self) -> Line:
        data = bytes(self._held)
        while data.startswith(BYTE_ORDER_MARK):  # also amid files that were joined
            data = data.removeprefix(BYTE_ORDER_MARK)
        line = Line(self._number, data, self._cut, self._start, self._end)
        self._held.clear()
        self._cut = False
        self._number += 1
        self._start = self._end
        return line
