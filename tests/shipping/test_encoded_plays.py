"""Encoded plays are put, checked and sent like any others."""

from datetime import UTC, datetime, timedelta

import pytest
from support.cli_process import as_counted, received
from support.live import client_of, counted, play
from support.rawserver import raw_server

from sevendigital_async import InvalidLogError, LogKind, SevenDigital, StreamLog, StreamLogShipper
from sevendigital_async.models.encoded_log import EncodedLog, encoded_log
from sevendigital_async.models.stream_log import Window
from sevendigital_async.sandbox import Sandbox

NOW = datetime.now(UTC).replace(microsecond=0)
KIND = LogKind.CATALOGUE


def encoded(number, **changes):
    log = StreamLog(str(number), NOW - timedelta(seconds=number), f"user-{number % 3}", country="GB", **changes)
    return encoded_log(log.encode(), Window.at(NOW))


async def test_they_arrive_as_they_were():
    async with Sandbox(managed_users=True) as sandbox:
        key, secret = sandbox.credentials.consumer_key, sandbox.credentials.consumer_secret
        async with (
            SevenDigital(key, secret, base_url=sandbox.base_url) as client,
            StreamLogShipper(client, user_tokens={}) as shipper,
        ):
            plays = [encoded(number) for number in range(20)]
            mixed = [play if number % 2 else play.decode() for number, play in enumerate(plays)]
            assert await shipper.put_many(KIND, mixed) == 20
            statistics = await shipper.flush(50)
        assert received(sandbox, KIND) == as_counted([play.decode() for play in plays])
    assert statistics.delivered == 20


async def test_one_that_has_become_too_old_is_refused_by_its_index():
    stale = StreamLog("1", NOW - timedelta(days=62)).encode()
    old = EncodedLog(stale, NOW - timedelta(days=62), None, None)
    async with SevenDigital("key", "secret", base_url="http://127.0.0.1:9") as client:
        async with StreamLogShipper(client, close_timeout=0.0) as shipper:
            with pytest.raises(InvalidLogError, match="log 1: timestamp is 62 days old") as caught:
                await shipper.put_many(KIND, [encoded(0), old])
            assert (caught.value.index, (await shipper.statistics()).put) == (1, 0)


async def test_the_live_dialect_checks_the_fields_that_it_requires():
    whole = EncodedLog(play(KIND).encode(), NOW, "u1", "GB")
    async with raw_server(counted(1)) as server, client_of(server.base_url) as client:
        async with StreamLogShipper(client, close_timeout=1.0) as shipper:
            with pytest.raises(InvalidLogError, match="log 1: catalogue plays need release_id"):
                await shipper.put_many(KIND, [whole, encoded(0, duration_played=1)])
            await shipper.put_many(KIND, [whole])
            assert (await shipper.flush(50)).delivered == 1


@pytest.mark.parametrize("place", [0, 33, 99])
async def test_of_many_plays_that_are_put_together_the_invalid_one_is_named_and_none_is_put(place):
    plays = [StreamLog(str(number), NOW, "user", "phone", 30, "GB") for number in range(1, 101)]
    plays[place].country = "UK"
    async with SevenDigital("key", "secret", base_url="http://127.0.0.1:9") as client:
        async with StreamLogShipper(client, close_timeout=0.0) as shipper:
            with pytest.raises(InvalidLogError, match=f"log {place}: country must be") as caught:
                await shipper.put_many(KIND, plays)
            assert (caught.value.index, (await shipper.statistics()).put) == (place, 0)


async def test_many_plays_that_are_put_together_arrive_as_they_were():
    plays = [StreamLog(str(number), NOW, f"usér-{number % 3}", "phone", number, "GB") for number in range(1, 601)]
    async with Sandbox(managed_users=True) as sandbox:
        key, secret = sandbox.credentials.consumer_key, sandbox.credentials.consumer_secret
        async with SevenDigital(key, secret, base_url=sandbox.base_url) as client:
            async with StreamLogShipper(client) as shipper:
                assert await shipper.put_many(KIND, plays) == 600
                assert (await shipper.flush(50)).delivered == 600
        assert received(sandbox, KIND) == as_counted(plays)
