"""A connection that says something before it is asked is not asked: the response would be that of another request."""

import asyncio
import time
from contextlib import asynccontextmanager
from datetime import UTC, datetime

import aiohttp
import pytest
from support.rawserver import answer, raw_server
from support.tls import server_context
from test_core import operation

from sevendigital_async import (
    NO_RETRY,
    ConnectError,
    LogKind,
    Settings,
    SevenDigital,
    StreamLog,
    StreamLogShipper,
    Timeout,
    UnreadableResponseError,
)
from sevendigital_async.operations import Safety
from sevendigital_async.session import transport as transports
from sevendigital_async.session.request import SignedRequest


def titled(title):
    return answer(f'{{"status":"ok","release":{{"id":"1","title":"{title}"}}}}', Content_Type="application/json")


class Ghost:
    """Answers one request twice, and notes what else arrives on that connection."""

    def __init__(self, first, second, *, after=None) -> None:
        self.first, self.second, self.after = first, second, after
        self.spoken = asyncio.Event()
        self.strays: list[bytes] = []

    async def __call__(self, reader, writer, _) -> None:
        if self.after is None:
            writer.write(self.first + self.second)
        else:
            writer.write(self.first)
            await asyncio.sleep(self.after)
            writer.write(self.second)
        await writer.drain()
        self.spoken.set()
        while stray := await reader.read(65536):
            self.strays.append(stray)


SEGMENTS = {"one segment": None, "two segments": 0.0, "after 50 ms": 0.05}
NOISE = {
    "a response": titled("Ghost"),
    "a refusal": answer("no", "400 Bad Request"),
    "half a response": titled("Ghost")[:30],
    "no HTTP": b"hello",
    "line ends": b"\r\n",
    "101": b"HTTP/1.1 101 Switching Protocols\r\n\r\n",
}


class OwnRequest(aiohttp.ClientRequest):
    """A request class of the caller's."""


@asynccontextmanager
async def client_for(url, kind="own"):
    """Yield a client with its own session, or with the caller's."""
    options = {"base_url": url, "retry": NO_RETRY, "timeout": Timeout(total=5)}
    if kind == "own":
        async with SevenDigital("key", "secret", **options) as client:
            yield client
        return
    classes = {"request_class": OwnRequest} if kind == "request class" else {}
    async with aiohttp.ClientSession(**classes) as session:
        async with SevenDigital("key", "secret", session=session, **options) as client:
            yield client


@pytest.mark.parametrize("session", ["own", "session", "request class"])
@pytest.mark.parametrize("safety", [Safety.READ, Safety.UNSAFE])
@pytest.mark.parametrize("segments", SEGMENTS)
async def test_a_second_answer_is_nobodys(safety, segments, session):
    ghost = Ghost(titled("One"), NOISE["a response"], after=SEGMENTS[segments])
    async with raw_server(ghost, titled("Two"), titled("Three")) as raw, client_for(raw.base_url, session) as client:
        titles = [(await client.call(operation(safety))).title]
        await ghost.spoken.wait()
        titles += [(await client.call(operation(safety))).title for _ in range(2)]
    assert titles == ["One", "Two", "Three"]
    assert len(raw.requests) == 3
    assert ghost.strays == []


@pytest.mark.parametrize("method", ["GET", "POST"])
@pytest.mark.parametrize("noise", NOISE)
async def test_whatever_arrives_on_an_idle_connection_ends_it(noise, method):
    ghost = Ghost(titled("One"), NOISE[noise], after=0.05)
    async with raw_server(ghost, titled("Two")) as raw, client_for(raw.base_url) as client:
        await client.call(operation(Safety.UNSAFE, method=method), q="x")
        await ghost.spoken.wait()
        assert (await client.call(operation(Safety.UNSAFE, method=method), q="x")).title == "Two"
    assert (len(raw.requests), ghost.strays) == (2, [])


@pytest.mark.parametrize("segments", SEGMENTS)
async def test_of_two_batches_both_arrive(segments):
    ghost = Ghost(answer("{}"), answer("{}"), after=SEGMENTS[segments])
    async with raw_server(ghost, answer("{}")) as raw, client_for(raw.base_url) as client:
        async with StreamLogShipper(client, close_timeout=0.0) as shipper:
            for number in range(2):
                await shipper.put(LogKind.PREVIEW, StreamLog(str(number), datetime.now(UTC), country="GB"))
                await shipper.flush(50)
                await ghost.spoken.wait()
            statistics = await shipper.statistics()
    assert (statistics.delivered, statistics.in_doubt) == (2, 0)
    assert [b'"trackId":"%d"' % number in request for number, request in enumerate(raw.requests)] == [True, True]
    assert ghost.strays == []


@pytest.mark.parametrize("noise", NOISE)
async def test_also_over_tls(tmp_path, noise):
    ghost = Ghost(titled("One"), NOISE[noise], after=0.05)
    async with (
        raw_server(ghost, titled("Two"), titled("Three"), tls=server_context(tmp_path)) as raw,
        aiohttp.ClientSession(connector=aiohttp.TCPConnector(ssl=False)) as session,
        SevenDigital("key", "secret", session=session, base_url=raw.base_url, retry=NO_RETRY) as client,
    ):
        titles = [(await client.call(operation())).title]
        await ghost.spoken.wait()
        await asyncio.sleep(0.02)
        titles += [(await client.call(operation(Safety.UNSAFE))).title for _ in range(2)]
        reused = {len(pool) for pool in session.connector._conns.values()}
    assert (titles, ghost.strays, reused) == (["One", "Two", "Three"], [], {1})


async def test_also_if_the_loop_was_too_busy_to_read_it():
    async def read_nothing_then_ask(client, ghost):
        await client.call(operation())
        deadline = time.monotonic() + 60
        while not ghost.spoken.is_set() and time.monotonic() < deadline:
            await asyncio.sleep(0)
        # What the server has written by now, the loop has had no turn to read.
        return await client.call(operation())

    ghost = Ghost(titled("One"), titled("Ghost"), after=0.02)
    async with raw_server(ghost, titled("Two")) as raw, client_for(raw.base_url) as client:
        assert (await read_nothing_then_ask(client, ghost)).title == "Two"


async def test_all_connections_of_a_pool_may_have_spoken():
    ghosts = [Ghost(titled("One"), titled("Ghost"), after=0.05) for _ in range(5)]
    async with raw_server(*ghosts, titled("Two")) as raw, client_for(raw.base_url) as client:
        await asyncio.gather(*(client.call(operation()) for _ in ghosts))
        await asyncio.gather(*(ghost.spoken.wait() for ghost in ghosts))
        found = await asyncio.gather(*(client.call(operation(Safety.UNSAFE)) for _ in ghosts))
    assert {release.title for release in found} == {"Two"}
    assert len(raw.requests) == 10


async def test_a_connection_that_was_closed_while_idle_is_not_used():
    async def answer_and_close(_, writer, __):
        writer.write(titled("One"))
        await writer.drain()

    async with raw_server(answer_and_close, titled("Two")) as raw, client_for(raw.base_url) as client:
        await client.call(operation(Safety.UNSAFE))
        await asyncio.sleep(0.02)
        assert (await client.call(operation(Safety.UNSAFE))).title == "Two"
    assert len(raw.requests) == 2


@asynccontextmanager
async def serving(handle):
    """Serve connections with ``handle``, and let each come to its end."""
    tasks = []

    async def handled(reader, writer):
        tasks.append(asyncio.current_task())
        try:
            await handle(reader, writer)
            while await reader.read(65536):
                pass
        finally:
            writer.close()

    server = await asyncio.start_server(handled, "127.0.0.1", 0)
    try:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/"
    finally:
        server.close()
        await asyncio.gather(*tasks, return_exceptions=True)


async def test_a_server_that_speaks_first_is_not_asked(monkeypatch):
    asked = []

    async def listen(reader, _):
        asked.append(await reader.read(65536))

    monkeypatch.setattr(transports, "_input_of", lambda _: lambda: True)
    async with serving(listen) as url, client_for(url) as client:
        with pytest.raises(ConnectError, match="before the request was written") as caught:
            await client.call(operation(Safety.UNSAFE))
    assert not caught.value.maybe_sent
    assert asked == [b""]


@pytest.mark.parametrize("speaks", [(True,), (False, True)], ids=["before the head", "before the body"])
async def test_nor_is_a_body_sent_to_it(monkeypatch, speaks):
    looks = iter(speaks)
    asked = []

    async def listen(reader, _):
        asked.append(await reader.read(65536))

    monkeypatch.setattr(transports, "_input_of", lambda _: lambda: next(looks, True))
    async with serving(listen) as url, client_for(url) as client:
        with pytest.raises(ConnectError, match="before the request was written"):
            await client.call(operation(Safety.UNSAFE, method="POST"), q="x")
    assert asked == [b""]


@pytest.mark.filterwarnings("ignore:Sending a large body:ResourceWarning")
@pytest.mark.parametrize(("status", "believed"), [("200 OK", False), ("413 Content Too Large", True)])
async def test_a_success_before_the_request_is_out_is_not_believed(status, believed):
    async def answer_the_head(reader, writer):
        await reader.readuntil(b"\r\n\r\n")
        writer.write(answer("{}", status))
        await writer.drain()
        await answered.wait()

    answered = asyncio.Event()
    transport = transports.AiohttpTransport(Settings(), "test")
    async with serving(answer_the_head) as url:
        request = SignedRequest("POST", url, {}, bytes(64 * 1024 * 1024))
        try:
            if believed:
                stream = await transport.open(request, Timeout())
                assert stream.status == 413
                stream.close()
            else:
                with pytest.raises(UnreadableResponseError, match="before the whole request"):
                    await transport.open(request, Timeout())
        finally:
            answered.set()
            await transport.aclose()
