"""Metrics for Prometheus; needs the extra ``prometheus``."""

from __future__ import annotations

from prometheus_client import REGISTRY, CollectorRegistry, Counter, Gauge, Histogram

from ..models import LogKind
from .events import PlayEvent
from .instruments import (
    BURIED,
    DELIVERED,
    IN_DOUBT,
    INSTRUMENTS,
    RECOVERED,
    SECONDS_BUCKETS,
    Instrument,
    InstrumentType,
    measurements,
)

PREFIX = "sevendigital_shipper"

INITIAL_LABELS: dict[Instrument, tuple[tuple[str, ...], ...]] = {
    DELIVERED: ((),),
    RECOVERED: ((),),
    BURIED: (("refused",), ("expired",)),
    IN_DOUBT: (("lost",), ("interrupted",), ("recovered",), ("put-cancelled",)),
}
"""Counters of each kind that begin at zero: Prometheus sees no increase in a series that begins at one."""


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
        self._metrics = {instrument: _metric(instrument, registry) for instrument in INSTRUMENTS}
        for kind in LogKind:
            for instrument, series in INITIAL_LABELS.items():
                for labels in series:
                    self._metrics[instrument].labels(kind.value, *labels)

    def record(self, event: PlayEvent) -> None:
        """Count an event."""
        for instrument, value, labels in measurements(event):
            metric = self._metrics[instrument]
            series = metric.labels(*labels) if labels else metric
            match series:
                case Counter():
                    series.inc(value)
                case Histogram():
                    series.observe(value)
                case Gauge():
                    series.set(value)


def _metric(instrument: Instrument, registry: CollectorRegistry) -> Counter | Histogram | Gauge:
    name = f"{PREFIX}_{instrument.name.replace('.', '_')}{'_seconds' if instrument.unit == 's' else ''}"
    match instrument.type:
        case InstrumentType.COUNTER:
            return Counter(name, instrument.description, instrument.labels, registry=registry)
        case InstrumentType.HISTOGRAM:
            return Histogram(
                name, instrument.description, instrument.labels, registry=registry, buckets=SECONDS_BUCKETS
            )
        case InstrumentType.GAUGE:
            return Gauge(name, instrument.description, instrument.labels, registry=registry)
