"""PrometheusMetrics counts what the statistics count, under the names that OpenTelemetry's exporter makes."""

import re
from types import SimpleNamespace

import pytest
from prometheus_client import CollectorRegistry
from support.clock import VirtualClock
from support.service import Service, refuse_bad

from sevendigital_async import DisconnectedError, LogKind, RateLimitError, ServerError, StreamLog, StreamLogShipper
from sevendigital_async.clock import to_datetime
from sevendigital_async.shipping.events import PlaysRecovered
from sevendigital_async.shipping.otel import OpenTelemetryMetrics
from sevendigital_async.shipping.prometheus import PREFIX, PrometheusMetrics

SCRIPT = [
    RateLimitError("slow down", status=429, retry_after=3.0),
    ServerError("oops", status=503),
    DisconnectedError("hung up"),
]


async def test_metrics_count_what_the_statistics_count():
    clock, registry = VirtualClock(), CollectorRegistry()
    service = Service(clock, latency=0.25)

    def behave(post):
        if len(service.posts) <= len(SCRIPT):
            raise SCRIPT[len(service.posts) - 1]
        refuse_bad(post, indexed=True)

    service.behave = behave
    metrics = PrometheusMetrics(registry)

    async def play():
        now = to_datetime(clock.time())
        async with StreamLogShipper(service, clock=clock, metrics=metrics) as shipper:
            await shipper.put_many(LogKind.PREVIEW, [StreamLog(f"t{index}", now) for index in range(10)])
            await shipper.put_many(LogKind.PREVIEW, [StreamLog("bad1", now), StreamLog("bad2", now)])
            return await shipper.flush()

    statistics = await clock.run(play())
    metrics.record(PlaysRecovered(kind=LogKind.PREVIEW, logs=3, in_doubt=1))

    def value(name, **labels):
        return registry.get_sample_value(f"{PREFIX}_{name}", {"kind": "preview", **labels})

    assert value("delivered_total") == statistics.delivered == 10
    assert value("buried_total", outcome="refused") == statistics.buried == 2
    assert value("in_doubt_total", outcome="lost") == statistics.in_doubt
    assert value("in_doubt_total", outcome="recovered") == 1
    assert value("recovered_total") == 3
    assert [value("retried_total", outcome=outcome) for outcome in ("throttled", "unavailable", "lost")] == [12] * 3
    for outcome in ("throttled", "unavailable", "lost", "refused", "delivered"):
        assert value("request_duration_seconds_count", outcome=outcome) == 1
        assert value("request_duration_seconds_sum", outcome=outcome) == pytest.approx(0.25)
    assert value("limiter_wait_seconds_sum") == 0
    assert [value("queue_depth", state=state) for state in ("waiting", "in_flight")] == [0, 0]
    assert value("queue_oldest_age_seconds") == 0
    assert value("lane_alert", alert="suspended") == 0
    assert registry.get_sample_value(f"{PREFIX}_spool_available") == 1


def test_counters_of_what_must_not_happen_begin_at_zero():
    registry = CollectorRegistry()
    PrometheusMetrics(registry)
    for name, outcomes in {"buried": ("refused", "expired"), "in_doubt": ("lost", "interrupted")}.items():
        for kind in LogKind:
            for outcome in outcomes:
                labels = {"kind": kind.value, "outcome": outcome}
                assert registry.get_sample_value(f"{PREFIX}_{name}_total", labels) == 0


class Meter:
    """Collects the names that an exporter for Prometheus makes of instruments."""

    def __init__(self):
        self.names = set()

    def _create(self, name, unit="", **_):
        self.names.add(name.replace(".", "_") + {"s": "_seconds"}.get(unit, ""))
        return SimpleNamespace(add=None, record=None, set=None)

    create_counter = create_histogram = create_gauge = _create


def test_the_names_are_those_of_opentelemetry():
    registry, meter = CollectorRegistry(), Meter()
    PrometheusMetrics(registry)
    OpenTelemetryMetrics(meter)
    assert {family.name for family in registry.collect()} == meter.names
    assert all(re.fullmatch(r"[a-z_]+", name) for name in meter.names)


def test_one_registry_has_the_metrics_once():
    registry = CollectorRegistry()
    PrometheusMetrics(registry)
    with pytest.raises(ValueError, match="Duplicated"):
        PrometheusMetrics(registry)
