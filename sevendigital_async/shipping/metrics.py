"""Where events go: to the log, and to a metrics object if there is one."""

from __future__ import annotations

import inspect
import logging
from typing import Protocol

from attrs import asdict

from ..clock import Clock
from ..errors import ConfigurationError, ShipperError
from ..models import LogKind
from .callbacks import CallbackError, call
from .events import Event, PlaysDelivered, QueueMeasured
from .spools.base import Spool

logger = logging.getLogger("sevendigital_async.shipping")

GAUGE_INTERVAL = 5.0
"""Seconds between two readings of the queues."""


class Metrics(Protocol):
    """Counts and measures; :class:`~sevendigital_async.shipping.otel.OpenTelemetryMetrics` is one."""

    def record(self, event: Event) -> None:
        """Take note of an event; see :mod:`sevendigital_async.shipping.events`.

        It is called on the event loop and must come back at once. If it raises, that is logged, the first time, and
        shipping goes on.
        """
        ...


class EventSink:
    """Tells the log, and metrics if there are any, what happens to plays."""

    def __init__(self, metrics: Metrics | None = None) -> None:
        record = None if metrics is None else getattr(metrics, "record", None)
        if metrics is not None and (not callable(record) or inspect.iscoroutinefunction(record)):
            raise ConfigurationError("metrics must have a method record(event), which must not be async")
        self._metrics = metrics
        self._complained = False

    @property
    def measures(self) -> bool:
        """Somebody wants to know how the queues stand."""
        return self._metrics is not None

    @property
    def wants_deliveries(self) -> bool:
        """Somebody wants to know of deliveries, the most frequent event."""
        return self._metrics is not None or logger.isEnabledFor(PlaysDelivered.level)

    def emit(self, event: Event) -> None:
        """Pass an event on."""
        level = event.level
        if level and logger.isEnabledFor(level):
            fields = {"event": event.name, **asdict(event)}
            logger.log(level, event.words, fields, extra=fields)
        if self._metrics is None:
            return
        try:
            call(self._metrics.record, event)
        except CallbackError as error:
            if not self._complained:
                self._complained = True
                logger.exception("metrics raised; going on, and not saying so again", exc_info=error.__cause__)


async def measure(spool: Spool, sink: EventSink) -> None:
    """Read how the queues stand, now."""
    if not sink.measures:
        return
    for kind in LogKind:
        try:
            counts, age = await spool.counts(kind), await spool.oldest_age(kind)
        except ShipperError:
            continue  # it says so itself, or is closed
        sink.emit(QueueMeasured(kind=kind, waiting=counts.waiting, in_flight=counts.in_flight, oldest_age=age))


async def keep_measuring(spool: Spool, sink: EventSink, clock: Clock) -> None:
    """Read how the queues stand every few seconds, until cancelled; comes back at once if nobody wants to know."""
    while sink.measures:
        await measure(spool, sink)
        await clock.sleep(GAUGE_INTERVAL)
