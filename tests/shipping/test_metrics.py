"""Events in metrics and in the log add up to the statistics and hold no play."""

import logging
from collections import Counter
from datetime import UTC, datetime, timedelta

import pytest
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from support.clock import EPOCH, VirtualClock
from support.service import Service, refuse_bad

from sevendigital_async import (
    AuthenticationError,
    DisconnectedError,
    LogKind,
    RateLimitError,
    ServerError,
    StreamLog,
    StreamLogShipper,
    UserToken,
)
from sevendigital_async.shipping.events import (
    EventSink,
    PermitAcquired,
    PlaysBuried,
    PlaysDelivered,
    PlaysInDoubt,
    PlaysRecovered,
    PlaysRetried,
    QueueMeasured,
    RequestFinished,
)
from sevendigital_async.shipping.metrics import GAUGE_INTERVAL
from sevendigital_async.shipping.otel import OpenTelemetryMetrics

NOW = datetime.fromtimestamp(EPOCH, UTC)
SCRIPT = [
    RateLimitError("slow down", status=429, retry_after=3.0),
    ServerError("oops", status=503),
    DisconnectedError("hung up"),
]


class Recorder:
    def __init__(self):
        self.events = []

    def record(self, event):
        self.events.append(event)

    def of(self, kind):
        return [event for event in self.events if type(event) is kind]


def plays(number, *, track="t", user=None):
    return [StreamLog(f"{track}{index}", NOW, user_id=user) for index in range(number)]


def unreliable(clock, *, latency=0.25):
    """Make a service that throttles, fails and hangs up once each, and refuses bad logs."""
    service = Service(clock, latency=latency)

    def behave(post):
        if len(service.posts) <= len(SCRIPT):
            raise SCRIPT[len(service.posts) - 1]
        refuse_bad(post, indexed=True)

    service.behave = behave
    return service


async def ship(clock, service, logs, **options):
    async def play():
        async with StreamLogShipper(service, clock=clock, **options) as shipper:
            await shipper.put_many(LogKind.PREVIEW, logs)
            return await shipper.flush()

    return await clock.run(play())


async def test_events_add_up_to_the_statistics():
    clock, metrics = VirtualClock(), Recorder()
    logs = [*plays(10), *plays(2, track="bad")]
    statistics = await ship(clock, unreliable(clock), logs, metrics=metrics)
    requests = metrics.of(RequestFinished)
    assert [(event.outcome, event.logs) for event in requests] == [
        ("throttled", 12),
        ("unavailable", 12),
        ("lost", 12),
        ("refused", 12),
        ("delivered", 10),
    ]
    assert all(event.seconds == pytest.approx(0.25) for event in requests)
    assert len({event.request_id for event in requests}) == len(requests) == statistics.requests
    last = requests[-1].request_id
    assert metrics.of(PlaysDelivered) == [
        PlaysDelivered(kind=LogKind.PREVIEW, logs=10, in_doubt=10, request_id=last, seconds=requests[-1].seconds)
    ]
    assert [(event.logs, event.outcome, event.failed) for event in metrics.of(PlaysRetried)] == [
        (12, "throttled", False),
        (12, "unavailable", True),
        (12, "lost", True),
    ]
    [doubt] = metrics.of(PlaysInDoubt)
    assert (doubt.logs, doubt.outcome, doubt.policy) == (statistics.in_doubt, "lost", "resend")
    assert doubt.request_id == requests[2].request_id
    [buried] = metrics.of(PlaysBuried)
    assert (buried.logs, buried.request_id) == (statistics.buried, last)


async def test_the_wait_of_a_batch_for_its_permit_is_an_event():
    clock, metrics = VirtualClock(), Recorder()
    service = Service(clock)
    await ship(clock, service, plays(1), metrics=metrics)
    assert [event.seconds for event in metrics.of(PermitAcquired)] == [0.0]

    class Slow(Service):
        def permit(self, kind):
            return self.late(super().permit(kind))

        def late(self, permit):
            class Late:
                async def __aenter__(self):
                    await clock.sleep(0.75)
                    return await permit.__aenter__()

                async def __aexit__(self, *error):
                    return await permit.__aexit__(*error)

            return Late()

    metrics = Recorder()
    await ship(clock, Slow(clock), plays(1), metrics=metrics)
    assert [event.seconds for event in metrics.of(PermitAcquired)] == [pytest.approx(0.75)]


async def test_queues_are_measured_every_few_seconds_and_once_more_at_the_end():
    clock, metrics = VirtualClock(), Recorder()

    async def play():
        lanes = {LogKind.CATALOGUE: {"linger": 600.0}}
        async with StreamLogShipper(Service(clock), clock=clock, metrics=metrics, lanes=lanes) as shipper:
            await clock.sleep(1)
            await shipper.put_many(LogKind.CATALOGUE, plays(7))
            await clock.sleep(GAUGE_INTERVAL * 2)

    await clock.run(play())
    measured = [event for event in metrics.of(QueueMeasured) if event.kind is LogKind.CATALOGUE]
    assert [(event.waiting, event.in_flight, event.oldest_age) for event in measured] == [
        (0, 0, None),
        (7, 0, pytest.approx(GAUGE_INTERVAL - 1)),
        (7, 0, pytest.approx(2 * GAUGE_INTERVAL - 1)),
        (0, 0, None),
    ]


async def test_plays_in_flight_when_the_shipper_stops_are_in_doubt_in_the_events():
    clock, metrics = VirtualClock(), Recorder()
    service = Service(clock, latency=1000.0)

    async def play():
        async with StreamLogShipper(service, clock=clock, metrics=metrics) as shipper:
            await shipper.put_many(LogKind.CATALOGUE, plays(700))
            return await shipper.aclose(5)

    statistics = await clock.run(play())
    doubts = metrics.of(PlaysInDoubt)
    assert sum(event.logs for event in doubts) == statistics.in_doubt == 700
    assert {event.outcome for event in doubts} == {"interrupted"}
    assert all(event.request_id for event in doubts)


async def test_expired_plays_have_an_outcome_of_their_own():
    clock, metrics = VirtualClock(), Recorder()
    service = Service(clock)

    def refuse(_):
        if clock.monotonic() < 7200:
            raise RateLimitError("spent", retry_after=3600.0)

    service.admit = refuse

    async def play():
        async with StreamLogShipper(service, clock=clock, metrics=metrics) as shipper:
            nearly_too_old = NOW - timedelta(days=60, hours=23)
            await shipper.put_many(LogKind.PREVIEW, [StreamLog(f"t{index}", nearly_too_old) for index in range(3)])
            await clock.sleep(7300)

    await clock.run(play())
    [buried] = metrics.of(PlaysBuried)
    assert (buried.logs, buried.outcome, buried.request_id) == (3, "expired", "")
    assert not metrics.of(RequestFinished)


async def test_metrics_that_raise_change_nothing_and_are_logged_once(caplog):
    class Broken:
        def record(self, event):
            raise RuntimeError("my metrics are broken")

    clock = VirtualClock()
    statistics = await ship(clock, Service(clock), plays(2000), metrics=Broken())
    assert statistics.delivered == 2000
    assert sum("metrics.record raised" in record.message for record in caplog.records) == 1


async def test_log_lines_have_names_and_fields_and_no_plays_in_them(caplog):
    caplog.set_level(logging.DEBUG, "sevendigital_async")
    clock = VirtualClock()
    logs = [*plays(10, track="secret-track", user="ann-smith"), *plays(1, track="bad-track", user="ann-smith")]

    async def play():
        tokens = {"ann-smith": UserToken("user-token", "user-secret")}
        async with StreamLogShipper(unreliable(clock), clock=clock, user_tokens=tokens) as shipper:
            await shipper.put_many(LogKind.CATALOGUE, logs)
            return await shipper.flush()

    statistics = await clock.run(play())
    EventSink().emit(PlaysRecovered(kind=LogKind.CATALOGUE, logs=3, in_doubt=1))
    lines = [record for record in caplog.records if hasattr(record, "event")]
    assert Counter((line.event, line.levelname) for line in lines) == {
        ("request", "DEBUG"): 5,
        ("retried", "INFO"): 1,
        ("retried", "WARNING"): 2,
        ("in-doubt", "WARNING"): 1,
        ("delivered", "DEBUG"): 1,
        ("buried", "WARNING"): 1,
        ("recovered", "WARNING"): 1,
    }
    assert {line.name for line in lines} == {"sevendigital_async.shipping"}
    assert {line.kind for line in lines} == {"catalogue"}
    [delivered] = [line for line in lines if line.event == "delivered"]
    assert (delivered.logs, delivered.in_doubt, delivered.seconds) == (10, 10, pytest.approx(0.25))
    assert len(delivered.request_id) == 32
    assert statistics.buried == 1
    for line in lines:
        text = f"{line.getMessage()} {line.__dict__}"
        assert not [word for word in ("secret", "ann-smith", "bad-track", "trackId", "user-token") if word in text]


async def test_an_alert_is_a_log_line_with_fields(caplog):
    clock = VirtualClock()

    def behave(post):
        raise AuthenticationError("no", status=401)

    await ship(clock, Service(clock, behave), plays(1))
    [line] = [record for record in caplog.records if getattr(record, "event", None) == "alert"]
    assert (line.kind, line.alert, line.levelname) == ("preview", "authentication", "ERROR")


# -- OpenTelemetry --


def read(reader):
    """Return instruments to unit and points, points to attributes and value or count."""
    data = reader.get_metrics_data()
    found = {}
    for metric in data.resource_metrics[0].scope_metrics[0].metrics:
        points = {}
        for point in metric.data.data_points:
            value = point.value if hasattr(point, "value") else (point.count, point.sum)
            points[tuple(sorted(point.attributes.items()))] = value
        found[metric.name.removeprefix("sevendigital.shipper.")] = (metric.unit, points)
    return found


async def test_opentelemetry_counts_what_the_statistics_count():
    clock, reader = VirtualClock(), InMemoryMetricReader()
    provider = MeterProvider([reader])
    metrics = OpenTelemetryMetrics(provider.get_meter("test"))
    logs = [*plays(10), *plays(2, track="bad")]
    statistics = await ship(clock, unreliable(clock), logs, metrics=metrics)
    metrics.record(PlaysRecovered(kind=LogKind.PREVIEW, logs=3, in_doubt=1))
    found = read(reader)
    provider.shutdown()
    preview = ("kind", "preview")
    assert found["delivered"] == ("{log}", {(preview,): statistics.delivered})
    assert found["buried"] == ("{log}", {(preview, ("outcome", "refused")): 2})
    assert found["in_doubt"] == (
        "{log}",
        {(preview, ("outcome", "lost")): statistics.in_doubt, (preview, ("outcome", "recovered")): 1},
    )
    assert found["recovered"] == ("{log}", {(preview,): 3})
    assert found["retried"] == (
        "{log}",
        {(preview, ("outcome", outcome)): 12 for outcome in ("throttled", "unavailable", "lost")},
    )
    unit, durations = found["request.duration"]
    assert unit == "s"
    assert {dict(point)["outcome"]: value for point, value in durations.items()} == dict.fromkeys(
        ("throttled", "unavailable", "lost", "refused", "delivered"), (1, pytest.approx(0.25))
    )
    unit, waits = found["limiter.wait"]
    assert (unit, waits[preview,][1]) == ("s", 0.0)
    kinds = [("kind", kind.value) for kind in LogKind]
    states = [("state", state) for state in ("waiting", "in_flight")]
    assert found["queue.depth"] == ("{log}", {(kind, state): 0 for kind in kinds for state in states})
    assert found["queue.oldest_age"] == ("s", {(kind,): 0.0 for kind in kinds})


def test_opentelemetry_works_without_a_provider():
    OpenTelemetryMetrics().record(PermitAcquired(kind=LogKind.PREVIEW, seconds=0.1))
