"""From lines to plays to the shipper; a bad line rejects only itself."""

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


GROUP = 500
"""Plays put together; as many as the shipper accepts in a row without giving others their turn."""


@define(eq=False)
class LineReader:
    """Puts the plays of a source, in order, and knows at any moment which lines are dealt with.

    ``put`` is told the plays, and where to go on once they are accepted.

    Attributes:
        first: Number of the first line to deal with; those before it are skipped.
        reached: Behind the last line that is dealt with: skipped, put, rejected or blank, like all before it.
        put: Plays accepted by the shipper.
        rejected: Lines that are no plays.
        size: Bytes read.
        finished: The source was read to its end.
        unfinished: The last line of a file, if it has no line feed and is not a play: it is left for the next run,
            because somebody may still be writing it.
        unfinished_reason: Why it is not a play.
    """

    _source: Source
    _put: Callable[[list[StreamLog], Mark], Awaitable[int]]
    _reject: Callable[[Line, str], None]
    first: int = 1
    hit: Mark = field(init=False, default=BEGINNING)
    put: int = field(init=False, default=0)
    rejected: int = field(init=False, default=0)
    size: int = field(init=False, default=0)
    finished: bool = field(init=False, default=False)
    unfinished: Line | None = field(init=False, default=None)
    unfinished_reason: str = field(init=False, default="")
    _lines: list[Line] = field(init=False, factory=list)
    _group: list[tuple[Line, StreamLog]] = field(init=False, factory=list)
    _putting: int = field(init=False, default=0)
    _seen: Mark = field(init=False, default=BEGINNING)

    def begin(self, mark: Mark) -> None:
        """Go on where an earlier run has stopped; before ``run``."""
        self._source.start_at(mark.offset)
        self.first, self.hit, self._seen = mark.line, mark, mark

    async def run(self) -> None:
        """Read and put until the end. May be cancelled; see ``settle``.

        Raises:
            OSError: The source cannot be read on, or a rejected line cannot be kept.
            SevenDigitalError: The source cannot be opened, or the shipper takes no more.
        """
        splitter = LineSplitter(mark=self.hit)
        while chunk := await self._source.read():
            self.size += len(chunk)
            await self._take(list(splitter.feed(chunk)))
        await self._take([line for line in splitter.close() if not self._is_unfinished(line)])
        self.finished = True

    @property
    def read(self) -> int:
        """Number of the last line that is dealt with."""
        return self.hit.line - 1

    @property
    def is_putting(self) -> bool:
        """A put was begun, and nobody knows yet what has come of it."""
        return bool(self._putting)

    @property
    def lines(self) -> int:
        """How many lines this run has dealt with."""
        return max(0, self.read + 1 - self.first)

    @property
    def next_line(self) -> int:
        """Number of the first line that is not dealt with."""
        return max(self.read + 1, self.first)

    def check_first(self) -> None:
        """Refuse a first line beyond the end: somebody has mistyped it.

        Raises:
            ConfigurationError: The source is shorter.
        """
        if self.finished and self.read + 1 < self.first:
            raise ConfigurationError(f"{self._source.name} has {self.read} lines; there is no line {self.first}")

    def settle(self, accepted: int) -> None:
        """Learn, after a cancellation, how many plays the shipper has accepted.

        A put may have done its work in the very moment in which it was cancelled.
        """
        if self._putting and accepted == self.put + self._putting:
            self._note_put()

    def leave(self) -> list[Line]:
        """Give up what was read and not dealt with, and count it as dealt with: for sources that read only once."""
        left = [line for line in self._lines if line.number > self.read and not line.blank]
        if self._lines:
            self.hit = max(self.hit, self._lines[-1].after)
        return left

    def _is_unfinished(self, line: Line) -> bool:
        # What a pipe gives last is final, and lines that are skipped need no look.
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
                self._refuse(line, str(error))
        self._seen = line.after
        if len(self._group) >= GROUP:
            await self._put_group()

    async def _put_group(self) -> None:
        while self._group:
            try:
                await self._put_first(len(self._group))
            except InvalidLogError as error:
                # Fit when it was read, unfit now: it has grown too old while it waited.
                index = error.index or 0
                await self._put_first(index)
                line, _ = self._group.pop(0)
                self._refuse(line, str(error).removeprefix(f"log {index}: "))
        self.hit = self._seen

    async def _put_first(self, number: int) -> None:
        if number:
            self._putting = number
            await self._put([play for _, play in self._group[:number]], self._behind(number))
            self._note_put()

    def _behind(self, number: int) -> Mark:
        return self._group[number][0].before if number < len(self._group) else self._seen

    def _note_put(self) -> None:
        self.put += self._putting
        self.hit = self._behind(self._putting)
        del self._group[: self._putting]
        self._putting = 0

    def _refuse(self, line: Line, reason: str) -> None:
        self._reject(line, reason)
        self.rejected += 1
        self.hit = line.after


def play_in(line: Line) -> StreamLog:
    """Read and check the play in a line.

    Raises:
        InvalidLogError: There is none, or the service would refuse it.
    """
    if line.cut:
        raise InvalidLogError(f"longer than {LONGEST:,} bytes, of which only the first are kept")
    play = StreamLog.decode(line.data)
    play.check(datetime.now(UTC))
    return play
