"""A wait of up to a day is kept in full; a longer one is reported at once, and the server is asked again every hour."""

import asyncio
import logging
import re
from datetime import UTC, datetime
from email.utils import formatdate

import pytest
from support.clock import EPOCH, VirtualClock
from support.rawserver import answer, raw_server
from support.rows import each_row

from sevendigital_async import (
    Dialect,
    LogKind,
    RateLimit,
    RateLimitError,
    ServerError,
    SevenDigital,
    StreamLog,
    StreamLogShipper,
)
from sevendigital_async.clock import SystemClock
from sevendigital_async.config import RetryPolicy, Settings
from sevendigital_async.operations import Auth, Binding, Content, Operation, Safety
from sevendigital_async.session.redis_rate_limiter import RedisRateLimiter
from sevendigital_async.shipping import AlertKind

DAY = 86_400
HOURS = 4
READ = Operation(
    id="readThing",
    name="test.read_thing",
    summary="",
    safety=Safety.READ,
    model=None,
    auth=Auth.KEY,
    content=Content.TEXT,
    bindings={Dialect.OPENAPI: Binding("GET", "/thing", ())},
)
TOO_LONG = ["99999999999", "9" * 300, "172801", str(DAY + 1), formatdate(EPOCH + 40 * 365 * DAY, usegmt=True)]
OK = answer("", "202 Accepted")


@pytest.fixture
def clock():
    return VirtualClock()


def quota(limit, used, reset):
    return {"X_RateLimit_Limit": str(limit), "X_RateLimit_Current": str(used), "X_RateLimit_Reset": str(reset)}


class Server:
    """Refuses until a time, then accepts; notes when requests arrive."""

    def __init__(self, clock, refusal, until):
        self.clock, self.refusal, self.until, self.arrivals = clock, refusal, until, []

    async def __call__(self, _reader, writer, _request):
        self.arrivals.append(self.clock.monotonic())
        writer.write(self.refusal if self.clock.monotonic() < self.until else OK)
        writer.write_eof()
        await writer.drain()


def ship(clock, raw, scenario, *, kind=LogKind.PREVIEW, plays=1200, **settings):
    alerts = []

    async def run():
        played_at = datetime.fromtimestamp(clock.time() - 60, UTC)
        async with (
            SevenDigital("key", "secret", base_url=raw.base_url, clock=clock, **settings) as client,
            StreamLogShipper(
                client, clock=clock, on_alert=lambda _, alert: alerts.append((clock.monotonic(), alert))
            ) as shipper,
        ):
            await shipper.put_many(kind, [StreamLog(str(n), played_at, country="GB") for n in range(plays)])
            result = await scenario(shipper)
            return result, await shipper.flush()

    return clock.run(run()), alerts


@pytest.mark.parametrize("kind", [LogKind.PREVIEW, LogKind.CATALOGUE])
@pytest.mark.parametrize("status", ["429 Too Many Requests", "503 Busy", "408 Timeout", "400 Bad Request"])
@pytest.mark.parametrize("wait", TOO_LONG)
async def test_a_lane_raises_an_alert_for_a_wait_of_days_and_probes_every_hour(clock, wait, status, kind):
    server = Server(clock, answer("", status, Retry_After=wait, Connection="close"), HOURS * 3600 + 60)

    async def scenario(shipper):
        flushed = await shipper.flush()  # does not wait for a server that wants decades
        asked = clock.monotonic()
        await clock.sleep(HOURS * 3600)
        return flushed, asked, await shipper.statistics()

    async with raw_server(server) as raw:
        running, alerts = ship(clock, raw, scenario, kind=kind)
        (flushed, asked, later), last = await running
    assert asked < 60
    assert flushed.alerts[kind].kind is later.alerts[kind].kind is AlertKind.THROTTLED
    assert re.search("days|decades", flushed.alerts[kind].message)
    assert len(flushed.alerts[kind].message) < 400
    assert [alert.kind for _, alert in alerts] == [AlertKind.THROTTLED]
    assert alerts[0][0] < 10
    hours = [at for at in server.arrivals if 60 < at < server.until]
    assert HOURS - 1 <= len(hours) <= HOURS  # one request an hour, not one per worker
    assert (last.buried, last.put) == (0, 1200)


async def test_delayed_plays_are_delivered_once_the_server_accepts_again(clock):
    server = Server(clock, answer("", "429 X", Retry_After="99999999999", Connection="close"), 7000)

    async def scenario(shipper):
        await clock.sleep(2 * 3600 + 60)
        return await shipper.statistics()

    async with raw_server(server) as raw:
        running, _ = ship(clock, raw, scenario)
        statistics, _ = await running
    assert (statistics.delivered, statistics.in_doubt, statistics.alerts) == (1200, 0, {})


async def test_resuming_sends_a_probe_at_once_during_a_wait_of_days(clock):
    server = Server(clock, answer("", "429 X", Retry_After="99999999999", Connection="close"), 100)

    async def scenario(shipper):
        await clock.sleep(200)
        shipper.resume()
        return await shipper.flush()

    async with raw_server(server) as raw:
        running, _ = ship(clock, raw, scenario)
        statistics, _ = await running
    assert statistics.delivered == 1200
    assert server.arrivals[-1] < 210


@pytest.mark.parametrize("wait", ["7200", str(DAY), formatdate(EPOCH + DAY, usegmt=True)])
async def test_a_wait_of_up_to_a_day_is_kept_in_full_and_logged(clock, wait, caplog):
    caplog.set_level(logging.WARNING)
    server = Server(clock, answer("", "429 X", Retry_After=wait, Connection="close"), 60)

    async def scenario(shipper):
        return await shipper.flush()

    async with raw_server(server) as raw:
        running, alerts = ship(clock, raw, scenario, plays=10)
        statistics, _ = await running
    assert statistics.delivered == 10
    assert server.arrivals[1] >= (7200 if wait == "7200" else DAY)
    assert alerts == []
    [line] = [record for record in caplog.records if getattr(record, "event", "") == "paused"]
    assert (line.kind, line.wait >= 7000) == ("preview", True)


# -- the quota --


@each_row(
    ("reset", "resets_in"),
    [
        ("0", 0),
        ("50", 50),
        ("123465", 123465),
        (str(31 * DAY), 31 * DAY),
        (str(int(EPOCH) + 3600), 3600),
        (str(int(EPOCH) + 30 * DAY), 30 * DAY),
        (str(int(EPOCH) - 3600), 0),
        (str(31 * DAY + 1), None),
        (str(int(EPOCH) + 32 * DAY), None),
        (str(int(EPOCH) * 1000), None),
        ("1", 1),
        ("999999999999999", None),
    ],
)
def test_a_reset_is_in_seconds_or_the_time_of_it_or_malformed(reset, resets_in):
    headers = {"x-ratelimit-limit": "10", "x-ratelimit-current": "10", "x-ratelimit-reset": reset}
    found = RateLimit.from_headers(headers, EPOCH)
    assert (found and found.resets_in) == resets_in
    assert found is None or RateLimit.from_headers(headers) == found or int(reset) > 31 * DAY


async def test_an_invalid_reset_changes_nothing(clock):
    async with (
        raw_server(answer("x", **quota(10, 4, 100)), answer("x", **quota(10, 10, 10**15 - 1))) as raw,
        SevenDigital("key", "secret", base_url=raw.base_url, clock=clock) as client,
    ):
        for _ in range(3):
            await client.call(READ)
        assert client.rate_limit.used == 4
    assert clock.elapsed == 0


async def test_the_time_of_the_reset_is_waited_for(clock):
    async def calls(client):
        async with client:
            for _ in range(2):
                await client.call(READ)

    async with raw_server(answer("x", **quota(10, 10, int(EPOCH) + 50)), answer("x")) as raw:
        await clock.run(calls(SevenDigital("key", "secret", base_url=raw.base_url, clock=clock)))
    assert clock.elapsed == 50


async def test_a_quota_spent_for_days_is_an_error_and_is_probed_once_an_hour(clock):
    async def calls(client):
        async with client:
            await client.call(READ)
            figures = []
            for _ in range(12):
                try:
                    await client.call(READ)
                except RateLimitError as error:
                    figures.append(error.retry_after)
                await clock.sleep(900)
            return figures

    async with raw_server(answer("x", **quota(10, 10, 123465))) as raw:
        figures = await clock.run(calls(SevenDigital("key", "secret", base_url=raw.base_url, clock=clock)))
    assert figures[0] == 123465
    assert len(figures) == 10
    assert len(raw.requests) == 3  # the first, and one for each full hour


async def test_one_of_many_calls_is_the_probe(clock):
    answers = []

    async def calls(client):
        async with client:
            await client.call(READ)
            await clock.sleep(3600)
            return await asyncio.gather(*(client.call(READ) for _ in range(20)), return_exceptions=True)

    async with raw_server(answer("x", **quota(10, 10, 123465))) as raw:
        answers = await clock.run(calls(SevenDigital("key", "secret", base_url=raw.base_url, clock=clock)))
    assert len(raw.requests) == 2
    assert sum(isinstance(each, RateLimitError) for each in answers) == 19


@pytest.mark.parametrize("max_wait", [1.0, 1e12])
async def test_a_lane_whose_quota_is_spent_for_days_raises_an_alert_and_probes_every_hour(clock, max_wait):
    server = Server(clock, answer("", "202 Accepted", **quota(10, 10, 2 * DAY), Connection="close"), 5 * 3600 + 60)

    async def scenario(shipper):
        await clock.sleep(4 * 3600 + 30)
        return await shipper.statistics()

    async with raw_server(server) as raw:
        running, alerts = ship(clock, raw, scenario, max_wait=max_wait, plays=8000)
        statistics, _ = await running
    assert statistics.alerts[LogKind.PREVIEW].kind is AlertKind.THROTTLED
    assert alerts[0][0] < 10
    assert 4 <= len([at for at in server.arrivals if at > 60]) <= 5
    assert statistics.in_doubt == 0


async def test_a_quota_spent_for_hours_is_waited_for_and_logged(clock, caplog):
    caplog.set_level(logging.WARNING)
    server = Server(clock, answer("", "202 Accepted", **quota(10, 10, 20 * 3600), Connection="close"), 60)

    async def scenario(shipper):
        return await shipper.flush()

    async with raw_server(server) as raw:
        running, alerts = ship(clock, raw, scenario, max_wait=1e12, plays=5000)
        statistics, _ = await running
    assert statistics.delivered == 5000
    assert not [at for at in server.arrivals if 60 < at < 20 * 3600]
    assert alerts == []
    assert "paused" in [getattr(record, "event", "") for record in caplog.records]


@pytest.mark.parametrize("wait", TOO_LONG)
async def test_a_read_never_sleeps_for_longer_than_a_day(clock, wait):
    policy = RetryPolicy(deadline=None)

    async def call(client):
        async with client:
            try:
                return await client.with_options(retry=policy).call(READ)
            except ServerError as error:
                return error

    async with raw_server(answer("", "503 X", Retry_After=wait), answer("x")) as raw:
        client = SevenDigital("key", "secret", base_url=raw.base_url, clock=clock, max_wait=1e300)
        result = await clock.run(call(client))
    if wait == "9" * 300:
        assert result.retry_after > 1e200
    assert isinstance(result, ServerError)
    assert clock.elapsed == 0


# -- several processes --


@pytest.mark.parametrize(("asked", "left"), [(1e11, 3600), (2 * DAY, 3600), (DAY, DAY), (50, 50)])
async def test_processes_that_share_an_account_probe_once_an_hour(redis_server, asked, left):
    ours, others = (RedisRateLimiter(redis_server.url, "key", Settings(), SystemClock()) for _ in range(2))
    try:
        ours.pause(None, asked)
        while not await others.pause_left():
            others._asked_at = -1e9
        assert left - 5 < await others.pause_left() <= left
    finally:
        await ours.aclose()
        await others.aclose()
