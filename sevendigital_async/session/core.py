"""How one call travels: admit, sign, send, classify, retry, decode."""

from __future__ import annotations

import asyncio
import logging
import random
from collections.abc import AsyncIterator, Mapping
from contextlib import AbstractAsyncContextManager, AsyncExitStack, ExitStack, asynccontextmanager, closing, nullcontext
from typing import TYPE_CHECKING, Any, TypeVar

from attrs import evolve, frozen

from ..account_quota import MAX_WAIT, Quota, RateLimit
from ..clock import Clock
from ..config import Credentials, Settings, SignaturePlacement, Timeout, UserToken
from ..errors import (
    APIError,
    ClockSkewError,
    ConnectError,
    DecodeError,
    InvalidArgumentError,
    RateLimitError,
    RedirectError,
    RequestTimeoutError,
    SevenDigitalError,
    TransportError,
    UnreadableResponseError,
)
from ..operations import Content, Operation
from .acknowledgement import acknowledgement_problem
from .cache import ResponseCache, cache_key, is_cacheable
from .classify import TRACE_HEADER, ErrorContext, annotate, check_count, clock_offset_in, error_in
from .document import OFF_LOOP_BYTES, Document, parse_in_time, read_all, run_in_thread
from .media import MediaResponse, is_media
from .options import CallOptions
from .rate_limiter import LocalRateLimiter, RateLimiter, Slot
from .redirects import MAX_REDIRECTS, destination, forwarded_headers, is_redirect
from .request import Call, Request, SignedRequest, build_request, new_nonce, request_to, sign
from .response import Response
from .transport import Stream, Transport

if TYPE_CHECKING:
    from tenacity import AsyncRetrying

logger = logging.getLogger("sevendigital_async")

MAX_JOURNAL_BYTES = 200
"""Bytes of a response that are kept for the journal."""

MEDIA_READ_TIMEOUT = 30.0
"""Seconds between two pieces of media, unless the settings set it; the whole has no time limit."""

ACCEPT_JSON = "application/json, application/xml;q=0.5"
ACCEPT_XML = "application/xml"
ACCEPT_ANY = "*/*"

T = TypeVar("T")


@frozen
class _OpenResponse:
    """A response whose body is still to be read.

    Attributes:
        stream: Its body.
        clock_offset: The offset of the service's clock with which the request was signed, in seconds.
        deadline: When it must be read and parsed, by the monotonic clock; None for no limit.
        redirected: Whether a redirect led to it.
    """

    stream: Stream
    clock_offset: float
    deadline: float | None
    redirected: bool = False


@frozen
class _CompleteResponse:
    """A response that has been read and reports no error."""

    document: Document
    status: int
    headers: Mapping[str, str]
    deadline: float | None

    def response(self, call: Call, value: T) -> Response[T]:
        """Return the value that was decoded from it, with its status and headers."""
        return Response(value, self.status, self.headers, self.headers.get(TRACE_HEADER) or call.options.trace_id)


class Session:
    """The state that all clients of a consumer key share: quota, slots, clock offset and connections."""

    def __init__(
        self,
        credentials: Credentials,
        settings: Settings,
        transport: Transport,
        *,
        clock: Clock,
        cache: ResponseCache | None = None,
        limits: RateLimiter | None = None,
        rng: random.Random | None = None,
    ) -> None:
        self.settings = settings
        self._credentials = credentials
        self._transport = transport
        self._clock = clock
        self._cache = cache
        self._rng = rng or random.Random()  # noqa: S311 - jitter, not a secret
        self._quota = Quota(clock)
        self._limits = limits or LocalRateLimiter(clock)
        self._clock_offset = 0.0
        self.options: CallOptions = CallOptions.of(settings)

    @property
    def consumer_key(self) -> str:
        """The partner's key, which is not secret."""
        return self._credentials.consumer_key

    @property
    def rate_limit(self) -> RateLimit:
        """The quota as the last response stated it, aged to now."""
        return self._quota.rate_limit

    async def send(self, call: Call) -> Response[Any]:
        """Make a call, retry it as its safety allows, and return the decoded response with its status and headers.

        Raises:
            SevenDigitalError: See :mod:`sevendigital_async.errors`.
        """
        request, cache = self.request(call), self._cache
        if cache is None or not is_cacheable(call.operation, request):
            response = await self._decoded(call, request)
        else:
            response = await self._cached(call, request, cache)
        if call.options.on_response is not None:
            call.options.on_response(response)
        return response

    async def fetch(self, call: Call) -> bytes:
        """Make a call, retry it as its safety allows, and return the response's body as it came.

        Raises:
            SevenDigitalError: See :mod:`sevendigital_async.errors`.
        """
        with ErrorContext(call):
            fetched = await self._fetch(call, self.request(call))
        response = fetched.response(call, fetched.document.body)
        if call.options.on_response is not None:
            call.options.on_response(response)
        return response.value

    @asynccontextmanager
    async def stream(self, call: Call) -> AsyncIterator[MediaResponse]:
        """Request media, retry as the operation's safety allows, and hold the response open while it is read.

        Raises:
            SevenDigitalError: See :mod:`sevendigital_async.errors`. A body that ends early is not requested again.
        """
        request, deadline = self.request(call), self._deadline(call)
        with ExitStack() as reading:
            async for attempt in self._attempts(call, deadline):
                with attempt, ErrorContext(call):
                    async with self._admitted(call.operation, deadline) as slot:
                        stream = reading.enter_context(closing(await self._open_media(call, request, slot)))
            yield MediaResponse(call.operation, stream)

    async def send_once(self, call: Call, slot: Slot | None) -> str:
        """Make a call exactly once, in a slot that is already held.

        Returns:
            The response, for the journal: its status and the beginning of its body.

        Raises:
            UnreadableResponseError: The response has a success status but is not an acknowledgement.
            SevenDigitalError: See :mod:`sevendigital_async.errors`.
        """
        request = self.request(call)
        with ErrorContext(call):
            opened = await self._open(call, request, slot, call.options.timeout)
            with closing(opened.stream) as stream:
                document = await self._document(call, request, opened)
                if defect := acknowledgement_problem(document):
                    message = f"{call.operation.name}: HTTP {stream.status} that is not an acknowledgement: {defect}"
                    raise UnreadableResponseError(message, operation=call.operation.name, status=stream.status)
                return f"{stream.status} {document.excerpt(MAX_JOURNAL_BYTES)}".strip()

    @asynccontextmanager
    async def admission(self, operation: Operation, max_wait: float | None = None) -> AsyncIterator[Slot | None]:
        """Wait until quota and rate class allow ``operation``; hold its slot, if it needs one.

        Args:
            operation: To be called.
            max_wait: Seconds to wait for the quota, up to a day; those of the settings if left out.

        Raises:
            RateLimitError: The quota is spent for longer than that.
        """
        max_wait = min(self.settings.max_wait if max_wait is None else max_wait, MAX_WAIT)
        while wait := max(self._quota.wait, await self._limits.pause_left()):
            if wait > max_wait:
                raise RateLimitError(
                    f"the request quota is spent; it is renewed in {wait:.0f} seconds",
                    operation=operation.name,
                    rate_limit=self.rate_limit,
                    retry_after=wait,
                )
            await self._clock.sleep(wait)
        self._quota.postpone_probe()
        if operation.rate_class is None:
            yield None
        else:
            async with self._limits.slot(operation.rate_class) as slot:
                yield slot

    def request(self, call: Call) -> Request:
        """Build the request of a call in the dialect in use, unsigned.

        Raises:
            InvalidArgumentError: An argument is missing, unknown or can't be sent.
            UnsupportedOperationError: The dialect lacks the operation.
        """
        binding = call.operation.binding(self.settings.dialect)
        defaults = call.options.defaults
        settled = {
            name: value
            for name, field in binding.settings.items()
            if (value := getattr(defaults, field, None) or getattr(self.settings, field))
        }
        return build_request(
            call.operation,
            binding,
            self.settings.origins[binding.host],
            call.arguments,
            settled=settled,
            defaults=defaults,
        )

    def sign_url(self, call: Call) -> str:
        """Return a GET call as one signed URL.

        Raises:
            InvalidArgumentError: An argument is missing or unknown, or the operation is not a GET.
        """
        request = self.request(call)
        if request.http_method != "GET":
            raise InvalidArgumentError(
                f"{call.operation.name} is a {request.http_method}; only GET requests can be signed as a URL"
            )
        return self._signed(request, call.signer, SignaturePlacement.QUERY).url

    def sign(self, http_method: str, url: str, form: Mapping[str, str] | None, user: UserToken | None) -> str:
        """Return the URL of any request to the service with a signature in its query.

        Raises:
            InvalidArgumentError: It is not a URL of the service, or is already signed.
        """
        request = request_to(http_method, url, form, origins=self.settings.origins.values())
        return self._signed(request, user, SignaturePlacement.QUERY).url

    async def aclose(self) -> None:
        """Release the connections."""
        try:
            await self._transport.aclose()
        finally:
            await self._limits.aclose()

    async def _cached(self, call: Call, request: Request, cache: ResponseCache) -> Response[Any]:
        """Return the response that the cache has, or a new one, which the cache may keep."""
        key = cache_key(request, call.signer, {"accept": self._accept(call.operation), **call.options.headers})
        kept = cache.get(key)
        if isinstance(kept, Response):
            return kept
        response = await self._decoded(call, request)
        cache.put(key, response, response.headers)
        return response

    async def _decoded(self, call: Call, request: Request) -> Response[Any]:
        operation = call.operation
        with ErrorContext(call):
            fetched = await self._fetch(call, request)
            from .decode import decode, response_from_request  # noqa: PLC0415 - cattrs takes long to load, and who ships plays decodes nothing

            document = response_from_request(request, fetched.document, fetched.headers)
            strict, optional = self.settings.strict_decoding, request.binding.optional
            try:
                if len(document.body) <= OFF_LOOP_BYTES:
                    value = decode(operation, document, strict=strict, optional=optional)
                else:
                    left = self._seconds_left(fetched.deadline)
                    value = await run_in_thread(left, decode, operation, document, strict=strict, optional=optional)
            except DecodeError as error:
                error.status, error.body = fetched.status, document.body
                raise
            return fetched.response(call, value)

    async def _fetch(self, call: Call, request: Request) -> _CompleteResponse:
        """Make the attempts of a call."""
        deadline = self._deadline(call)
        failed: list[SevenDigitalError] = []
        try:
            return await self._attempt(call, request, deadline)
        except SevenDigitalError as error:
            failed.append(error)
        # tenacity's loop costs a sixth of a call, so it is used only if the first attempt fails.
        async for attempt in self._attempts(call, deadline):
            with attempt:
                if failed:
                    raise failed.pop()
                return await self._attempt(call, request, deadline)
        raise AssertionError("tenacity returns or raises")

    def _attempts(self, call: Call, deadline: float | None) -> AsyncRetrying:
        from .retry import retrying  # noqa: PLC0415 - tenacity takes long to load, and most calls need one attempt

        policy, max_wait = call.options.retry, self.settings.max_wait
        return retrying(policy, call.operation.safety, deadline, clock=self._clock, max_wait=max_wait, rng=self._rng)

    async def _attempt(self, call: Call, request: Request, deadline: float | None) -> _CompleteResponse:
        async with self._admitted(call.operation, deadline) as slot:
            opened = await self._open(call, request, slot, self._timeout(call, deadline))
            with closing(opened.stream) as stream:
                document = await self._document(call, request, opened)
                return _CompleteResponse(document, stream.status, stream.headers, opened.deadline)

    def _admitted(self, operation: Operation, deadline: float | None) -> AbstractAsyncContextManager[Slot | None]:
        """Wait for the admission of one attempt until the call's deadline; nearly always, it need not wait."""
        is_free = operation.rate_class is None and not self._quota.is_spent
        return nullcontext() if is_free else self._admission_until(deadline, operation)

    @asynccontextmanager
    async def _admission_until(self, deadline: float | None, operation: Operation) -> AsyncIterator[Slot | None]:
        async with AsyncExitStack() as held:
            try:
                async with asyncio.timeout(self._seconds_left(deadline)):
                    slot = await held.enter_async_context(self.admission(operation))
            except TimeoutError:
                message = f"{operation.name}: the call's deadline passed while it waited for the quota or a rate slot"
                raise RequestTimeoutError(message, operation=operation.name, maybe_sent=False) from None
            yield slot

    async def _open(self, call: Call, request: Request, slot: Slot | None, timeout: Timeout) -> _OpenResponse:  # noqa: ASYNC109 - aiohttp keeps it
        """Sign a call and send it once; follow redirects where the operation's content is text or media.

        The stream is the caller's to close.
        """
        offset = self._clock_offset
        signed = self._signed(request, call.signer, self.settings.signature)
        signed.headers["Accept"] = self._accept(call.operation)
        if call.options.trace_id:
            signed.headers[TRACE_HEADER] = call.options.trace_id
        signed.headers.update(call.options.headers)
        deadline = self._deadline_after(timeout.total)
        opened = _OpenResponse(await self._send(call.operation, signed, slot, timeout), offset, deadline)
        if call.operation.content is Content.MODEL:
            return opened
        return await self._follow_redirects(call, signed.url, opened, timeout)

    def _signed(self, request: Request, user: UserToken | None, placement: SignaturePlacement) -> SignedRequest:
        timestamp = int(self._clock.time() + self._clock_offset)
        return sign(request, self._credentials, user, nonce=new_nonce(), timestamp=timestamp, placement=placement)

    def _accept(self, operation: Operation) -> str:
        if operation.content is not Content.MODEL:
            return ACCEPT_ANY
        return ACCEPT_XML if self.settings.prefer_xml else ACCEPT_JSON

    async def _send(self, operation: Operation, signed: SignedRequest, slot: Slot | None, timeout: Timeout) -> Stream:  # noqa: ASYNC109 - aiohttp keeps it
        """Send a request once, and note in slot and quota what became of it."""
        started = self._clock.monotonic()
        try:
            if slot:
                await slot.sending(timeout.total)
            stream = await self._transport.open(signed, timeout)
        except TransportError as error:
            if slot and isinstance(error, ConnectError):
                slot.not_sent()
            elif slot and not isinstance(error, RequestTimeoutError):
                slot.answered()
            logger.debug("%s: %s", operation.name, error)
            raise
        if slot:
            slot.answered()
        if spent := self._quota.update(stream.headers):
            self._limits.pause(None, spent)
        logger.debug("%s: HTTP %d after %.3f s", operation.name, stream.status, self._clock.monotonic() - started)
        return stream

    async def _follow_redirects(self, call: Call, url: str, opened: _OpenResponse, timeout: Timeout) -> _OpenResponse:  # noqa: ASYNC109 - aiohttp keeps it
        """Follow the redirects of a response from ``url``, if it is one."""
        operation, visited = call.operation, [url]
        for _ in range(MAX_REDIRECTS):
            stream = opened.stream
            location = stream.headers.get("location")
            if location is None or not is_redirect(operation, stream):
                return opened
            stream.close()
            deadline = self._deadline_after(timeout.total)
            try:
                visited.append(destination(operation, visited, location, allow_http=self.settings.allow_http))
                # The signature must not be sent to the target of a redirect.
                onward = SignedRequest("GET", visited[-1], forwarded_headers(call.options.headers), None)
                stream = await self._send(operation, onward, None, timeout)
            except SevenDigitalError as error:
                error.maybe_sent = True  # the service acted on the first request
                raise
            opened = _OpenResponse(stream, opened.clock_offset, deadline, redirected=True)
        opened.stream.close()
        raise RedirectError(f"more than {MAX_REDIRECTS} redirects", operation=operation.name, maybe_sent=True)

    async def _open_media(self, call: Call, request: Request, slot: Slot | None) -> Stream:
        """Request media once; the stream is the caller's to close."""
        opened = await self._open(call, request, slot, self._timeout(call, None))
        if is_media(opened.stream):
            return opened.stream
        with closing(opened.stream) as stream:
            document, name = await self._document(call, request, opened), call.operation.name
            message = f"{name}: the response is text, not media"
            raise DecodeError(message, operation=name, status=stream.status, body=document.body)

    async def _document(self, call: Call, request: Request, opened: _OpenResponse) -> Document:
        """Read a response to its end; raise the error that it reports, if any."""
        stream, deadline = opened.stream, opened.deadline
        if deadline is None:
            # Media have no time limit; an error response has.
            deadline = self._deadline_after(call.options.timeout.total)
        try:
            body = await read_all(stream, self.settings.max_response_bytes)
            document = await parse_in_time(body, stream.headers.get("content-type"), self._seconds_left(deadline))
        except TransportError as broken:
            broken.answered = 200 <= stream.status < 300  # noqa: PLR2004
            broken.status = stream.status
            raise
        now = self._clock.time()
        error = error_in(document, stream.status, stream.headers, call.operation.name, now=now + self._clock_offset)
        if error is not None:
            raise self._error_to_raise(error, call, request, opened, now)
        check_count(call, request, document, stream.status)
        return document

    def _error_to_raise(
        self, error: APIError, call: Call, request: Request, opened: _OpenResponse, now: float
    ) -> APIError | ClockSkewError:
        """Return the error to raise for one that a response reports, after learning from it.

        A rate class is paused if the error asks for it; the clock's offset is corrected if the error is about that.
        """
        operation, headers = call.operation, opened.stream.headers
        error = annotate(error, request, headers)
        error.maybe_sent = error.maybe_sent or opened.redirected
        if isinstance(error, RateLimitError) and error.retry_after and operation.rate_class:
            self._limits.pause(operation.rate_class, error.retry_after)
        if opened.redirected:
            return error  # of another host, after the service has acted
        new_offset = clock_offset_in(error, headers.get("date"), now, opened.clock_offset)
        if new_offset is None:
            return error
        self._clock_offset = new_offset
        logger.warning(
            "the service's clock is %.0f s ahead of this machine's; signing with the service's time", new_offset
        )
        return ClockSkewError(error.message, code=error.code, status=error.status, operation=operation.name)

    def _deadline(self, call: Call) -> float | None:
        return self._deadline_after(call.options.retry.deadline)

    def _deadline_after(self, seconds: float | None) -> float | None:
        return None if seconds is None else self._clock.monotonic() + seconds

    def _seconds_left(self, deadline: float | None) -> float | None:
        return None if deadline is None else deadline - self._clock.monotonic()

    def _timeout(self, call: Call, deadline: float | None) -> Timeout:
        """Return the timeout of an attempt that must end by ``deadline``."""
        timeout = call.options.timeout
        if call.operation.content is Content.MEDIA:
            # The duration depends on the size of the media; only stalls are limited.
            return evolve(timeout, total=None, read=timeout.read or MEDIA_READ_TIMEOUT)
        left = self._seconds_left(deadline)
        if left is None or timeout.total is None or left >= timeout.total:
            return timeout
        return evolve(timeout, total=max(0.001, left))
