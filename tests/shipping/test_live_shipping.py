"""The live dialect and money: answers that don't account for all plays, and spools of the other dialect."""

import logging
from datetime import UTC, datetime

import orjson
import pytest
from support.live import client_of, counted, play, ship
from support.rawserver import answer, raw_server

from sevendigital_async import (
    Dialect,
    InvalidLogError,
    LogKind,
    SevenDigital,
    ShortCountError,
    SpoolError,
    StreamLog,
    StreamLogShipper,
)

KIND = LogKind.SUBSCRIBER
XML = '<?xml version="1.0"?><response status="ok" version="1.2"><playLogs>{}</playLogs></response>'


def logs(number):
    return [play(KIND, each) for each in range(number)]


# --- the count


@pytest.fixture(params=["memory", "file", "redis"])
def place(request, tmp_path):
    if request.param == "redis":
        return request.getfixturevalue("redis_server").url
    return tmp_path / "plays.db" if request.param == "file" else None


@pytest.mark.parametrize(
    "body",
    [
        "",
        "{}",
        '{"status":"ok","version":"1.2"}',
        '{"playLogs":{"count":"some"}}',
        "OK",
        '{"playLogs":',
        XML.format(""),
    ],
)
async def test_an_answer_without_a_count_acknowledges_nothing(body):
    async with raw_server(answer(body)) as server, client_of(server.base_url) as client:
        statistics, _, deliveries = await ship(client, KIND, logs(3), in_doubt="hold")
        assert (statistics.held, statistics.in_doubt, statistics.delivered, deliveries) == (3, 3, 0, [])
        with pytest.raises(ShortCountError, match="acknowledged none of 1 items"):
            await client.platform.logging.subscriber(logs(1))


@pytest.mark.parametrize("body", [XML.format("<count>3</count>"), '{"playLogs":{"count":"3"}}'])
async def test_a_count_is_read_however_it_is_written(body):
    async with raw_server(answer(body)) as server, client_of(server.base_url) as client:
        statistics, _, _ = await ship(client, KIND, logs(3))
        assert (statistics.delivered, statistics.in_doubt) == (3, 0)


async def test_a_count_beyond_the_plays_sent_acknowledges_them_and_is_logged(caplog):
    async with raw_server(counted(4)) as server, client_of(server.base_url) as client:
        with caplog.at_level(logging.WARNING):
            statistics, _, [delivery] = await ship(client, KIND, logs(3))
    assert (statistics.delivered, statistics.in_doubt) == (3, 0)
    assert "acknowledged 4 items, but 3 were sent" in caplog.text
    assert '"count":4' in delivery.receipt.answer


async def test_a_service_that_always_counts_short_is_not_sent_the_plays_for_ever(place, caplog):
    async with raw_server(counted(2)) as server, client_of(server.base_url) as client:
        statistics, _, _ = await ship(client, KIND, logs(3), in_doubt="resend", spool=place)
        assert (statistics.held, statistics.delivered, statistics.waiting) == (3, 0, 0)
        assert len(server.requests) == 2
    assert "3 plays were in doubt before and are held, not sent again" in caplog.text
    assert "acknowledged 2 of 3 items" in caplog.text


@pytest.mark.parametrize("status", ["500 Internal Server Error", "503 Service Unavailable", "400 Bad Request"])
async def test_no_preview_is_in_doubt_after_a_refusal(status):
    refusal = answer('{"error":{"code":9001,"message":"no"}}', status)
    async with raw_server(refusal, answer("{}")) as server, client_of(server.base_url) as client:
        statistics, _, _ = await ship(client, LogKind.PREVIEW, [play(LogKind.PREVIEW, n) for n in range(3)])
        assert (statistics.delivered, statistics.in_doubt, len(server.requests)) == (3, 0, 2)


# --- what a play says


@pytest.mark.parametrize("agent", ["", "  ", "\ud800", "a\0b"])
async def test_a_user_agent_is_not_empty(agent):
    async with client_of("http://127.0.0.1:9") as client, StreamLogShipper(client, close_timeout=0.0) as shipper:
        with pytest.raises(InvalidLogError, match="user_agent") as caught:
            await shipper.put(KIND, play(KIND, user_agent=agent))
        assert caught.value.field == "user_agent"


# --- spools, which keep the plays of one dialect


PLAIN = StreamLog("1", datetime.now(UTC), "u1", country="GB")


def plain_client(base_url):
    return SevenDigital("key", "secret", base_url=base_url)


@pytest.mark.parametrize("place", ["file", "redis"], indirect=True)
@pytest.mark.parametrize("first", Dialect)
async def test_a_spool_is_not_opened_for_the_other_dialect(place, first):
    clients = {Dialect.OPENAPI: (plain_client, PLAIN), Dialect.LIVE: (client_of, play(KIND))}
    (its_client, its_play), (other_client, _) = clients.pop(first), clients.popitem()[1]
    async with raw_server(answer("", "503 Service Unavailable")) as server:
        async with (
            its_client(server.base_url) as client,
            StreamLogShipper(client, spool=place, close_timeout=0.0) as shipper,
        ):
            await shipper.put(KIND, its_play)
        sent = len(server.requests)
        async with other_client(server.base_url) as client:
            with pytest.raises(SpoolError, match=f"keeps plays for the {first.value} dialect"):
                await StreamLogShipper(client, spool=place).__aenter__()
        assert len(server.requests) == sent
    async with raw_server(counted(1)) as server, its_client(server.base_url) as client:
        shipper = StreamLogShipper(client, spool=place)
        async with shipper:
            await shipper.flush(50)
        assert (await shipper.statistics()).delivered == 1
        assert len(server.requests) == 1
        assert orjson.loads(server.requests[0].partition(b"\r\n\r\n")[2])
