"""A small HTTP server: a few paths, each answered by a function."""

from __future__ import annotations

import asyncio
import logging
import os
import re
from collections.abc import Awaitable, Callable, Mapping
from http import HTTPStatus
from typing import NamedTuple

from attrs import define, field, frozen

from ..errors import ConfigurationError

logger = logging.getLogger("sevendigital_async.monitoring")

LOOPBACK = "127.0.0.1"
MAX_HEAD_BYTES = 8192
"""Bytes of a request's line and headers."""

EXCHANGE_TIMEOUT = 10.0
"""Seconds for one exchange."""

TEXT_TYPE = "text/plain; charset=utf-8"
MAX_PORT = 65535
_ADDRESS = re.compile(r"(?:(?P<host>[^:\[\]\s]+|\[[0-9A-Fa-f:.]+\]):)?(?P<port>[0-9]{1,5})")


@frozen
class HttpAddress:
    """Where the server listens."""

    host: str
    port: int

    @classmethod
    def parse(cls, text: str) -> HttpAddress:
        """Read ``PORT``, ``HOST:PORT`` or ``[IPv6]:PORT``; without a host it is loopback.

        Raises:
            ConfigurationError: It is not an address.
        """
        found = _ADDRESS.fullmatch(text)
        if found is None or int(found["port"]) > MAX_PORT:
            raise ConfigurationError(f"{text!r} is not an address to listen on; use PORT or HOST:PORT, such as 9464")
        return cls((found["host"] or LOOPBACK).strip("[]"), int(found["port"]))

    def __str__(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{host}:{self.port}"


class HttpResponse(NamedTuple):
    """What a path answers."""

    status: HTTPStatus
    body: bytes
    content_type: str = TEXT_TYPE


Route = Callable[[], Awaitable[HttpResponse]]


@define(eq=False)
class HttpEndpoint:
    """Serves GET and HEAD requests, one for each connection."""

    address: HttpAddress
    routes: Mapping[str, Route]
    _server: asyncio.Server | None = field(init=False, default=None)
    _exchanges: set[asyncio.Task[None]] = field(init=False, factory=set)

    async def open(self) -> None:
        """Start to listen.

        Raises:
            ConfigurationError: The address can't be used, such as when another process listens there.
        """
        host, port = self.address.host, self.address.port
        try:
            self._server = await asyncio.start_server(self._accept, host, port, limit=MAX_HEAD_BYTES)
        except (OSError, UnicodeError) as error:
            reason = _reason(error)
            raise ConfigurationError(f"cannot listen on {self.address}: {reason}; choose another address") from None
        self.address = HttpAddress(host, self._server.sockets[0].getsockname()[1])

    async def aclose(self) -> None:
        """Stop to listen and close all connections."""
        if self._server is not None:
            self._server.close()
        for exchange in self._exchanges:
            exchange.cancel()
        if self._exchanges:
            await asyncio.wait(self._exchanges)

    def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        exchange = asyncio.create_task(self._exchange(reader, writer), name="http exchange")
        self._exchanges.add(exchange)
        exchange.add_done_callback(self._exchanges.discard)

    async def _exchange(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            async with asyncio.timeout(EXCHANGE_TIMEOUT):
                head = await reader.readuntil(b"\r\n\r\n")
                writer.write(await self._response(head))
                await writer.drain()
        except asyncio.LimitOverrunError:
            writer.write(_encode_response(_text_response(HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE)))
        except (TimeoutError, EOFError, OSError):
            pass  # the peer is slow or has left, and nobody reads a response
        finally:
            writer.close()

    async def _response(self, head: bytes) -> bytes:
        method, target, version = ([*head.split(b"\r\n", 1)[0].decode("latin-1").split(" "), "", "", ""])[:3]
        if not version.startswith("HTTP/1."):
            return _encode_response(_text_response(HTTPStatus.BAD_REQUEST))
        if method not in {"GET", "HEAD"}:
            return _encode_response(_text_response(HTTPStatus.METHOD_NOT_ALLOWED), "Allow: GET, HEAD\r\n")
        route = self.routes.get(target.partition("?")[0])
        if route is None:
            return _encode_response(_text_response(HTTPStatus.NOT_FOUND, f"paths: {' '.join(self.routes)}"))
        try:
            answer = await route()
        except Exception:
            logger.exception("%s could not be answered", target)
            answer = _text_response(HTTPStatus.INTERNAL_SERVER_ERROR)
        return _encode_response(answer, with_body=method == "GET")


def _text_response(status: HTTPStatus, text: str = "") -> HttpResponse:
    return HttpResponse(status, f"{text or status.phrase}\n".encode())


def _encode_response(response: HttpResponse, headers: str = "", *, with_body: bool = True) -> bytes:
    status, body, content_type = response
    head = (
        f"HTTP/1.1 {status.value} {status.phrase}\r\nContent-Type: {content_type}\r\nContent-Length: {len(body)}\r\n"
        f"Cache-Control: no-store\r\nX-Content-Type-Options: nosniff\r\n{headers}Connection: close\r\n\r\n"
    )
    return head.encode("latin-1") + (body if with_body else b"")


def _reason(error: Exception) -> str:
    # asyncio puts its own words around those of the system.
    if isinstance(error, OSError) and error.errno is not None and error.errno > 0:
        return os.strerror(error.errno).lower()
    return str(error)
