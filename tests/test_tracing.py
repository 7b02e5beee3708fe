"""Spans of calls, requests and batches, as an OpenTelemetry exporter gets them."""

import asyncio
import json
import logging

import pytest
from opentelemetry.sdk.trace import SpanProcessor, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import SpanKind, StatusCode, get_current_span
from support.rawserver import HANG_UP, answer, raw_server

from sevendigital_async import (
    APIError,
    DisconnectedError,
    RetryPolicy,
    SevenDigital,
    SignaturePlacement,
    UserToken,
)
from sevendigital_async.operations import REGISTRY
from sevendigital_async.otel import OpenTelemetryTracer

SECRETS = ("the-secret", "user-token", "user-secret", "s3cret", "jane", "u-1234")
RETRY = RetryPolicy(attempts=3, base=0, cap=0)
USER = UserToken("user-token", "user-secret")
PAGE = json.dumps({"status": "ok", "version": "1.2", "searchResults": {"page": 1, "pageSize": 10, "totalItems": 0}})
EMPTY = answer(PAGE, Content_Type="application/json")


class Traces:
    def __init__(self):
        self.exporter = InMemorySpanExporter()
        self.provider = TracerProvider(shutdown_on_exit=False)
        self.provider.add_span_processor(SimpleSpanProcessor(self.exporter))
        self.sdk = self.provider.get_tracer("test")
        self.tracer = OpenTelemetryTracer(self.sdk)

    @property
    def spans(self):
        return sorted(self.exporter.get_finished_spans(), key=lambda span: span.start_time)

    def client(self, raw, **options):
        options = {"retry": RETRY, "tracer": self.tracer, **options}
        return SevenDigital("the-key", "the-secret", base_url=raw.base_url, **options)


@pytest.fixture
def traces():
    traces = Traces()
    yield traces
    written = "".join(span.to_json() for span in traces.spans)
    assert not [secret for secret in SECRETS if secret in written]
    for span in traces.spans:
        assert not span.events  # an exception's message would be one
        assert span.status.description is None


@pytest.mark.parametrize("signature", SignaturePlacement)
async def test_a_call_with_a_retry_has_two_attempts(traces, signature):
    async with raw_server(answer("", "503 Busy"), EMPTY) as raw, traces.client(raw, signature=signature) as client:
        await client.as_user(USER).classic.releases.search("jane", country="GB")
        port = raw.port
        signatures = [request.partition(b"oauth_signature=")[2].lstrip(b'"')[:20].decode() for request in raw.requests]
    call, first, second = traces.spans
    assert all(len(text) == 20 for text in signatures)
    written = "".join(span.to_json() for span in traces.spans)
    assert not [text for text in signatures if text in written]
    assert (call.name, call.kind, call.parent) == ("7digital classic.releases.search", SpanKind.CLIENT, None)
    assert dict(call.attributes) == {"sevendigital.operation": "classic.releases.search"}
    assert call.status.status_code is StatusCode.UNSET
    for span in (first, second):
        assert span.parent.span_id == call.context.span_id
        assert span.kind is SpanKind.CLIENT
        assert span.name == f"GET {span.attributes['url.template']}"
        url = span.attributes["url.full"]
        assert "q=REDACTED" in url
        assert "country=GB" in url
    shown = dict(first.attributes)
    del shown["url.full"], shown["url.template"]
    assert shown == {
        "http.request.method": "GET",
        "server.address": "127.0.0.1",
        "server.port": port,
        "http.response.status_code": 503,
        "error.type": "503",
    }
    assert first.status.status_code is StatusCode.ERROR
    assert (second.attributes["http.request.resend_count"], second.attributes["http.response.status_code"]) == (1, 200)
    assert second.status.status_code is StatusCode.UNSET


async def test_an_unsafe_call_that_breaks_has_one_attempt(traces):
    operation = REGISTRY.find("platform.logging.preview")
    async with raw_server(HANG_UP) as raw, traces.client(raw) as client:
        with pytest.raises(DisconnectedError):
            await client.call(operation, logs=[])
        assert len(raw.requests) == 1
    call, attempt = traces.spans
    assert call.attributes["error.type"] == attempt.attributes["error.type"] == "DisconnectedError"
    assert "http.response.status_code" not in attempt.attributes
    assert call.status.status_code is attempt.status.status_code is StatusCode.ERROR


async def test_a_body_that_breaks_off_is_an_error_of_the_attempt(traces):
    async def half(reader, writer, request):
        writer.write(EMPTY[:-5])

    async with raw_server(half) as raw, traces.client(raw) as client:
        with pytest.raises(DisconnectedError):
            await client.classic.releases.search("jane")
    _, *attempts = traces.spans
    assert [span.attributes["error.type"] for span in attempts] == ["DisconnectedError"] * 3
    assert [span.attributes["http.response.status_code"] for span in attempts] == [200] * 3


async def test_an_error_of_the_service_has_its_code(traces):
    body = json.dumps({"status": "error", "error": {"code": 2001, "errorMessage": "jane is not found"}})
    async with raw_server(answer(body, "404 Not Found", Content_Type="application/json")) as raw:
        async with traces.client(raw) as client:
            with pytest.raises(APIError):
                await client.classic.releases.details("7")
    call, attempt = traces.spans
    assert (call.attributes["error.type"], call.attributes["sevendigital.error.code"]) == ("NotFoundError", 2001)
    assert attempt.attributes["error.type"] == "404"


@pytest.mark.parametrize("signature", SignaturePlacement)
async def test_a_redirect_of_media_is_a_request_of_its_own(traces, signature):
    audio = answer(b"audio", Content_Type="audio/mpeg")
    async with raw_server(audio) as cdn:
        away = answer("", "302 Found", Location=f"{cdn.base_url}/s3cret/clip.mp3?Signature=s3cret")
        async with raw_server(away) as raw, traces.client(raw, signature=signature) as client:
            view = client.as_user(USER)
            async with view.media.stream("7", country="GB") as response:
                assert not traces.spans[1:]  # the redirect has ended, the media have not
                assert not get_current_span().is_recording()
                assert await response.read() == b"audio"
            ports = (raw.port, cdn.port)
    call, first, second = traces.spans
    assert (first.attributes["http.response.status_code"], first.attributes["server.port"]) == (302, ports[0])
    assert second.name == "GET"
    assert second.attributes["url.full"] == f"http://127.0.0.1:{ports[1]}/REDACTED"
    assert second.attributes["http.request.resend_count"] == 1
    assert "url.template" not in second.attributes
    assert second.end_time <= call.end_time


async def test_an_error_in_the_callers_block_is_not_one_of_the_requests(traces):
    async with raw_server(answer(b"audio", Content_Type="audio/mpeg")) as raw, traces.client(raw) as client:
        with pytest.raises(KeyError, match="jane"):
            async with client.media.stream("7", country="GB"):
                raise KeyError("jane")
    call, attempt = traces.spans
    assert "error.type" not in call.attributes
    assert "error.type" not in attempt.attributes


async def test_a_download_that_breaks_off_is_an_error_of_the_call(traces):
    async def half(reader, writer, request):
        writer.write(answer(b"audio", Content_Type="audio/mpeg")[:-2])

    async with raw_server(half) as raw, traces.client(raw) as client:
        with pytest.raises(DisconnectedError):
            async with client.media.stream("7", country="GB") as response:
                await response.read()
        assert len(raw.requests) == 1
    assert [span.attributes["error.type"] for span in traces.spans] == ["DisconnectedError"] * 2


async def test_the_spans_belong_to_the_callers_trace(traces):
    seen = []
    async with raw_server(EMPTY) as raw:
        async with traces.client(raw, on_request=lambda _: seen.append(get_current_span().name)) as client:
            with traces.sdk.start_as_current_span("page"):
                await client.classic.releases.search("jane")
                assert get_current_span().name == "page"
    page, call, _ = traces.spans
    assert call.parent.span_id == page.context.span_id
    assert seen == ["7digital classic.releases.search"]


async def test_no_span_is_made_of_a_client_without_a_tracer(traces):
    async with raw_server(EMPTY) as raw, traces.client(raw, tracer=None) as client:
        await client.classic.releases.search("jane")
    assert not traces.spans


class Faulty(SpanProcessor):
    def on_start(self, span, parent_context=None):
        raise DisconnectedError("the processor's own")


class FaultySpan:
    """Raises whatever is done with it."""

    def __getattr__(self, name):
        def fail(*_):
            raise DisconnectedError(name)

        return fail


class FaultyLater:
    def start_call(self, operation):
        span = FaultySpan()
        span.start_attempt = lambda info: FaultySpan()
        return span


class Incomplete:
    def start_call(self, operation):
        span = FaultySpan()
        span.start_attempt = lambda info: object()
        return span


class Empty:
    def start_call(self, operation):
        return object()


def faulty_from_the_start():
    provider = TracerProvider(shutdown_on_exit=False)
    provider.add_span_processor(Faulty())
    return OpenTelemetryTracer(provider.get_tracer("test"))


@pytest.mark.parametrize("make", [faulty_from_the_start, FaultyLater, Incomplete, Empty])
async def test_a_tracer_that_raises_changes_nothing(caplog, make):
    tracer = make()
    async with raw_server(HANG_UP, EMPTY) as raw:
        async with SevenDigital("key", "secret", base_url=raw.base_url, retry=RETRY, tracer=tracer) as client:
            await client.classic.releases.search("x")
        assert len(raw.requests) == 2
    lines = [record.getMessage() for record in caplog.records if record.levelno == logging.ERROR]
    assert lines == ["tracer raised; its further errors are not logged"]


def test_the_global_provider_is_the_default():
    call = OpenTelemetryTracer().start_call("a.b")
    with call.activate():
        call.end(None)


async def test_media_that_are_refused_are_an_error_of_the_call(traces):
    body = json.dumps({"status": "error", "error": {"code": 2002, "errorMessage": "not here, jane"}})
    async with raw_server(answer(body, "404 Not Found", Content_Type="application/json")) as raw:
        async with traces.client(raw) as client:
            with pytest.raises(APIError):
                async with client.media.stream("7", country="GB"):
                    raise AssertionError
    call, attempt = traces.spans
    assert (call.attributes["error.type"], call.attributes["sevendigital.error.code"]) == ("NotAvailableError", 2002)
    assert attempt.attributes["http.response.status_code"] == 404


async def test_calls_side_by_side_have_spans_of_their_own(traces):
    async with raw_server(EMPTY) as raw, traces.client(raw) as client:
        await asyncio.gather(*(client.classic.releases.search(str(number)) for number in range(5)))
    calls = {span.context.span_id for span in traces.spans if span.parent is None}
    attempts = [span for span in traces.spans if span.parent is not None]
    assert len(calls) == len(attempts) == 5
    assert {span.parent.span_id for span in attempts} == calls
    assert not any("http.request.resend_count" in span.attributes for span in attempts)
