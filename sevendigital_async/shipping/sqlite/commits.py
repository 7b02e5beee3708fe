"""Group commit: plays that are put at about the same time share one transaction."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from itertools import chain

from ...clock import Clock
from ...errors import ShipperClosedError, ShipperError, SpoolError, SpoolUnavailableError
from ...models import LogKind
from ..supervisor import failure_of
from .arrivals import Arrivals
from .entry import Entry, Stage
from .jobs import MAX_WEIGHT

PAUSE = 0.5
"""Seconds between tries while the disk takes nothing."""


class Commits:
    """Puts entries into the file, in order, as many at a time as are there.

    Args:
        arrivals: Writes entries durably.
        report: Hears what keeps entries out of the file, and None when that is over.
        clock: Time.
    """

    def __init__(
        self,
        arrivals: Arrivals,
        report: Callable[[str | None], None],
        clock: Clock,
    ) -> None:
        self._arrivals = arrivals
        self._report = report
        self._clock = clock
        self._entries: deque[Entry] = deque()
        self._under_way: list[Entry] = []
        self._arrived = asyncio.Event()
        self._closing = asyncio.Event()
        self._most = MAX_WEIGHT
        self._refusal: ShipperError | None = None
        self._loop = asyncio.get_running_loop()
        self._task = self._loop.create_task(self._run(), name="spool commits")
        self.trouble: str | None = None
        self.failure: Exception | None = None

    @property
    def is_behind(self) -> bool:
        """Something counts as waiting that no lane can see yet, and may get there."""
        return self.failure is None and (
            self._arrivals.is_unsettled
            or any(entry.accepted is None for entry in chain(self._under_way, self._entries))
        )

    @property
    def is_stuck(self) -> bool:
        """What was withdrawn can't be taken out of the file for now."""
        return self.trouble is not None and bool(self._arrivals.withdrawn)

    def _check(self) -> None:
        """See that what stands in line will be written.

        Raises:
            Exception: What ended the work on this file.
        """
        if self._loop.is_closed() and not isinstance(self.failure, ShipperClosedError):
            self.failure = ShipperClosedError("the event loop that the spool was opened in has ended")
        if self.failure is not None:
            raise self.failure.with_traceback(None)  # one that is raised again and again would collect tracebacks

    def on_their_way(self) -> list[Entry]:
        """Return what has been accepted, or is being written, and can't be seen by lanes yet."""
        waiting = [entry for entry in self._entries if entry.accepted is None]
        entries = dict.fromkeys((*self._arrivals.unsettled, *self._under_way, *waiting))
        return [entry for entry in entries if entry.records and not entry.has_ended]

    def expects(self, entry: Entry) -> bool:
        """Whether lanes will see an entry; while the file takes nothing, only those that nobody waits for."""
        return not entry.has_ended and (entry.accepted is None or self.trouble is None) and self.failure is None

    def unsettled(self, kind: LogKind) -> int:
        """Count the plays of a kind that count as waiting and can't be seen by lanes yet."""
        return sum(len(entry.records) for entry in self.on_their_way() if entry.counted and entry.kind is kind)

    def add(self, entry: Entry) -> None:
        """Let an entry stand in line.

        Raises:
            Exception: What ended the work on this file.
        """
        try:
            self._check()
        except Exception:
            self._arrivals.drop(entry)
            raise
        self._entries.append(entry)
        self._arrived.set()

    async def added(self, entry: Entry) -> None:
        """Let an entry stand in line and wait until it is durable.

        Cancelling this takes the entry out of the line, or out of the file if it is on its way there or has just got
        there; before that is done no lane sees it, and nothing else is written.
        """
        entry.accepted = asyncio.get_running_loop().create_future()
        self.add(entry)
        try:
            await entry.accepted
        except (asyncio.CancelledError, GeneratorExit):
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
            self._arrivals.drop(entry)
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
        except asyncio.CancelledError:
            # The loop is ending. The thread does not need it to write what nobody waits for.
            unwaited = [entry for entry in self._entries if entry.accepted is None]
            self._entries = deque(entry for entry in self._entries if entry.accepted is not None)
            if unwaited:
                self._arrivals.submit(unwaited)
            # In this very turn of the loop: what another task puts now would never be written.
            self.failure = SpoolError("nothing is written to the spool any more: its task was cancelled")
            raise
        except Exception as error:  # noqa: BLE001 - everybody who puts is told
            self.failure = error
            self._report(str(error))
            self._put_back()
            self._give_up(error)

    async def _next(self) -> bool:
        """Write the next entries; False when there are none, or none can be written before the end."""
        self._gather()
        steps = len(self._under_way) + bool(self._arrivals.withdrawn)
        if not steps:
            return False
        try:
            await self._arrivals.write(self._under_way)
        except SpoolUnavailableError as error:
            self._put_back()
            self._most = 1  # where many together don't find room, one may
            return await self._wait_out(error) if steps == 1 else True
        self._accept(self._under_way)
        self._under_way = []
        self._most = min(MAX_WEIGHT, 2 * self._most)
        self.trouble = None
        self._report(None)
        # In this turn of the loop every call hears that it was accepted, or of a cancellation that came in between.
        await asyncio.sleep(0)
        self._arrivals.settle()
        return True

    def _accept(self, entries: list[Entry]) -> None:
        waiting = [(entry, entry.accepted) for entry in entries if entry.accepted is not None and entry.is_wanted]
        self._arrivals.count([entry for entry, _ in waiting])
        for _, accepted in waiting:
            accepted.set_result(None)

    def _gather(self) -> None:
        """Choose what is written next; after a failure, what is to be taken out of the file goes alone."""
        weight = self._most if self._arrivals.withdrawn and self._most == 1 else 0
        while self._entries and weight < self._most:
            entry = self._entries.popleft()
            if entry.stage is Stage.GONE:
                continue
            entry.stage = Stage.UNDER_WAY
            self._under_way.append(entry)
            weight += len(entry.records)

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
            entry.stage = Stage.IN_LINE
            if not entry.is_wanted:
                self._arrivals.drop(entry)
        # Who has gone must not be kept for as long as the file takes nothing.
        entries = chain(self._under_way, self._entries)
        self._entries = deque(entry for entry in entries if entry.stage is not Stage.GONE)
        self._under_way = []

    def _withdraw(self, entry: Entry) -> None:
        if entry.stage is Stage.IN_LINE:
            self._arrivals.drop(entry)
        elif entry.stage is not Stage.GONE:
            entry.withdrawn = True
            self._arrivals.uncount(entry)

    def _give_up(self, error: Exception) -> None:
        """Send away who waits; what was put without waiting stays in line."""
        entries = [entry for entry in self._entries if entry.stage is not Stage.GONE]
        self._entries = deque(entry for entry in entries if entry.accepted is None)
        for entry in entries:
            if entry.accepted is not None:
                self._arrivals.drop(entry)
                if not entry.accepted.done():
                    entry.accepted.set_exception(error)

    def watch(self, fail: Callable[[BaseException], None]) -> None:
        """Let ``fail`` hear of it if this is ended from outside; nobody who puts is left waiting then."""
        self._task.add_done_callback(lambda task: self._ended(task, fail))

    def _ended(self, task: asyncio.Task[None], fail: Callable[[BaseException], None]) -> None:
        if self._closing.is_set() or not task.cancelled():
            return
        fail(failure_of(task))
        for entry in self._under_way:
            if entry.accepted is not None and not entry.accepted.done():
                entry.accepted.set_exception(SpoolUnavailableError(f"{self.failure}; the play may have been written"))
        self._give_up(self.failure or SpoolError("nothing is written to the spool any more"))
