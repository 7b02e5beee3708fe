"""Group commit: plays that are put at about the same time share one transaction."""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from itertools import chain

from attrs import define

from ...clock import Clock
from ...errors import ShipperClosedError, ShipperError, SpoolUnavailableError
from ...models import LogKind
from ..records import Bookmark, Record
from .writer import MAX_WEIGHT

logger = logging.getLogger("sevendigital_async.shipping")

PAUSE = 0.5
"""Seconds between tries while the disk takes nothing."""


@define(eq=False)
class Entry:
    """Plays of one call that are not in the file yet.

    Attributes:
        kind: Of the plays.
        records: The plays.
        size: Bytes of them.
        bookmark: To be kept with them.
        accepted: Done when they are durable; None if nobody waits for that.
        under_way: They are on their way into the file.
        withdrawn: Whoever put them has gone before that.
        ended: They are in the file, or never will be.
    """

    kind: LogKind
    records: Sequence[Record]
    size: int
    bookmark: Bookmark | None = None
    accepted: asyncio.Future[None] | None = None
    under_way: bool = False
    withdrawn: bool = False
    ended: bool = False


class Commits:
    """Puts entries into the file, in order, as many at a time as are there.

    Args:
        commit: Writes entries durably.
        dropped: Hears of entries that did not get into the file.
        report: Hears what keeps entries out of the file, and None when that is over.
        clock: Time.
    """

    def __init__(
        self,
        commit: Callable[[list[Entry]], Awaitable[None]],
        dropped: Callable[[Entry], None],
        report: Callable[[str | None], None],
        clock: Clock,
    ) -> None:
        self._commit = commit
        self._dropped = dropped
        self._report = report
        self._clock = clock
        self._entries: deque[Entry] = deque()
        self._under_way: list[Entry] = []
        self._arrived = asyncio.Event()
        self._closing = asyncio.Event()
        self._most = MAX_WEIGHT
        self._refusal: ShipperError | None = None
        self._task = asyncio.create_task(self._run(), name="spool commits")
        self.trouble: str | None = None
        self.failure: Exception | None = None

    @property
    def is_behind(self) -> bool:
        """Something that nobody waits for is not in the file yet, and may get there."""
        return self.failure is None and any(entry.accepted is None for entry in chain(self._under_way, self._entries))

    def on_their_way(self) -> list[Entry]:
        """Return what has been accepted without waiting for the file, and what is being written."""
        waiting = [entry for entry in self._entries if entry.accepted is None]
        return [entry for entry in (*self._under_way, *waiting) if not entry.ended]

    def expects(self, entry: Entry) -> bool:
        """Whether an entry will get into the file; while that takes nothing, only those that nobody waits for."""
        return not entry.ended and (entry.accepted is None or self.trouble is None) and self.failure is None

    def unwritten(self, kind: LogKind) -> int:
        """Count the plays of a kind that were accepted without waiting and are not in the file."""
        return sum(len(e.records) for e in self.on_their_way() if e.accepted is None and e.kind is kind)

    def add(self, entry: Entry) -> None:
        """Let an entry stand in line.

        Raises:
            Exception: What ended the work on this file.
        """
        if self.failure is not None:
            self._dropped(entry)
            raise self.failure.with_traceback(None)  # one that is raised again and again would collect tracebacks
        self._entries.append(entry)
        self._arrived.set()

    async def added(self, entry: Entry) -> None:
        """Let an entry stand in line and wait until it is durable.

        Cancelling this takes the entry out of the line; if it is on its way into the file, it may be accepted.
        """
        entry.accepted = asyncio.get_running_loop().create_future()
        self.add(entry)
        try:
            await entry.accepted
        except asyncio.CancelledError:
            if not entry.under_way:
                self._withdraw(entry)
            raise

    def refuse(self, error: ShipperError) -> None:
        """Stop trying to get entries into a file that takes nothing: who waits for one hears ``error``."""
        self._refusal = error
        if self.trouble is not None:
            self._give_up(error)

    async def aclose(self) -> int:
        """Write what is left, if the file takes it now, and stop.

        Returns:
            The plays that it did not take and that nobody waited for; who waited for others hears of it.
        """
        self._closing.set()
        self._arrived.set()
        await asyncio.wait([self._task])
        self._give_up(self._refusal or ShipperClosedError("the spool is closed"))
        for entry in self._entries:
            self._dropped(entry)
        self.failure = self.failure or ShipperClosedError("the spool is closed")
        return sum(len(entry.records) for entry in self._entries)

    async def _run(self) -> None:
        try:
            while True:
                while await self._next():
                    pass
                if self._closing.is_set():
                    return
                self._arrived.clear()
                await self._arrived.wait()
        except Exception as error:  # noqa: BLE001 - everybody who puts is told
            self.failure = error
            self._report(str(error))
            self._put_back()
            self._give_up(error)

    async def _next(self) -> bool:
        """Write the next entries; False when there are none, or none can be written before the end."""
        weight = 0
        while self._entries and weight < self._most:
            entry = self._entries.popleft()
            if entry.withdrawn:
                continue
            entry.under_way = True
            self._under_way.append(entry)
            weight += len(entry.records)
        if not self._under_way:
            return False
        try:
            await self._commit(self._under_way)
        except SpoolUnavailableError as error:
            alone = len(self._under_way) == 1
            self._put_back()
            self._most = 1  # where many together don't find room, one may
            return await self._wait_out(error) if alone else True
        for entry in self._under_way:
            if entry.accepted is not None and not entry.accepted.done():
                entry.accepted.set_result(None)
        self._under_way = []
        self._most = min(MAX_WEIGHT, 2 * self._most)
        self.trouble = None
        self._report(None)
        return True

    async def _wait_out(self, error: SpoolUnavailableError) -> bool:
        """Wait for a while; False when there is no time for another try."""
        self.trouble = str(error)
        self._report(self.trouble)
        if self._refusal is not None:
            self._give_up(self._refusal)
        if self._closing.is_set():
            return False
        await self._clock.wait(self._closing, PAUSE)
        return True

    def _put_back(self) -> None:
        for entry in self._under_way:
            entry.under_way = False
            if entry.accepted is not None and entry.accepted.done():
                self._withdraw(entry)
        # Who has gone must not be kept for as long as the file takes nothing.
        self._entries = deque(entry for entry in (*self._under_way, *self._entries) if not entry.withdrawn)
        self._under_way = []

    def _withdraw(self, entry: Entry) -> None:
        entry.withdrawn = True
        self._dropped(entry)

    def _give_up(self, error: Exception) -> None:
        """Send away who waits; what was put without waiting stays in line."""
        waiting = [entry for entry in self._entries if entry.accepted is not None and not entry.withdrawn]
        self._entries = deque(entry for entry in self._entries if entry.accepted is None and not entry.withdrawn)
        for entry in waiting:
            self._dropped(entry)
            if entry.accepted is not None and not entry.accepted.done():
                entry.accepted.set_exception(error)
