"""One HTTP exchange over aiohttp; the only file that knows aiohttp's client."""

from __future__ import annotations

import asyncio
import select
import ssl
import sys
from collections.abc import Awaitable, Callable, Mapping
from functools import lru_cache, partial
from typing import Any, Protocol, TypeVar, cast

import aiohttp
from aiohttp import ClientHandlerType, ClientRequest, ClientResponse
from aiohttp.abc import AbstractStreamWriter
from aiohttp.client_proto import ResponseHandler
from aiohttp.connector import Connection
from attrs import field, frozen
from yarl import URL

from .. import failpoints
from ..config import CA_FILE_VARIABLE, PROXY_VARIABLE, Settings, Timeout
from ..errors import (
    ConfigurationError,
    ConnectError,
    DisconnectedError,
    InvalidArgumentError,
    RequestTimeoutError,
    SevenDigitalError,
    TransportError,
    UnreadableResponseError,
)
from .decompression import ACCEPT_ENCODING, MAX_STEP_BYTES, DecompressionError, Decompressor, unpacker
from .request import SignedRequest

T = TypeVar("T")

AUTHORIZATION = "Authorization"


class Stream(Protocol):
    """A response whose body is read in pieces."""

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
        """Return the connection to the pool, or close it if the body was not read to its end."""
        ...


class Transport(Protocol):
    """What the session core needs of HTTP."""

    async def open(self, request: SignedRequest, timeout: Timeout) -> Stream:  # noqa: ASYNC109 - aiohttp keeps it
        """Send one request, once; the response is the caller's to close."""
        ...

    async def aclose(self) -> None:
        """Close the connections that the transport opened."""
        ...


class _ConnectionLostError(Exception):
    """Wraps aiohttp's error, so that aiohttp's own retry does not recognise it."""

    def __init__(self, cause: aiohttp.ClientError) -> None:
        super().__init__()
        self.cause = cause


class _UnsolicitedError(Exception):
    """The connection had unsolicited data; nothing was written to it."""


class _ConnectionProbe(asyncio.Protocol):
    """Wraps aiohttp's protocol and records what arrives while no response is expected."""

    def __init__(self, protocol: ResponseHandler, transport: asyncio.Transport) -> None:
        self._protocol = protocol
        self._transport = transport
        self._has_input = _input_of(transport)
        self._is_new = True
        self._has_unasked_data = False
        self.response: ClientResponse | None = None

    def is_disturbed(self) -> bool:
        """Return whether anything unexpected has arrived, including the end of the connection."""
        if self._has_unasked_data or self._transport.is_closing() or self._protocol.should_close:
            return True
        if self._is_new and self._transport.get_extra_info("sslcontext") is not None:
            return False  # a server may still send TLS messages
        return bool(self._has_input())

    def expect_answer(self, response: ClientResponse) -> None:
        """Treat data as part of this response until the response has ended."""
        self.response, self._is_new = response, False

    def data_received(self, data: bytes) -> None:
        if self.response is not None and self.response.closed:
            self._has_unasked_data = True
        self._protocol.data_received(data)

    def eof_received(self) -> None:
        self._protocol.eof_received()

    def connection_lost(self, exc: BaseException | None) -> None:
        self.response = None
        self._protocol.connection_lost(exc)

    def pause_writing(self) -> None:
        self._protocol.pause_writing()

    def resume_writing(self) -> None:
        self._protocol.resume_writing()


def _input_of(transport: asyncio.BaseTransport) -> Callable[[], object]:
    """Return a function that says whether there is input that the loop has not read yet."""
    socket = transport.get_extra_info("socket")
    if socket is None:
        return bool
    if sys.platform == "win32":
        return lambda: select.select([socket.fileno()], [], [], 0)[0]
    poll = select.poll()
    poll.register(socket.fileno(), select.POLLIN)
    return partial(poll.poll, 0)


class _CheckedRequest(ClientRequest):
    """A request that is written only to a connection without unsolicited data.

    Whatever arrives on an idle connection, aiohttp takes it for the response to the next request.
    """

    probe: _ConnectionProbe
    is_first = False
    """Whether the connection is new."""
    is_disturbed = False
    """Whether the connection was not silent, so that nothing was written."""
    is_out = False
    """Whether all of the request has been written."""

    async def send(self, conn: Connection) -> ClientResponse:
        self.is_out, self.is_first, self.is_disturbed = False, True, True
        transport, protocol = conn.transport, conn.protocol
        if transport is None or protocol is None:
            raise _UnsolicitedError
        probe = transport.get_protocol()
        if isinstance(probe, _ConnectionProbe):
            self.is_first = False
        else:
            probe = _ConnectionProbe(protocol, transport)
            transport.set_protocol(probe)
        self.probe, self.is_disturbed = probe, probe.is_disturbed()
        if self.is_disturbed:
            raise _UnsolicitedError
        probe.response = None
        response = await super().send(conn)
        probe.expect_answer(response)
        self.is_out = self.is_out or not self.body
        return response

    async def write_bytes(self, writer: AbstractStreamWriter, conn: Connection, *args: Any, **kwargs: Any) -> None:
        # Before Python 3.12 this runs in a later iteration of the loop than the first check.
        self.is_disturbed = self.probe.is_disturbed()
        if self.is_disturbed:
            if conn.transport is not None:
                conn.transport.abort()
            return
        if failpoints.on_hit is not None:
            writer.send_headers()
            failpoints.hit("headers sent")
        await super().write_bytes(writer, conn, *args, **kwargs)
        failpoints.hit("body sent")
        self.is_out = True


@lru_cache(maxsize=8)
def _checked_class(kind: type[ClientRequest]) -> type[_CheckedRequest]:
    """Return the checked subclass of the request class of a caller's session."""
    if kind is ClientRequest:
        return _CheckedRequest
    return cast("type[_CheckedRequest]", type(kind.__name__, (_CheckedRequest, kind), {}))


async def _send_if_undisturbed(request: _CheckedRequest, handler: ClientHandlerType) -> ClientResponse | None:
    """Send a request once; None if the connection had unsolicited data, so that nothing was written.

    aiohttp retries GET, PUT and DELETE itself when the server closes the connection after reading them. Here a GET may
    be a purchase, so the two errors that trigger it are wrapped.
    """
    request.is_disturbed = False
    try:
        response = await handler(request)
    except _UnsolicitedError:
        return None
    except aiohttp.ClientConnectorError:
        raise
    except aiohttp.ClientError as error:
        if request.is_disturbed:
            return None
        if isinstance(error, aiohttp.ServerDisconnectedError | aiohttp.ClientOSError):
            raise _ConnectionLostError(error) from None
        raise
    if request.is_disturbed:
        response.close()
        return None
    if not request.is_out and response.status < 300:  # noqa: PLR2004 - a refusal may come early, an acceptance can't
        response.close()
        raise UnreadableResponseError("the server answered with a success status before the whole request was sent")
    return response


class _SendOnce:
    """The middleware of one request: sends it once, on a connection without unsolicited data, with our signature only.

    No credentials of a session or of ``.netrc`` are sent.

    Attributes:
        has_begun: Whether aiohttp has begun to look for a connection.
    """

    def __init__(self, authorization: str | None) -> None:
        self._authorization = authorization
        self.has_begun = False

    async def __call__(self, request: ClientRequest, handler: ClientHandlerType) -> ClientResponse:
        self.has_begun = True
        if request.headers.get(AUTHORIZATION) != self._authorization:
            request.headers.pop(AUTHORIZATION, None)
            if self._authorization is not None:
                request.headers[AUTHORIZATION] = self._authorization
        if not isinstance(request, _CheckedRequest):  # in a session that the caller has made
            request.__class__ = _checked_class(type(request))  # type: ignore[arg-type]  # mypy doubts that a class has a hash
        assert isinstance(request, _CheckedRequest)
        while (response := await _send_if_undisturbed(request, handler)) is None:
            if request.is_first:
                raise ConnectError("the server sent data, or closed the connection, before the request was written")
        return response


CERTIFICATE = (
    f"the host's certificate was not accepted; if a private CA signs it, pass its file as ssl= or in {CA_FILE_VARIABLE}"
)
PROXY_ADVICE = f"; check proxy=, {PROXY_VARIABLE} and HTTPS_PROXY"

_TRANSPORT_ERRORS: tuple[tuple[type[BaseException], type[TransportError], str], ...] = (
    # The first match decides. The errors above the line happen only before the request is sent.
    (aiohttp.ClientConnectorDNSError, ConnectError, "the host name could not be resolved"),
    (aiohttp.ClientConnectorCertificateError, ConnectError, CERTIFICATE),
    (aiohttp.ClientSSLError, ConnectError, "TLS could not be set up"),
    (aiohttp.ClientProxyConnectionError, ConnectError, f"the proxy could not be reached{PROXY_ADVICE}"),
    (aiohttp.ClientConnectorError, ConnectError, "no connection could be made"),
    (aiohttp.ServerFingerprintMismatch, ConnectError, "the host's fingerprint was not accepted"),
    (aiohttp.ClientHttpProxyError, ConnectError, f"the proxy refused to connect{PROXY_ADVICE}"),
    (aiohttp.ConnectionTimeoutError, ConnectError, "no connection within the time allowed"),
    (aiohttp.InvalidURL, ConnectError, "the URL cannot be used"),
    (aiohttp.NonHttpUrlClientError, ConnectError, "the URL cannot be used"),
    (ssl.CertificateError, ConnectError, CERTIFICATE),
    # ----
    (TimeoutError, RequestTimeoutError, "no complete response within the time allowed"),
    (aiohttp.ServerDisconnectedError, DisconnectedError, "the server closed the connection without a response"),
    (aiohttp.ClientPayloadError, DisconnectedError, "the response broke off before its end"),
    (aiohttp.ClientResponseError, UnreadableResponseError, "the response was not readable as HTTP"),
    (aiohttp.ClientConnectionError, DisconnectedError, "the connection was lost"),
    (aiohttp.ClientError, TransportError, "the exchange failed"),
    (OSError, DisconnectedError, "the connection was lost"),
    (EOFError, DisconnectedError, "the connection was lost"),
)


def transport_error(error: BaseException) -> TransportError:
    """Translate an error of aiohttp.

    Only the kind and the operating system's message are kept: aiohttp's messages may quote the URL,
    and its attributes the headers, signature included.
    """
    for kind, ours, description in _TRANSPORT_ERRORS:
        if isinstance(error, kind):
            detail = error.strerror if isinstance(error, OSError) and error.errno and error.strerror else None
            return ours(f"{description} ({type(error).__name__}{f': {detail}' if detail else ''})")
    raise TypeError(f"not an error of the transport: {type(error).__name__}")


def ssl_context(settings: Settings) -> ssl.SSLContext | bool:
    """Return the SSL context for connections; True for the system's certificates.

    Raises:
        ConfigurationError: A file can't be used.
    """
    if settings.ssl is None and settings.client_cert is None:
        return True
    if isinstance(settings.ssl, ssl.SSLContext):
        context = settings.ssl
    else:
        try:
            context = ssl.create_default_context(cafile=settings.ssl)
        except (OSError, ValueError) as error:
            raise ConfigurationError(f"the CA file {settings.ssl} can't be used: {_reason(error)}") from None
    if settings.client_cert is not None:
        files = settings.client_cert if isinstance(settings.client_cert, tuple) else (settings.client_cert,)
        try:
            context.load_cert_chain(*files)
        except (OSError, ValueError, TypeError) as error:
            raise ConfigurationError(f"the client certificate can't be used: {_reason(error)}") from None
    return context


def _reason(error: Exception) -> str:
    return (error.strerror if isinstance(error, OSError) else None) or str(error) or type(error).__name__


class AiohttpTransport:
    """Exchanges requests over one aiohttp session, made on first use in the running loop.

    A session that the caller passes in is used but never closed. Its client middlewares are not run:
    one that changed a request would break its signature.
    """

    def __init__(self, settings: Settings, user_agent: str, session: aiohttp.ClientSession | None = None) -> None:
        if session is not None and not callable(getattr(session, "request", None)):
            raise ConfigurationError(f"session must be an aiohttp.ClientSession, not a {type(session).__name__}")
        self._settings = settings
        self._user_agent = user_agent
        self._session = session
        self._owns_session = session is None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._closed = False

    async def open(self, request: SignedRequest, timeout: Timeout) -> Stream:  # noqa: ASYNC109 - aiohttp keeps it
        """Send one request, once; the response is the caller's to close.

        Raises:
            TransportError: One of its subclasses; ``maybe_sent`` says whether the request may have arrived.
            ConfigurationError: The client or its session is closed, or in use by another event loop; or aiohttp can't
                use the session's settings or the environment's, such as a proxy.
            InvalidArgumentError: The URL can't be sent.
        """
        exchange, middleware = self._exchange(self._opened(), request, timeout)
        return AiohttpStream(await _translate_errors(exchange, middleware))

    def _exchange(
        self, session: aiohttp.ClientSession, request: SignedRequest, timeout: Timeout
    ) -> tuple[Awaitable[ClientResponse], _SendOnce]:
        """Prepare a request; its headers, signature included, are out of sight of the traceback of what it raises."""
        headers = {"User-Agent": self._user_agent, "Accept-Encoding": ACCEPT_ENCODING, **request.headers}
        middleware = _SendOnce(headers.get(AUTHORIZATION))
        if session.trust_env or session.auth is not None:
            # aiohttp refuses a request with this header and credentials from elsewhere.
            headers.pop(AUTHORIZATION, None)
        exchange = session.request(
            request.http_method,
            _url(request.url),
            headers=headers,
            data=request.body,
            # aiohttp sets one by default if there is no body
            skip_auto_headers=None if request.http_method == "GET" and request.body is None else ("Content-Type",),
            allow_redirects=False,
            raise_for_status=False,
            auto_decompress=False,
            timeout=_client_timeout(timeout),
            middlewares=(middleware,),
        )
        return exchange, middleware

    async def aclose(self) -> None:
        """Close the aiohttp session if this transport created it. May be called twice."""
        self._closed = True
        if self._owns_session and self._session is not None:
            await self._session.close()

    def _opened(self) -> aiohttp.ClientSession:
        try:
            loop = asyncio.get_running_loop()
        except RuntimeError:
            raise ConfigurationError("the client needs a running asyncio event loop") from None
        if self._closed:
            raise ConfigurationError("the client is closed")
        if self._loop is None:
            self._loop = loop
        elif self._loop is not loop:
            raise ConfigurationError("the client belongs to another event loop; make one client per loop")
        if self._session is None:
            settings = self._settings
            self._session = aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(limit=settings.max_connections, ssl=ssl_context(settings)),
                cookie_jar=aiohttp.DummyCookieJar(),
                proxy=settings.proxy,
                request_class=_CheckedRequest,
                trust_env=settings.trust_env,
            )
        if self._session.closed:
            raise ConfigurationError(
                "the aiohttp session is closed; pass one that is open for as long as the client is"
            )
        bound = getattr(self._session, "_loop", loop)  # its public name is deprecated
        if bound is not loop:
            raise ConfigurationError("the aiohttp session belongs to another event loop; make it in the running one")
        return self._session


@frozen
class AiohttpStream:
    """An open aiohttp response; aiohttp's repr would show the URL."""

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

    _unpacker: Decompressor | None = field(init=False, repr=False)

    @_unpacker.default
    def _unpacker_for_encoding(self) -> Decompressor | None:
        encoding = self.headers.get("content-encoding")
        return unpacker(encoding) if encoding else None

    @property
    def status(self) -> int:
        """HTTP status."""
        return self._response.status

    async def chunk(self) -> bytes:
        """Return what has arrived of the body, unpacked."""
        if self._unpacker is None:
            chunk = await self._raw()
        else:
            try:
                chunk = await self._unpacked(self._unpacker)
            except DecompressionError as error:
                raise UnreadableResponseError(f"the response can't be unpacked: {error}") from None
        if not chunk:
            failpoints.hit("answer read")
        return chunk

    async def _unpacked(self, unpacker: Decompressor) -> bytes:
        while True:
            if not unpacker.pending:
                raw = await self._raw()
                if not raw:
                    unpacker.finish()
                    return b""
                unpacker.feed(raw)
            if piece := unpacker.unpacked():
                if len(piece) == MAX_STEP_BYTES:
                    await asyncio.sleep(0)  # a small body may unpack to a huge one
                return piece

    async def _raw(self) -> bytes:
        content = self._response.content
        if content.at_eof():
            return b""
        # Most responses have arrived as a whole by now; awaiting what is there costs more than taking it.
        if content.is_eof() and content.exception() is None:
            return content.read_nowait()
        return await _translate_errors(content.readany())

    def close(self) -> None:
        """Return the connection to the pool, or close it if the body was not read to its end."""
        self._response.release() if self._response.content.at_eof() else self._response.close()


async def _translate_errors(awaitable: Awaitable[T], middleware: _SendOnce | None = None) -> T:
    """Await, and raise aiohttp's errors as ours; one from before ``middleware`` begins is of the configuration."""
    failure: SevenDigitalError
    try:
        return await awaitable
    except SevenDigitalError:
        raise
    except _ConnectionLostError as error:
        failure = transport_error(error.cause)
    except (aiohttp.ClientError, TimeoutError, OSError, EOFError) as error:
        failure = transport_error(error)
    except UnicodeDecodeError as error:
        failure = _unusable(error) if _is_early(middleware) else TransportError("the response was not readable")
    except UnicodeError:
        # The DNS resolver's codec refuses some host names this way.
        failure = ConnectError("the host name could not be resolved")
    except asyncio.CancelledError:
        task = asyncio.current_task()
        if task is None or task.cancelling():
            raise
        # This task was not cancelled, but something that it awaited, such as a look-up of a session that closes.
        failure = TransportError("the HTTP client cancelled the request")
    except Exception as error:  # noqa: BLE001 - whatever aiohttp lets through, callers know our errors only
        name = type(error).__name__
        failure = _unusable(error) if _is_early(middleware) else TransportError(f"the request failed ({name})")
    # Raised here, so that aiohttp's error, which has the headers, is not its context.
    raise failure


def _is_early(middleware: _SendOnce | None) -> bool:
    return middleware is not None and not middleware.has_begun


def _unusable(error: Exception) -> ConfigurationError:
    """Translate an error from before the search for a connection: the configuration is invalid."""
    return ConfigurationError(
        f"aiohttp could not make the request ({type(error).__name__}); nothing was sent. Look at the session passed "
        "in, and at the proxies and the .netrc file of the environment if it trusts that"
    )


def _url(url: str) -> URL:
    try:
        return URL(url, encoded=True)
    except ValueError:
        raise InvalidArgumentError("the URL can't be sent") from None


@lru_cache(maxsize=64)
def _client_timeout(timeout: Timeout) -> aiohttp.ClientTimeout:
    # Getting a connection ends before the total does. A total that runs out therefore always means
    # that the request may have left, and a connect timeout always means that it has not.
    connect = timeout.connect if timeout.total is None else min(timeout.connect, timeout.total * 0.9)
    return aiohttp.ClientTimeout(total=timeout.total, connect=connect, sock_read=timeout.read, ceil_threshold=3600)
