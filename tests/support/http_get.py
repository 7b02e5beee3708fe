"""A client for small servers: one request, one response, byte for byte."""

import asyncio
from typing import NamedTuple
from urllib.parse import urlsplit


class Response(NamedTuple):
    status: int
    headers: dict
    text: str


async def ask(port, request, host="127.0.0.1"):
    """Send bytes and return all that comes back."""
    reader, writer = await asyncio.open_connection(host, port)
    try:
        writer.write(request)
        await writer.drain()
        async with asyncio.timeout(60):
            return await reader.read()
    finally:
        writer.close()


async def get(url, method="GET"):
    """Request a URL."""
    parts = urlsplit(url)
    request = f"{method} {parts.path} HTTP/1.1\r\nHost: {parts.netloc}\r\n\r\n"
    head, _, body = (await ask(parts.port, request.encode(), parts.hostname)).partition(b"\r\n\r\n")
    first, *lines = head.decode().split("\r\n")
    return Response(int(first.split()[1]), dict(line.split(": ", 1) for line in lines), body.decode())
