"""Cuts bytes into records: lines, or rows of CSV whose quoted fields may contain line breaks."""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Callable, Iterator, Sequence
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


IsRow = Callable[[bytes], bool]
"""Whether bytes are a whole row of CSV."""


class RecordSplitter:
    """Cuts chunks into records; holds no more than one chunk and the beginning of one record.

    A line feed within the quotes of a CSV field does not end a record. A quote that is not closed, or closed too late
    for a row, costs only its own line: what seemed to be one record is cut again from its second line on.

    Args:
        line: Number of the line that the first chunk begins with.
        offset: Bytes of the input before the first chunk.
        is_row: Checks records of several lines, of CSV; None for lines.
        longest: Bytes of a record that are kept.
    """

    def __init__(
        self, line: int = 1, offset: int = 0, *, is_row: IsRow | None = None, longest: int = MAX_RECORD_BYTES
    ) -> None:
        self._is_row = is_row
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
        has_quotes = self._is_row is not None and (QUOTE in chunk or QUOTE in self._buffer)
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
        lines = deque(ends)
        while lines or self._is_exceeded_by(rest):
            if not lines:
                record, lines = self._first_line()
                rest = lines.pop() + rest
                yield record
                continue
            end = lines.popleft()
            if self._end == self._start and self._is_row is None and end[:1] == b"{" and len(end) <= self._longest:
                # Most lines are complete and skip the rest.
                start, number = self._start, self._number
                self._start = self._end = start + len(end) + 1
                self._number = number + 1
                yield RawRecord(number, end, start, self._start)
                continue
            if self._is_exceeded_by(end):
                record, others = self._first_line()
                others[-1] += end
                lines.extendleft(reversed(others))
                yield record
                continue
            self._append(end)
            self._end += 1
            self._lines += 1
            if self._is_open():
                self._buffer += b"\n"
            elif self._is_whole():
                yield self._take_record()
            else:
                record, others = self._first_line()
                lines.extendleft(reversed(others))
                yield record
        self._append(rest)

    def close(self) -> Iterator[RawRecord]:
        """Yield the last record if it lacks its line feed, or the lines of one whose quote is not closed."""
        while self._end > self._start:
            self._lines += 1
            if self._lines == 1 or (not self._is_open() and self._is_whole()):
                yield self._take_record()
                continue
            record, others = self._first_line()
            yield record
            yield from self.feed(b"\n".join(others))

    def _append(self, piece: bytes) -> None:
        space = self._longest + 1 - len(self._buffer)
        self._buffer += piece[:space] if len(piece) > space else piece
        self._end += len(piece)

    def _is_exceeded_by(self, piece: bytes) -> bool:
        """Whether the next piece of a record of several lines makes it too long."""
        return self._lines > 0 and len(self._buffer) + len(piece) > self._longest

    def _is_open(self) -> bool:
        """Return whether the last line ends within quotes; the record continues in the next line."""
        if self._is_row is None or self._is_too_long:
            return False
        line = bytes(self._buffer[self._buffer.rfind(b"\n") + 1 :]) if self._lines > 1 else bytes(self._buffer)
        # With an even number of quotes, nearly always all are closed; a row for which that is wrong is a bad record.
        if self._is_quoted or line.count(QUOTE) % 2:
            self._is_quoted = ends_in_quotes(line, begins_in_quotes=self._is_quoted)
        return self._is_quoted

    def _is_whole(self) -> bool:
        return self._lines == 1 or self._is_row is None or self._is_row(without_byte_order_mark(bytes(self._buffer)))

    def _first_line(self) -> tuple[RawRecord, deque[bytes]]:
        """Make the first line of what is held a record of its own; return it and the other lines, to be read again."""
        first, *others = bytes(self._buffer).split(b"\n")
        self._buffer = bytearray(first)
        self._end = self._start + len(first) + 1
        self._lines = 1
        return self._take_record(), deque(others)

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


QUOTE = b'"'
_QUOTED_FIELD = re.compile(rb'(?:^(?:\xef\xbb\xbf)*|(?<=[,;\t|]))"(?:[^"]|"")*+("|\Z)')
_REST_OF_QUOTED_FIELD = re.compile(rb'(?:[^"]|"")*+("|\Z)')


def ends_in_quotes(line: bytes, *, begins_in_quotes: bool = False) -> bool:
    """Return whether a line of CSV ends within a quoted field.

    Args:
        line: Without its line feed.
        begins_in_quotes: Whether it begins within one.
    """
    start = 0
    if begins_in_quotes:
        if QUOTE not in line:
            return True
        found = _REST_OF_QUOTED_FIELD.match(line)
        if found is None or not found[1]:
            return True
        start = found.end()
    return any(not found[1] for found in _QUOTED_FIELD.finditer(line, start))


def without_byte_order_mark(data: bytes) -> bytes:
    """Return a record without byte order marks, of which it has several where files were concatenated."""
    while data.startswith(BYTE_ORDER_MARK):
        data = data.removeprefix(BYTE_ORDER_MARK)
    return data
