"""One input on its way to the service: reading, watching, stopping, draining."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping
from contextlib import suppress
from functools import partial
from typing import Any, Literal

from attrs import define, frozen

from ..client import SevenDigital
from ..config import UserToken
from ..errors import ShipperError, ShipperFailedError
from ..models import LogKind
from ..shipping import Counts, DeadLetter, MemorySpool, Statistics, StreamLogShipper, Trouble, TroubleKind
from .display import Display, Gauge
from .exits import ExitCode
from .feed import Feed
from .keeping import keep_rest
from .leftovers import Leftovers
from .lines import Line
from .output import FirstFew, one_line
from .report import Report, Stop
from .signals import Interruptions
from .source import Source

REFRESH = 0.2


@frozen(kw_only=True)
class Order:
    """What to ship, and how.

    Attributes:
        kind: Of the plays.
        tokens: Of users; None if the partner signs alone.
        spool: Where accepted plays wait; None for memory.
        in_doubt: What becomes of plays whose answer was lost.
        first_line: Number of the line to begin with.
        patience: Seconds without a single delivery after which to give up.
        drain: Seconds that delivering may take after a stop.
        linger: Seconds that an incomplete batch waits for company.
    """

    kind: LogKind
    tokens: Mapping[str, UserToken] | None = None
    spool: str | None = None
    in_doubt: Literal["resend", "hold"] = "resend"
    first_line: int = 1
    patience: float = 300.0
    drain: float = 30.0
    linger: float = 5.0


@define
class Patience:
    """Notices when nothing gets on although something waits.

    Attributes:
        seconds: How long that may last.
    """

    seconds: float
    _since: float
    _settled: int = 0

    def ended(self, counts: Counts, now: float) -> bool:
        """Look at the numbers; True if nothing was delivered or buried for too long."""
        settled = counts.delivered + counts.buried
        if settled != self._settled or counts.waiting + counts.in_flight == 0:
            self._settled, self._since = settled, now
        return now - self._since >= self.seconds


class Shipment:
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
        order: Order,
        client: SevenDigital,
        source: Source,
        *,
        rejected: Leftovers,
        unsent: Leftovers,
        display: Display,
        interruptions: Interruptions,
    ) -> None:
        self._order = order
        self._source = source
        self._rejected = rejected
        self._unsent = unsent
        self._display = display
        self._interruptions = interruptions
        self._memory = MemorySpool() if order.spool is None else None
        self._shipper = StreamLogShipper(
            client,
            spool=self._memory or order.spool,
            user_tokens=order.tokens,
            in_doubt=order.in_doubt,
            lanes={order.kind: {"linger": order.linger}},
            on_dead_letter=self._bury,
            on_trouble=self._heed,
            close_timeout=0.0,
        )
        self._feed = Feed(source, partial(self._shipper.put_many, order.kind), self._reject, order.first_line)
        self._stop: asyncio.Future[Stop] = asyncio.get_running_loop().create_future()
        self._started = time.monotonic()
        self._say_rejected = FirstFew(display.say, f"{source.name}: more bad lines, not shown here")
        self._say_buried = FirstFew(display.say, f"{source.name}: more buried plays, not shown here")
        self._say_trouble = FirstFew(display.say, "sevendigital: more trouble, not shown here")

    async def run(self) -> Report:
        """Ship until everything is delivered, or until going on makes no sense.

        Raises:
            ConfigurationError: The source cannot be opened.
        """
        with suppress(ShipperFailedError):  # the report tells of it
            async with self._shipper:
                watchers = [asyncio.create_task(self._watch()), asyncio.create_task(self._listen())]
                try:
                    await self._work_until_stopped()
                finally:
                    await _cancel(*watchers)
        statistics = await self._shipper.statistics()
        self._display.show([self._gauge(statistics.lanes[self._order.kind].counts)])
        return self._report(statistics, time.monotonic() - self._started)

    # -- going and stopping --

    async def _work_until_stopped(self) -> None:
        work = asyncio.create_task(self._work())
        ends: list[asyncio.Future[Any]] = [work, self._stop]
        await asyncio.wait(ends, return_when=asyncio.FIRST_COMPLETED)
        await _cancel(work)
        if not work.cancelled():
            self._stop_for(work.exception())
        if self._stop.done():
            self._display.say(f"sevendigital: {one_line(self._stop.result().reason)}")
            await self._drain()

    async def _work(self) -> None:
        await self._feed.run()
        self._feed.check_first()
        self._look_for_failure(await self._shipper.flush())

    async def _drain(self) -> None:
        draining: asyncio.Task[Any] = asyncio.create_task(self._shipper.flush(self._order.drain))
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
        if statistics.failure is not None:
            self._stop_with(f"the shipper has failed: {statistics.failure!r}", ExitCode.WAITING)

    async def _listen(self) -> None:
        await self._interruptions.first.wait()
        rest = f"what was read is delivered for up to {self._order.drain:g} s, a second signal stops at once"
        self._stop_with(f"{self._interruptions.name}: reading no further; {rest}", ExitCode.DONE)

    async def _watch(self) -> None:
        # A batch that waits for company is no sign of trouble.
        patience = Patience(self._order.patience + self._order.linger, time.monotonic())
        while True:
            statistics = await self._shipper.statistics()
            counts = statistics.lanes[self._order.kind].counts
            self._display.show([self._gauge(counts)])
            self._look_for_failure(statistics)
            if patience.ended(counts, time.monotonic()):
                reason = f"nothing was delivered for {self._order.patience:g} s; giving up for now"
                self._stop_with(reason, ExitCode.WAITING)
            await asyncio.sleep(REFRESH)

    # -- what the shipper and the feed say --

    def _heed(self, _kind: LogKind, trouble: Trouble) -> None:
        match trouble:
            case Trouble(kind=TroubleKind.AUTHENTICATION, user_id=None):
                self._stop_with(f"check the key and the secret: {trouble.message}", ExitCode.USAGE)
            case Trouble(kind=TroubleKind.SUSPENDED):
                self._stop_with(trouble.message, ExitCode.WAITING)
            case _:
                self._say_trouble(f"sevendigital: {one_line(trouble.message)}")

    def _reject(self, line: Line, reason: str) -> None:
        self._keep_rejected(line.data)
        self._say_rejected(f"{self._source.name}:{line.number}: {one_line(reason)}")

    def _bury(self, letter: DeadLetter) -> None:
        self._keep_rejected(letter.body)
        doubt = " (the service may have it all the same)" if letter.in_doubt else ""
        self._say_buried(f"{self._source.name}: buried: {one_line(letter.reason)}{doubt}")

    def _keep_rejected(self, line: bytes) -> None:
        try:
            self._rejected.write(line)
        except OSError as error:
            self._stop_with(f"cannot write {self._rejected.place}: {error.strerror}", ExitCode.USAGE)
            raise

    # -- what is shown and what is told --

    def _gauge(self, counts: Counts) -> Gauge:
        # How much of what was read has come through says how far the input has come.
        taken = counts.put + self._feed.rejected
        through = counts.delivered + counts.buried + self._feed.rejected
        done = self._feed.size * through / taken if taken else 0
        facts = [
            f"{counts.delivered:,} delivered",
            f"{counts.waiting + counts.in_flight:,} waiting",
            *([f"{self._feed.rejected:,} rejected"] if self._feed.rejected else []),
            *([f"{counts.buried:,} buried"] if counts.buried else []),
            *([f"{counts.in_doubt:,} in doubt"] if counts.in_doubt else []),
            f"{counts.delivered / (time.monotonic() - self._started):,.0f}/s",
        ]
        return Gauge(self._source.name, done, self._source.size, ", ".join(facts))

    def _report(self, statistics: Statistics, seconds: float) -> Report:
        lane = statistics.lanes[self._order.kind]
        counts, feed = lane.counts, self._feed
        feed.settle(counts.put)
        unread = [] if self._source.regular else feed.leave()
        kept = keep_rest(self._order.kind, self._memory, unread, rejected=self._rejected, unsent=self._unsent)
        if kept.failure:
            self._display.say(f"sevendigital: {kept.failure}")
        return Report(
            input=self._source.name,
            kind=self._order.kind,
            lines=feed.lines,
            put=counts.put,
            delivered=counts.delivered,
            rejected=feed.rejected,
            buried=counts.buried,
            in_doubt=counts.in_doubt,
            held=counts.held,
            waiting=counts.waiting + counts.in_flight,
            requests=lane.requests,
            largest_batch=lane.largest_batch,
            seconds=seconds,
            continue_at=None if feed.finished else feed.next_line,
            stop=self._stop.result() if self._stop.done() else None,
            rejected_file=self._rejected.path,
            unsent_file=self._unsent.path,
            unsent=self._unsent.lines,
            unsent_in_doubt=kept.in_doubt,
            lost=kept.lost,
        )


async def _cancel(*tasks: asyncio.Task[Any]) -> None:
    """Cancel tasks, if they still run, and wait for their end."""
    for task in tasks:
        task.cancel()
    await asyncio.wait(tasks)
