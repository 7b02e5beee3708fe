"""Observed calls: a session and a transport that report each request to hooks and traces.

A client without hooks and tracer uses neither, so this costs it nothing.
"""

from __future__ import annotations

import inspect
import logging
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import AsyncExitStack, ExitStack, asynccontextmanager, contextmanager
from contextvars import ContextVar
from typing import Any, Protocol

from attrs import define, field, frozen

from ..clock import Clock
from ..config import Timeout
from ..errors import ConfigurationError, SevenDigitalError
from ..observer_guard import ActivatableSpan, ObserverGuard
from .core import Session
from .media import MediaResponse
from .rate_limiter import Slot
from .request import Call, Request, SignedRequest
from .response import Response
from .scrubbing import masked_request_headers, masked_response_headers, scrubbed_target, scrubbed_url
from .transport import Stream, Transport

logger = logging.getLogger("sevendigital_async")


@frozen(kw_only=True)
class RequestInfo:
    """A request that is about to be sent, without secrets and personal data.

    Attributes:
        operation: Dotted name of the operation, such as ``classic.releases.search``.
        attempt: Its number among the requests of the call, from 1; redirects count.
        is_redirect: Whether it follows a redirect.
        http_method: In upper case.
        url: With ``REDACTED`` in place of signatures and of all values that don't describe the catalogue. Of the target
            of a redirect it has the host only.
        url_template: The path, with parameters in braces; None for the target of a redirect.
        headers: With ``REDACTED`` in place of values that may be private.
    """

    operation: str
    attempt: int
    is_redirect: bool
    http_method: str
    url: str
    url_template: str | None
    headers: Mapping[str, str]


@frozen(kw_only=True)
class ResponseInfo:
    """The headers of a response, or its absence.

    Attributes:
        request: What was sent.
        status: HTTP status; None if no response arrived.
        headers: Names in lower case, with ``REDACTED`` in place of values that may be private.
        seconds: From sending to the response's headers, or to the error.
        error: Name of the error's class, such as ``ConnectError``; None if a response arrived.
    """

    request: RequestInfo
    status: int | None
    headers: Mapping[str, str]
    seconds: float
    error: str | None = None


class AttemptSpan(ActivatableSpan, Protocol):
    """The span of one request."""

    def answered(self, status: int) -> None:
        """Record the status of the response."""
        ...

    def end(self, error: BaseException | None) -> None:
        """End it, with the error that kept the response from being read to its end."""
        ...


class CallSpan(ActivatableSpan, Protocol):
    """The span of one call."""

    def start_attempt(self, request: RequestInfo) -> AttemptSpan:
        """Start the span of a request."""
        ...

    def end(self, error: BaseException | None) -> None:
        """End it, with the error that the call raised."""
        ...


class CallTracer(Protocol):
    """Makes spans; :class:`~sevendigital_async.otel.OpenTelemetryTracer` is one. What it raises is logged only."""

    def start_call(self, operation: str) -> CallSpan:
        """Start the span of a call."""
        ...


RequestHook = Callable[[RequestInfo], object]
ResponseHook = Callable[[ResponseInfo], object]


class Observers:
    """Tracer and hooks of a client.

    Args:
        tracer: Makes spans.
        on_request: Called before each request is sent.
        on_response: Called when a response's headers have arrived, or when none will.

    Raises:
        ConfigurationError: One of them can't be called, or is async.
    """

    def __init__(
        self, tracer: CallTracer | None, on_request: RequestHook | None, on_response: ResponseHook | None
    ) -> None:
        if tracer is not None and not callable(getattr(tracer, "start_call", None)):
            raise ConfigurationError(
                "tracer must be an OpenTelemetryTracer of sevendigital_async.otel, or an object with its methods"
            )
        for name, hook in (("on_request", on_request), ("on_response", on_response)):
            if hook is not None and (not callable(hook) or inspect.iscoroutinefunction(hook)):
                raise ConfigurationError(f"{name} must be a plain function, which must not be async")
        self.tracer = tracer
        self.on_request = on_request
        self.on_response = on_response
        self.tracing: ObserverGuard = ObserverGuard("tracer", logger)
        self.before: ObserverGuard = ObserverGuard("on_request", logger)
        self.after: ObserverGuard = ObserverGuard("on_response", logger)

    def request(self, info: RequestInfo) -> None:
        if self.on_request is not None:
            self.before.call(self.on_request, info)

    def response(self, info: ResponseInfo) -> None:
        if self.on_response is not None:
            self.after.call(self.on_response, info)


@define(eq=False)
class CallObservation:
    """One call.

    Attributes:
        call: The call.
        observers: Hooks and tracer.
        request: What was built of the call, unsigned.
        attempts: Requests so far.
    """

    call: Call
    observers: Observers
    request: Request | None = None
    attempts: int = 0
    _span: CallSpan | None = field(init=False, default=None)

    def __attrs_post_init__(self) -> None:
        if self.observers.tracer is not None:
            self._span = self.observers.tracing.call(self.observers.tracer.start_call, self.call.operation.name)

    @contextmanager
    def entered(self) -> Iterator[None]:
        """Make this the current call, whose requests are reported."""
        token = _CURRENT.set(self)
        try:
            with ExitStack() as active:
                if self._span is not None:
                    active.enter_context(self.observers.tracing.entered(self._span))
                yield
        finally:
            _CURRENT.reset(token)

    def start_attempt(self, info: RequestInfo) -> AttemptSpan | None:
        span = self._span
        return None if span is None else self.observers.tracing.call(lambda: span.start_attempt(info))

    def end(self, error: BaseException | None) -> None:
        """End the span, if it has not ended."""
        span, self._span = self._span, None
        if span is not None:
            self.observers.tracing.call(lambda: span.end(error))

    def describe(self, signed: SignedRequest) -> RequestInfo:
        """Count a request and describe it."""
        self.attempts += 1
        request, place = self.request, signed.url.partition("?")[0]
        template = "" if request is None else request.binding.path
        is_redirect = request is None or place != request.url
        if not is_redirect and "{" not in template:
            template = "/" + place.partition("://")[2].partition("/")[2]  # the settings may have replaced it
        return RequestInfo(
            operation=self.call.operation.name,
            attempt=self.attempts,
            is_redirect=is_redirect,
            http_method=signed.http_method,
            url=scrubbed_target(signed.url) if is_redirect else scrubbed_url(signed.url, template),
            url_template=None if is_redirect else template,
            headers=masked_request_headers(signed.headers),
        )


_CURRENT: ContextVar[CallObservation | None] = ContextVar("sevendigital_async_observation", default=None)


@define(eq=False)
class ObservedStream:
    """A response whose span ends when it is closed."""

    _stream: Stream
    _end: Callable[[BaseException | None], None]
    _error: BaseException | None = field(init=False, default=None)
    _is_open: bool = field(init=False, default=True)

    @property
    def status(self) -> int:
        return self._stream.status

    @property
    def headers(self) -> Mapping[str, str]:
        return self._stream.headers

    async def chunk(self) -> bytes:
        try:
            return await self._stream.chunk()
        except BaseException as error:
            self._error = error
            raise

    def close(self) -> None:
        """Close the response and end its span."""
        try:
            self._stream.close()
        finally:
            if self._is_open:
                self._is_open = False
                self._end(self._error)


@define(eq=False)
class ObservedTransport:
    """Reports each request, and sends it with another transport."""

    _transport: Transport
    _clock: Clock

    async def open(self, request: SignedRequest, timeout: Timeout) -> Stream:  # noqa: ASYNC109 - as the protocol
        """Send one request, once."""
        observation = _CURRENT.get()
        if observation is None:
            return await self._transport.open(request, timeout)
        observers, info = observation.observers, observation.describe(request)
        observers.request(info)
        span = observation.start_attempt(info)

        def end(error: BaseException | None) -> None:
            if span is not None:
                observers.tracing.call(lambda: span.end(error))

        started = self._clock.monotonic()
        try:
            with ExitStack() as active:
                if span is not None:
                    active.enter_context(observers.tracing.entered(span))
                stream = await self._transport.open(request, timeout)
        except BaseException as error:
            end(error)
            seconds, name = self._clock.monotonic() - started, type(error).__name__
            observers.response(ResponseInfo(request=info, status=None, headers={}, seconds=seconds, error=name))
            raise
        observed = ObservedStream(stream, end)
        try:
            if span is not None:
                observers.tracing.call(lambda: span.answered(stream.status))
            headers, seconds = masked_response_headers(stream.headers), self._clock.monotonic() - started
            observers.response(ResponseInfo(request=info, status=stream.status, headers=headers, seconds=seconds))
        except BaseException:  # the hook has ended the process
            observed.close()
            raise
        return observed

    async def aclose(self) -> None:
        await self._transport.aclose()


class ObservedSession(Session):
    """A session whose calls are reported.

    Args:
        observers: Hooks and tracer.
        arguments: Those of :class:`Session`; its transport is an :class:`ObservedTransport`.
    """

    def __init__(self, observers: Observers, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self._observers = observers

    async def send(self, call: Call) -> Response[Any]:
        with self._observed(call):
            return await super().send(call)

    async def fetch(self, call: Call) -> bytes:
        with self._observed(call):
            return await super().fetch(call)

    async def send_once(self, call: Call, slot: Slot | None) -> str:
        with self._observed(call):
            return await super().send_once(call, slot)

    @asynccontextmanager
    async def stream(self, call: Call) -> AsyncIterator[MediaResponse]:
        observation = CallObservation(call, self._observers)
        opened = AsyncExitStack()
        try:
            # Entered for the opening only: the block is the caller's, and may end in another task.
            with observation.entered():
                response = await opened.enter_async_context(super().stream(call))
        except BaseException as error:
            observation.end(error)
            raise
        try:
            async with opened:
                yield response
        except SevenDigitalError as error:
            observation.end(error)
            raise
        finally:
            observation.end(None)  # other exceptions of the block do not belong to the call

    def request(self, call: Call) -> Request:
        request, observation = super().request(call), _CURRENT.get()
        if observation is not None and observation.call is call:
            observation.request = request
        return request

    @contextmanager
    def _observed(self, call: Call) -> Iterator[None]:
        observation = CallObservation(call, self._observers)
        try:
            with observation.entered():
                yield
        except BaseException as error:
            observation.end(error)
            raise
        observation.end(None)
