"""One input on its way to the service: reading, watching, stopping, draining."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from contextlib import suppress
from typing import Any

from attrs import define

from ...client import SevenDigital
from ...errors import ShipperError, ShipperFailedError, SpoolError
from ...models import LogKind
from ...shipping import Alert, AlertKind, Counts, DeadLetter, MemorySpool, Statistics, StreamLogShipper
from ...shipping.spools.registry import shown
from ..output import ExitCode, FirstFew, one_line
from ..process import SignalWatcher
from .checkpoints import Checkpoints, Inlet
from .display import Display, Gauge
from .line_reader import Line, LineReader
from .options import ShipOptions, directory_of, look_into, spool_at
from .reject_file import RejectFile, keep_rest
from .report import Report, RunCounts, Stop, tally
from .source import Source


@define
class StallDetector:
    """Notices when nothing gets on although something waits.

    Attributes:
        seconds: How long that may last.
    """

    seconds: float
    _since: float
    _settled: int = 0

    def ended(self, counts: Counts, now: float, *, stuck: bool = False, linger: float = 0.0) -> bool:
        """Look at the numbers; True if nothing was delivered or buried for too long.

        Args:
            counts: Where the plays are.
            now: Seconds.
            stuck: Nothing can be put, either.
            linger: Seconds that plays may wait for others before they are sent, which is no sign of trouble.
        """
        settled = counts.delivered + counts.buried
        idle = counts.waiting + counts.in_flight == 0 and not stuck
        if settled != self._settled or idle:
            self._settled, self._since = settled, now
        return not idle and now - self._since >= self.seconds + linger


REFRESH = 0.2
LAST_NOTE = 2.0
"""Seconds that noting how far the input was read may take when a run has been stopped."""


class ShipRun:
    """Ships one source.

    Args:
        order: What to ship, and how.
        client: Carries the plays.
        source: Where they come from.
        rejected: Keeps rejected lines and buried plays.
        unsent: Keeps what is undelivered at the end.
        display: Shows progress and trouble.
        interruptions: Signals.

    Raises:
        ConfigurationError: There is no such spool.
    """

    def __init__(
        self,
        order: ShipOptions,
        client: SevenDigital,
        source: Source,
        *,
        rejected: RejectFile,
        unsent: RejectFile,
        display: Display,
        interruptions: SignalWatcher,
    ) -> None:
        self._order = order
        self._source = source
        self._rejected = rejected
        self._unsent = unsent
        self._display = display
        self._interruptions = interruptions
        self._memory = MemorySpool() if order.spool is None else None
        self._before = dict.fromkeys(LogKind, Counts())
        self._shipper = StreamLogShipper(
            client,
            spool=self._memory if order.spool is None else spool_at(order.spool, order.synchronous, order.journal_days),
            user_tokens=order.tokens,
            in_doubt=order.in_doubt,
            lanes={order.kind: {"linger": order.linger}},
            on_dead_letter=self._bury,
            on_alert=self._apply,
            close_timeout=0.0,
        )
        # A pipe can't be read again, and memory remembers nothing.
        lasting = order.spool is not None and source.regular
        checkpoints = Checkpoints(source, order.kind, directory_of(order.spool or "")) if lasting else None
        self._bookmarks = checkpoints
        self._inlet = Inlet(self._shipper, order.kind, checkpoints, self._secure_rejected)
        self._feed = LineReader(source, self._inlet.put, self._reject, order.first_line or 1)
        self._stop: asyncio.Future[Stop] = asyncio.get_running_loop().create_future()
        self._started = time.monotonic()
        self._spool_trouble: str | None = None
        self._settled: Statistics | None = None
        self._say_rejected = FirstFew(display.say, f"{source.name}: more bad lines, not shown here")
        self._say_buried = FirstFew(display.say, f"{source.name}: more buried plays, not shown here")
        self._say_trouble = FirstFew(display.say, "sevendigital: more trouble, not shown here")

    async def run(self) -> Report:
        """Ship until everything is delivered, or until going on makes no sense.

        Raises:
            ConfigurationError: The source cannot be opened, or has changed since an earlier run.
            SpoolError: The spool cannot be used.
        """
        if self._order.spool is not None:
            await self._look_into(self._order.spool)
        with suppress(ShipperFailedError):  # the report tells of it
            async with self._shipper:
                watchers = [asyncio.create_task(self._watch()), asyncio.create_task(self._listen())]
                try:
                    await self._work_until_stopped(watchers)
                finally:
                    await _cancel(*watchers)
                if self._settled:
                    await self._shipper.aclose(self._order.drain)
        # Once all is delivered this run is done; what other workers put into the same spool after that is theirs.
        statistics = self._settled or await self._shipper.statistics()
        self._display.show([self._gauge(statistics)])
        return self._report(statistics, time.monotonic() - self._started)

    # -- going and stopping --

    async def _look_into(self, spool: str) -> None:
        checkpoints = self._bookmarks
        found = await look_into(spool, checkpoints.name if checkpoints else None)
        self._before |= found.counts
        self._inlet.follow(found.position)
        if checkpoints is not None and found.position is not None and self._order.first_line is None:
            mark = await checkpoints.read(found.position)
            self._feed.begin(mark)
            self._inlet.resume(mark)
            name = one_line(self._source.name)
            self._display.say(f"sevendigital: {name}: going on at line {mark.line}, where an earlier run stopped")

    async def _work_until_stopped(self, watchers: Sequence[asyncio.Task[None]]) -> None:
        work = asyncio.create_task(self._work())
        ends: list[asyncio.Future[Any]] = [work, self._stop, *watchers]
        await asyncio.wait(ends, return_when=asyncio.FIRST_COMPLETED)
        await _cancel(work)
        for task in (work, *watchers):
            if task.done() and not task.cancelled():
                self._stop_for(task.exception())
        if self._stop.done():
            self._display.say(f"sevendigital: {one_line(self._stop.result().reason)}")
            await self._drain()

    async def _work(self) -> None:
        await self._feed.run()
        self._feed.check_first()
        if (line := self._feed.unfinished) is not None:
            self._display.say(
                f"{self._source.name}:{line.number}: left for the next run: the last line has no line feed and is not a"
                f" play ({one_line(self._feed.unfinished_reason)})"
            )
        await self._inlet.note(self._feed.hit)
        self._source.close()
        statistics = await self._shipper.flush()
        self._look_for_failure(statistics)
        if statistics.settled or statistics.flushed:
            self._settled = statistics

    async def _note_rest(self) -> None:
        # Lines that are no plays may follow the last that is one. Whatever hinders this: they are only read again.
        if not self._feed.is_putting and not self._feed.finished:
            with suppress(ShipperError, OSError, TimeoutError):
                async with asyncio.timeout(LAST_NOTE):
                    await self._inlet.note(self._feed.hit)

    async def _drain(self) -> None:
        end_at = time.monotonic() + self._order.drain
        await self._note_rest()
        left = max(0.0, end_at - time.monotonic())
        # Closing, other than a flush, also finishes requests with plays that other workers have put meanwhile.
        draining: asyncio.Task[Any] = asyncio.create_task(self._shipper.aclose(left))
        hurry: asyncio.Task[Any] = asyncio.create_task(self._interruptions.again.wait())
        await asyncio.wait([draining, hurry], return_when=asyncio.FIRST_COMPLETED)
        await _cancel(draining, hurry)

    def _stop_with(self, reason: str, code: ExitCode) -> None:
        if not self._stop.done():
            self._stop.set_result(Stop(reason, code))

    def _stop_for(self, failure: BaseException | None) -> None:
        match failure:
            case None:
                pass
            case ShipperError():
                self._stop_with(str(failure), ExitCode.WAITING)
            case OSError():
                self._stop_with(f"{self._source.name}: cannot be read on: {failure.strerror}", ExitCode.WAITING)
            case _:
                raise failure

    def _look_for_failure(self, statistics: Statistics) -> None:
        if isinstance(statistics.failure, SpoolError):
            self._stop_with(str(statistics.failure), ExitCode.USAGE)
        elif statistics.failure is not None:
            self._stop_with(f"the shipper has failed: {statistics.failure!r}", ExitCode.WAITING)

    def _look_for_trouble(self, trouble: str | None) -> None:
        if trouble is not None and self._spool_trouble is None:
            self._say_trouble(f"sevendigital: {one_line(trouble)}")
        self._spool_trouble = trouble

    async def _listen(self) -> None:
        await self._interruptions.first.wait()
        rest = f"what was read is delivered for up to {self._order.drain:g} s, a second signal stops at once"
        self._stop_with(f"{self._interruptions.name}: reading no further; {rest}", ExitCode.DONE)

    async def _watch(self) -> None:
        patience = StallDetector(self._order.patience, time.monotonic())
        while True:
            statistics = await self._shipper.statistics()
            self._display.show([self._gauge(statistics)])
            self._look_for_failure(statistics)
            self._look_for_trouble(statistics.spool_alert)
            stuck = statistics.spool_alert is not None
            # A file fills its batches at once; only a pipe keeps some waiting for company.
            linger = 0.0 if self._source.regular else self._order.linger
            if patience.ended(statistics.total, time.monotonic(), stuck=stuck, linger=linger):
                reason = f"nothing was delivered for {self._order.patience:g} s; giving up for now"
                self._stop_with(reason, ExitCode.USAGE if stuck else ExitCode.WAITING)
            await asyncio.sleep(REFRESH)

    # -- what the shipper and the feed say --

    def _apply(self, _kind: LogKind, trouble: Alert) -> None:
        match trouble:
            case Alert(kind=AlertKind.AUTHENTICATION, user_id=None):
                self._stop_with(f"check the key and the secret: {trouble.message}", ExitCode.USAGE)
            case Alert(kind=AlertKind.SUSPENDED):
                self._stop_with(trouble.message, ExitCode.WAITING)
            case _:
                self._say_trouble(f"sevendigital: {one_line(trouble.message)}")

    def _reject(self, line: Line, reason: str) -> None:
        self._keep_rejected(line.data)
        self._say_rejected(f"{self._source.name}:{line.number}: {one_line(reason)}")

    def _bury(self, letter: DeadLetter) -> None:
        if self._memory is not None:  # any other spool keeps it
            self._keep_rejected(letter.body)
        doubt = " (the service may have it all the same)" if letter.in_doubt else ""
        self._say_buried(f"{self._source.name}: buried: {one_line(letter.reason)}{doubt}")

    def _keep_rejected(self, line: bytes) -> None:
        try:
            self._rejected.write(line)
        except OSError as error:
            self._stop_for_rejected(error)
            raise

    async def _secure_rejected(self) -> None:
        try:
            await asyncio.to_thread(self._rejected.sync)
        except OSError as error:
            self._stop_for_rejected(error)
            raise

    def _stop_for_rejected(self, error: OSError) -> None:
        self._stop_with(f"cannot write {self._rejected.place}: {error.strerror}", ExitCode.USAGE)

    # -- what is shown and what is told --

    def _tally(self, kind: LogKind, statistics: Statistics) -> RunCounts:
        return tally(self._before[kind], statistics.lanes[kind].counts)

    def _gauge(self, statistics: Statistics) -> Gauge:
        # How much of what was read has come through says how far the input has come.
        tally, rejected = self._tally(self._order.kind, statistics), self._feed.rejected
        taken = tally.put + tally.left + rejected
        through = tally.delivered + tally.buried + rejected
        done = self._feed.size * through / taken if taken else 0
        facts = [
            f"{tally.delivered:,} delivered",
            f"{tally.waiting:,} waiting",
            *([f"{rejected:,} rejected"] if rejected else []),
            *([f"{tally.buried:,} buried"] if tally.buried else []),
            *([f"{tally.in_doubt:,} in doubt"] if tally.in_doubt else []),
            f"{tally.delivered / (time.monotonic() - self._started):,.0f}/s",
        ]
        return Gauge(self._source.name, done, self._source.size, ", ".join(facts))

    def _report(self, statistics: Statistics, seconds: float) -> Report:
        order, feed = self._order, self._feed
        lane, tally = statistics.lanes[order.kind], self._tally(order.kind, statistics)
        feed.settle(tally.put)
        unread = [] if self._source.regular else feed.leave()
        kept = keep_rest(order.kind, self._memory, unread, rejected=self._rejected, unsent=self._unsent)
        if kept.failure:
            self._display.say(f"sevendigital: {kept.failure}")
        others = {kind: self._tally(kind, statistics) for kind in LogKind if kind is not order.kind}
        return Report(
            input=self._source.name,
            kind=order.kind,
            lines=feed.lines,
            put=tally.put,
            left=tally.left,
            delivered=tally.delivered,
            rejected=feed.rejected,
            buried=tally.buried,
            in_doubt=tally.in_doubt,
            held=tally.held,
            waiting=tally.waiting,
            requests=lane.requests,
            largest_batch=lane.largest_batch,
            seconds=seconds,
            continue_at=None if feed.finished and not feed.unfinished else feed.next_line,
            unfinished_line=feed.unfinished.number if feed.unfinished else None,
            stop=self._stop.result() if self._stop.done() else None,
            rejected_file=self._rejected.path,
            unsent_file=self._unsent.path,
            unsent=self._unsent.lines,
            unsent_in_doubt=kept.in_doubt,
            lost=kept.lost,
            spool=None if order.spool is None else shown(order.spool),
            begun_at=order.first_line,
            resumes=self._bookmarks is not None,
            flushed=self._settled is not None,
            others={kind: tally for kind, tally in others.items() if tally.left},
        )


async def _cancel(*tasks: asyncio.Task[Any]) -> None:
    """Cancel tasks, if they still run, and wait for their end."""
    for task in tasks:
        task.cancel()
    await asyncio.wait(tasks)
