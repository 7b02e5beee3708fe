"""WorkerMonitor: answers questions about one shipper over HTTP, and keeps systemd informed."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Mapping, Sequence
from http import HTTPStatus
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

import orjson
from attrs import asdict

from .._version import __version__
from ..clock import Clock, SystemClock
from ..errors import ConfigurationError
from ..shipping import LaneStatistics, Metrics, Statistics, StreamLogShipper
from ..shipping.events import PlayEvent
from ..sources import Ingestion, Source
from .health import HealthMonitor
from .http_endpoint import TEXT_TYPE, HttpAddress, HttpEndpoint, HttpResponse
from .ingestion import PREFIX, IngestionMetric, MetricValue, MonitoredIngestion, read_metrics
from .systemd import READY, STOPPING, WATCHDOG, ServiceNotifier

if TYPE_CHECKING:
    from prometheus_client import CollectorRegistry, Metric

    from ..shipping.prometheus import PrometheusMetrics

JSON_TYPE = "application/json"
STATISTICS_TIMEOUT = 5.0
"""Seconds that a spool may take to count its plays."""


class WorkerMonitor:
    """Watches one shipper. Open it before the shipper: an address in use is then an error before plays are read.

    Example::

        async with WorkerMonitor(http="9464") as monitor:
            async with StreamLogShipper(client, metrics=monitor.metrics) as shipper:
                monitor.watch(shipper)
                ...
                monitor.stopping()

    Args:
        http: Where to serve ``/healthz``, ``/readyz``, ``/metrics`` and ``/statistics``: ``PORT`` (on 127.0.0.1) or
            ``HOST:PORT``; None to serve nothing. Needs the extra ``prometheus``.
        stalled_after: Seconds without a response of the service or the spool after which ``/healthz`` is unhealthy.
        notifier: Notifies systemd.
        clock: Time, for tests.

    Raises:
        ConfigurationError: ``http`` is not an address, or the extra ``prometheus`` is not installed.
    """

    def __init__(
        self,
        *,
        http: str | None = None,
        stalled_after: float = 300.0,
        notifier: ServiceNotifier | None = None,
        clock: Clock | None = None,
    ) -> None:
        self._clock = clock or SystemClock()
        self._notifier = notifier or ServiceNotifier()
        self._health = HealthMonitor(stalled_after, self._clock)
        self._shipper: StreamLogShipper | None = None
        self._ingestion: MonitoredIngestion | None = None
        self._is_stopping = False
        self._watchdog: asyncio.Task[None] | None = None
        self._prometheus: PrometheusMetrics | None = None
        self._endpoint: HttpEndpoint | None = None
        if http is not None:
            address = HttpAddress.parse(http)
            self._registry, self._prometheus = _make_registry()
            self._registry.register(_IngestionCollector(self))
            routes = {
                "/healthz": self._healthz,
                "/readyz": self._readyz,
                "/metrics": self._metrics,
                "/statistics": self._statistics,
            }
            self._endpoint = HttpEndpoint(address, routes)

    @property
    def is_active(self) -> bool:
        """The process is a service: something serves HTTP, or systemd waits for messages."""
        return self._endpoint is not None or self._notifier.address is not None

    @property
    def url(self) -> str | None:
        """Where HTTP is served; None if it is not."""
        return None if self._endpoint is None else f"http://{self._endpoint.address}"

    @property
    def metrics(self) -> Metrics | None:
        """What the shipper needs as ``metrics``; None if nothing is served."""
        return None if self._endpoint is None else self

    async def __aenter__(self) -> Self:
        """Start to listen.

        Raises:
            ConfigurationError: Another process listens there.
        """
        if self._endpoint is not None:
            await self._endpoint.open()
        if self._notifier.watchdog is not None:
            self._watchdog = asyncio.create_task(self._keep_notifying(self._notifier.watchdog), name="watchdog")
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Stop to listen."""
        self.stopping()
        if self._watchdog is not None:
            self._watchdog.cancel()
            await asyncio.wait([self._watchdog])
        if self._endpoint is not None:
            await self._endpoint.aclose()

    def record(self, event: PlayEvent) -> None:
        """Receive an event of the shipper, as its ``metrics``."""
        self._health.record(event)
        if self._prometheus is not None:
            self._prometheus.record(event)

    def watch(
        self, shipper: StreamLogShipper, ingestion: Ingestion | None = None, source: Source | None = None
    ) -> None:
        """Answer for an open shipper from now on; systemd learns that the service is ready.

        Args:
            shipper: The shipper.
            ingestion: Puts the plays of a source into it; for further metrics.
            source: The source.
        """
        self._shipper = shipper
        if ingestion is not None and source is not None:
            self._ingestion = MonitoredIngestion(ingestion, source)
        self._health.start()
        self._notifier.notify(READY)

    def stopping(self) -> None:
        """Declare that the worker reads no more plays; systemd learns that the service stops."""
        if not self._is_stopping:
            self._is_stopping = True
            self._notifier.notify(STOPPING)

    async def _keep_notifying(self, watchdog: float) -> None:
        # Twice in the time allowed, as systemd recommends. It comes from the event loop, and stops when that does.
        while True:
            self._notifier.notify(WATCHDOG)
            await self._clock.sleep(watchdog / 2)

    # -- what the paths answer --

    async def _read_statistics(self) -> Statistics | None:
        if self._shipper is None:
            return None
        async with asyncio.timeout(STATISTICS_TIMEOUT):
            return await self._shipper.statistics()

    async def _healthz(self) -> HttpResponse:
        try:
            statistics = await self._read_statistics()
        except TimeoutError:
            return _health_response([STATISTICS_TIMED_OUT])
        return _health_response([] if statistics is None else self._health.liveness_problems(statistics))

    async def _readyz(self) -> HttpResponse:
        if self._is_stopping:
            return _health_response(["the worker is stopping"])
        try:
            statistics = await self._read_statistics()
        except TimeoutError:
            return _health_response([STATISTICS_TIMED_OUT])
        return _health_response(
            ["the spool is not open yet"] if statistics is None else self._health.readiness_problems(statistics),
            "ready, and the service has accepted the key" if self._health.is_key_accepted else "ready",
        )

    async def _metrics(self) -> HttpResponse:
        from prometheus_client import CONTENT_TYPE_LATEST, generate_latest  # noqa: PLC0415 - an extra

        return HttpResponse(HTTPStatus.OK, generate_latest(self._registry), CONTENT_TYPE_LATEST)

    async def _statistics(self) -> HttpResponse:
        try:
            statistics = await self._read_statistics()
        except TimeoutError:
            return _health_response([STATISTICS_TIMED_OUT])
        if statistics is None:
            return _health_response(["the spool is not open yet"])
        content = {
            "version": __version__,
            "stopping": self._is_stopping,
            **as_json(statistics),
            "ingestion": {metric.name: value for metric, value in self.ingestion_metrics()},
        }
        return HttpResponse(HTTPStatus.OK, orjson.dumps(content, option=orjson.OPT_APPEND_NEWLINE), JSON_TYPE)

    def ingestion_metrics(self) -> Iterator[tuple[IngestionMetric, MetricValue]]:
        """Yield what was read from the source."""
        if self._ingestion is not None:
            yield from read_metrics(self._ingestion)


class _IngestionCollector:
    """Reads the metrics of an ingestion when metrics are asked for; the type is that of ``prometheus_client``."""

    def __init__(self, monitor: WorkerMonitor) -> None:
        self._monitor = monitor

    def collect(self) -> Iterator[Metric]:
        from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily  # noqa: PLC0415 - an extra

        for metric, value in self._monitor.ingestion_metrics():
            kind = CounterMetricFamily if metric.is_counter else GaugeMetricFamily
            labels = [] if metric.label is None else [metric.label]
            family = kind(f"{PREFIX}_{metric.name}", metric.description, labels=labels)
            for name, each in value.items() if isinstance(value, Mapping) else (("", value),):
                family.add_metric([name] if labels else [], each)
            yield family


STATISTICS_TIMED_OUT = f"the spool is stalled: it did not count its plays within {STATISTICS_TIMEOUT:.0f} s"


def _health_response(problems: Sequence[str], ok: str = "ok") -> HttpResponse:
    status = HTTPStatus.SERVICE_UNAVAILABLE if problems else HTTPStatus.OK
    return HttpResponse(status, "".join(f"{line}\n" for line in problems or [ok]).encode(), TEXT_TYPE)


def as_json(statistics: Statistics) -> dict[str, Any]:
    """Return statistics as values of JSON: counts in all and by kind, and what is wrong."""
    return {
        **_counts_json(statistics.total),
        "requests": statistics.requests,
        "current": statistics.is_current,
        "failure": None if statistics.failure is None else repr(statistics.failure),
        "spool_alert": statistics.spool_alert,
        "kinds": {kind.value: _lane_json(lane) for kind, lane in statistics.lanes.items()},
    }


def _lane_json(lane: LaneStatistics) -> dict[str, Any]:
    alert = lane.alert
    return {
        **_counts_json(lane.counts),
        "requests": lane.requests,
        "largest_batch": lane.largest_batch,
        "alert": None
        if alert is None
        else {"kind": alert.kind.value, "message": alert.message, "since": alert.since.isoformat()},
    }


def _counts_json(counts: Any) -> dict[str, int]:
    return asdict(counts)


def _make_registry() -> tuple[CollectorRegistry, PrometheusMetrics]:
    """Make a registry with the metrics of a shipper and of the process.

    Raises:
        ConfigurationError: The extra is not installed.
    """
    try:
        from prometheus_client import CollectorRegistry, PlatformCollector, ProcessCollector  # noqa: PLC0415 - an extra
    except ModuleNotFoundError:
        raise ConfigurationError(
            'serving /metrics needs prometheus-client: pip install "sevendigital_async[prometheus]"'
        ) from None
    from ..shipping.prometheus import PrometheusMetrics  # noqa: PLC0415 - as above

    registry = CollectorRegistry()
    ProcessCollector(registry=registry)
    PlatformCollector(registry=registry)
    return registry, PrometheusMetrics(registry)
