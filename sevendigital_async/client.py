"""SevenDigital: opens the session core and hands out the resources."""

from __future__ import annotations

import os
from collections.abc import Mapping
from contextlib import AbstractAsyncContextManager
from functools import cached_property
from types import MappingProxyType, TracebackType
from typing import TYPE_CHECKING, Any, Self

from attrs import evolve, frozen

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
from .operations import Operation
from .session.cache import ResponseCache
from .session.core import Session
from .session.media import MediaResponse
from .session.play_logs import PlayLogTransport
from .session.redis_rate_limiter import RedisRateLimiter
from .session.request import Call
from .session.transport import AiohttpTransport

if TYPE_CHECKING:
    import aiohttp

    from .resources import Classic, Platform
    from .resources.media import Media
    from .resources.media_handle import Media as MediaHandle
    from .resources.oauth import OAuth


@frozen
class Options:
    """What a view of a client adds to every call.

    Attributes:
        user: Whose token signs three-legged operations.
        retry: Replaces the settings' policy.
        timeout: Replaces the settings' timeout.
        trace_id: The id of requests in the service's own records.
    """

    user: UserToken | None = None
    retry: RetryPolicy | None = None
    timeout: Timeout | None = None
    trace_id: str | None = None


class ApiClient:
    """Everything that can be called. Views made with ``as_user`` and ``with_options`` share connections and limits."""

    def __init__(self, session: Session, options: Options) -> None:
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
        # Not a cached_property: type checkers don't take that for the property of a protocol.
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
        self, *, retry: RetryPolicy | None = None, timeout: Timeout | None = None, trace_id: str | None = None
    ) -> ApiClient:
        """Return a view with other options, say ``with_options(retry=NO_RETRY)``.

        Args:
            retry: Replaces the settings' policy.
            timeout: Replaces the settings' timeout.
            trace_id: The id of requests in the service's own records (``x-7d-traceid``); errors carry it.
        """
        given = {"retry": retry, "timeout": timeout, "trace_id": trace_id}
        changes: dict[str, Any] = {name: value for name, value in given.items() if value is not None}
        return ApiClient(self._session, evolve(self._options, **changes))

    async def call(self, operation: Operation, /, **arguments: object) -> Any:
        """Call any operation by its record.

        Args:
            operation: One of ``sevendigital_async.operations``, or your own.
            arguments: By their Python names, such as ``page_size``.

        Returns:
            The operation's model, a page of them, or None.

        Raises:
            SevenDigitalError: See :mod:`sevendigital_async.errors`.
        """
        return await self._session.send(self._call(operation, arguments))

    async def raw(self, operation: Operation, /, **arguments: object) -> bytes:
        """Call any operation as :meth:`call` does, and return the answer's body as it came."""
        return await self._session.fetch(self._call(operation, arguments))

    def stream(
        self, operation: Operation, /, *, headers: Mapping[str, str] = MappingProxyType({}), **arguments: object
    ) -> AbstractAsyncContextManager[MediaResponse]:
        """Request the media of any operation that has them.

        Args:
            operation: One whose content is media.
            headers: Beyond the usual ones, such as ``Range``.
            arguments: By their Python names.

        Returns:
            An async context manager that holds the answer open.
        """
        return self._session.stream(evolve(self._call(operation, arguments), headers=headers))

    def media_of(self, operation: Operation, /, **arguments: object) -> MediaHandle:
        """Return a handle on the media of any operation that has them: to stream, download, or hand to a player."""
        from .resources import media_handle

        def open_media(headers: Mapping[str, str]) -> AbstractAsyncContextManager[MediaResponse]:
            return self.stream(operation, headers=headers, **arguments)

        return media_handle.Media(open_media, lambda: self.sign_url(operation, **arguments))

    def sign_url(self, operation: Operation, /, **arguments: object) -> str:
        """Return a GET operation as one signed URL, say for a player that can't sign requests.

        The URL contains a signature: treat it as a secret. The service accepts it once, within a few minutes.

        Raises:
            InvalidArgumentError: An argument is missing or unknown, or the operation is not a GET.
        """
        return self._session.sign_url(self._call(operation, arguments))

    def _call(self, operation: Operation, arguments: Mapping[str, object]) -> Call:
        options = self._options
        return Call(operation, arguments, options.user, options.retry, options.timeout, trace_id=options.trace_id)


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
        settings: Everything at once; the arguments above take precedence.
        session: An aiohttp session to use; it is never closed here.
        cache: Keeps answers to reads for as long as the service says they stay fresh, say ``ResponseCache()``.
        limits: URL of the Redis in which all processes of this account keep the limits together, such as
            ``redis://host:6379/0`` (extra ``redis``); None if this process has the account to itself.
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
        settings: Settings | None = None,
        session: aiohttp.ClientSession | None = None,
        cache: ResponseCache | None = None,
        limits: str | None = None,
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
        }
        changes: dict[str, Any] = {name: value for name, value in given.items() if value is not None}
        settings = evolve(settings or Settings(), **changes)
        agent = " ".join(filter(None, [settings.user_agent, f"sevendigital_async/{__version__}"]))
        clock = clock or SystemClock()
        core = Session(
            Credentials(consumer_key, consumer_secret),
            settings,
            AiohttpTransport(settings, agent, session),
            clock=clock,
            cache=cache,
            limits=None if limits is None else RedisRateLimiter(limits, consumer_key, settings, clock),
        )
        super().__init__(core, Options())

    @classmethod
    def from_env(cls, environ: Mapping[str, str] | None = None, *, settings: Settings | None = None) -> Self:
        """Make a client from environment variables.

        ``SEVENDIGITAL_CONSUMER_KEY`` and ``..._CONSUMER_SECRET`` must be there; ``..._BASE_URL``, ``..._LIMITS``,
        ``..._DIALECT``, ``..._COUNTRY`` and ``..._LIVE_PREVIEW_LOG_PATH`` may be; see
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
        """Close the connections. Views of this client end with it. May be called twice."""
        await self._session.aclose()
