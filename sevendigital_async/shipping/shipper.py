"""StreamLogShipper: accepts plays, sees them delivered, and says exactly what is where."""

from __future__ import annotations

import asyncio
import logging
import os
import random
from collections.abc import Awaitable, Callable, Iterable, Mapping
from itertools import chain, islice
from types import TracebackType
from typing import Any, Literal, Self

from ..clock import Clock, SystemClock
from ..config import UserToken
from ..errors import ConfigurationError, InvalidLogError, ShipperClosedError, ShipperFailedError
from ..models import LogKind, StreamLog
from .courier import PlayLogClient
from .ending import to_its_end
from .gate import Trouble
from .hooks import Hook, Hooks
from .intake import CurrentWindow, Intake
from .lane import Lane
from .metrics import Metrics, Watch, keep_measuring, measure
from .places import open_spool
from .records import Bookmark, DeadLetter, Delivery, Fate, Record
from .rules import lane_rules
from .spool import Owner, Spool
from .statistics import LaneStatistics, Statistics
from .watched import WatchedSpool

logger = logging.getLogger("sevendigital_async.shipping")

UserTokens = Mapping[str, UserToken] | Callable[[str], Awaitable[UserToken | None]]

PUTS_PER_BREATH = 500
"""Plays accepted in a row before other tasks get their turn, so that a busy producer can't stall the loop."""


class StreamLogShipper:
    """Ships plays in batches within the documented limits; nothing accepted is lost, nothing doubled silently.

    Use it as ``async with StreamLogShipper(client) as shipper:``; leaving the block delivers what can be delivered.

    Args:
        client: A ``SevenDigital`` client; it must outlive the shipper.
        spool: Where accepted plays wait: None for memory, the name of a file, or a spool that you have made, such
            as ``SqliteSpool("plays.db", synchronous="NORMAL")``.
        user_tokens: Tokens of users, a mapping or an async function from user id to token or None. With it,
            catalogue and subscriber plays are sent one user a request, signed by the user where there is a token;
            without it the partner signs alone and users travel together.
        in_doubt: What to do with plays whose answer was lost: ``"resend"`` risks a double, ``"hold"`` keeps them
            for a person. Either way they are counted as in doubt.
        lanes: Changes to the :class:`~sevendigital_async.shipping.rules.LaneRules` by kind, such as
            ``{LogKind.SUBSCRIBER: {"linger": 30.0}}``.
        on_delivered: Hears of each accepted batch; plain or async.
        on_dead_letter: Hears of each play set aside for good, and takes it over from a memory spool; plain or async.
        on_trouble: Hears, with the kind, what a person should look at.
        metrics: Counts and measures what happens, such as ``OpenTelemetryMetrics()`` of ``shipping.otel``.
        close_timeout: Seconds that leaving the block may take.
        clock: Time, for tests.
    """

    def __init__(
        self,
        client: PlayLogClient,
        *,
        spool: str | os.PathLike[str] | Spool | None = None,
        user_tokens: UserTokens | None = None,
        in_doubt: Literal["resend", "hold"] = "resend",
        lanes: Mapping[LogKind, Mapping[str, Any]] | None = None,
        on_delivered: Hook[Delivery] | None = None,
        on_dead_letter: Hook[DeadLetter] | None = None,
        on_trouble: Callable[[LogKind, Trouble], object] | None = None,
        metrics: Metrics | None = None,
        close_timeout: float = 30.0,
        clock: Clock | None = None,
    ) -> None:
        self._courier = client.play_logs
        self._clock = clock or SystemClock()
        self._spool = open_spool(spool)
        self._user_tokens = user_tokens
        self._rules = lane_rules(lanes)
        self._close_timeout = close_timeout
        self._changed = asyncio.Event()
        self._breath = asyncio.Lock()
        self._failure: BaseException | None = None
        self._spool_trouble: str | None = None
        self._runner: asyncio.Task[None] | None = None
        self._closed = False
        self._flushes = 0
        self._puts = 0
        self._intakes = {
            kind: Intake(kind, self._courier, separate=rules.signed_by_user and user_tokens is not None)
            for kind, rules in self._rules.items()
        }
        self._window = CurrentWindow(self._clock)
        try:
            self._in_doubt = Fate(in_doubt)
        except ValueError:
            raise ConfigurationError('in_doubt is "resend" or "hold"') from None
        self._watch = Watch(metrics)
        spool_of_lanes = WatchedSpool(self._spool, self._watch)
        hooks = Hooks(on_delivered, on_dead_letter, on_trouble)
        rng = random.Random()  # noqa: S311 - jitter, not a secret
        self._lanes = {
            kind: Lane(
                kind,
                rules,
                self._in_doubt,
                spool_of_lanes,
                self._watch,
                self._courier,
                self._token_of,
                hooks,
                self._clock,
                self._changed.set,
                rng,
            )
            for kind, rules in self._rules.items()
        }

    # -- life cycle --

    async def __aenter__(self) -> Self:
        """Open the spool and start working."""
        if self._runner is not None:
            raise ConfigurationError("a shipper is started once")
        tell, form = self._watch.tell, self._courier.form
        owner = Owner(self._rules, self._clock, self._heed_news, self._in_doubt, self._heed_spool, tell, form)
        await self._spool.open(owner)
        try:
            for kind, lane in self._lanes.items():
                if (await self._spool.counts(kind)).put:
                    lane.gate.pause(lane.rules.quiet_start)
        except BaseException:
            await to_its_end(self._spool.aclose())
            raise
        self._runner = asyncio.create_task(self._run(), name="StreamLogShipper")
        self._runner.add_done_callback(self._stopped)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Deliver what can be delivered within ``close_timeout`` and stop.

        Raises:
            ShipperFailedError: A background task had died (unless the block itself raised).
        """
        statistics = await self.aclose(self._close_timeout)
        if statistics.failure is not None and error is None:
            raise self._failed()

    async def aclose(self, timeout: float | None = None) -> Statistics:  # noqa: ASYNC109 - a budget, not a cancellation
        """Accept nothing more, deliver what can be delivered, stop. What is left stays in the spool.

        Args:
            timeout: Seconds for delivering; ``close_timeout`` if left out.

        Returns:
            What is where; ``failure`` tells of a background task that died.
        """
        if self._runner is None:
            self._closed = True
            return await self.statistics()
        self._spool.refuse(self._failed() if self._failure else ShipperClosedError("the shipper is closed"))
        self._closed = True
        timeout = self._close_timeout if timeout is None else timeout
        give_up_at = self._clock.monotonic() + timeout
        try:
            await self.flush(timeout)
            await self._finish(give_up_at)
        finally:
            await to_its_end(self._end(self._runner))
        return await self.statistics()

    async def _finish(self, give_up_at: float) -> None:
        """Begin no more requests, and wait for those that are under way: others may have put plays meanwhile."""
        for lane in self._lanes.values():
            lane.leaving = True
        while any(lane.leases for lane in self._lanes.values()):
            self._changed.clear()
            if (left := give_up_at - self._clock.monotonic()) <= 0:
                break
            await self._clock.wait(self._changed, left)

    async def _end(self, runner: asyncio.Task[None]) -> None:
        runner.cancel()
        await asyncio.wait([runner])
        await measure(self._spool, self._watch)
        await self._spool.aclose()

    async def _run(self) -> None:
        async with asyncio.TaskGroup() as lanes:
            for lane in self._lanes.values():
                lanes.create_task(lane.run(), name=f"{lane.kind.value} lane")
            lanes.create_task(keep_measuring(self._spool, self._watch, self._clock), name="gauges")

    def _stopped(self, runner: asyncio.Task[None]) -> None:
        if not runner.cancelled() and (failure := runner.exception()) is not None:
            while isinstance(failure, BaseExceptionGroup) and len(failure.exceptions) == 1:
                failure = failure.exceptions[0]
            self._failure = failure
            self._spool.refuse(self._failed())
        self._changed.set()

    def _failed(self) -> ShipperFailedError:
        error = ShipperFailedError(f"a background task of the shipper died of {self._failure!r}; restart the shipper")
        error.__cause__ = self._failure
        return error

    # -- plays in --

    async def put(self, kind: LogKind, log: StreamLog) -> None:
        """Accept one play, waiting for room if need be. When this returns, the play is the shipper's to deliver.

        Raises:
            InvalidLogError: The play is unfit and was not accepted; names the field.
            ShipperClosedError: The shipper is closed.
            ShipperFailedError: A background task died; the cause is chained.
        """
        record = self._intake(kind).record(log, self._window.now())
        self._puts += 1
        if self._puts % PUTS_PER_BREATH == 0:
            await asyncio.sleep(0)
        # Nothing is awaited after this: a cancellation must not hide that the play was accepted.
        await self._spool.append(kind, (record,))

    def put_nowait(self, kind: LogKind, log: StreamLog) -> None:
        """Accept one play without waiting; a durable spool writes it soon after.

        Raises:
            SpoolFullError: There is no room now; the play was not accepted.
            InvalidLogError: As for :meth:`put`, and so on.
        """
        self._spool.append_nowait(kind, (self._intake(kind).record(log, self._window.now()),))

    async def put_many(self, kind: LogKind, logs: Iterable[StreamLog], *, bookmark: Bookmark | None = None) -> int:
        """Accept several plays together: all of them, or none if one is unfit or the call is cancelled.

        Args:
            kind: Of all of them.
            logs: No more than the spool can hold at once.
            bookmark: How far a source has been read; kept in the same step, for :meth:`position`.

        Returns:
            How many were accepted.

        Raises:
            InvalidLogError: One is unfit, none was accepted; ``index`` says which.
            SpoolFullError: They would not even fit an empty spool.
            SpoolInUseError: Somebody else is reading the same source; see :class:`Bookmark`.
            ShipperClosedError: The shipper is closed.
            ShipperFailedError: A background task died.
        """
        records: list[Record] = []
        intake, window = self._intake(kind), self._window.now()
        source = iter(logs)
        try:
            ahead = list(islice(source, 1))  # who has no more must not stand in line to find that out
            while ahead:
                # One producer in each turn of the loop: many at once would keep everybody else waiting for all of them.
                async with self._breath:
                    intake.extend(records, chain(ahead, islice(source, PUTS_PER_BREATH - 1)), window)
                    ahead = list(islice(source, 1))
                    await asyncio.sleep(0)
        except InvalidLogError as error:
            number = len(records)
            raise InvalidLogError(f"log {number}: {error}", field=error.field, index=number) from None
        if records or bookmark is not None:
            await self._spool.append(kind, records, bookmark)
        return len(records)

    async def position(self, source: str) -> str | None:
        """Return the position of the last bookmark of a source, so that reading can go on there after a crash."""
        return await self._spool.bookmark(source)

    def _intake(self, kind: LogKind) -> Intake:
        if self._runner is None:
            raise ConfigurationError("the shipper is not started; use it as an async context manager")
        try:
            return self._intakes[kind]
        except KeyError:
            raise InvalidLogError(f"kind is one of {', '.join(LogKind)}, not {kind!r}", field="kind") from None

    # -- plays out --

    async def flush(self, timeout: float | None = None) -> Statistics:  # noqa: ASYNC109 - a budget, not a cancellation
        """Send everything now, incomplete batches included, and wait until nothing is left or nothing moves.

        Args:
            timeout: Seconds to wait at the most; None for as long as there is hope. Plays that wait for a person
                (a refused key, a suspended lane) don't keep it waiting.

        Returns:
            What is where; ``settled`` if everything has found its end.
        """
        give_up_at = None if timeout is None else self._clock.monotonic() + timeout
        self._flushes += 1
        self._set_flushing()
        try:
            while self._runner is not None and not self._runner.done():
                self._changed.clear()
                if all([await lane.stalled() for lane in self._lanes.values()]):
                    break
                left = None if give_up_at is None else give_up_at - self._clock.monotonic()
                if left is not None and left <= 0:
                    break
                await self._clock.wait(self._changed, left)
        finally:
            self._flushes -= 1
            self._set_flushing()
        return await self.statistics()

    def _set_flushing(self) -> None:
        for lane in self._lanes.values():
            lane.flushing = self._flushes > 0
            lane.wake()

    def resume(self, kind: LogKind | None = None) -> None:
        """Let lanes that were suspended, or wait after a refused key, try again; at once, if the service asked no wait.

        Args:
            kind: The one lane to resume; all of them if left out.
        """
        for lane in self._lanes.values() if kind is None else [self._lanes[kind]]:
            lane.gate.resume()
            lane.wake()

    async def statistics(self) -> Statistics:
        """Say what is where. The numbers of a kind always add up."""
        lanes = {
            kind: LaneStatistics(await self._spool.counts(kind), lane.requests, lane.largest_batch, lane.gate.trouble)
            for kind, lane in self._lanes.items()
        }
        return Statistics(lanes, self._failure, self._spool_trouble)

    def _heed_news(self, kind: LogKind) -> None:
        self._lanes[kind].wake()
        self._changed.set()  # another worker may have delivered what a flush is waiting for

    def _heed_spool(self, trouble: str | None) -> None:
        if trouble is None:
            logger.info("the spool works again", extra={"event": "spool-recovered"})
        else:
            logger.error("the spool: %s", trouble, extra={"event": "spool-trouble"})
        self._spool_trouble = trouble

    async def _token_of(self, user_id: str) -> UserToken | None:
        if self._user_tokens is None or isinstance(self._user_tokens, Mapping):
            return self._user_tokens.get(user_id) if self._user_tokens else None
        return await self._user_tokens(user_id)
