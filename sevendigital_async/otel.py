"""Traces for OpenTelemetry; needs the extra ``otel``."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractContextManager
from urllib.parse import urlsplit

from attrs import define
from opentelemetry.context import Context
from opentelemetry.trace import (
    Link,
    Span,
    SpanContext,
    SpanKind,
    StatusCode,
    Tracer,
    get_current_span,
    get_tracer,
    set_span_in_context,
    use_span,
)

from ._version import __version__
from .errors import APIError
from .models import LogKind
from .session.observation import RequestInfo
from .shipping.outcome import OUTCOME_NAMES, Delivered

MIN_ERROR_STATUS = 400
"""The lowest HTTP status of an error."""

DEFAULT_PORTS = {"http": 80, "https": 443}


def _activate(span: Span) -> AbstractContextManager[Span]:
    # An exception's message may quote the service, and with it a user.
    return use_span(span, end_on_exit=False, record_exception=False, set_status_on_exception=False)


def _set_error(span: Span, error_type: str) -> None:
    span.set_attribute("error.type", error_type)
    span.set_status(StatusCode.ERROR)


@define(eq=False)
class OpenTelemetryAttempt:
    """The span of one request, named ``GET /1.2/release/search``."""

    _span: Span

    def activate(self) -> AbstractContextManager[Span]:
        """Return a context manager in which the span is the current one."""
        return _activate(self._span)

    def answered(self, status: int) -> None:
        """Record the status of the response."""
        self._span.set_attribute("http.response.status_code", status)
        if status >= MIN_ERROR_STATUS:
            _set_error(self._span, str(status))

    def end(self, error: BaseException | None) -> None:
        """End it, with the error that kept the response from being read to its end."""
        if error is not None:
            _set_error(self._span, type(error).__name__)
        self._span.end()


@define(eq=False)
class OpenTelemetryCall:
    """The span of one call, named ``7digital classic.releases.search``."""

    _tracer: Tracer
    _span: Span

    def activate(self) -> AbstractContextManager[Span]:
        """Return a context manager in which the span is the current one."""
        return _activate(self._span)

    def start_attempt(self, request: RequestInfo) -> OpenTelemetryAttempt:
        """Start the span of a request."""
        place = urlsplit(request.url)
        attributes: dict[str, str | int] = {
            "http.request.method": request.http_method,
            "url.full": request.url,
            "server.address": place.hostname or "",
            "server.port": place.port or DEFAULT_PORTS[place.scheme],
        }
        if request.url_template is not None:
            attributes["url.template"] = request.url_template
        if request.attempt > 1:
            attributes["http.request.resend_count"] = request.attempt - 1
        name = " ".join(filter(None, [request.http_method, request.url_template]))
        context = set_span_in_context(self._span)
        return OpenTelemetryAttempt(self._tracer.start_span(name, context, kind=SpanKind.CLIENT, attributes=attributes))

    def end(self, error: BaseException | None) -> None:
        """End it, with the error that the call raised."""
        if error is not None:
            _set_error(self._span, type(error).__name__)
        if isinstance(error, APIError) and error.code is not None:
            self._span.set_attribute("sevendigital.error.code", error.code)
        self._span.end()


@define(eq=False)
class OpenTelemetryBatch:
    """The span of one batch of plays, named ``7digital batch preview``."""

    _span: Span

    @property
    def context(self) -> SpanContext:
        """What other spans link to."""
        return self._span.get_span_context()

    def activate(self) -> AbstractContextManager[Span]:
        """Return a context manager in which the span is the current one."""
        return _activate(self._span)

    def end(self, outcome: str) -> None:
        """End it with the name of its outcome."""
        self._span.set_attribute("sevendigital.outcome", outcome)
        if outcome != OUTCOME_NAMES[Delivered]:
            _set_error(self._span, outcome)
        self._span.end()


class OpenTelemetryTracer:
    """Makes spans of calls, of the requests that they send, and of batches of plays.

    Pass it as ``SevenDigital(..., tracer=...)`` and ``StreamLogShipper(..., tracer=...)``. No attribute contains a
    secret, a signature, a token, a user id or a play.

    Args:
        tracer: Starts the spans; the tracer of the global provider if left out.
    """

    def __init__(self, tracer: Tracer | None = None) -> None:
        self._tracer = tracer or get_tracer("sevendigital_async", __version__)

    def start_call(self, operation: str) -> OpenTelemetryCall:
        """Start the span of a call; the current span is its parent."""
        attributes = {"sevendigital.operation": operation}
        span = self._tracer.start_span(f"7digital {operation}", kind=SpanKind.CLIENT, attributes=attributes)
        return OpenTelemetryCall(self._tracer, span)

    def origin(self) -> SpanContext | None:
        """Return the current span, which batches with the plays that are put now link to; None outside of spans."""
        context = get_current_span().get_span_context()
        return context if context.is_valid else None

    def start_batch(self, kind: LogKind, logs: int, request_id: str, origins: Sequence[object]) -> OpenTelemetryBatch:
        """Start the span of a batch: the root of a trace, as its plays come from many.

        Args:
            kind: Kind of the plays.
            logs: How many.
            request_id: Sent to the service as ``x-7d-traceid``.
            origins: What :meth:`origin` returned, and contexts of batches.
        """
        attributes: dict[str, str | int] = {
            "sevendigital.kind": kind.value,
            "sevendigital.request_id": request_id,
            "messaging.batch.message_count": logs,
        }
        links = [Link(origin) for origin in origins if isinstance(origin, SpanContext)]
        name = f"7digital batch {kind.value}"
        span = self._tracer.start_span(name, Context(), kind=SpanKind.CONSUMER, attributes=attributes, links=links)
        return OpenTelemetryBatch(span)
