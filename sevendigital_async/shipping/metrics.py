"""Metrics: a subscriber that counts and measures, and the reading of the queues' lengths."""

from __future__ import annotations

import inspect
import logging
from collections.abc import Awaitable, Callable
from typing import Protocol

from ..clock import Clock
from ..errors import ConfigurationError, ShipperError
from ..models import LogKind
from .callbacks import CallbackError, call
from .events import PLAY_EVENTS, EventSink, LaneMeasured, PlayEvent, QueueMeasured
from .spools.base import Spool

logger = logging.getLogger("sevendigital_async.shipping")

GAUGE_INTERVAL = 5.0
"""Seconds between two readings of the queues."""


class Metrics(Protocol):
    """Counts and measures; :class:`~sevendigital_async.shipping.otel.OpenTelemetryMetrics` is one."""

    def record(self, event: PlayEvent) -> None:
        """Count an event; see :mod:`sevendigital_async.shipping.events`.

        It is called on the event loop and must not block. If it raises, the error is logged the first time, and the
        shipper continues.
        """
        ...


def subscribe_metrics(sink: EventSink, metrics: Metrics) -> None:
    """Pass the events about plays to ``metrics``.

    Raises:
        ConfigurationError: It has no method ``record``, or an async one.
    """
    record = getattr(metrics, "record", None)
    if not callable(record) or inspect.iscoroutinefunction(record):
        raise ConfigurationError("metrics must have a method record(event), which must not be async")
    has_failed = False

    def on_event(event: PlayEvent) -> None:
        nonlocal has_failed
        try:
            call(record, event)
        except CallbackError as error:
            if not has_failed:
                has_failed = True
                logger.exception(
                    "metrics.record raised an exception; its further errors are not logged", exc_info=error.__cause__
                )

    for event_type in PLAY_EVENTS:
        sink.subscribe(event_type, on_event)


MeasureLane = Callable[[LogKind], Awaitable[LaneMeasured]]
"""Measures the lane of a kind; raises a ShipperError if the spool can't be asked."""


async def measure(spool: Spool, measure_lane: MeasureLane, sink: EventSink) -> None:
    """Measure the queues and the lanes now, if there is a subscriber."""
    if not sink.has_subscriber(QueueMeasured):
        return
    for kind in LogKind:
        try:
            sink.emit(await measure_lane(kind))
            counts, age = await spool.counts(kind), await spool.oldest_age(kind)
        except ShipperError:
            continue  # the spool reports its own failure, or is closed
        sink.emit(QueueMeasured(kind=kind, waiting=counts.waiting, in_flight=counts.in_flight, oldest_age=age))


async def keep_measuring(spool: Spool, measure_lane: MeasureLane, sink: EventSink, clock: Clock) -> None:
    """Measure the queues and the lanes every few seconds, until cancelled."""
    while True:
        await measure(spool, measure_lane, sink)
        await clock.sleep(GAUGE_INTERVAL)
