"""From lines to plays to the shipper; a bad line rejects only itself."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable
from datetime import UTC, datetime

from attrs import define, field

from ..errors import InvalidLogError
from ..models import StreamLog
from .lines import LONGEST, Line, LineSplitter
from .source import Source

GROUP = 500
"""Plays put together; as many as the shipper accepts in a row without giving others their turn."""


@define(eq=False)
class Feed:
    """Puts the plays of a source, in order, and knows at any moment which lines are dealt with.

    Attributes:
        read: Lines up to this one are put, rejected or blank; none after it is.
        put: Plays accepted by the shipper.
        rejected: Lines that are no plays.
        chunks_size: Bytes read.
        finished: The source was read to its end.
    """

    _source: Source
    _put: Callable[[list[StreamLog]], Awaitable[int]]
    _reject: Callable[[Line, str], None]
    _first: int = 1
    read: int = field(init=False)
    put: int = field(init=False, default=0)
    rejected: int = field(init=False, default=0)
    chunks_size: int = field(init=False, default=0)
    finished: bool = field(init=False, default=False)
    _seen: int = field(init=False, default=0)
    _group: list[tuple[Line, StreamLog]] = field(init=False, factory=list)

    def __attrs_post_init__(self) -> None:
        """Count what is skipped as dealt with."""
        self.read = self._first - 1

    async def run(self) -> None:
        """Read and put until the end. Cancelling it loses nothing: see ``settle``.

        Raises:
            OSError: The source cannot be read on, or a rejected line cannot be kept.
            SevenDigitalError: The source cannot be opened, or the shipper takes no more.
        """
        splitter = LineSplitter()
        while chunk := await self._source.read():
            self.chunks_size += len(chunk)
            await self._take(splitter.feed(chunk))
        await self._take(splitter.close())
        self.finished = True

    @property
    def lines(self) -> int:
        """Lines dealt with in this run."""
        return self.read - self._first + 1

    @property
    def seen(self) -> int:
        """Number of the last line that was read, dealt with or not."""
        return self._seen

    def settle(self, accepted: int) -> None:
        """Learn after a cancellation how many plays the shipper has in fact accepted.

        A put may have done its work in the very moment in which it was cancelled.
        """
        if accepted == self.put + len(self._group):
            self._note_put()

    async def _take(self, lines: Iterable[Line]) -> None:
        for line in lines:
            if line.number < self._first:
                self._seen = line.number
                continue
            play = line if line.blank else _play_in(line)
            if isinstance(play, str):
                await self._put_group()
                self._refuse(line, play)
            elif isinstance(play, StreamLog):
                self._group.append((line, play))
            self._seen = line.number
            if len(self._group) >= GROUP:
                await self._put_group()
        await self._put_group()

    async def _put_group(self) -> None:
        while self._group:
            try:
                await self._put([play for _, play in self._group])
            except InvalidLogError as error:
                # Fit when it was read, unfit now: its time has run out while it waited.
                await self._put_around(error)
            else:
                self._note_put()
        self.read = max(self.read, self._seen)
