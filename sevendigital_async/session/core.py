"""How one call travels: admit, sign, send, classify, retry, decode."""

from __future__ import annotations

import asyncio
import logging
import random
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from typing import ParamSpec, TypeVar
from urllib.parse import urljoin

from attrs import evolve, field, frozen

from ..clock import Clock
from ..config import Credentials, RetryPolicy, Settings, Timeout, UserToken, check_origin
from ..errors import (
    ClockSkewError,
    ConfigurationError,
    ConnectError,
    RedirectError,
    RequestTimeoutError,
    TransportError,
)
from ..operations import Auth, Content, Operation, RateClass
from ..rate_limit import RateLimit
from .classify import error_in
from .decode import decode
from .document import Document, parse
from .quota import Quota
from .request import Request, build_request
from .retry import retrying
from .signing import SignedRequest, new_nonce, sign
from .skew import offset_in
from .slots import Slot, Slots
from .transport import Response, Transport

P = ParamSpec("P")
T = TypeVar("T")

logger = logging.getLogger("sevendigital_async")

OFF_LOOP_BYTES = 256 * 1024
"""Answers larger than this are parsed and decoded in a thread."""

MAX_REDIRECTS = 5

ACCEPT_JSON = "application/json, application/xml;q=0.5"
ACCEPT_XML = "application/xml"


@frozen
class Call:
    """One call of one operation.

    Attributes:
        operation: What to do.
        arguments: By their Python names; not in the repr, for they may hold passwords and card numbers.
        user: Whose token signs three-legged operations; None for the partner alone.
        retry: In place of the settings' policy.
        timeout: In place of the settings' timeout.
    """

    operation: Operation
    arguments: Mapping[str, object] = field(repr=False)
    user: UserToken | None = None
    retry: RetryPolicy | None = None
    timeout: Timeout | None = None


class Session:
    """What all clients of one consumer key share: quota, slots, clock offset and connections."""

    def __init__(
        self,
        credentials: Credentials,
        settings: Settings,
        transport: Transport,
        *,
        clock: Clock,
        rng: random.Random | None = None,
    ) -> None:
        self.settings = settings
        self._credentials = credentials
        self._transport = transport
        self._clock = clock
        self._rng = rng or random.Random()  # noqa: S311 - jitter, not a secret
        self._quota = Quota(clock)
        self._slots = {rate_class: Slots(rate_class.value, clock) for rate_class in RateClass}
        self._clock_offset = 0.0

    @property
    def rate_limit(self) -> RateLimit:
        """The quota as the last answer stated it, aged to now."""
        return self._quota.rate_limit

    async def send(self, call: Call) -> object:
        """Make a call, repeat it as its safety allows, and decode the answer.

        Raises:
            SevenDigitalError: In its many kinds.
        """
        operation = call.operation
        request = self.request(call)
        policy = call.retry or self.settings.retry
        deadline = None if policy.deadline is None else self._clock.monotonic() + policy.deadline
        attempts = retrying(policy, operation.safety, clock=self._clock, max_wait=self.settings.max_wait, rng=self._rng)
        async for attempt in attempts:
            with attempt:
                async with AsyncExitStack() as held:
                    slot = await self._admitted(operation, deadline, held)
                    document = await self._attempt(call, request, slot, self._time_left(call, deadline))
                return await _off_loop(len(document.body), decode, operation, document)
        raise AssertionError("tenacity returns or raises")

    async def send_once(self, call: Call, slot: Slot | None) -> None:
        """Make a call exactly once, in a slot already held, and leave its content aside.

        Raises:
            SevenDigitalError: In its many kinds.
        """
        await self._attempt(call, self.request(call), slot, call.timeout or self.settings.timeout)

    @asynccontextmanager
    async def admission(self, operation: Operation) -> AsyncIterator[Slot | None]:
        """Wait until quota and rate class let ``operation`` out; hold its slot, if it needs one.

        Raises:
            RateLimitError: The quota is spent for longer than ``max_wait``.
        """
        await self._quota.admit(self.settings.max_wait, operation.id)
        if operation.rate_class is None:
            yield None
        else:
            async with self._slots[operation.rate_class].slot() as slot:
                yield slot

    def request(self, call: Call) -> Request:
        """Spell a call in the dialect in use, unsigned.

        Raises:
            InvalidArgumentError: An argument is missing, unknown or has no wire form.
            UnsupportedOperationError: The dialect has no form for it.
        """
        binding = call.operation.binding(self.settings.dialect)
        return build_request(call.operation, binding, self.settings.origins[binding.host], call.arguments)

    async def aclose(self) -> None:
        """Release the connections."""
        await self._transport.aclose()

    async def _admitted(self, operation: Operation, deadline: float | None, held: AsyncExitStack) -> Slot | None:
        left = None if deadline is None else max(0.0, deadline - self._clock.monotonic())
        try:
            async with asyncio.timeout(left):
                return await held.enter_async_context(self.admission(operation))
        except TimeoutError:
            message = f"{operation.id}: the call's deadline passed before its turn came"
            raise RequestTimeoutError(message, operation=operation.id, maybe_sent=False) from None

    async def _attempt(self, call: Call, request: Request, slot: Slot | None, time_left: Timeout) -> Document:
        operation = call.operation
        offset = self._clock_offset
        signed = sign(
            request,
            self._credentials,
            call.user if operation.auth is Auth.THREE_LEGGED else None,
            nonce=new_nonce(),
            timestamp=int(self._clock.time() + offset),
            placement=self.settings.signature,
        )
        signed.headers["Accept"] = ACCEPT_XML if self.settings.prefer_xml else ACCEPT_JSON
        response = await self._exchange(operation, signed, slot, time_left)
        if operation.content is not Content.MODEL:
            response = await self._follow(operation, signed.url, response, time_left)
        document = await _off_loop(len(response.body), parse, response.body, response.headers.get("content-type"))
        now = self._clock.time()
        error = error_in(document, response.status, response.headers, operation.id, now=now)
        if error is None:
            return document
        learned = offset_in(error, response.headers.get("date"), now, offset)
        if learned is None:
            raise error
        self._clock_offset = learned
        logger.warning("the service's clock is %.0f s ahead of this machine's; signing with its time", learned)
        raise ClockSkewError(error.message, status=error.status, operation=operation.id)

    async def _exchange(
        self, operation: Operation, signed: SignedRequest, slot: Slot | None, time_left: Timeout
    ) -> Response:
        if slot:
            slot.sending(time_left.total)
        started = self._clock.monotonic()
        try:
            response = await self._transport.exchange(signed, time_left)
        except TransportError as error:
            if slot and isinstance(error, ConnectError):
                slot.not_sent()
            elif slot and not isinstance(error, RequestTimeoutError):
                slot.answered()
            error.operation = operation.id
            error.args = (f"{operation.id}: {error.args[0]}",)
            logger.debug("%s", error)
            raise
        if slot:
            slot.answered()
        self._quota.learn(response.headers)
        elapsed = self._clock.monotonic() - started
        logger.debug("%s: HTTP %d after %.0f ms", operation.id, response.status, elapsed * 1000)
        return response

    async def _follow(self, operation: Operation, url: str, response: Response, time_left: Timeout) -> Response:
        """Follow a media redirect by hand: where it leads to must not see our signature."""
        nothing = parse(b"", None)
        for _ in range(MAX_REDIRECTS):
            location = response.headers.get("location")
            problem = error_in(nothing, response.status, response.headers, operation.id)
            if location is None or not isinstance(problem, RedirectError):
                return response
            url = urljoin(url, location)
            try:
                check_origin(url.partition("?")[0].partition("#")[0], allow_http=self.settings.allow_http)
            except ConfigurationError as error:
                raise RedirectError(f"redirected to an unsafe place: {error}", operation=operation.id) from None
            response = await self._exchange(operation, SignedRequest("GET", url, {}, None), None, time_left)
        raise RedirectError(f"more than {MAX_REDIRECTS} redirects", operation=operation.id)

    def _time_left(self, call: Call, deadline: float | None) -> Timeout:
        timeout = call.timeout or self.settings.timeout
        if deadline is None or timeout.total is None:
            return timeout
        return evolve(timeout, total=min(timeout.total, max(0.001, deadline - self._clock.monotonic())))


async def _off_loop(size: int, function: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> T:
    if size > OFF_LOOP_BYTES:
        return await asyncio.to_thread(function, *args, **kwargs)
    return function(*args, **kwargs)
