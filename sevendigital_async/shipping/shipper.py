"""StreamLogShipper: accepts plays, delivers them in batches, and reports where each of them is."""

from __future__ import annotations

import asyncio
import logging
import math
import os
import random
from collections.abc import Iterable, Mapping
from functools import partial
from itertools import islice
from types import TracebackType
from typing import Literal, Self

from attrs import evolve

from ..clock import Clock, SystemClock
from ..errors import ConfigurationError, InvalidLogError, ShipperClosedError, ShipperFailedError
from ..models import LogKind, StreamLog
from ..models.encoded_log import EncodedLog
from .callbacks import Callbacks
from .encoders import AcceptanceWindow, RecordEncoder, TracedEncoder
from .events import BatchDue, EventSink, LaneMeasured, QueueMeasured, SpoolAlertChanged, SpoolFailed
from .hooks import AlertHook, Hook, Hooks
from .lane import Lane
from .log_transport import LogTransport, PlayLogClient
from .metrics import Metrics, keep_measuring, measure, subscribe_metrics
from .records import Checkpoint, Counts, DeadLetter, Delivery, InDoubtPolicy, Record
from .rules import LaneChanges, lane_rules
from .spools.base import Spool, SpoolContext, run_to_completion
from .spools.registry import open_spool
from .statistics import LaneStatistics, Statistics
from .supervisor import Supervisor
from .tracing import BatchTracer, BatchTracing
from .user_tokens import TokenLookup, UserTokens

logger = logging.getLogger("sevendigital_async.shipping")

PUTS_PER_STEP = 500
"""Plays accepted in one step of the event loop, so that a busy producer can't stall it."""


class StreamLogShipper:
    """Ships plays in batches within the documented limits; nothing accepted is lost, nothing doubled silently.

    Use it as ``async with StreamLogShipper(client) as shipper:``; leaving the block delivers what can be delivered.

    Args:
        client: A ``SevenDigital`` client; it must outlive the shipper.
        spool: Where accepted plays wait: None for memory, a file name, a URL such as ``redis://localhost/0`` (see
            :func:`~sevendigital_async.shipping.spools.registry.register_scheme` for others), or a spool object, such
            as ``SqliteSpool("plays.db", synchronous="NORMAL")``.
        user_tokens: Tokens of users: a mapping, or a function, plain or async, from user id (as text) to token or None.
            With it, catalogue and subscriber plays are sent one user a request, signed by the user where there is a
            token; without it the partner signs alone and a request holds plays of many users. A failed lookup counts as
            a refused user: their plays wait, and an alert is raised.
        in_doubt: What to do with plays whose response was lost: ``"resend"`` risks a double, ``"hold"`` makes them dead
            letters, to be replayed or discarded. Either way they are counted as in doubt.
        lanes: Changes to the :class:`~sevendigital_async.shipping.rules.LaneRules` by kind, such as
            ``{LogKind.SUBSCRIBER: {"linger": 30.0}}``.
        on_delivered: Called with each accepted batch; plain or async.
        on_dead_letter: Called with each dead letter, which it takes over from a memory spool; plain or async.
        on_alert: Called with the kind and the alert; plain or async.
        metrics: Counts and measures events, such as ``PrometheusMetrics()`` of ``shipping.prometheus`` or
            ``OpenTelemetryMetrics()`` of ``shipping.otel``.
        tracer: Makes a span of each batch, such as ``OpenTelemetryTracer()`` of ``sevendigital_async.otel``.
        close_timeout: Seconds that leaving the block may take.
        lookup_timeout: Seconds that an async ``user_tokens`` may take for one user; then the lookup fails.
        hook_timeout: Seconds that one call of an async hook may take; then it is cancelled, and that is logged. A dead
            letter whose hook was cancelled counts as not taken over.
        clock: Time, for tests.
    """

    def __init__(
        self,
        client: PlayLogClient,
        *,
        spool: str | os.PathLike[str] | Spool | None = None,
        user_tokens: UserTokens | None = None,
        in_doubt: Literal["resend", "hold"] = "resend",
        lanes: Mapping[LogKind, LaneChanges] | None = None,
        on_delivered: Hook[Delivery] | None = None,
        on_dead_letter: Hook[DeadLetter] | None = None,
        on_alert: AlertHook | None = None,
        metrics: Metrics | None = None,
        tracer: BatchTracer | None = None,
        close_timeout: float = 30.0,
        lookup_timeout: float = 30.0,
        hook_timeout: float = 30.0,
        clock: Clock | None = None,
    ) -> None:
        self._transport = _transport_of(client)
        self._clock = clock or SystemClock()
        _check_seconds("close_timeout", close_timeout, least=0.0)
        _check_seconds("lookup_timeout", lookup_timeout)
        _check_seconds("hook_timeout", hook_timeout)
        self._spool = _checked(open_spool(spool))
        self._rules = lane_rules(lanes)
        self._close_timeout = close_timeout
        self._changed = asyncio.Event()
        self._put_lock = asyncio.Lock()
        self._failure: BaseException | None = None
        self._spool_alert: str | None = None
        self._is_spool_available = True
        self._loop: asyncio.AbstractEventLoop | None = None
        self._runner: asyncio.Future[None] | None = None
        self._closed = False
        self._ending: asyncio.Task[None] | None = None
        self._final: Statistics | None = None
        self._flushes = 0
        self._puts = 0
        tracing = BatchTracing(tracer)
        encoder = RecordEncoder if tracer is None else partial(TracedEncoder, tracing)
        self._encoders = {
            kind: encoder(kind, self._transport, signed_by_user=rules.signed_by_user and user_tokens is not None)
            for kind, rules in self._rules.items()
        }
        self._window = AcceptanceWindow(self._clock)
        if in_doubt not in ("resend", "hold"):
            raise ConfigurationError('in_doubt must be "resend" or "hold"')
        self._in_doubt = InDoubtPolicy(in_doubt)
        self._supervisor = Supervisor(self._fail, self._task_ended)
        lookup = TokenLookup(user_tokens, Callbacks(self._clock, lookup_timeout, self._supervisor.fail))
        callbacks = Callbacks(self._clock, hook_timeout, self._supervisor.fail)
        self._hooks = Hooks(on_delivered, on_dead_letter, on_alert, callbacks, self._supervisor.start_finite)
        self._sink = EventSink()
        self._hooks.subscribe(self._sink)
        if metrics is not None:
            subscribe_metrics(self._sink, metrics)
        self._sink.subscribe(BatchDue, self._on_batch_due)
        self._sink.subscribe(SpoolAlertChanged, self._on_spool_alert)
        self._sink.subscribe(SpoolFailed, lambda event: self._supervisor.fail(event.error))
        rng = random.Random()  # noqa: S311 - jitter, not a secret
        self._lanes = {
            kind: Lane(
                kind,
                rules,
                self._in_doubt,
                self._spool,
                self._sink,
                tracing,
                self._transport,
                lookup.token_of,
                self._clock,
                self._changed.set,
                rng,
            )
            for kind, rules in self._rules.items()
        }

    # -- life cycle --

    async def __aenter__(self) -> Self:
        """Open the spool and start working.

        Raises:
            ConfigurationError: It was started or closed before.
            SpoolError: The spool can't be used.
        """
        if self._loop is not None or self._closed:
            raise ConfigurationError("a shipper can be started only once; create a new one")
        self._loop = asyncio.get_running_loop()
        try:
            await self._open()
        except BaseException:
            self._loop = None
            raise
        self._runner = self._loop.create_future()
        for lane in self._lanes.values():
            lane.start(self._supervisor)
        if self._sink.has_subscriber(QueueMeasured):
            measuring = keep_measuring(self._spool, self._measure_lane, self._sink, self._clock)
            self._supervisor.start(measuring, "gauges")
        return self

    async def _open(self) -> None:
        dialect = self._transport.dialect
        await self._spool.open(SpoolContext(self._rules, self._clock, self._sink.emit, self._in_doubt, dialect))
        try:
            for kind, lane in self._lanes.items():
                if (await self._spool.counts(kind)).put:
                    lane.breaker.pause(lane.rules.initial_delay)
            self._check_usable()
        except BaseException:
            await run_to_completion(self._spool.aclose())
            raise

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Deliver what can be delivered within ``close_timeout`` and stop.

        Raises:
            ShipperFailedError: A background task has failed (unless the block itself raised).
        """
        statistics = await self.aclose(self._close_timeout)
        if statistics.failure is not None and error is None:
            raise self._failed()

    async def aclose(self, timeout: float | None = None) -> Statistics:  # noqa: ASYNC109 - a budget, not a cancellation
        """Accept no more plays, deliver what can be delivered, and stop. Undelivered plays stay in the spool.

        May be called more than once, also at the same time, and on a shipper that was never opened.

        Args:
            timeout: Seconds for delivering; ``close_timeout`` if left out.

        Returns:
            Where the plays are; ``failure`` is the error of a background task that has failed.
        """
        if self._final is not None:
            return self._final
        self._check_loop()
        if self._runner is None:
            self._closed = True
            return await self.statistics()
        if not self._closed:
            self._closed = True
            self._spool.refuse(self._failed() if self._failure else ShipperClosedError("the shipper is closed"))
        timeout = self._close_timeout if timeout is None else timeout
        give_up_at = self._clock.monotonic() + timeout
        try:
            await self.flush(timeout)
            await self._finish(give_up_at)
        finally:
            if self._ending is None:
                self._ending = asyncio.create_task(self._end(), name="closing")
            await run_to_completion(self._ending)
        return await self.statistics()

    async def _finish(self, give_up_at: float) -> None:
        """Lease no more batches, and wait for those that are leased: plays may have been put during the flush."""
        for lane in self._lanes.values():
            lane.closing = True
        while self._supervisor.is_running and any(lane.leases for lane in self._lanes.values()):
            self._changed.clear()
            if (left := give_up_at - self._clock.monotonic()) <= 0:
                break
            await self._clock.wait(self._changed, left)

    async def _end(self) -> None:
        try:
            await self._supervisor.stop()
            await measure(self._spool, self._measure_lane, self._sink)
        finally:
            await self._spool.aclose()
        self._final = await self.statistics()

    def _fail(self, failure: BaseException) -> None:
        self._failure = failure
        logger.critical("the shipper has failed: %r", failure, exc_info=failure, extra={"event": "failed"})
        if self._runner is not None:
            self._spool.refuse(self._failed())
        self._task_ended()

    def _task_ended(self) -> None:
        if self._runner is not None and not self._supervisor.is_running and not self._runner.done():
            self._runner.set_result(None)
        self._changed.set()

    def _failed(self) -> ShipperFailedError:
        error = ShipperFailedError(f"the shipper has failed, create a new one: {self._failure!r}")
        error.__cause__ = self._failure
        return error

    def _check_loop(self) -> None:
        """Refuse calls from a thread or event loop in which waiting for the shipper would never end."""
        if self._loop is not None and self._final is None and _running_loop() is not self._loop:
            raise ConfigurationError("the shipper belongs to another event loop; use one shipper per loop")

    # -- plays in --

    async def put(self, kind: LogKind, log: StreamLog) -> None:
        """Accept one play, waiting while the spool is full. When this returns, the shipper is responsible for the play.

        If it is cancelled, by a time limit for example, nothing was accepted, and the play may be put again.

        Raises:
            InvalidLogError: The play is invalid and was not accepted; names the field.
            ShipperClosedError: The shipper is closed.
            ShipperFailedError: A background task has failed; the cause is chained.
            ConfigurationError: The shipper is not started, or belongs to another event loop.
        """
        encoder = self._encoder(kind)
        record = encoder.record(log, self._window.now())
        self._puts += 1
        if self._puts % PUTS_PER_STEP == 0:
            await asyncio.sleep(0)
        # Nothing is awaited after this: the spool takes back what a cancellation has caught, but only until it returns.
        await self._spool.append(encoder.kind, (record,))

    def put_nowait(self, kind: LogKind, log: StreamLog) -> None:
        """Accept one play without waiting; a durable spool writes it soon after. For use in the shipper's event loop.

        Raises:
            SpoolFullError: The spool is full; the play was not accepted.
            InvalidLogError: As for :meth:`put`, as are the other errors.
        """
        encoder = self._encoder(kind)
        self._spool.append_nowait(encoder.kind, (encoder.record(log, self._window.now()),))

    async def put_many(
        self, kind: LogKind, logs: Iterable[StreamLog | EncodedLog], *, checkpoint: Checkpoint | None = None
    ) -> int:
        """Accept several plays together: all of them, or none if one is invalid or the call is cancelled.

        Args:
            kind: Kind of all of them.
            logs: No more than the spool can hold.
            checkpoint: How far a source has been read; stored in the same step, for :meth:`position`.

        Returns:
            How many were accepted.

        Raises:
            InvalidLogError: One is invalid, none was accepted; ``index`` is its place in ``logs``.
            SpoolFullError: They would not even fit an empty spool.
            SpoolInUseError: Another shipper reads the same source; see :class:`Checkpoint`.
            ShipperClosedError: The shipper is closed.
            ShipperFailedError: A background task has failed.
        """
        records: list[Record] = []
        encoder, window = self._encoder(kind), self._window.now()
        if checkpoint is not None and not isinstance(checkpoint, Checkpoint):
            raise ConfigurationError(
                f"checkpoint must be a Checkpoint, not an object of type {type(checkpoint).__name__}"
            )
        source = iter(logs)
        try:
            ahead = list(islice(source, 1))  # an empty rest needs no lock
            while ahead:
                # One producer in each step of the loop: many at once would stall all other tasks.
                async with self._put_lock:
                    try:
                        ahead.extend(islice(source, PUTS_PER_STEP - 1))
                    finally:  # if the source refuses a play, those before it are counted for its index
                        encoder.extend(records, ahead, window)
                    ahead = list(islice(source, 1))
                    await asyncio.sleep(0)
        except InvalidLogError as error:
            number = len(records)
            raise InvalidLogError(f"log {number}: {error}", field=error.field, index=number) from None
        if records or checkpoint is not None:
            await self._spool.append(encoder.kind, records, checkpoint)
        return len(records)

    async def position(self, source: str) -> str | None:
        """Return the position of the last checkpoint of a source, where reading continues after a crash."""
        self._check_started()
        return await self._spool.checkpoint(source)

    def _encoder(self, kind: LogKind) -> RecordEncoder:
        try:
            if (
                asyncio.get_running_loop() is not self._loop
                or self._runner is None
                or self._closed
                or self._failure is not None
            ):
                self._check_started()
            return self._encoders[kind]
        except RuntimeError:  # no loop runs here
            self._check_started()
            raise
        except (KeyError, TypeError):
            raise InvalidLogError(f"kind must be one of {', '.join(LogKind)}, not {kind!r}", field="kind") from None

    def _check_started(self) -> None:
        self._check_usable()
        if self._runner is None:
            raise ConfigurationError("the shipper is not started; use it as an async context manager")

    def _check_usable(self) -> None:
        self._check_loop()
        if self._failure is not None:
            raise self._failed()
        if self._closed:
            raise ShipperClosedError("the shipper is closed")

    # -- plays out --

    async def flush(self, timeout: float | None = None) -> Statistics:  # noqa: ASYNC109 - a budget, not a cancellation
        """Send everything now, incomplete batches included, and wait for what has been put before.

        It does not wait for plays that are put meanwhile, nor for those that need a person (a refused key, a suspended
        lane).

        Args:
            timeout: Seconds to wait at the most; None for no limit.

        Returns:
            Where the plays are; ``flushed`` if all plays put before were delivered, buried or held.
        """
        self._check_loop()
        give_up_at = None if timeout is None else self._clock.monotonic() + timeout
        self._flushes += 1
        self._set_flushing()
        flushes = [] if self._runner is None else [lane.begin_flush() for lane in self._lanes.values()]
        under_way = flushes
        try:
            while self._runner is not None and not self._runner.done():
                self._changed.clear()
                # A hook for an alert may resume a lane, so that more can be delivered.
                under_way = [flush for flush in under_way if self._hooks.alerting or not await flush.is_done()]
                if not under_way:
                    break
                left = None if give_up_at is None else give_up_at - self._clock.monotonic()
                if left is not None and left <= 0:
                    break
                await self._clock.wait(self._changed, left)
        finally:
            self._flushes -= 1
            self._set_flushing()
        is_alive = self._runner is not None and not self._runner.done()
        flushed = is_alive and not under_way and all([await flush.is_clear() for flush in flushes])
        return evolve(await self.statistics(), flushed=flushed)

    def _set_flushing(self) -> None:
        for lane in self._lanes.values():
            lane.flushing = self._flushes > 0
            lane.wake()

    def resume(self, kind: LogKind | None = None) -> None:
        """End the suspension of lanes, and the back-off after a refused key; a wait that the service asked for stays.

        Args:
            kind: The one lane to resume; all of them if left out.

        Raises:
            ConfigurationError: There is no such kind, or the shipper belongs to another event loop.
        """
        self._check_loop()
        if kind is not None and kind not in tuple(LogKind):
            raise ConfigurationError(f"kind must be one of {', '.join(LogKind)}, not {kind!r}")
        for lane in self._lanes.values() if kind is None else [self._lanes[kind]]:
            lane.breaker.resume()
            lane.wake()

    async def statistics(self) -> Statistics:
        """Return where the plays are. The numbers of a kind always add up; those of a closed shipper are final.

        Raises:
            ConfigurationError: The shipper belongs to another event loop.
        """
        if self._final is not None:
            return self._final
        self._check_loop()
        lanes = {
            kind: LaneStatistics(
                Counts() if self._runner is None else await self._spool.counts(kind),
                lane.requests,
                lane.largest_batch,
                lane.breaker.alert,
                lane.breaker.last_failure,
            )
            for kind, lane in self._lanes.items()
        }
        return Statistics(lanes, self._failure, self._spool_alert)

    def _on_batch_due(self, event: BatchDue) -> None:
        self._lanes[event.kind].wake()
        self._changed.set()  # another worker may have delivered what a flush is waiting for

    def _on_spool_alert(self, event: SpoolAlertChanged) -> None:
        self._spool_alert, self._is_spool_available = event.alert, not event.is_blocking
        self._changed.set()

    async def _measure_lane(self, kind: LogKind) -> LaneMeasured:
        lane = self._lanes[kind]
        return LaneMeasured(
            kind=kind,
            alert=lane.breaker.alert.kind.value if lane.breaker.alert else None,
            is_due=await lane.is_due(),
            is_spool_available=self._is_spool_available,
        )


def _running_loop() -> asyncio.AbstractEventLoop | None:
    try:
        return asyncio.get_running_loop()
    except RuntimeError:
        return None


def _transport_of(client: PlayLogClient) -> LogTransport:
    try:
        return client.play_logs
    except AttributeError:
        raise ConfigurationError(
            f"a shipper needs a SevenDigital client, not an object of type {type(client).__name__}"
        ) from None


def _checked(spool: Spool) -> Spool:
    if not callable(getattr(spool, "open", None)):
        raise ConfigurationError(
            f"spool must be a path, a URL or a spool, not an object of type {type(spool).__name__}"
        )
    return spool


def _check_seconds(name: str, value: object, *, least: float = math.ulp(0.0)) -> None:
    if isinstance(value, bool) or not isinstance(value, int | float) or not least <= value < math.inf:
        raise ConfigurationError(f"{name} must be a number of seconds{'' if least == 0 else ' above zero'}")
