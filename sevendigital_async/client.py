"""SevenDigital: opens the session core and hands out the resources."""

from __future__ import annotations

import os
from collections.abc import Awaitable, Callable, Iterable, Mapping
from contextlib import AbstractAsyncContextManager
from functools import cached_property
from ssl import SSLContext
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self, TypeVar

from attrs import evolve

from ._version import __version__
from .account_quota import RateLimit
from .clock import Clock, SystemClock
from .config import (
    BASE_URL_VARIABLE,
    LIMITS_VARIABLE,
    Credentials,
    Dialect,
    Host,
    RetryPolicy,
    Settings,
    SignaturePlacement,
    Timeout,
    UserToken,
)
from .errors import InvalidArgumentError
from .operations import Operation
from .session.cache import ResponseCache
from .session.core import Session
from .session.media import MediaResponse
from .session.options import NO_HEADERS, CallOptions
from .session.play_logs import PlayLogTransport
from .session.rate_limiter import RateLimiter
from .session.request import Call
from .session.response import Response
from .session.transport import AiohttpTransport

if TYPE_CHECKING:
    import aiohttp

    from .resources import Classic, Platform
    from .resources.media import Media
    from .resources.media_handle import MediaHandle
    from .resources.oauth import OAuth
    from .session.observation import CallTracer, RequestHook, ResponseHook


T = TypeVar("T")


class ApiClient:
    """Everything that can be called. Views made with ``as_user`` and ``with_options`` share connections and limits."""

    def __init__(self, session: Session, options: CallOptions) -> None:
        self._session = session
        self._options = options
        self._play_logs: PlayLogTransport | None = None

    @cached_property
    def classic(self) -> Classic:
        """The classic API."""
        from .resources import Classic

        return Classic(self)

    @cached_property
    def platform(self) -> Platform:
        """The streaming platform."""
        from .resources import Platform

        return Platform(self)

    @cached_property
    def media(self) -> Media:
        """Media delivery: downloads and streams of what users own, and of any track."""
        from .resources.media import Media

        return Media(self)

    @cached_property
    def oauth(self) -> OAuth:
        """The OAuth flow, which gives a partner users' tokens."""
        from .resources.oauth import OAuth

        account = self._session.settings.origins[Host.ACCOUNT]
        return OAuth(self, consumer_key=self.consumer_key, account_origin=account)

    @property
    def play_logs(self) -> PlayLogTransport:
        """Sends batches of plays; used by a StreamLogShipper."""
        # Not a cached_property: type checkers don't accept it as the property of a protocol.
        if self._play_logs is None:
            self._play_logs = PlayLogTransport(self._session)
        return self._play_logs

    @property
    def consumer_key(self) -> str:
        """The partner's key, which is not secret."""
        return self._session.consumer_key

    @property
    def rate_limit(self) -> RateLimit:
        """The consumer key's request quota: a snapshot with ``limit``, ``used``, ``remaining`` and ``resets_in``."""
        return self._session.rate_limit

    def as_user(self, token: UserToken) -> ApiClient:
        """Return a view that signs three-legged operations with ``token``."""
        return ApiClient(self._session, evolve(self._options, user=token))

    def with_options(
        self,
        *,
        retry: RetryPolicy | None = None,
        timeout: Timeout | None = None,
        trace_id: str | None = None,
        country: str | None = None,
        shop_id: str | int | None = None,
        image_size: str | int | None = None,
        usage_types: str | Iterable[str] | None = None,
        user_id: str | None = None,
        extra: Mapping[str, object] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> ApiClient:
        """Return a view with other options, say ``with_options(shop_id=34, image_size=350)``.

        Parameters are signed like all others. An argument of a call takes precedence over the view's, and the view's
        over the settings'. ``extra`` and ``headers`` are added to those of this view.

        Args:
            retry: Replaces the settings' policy.
            timeout: Replaces the settings' timeout.
            trace_id: The id of requests in the service's own records (``x-7d-traceid``); errors carry it.
            country: ISO 3166-1 alpha-2 code; sent where an operation takes a country.
            shop_id: The partner's shop; sent with every call, and in place of a default country where the service
                doesn't demand one.
            image_size: Width of pictures in pixels; sent with everything that is read.
            usage_types: For which uses content must be licensed, such as ``subscriptionstreaming``; sent with
                everything that is read.
            user_id: A user that the partner manages; sent with everything that is done for a user.
            extra: Parameters by their wire names, including ones that this package does not know: ``{"newParam":
                "x"}``.
            headers: Additional headers.

        Raises:
            InvalidArgumentError: A value can't be sent.
        """
        given = {"retry": retry, "timeout": timeout, "trace_id": trace_id}
        changes: dict[str, Any] = {name: value for name, value in given.items() if value is not None}
        options = evolve(self._options, **changes).with_parameters(
            country=country,
            shop_id=shop_id,
            image_size=image_size,
            usage_types=usage_types,
            user_id=user_id,
            extra=extra,
        )
        return ApiClient(self._session, options if headers is None else options.with_headers(headers))

    async def call(
        self,
        operation: Operation,
        /,
        *,
        extra: object = None,
        headers: object = None,
        **arguments: object,
    ) -> Any:
        """Call any operation by its record.

        Args:
            operation: One of ``sevendigital_async.operations``, or your own.
            extra: A mapping of parameters by their wire names, including ones that the record does not have, say
                ``{"newParam": "x"}``.
            headers: A mapping of additional headers.
            arguments: By their Python names, such as ``page_size``.

        Returns:
            The operation's model, a page of them, or None.

        Raises:
            SevenDigitalError: See :mod:`sevendigital_async.errors`.
        """
        return (await self._session.send(self._call(operation, arguments, extra, headers))).value

    async def call_with_response(
        self,
        operation: Operation,
        /,
        *,
        extra: object = None,
        headers: object = None,
        **arguments: object,
    ) -> Response[Any]:
        """Call any operation as :meth:`call` does, and return its result with status, headers and request id."""
        return await self._session.send(self._call(operation, arguments, extra, headers))

    async def with_raw_response(self, call: Callable[[ApiClient], Awaitable[T]]) -> Response[T]:
        """Call any method, and return its result with status, headers and request id.

        ::

            response = await client.with_raw_response(lambda view: view.classic.releases.details("11700062"))
            response.value, response.status, response.headers, response.request_id

        Args:
            call: A function that calls a method of the view it receives. If it makes several calls, the last one
                counts.

        Raises:
            InvalidArgumentError: It called nothing, or a media method, whose response has its own status and headers.
            SevenDigitalError: See :mod:`sevendigital_async.errors`.
        """
        responses: list[Response[Any]] = []
        value = await call(ApiClient(self._session, evolve(self._options, on_response=responses.append)))
        if not responses:
            raise InvalidArgumentError(
                "the function passed as call must call one method of the view it gets, and not a media method",
                argument="call",
            )
        return evolve(responses[-1], value=value)

    async def raw(
        self,
        operation: Operation,
        /,
        *,
        extra: object = None,
        headers: object = None,
        **arguments: object,
    ) -> bytes:
        """Call any operation as :meth:`call` does, and return the response's body as it came."""
        return await self._session.fetch(self._call(operation, arguments, extra, headers))

    def stream(
        self, operation: Operation, /, *, headers: Mapping[str, str] = NO_HEADERS, **arguments: object
    ) -> AbstractAsyncContextManager[MediaResponse]:
        """Request the media of any operation that has them.

        Args:
            operation: One whose content is media.
            headers: Additional headers, such as ``Range``.
            arguments: By their Python names.

        Returns:
            An async context manager that holds the response open.
        """
        return self._session.stream(self._call(operation, arguments, headers=headers))

    def media_of(self, operation: Operation, /, **arguments: object) -> MediaHandle:
        """Return a handle on the media of any operation that has them: to stream, download, or hand to a player."""
        from .resources import media_handle

        def open_media(headers: Mapping[str, str]) -> AbstractAsyncContextManager[MediaResponse]:
            return self.stream(operation, headers=headers, **arguments)

        return media_handle.MediaHandle(open_media, lambda: self.sign_url(operation, **arguments))

    def sign_url(self, operation: Operation, /, **arguments: object) -> str:
        """Return a GET operation as one signed URL, say for a player that can't sign requests.

        The URL contains a signature: treat it as a secret. The service accepts it once, within a few minutes.

        Raises:
            InvalidArgumentError: An argument is missing or unknown, or the operation is not a GET.
        """
        return self._session.sign_url(self._call(operation, arguments))

    def sign(self, http_method: str, url: str, *, form: Mapping[str, str] | None = None) -> str:
        """Sign any request to the service, including one that this package does not describe.

        The view's user token is part of the signature, if it has one. The signed URL is to be requested exactly as it
        is: treat it as a secret. The service accepts it once, within a few minutes.

        Args:
            http_method: Such as ``GET``.
            url: On one of the hosts of the settings, with its query.
            form: Fields of a form body, which are part of the signature; send them as that body.

        Returns:
            The URL with the OAuth parameters in its query.

        Raises:
            InvalidArgumentError: It is not a URL of the service, or is already signed.
        """
        return self._session.sign(http_method, url, form, self._options.user)

    def _call(
        self,
        operation: Operation,
        arguments: Mapping[str, object],
        extra: object = None,
        headers: object = None,
    ) -> Call:
        options = self._options
        if headers is not None:
            options = options.with_headers(headers)
        if extra is not None:
            options = options.with_parameters(extra=extra)
        return Call(operation, arguments, options)


def _shared_limiter(url: str, consumer_key: str, settings: Settings, clock: Clock) -> RateLimiter:
    from .session.redis_rate_limiter import RedisRateLimiter  # only those who share limits load it

    return RedisRateLimiter(url, consumer_key, settings, clock)


class SevenDigital(ApiClient):
    """A client of the 7digital / MassiveMusic music API.

    Use it as ``async with SevenDigital(key, secret) as client:`` or call :meth:`aclose` when done.

    Args:
        consumer_key: The partner's key.
        consumer_secret: The partner's secret.
        base_url: One origin in place of every host, such as a sandbox's.
        hosts: Origins of single hosts.
        dialect: The documents that requests follow.
        signature: Where requests carry the OAuth parameters.
        timeout: For each attempt.
        retry: For each call.
        max_wait: Longest wait in seconds for a spent quota, or that the service asks for; a longer one raises.
        settings: All settings; the arguments above take precedence.
        session: An aiohttp session to use; it is never closed here.
        cache: Keeps answers to reads for as long as the service says they stay fresh, say ``ResponseCache()``.
        limits: URL of the Redis in which all processes of this account keep the limits together, such as
            ``redis://host:6379/0`` (extra ``redis``); None if this process has the account to itself.
        tracer: Makes spans of calls and requests, such as ``OpenTelemetryTracer()`` of ``sevendigital_async.otel``.
        on_request: Called with a :class:`RequestInfo` before each request is sent; a plain function, which must not
            block. If it raises, the error is logged the first time, and the call continues.
        on_response: Called with a :class:`ResponseInfo` when a response's headers have arrived, or when none
            will.
        clock: Time, for tests.
    """

    def __init__(
        self,
        consumer_key: str,
        consumer_secret: str,
        *,
        base_url: str | None = None,
        hosts: Mapping[Host, str] | None = None,
        dialect: Dialect | None = None,
        signature: SignaturePlacement | None = None,
        timeout: Timeout | None = None,
        retry: RetryPolicy | None = None,
        max_wait: float | None = None,
        proxy: str | None = None,
        trust_env: bool | None = None,
        ssl: SSLContext | str | os.PathLike[str] | None = None,
        settings: Settings | None = None,
        session: aiohttp.ClientSession | None = None,
        cache: ResponseCache | None = None,
        limits: str | None = None,
        tracer: CallTracer | None = None,
        on_request: RequestHook | None = None,
        on_response: ResponseHook | None = None,
        clock: Clock | None = None,
    ) -> None:
        given = {
            "base_url": base_url,
            "hosts": hosts,
            "dialect": dialect,
            "signature": signature,
            "timeout": timeout,
            "retry": retry,
            "max_wait": max_wait,
            "proxy": proxy,
            "trust_env": trust_env,
            "ssl": ssl,
        }
        changes: dict[str, Any] = {name: value for name, value in given.items() if value is not None}
        settings = evolve(settings or Settings(), **changes)
        agent = " ".join(filter(None, [settings.user_agent, f"sevendigital_async/{__version__}"]))
        clock = clock or SystemClock()
        credentials, transport = Credentials(consumer_key, consumer_secret), AiohttpTransport(settings, agent, session)
        shared = None if limits is None else _shared_limiter(limits, consumer_key, settings, clock)
        if tracer is None and on_request is None and on_response is None:
            core = Session(credentials, settings, transport, clock=clock, cache=cache, limits=shared)
        else:
            from .session.observation import (
                ObservedSession,
                ObservedTransport,
                Observers,
            )

            observers = Observers(tracer, on_request, on_response)
            observed = ObservedTransport(transport, clock)
            core = ObservedSession(observers, credentials, settings, observed, clock=clock, cache=cache, limits=shared)
        super().__init__(core, core.options)

    @classmethod
    def from_env(cls, environ: Mapping[str, str] | None = None, *, settings: Settings | None = None) -> Self:
        """Make a client from environment variables.

        ``SEVENDIGITAL_CONSUMER_KEY`` and ``..._CONSUMER_SECRET`` are required; ``..._BASE_URL``, ``..._LIMITS``,
        ``..._DIALECT``, ``..._COUNTRY``, ``..._SHOP_ID``, ``..._PROXY``, ``..._CA_FILE`` and
        ``..._LIVE_PREVIEW_LOG_PATH`` are optional; see
        :class:`~sevendigital_async.Settings`.

        Raises:
            ConfigurationError: Key or secret is missing, or the dialect is unknown.
        """
        environ = os.environ if environ is None else environ
        credentials = Credentials.from_env(environ)
        base_url = environ.get(BASE_URL_VARIABLE, "").strip() or None
        limits = environ.get(LIMITS_VARIABLE, "").strip() or None
        settings = (settings or Settings()).with_env(environ)
        return cls(
            credentials.consumer_key, credentials.consumer_secret, base_url=base_url, settings=settings, limits=limits
        )

    async def __aenter__(self) -> Self:
        """Return the client; nothing is opened before the first call."""
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Close the client."""
        await self.aclose()

    async def aclose(self) -> None:
        """Close the connections, also for the views of this client. May be called twice."""
        await self._session.aclose()
