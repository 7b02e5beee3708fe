"""Chunks of bytes into numbered lines, whatever the chunks and whatever the bytes. No I/O."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

LONGEST = 64 * 1024
"""Bytes of a line that are kept; a play needs a few hundred."""

BYTE_ORDER_MARK = b"\xef\xbb\xbf"


class Line(NamedTuple):
    """One line of the input.

    Attributes:
        number: From 1.
        data: Without its line feed; a carriage return before that is kept, for JSON takes it as a space.
        cut: The line is longer than ``data``, which holds only its beginning.
    """

    number: int
    data: bytes
    cut: bool = False

    @property
    def blank(self) -> bool:
        """Nothing but space."""
        return not self.data.strip()


class LineSplitter:
    """Cuts chunks into lines and holds no more than one chunk and the beginning of one line.

    Args:
        longest: Bytes of a line that are kept.
    """

    def __init__(self, longest: int = LONGEST) -> None:
        self._longest = longest
        self._number = 1
        self._held = bytearray()
        self._cut = False

    def feed(self, chunk: bytes) -> Iterator[Line]:
        """Take the next chunk; give the lines that end in it. To be exhausted before the next call."""
        *ends, rest = chunk.split(b"\n")
        for end in ends:
            self._hold(end)
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

    def _finish(self) -> Line:
        data = bytes(self._held)
        line = Line(self._number, data.removeprefix(BYTE_ORDER_MARK) if self._number == 1 else data, self._cut)
        self._held.clear()
        self._cut = False
        self._number += 1
        return line
