"""One run: read a source, put its plays, watch the shipper, stop, report."""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from attrs import asdict, define, frozen

from ...client import SevenDigital
from ...errors import ConfigurationError, ShipperError, ShipperFailedError, SpoolError
from ...models import LogKind, StreamLog
from ...models.encoded_log import EncodedLog
from ...monitoring import WorkerMonitor
from ...shipping import Alert, AlertKind, Checkpoint, Counts, DeadLetter, MemorySpool, Statistics, StreamLogShipper
from ...shipping.circuit_breaker import UNTIL_RESUME
from ...shipping.spools.registry import safe_location
from ...sources import BadRecord, FileSource, Ingestion, PendingPortion, Source, StreamCounts
from ..output import ExitCode, LineLimit, one_line
from ..process import SignalWatcher
from .display import Display, LibraryLogHandler
from .inputs import Input
from .options import ShipOptions, durable_spool, read_spool_contents, spool_exists
from .progress import HasLag, ProgressMeter
from .reject_file import RejectFile, with_kind, write_unsent
from .report import Report, RunCounts, SourceReport, StopReason, run_counts, sum_counts

if TYPE_CHECKING:
    from ...sources import DeadLetterTopic


@define
class StallDetector:
    """Detects that nothing is delivered although plays wait."""

    timeout: float
    _last_progress: float
    _settled_count: int = 0

    def is_stalled(self, counts: Counts, now: float, *, is_spool_blocked: bool = False, linger: float = 0.0) -> bool:
        """Return whether nothing was delivered or buried for too long.

        Args:
            counts: Counts of plays, now.
            now: Seconds of a monotonic clock.
            is_spool_blocked: The spool accepts no plays.
            linger: Seconds that plays may wait until their batch is complete.
        """
        settled = counts.delivered + counts.buried
        idle = counts.waiting + counts.in_flight == 0 and not is_spool_blocked
        if settled != self._settled_count or idle:
            self._settled_count, self._last_progress = settled, now
        return not idle and now - self._last_progress >= self.timeout + linger


REFRESH_INTERVAL = 0.2
LINE_LIMIT_PERIOD = 60.0
"""Seconds for which an endless run drops further lines about bad records."""


@frozen
class SyncedRejectSink:
    """Takes plays for the shipper; a checkpoint must not pass a rejected line that may be lost in a power cut."""

    shipper: StreamLogShipper
    rejected: RejectFile

    async def put_many(
        self, kind: LogKind, logs: Sequence[StreamLog | EncodedLog], *, checkpoint: Checkpoint | None = None
    ) -> int:
        """Accept all or none, and the checkpoint in the same step."""
        if checkpoint is not None and not self.rejected.is_synced:
            await asyncio.to_thread(self.rejected.sync)
        return await self.shipper.put_many(kind, logs, checkpoint=checkpoint)

    async def position(self, source: str) -> str | None:
        """Return the position of a stream's last checkpoint."""
        return await self.shipper.position(source)


class ShipRun:
    """Ships one input.

    Args:
        options: What to ship, and how.
        client: Of the service.
        inputs: What was typed.
        source: Reads it.
        dead_letter_topic: Takes bad messages, in place of ``rejected``; closed at the end.
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
        inputs: Input,
        source: Source,
        *,
        rejected: RejectFile,
        unsent: RejectFile,
        display: Display,
        signals: SignalWatcher,
        dead_letter_topic: DeadLetterTopic | None = None,
        worker: WorkerMonitor | None = None,
    ) -> None:
        self._options = options
        self._inputs = inputs
        self._source = source
        self._dead_letter_topic = dead_letter_topic
        self._rejected = rejected
        self._unsent = unsent
        self._display = display
        self._signals = signals
        self._worker = worker or WorkerMonitor()
        self._memory = MemorySpool() if options.spool is None else None
        self._counts_at_start = dict.fromkeys(LogKind, Counts())
        self._shipper = StreamLogShipper(
            client,
            spool=self._memory
            if options.spool is None
            else durable_spool(options.spool, options.synchronous, options.journal_days),
            user_tokens=options.tokens,
            in_doubt=options.in_doubt,
            lanes={kind: {"linger": options.linger} for kind in LogKind},
            on_dead_letter=self._on_dead_letter,
            on_alert=self._on_alert,
            metrics=self._worker.metrics,
            close_timeout=0.0,
        )
        sink = SyncedRejectSink(self._shipper, rejected)
        self._ingestion = Ingestion(source, sink, kind=options.kind, on_bad_records=self._reject)
        self._meter = ProgressMeter(inputs.name, source, self._ingestion.streams)
        self._stop_reason: asyncio.Future[StopReason] = asyncio.get_running_loop().create_future()
        self._started_at = time.monotonic()
        self._spool_alert: str | None = None
        self._final_statistics: Statistics | None = None
        self._report_rejected = self._line_limit(f"{inputs.name}: more bad lines are not shown")
        self._report_buried = self._line_limit(f"{inputs.name}: more buried plays are not shown")
        self._report_alert = self._line_limit("sevendigital: more alerts are not shown")

    async def run(self) -> Report:
        """Ship until everything is delivered or the run stops."""
        if self._worker.url is not None:
            self._display.echo(f"sevendigital: /healthz, /readyz, /metrics and /statistics are at {self._worker.url}")
        with LibraryLogHandler(self._display.echo, self._line_limit("sevendigital: more warnings are not shown")):
            await self._check_inputs()
            if not self._stop_reason.done():
                await self._ship()
        # Plays that other processes put into the same spool after all was delivered are not part of this run.
        statistics = self._final_statistics or await self._shipper.statistics()
        self._display.show(self._meter.bars(self._total_counts(statistics)))
        return self._report(statistics, time.monotonic() - self._started_at)

    # -- start and stop --

    async def _check_inputs(self) -> None:
        """Read what the spool has, and look into the files, before anything is made."""
        spool, source = self._options.spool, self._source
        async with read_spool_contents(spool) as found:
            self._counts_at_start |= found.counts
            if not isinstance(source, FileSource):
                return
            if self._inputs.is_rereadable:
                await source.check(found.position, needs_kind=self._options.kind is None)
            elif spool is None or not spool_exists(spool):
                # The first line of a pipe may take long. Plays that an earlier run has left don't wait for it.
                checking = asyncio.create_task(source.check(needs_kind=self._options.kind is None))
                signalled = asyncio.create_task(self._watch_signals())
                await asyncio.wait([checking, signalled], return_when=asyncio.FIRST_COMPLETED)
                await _cancel(signalled)
                if not checking.done():
                    await _cancel(checking)
                    self._display.echo(f"sevendigital: {one_line(self._stop_reason.result().reason)}")
                    await source.aclose()
                else:
                    checking.result()

    async def _ship(self) -> None:
        with suppress(ShipperFailedError):  # the report has the reason
            async with self._shipper:
                now = await self._shipper.statistics()
                if now.put != sum(counts.put for counts in self._counts_at_start.values()):
                    # Another run has ended meanwhile; its plays are not of this one.
                    self._counts_at_start |= {kind: lane.counts for kind, lane in now.lanes.items()}
                self._worker.watch(self._shipper, self._ingestion, self._source)
                watchers = [asyncio.create_task(self._watch_shipper()), asyncio.create_task(self._watch_signals())]
                try:
                    await self._work_until_stopped(watchers)
                finally:
                    await _cancel(*watchers)
                    if self._dead_letter_topic is not None:
                        await self._dead_letter_topic.aclose()
                if self._final_statistics:
                    await self._shipper.aclose(self._options.drain)

    async def _work_until_stopped(self, watchers: Sequence[asyncio.Task[None]]) -> None:
        work = asyncio.create_task(self._work())
        ends: list[asyncio.Future[Any]] = [work, self._stop_reason, *watchers]
        await asyncio.wait(ends, return_when=asyncio.FIRST_COMPLETED)
        await _cancel(work)
        for task in (work, *watchers):
            if task.done() and not task.cancelled():
                self._stop_for(task.exception())
        if self._stop_reason.done():
            self._display.echo(f"sevendigital: {one_line(self._stop_reason.result().reason)}")
            await self._drain()

    async def _work(self) -> None:
        await self._ingestion.run()
        for bad in self._source.unread_records.values() if isinstance(self._source, FileSource) else ():
            self._display.echo(
                f"{bad.place}: the last line has no line feed and is not a play; left for the next run"
                f" ({one_line(bad.reason)})"
            )
        statistics = await self._shipper.flush()
        self._check_failure(statistics)
        if statistics.settled or statistics.flushed:
            self._final_statistics = statistics

    async def _drain(self) -> None:
        self._worker.stopping()
        # Closing, other than a flush, also finishes requests with plays that other workers have put meanwhile.
        draining: asyncio.Task[Any] = asyncio.create_task(self._shipper.aclose(self._options.drain))
        hurry: asyncio.Task[Any] = asyncio.create_task(self._signals.second_signal.wait())
        await asyncio.wait([draining, hurry], return_when=asyncio.FIRST_COMPLETED)
        await _cancel(draining, hurry)

    def _stop_with(self, reason: str, code: ExitCode) -> None:
        if not self._stop_reason.done():
            self._stop_reason.set_result(StopReason(reason, code))

    def _stop_for(self, failure: BaseException | None) -> None:
        match failure:
            case None:
                pass
            case ShipperError():
                self._stop_with(str(failure), ExitCode.WAITING)
            case ConfigurationError() if self._ingestion.streams:
                self._stop_with(str(failure), ExitCode.WAITING)
            case OSError() if self._stop_reason.done():  # bad records can't be written
                pass
            case _:
                raise failure

    def _check_failure(self, statistics: Statistics) -> None:
        if isinstance(statistics.failure, SpoolError):
            self._stop_with(str(statistics.failure), ExitCode.USAGE)
        elif statistics.failure is not None:
            self._stop_with(f"the shipper has failed: {statistics.failure!r}", ExitCode.WAITING)

    def _check_alert(self, alert: str | None) -> None:
        if alert is not None and self._spool_alert is None:
            self._report_alert(f"sevendigital: {one_line(alert)}")
        self._spool_alert = alert

    async def _watch_signals(self) -> None:
        await self._signals.first_signal.wait()
        rest = f"delivering what was read for up to {self._options.drain:g} s; a second signal stops at once"
        self._stop_with(f"{self._signals.signal_name}: stopped reading; {rest}", ExitCode.DONE)

    async def _watch_shipper(self) -> None:
        patience = math.inf if self._options.patience is None else self._options.patience
        stall = StallDetector(patience, time.monotonic())
        while True:
            statistics = await self._shipper.statistics()
            self._display.show(self._meter.bars(self._total_counts(statistics)))
            self._check_failure(statistics)
            self._check_alert(statistics.spool_alert)
            stuck = statistics.spool_alert is not None
            # Only batches from a pipe, or of files that grow, wait for more input.
            waits = self._inputs.is_endless or not self._inputs.is_rereadable
            linger = self._options.linger if waits else 0.0
            if stall.is_stalled(statistics.total, time.monotonic(), is_spool_blocked=stuck, linger=linger):
                reason = f"nothing was delivered for {patience:g} s; stopped"
                self._stop_with(reason + _cause(statistics), ExitCode.USAGE if stuck else ExitCode.WAITING)
            await asyncio.sleep(REFRESH_INTERVAL)

    # -- callbacks of the shipper and the reader --

    def _on_alert(self, _kind: LogKind, alert: Alert) -> None:
        match alert:
            case Alert(kind=AlertKind.AUTHENTICATION, user_id=None):
                self._stop_with(f"check the key and the secret: {alert.message}", ExitCode.USAGE)
            case Alert(kind=AlertKind.SUSPENDED):
                reason = alert.message.removeprefix(UNTIL_RESUME)
                self._stop_with(f"suspended, because sending again does not help: {reason}", ExitCode.WAITING)
            case _:
                self._report_alert(f"sevendigital: {one_line(alert.message)}")

    async def _reject(self, records: Sequence[BadRecord]) -> None:
        if self._dead_letter_topic is not None:
            await self._dead_letter_topic(records)
        else:
            self._write_rejected(*(record.data for record in records))
        for record in records:
            self._report_rejected(f"{record.place}: {one_line(record.reason)}")

    def _on_dead_letter(self, letter: DeadLetter) -> None:
        if self._memory is not None:  # other spools keep it
            needs_kind = letter.kind is not self._options.kind
            self._write_rejected(with_kind(letter.body, letter.kind) if needs_kind else letter.body)
        doubt = " (the service may have it)" if letter.in_doubt else ""
        self._report_buried(f"{self._inputs.name}: buried: {one_line(letter.reason)}{doubt}")

    def _write_rejected(self, *lines: bytes) -> None:
        try:
            self._rejected.write(*lines)
        except OSError as error:
            self._stop_for_write_error(error)
            raise

    def _stop_for_write_error(self, error: OSError) -> None:
        self._stop_with(f"cannot write {self._rejected.target_path}: {error.strerror}", ExitCode.USAGE)

    def _line_limit(self, notice: str) -> LineLimit:
        return LineLimit(self._display.echo, notice, period=LINE_LIMIT_PERIOD if self._inputs.is_endless else None)

    # -- progress and report --

    def _counts_by_kind(self, statistics: Statistics) -> dict[LogKind, RunCounts]:
        return {kind: run_counts(self._counts_at_start[kind], lane.counts) for kind, lane in statistics.lanes.items()}

    def _total_counts(self, statistics: Statistics) -> RunCounts:
        return sum_counts(self._counts_by_kind(statistics).values())

    def _report(self, statistics: Statistics, seconds: float) -> Report:
        options, by_kind = self._options, self._counts_by_kind(statistics)
        self._ingestion.settle({kind: counts.put for kind, counts in by_kind.items()})
        others = {kind: counts for kind, counts in by_kind.items() if kind is not options.kind}
        is_mixed = options.kind is None or any(counts.put for counts in others.values())
        kinds = (
            {kind: counts for kind, counts in by_kind.items() if counts.put or counts.from_earlier_runs}
            if is_mixed
            else {}
        )
        lanes = [statistics.lanes[kind] for kind in (kinds if options.kind is None or is_mixed else [options.kind])]
        rest = write_unsent(
            self._memory, self._take_unput_portion(), rejected=self._rejected, unsent=self._unsent, needs_kind=is_mixed
        )
        if rest.failure:
            self._display.echo(f"sevendigital: {rest.failure}")
        sources = self._source_reports()
        only = sources[0] if len(sources) == 1 else None
        return Report(
            input=self._inputs.name,
            kind=None if is_mixed else options.kind,
            lines=sum(source.lines for source in sources),
            rejected=self._ingestion.rejected,
            **asdict(sum_counts(by_kind.values()) if is_mixed or options.kind is None else by_kind[options.kind]),
            requests=sum(lane.requests for lane in lanes),
            largest_batch=max((lane.largest_batch for lane in lanes), default=0),
            seconds=seconds,
            continue_at=only.continue_at if only else None,
            unfinished_line=only.unfinished_line if only else None,
            stop=self._stop_reason.result() if self._stop_reason.done() else None,
            rejected_file=self._rejected.path,
            unsent_file=self._unsent.path,
            unsent=self._unsent.lines,
            unsent_in_doubt=rest.in_doubt,
            lost=rest.lost,
            spool=None if options.spool is None else safe_location(options.spool),
            from_line=options.first_line,
            resumes=options.spool is not None and self._inputs.is_rereadable,
            flushed=self._final_statistics is not None,
            other_kinds={} if is_mixed else {kind: each for kind, each in others.items() if each.from_earlier_runs},
            kinds=kinds,
            sources=() if only else sources,
            lag=self._source.lag() if isinstance(self._source, HasLag) else None,
            moved_partitions=getattr(self._source, "moved_partitions", 0),
        )

    def _take_unput_portion(self) -> PendingPortion | None:
        """Return what was read and would be lost: of a pipe, or of a portion that is done in part and not in a file."""
        pending = self._ingestion.pending
        if pending is None or self._inputs.is_kafka:
            return None
        if self._inputs.is_rereadable and not (self._memory and pending.has_begun):
            return None
        return self._ingestion.abandon()

    def _source_reports(self) -> list[SourceReport]:
        """Return what was read of each source."""
        streams = self._ingestion.streams
        if not isinstance(self._source, FileSource):
            return [
                SourceReport(each.label, each.records, each.put, each.rejected)
                for each in streams.values()
                if each.records
            ]
        reports = []
        for name, progress in self._source.progress_by_stream().items():
            counts = streams.get(name, StreamCounts())
            at = progress.begin if counts.end is None else counts.end
            is_left = name in self._source.unread_records
            is_done = name in self._source.finished and not is_left
            reports.append(
                SourceReport(
                    progress.label,
                    counts.records,
                    counts.put,
                    counts.rejected,
                    None if is_done else at,
                    at if is_left else None,
                )
            )
        return reports


def _cause(statistics: Statistics) -> str:
    """Return why nothing is delivered, as far as that is known, to be added to a message."""
    lanes = statistics.lanes.values()
    alerts = [lane.alert.message for lane in lanes if lane.alert is not None]
    causes = [statistics.spool_alert, *(lane.last_failure for lane in lanes), *alerts]
    return next((f": {cause}" for cause in causes if cause), "")


async def _cancel(*tasks: asyncio.Task[Any]) -> None:
    """Cancel tasks and wait for their end."""
    for task in tasks:
        task.cancel()
    await asyncio.wait(tasks)
