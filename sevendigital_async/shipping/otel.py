"""Metrics for OpenTelemetry; needs the extra ``otel``."""

from __future__ import annotations

from opentelemetry.metrics import Meter, get_meter

from .._version import __version__
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

SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0)
"""Bounds of the histograms' buckets."""


class OpenTelemetryMetrics:
    """Implements :class:`~sevendigital_async.shipping.Metrics` with instruments of OpenTelemetry.

    The attributes are ``kind``, ``outcome`` and, for the depth, ``state``; never a user or a request.

    Args:
        meter: Creates the instruments; the meter of the global provider if left out.
    """

    def __init__(self, meter: Meter | None = None) -> None:
        meter = meter or get_meter("sevendigital_async", __version__)
        prefix = "sevendigital.shipper"
        self._delivered = meter.create_counter(
            f"{prefix}.delivered", unit="{log}", description="Plays that the service has accepted."
        )
        self._retried = meter.create_counter(
            f"{prefix}.retried", unit="{log}", description="Plays that were not delivered and wait to be sent again."
        )
        self._buried = meter.create_counter(
            f"{prefix}.buried", unit="{log}", description="Plays that became dead letters."
        )
        self._in_doubt = meter.create_counter(
            f"{prefix}.in_doubt", unit="{log}", description="Plays that may or may not have reached the service."
        )
        self._recovered = meter.create_counter(
            f"{prefix}.recovered", unit="{log}", description="Plays recovered from workers that died."
        )
        self._duration = meter.create_histogram(
            f"{prefix}.request.duration",
            unit="s",
            description="Time from sending a batch to the end of its response.",
            explicit_bucket_boundaries_advisory=SECONDS,
        )
        self._wait = meter.create_histogram(
            f"{prefix}.limiter.wait",
            unit="s",
            description="Time that a batch waited for quota and limits.",
            explicit_bucket_boundaries_advisory=SECONDS,
        )
        self._depth = meter.create_gauge(
            f"{prefix}.queue.depth", unit="{log}", description="Plays that are not delivered yet, by state."
        )
        self._oldest_age = meter.create_gauge(
            f"{prefix}.queue.oldest_age", unit="s", description="Time since the oldest waiting play was accepted."
        )
        self._alert = meter.create_gauge(
            f"{prefix}.lane.alert", unit="1", description="Whether a lane has raised this alert and it is not over."
        )
        self._spool_available = meter.create_gauge(
            f"{prefix}.spool.available", unit="1", description="Whether the spool accepts plays."
        )

    def record(self, event: PlayEvent) -> None:  # noqa: C901 - a case per event
        """Count an event."""
        kind = event.kind.value
        match event:
            case PermitAcquired(seconds=seconds):
                self._wait.record(seconds, {"kind": kind})
            case RequestFinished(outcome=outcome, seconds=seconds):
                self._duration.record(seconds, {"kind": kind, "outcome": outcome})
            case PlaysDelivered(logs=logs):
                self._delivered.add(logs, {"kind": kind})
            case PlaysRetried(logs=logs, outcome=outcome):
                self._retried.add(logs, {"kind": kind, "outcome": outcome})
            case PlaysInDoubt(logs=logs, outcome=outcome):
                self._in_doubt.add(logs, {"kind": kind, "outcome": outcome})
            case PlaysBuried(logs=logs, outcome=outcome):
                self._buried.add(logs, {"kind": kind, "outcome": outcome})
            case PlaysRecovered(logs=logs, in_doubt=in_doubt):
                self._recovered.add(logs, {"kind": kind})
                if in_doubt:
                    self._in_doubt.add(in_doubt, {"kind": kind, "outcome": "recovered"})
            case LaneMeasured():
                for alert in AlertKind:
                    self._alert.set(int(event.alert == alert.value), {"kind": kind, "alert": alert.value})
                self._spool_available.set(int(event.is_spool_available))
            case QueueMeasured():
                self._depth.set(event.waiting, {"kind": kind, "state": "waiting"})
                self._depth.set(event.in_flight, {"kind": kind, "state": "in_flight"})
                self._oldest_age.set(event.oldest_age or 0.0, {"kind": kind})
