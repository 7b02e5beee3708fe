"""A minimal HTTP/1.1 server in another process: it reads whole requests, counts them and responds with 202.

It only parses the head, reads ``Content-Length`` bytes and keeps the connection open, so that it is not the bottleneck
of a benchmark. ``GET /stats`` returns the arrivals.
"""

from __future__ import annotations

import asyncio
import json
import multiprocessing
import random
import re
import time
from collections.abc import Iterator
from contextlib import contextmanager
from multiprocessing.connection import Connection

import aiohttp
from attrs import asdict, define, field, frozen

from .catalogue import PAGE

ACCEPTED = (
    b"HTTP/1.1 202 Accepted\r\nContent-Type: application/json\r\nX-RateLimit-Limit: 1000000\r\n"
    b"X-RateLimit-Current: 1\r\nX-RateLimit-Reset: 86400\r\nContent-Length: 2\r\n\r\n{}"
)
FOUND = (
    b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nX-RateLimit-Limit: 1000000\r\n"
    b"X-RateLimit-Current: 1\r\nX-RateLimit-Reset: 86400\r\nContent-Length: %d\r\n\r\n%s" % (len(PAGE), PAGE)
)
OK = ACCEPTED.replace(b"202 Accepted", b"200 OK")
"""Some of the other clients accept no other success."""
LENGTH_REQUIRED = b"HTTP/1.1 411 Length Required\r\nContent-Length: 0\r\n\r\n"

CONTENT_LENGTH = re.compile(rb"\r\ncontent-length: *([0-9]+)", re.IGNORECASE)
LOG = b"trackId"
"""Every log contains it exactly once, in every format."""


@frozen
class Latency:
    """Seconds until a response, evenly distributed between the two.

    A random part passes before the request counts as arrived, as on a slow network.
    """

    shortest: float
    longest: float


AT_ONCE = Latency(0.0, 0.0)


@define
class Arrivals:
    """The requests that arrived: counts, and times by the server's monotonic clock, in order.

    Attributes:
        requests: Number of requests.
        logs: Number of logs in all requests.
        bytes: Size of all bodies.
        times: When each request counted as arrived.
        received: When each request had been read, which is earlier with a latency.
        takes: Seconds until each response.
    """

    requests: int = 0
    logs: int = 0
    bytes: int = 0
    times: list[float] = field(factory=list)
    received: list[float] = field(factory=list)
    takes: list[float] = field(factory=list)

    def receive(self, takes: float) -> None:
        """Record that a request has been read, and the seconds until its response."""
        self.received.append(time.monotonic())
        self.takes.append(takes)

    def count(self, logs: int, size: int) -> None:
        """Record the arrival of a request."""
        self.requests += 1
        self.logs += logs
        self.bytes += size
        self.times.append(time.monotonic())


class HttpConnection(asyncio.Protocol):
    """One connection of a client."""

    def __init__(self, arrivals: Arrivals, latency: Latency) -> None:
        self._arrivals = arrivals
        self._latency = latency
        self._received = bytearray()
        self._transport: asyncio.WriteTransport

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the transport for responses."""
        assert isinstance(transport, asyncio.WriteTransport)
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        """Process every complete request."""
        self._received += data
        while (head := self._received.find(b"\r\n\r\n")) >= 0:
            length = CONTENT_LENGTH.search(self._received, 0, head + 2)
            end = head + 4 + (int(length[1]) if length else 0)
            if len(self._received) < end:
                return
            self._take(head, end, has_length=length is not None)
            del self._received[:end]

    def _take(self, head: int, end: int, *, has_length: bool) -> None:
        if self._received.startswith(b"GET /stats "):
            stats = json.dumps(asdict(self._arrivals)).encode()
            self._transport.write(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n")
            self._transport.write(b"Content-Length: %d\r\n\r\n%s" % (len(stats), stats))
        elif self._received.startswith(b"GET "):
            self._arrive(0, 0)
            self._transport.write(FOUND)
        elif not has_length:
            self._transport.write(LENGTH_REQUIRED)
        elif self._latency is AT_ONCE:
            self._arrivals.receive(0.0)
            self._arrive(self._received.count(LOG, head, end), end - head - 4)
            self._transport.write(ACCEPTED if self._received.startswith(b"POST /logging/") else OK)
        else:
            takes = random.uniform(self._latency.shortest, self._latency.longest)  # noqa: S311 - simulated latency
            self._arrivals.receive(takes)
            loop, logs = asyncio.get_running_loop(), self._received.count(LOG, head, end)
            loop.call_later(takes * random.random(), self._arrive, logs, end - head - 4)  # noqa: S311 - as above
            loop.call_later(takes, self._answer)

    def _arrive(self, logs: int, size: int) -> None:
        self._arrivals.count(logs, size)

    def _answer(self) -> None:
        if not self._transport.is_closing():
            self._transport.write(ACCEPTED)


@contextmanager
def serving(latency: Latency = AT_ONCE) -> Iterator[str]:
    """Run a server in another process and yield its base URL."""
    context = multiprocessing.get_context("spawn")
    here, there = context.Pipe()
    process = context.Process(target=_serve, args=(there, latency.shortest, latency.longest), daemon=True)
    process.start()
    there.close()
    try:
        yield f"http://127.0.0.1:{here.recv()}"
    finally:
        here.close()
        process.join()


def arrived(base_url: str) -> Arrivals:
    """Return the arrivals at a server."""

    async def ask() -> Arrivals:
        async with aiohttp.ClientSession() as session, session.get(f"{base_url}/stats") as response:
            return Arrivals(**await response.json())

    return asyncio.run(ask())


def _serve(channel: Connection, shortest: float, longest: float) -> None:
    asyncio.run(_listen(channel, Latency(shortest, longest) if longest else AT_ONCE))


async def _listen(channel: Connection, latency: Latency) -> None:
    arrivals = Arrivals()
    server = await asyncio.get_running_loop().create_server(lambda: HttpConnection(arrivals, latency), "127.0.0.1", 0)
    channel.send(server.sockets[0].getsockname()[1])
    await asyncio.to_thread(channel.poll, None)  # until the parent closes the pipe or dies
    server.close()
