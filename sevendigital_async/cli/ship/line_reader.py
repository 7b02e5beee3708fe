"""Reads lines, decodes the plays in them and puts them; a bad line is rejected alone."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from datetime import UTC, datetime
from typing import NamedTuple

from attrs import define, field

from ...errors import ConfigurationError, InvalidLogError
from ...models import StreamLog
from .source import Source

LONGEST = 64 * 1024
"""Bytes of a line that are kept; a play needs a few hundred."""

LARGEST_FILE = 2**63 - 1

BYTE_ORDER_MARK = b"\xef\xbb\xbf"


class LinePosition(NamedTuple):
    """A position between two lines.

    Attributes:
        line: Number of the line that begins there.
        offset: Bytes before it.
    """

    line: int
    offset: int

    def check(self) -> None:
        """Check that a file can have this position.

        Raises:
            ValueError: No file can.
        """
        if self.line < 1 or not 0 <= self.offset <= LARGEST_FILE:
            raise ValueError("not a position in a file")


BEGINNING = LinePosition(1, 0)


class Line(NamedTuple):
    """One line of the input.

    Attributes:
        number: From 1.
        data: Without its line feed; a carriage return before that is kept, for JSON takes it as a space.
        truncated: The line is longer than ``data``, which has only its beginning.
        start: Bytes of the input before it.
        end: Bytes of the input before the next one.
    """

    number: int
    data: bytes
    truncated: bool = False
    start: int = 0
    end: int = 0

    @property
    def before(self) -> LinePosition:
        """The position before it."""
        return LinePosition(self.number, self.start)

    @property
    def after(self) -> LinePosition:
        """The position after it."""
        return LinePosition(self.number + 1, self.end)

    @property
    def blank(self) -> bool:
        """There is only white space in it."""
        return not self.data.strip()


class LineSplitter:
    """Splits chunks into lines; keeps at most one chunk and the beginning of one line in memory.

    Args:
        longest: Bytes of a line that are kept.
        position: Where the first chunk begins.
    """

    def __init__(self, longest: int = LONGEST, position: LinePosition = BEGINNING) -> None:
        self._longest = longest
        self._number, self._start = position
        self._end = self._start
        self._pending = bytearray()
        self._truncated = False

    def feed(self, chunk: bytes) -> Iterator[Line]:
        """Yield the lines that end in the next chunk; exhaust the iterator before the next call."""
        *ends, rest = chunk.split(b"\n")
        for end in ends:
            self._append(end)
            self._end += 1
            yield self._finish()
        self._append(rest)

    def close(self) -> Iterator[Line]:
        """Yield the last line if it has no line feed."""
        if self._pending:
            yield self._finish()

    def _append(self, piece: bytes) -> None:
        free = self._longest - len(self._pending)
        self._pending += piece[:free] if len(piece) > free else piece
        self._truncated |= len(piece) > free
        self._end += len(piece)

    def _finish(self) -> Line:
        data = bytes(self._pending)
        while data.startswith(BYTE_ORDER_MARK):  # also between files that were concatenated
            data = data.removeprefix(BYTE_ORDER_MARK)
        line = Line(self._number, data, self._truncated, self._start, self._end)
        self._pending.clear()
        self._truncated = False
        self._number += 1
        self._start = self._end
        return line


GROUP = 500
"""Plays in one put: as many as the shipper accepts without yielding to the event loop."""


@define(eq=False)
class LineReader:
    """Puts the plays of a source in order, and knows at any moment which lines are done.

    ``put`` receives plays, and the position at which to continue once they are accepted.

    Attributes:
        first: Number of the first line to read; earlier ones are skipped.
        reached: The position after the last line that is done: skipped, put, rejected or blank, like all before it.
        put: Plays accepted by the shipper.
        rejected: Lines that are not plays.
        size: Bytes read.
        finished: The source was read to its end.
        unfinished: The last line of a file, if it has no line feed and is not a play: it is left for the next run,
            because it may still be being written.
        unfinished_reason: Why it is not a play.
    """

    _source: Source
    _put: Callable[[list[StreamLog], LinePosition], Awaitable[int]]
    _reject: Callable[[Line, str], None]
    first: int = 1
    reached: LinePosition = field(init=False, default=BEGINNING)
    put: int = field(init=False, default=0)
    rejected: int = field(init=False, default=0)
    size: int = field(init=False, default=0)
    finished: bool = field(init=False, default=False)
    unfinished: Line | None = field(init=False, default=None)
    unfinished_reason: str = field(init=False, default="")
    _lines: list[Line] = field(init=False, factory=list)
    _group: list[tuple[Line, StreamLog]] = field(init=False, factory=list)
    _putting: int = field(init=False, default=0)
    _seen: LinePosition = field(init=False, default=BEGINNING)

    def begin(self, position: LinePosition) -> None:
        """Start at the position where an earlier run stopped; call this before ``run``."""
        self._source.start_at(position.offset)
        self.first, self.reached, self._seen = position.line, position, position

    async def run(self) -> None:
        """Read and put until the end. May be cancelled; see ``settle``.

        Raises:
            OSError: The source cannot be read, or a rejected line cannot be written.
            SevenDigitalError: The source cannot be opened, or the shipper is closed or has failed.
        """
        splitter = LineSplitter(position=self.reached)
        while chunk := await self._source.read():
            self.size += len(chunk)
            await self._take(list(splitter.feed(chunk)))
        await self._take([line for line in splitter.close() if not self._is_unfinished(line)])
        self.finished = True

    @property
    def read(self) -> int:
        """Number of the last line that is done."""
        return self.reached.line - 1

    @property
    def is_putting(self) -> bool:
        """A put has started and its result is not known yet."""
        return bool(self._putting)

    @property
    def lines(self) -> int:
        """Number of lines that this run has done."""
        return max(0, self.read + 1 - self.first)

    @property
    def next_line(self) -> int:
        """Number of the first line that is not done."""
        return max(self.read + 1, self.first)

    def check_first(self) -> None:
        """Check that the first line exists, once the source was read.

        Raises:
            ConfigurationError: The source is shorter.
        """
        if self.finished and self.read + 1 < self.first:
            raise ConfigurationError(f"{self._source.name} has {self.read} lines; there is no line {self.first}")

    def settle(self, accepted: int) -> None:
        """Correct the counts after a cancellation: the put that was cancelled may have been accepted.

        Args:
            accepted: Plays that the shipper has accepted.
        """
        if self._putting and accepted == self.put + self._putting:
            self._count_put()

    def take_rest(self) -> list[Line]:
        """Return the lines that were read and are not done, and count them as done, if the source cannot be reread."""
        left = [line for line in self._lines if line.number > self.read and not line.blank]
        if self._lines:
            self.reached = max(self.reached, self._lines[-1].after)
        return left

    def _is_unfinished(self, line: Line) -> bool:
        # The last line of a pipe is final.
        if not self._source.regular or line.blank or line.number < self.first:
            return False
        try:
            play_in(line)
        except InvalidLogError as error:
            self.unfinished, self.unfinished_reason = line, str(error)
            return True
        return False

    async def _take(self, lines: list[Line]) -> None:
        self._lines = lines
        for line in lines:
            await self._take_line(line)
            if line.number % GROUP == 0:
                await asyncio.sleep(0)
        await self._put_group()

    async def _take_line(self, line: Line) -> None:
        if line.number >= self.first and not line.blank:
            try:
                self._group.append((line, play_in(line)))
            except InvalidLogError as error:
                await self._put_group()
                self._reject_line(line, str(error))
        self._seen = line.after
        if len(self._group) >= GROUP:
            await self._put_group()

    async def _put_group(self) -> None:
        while self._group:
            try:
                await self._put_first(len(self._group))
            except InvalidLogError as error:
                # Valid when it was read; since then it has become too old.
                index = error.index or 0
                await self._put_first(index)
                line, _ = self._group.pop(0)
                self._reject_line(line, str(error).removeprefix(f"log {index}: "))
        self.reached = self._seen

    async def _put_first(self, number: int) -> None:
        if number:
            self._putting = number
            await self._put([play for _, play in self._group[:number]], self._position_after(number))
            self._count_put()

    def _position_after(self, number: int) -> LinePosition:
        return self._group[number][0].before if number < len(self._group) else self._seen

    def _count_put(self) -> None:
        self.put += self._putting
        self.reached = self._position_after(self._putting)
        del self._group[: self._putting]
        self._putting = 0

    def _reject_line(self, line: Line, reason: str) -> None:
        self._reject(line, reason)
        self.rejected += 1
        self.reached = line.after


def play_in(line: Line) -> StreamLog:
    """Decode and check the play in a line.

    Raises:
        InvalidLogError: The line is not a play, or the service would refuse it.
    """
    if line.truncated:
        raise InvalidLogError(f"longer than {LONGEST:,} bytes; only the beginning is kept")
    play = StreamLog.decode(line.data)
    play.check(datetime.now(UTC))
    return play
