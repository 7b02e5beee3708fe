"""Responses that take long to parse or decode: their cost counts against the time allowed, and the loop goes on."""

import threading
import time
from datetime import UTC, datetime

import pytest
from support.rawserver import answer, raw_server
from test_core import operation

from sevendigital_async import (
    NO_RETRY,
    LogKind,
    RequestTimeoutError,
    RetryPolicy,
    SevenDigital,
    StreamLog,
    StreamLogShipper,
    Timeout,
)
from sevendigital_async.operations import Safety
from sevendigital_async.session import decode, document
from sevendigital_async.session.document import parse
from sevendigital_async.session.xml import STEP_BYTES, XMLStoppedError, parse_xml

MANY = b"<r>" + b"<a/>" * 1_000_000 + b"</r>"
LARGE = answer(b'{"release":"' + b"x" * document.OFF_LOOP_BYTES + b'"}')
SHORT = Timeout(total=0.3)


@pytest.fixture
def endless(monkeypatch):
    """Let parsing go on until it is stopped; yields the threads that were."""
    stopped_in = []

    def parse_until_stopped(*_, stopped):
        while not stopped():
            time.sleep(0.001)
        stopped_in.append(threading.get_ident())
        raise XMLStoppedError

    monkeypatch.setattr(document, "parse", parse_until_stopped)
    return stopped_in


def client_for(raw, retry=NO_RETRY):
    return SevenDigital("key", "secret", base_url=raw.base_url, timeout=SHORT, retry=retry)


def wait_for(condition):
    deadline = time.monotonic() + 60
    while not condition() and time.monotonic() < deadline:
        time.sleep(0.001)
    assert condition()


@pytest.mark.parametrize(("safety", "requests"), [(Safety.READ, 2), (Safety.UNSAFE, 1)])
async def test_parsing_counts_against_the_time_allowed(endless, safety, requests):
    async with raw_server(LARGE) as raw, client_for(raw, RetryPolicy(attempts=2, base=0.0)) as client:
        with pytest.raises(RequestTimeoutError, match=r"test\.do_thing: the response was not parsed") as caught:
            await client.call(operation(safety))
    assert caught.value.maybe_sent
    assert len(raw.requests) == requests
    wait_for(lambda: len(endless) == requests)
    assert threading.get_ident() not in endless


async def test_so_does_decoding(monkeypatch):
    going_on = threading.Event()
    monkeypatch.setattr(decode, "decode", lambda *_, **__: going_on.wait(10))
    async with raw_server(LARGE) as raw, client_for(raw) as client:
        try:
            with pytest.raises(RequestTimeoutError, match=r"test\.do_thing: the response was not parsed"):
                await client.call(operation(Safety.UNSAFE))
        finally:
            going_on.set()
    assert len(raw.requests) == 1


async def test_plays_whose_answer_takes_too_long_are_one_doubt_and_then_held(endless):
    async with raw_server(LARGE) as raw, client_for(raw) as client:
        async with StreamLogShipper(client, close_timeout=0.0) as shipper:
            await shipper.put(LogKind.PREVIEW, StreamLog("1", datetime.now(UTC), country="GB"))
            statistics = await shipper.flush(50)
    assert (statistics.delivered, statistics.in_doubt, statistics.held) == (0, 1, 1)
    assert len(raw.requests) == 2


async def test_words_in_place_of_media_have_the_same_limit(endless):
    words = answer(b" " * document.OFF_LOOP_BYTES + b"{}", Content_Type="application/json")
    async with raw_server(words) as raw, client_for(raw) as client:
        with pytest.raises(RequestTimeoutError, match="not parsed"):
            async with client.media.stream_track(track_id="1", release_id="2", format_id="26"):
                pass


async def test_much_xml_ends_in_time():
    async with raw_server(answer(MANY)) as raw, client_for(raw) as client:
        began = time.monotonic()
        with pytest.raises(RequestTimeoutError):
            await client.call(operation(Safety.UNSAFE))
        assert time.monotonic() - began < 10
    assert len(raw.requests) == 1


@pytest.mark.parametrize("size", [document.XML_OFF_LOOP_BYTES, document.XML_OFF_LOOP_BYTES + 1])
async def test_xml_leaves_the_loop_sooner_than_json(monkeypatch, size):
    threads = []

    def noting(*args, **kwargs):
        threads.append(threading.get_ident())
        return parse(*args, **kwargs)

    monkeypatch.setattr(document, "parse", noting)
    xml = b"<r>" + b"x" * (size - 7) + b"</r>"
    assert (await document.parse_in_time(xml, None, 5)).tree == {"r": "x" * (size - 7)}
    assert (threads == [threading.get_ident()]) is (size <= document.XML_OFF_LOOP_BYTES)


def test_parsing_xml_asks_between_pieces_whether_to_stop():
    looks = []

    def stopped():
        looks.append(True)
        return len(looks) == 3

    with pytest.raises(XMLStoppedError):
        parse(MANY, None, stopped=stopped)
    assert len(looks) == 3
    looks[:] = [True] * 3
    assert parse_xml(MANY[: STEP_BYTES // 4 * 4 - 1] + b"</r>", stopped=stopped)
