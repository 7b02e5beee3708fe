"""One run: read a source, put its plays, watch the shipper, stop, report."""

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
from ...monitoring import WorkerMonitor
from ...shipping import Alert, AlertKind, Counts, DeadLetter, MemorySpool, Statistics, StreamLogShipper
from ...shipping.spools.registry import shown
from ..output import ExitCode, LineLimit, one_line
from ..process import SignalWatcher
from .checkpoints import CheckpointedPut, Checkpoints
from .display import Display, Gauge
from .line_reader import Line, LineReader
from .options import ShipOptions, directory_of, durable_spool, read_spool
from .reject_file import RejectFile, write_rest
from .report import Report, RunCounts, StopReason, run_counts
from .source import Source


@define
class StallDetector:
    """Detects that nothing is delivered although plays wait.

    Attributes:
        seconds: How long that may last.
    """

    seconds: float
    _since: float
    _settled: int = 0

    def is_stalled(self, counts: Counts, now: float, *, stuck: bool = False, linger: float = 0.0) -> bool:
        """Return whether nothing was delivered or buried for too long.

        Args:
            counts: Of plays, now.
            now: Seconds of a monotonic clock.
            stuck: The spool accepts no plays.
            linger: Seconds that plays may wait until their batch is complete.
        """
        settled = counts.delivered + counts.buried
        idle = counts.waiting + counts.in_flight == 0 and not stuck
        if settled != self._settled or idle:
            self._settled, self._since = settled, now
        return not idle and now - self._since >= self.seconds + linger


REFRESH = 0.2
LAST_CHECKPOINT = 2.0
"""Seconds that the last checkpoint of a stopped run may take."""


class ShipRun:
    """Ships one source.

    Args:
        options: What to ship, and how.
        client: Of the service.
        source: Of the plays.
        rejected: For rejected lines and buried plays.
        unsent: For plays that are not delivered at the end.
        display: Shows progress and alerts.
        signals: The first one stops the run, the second one ends it at once.
        worker: Answers for the run if it is a service.

    Raises:
        ConfigurationError: There cannot be a spool of that name.
    """

    def __init__(
        self,
        options: ShipOptions,
        client: SevenDigital,
        source: Source,
        *,
        rejected: RejectFile,
        unsent: RejectFile,
        display: Display,
        signals: SignalWatcher,
        worker: WorkerMonitor | None = None,
    ) -> None:
        self._options = options
        self._source = source
        self._rejected = rejected
        self._unsent = unsent
        self._display = display
        self._signals = signals
        self._worker = worker or WorkerMonitor()
        self._memory = MemorySpool() if options.spool is None else None
        self._before = dict.fromkeys(LogKind, Counts())
        self._shipper = StreamLogShipper(
            client,
            spool=self._memory
            if options.spool is None
            else durable_spool(options.spool, options.synchronous, options.journal_days),
            user_tokens=options.tokens,
            in_doubt=options.in_doubt,
            lanes={options.kind: {"linger": options.linger}},
            on_dead_letter=self._on_dead_letter,
            on_alert=self._on_alert,
            metrics=self._worker.metrics,
            close_timeout=0.0,
        )
        # A pipe cannot be read again, and a spool in memory keeps no checkpoint.
        resumes = options.spool is not None and source.regular
        checkpoints = Checkpoints(source, options.kind, directory_of(options.spool or "")) if resumes else None
        self._checkpoints = checkpoints
        self._input = CheckpointedPut(self._shipper, options.kind, checkpoints, self._sync_rejected)
        self._reader = LineReader(source, self._input.put, self._reject, options.first_line or 1)
        self._stop: asyncio.Future[StopReason] = asyncio.get_running_loop().create_future()
        self._started = time.monotonic()
        self._spool_alert: str | None = None
        self._settled: Statistics | None = None
        self._say_rejected = LineLimit(display.say, f"{source.name}: more bad lines are not shown")
        self._say_buried = LineLimit(display.say, f"{source.name}: more buried plays are not shown")
        self._say_alert = LineLimit(display.say, "sevendigital: more alerts are not shown")

    async def run(self) -> Report:
        """Ship until everything is delivered or the run stops.

        Raises:
            ConfigurationError: The source cannot be opened, or has changed since an earlier run.
            SpoolError: The spool cannot be used.
        """
        if self._options.spool is not None:
            await self._read_spool(self._options.spool)
        with suppress(ShipperFailedError):  # the report has the reason
            async with self._shipper:
                self._begin_service()
                watchers = [asyncio.create_task(self._watch_shipper()), asyncio.create_task(self._watch_signals())]
                try:
                    await self._work_until_stopped(watchers)
                finally:
                    await _cancel(*watchers)
                if self._settled:
                    await self._shipper.aclose(self._options.drain)
        # Plays that other processes put into the same spool after all was delivered are not part of this run.
        statistics = self._settled or await self._shipper.statistics()
        self._display.show([self._gauge(statistics)])
        return self._report(statistics, time.monotonic() - self._started)

    # -- start and stop --

    async def _read_spool(self, spool: str) -> None:
        checkpoints = self._checkpoints
        found = await read_spool(spool, checkpoints.name if checkpoints else None)
        self._before |= found.counts
        self._input.expect(found.checkpoint)
        if checkpoints is not None and found.checkpoint is not None and self._options.first_line is None:
            position = await checkpoints.read(found.checkpoint)
            self._reader.begin(position)
            self._input.resume(position)
            name = one_line(self._source.name)
            self._display.say(f"sevendigital: {name}: continuing at line {position.line}, where an earlier run stopped")

    def _begin_service(self) -> None:
        self._worker.watch(self._shipper)
        if self._worker.url is not None:
            self._display.say(f"sevendigital: /healthz, /readyz, /metrics and /statistics are at {self._worker.url}")

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
        await self._reader.run()
        self._reader.check_first()
        if (line := self._reader.unfinished) is not None:
            self._display.say(
                f"{self._source.name}:{line.number}: left for the next run: the last line has no line feed and is not a"
                f" play ({one_line(self._reader.unfinished_reason)})"
            )
        await self._input.store(self._reader.reached)
        self._source.close()
        statistics = await self._shipper.flush()
        self._check_failure(statistics)
        if statistics.settled or statistics.flushed:
            self._settled = statistics

    async def _store_checkpoint(self) -> None:
        # Rejected lines may follow the last play. If this fails, they are only read again.
        if not self._reader.is_putting and not self._reader.finished:
            with suppress(ShipperError, OSError, TimeoutError):
                async with asyncio.timeout(LAST_CHECKPOINT):
                    await self._input.store(self._reader.reached)

    async def _drain(self) -> None:
        self._worker.stopping()
        end_at = time.monotonic() + self._options.drain
        await self._store_checkpoint()
        left = max(0.0, end_at - time.monotonic())
        # Closing, other than a flush, also finishes requests with plays that other workers have put meanwhile.
        draining: asyncio.Task[Any] = asyncio.create_task(self._shipper.aclose(left))
        hurry: asyncio.Task[Any] = asyncio.create_task(self._signals.again.wait())
        await asyncio.wait([draining, hurry], return_when=asyncio.FIRST_COMPLETED)
        await _cancel(draining, hurry)

    def _stop_with(self, reason: str, code: ExitCode) -> None:
        if not self._stop.done():
            self._stop.set_result(StopReason(reason, code))

    def _stop_for(self, failure: BaseException | None) -> None:
        match failure:
            case None:
                pass
            case ShipperError():
                self._stop_with(str(failure), ExitCode.WAITING)
            case OSError():
                self._stop_with(f"cannot read {self._source.name}: {failure.strerror}", ExitCode.WAITING)
            case _:
                raise failure

    def _check_failure(self, statistics: Statistics) -> None:
        if isinstance(statistics.failure, SpoolError):
            self._stop_with(str(statistics.failure), ExitCode.USAGE)
        elif statistics.failure is not None:
            self._stop_with(f"the shipper has failed: {statistics.failure!r}", ExitCode.WAITING)

    def _check_alert(self, alert: str | None) -> None:
        if alert is not None and self._spool_alert is None:
            self._say_alert(f"sevendigital: {one_line(alert)}")
        self._spool_alert = alert

    async def _watch_signals(self) -> None:
        await self._signals.first.wait()
        rest = f"delivering what was read for up to {self._options.drain:g} s; a second signal stops at once"
        self._stop_with(f"{self._signals.name}: stopped reading; {rest}", ExitCode.DONE)

    async def _watch_shipper(self) -> None:
        stall = StallDetector(self._options.patience, time.monotonic())
        while True:
            statistics = await self._shipper.statistics()
            self._display.show([self._gauge(statistics)])
            self._check_failure(statistics)
            self._check_alert(statistics.spool_alert)
            stuck = statistics.spool_alert is not None
            # Only batches from a pipe wait for more input.
            linger = 0.0 if self._source.regular else self._options.linger
            if stall.is_stalled(statistics.total, time.monotonic(), stuck=stuck, linger=linger):
                reason = f"nothing was delivered for {self._options.patience:g} s; stopped"
                self._stop_with(reason, ExitCode.USAGE if stuck else ExitCode.WAITING)
            await asyncio.sleep(REFRESH)

    # -- callbacks of the shipper and the reader --

    def _on_alert(self, _kind: LogKind, alert: Alert) -> None:
        match alert:
            case Alert(kind=AlertKind.AUTHENTICATION, user_id=None):
                self._stop_with(f"check the key and the secret: {alert.message}", ExitCode.USAGE)
            case Alert(kind=AlertKind.SUSPENDED):
                self._stop_with(alert.message, ExitCode.WAITING)
            case _:
                self._say_alert(f"sevendigital: {one_line(alert.message)}")

    def _reject(self, line: Line, reason: str) -> None:
        self._write_rejected(line.data)
        self._say_rejected(f"{self._source.name}:{line.number}: {one_line(reason)}")

    def _on_dead_letter(self, letter: DeadLetter) -> None:
        if self._memory is not None:  # other spools keep it
            self._write_rejected(letter.body)
        doubt = " (the service may have it)" if letter.in_doubt else ""
        self._say_buried(f"{self._source.name}: buried: {one_line(letter.reason)}{doubt}")

    def _write_rejected(self, line: bytes) -> None:
        try:
            self._rejected.write(line)
        except OSError as error:
            self._stop_for_rejected(error)
            raise

    async def _sync_rejected(self) -> None:
        try:
            await asyncio.to_thread(self._rejected.sync)
        except OSError as error:
            self._stop_for_rejected(error)
            raise

    def _stop_for_rejected(self, error: OSError) -> None:
        self._stop_with(f"cannot write {self._rejected.place}: {error.strerror}", ExitCode.USAGE)

    # -- progress and report --

    def _counts(self, kind: LogKind, statistics: Statistics) -> RunCounts:
        return run_counts(self._before[kind], statistics.lanes[kind].counts)

    def _gauge(self, statistics: Statistics) -> Gauge:
        # The share of what was read that is done.
        counts, rejected = self._counts(self._options.kind, statistics), self._reader.rejected
        read = counts.put + counts.left + rejected
        done_plays = counts.delivered + counts.buried + rejected
        done = self._reader.size * done_plays / read if read else 0
        facts = [
            f"{counts.delivered:,} delivered",
            f"{counts.waiting:,} waiting",
            *([f"{rejected:,} rejected"] if rejected else []),
            *([f"{counts.buried:,} buried"] if counts.buried else []),
            *([f"{counts.in_doubt:,} in doubt"] if counts.in_doubt else []),
            f"{counts.delivered / (time.monotonic() - self._started):,.0f}/s",
        ]
        return Gauge(self._source.name, done, self._source.size, ", ".join(facts))

    def _report(self, statistics: Statistics, seconds: float) -> Report:
        options, reader = self._options, self._reader
        lane, counts = statistics.lanes[options.kind], self._counts(options.kind, statistics)
        reader.settle(counts.put)
        unread = [] if self._source.regular else reader.take_rest()
        rest = write_rest(options.kind, self._memory, unread, rejected=self._rejected, unsent=self._unsent)
        if rest.failure:
            self._display.say(f"sevendigital: {rest.failure}")
        others = {kind: self._counts(kind, statistics) for kind in LogKind if kind is not options.kind}
        return Report(
            input=self._source.name,
            kind=options.kind,
            lines=reader.lines,
            put=counts.put,
            left=counts.left,
            delivered=counts.delivered,
            rejected=reader.rejected,
            buried=counts.buried,
            in_doubt=counts.in_doubt,
            held=counts.held,
            waiting=counts.waiting,
            requests=lane.requests,
            largest_batch=lane.largest_batch,
            seconds=seconds,
            continue_at=None if reader.finished and not reader.unfinished else reader.next_line,
            unfinished_line=reader.unfinished.number if reader.unfinished else None,
            stop=self._stop.result() if self._stop.done() else None,
            rejected_file=self._rejected.path,
            unsent_file=self._unsent.path,
            unsent=self._unsent.lines,
            unsent_in_doubt=rest.in_doubt,
            lost=rest.lost,
            spool=None if options.spool is None else shown(options.spool),
            begun_at=options.first_line,
            resumes=self._checkpoints is not None,
            flushed=self._settled is not None,
            others={kind: each for kind, each in others.items() if each.left},
        )


async def _cancel(*tasks: asyncio.Task[Any]) -> None:
    """Cancel tasks and wait for their end."""
    for task in tasks:
        task.cancel()
    await asyncio.wait(tasks)
