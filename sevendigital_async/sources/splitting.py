"""Cuts bytes into records: lines, or rows of CSV whose quoted fields may contain line breaks."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

MAX_RECORD_BYTES = 64 * 1024
"""Bytes of a record that are kept; a play needs a few hundred."""

BYTE_ORDER_MARK = b"\xef\xbb\xbf"


class RawRecord(NamedTuple):
    """One record of the input.

    Attributes:
        number: Number of the line it begins in, from 1.
        data: Without its line feed, and without byte order marks; a carriage return before the line feed is kept. Of a
            record that is too long, it has one byte more than are kept.
        start: Bytes of the input before it.
        end: Bytes of the input before the next one.
        lines: Lines it takes.
    """

    number: int
    data: bytes
    start: int = 0
    end: int = 0
    lines: int = 1

    @property
    def is_blank(self) -> bool:
        """Whether it is blank."""
        return not self.data.strip()


class RecordSplitter:
    """Cuts chunks into records; holds no more than one chunk and the beginning of one record.

    Args:
        line: Number of the line that the first chunk begins with.
        offset: Bytes of the input before the first chunk.
        quote: Character within which a line feed does not end a record; empty for lines.
        longest: Bytes of a record that are kept.
    """

    def __init__(self, line: int = 1, offset: int = 0, *, quote: bytes = b"", longest: int = MAX_RECORD_BYTES) -> None:
        self._quote = quote
        self._longest = longest
        self._number, self._start = line, offset
        self._end = offset
        self._lines = 0
        self._buffer = bytearray()
        self._is_quoted = False

    @property
    def _is_too_long(self) -> bool:
        return len(self._buffer) > self._longest

    @property
    def pending(self) -> int:
        """Bytes of a record whose end has not been read."""
        return self._end - self._start

    @property
    def offset(self) -> int:
        """Bytes of the input before the next record."""
        return self._start

    def preview(self, chunk: bytes) -> list[bytes]:
        """Return the lines that end in the next chunk, as they are, without taking it; see :meth:`take`.

        Returns:
            No lines if they are not the records: some are rows with quoted values, or the first is too long.
        """
        has_quotes = self._quote and (self._quote in chunk or self._quote in self._buffer)
        if has_quotes or self._is_quoted or self._is_too_long:
            return []
        return (bytes(self._buffer) + chunk).split(b"\n")[:-1]

    def take(self, lines: Sequence[bytes]) -> int:
        """Take the first lines that :meth:`preview` has returned; returns the bytes of the chunk that are taken."""
        size = sum(map(len, lines)) + len(lines)
        taken = size - len(self._buffer)
        self._start = self._end = self._start + size
        self._number += len(lines)
        self._buffer.clear()
        return taken

    def feed(self, chunk: bytes) -> Iterator[RawRecord]:
        """Take the next chunk; yield the records that end in it. To be exhausted before the next call."""
        *ends, rest = chunk.split(b"\n")
        for end in ends:
            if self._end == self._start and not self._quote and end[:1] == b"{" and len(end) <= self._longest:
                # Most lines are complete and skip the rest.
                start, number = self._start, self._number
                self._start = self._end = start + len(end) + 1
                self._number = number + 1
                yield RawRecord(number, end, start, self._start)
                continue
            self._append(end)
            self._end += 1
            self._lines += 1
            if self._is_quoted and self._end - self._start <= self._longest:
                self._buffer += b"\n"
            else:
                yield self._take_record()
        self._append(rest)

    def close(self) -> Iterator[RawRecord]:
        """Yield the last record if it lacks its line feed."""
        if self._end > self._start:
            self._lines += 1
            yield self._take_record()

    def _append(self, piece: bytes) -> None:
        space = self._longest + 1 - len(self._buffer)
        self._buffer += piece[:space] if len(piece) > space else piece
        self._end += len(piece)
        if self._quote and piece.count(self._quote) % 2:
            self._is_quoted = not self._is_quoted

    def _take_record(self) -> RawRecord:
        data = bytes(self._buffer)
        data = data if self._is_too_long else without_byte_order_mark(data)
        raw = RawRecord(self._number, data, self._start, self._end, self._lines)
        self._buffer.clear()
        self._is_quoted = False
        self._number += self._lines
        self._lines = 0
        self._start = self._end
        return raw


def without_byte_order_mark(data: bytes) -> bytes:
    """Return a record without byte order marks, of which it has several where files were concatenated."""
    while data.startswith(BYTE_ORDER_MARK):
        data = data.removeprefix(BYTE_ORDER_MARK)
    return data
