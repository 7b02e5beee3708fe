"""One HTTP exchange over aiohttp; the only file that knows aiohttp's client."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Mapping
from functools import lru_cache
from typing import Any, Protocol, TypeVar

import aiohttp
from aiohttp import ClientHandlerType, ClientRequest, ClientResponse
from aiohttp.abc import AbstractStreamWriter
from attrs import field, frozen
from yarl import URL

from .. import fault_points
from ..config import Settings, Timeout
from ..errors import (
    ConfigurationError,
    ConnectError,
    DisconnectedError,
    RequestTimeoutError,
    TransportError,
)
from .signing import SignedRequest

T = TypeVar("T")


class Stream(Protocol):
    """An answer whose body is read piece by piece."""

    @property
    def status(self) -> int:
        """HTTP status."""
        ...

    @property
    def headers(self) -> Mapping[str, str]:
        """Names in lower case."""
        ...

    async def chunk(self) -> bytes:
        """Return what has arrived of the body, decompressed; nothing at its end.

        Raises:
            TransportError: The body broke off or stalled.
        """
        ...

    def close(self) -> None:
        """Give the connection back, or up if there is more to read."""
        ...


class Transport(Protocol):
    """What the session core needs of HTTP."""

    async def open(self, request: SignedRequest, timeout: Timeout) -> Stream:  # noqa: ASYNC109 - aiohttp keeps it
        """Send one request, once; the answer is the caller's to close."""
        ...

    async def aclose(self) -> None:
        """Release what the transport itself opened."""
        ...


class _ConnectionLostError(Exception):
    """Carries aiohttp's error past its own retry, which looks for the original types."""

    def __init__(self, cause: aiohttp.ClientError) -> None:
        super().__init__()
        self.cause = cause


async def _no_redelivery(request: ClientRequest, handler: ClientHandlerType) -> ClientResponse:
    # aiohttp sends GET, PUT and DELETE again by itself when the server hangs up after reading them.
    # Here a GET may be a purchase, so the two errors that set it off are taken out of its sight.
    try:
        return await handler(request)
    except aiohttp.ClientConnectorError:
        raise
    except (aiohttp.ServerDisconnectedError, aiohttp.ClientOSError) as error:
        raise _ConnectionLostError(error) from None


class _PointedRequest(ClientRequest):
    """A request that passes fault points on its way out. aiohttp's own trace signals come before the bytes leave."""

    async def write_bytes(self, writer: AbstractStreamWriter, *args: Any, **kwargs: Any) -> None:
        writer.send_headers()
        fault_points.reached("headers sent")
        await super().write_bytes(writer, *args, **kwargs)
        fault_points.reached("body sent")


_KINDS: tuple[tuple[type[BaseException], type[TransportError], str], ...] = (
    # The first that fits decides. What stands above the line can only happen before the request leaves.
    (aiohttp.ClientConnectorDNSError, ConnectError, "the host name could not be resolved"),
    (aiohttp.ClientConnectorCertificateError, ConnectError, "the host's certificate was not accepted"),
    (aiohttp.ClientSSLError, ConnectError, "TLS could not be set up"),
    (aiohttp.ClientProxyConnectionError, ConnectError, "the proxy could not be reached"),
    (aiohttp.ClientConnectorError, ConnectError, "no connection could be made"),
    (aiohttp.ServerFingerprintMismatch, ConnectError, "the host's fingerprint was not accepted"),
    (aiohttp.ClientHttpProxyError, ConnectError, "the proxy refused to connect"),
    (aiohttp.ConnectionTimeoutError, ConnectError, "no connection within the time allowed"),
    (aiohttp.InvalidURL, ConnectError, "the URL cannot be used"),
    (aiohttp.NonHttpUrlClientError, ConnectError, "the URL cannot be used"),
    # ----
    (TimeoutError, RequestTimeoutError, "no complete answer within the time allowed"),
    (aiohttp.ServerDisconnectedError, DisconnectedError, "the server closed the connection without an answer"),
    (aiohttp.ClientPayloadError, DisconnectedError, "the answer broke off before its end"),
    (aiohttp.ClientResponseError, DisconnectedError, "the answer was not readable as HTTP"),
    (aiohttp.ClientConnectionError, DisconnectedError, "the connection was lost"),
    (aiohttp.ClientError, TransportError, "the exchange failed"),
    (OSError, DisconnectedError, "the connection was lost"),
)


def transport_error(error: BaseException) -> TransportError:
    """Translate an error of aiohttp.

    Only the kind and the operating system's own words are kept: aiohttp's messages may quote the URL,
    and its attributes the headers, signature included.
    """
    for kind, ours, words in _KINDS:
        if isinstance(error, kind):
            detail = error.strerror if isinstance(error, OSError) and error.errno and error.strerror else None
            return ours(f"{words} ({type(error).__name__}{f': {detail}' if detail else ''})")
    raise TypeError(f"not an error of the transport: {type(error).__name__}")


class AiohttpTransport:
    """Exchanges requests over one aiohttp session, made on first use in the running loop.

    A session that the caller passes in is used but never closed. Its client middlewares are not run:
    one that changed a request would break its signature.
    """

    def __init__(self, settings: Settings, user_agent: str, session: aiohttp.ClientSession | None = None) -> None:
        self._settings = settings
        self._user_agent = user_agent
        self._session = session
        self._owns_session = session is None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._closed = False

    async def open(self, request: SignedRequest, timeout: Timeout) -> Stream:  # noqa: ASYNC109 - aiohttp keeps it
        """Send one request, once; the answer is the caller's to close.

        Raises:
            TransportError: In its several kinds; ``maybe_sent`` says whether the request may have arrived.
            ConfigurationError: The client is closed, or in use by another event loop.
        """
        sending = self._opened().request(
            request.http_method,
            URL(request.url, encoded=True),
            headers={"User-Agent": self._user_agent, **request.headers},
            data=request.body,
            skip_auto_headers=("Content-Type",),  # aiohttp would make one up where there is no body
            allow_redirects=False,
            raise_for_status=False,
            auto_decompress=True,
            timeout=_client_timeout(timeout),
            middlewares=(_no_redelivery,),
        )
        return AiohttpStream(await _translated(sending))

    async def aclose(self) -> None:
        """Close the aiohttp session if it is ours. May be called twice."""
        self._closed = True
        if self._owns_session and self._session is not None:
            await self._session.close()

    def _opened(self) -> aiohttp.ClientSession:
        loop = asyncio.get_running_loop()
        if self._closed:
            raise ConfigurationError("the client is closed")
        if self._loop is None:
            self._loop = loop
        elif self._loop is not loop:
            raise ConfigurationError("the client belongs to another event loop; make one client per loop")
        if self._session is None:
            self._session = aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(limit=self._settings.max_connections),
                cookie_jar=aiohttp.DummyCookieJar(),
                request_class=ClientRequest if fault_points.on_reached is None else _PointedRequest,
            )
        return self._session


@frozen
class AiohttpStream:
    """An aiohttp answer, held open; its own repr would show the URL."""

    _response: aiohttp.ClientResponse = field(repr=False)
    headers: Mapping[str, str] = field(init=False, repr=False)
    """Names in lower case; different values of one name are joined, those of ``location`` by a line break."""

    @headers.default
    def _named_in_lower_case(self) -> Mapping[str, str]:
        headers: dict[str, str] = {}
        for name, value in self._response.headers.items():
            key = name.lower()
            before = headers.setdefault(key, value)
            if before != value:
                headers[key] = before + ("\n" if key == "location" else ", ") + value
        return headers

    @property
    def status(self) -> int:
        """HTTP status."""
        return self._response.status

    async def chunk(self) -> bytes:
        """Return what has arrived of the body."""
        content = self._response.content
        # Most answers come in one piece, and to await the end costs as much as the piece.
        chunk = b"" if content.at_eof() else await _translated(content.readany())
        if not chunk:
            fault_points.reached("answer read")
        return chunk

    def close(self) -> None:
        """Give the connection back to the pool, or up if there is more to read."""
        self._response.release() if self._response.content.at_eof() else self._response.close()


async def _translated(awaitable: Awaitable[T]) -> T:
    failure: TransportError
    try:
        return await awaitable
    except _ConnectionLostError as error:
        failure = transport_error(error.cause)
    except (aiohttp.ClientError, TimeoutError, OSError) as error:
        failure = transport_error(error)
    except UnicodeError:
        # The DNS resolver's codec refuses some host names this way.
        failure = ConnectError("the host name could not be resolved")
    # Raised out here, so that aiohttp's error, which knows the headers, is not its context.
    raise failure


@lru_cache(maxsize=64)
def _client_timeout(timeout: Timeout) -> aiohttp.ClientTimeout:
    # Getting a connection ends before the total does. A total that runs out therefore always means
    # that the request may have left, and a connect timeout always means that it has not.
    connect = timeout.connect if timeout.total is None else min(timeout.connect, timeout.total * 0.9)
    return aiohttp.ClientTimeout(total=timeout.total, connect=connect, sock_read=timeout.read, ceil_threshold=3600)
