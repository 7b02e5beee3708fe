"""The instruments of a shipper's metrics, and the measurements of each event; the same for all exporters."""

from __future__ import annotations

import enum
from collections.abc import Iterator

from attrs import frozen

from .circuit_breaker import AlertKind
from .events import (
    LaneMeasured,
    PermitAcquired,
    PlayEvent,
    PlaysBuried,
    PlaysDelivered,
    PlaysInDoubt,
    PlaysRecovered,
    PlaysRetried,
    QueueMeasured,
    RequestFinished,
)

SECONDS_BUCKETS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0)
"""Bounds of the histograms' buckets."""


class InstrumentType(enum.Enum):
    """The types of instrument."""

    COUNTER = enum.auto()
    HISTOGRAM = enum.auto()
    GAUGE = enum.auto()


@frozen(eq=False)
class Instrument:
    """One metric of a shipper.

    Attributes:
        type: Its type.
        name: Its name after the exporter's prefix, with dots as in OpenTelemetry.
        unit: ``{log}``, ``s`` or ``1``.
        description: One sentence for operators.
        labels: Names of its labels, in the order of a measurement's values.
    """

    type: InstrumentType
    name: str
    unit: str
    description: str
    labels: tuple[str, ...] = ("kind",)


_COUNTER, _HISTOGRAM, _GAUGE = InstrumentType
_OUTCOME = ("kind", "outcome")

DELIVERED = Instrument(_COUNTER, "delivered", "{log}", "Plays that the service has accepted.")
RETRIED = Instrument(_COUNTER, "retried", "{log}", "Plays that were not delivered and wait to be sent again.", _OUTCOME)
BURIED = Instrument(_COUNTER, "buried", "{log}", "Plays that became dead letters.", _OUTCOME)
IN_DOUBT = Instrument(_COUNTER, "in_doubt", "{log}", "Plays that may or may not have reached the service.", _OUTCOME)
RECOVERED = Instrument(_COUNTER, "recovered", "{log}", "Plays recovered from workers that died.")
DURATION = Instrument(
    _HISTOGRAM, "request.duration", "s", "Time from sending a batch to the end of its response.", _OUTCOME
)
WAIT = Instrument(_HISTOGRAM, "limiter.wait", "s", "Time that a batch waited for quota and rate limits.")
DEPTH = Instrument(_GAUGE, "queue.depth", "{log}", "Plays that are not delivered yet, by state.", ("kind", "state"))
OLDEST_AGE = Instrument(_GAUGE, "queue.oldest_age", "s", "Time since the oldest waiting play was accepted.")
ALERT = Instrument(
    _GAUGE, "lane.alert", "1", "Whether a lane has raised this alert and it is not over.", ("kind", "alert")
)
SPOOL_AVAILABLE = Instrument(_GAUGE, "spool.available", "1", "Whether the spool accepts plays.", ())

INSTRUMENTS = (
    *(DELIVERED, RETRIED, BURIED, IN_DOUBT, RECOVERED),
    *(DURATION, WAIT),
    *(DEPTH, OLDEST_AGE, ALERT, SPOOL_AVAILABLE),
)

Measurement = tuple[Instrument, float, tuple[str, ...]]
"""The instrument, the value, and the values of the instrument's labels."""


def measurements(event: PlayEvent) -> Iterator[Measurement]:  # noqa: C901 - a case per event
    """Yield the measurements of an event."""
    kind = event.kind.value
    match event:
        case PermitAcquired(seconds=seconds):
            yield WAIT, seconds, (kind,)
        case RequestFinished(outcome=outcome, seconds=seconds):
            yield DURATION, seconds, (kind, outcome)
        case PlaysDelivered(logs=logs):
            yield DELIVERED, logs, (kind,)
        case PlaysRetried(logs=logs, outcome=outcome):
            yield RETRIED, logs, (kind, outcome)
        case PlaysInDoubt(logs=logs, outcome=outcome):
            yield IN_DOUBT, logs, (kind, outcome)
        case PlaysBuried(logs=logs, outcome=outcome):
            yield BURIED, logs, (kind, outcome)
        case PlaysRecovered(logs=logs, in_doubt=in_doubt):
            yield RECOVERED, logs, (kind,)
            if in_doubt:
                yield IN_DOUBT, in_doubt, (kind, "recovered")
        case LaneMeasured():
            for alert in AlertKind:
                yield ALERT, int(event.alert == alert.value), (kind, alert.value)
            yield SPOOL_AVAILABLE, int(event.is_spool_available), ()
        case QueueMeasured():
            yield DEPTH, event.waiting, (kind, "waiting")
            yield DEPTH, event.in_flight, (kind, "in_flight")
            yield OLDEST_AGE, event.oldest_age or 0.0, (kind,)
