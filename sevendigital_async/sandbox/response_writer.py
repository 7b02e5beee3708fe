"""Sends responses: at once, slowly, or not at all."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress

from aiohttp import hdrs, web

from .rendering import accepts_gzip

SLOW_BODY_SECONDS = 3.0
"""How long a slow body takes."""

_SLOW_BODY_CHUNKS = 6
_MIN_COMPRESSED_BYTES = 512


def send(request: web.Request, status: int, headers: Mapping[str, str], body: bytes) -> web.StreamResponse:
    """Send at once, compressed if the client accepts it and the body is large enough."""
    response = web.Response(status=status, headers=headers, body=body)
    # A range must be of the uncompressed file.
    fits = len(body) >= _MIN_COMPRESSED_BYTES and hdrs.ACCEPT_RANGES not in headers
    if fits and accepts_gzip(request.headers.get("Accept-Encoding", "")):
        response.enable_compression(web.ContentCoding.gzip)
    return response


async def send_slowly(
    request: web.Request,
    status: int,
    headers: Mapping[str, str],
    body: bytes,
    sleep: Callable[[float], Awaitable[None]],
) -> web.StreamResponse:
    """Send the headers at once and the body, even an empty one, over several seconds."""
    response = web.StreamResponse(status=status, headers=headers)
    response.enable_chunked_encoding()
    size = -(-len(body) // _SLOW_BODY_CHUNKS)
    # Clients are expected to time out.
    with suppress(ConnectionError):
        await response.prepare(request)
        for number in range(_SLOW_BODY_CHUNKS):
            await sleep(SLOW_BODY_SECONDS / _SLOW_BODY_CHUNKS)
            await response.write(body[number * size : (number + 1) * size])
        await response.write_eof()
    return response


def drop_connection(request: web.Request) -> web.StreamResponse:
    """Drop the connection without a response; the returned one is not sent."""
    if request.transport is not None:
        request.transport.abort()
    return web.Response()
