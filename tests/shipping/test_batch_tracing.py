"""Spans of batches: one for each request, linked to the spans in which its plays were put."""

import asyncio
import logging
from datetime import UTC, datetime
from itertools import pairwise

import pytest
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import SpanKind, StatusCode
from support.clock import EPOCH, VirtualClock
from support.rawserver import HANG_UP, answer, raw_server
from support.service import Service, refuse_bad

from sevendigital_async import (
    ConfigurationError,
    LogKind,
    ServerError,
    SevenDigital,
    StreamLog,
    StreamLogShipper,
    UserToken,
)
from sevendigital_async.otel import OpenTelemetryTracer
from sevendigital_async.shipping.tracing import MAX_LINKS

NOW = datetime.fromtimestamp(EPOCH, UTC)
SECRETS = ("the-secret", "user-token", "user-secret", "u-1234", "private-track")


class Traces:
    def __init__(self):
        self.exporter = InMemorySpanExporter()
        provider = TracerProvider(shutdown_on_exit=False)
        provider.add_span_processor(SimpleSpanProcessor(self.exporter))
        self.sdk = provider.get_tracer("test")
        self.tracer = OpenTelemetryTracer(self.sdk)

    def named(self, name):
        spans = sorted(self.exporter.get_finished_spans(), key=lambda span: span.start_time)
        return [span for span in spans if span.name == name]

    def batches(self, kind="preview"):
        return self.named(f"7digital batch {kind}")


@pytest.fixture
def traces():
    traces = Traces()
    yield traces
    written = "".join(span.to_json() for span in traces.exporter.get_finished_spans())
    assert not [secret for secret in SECRETS if secret in written]


def plays(number, track="t", **fields):
    return [StreamLog(f"{track}{index}", NOW, **fields) for index in range(number)]


def links_of(span):
    return {link.context.span_id for link in span.links}


async def test_a_batch_links_to_the_spans_in_which_its_plays_were_put(traces):
    clock = VirtualClock()

    async def play():
        with traces.sdk.start_as_current_span("start"):
            shipper = await StreamLogShipper(Service(clock), clock=clock, tracer=traces.tracer).__aenter__()
        with traces.sdk.start_as_current_span("first"):
            await shipper.put(LogKind.PREVIEW, plays(1)[0])
            shipper.put_nowait(LogKind.PREVIEW, plays(1)[0])
        with traces.sdk.start_as_current_span("second"):
            await shipper.put_many(LogKind.PREVIEW, plays(3))
        await shipper.put(LogKind.PREVIEW, plays(1)[0])
        await shipper.aclose()

    await clock.run(play())
    [batch] = traces.batches()
    [first], [second] = traces.named("first"), traces.named("second")
    assert links_of(batch) == {first.context.span_id, second.context.span_id}
    assert (batch.kind, batch.parent, batch.status.status_code) == (SpanKind.CONSUMER, None, StatusCode.UNSET)
    attributes = dict(batch.attributes)
    assert len(attributes.pop("sevendigital.request_id")) == 32
    assert attributes == {
        "sevendigital.kind": "preview",
        "messaging.batch.message_count": 6,
        "sevendigital.outcome": "delivered",
    }


async def test_each_request_of_a_batch_has_a_span_and_parts_link_to_the_request_before(traces):
    clock = VirtualClock()
    service = Service(clock)

    def behave(post):
        if len(service.posts) == 1:
            raise ServerError("oops", status=503)
        refuse_bad(post, indexed=False)

    service.behave = behave

    async def play():
        async with StreamLogShipper(service, clock=clock, tracer=traces.tracer) as shipper:
            await shipper.put_many(LogKind.PREVIEW, [*plays(2), *plays(1, "bad")])
            return await shipper.flush()

    statistics = await clock.run(play())
    batches = traces.batches()
    assert len(batches) == statistics.requests == len(service.posts)
    assert [span.attributes["sevendigital.outcome"] for span in batches[:2]] == ["unavailable", "refused"]
    assert [span.attributes["error.type"] for span in batches[:2]] == ["unavailable", "refused"]
    assert batches[0].status.status_code is StatusCode.ERROR
    assert not links_of(batches[0])
    for before, after in pairwise(batches[1:]):
        assert links_of(after) == {before.context.span_id}


async def test_a_batch_has_no_more_links_than_a_span_can_hold(traces):
    clock = VirtualClock()

    async def play():
        async with StreamLogShipper(Service(clock), clock=clock, tracer=traces.tracer) as shipper:
            for play in plays(MAX_LINKS + 5):
                with traces.sdk.start_as_current_span("put"):
                    shipper.put_nowait(LogKind.PREVIEW, play)

    await clock.run(play())
    assert len(links_of(traces.batches()[0])) <= MAX_LINKS
    assert sum(len(links_of(span)) for span in traces.batches()) >= MAX_LINKS


@pytest.mark.parametrize("spool", ["memory", "file"])
async def test_the_call_and_its_request_belong_to_the_batch(traces, tmp_path, spool):
    path = tmp_path / "plays.db" if spool == "file" else None
    accepted = answer('{"status": "ok"}', "200 OK", Content_Type="application/json")
    async with raw_server(HANG_UP, accepted) as raw:
        async with SevenDigital("the-key", "the-secret", base_url=raw.base_url, tracer=traces.tracer) as client:
            tokens = {"u-1234": UserToken("user-token", "user-secret")}
            options = {"spool": path, "user_tokens": tokens, "tracer": traces.tracer}
            async with StreamLogShipper(client, **options) as shipper:
                log = StreamLog("private-track", datetime.now(UTC), user_id="u-1234")
                with traces.sdk.start_as_current_span("put"):
                    await shipper.put(LogKind.CATALOGUE, log)
                statistics = await shipper.flush()
        assert len(raw.requests) == 2 == statistics.requests
    assert (statistics.delivered, statistics.in_doubt) == (1, 1)
    lost, delivered = traces.batches("catalogue")
    calls = traces.named("7digital platform.logging.catalogue")
    assert [span.parent.span_id for span in calls] == [lost.context.span_id, delivered.context.span_id]
    attempts = traces.named("POST /logging/catalogue")
    assert [span.parent.span_id for span in attempts] == [span.context.span_id for span in calls]
    assert [span.attributes["error.type"] for span in (lost, calls[0], attempts[0])] == [
        "lost",
        "DisconnectedError",
        "DisconnectedError",
    ]
    if spool == "memory":
        [put] = traces.named("put")
        assert links_of(lost) == links_of(delivered) == {put.context.span_id}


async def test_a_request_that_is_interrupted_is_one_that_says_so(traces):
    arrived = asyncio.Event()

    async def silent(reader, writer, request):
        arrived.set()
        await asyncio.Event().wait()

    async with raw_server(silent) as raw, SevenDigital("the-key", "the-secret", base_url=raw.base_url) as client:
        async with StreamLogShipper(client, tracer=traces.tracer, close_timeout=0) as shipper:
            await shipper.put(LogKind.PREVIEW, StreamLog("t", datetime.now(UTC), country="GB"))
            flushing = asyncio.create_task(shipper.flush())
            await arrived.wait()
        await flushing
    [batch] = traces.batches()
    assert batch.attributes["sevendigital.outcome"] == "interrupted"


class Faulty:
    def origin(self):
        raise ServerError("the tracer's own")

    def start_batch(self, kind, logs, request_id, origins):
        raise ServerError("the tracer's own")


class FaultySpan(Faulty):
    def start_batch(self, kind, logs, request_id, origins):
        return Faulty()


@pytest.mark.parametrize("tracer", [Faulty(), FaultySpan()])
async def test_a_tracer_that_raises_changes_nothing(caplog, tracer):
    clock = VirtualClock()
    service = Service(clock)

    async def play():
        async with StreamLogShipper(service, clock=clock, tracer=tracer) as shipper:
            await shipper.put_many(LogKind.PREVIEW, plays(3))
            return await shipper.flush()

    statistics = await clock.run(play())
    assert (statistics.delivered, statistics.in_doubt, len(service.posts)) == (3, 0, 1)
    lines = [record.getMessage() for record in caplog.records if record.levelno == logging.ERROR]
    assert lines == ["tracer raised; its further errors are not logged"]


def test_what_is_no_tracer_is_refused():
    with pytest.raises(ConfigurationError, match="tracer"):
        StreamLogShipper(Service(VirtualClock()), tracer=object())
