"""How one call travels: admit, sign, send, classify, retry, decode."""

from __future__ import annotations

import asyncio
import logging
import random
from collections.abc import AsyncIterator, Awaitable, Callable, Hashable, Mapping
from contextlib import AsyncExitStack, ExitStack, asynccontextmanager, closing
from typing import TYPE_CHECKING, Any, TypeVar

from attrs import evolve, frozen

from ..account_quota import MAX_WAIT, PROBE_INTERVAL, RateLimit
from ..clock import Clock
from ..config import Credentials, Settings, SignaturePlacement, Timeout, UserToken
from ..errors import (
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
from ..operations import Auth, Content, Operation, Safety
from .acknowledgement import defect_in
from .cache import ResponseCache, cache_key
from .classify import TRACE_HEADER, ErrorContext, annotate, check_count, error_in, offset_in
from .defaults import ParameterDefaults
from .document import OFF_LOOP_BYTES, Document, in_thread, parsed, read_all
from .media import MediaResponse, is_media, with_operation
from .rate_limiter import LocalRateLimiter, RateLimiter, Slot
from .redirects import MAX_REDIRECTS, destination, is_redirect
from .request import Call, Request, SignedRequest, build_request, new_nonce, request_to, sign
from .response import Response
from .transport import Stream, Transport

if TYPE_CHECKING:
    from tenacity import AsyncRetrying

logger = logging.getLogger("sevendigital_async")

MAX_ANSWER = 200
"""Bytes of a response that are kept for the journal."""

MEDIA_READ_TIMEOUT = 30.0
"""Seconds between two pieces of media, unless the settings set it; the whole has no time limit."""

ACCEPT_JSON = "application/json, application/xml;q=0.5"
ACCEPT_XML = "application/xml"
ACCEPT_ANY = "*/*"


FORWARDED_HEADERS = frozenset({"accept", "accept-language", "if-match", "if-none-match", "if-range", "range"})
"""Headers of a call that are sent to the target of a redirect as well."""

T = TypeVar("T")


@frozen
class _Opened:
    """A response whose body is still to be read.

    Attributes:
        stream: Its body.
        redirected: Whether a redirect led to it.
        deadline: When it must be read and parsed, by the monotonic clock; None for no limit.
    """

    stream: Stream
    redirected: bool
    deadline: float | None


@frozen
class _Answer:
    """A response that has been read and reports no error."""

    document: Document
    status: int
    headers: Mapping[str, str]
    deadline: float | None


def _response(call: Call, value: T, answer: _Answer) -> Response[T]:
    return Response(value, answer.status, answer.headers, answer.headers.get(TRACE_HEADER) or call.trace_id)


def _forwarded_headers(headers: Mapping[str, str]) -> dict[str, str]:
    """Return the headers of a call that are safe to send to the target of a redirect."""
    return {name: value for name, value in headers.items() if name.lower() in FORWARDED_HEADERS}


class Quota:
    """The quota of one consumer key."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._reported = RateLimit()
        self._reported_at = self._probe_at = clock.monotonic()

    @property
    def rate_limit(self) -> RateLimit:
        """The quota by the last response, aged to now."""
        return self._reported.after(self._clock.monotonic() - self._reported_at)

    @property
    def is_spent(self) -> bool:
        """Whether the quota was spent by the last response."""
        # Checked before every request; nearly always some quota remains.
        return bool(self._reported.wait and self.rate_limit.wait)

    @property
    def wait(self) -> float:
        """Seconds until a request may be sent; 0 when a very long wait is to be probed."""
        wait = self.rate_limit.wait
        return 0.0 if wait > MAX_WAIT and self._clock.monotonic() >= self._probe_at else wait

    def update(self, headers: Mapping[str, str]) -> float:
        """Update from a response's headers; malformed or missing ones change nothing.

        Returns:
            Seconds to wait, if these headers say that the quota is spent.
        """
        stated = RateLimit.from_headers(headers, self._clock.time())
        if stated is None:
            return 0.0
        self._reported = stated
        self._reported_at = self._clock.monotonic()
        self._probe_at = self._reported_at + PROBE_INTERVAL
        return stated.wait

    async def acquire(self, max_wait: float, operation: str, pause_left: Callable[[], Awaitable[float]]) -> None:
        """Wait until the quota allows a request.

        Args:
            max_wait: Seconds this may take; more than a day is never waited here.
            operation: Named in the error.
            pause_left: Returns the seconds for which other processes have paused the account.

        Raises:
            RateLimitError: It would take longer; ``retry_after`` says how long.
        """
        while wait := max(self.wait, await pause_left()):
            if wait > min(max_wait, MAX_WAIT):
                raise RateLimitError(
                    f"the request quota is spent; it is renewed in {wait:.0f} seconds",
                    operation=operation,
                    rate_limit=self.rate_limit,
                    retry_after=wait,
                )
            await self._clock.sleep(wait)
        self._probe_at = self._clock.monotonic() + PROBE_INTERVAL  # one request probes, not all that wait


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
        self._defaults = ParameterDefaults.of(settings)

    @property
    def consumer_key(self) -> str:
        """The partner's key, which is not secret."""
        return self._credentials.consumer_key

    @property
    def rate_limit(self) -> RateLimit:
        """The quota as the last response stated it, aged to now."""
        return self._quota.rate_limit

    async def send(self, call: Call) -> object:
        """Make a call, retry it as its safety allows, and return the decoded response.

        Raises:
            SevenDigitalError: See :mod:`sevendigital_async.errors`.
        """
        return (await self.exchange(call)).value

    async def exchange(self, call: Call) -> Response[Any]:
        """Make a call, retry it as its safety allows, and return the decoded response with its status and headers.

        Raises:
            SevenDigitalError: See :mod:`sevendigital_async.errors`.
        """
        request = self.request(call)
        key = self._cache_key(call, request)
        kept = None if self._cache is None or key is None else self._cache.get(key)
        response = kept if isinstance(kept, Response) else await self._decoded(call, request)
        if self._cache is not None and key is not None and response is not kept:
            self._cache.put(key, response, response.headers)
        if call.on_response is not None:
            call.on_response(response)
        return response

    async def _decoded(self, call: Call, request: Request) -> Response[Any]:
        with ErrorContext(call):
            fetched = await self._fetch(call, request)
            from .decode import decode, echoed  # noqa: PLC0415 - cattrs takes long to load, and who ships plays decodes nothing

            document, strict = echoed(request, fetched.document, fetched.headers), self.settings.strict_decoding
            optional = request.binding is not None and request.binding.optional
            try:
                if len(document.body) <= OFF_LOOP_BYTES:
                    answer = decode(call.operation, document, strict=strict, optional=optional)
                else:
                    left = self._seconds_left(fetched.deadline)
                    answer = await in_thread(left, decode, call.operation, document, strict=strict, optional=optional)
            except TransportError as error:
                raise with_operation(error, call.operation) from None
            except DecodeError as error:
                error.status, error.body = fetched.status, document.body
                raise
        return _response(call, answer, fetched)

    async def fetch(self, call: Call) -> bytes:
        """Make a call, retry it as its safety allows, and return the response's body as it came.

        Raises:
            SevenDigitalError: See :mod:`sevendigital_async.errors`.
        """
        with ErrorContext(call):
            fetched = await self._fetch(call, self.request(call))
        response = _response(call, fetched.document.body, fetched)
        if call.on_response is not None:
            call.on_response(response)
        return response.value

    @asynccontextmanager
    async def stream(self, call: Call) -> AsyncIterator[MediaResponse]:
        """Request media, retry as the operation's safety allows, and hold the response open while it is read.

        Raises:
            SevenDigitalError: See :mod:`sevendigital_async.errors`. A body that ends early is not requested again.
        """
        operation, request, deadline = call.operation, self.request(call), self._deadline(call)
        async with AsyncExitStack() as answer:
            async for attempt in self._attempts(call, deadline):
                with attempt, ErrorContext(call):
                    async with self._admitted(operation, deadline) as slot:
                        offset = self._clock_offset
                        opened = await self._open(call, request, slot, self._time_left(call, None))
                        with ExitStack() as opening:
                            opening.callback(opened.stream.close)
                            if not is_media(opened.stream):
                                document = await self._document(call, request, opened, offset)
                                raise DecodeError(
                                    f"{operation.name}: the response is text, not media",
                                    operation=operation.name,
                                    status=opened.stream.status,
                                    body=document.body,
                                )
                            answer.enter_context(opening.pop_all())
                    break
            yield MediaResponse(operation, opened.stream)

    async def send_once(self, call: Call, slot: Slot | None) -> str:
        """Make a call exactly once, in a slot that is already held.

        Returns:
            The response, for the journal: its status and the beginning of its body.

        Raises:
            UnreadableResponseError: The response has a success status but is not an acknowledgement.
            SevenDigitalError: See :mod:`sevendigital_async.errors`.
        """
        request, offset = self.request(call), self._clock_offset
        with ErrorContext(call):
            opened = await self._open(call, request, slot, call.timeout or self.settings.timeout)
            with closing(opened.stream) as stream:
                document = await self._document(call, request, opened, offset)
                if defect := defect_in(document):
                    message = f"{call.operation.name}: HTTP {stream.status} that is not an acknowledgement: {defect}"
                    raise UnreadableResponseError(message, operation=call.operation.name, status=stream.status)
                return f"{stream.status} {document.excerpt(MAX_ANSWER)}".strip()

    @asynccontextmanager
    async def admission(self, operation: Operation, max_wait: float | None = None) -> AsyncIterator[Slot | None]:
        """Wait until quota and rate class allow ``operation``; hold its slot, if it needs one.

        Args:
            operation: To be called.
            max_wait: Seconds to wait for the quota; those of the settings if left out.

        Raises:
            RateLimitError: The quota is spent for longer than that.
        """
        max_wait = self.settings.max_wait if max_wait is None else max_wait
        await self._quota.acquire(max_wait, operation.name, self._limits.pause_left)
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
        defaults = call.defaults.over(self._defaults)
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
            fallback=defaults.values_for(binding, call.arguments),
            extra=defaults.extra,
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
        return self._sign(call, request, SignaturePlacement.QUERY).url

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

    async def _fetch(self, call: Call, request: Request) -> _Answer:
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

        policy = call.retry or self.settings.retry
        max_wait = self.settings.max_wait
        return retrying(policy, call.operation.safety, deadline, clock=self._clock, max_wait=max_wait, rng=self._rng)

    def _deadline(self, call: Call) -> float | None:
        policy = call.retry or self.settings.retry
        return None if policy.deadline is None else self._clock.monotonic() + policy.deadline

    def _is_free(self, operation: Operation) -> bool:
        """Return whether a request may go out at once, without a slot."""
        return operation.rate_class is None and not self._quota.is_spent

    @asynccontextmanager
    async def _admitted(self, operation: Operation, deadline: float | None) -> AsyncIterator[Slot | None]:
        async with AsyncExitStack() as held:
            slot = None
            if not self._is_free(operation):
                left = None if deadline is None else max(0.0, deadline - self._clock.monotonic())
                try:
                    async with asyncio.timeout(left):
                        slot = await held.enter_async_context(self.admission(operation))
                except TimeoutError:
                    message = (
                        f"{operation.name}: the call's deadline passed while it waited for the quota or a rate slot"
                    )
                    raise RequestTimeoutError(message, operation=operation.name, maybe_sent=False) from None
            yield slot

    async def _attempt(self, call: Call, request: Request, deadline: float | None) -> _Answer:
        if self._is_free(call.operation):  # nearly always, and a context costs more than this
            return await self._answer(call, request, None, deadline)
        async with self._admitted(call.operation, deadline) as slot:
            return await self._answer(call, request, slot, deadline)

    async def _answer(self, call: Call, request: Request, slot: Slot | None, deadline: float | None) -> _Answer:
        offset = self._clock_offset
        opened = await self._open(call, request, slot, self._time_left(call, deadline))
        stream = opened.stream
        try:
            return _Answer(
                await self._document(call, request, opened, offset), stream.status, stream.headers, opened.deadline
            )
        finally:
            stream.close()

    async def _open(self, call: Call, request: Request, slot: Slot | None, time_left: Timeout) -> _Opened:
        """Send a call once; follow redirects where the operation's content is text or media.

        The stream is the caller's to close.
        """
        operation = call.operation
        signed = self._sign(call, request, self.settings.signature)
        signed.headers["Accept"] = self._accept(operation)
        if call.trace_id:
            signed.headers[TRACE_HEADER] = call.trace_id
        signed.headers.update(call.headers)
        deadline = self._deadline_after(time_left.total)
        stream = await self._send(operation, signed, slot, time_left)
        if operation.content is Content.MODEL:
            return _Opened(stream, redirected=False, deadline=deadline)
        visited = [signed.url]
        for hop in range(MAX_REDIRECTS):
            location = stream.headers.get("location")
            if location is None or not is_redirect(operation, stream):
                return _Opened(stream, redirected=hop > 0, deadline=deadline)
            stream.close()
            deadline = self._deadline_after(time_left.total)
            try:
                visited.append(destination(operation, visited, location, allow_http=self.settings.allow_http))
                # The signature must not be sent to the target of a redirect.
                onward = SignedRequest("GET", visited[-1], _forwarded_headers(call.headers), None)
                stream = await self._send(operation, onward, None, time_left)
            except SevenDigitalError as error:
                error.maybe_sent = True  # the service acted on the first request
                raise
        stream.close()
        raise RedirectError(f"more than {MAX_REDIRECTS} redirects", operation=operation.name, maybe_sent=True)

    def _sign(self, call: Call, request: Request, placement: SignaturePlacement) -> SignedRequest:
        user = call.user if call.operation.auth is Auth.THREE_LEGGED else None
        return self._signed(request, user, placement)

    def _signed(self, request: Request, user: UserToken | None, placement: SignaturePlacement) -> SignedRequest:
        timestamp = int(self._clock.time() + self._clock_offset)
        return sign(request, self._credentials, user, nonce=new_nonce(), timestamp=timestamp, placement=placement)

    async def _send(self, operation: Operation, signed: SignedRequest, slot: Slot | None, time_left: Timeout) -> Stream:
        started = self._clock.monotonic()
        try:
            if slot:
                await slot.sending(time_left.total)
            stream = await self._transport.open(signed, time_left)
        except TransportError as error:
            if slot and isinstance(error, ConnectError):
                slot.not_sent()
            elif slot and not isinstance(error, RequestTimeoutError):
                slot.answered()
            logger.debug("%s: %s", operation.name, error)
            raise with_operation(error, operation) from None
        if slot:
            slot.answered()
        if spent := self._quota.update(stream.headers):
            self._limits.pause(None, spent)
        logger.debug("%s: HTTP %d after %.3f s", operation.name, stream.status, self._clock.monotonic() - started)
        return stream

    async def _document(self, call: Call, request: Request, opened: _Opened, offset: float) -> Document:
        """Read a response to its end; raise the error that it reports, if any."""
        operation, stream = call.operation, opened.stream
        if opened.deadline is None:
            # Media have no time limit; an error response has.
            opened = evolve(opened, deadline=self._deadline_after((call.timeout or self.settings.timeout).total))
        try:
            body = await read_all(stream, self.settings.max_response_bytes)
            document = await parsed(body, stream.headers.get("content-type"), self._seconds_left(opened.deadline))
        except TransportError as broken:
            broken.answered = 200 <= stream.status < 300  # noqa: PLR2004
            broken.status = stream.status
            raise with_operation(broken, operation) from None
        now = self._clock.time()
        error = error_in(document, stream.status, stream.headers, operation.name, now=now + self._clock_offset)
        if error is None:
            check_count(call, request, document, stream.status)
            return document
        error = annotate(error, request, stream.headers)
        error.maybe_sent = error.maybe_sent or opened.redirected
        if isinstance(error, RateLimitError) and error.retry_after and operation.rate_class:
            self._limits.pause(operation.rate_class, error.retry_after)
        if opened.redirected:
            raise error  # of another host, after the service has acted
        learned = offset_in(error, stream.headers.get("date"), now, offset)
        if learned is None:
            raise error
        self._clock_offset = learned
        logger.warning(
            "the service's clock is %.0f s ahead of this machine's; signing with the service's time", learned
        )
        raise ClockSkewError(error.message, code=error.code, status=error.status, operation=operation.name)

    def _cache_key(self, call: Call, request: Request) -> Hashable | None:
        if self._cache is None or call.operation.safety is not Safety.READ or request.http_method != "GET":
            return None
        user = call.user if call.operation.auth is Auth.THREE_LEGGED else None
        return cache_key(request, user, {"accept": self._accept(call.operation), **call.headers})

    def _accept(self, operation: Operation) -> str:
        if operation.content is not Content.MODEL:
            return ACCEPT_ANY
        return ACCEPT_XML if self.settings.prefer_xml else ACCEPT_JSON

    def _deadline_after(self, seconds: float | None) -> float | None:
        return None if seconds is None else self._clock.monotonic() + seconds

    def _seconds_left(self, deadline: float | None) -> float | None:
        return None if deadline is None else deadline - self._clock.monotonic()

    def _time_left(self, call: Call, deadline: float | None) -> Timeout:
        timeout = call.timeout or self.settings.timeout
        if call.operation.content is Content.MEDIA:
            # The duration depends on the size of the media; only stalls are limited.
            return evolve(timeout, total=None, read=timeout.read or MEDIA_READ_TIMEOUT)
        if deadline is None or timeout.total is None or (left := deadline - self._clock.monotonic()) >= timeout.total:
            return timeout
        return evolve(timeout, total=max(0.001, left))
