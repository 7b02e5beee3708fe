"""Metrics for Prometheus; needs the extra ``prometheus``."""

from __future__ import annotations

from collections.abc import Sequence

from prometheus_client import REGISTRY, CollectorRegistry, Counter, Gauge, Histogram

from ..models import LogKind
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

PREFIX = "sevendigital_shipper"

SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0)
"""Bounds of the histograms' buckets."""

BURIED_OUTCOMES = ("refused", "expired")
IN_DOUBT_OUTCOMES = ("lost", "interrupted", "recovered", "put-cancelled")
"""Outcomes whose counters begin at zero: Prometheus sees no increase in a series that begins at one."""


class PrometheusMetrics:
    """Implements :class:`~sevendigital_async.shipping.Metrics` with metrics of ``prometheus_client``.

    The names are those that an OpenTelemetry exporter makes of
    :class:`~sevendigital_async.shipping.otel.OpenTelemetryMetrics`. The labels are ``kind``, ``outcome``, ``state`` and
    ``alert``; never a user or a request. Shippers of one process share one object.

    Args:
        registry: Collects the metrics; the default registry of ``prometheus_client`` if left out.

    Raises:
        ValueError: The registry has these metrics already.
    """

    def __init__(self, registry: CollectorRegistry | None = None) -> None:
        registry = REGISTRY if registry is None else registry

        def counter(name: str, text: str, *labels: str) -> Counter:
            return Counter(f"{PREFIX}_{name}", text, ("kind", *labels), registry=registry)

        def histogram(name: str, text: str, *labels: str) -> Histogram:
            return Histogram(f"{PREFIX}_{name}", text, ("kind", *labels), registry=registry, buckets=SECONDS)

        def gauge(name: str, text: str, labels: Sequence[str]) -> Gauge:
            return Gauge(f"{PREFIX}_{name}", text, labels, registry=registry)

        self._delivered = counter("delivered", "Plays that the service has accepted.")
        self._retried = counter("retried", "Plays that were not delivered and wait to be sent again.", "outcome")
        self._buried = counter("buried", "Plays that became dead letters.", "outcome")
        self._in_doubt = counter("in_doubt", "Plays that may or may not have reached the service.", "outcome")
        self._recovered = counter("recovered", "Plays recovered from workers that died.")
        self._duration = histogram(
            "request_duration_seconds", "Time from sending a batch to the end of its response.", "outcome"
        )
        self._wait = histogram("limiter_wait_seconds", "Time that a batch waited for quota and rate limits.")
        self._depth = gauge("queue_depth", "Plays that are not delivered yet, by state.", ("kind", "state"))
        self._oldest_age = gauge(
            "queue_oldest_age_seconds", "Time since the oldest waiting play was accepted.", ("kind",)
        )
        self._alert = gauge("lane_alert", "Whether a lane has raised this alert and it is not over.", ("kind", "alert"))
        self._spool_available = gauge("spool_available", "Whether the spool accepts plays.", ())
        self._begin_at_zero()

    def _begin_at_zero(self) -> None:
        for kind in LogKind:
            self._delivered.labels(kind.value)
            self._recovered.labels(kind.value)
            for outcome in BURIED_OUTCOMES:
                self._buried.labels(kind.value, outcome)
            for outcome in IN_DOUBT_OUTCOMES:
                self._in_doubt.labels(kind.value, outcome)

    def record(self, event: PlayEvent) -> None:  # noqa: C901 - a case per event
        """Count an event."""
        kind = event.kind.value
        match event:
            case PermitAcquired(seconds=seconds):
                self._wait.labels(kind).observe(seconds)
            case RequestFinished(outcome=outcome, seconds=seconds):
                self._duration.labels(kind, outcome).observe(seconds)
            case PlaysDelivered(logs=logs):
                self._delivered.labels(kind).inc(logs)
            case PlaysRetried(logs=logs, outcome=outcome):
                self._retried.labels(kind, outcome).inc(logs)
            case PlaysInDoubt(logs=logs, outcome=outcome):
                self._in_doubt.labels(kind, outcome).inc(logs)
            case PlaysBuried(logs=logs, outcome=outcome):
                self._buried.labels(kind, outcome).inc(logs)
            case PlaysRecovered(logs=logs, in_doubt=in_doubt):
                self._recovered.labels(kind).inc(logs)
                self._in_doubt.labels(kind, "recovered").inc(in_doubt)
            case LaneMeasured():
                for alert in AlertKind:
                    self._alert.labels(kind, alert.value).set(event.alert == alert.value)
                self._spool_available.set(event.is_spool_available)
            case QueueMeasured():
                self._depth.labels(kind, "waiting").set(event.waiting)
                self._depth.labels(kind, "in_flight").set(event.in_flight)
                self._oldest_age.labels(kind).set(event.oldest_age or 0.0)
