"""Several processes of one account on one Redis: each RedisRateLimiter here is one of them."""

import asyncio
import logging
import random
from contextlib import asynccontextmanager
from datetime import UTC, datetime

import pytest
from support.redis_server import RedisServer

from sevendigital_async import ConfigurationError, ConnectError, RateLimitError, Settings, SevenDigital, Timeout
from sevendigital_async.clock import SystemClock
from sevendigital_async.operations import RateClass
from sevendigital_async.operations.platform.logging import REPORT_PREVIEW_STREAM
from sevendigital_async.redis_connection import RedisConnection, RedisUnavailableError
from sevendigital_async.session import redis_rate_limiter
from sevendigital_async.session.redis_rate_limiter import RedisRateLimiter

PREVIEW = RateClass.PREVIEW_LOGS
SLOTS = "sevendigital:{key}:slots:preview_logs"
FREE_ALL = "for _, m in ipairs(redis.call('ZRANGE', KEYS[1], 0, -1)) do redis.call('ZADD', KEYS[1], 0, m) end return 1"


def limits_of(url, **settings):
    return RedisRateLimiter(
        url, "key", Settings(timeout=Timeout(total=settings.pop("timeout", 30.0)), **settings), CLOCK
    )


CLOCK = SystemClock()


@asynccontextmanager
async def workers(server, number=2, **settings):
    """So many processes, on a Redis that has all slots free."""
    several = [limits_of(server.url, **settings) for _ in range(number)]
    try:
        task = asyncio.create_task(several[0].slot(PREVIEW).__aenter__())
        while server.ask("EXISTS", SLOTS) == ":0":
            await asyncio.sleep(0.01)
        task.cancel()
        await asyncio.wait([task])
        free_all(server)
        yield several
    finally:
        for one in several:
            await one.aclose()


WINDOW_HERE = 0.25


@pytest.fixture
def short_window(monkeypatch):
    """A second takes a quarter of one, and so does the grace."""
    monkeypatch.setattr(redis_rate_limiter, "SLOT_COOLDOWN", WINDOW_HERE + 0.002)
    monkeypatch.setattr(redis_rate_limiter, "SEND_GRACE_PERIOD", WINDOW_HERE)
    monkeypatch.setattr(redis_rate_limiter, "MAX_POLL_INTERVAL", 0.15)


def free_all(server):
    server.ask("EVAL", FREE_ALL, "1", SLOTS)


async def has_slot(limits, within=0.15):
    try:
        async with asyncio.timeout(within):
            async with limits.slot(PREVIEW) as slot:
                await slot.sending(None)
                return True
    except TimeoutError:
        return False


async def test_four_workers_together_never_put_six_requests_into_one_window(redis_server, monkeypatch):
    window = 0.2
    monkeypatch.setattr(redis_rate_limiter, "SLOT_COOLDOWN", window + 0.002)
    monkeypatch.setattr(redis_rate_limiter, "MAX_POLL_INTERVAL", 0.15)
    rng, arrivals, by_worker = random.Random(7), [], [0] * 4

    async with workers(redis_server, 4) as several:

        async def request(index):
            async with several[index].slot(PREVIEW) as slot:
                await slot.sending(30)
                latency = rng.choice([0.005, 0.005, 0.005, 0.3])
                await asyncio.sleep(latency / 2)
                arrivals.append(CLOCK.monotonic())
                by_worker[index] += 1
                await asyncio.sleep(latency / 2)
                slot.answered()

        await asyncio.gather(*(request(index % 4) for index in range(40)))
    arrivals.sort()
    assert len(arrivals) == 40
    assert all(later - first >= window for first, later in zip(arrivals, arrivals[5:], strict=False))
    assert arrivals[-1] - arrivals[0] < 40 / 5 * (window + 0.2)


async def test_a_stalled_worker_sends_nothing_and_frees_nothing(redis_server):
    async with workers(redis_server) as (frozen, other):
        slots = [frozen.slot(PREVIEW) for _ in range(5)]
        held = [await slot.__aenter__() for slot in slots]
        free_all(redis_server)  # their time is over
        assert [await has_slot(other) for _ in range(5)] == [True] * 5
        for slot in held:
            with pytest.raises(ConnectError, match="the rate slot expired"):
                await slot.sending(30)
            slot.answered()
        for slot in slots:
            await slot.__aexit__(None, None, None)
        await asyncio.sleep(0.05)
        assert not await has_slot(frozen)


async def test_a_claim_whose_answer_is_lost_costs_one_slot_and_no_more(redis_server):
    async with workers(redis_server) as (unlucky, other):
        connection = unlucky._connection
        run, losses = connection.run, [True, True]

        async def lossy(script, **arguments):
            answer = await run(script, **arguments)
            if losses and losses.pop():
                raise RedisUnavailableError("the response is lost")
            return answer

        connection.run = lossy
        assert await has_slot(unlucky, within=60)
        assert [await has_slot(other) for _ in range(5)] == [True] * 4 + [False]


async def test_a_worker_that_was_stalled_after_its_check_checks_again(redis_server):
    async with workers(redis_server) as (one, _):
        async with one.slot(PREVIEW) as slot:
            asked, keep = [], slot._keep

            async def slowly(token, seconds):
                asked.append(CLOCK.monotonic())
                held = await keep(token, seconds)
                if len(asked) == 1:
                    slot._clock = ClockAhead(redis_rate_limiter.SEND_GRACE_PERIOD)
                return held

            slot._keep = slowly
            await slot.sending(30)
            assert len(asked) == 2


class ClockAhead(SystemClock):
    def __init__(self, by):
        self.by = by

    def monotonic(self):
        return super().monotonic() + self.by


@pytest.mark.usefixtures("short_window")
async def test_a_slot_is_free_after_an_answer_at_once_if_nothing_was_sent_and_late_if_the_answer_was_lost(redis_server):
    async with workers(redis_server) as (one, other):
        async with one.slot(PREVIEW):
            pass  # given up before sending
        for _ in range(10):
            async with one.slot(PREVIEW) as slot:
                await slot.sending(30)
                slot.not_sent()
            await one._slots[PREVIEW].wait_until_freed()
        for _ in range(4):
            async with one.slot(PREVIEW) as slot:
                await slot.sending(30)  # and no response
        started = CLOCK.monotonic()
        async with other.slot(PREVIEW) as slot:
            await slot.sending(30)
            slot.answered()
        assert await has_slot(one, within=60)
        assert CLOCK.monotonic() - started >= WINDOW_HERE + 0.002
        assert not await has_slot(one)


@pytest.mark.usefixtures("short_window")
async def test_a_flushed_redis_counts_all_slots_as_busy_for_a_timeout_and_the_window(redis_server):
    async with workers(redis_server, timeout=0.1) as (one, other):
        assert await has_slot(one)
        redis_server.ask("FLUSHALL")
        started = CLOCK.monotonic()
        assert await has_slot(other, within=60)
        assert CLOCK.monotonic() - started >= 0.1 + WINDOW_HERE + 0.002


@pytest.mark.usefixtures("short_window")
async def test_without_redis_nothing_is_sent_until_redis_answers_again(caplog):
    caplog.set_level(logging.INFO, "sevendigital_async")
    server = RedisServer()
    limits = limits_of(server.url.replace("//", "//user:hush@"), timeout=0.05)
    try:
        server.stop()
        waiting = asyncio.create_task(has_slot(limits, within=20))
        await asyncio.sleep(0.3)
        assert not waiting.done()
        server.start()
        server.ask("ACL", "SETUSER", "user", "on", ">hush", "allkeys", "allcommands")
        assert await waiting
        assert [record.levelname for record in caplog.records if record.levelname != "WARNING"] == ["ERROR", "INFO"]
        server.stop()
        async with asyncio.timeout(60):
            assert await limits.pause_left() == 0.0
        assert "hush" not in caplog.text + repr(limits._connection)
    finally:
        server.close()
        await limits.aclose()


@pytest.mark.usefixtures("short_window")
async def test_a_restarted_redis_may_have_forgotten_what_was_sent_a_moment_ago():
    server = RedisServer("--save", "", "--appendonly", "yes", "--appendfsync", "always")
    try:
        async with workers(server, timeout=0.05) as (one, other):
            assert await has_slot(one)
            server.stop()
            server.start()
            assert server.ask("EXISTS", SLOTS) == ":1"
            assert not await has_slot(other, within=WINDOW_HERE)
            assert await has_slot(other, within=60)
    finally:
        server.close()


async def test_a_pause_of_one_worker_holds_for_all_of_them(redis_server):
    async with workers(redis_server, max_wait=5.0) as (one, other):
        one.pause(PREVIEW, 0.4)
        one.pause(PREVIEW, 0.1)  # never shortens
        await asyncio.sleep(0.05)
        started = CLOCK.monotonic()
        assert not await has_slot(other)
        assert await has_slot(other, within=60)
        assert CLOCK.monotonic() - started > 0.3
        one.pause(None, 60.0)
        await asyncio.sleep(0.05)
        with pytest.raises(RateLimitError, match="another process"):
            await has_slot(other)
        assert 55 < await other.pause_left() <= 60


async def test_two_clients_share_the_limit_and_the_quota(redis_server, sevendigital_sandbox):
    sandbox = sevendigital_sandbox
    key, secret = sandbox.credentials.consumer_key, sandbox.credentials.consumer_secret
    redis_server.ask("EVAL", SEED, "0", key)
    logs = [{"trackId": "1", "timestamp": datetime.now(UTC).isoformat()}]
    async with (
        SevenDigital(key, secret, base_url=sandbox.base_url, limits=redis_server.url) as one,
        SevenDigital(key, secret, base_url=sandbox.base_url, limits=redis_server.url) as other,
    ):
        await asyncio.gather(*(client.call(REPORT_PREVIEW_STREAM, logs=logs) for client in [one, other] * 6))
    assert sandbox.stats()["kinds"]["preview"]["accepted_requests"] == 12
    assert sandbox.stats()["kinds"]["preview"]["rate_limited"] == 0


SEED = """
local base = 'sevendigital:{' .. ARGV[1] .. '}:'
for i = 1, 5 do redis.call('ZADD', base .. 'slots:preview_logs', 0, 'seed' .. i) end
redis.call('SET', base .. 'server:preview_logs', string.match(redis.call('INFO', 'server'), 'run_id:(%x+)'))
return 1
"""


@pytest.mark.parametrize("url", ["http://x:hush@y", "redis://", "redis://u:hush@h:port/0", "redis://:hush@h/?prefix={"])
def test_an_unusable_url_is_not_quoted(url):
    with pytest.raises(ConfigurationError) as caught:
        RedisConnection(url)
    assert "hush" not in str(caught.value)


def test_the_environment_may_name_the_redis_of_the_rate_limit():
    environ = {"SEVENDIGITAL_CONSUMER_KEY": "key", "SEVENDIGITAL_CONSUMER_SECRET": "secret"}
    with pytest.raises(ConfigurationError, match="redis://"):
        SevenDigital.from_env({**environ, "SEVENDIGITAL_LIMITS": "localhost"})


async def test_a_cancellation_is_never_swallowed(redis_server):
    connection = RedisConnection(redis_server.url)

    async def ping():
        while True:
            await connection.read("PING")

    await connection.read("PING")
    for yields in range(200):
        task = asyncio.create_task(ping())
        for _ in range(yields % 40):
            await asyncio.sleep(0)
        task.cancel()
        done, _ = await asyncio.wait([task], timeout=1)
        assert done
    await connection.aclose()


@pytest.mark.usefixtures("short_window")
async def test_a_clock_that_went_back_blocks_a_slot_no_longer_than_a_request_may_take(redis_server):
    async with workers(redis_server, timeout=0.2) as (one, _):
        redis_server.ask(
            "EVAL", FREE_ALL.replace("0, m)", "redis.call('TIME')[1] * 1000000 + 3600000000, m)"), "1", SLOTS
        )
        assert not await has_slot(one)  # another process may have sent just before
        assert await has_slot(one, within=60)


SET_FORWARD = """
for _, slot in ipairs(redis.call('ZRANGE', KEYS[1], 0, -1)) do redis.call('ZINCRBY', KEYS[1], -ARGV[1], slot) end
return 1
"""


def set_forward(server, seconds):
    """Do what a clock of the server that is set forward does: all times are nearer."""
    assert server.ask("EVAL", SET_FORWARD, "1", SLOTS, str(round(seconds * 1_000_000))) == ":1"


@pytest.mark.usefixtures("short_window")
@pytest.mark.parametrize("seconds", [1.1, 5.0])
@pytest.mark.parametrize("longest", [0.5, 30.0])
async def test_a_clock_that_is_set_forward_frees_no_slot_too_early(redis_server, seconds, longest):
    arrivals = []
    async with workers(redis_server, 3, timeout=longest) as several:

        async def request(limits):
            async with limits.slot(PREVIEW) as slot:
                await slot.sending(longest)
                arrivals.append(CLOCK.monotonic())
                await asyncio.sleep(0.01)
                slot.answered()

        first = [asyncio.create_task(request(several[0])) for _ in range(5)]
        await asyncio.wait(first)
        set_forward(redis_server, seconds)
        newcomer = limits_of(redis_server.url, timeout=longest)  # has not seen the clock before
        await asyncio.gather(*(request(limits) for limits in (several[1], several[2], newcomer) for _ in range(2)))
        await newcomer.aclose()
    arrivals.sort()
    assert all(later - first >= WINDOW_HERE for first, later in zip(arrivals, arrivals[5:], strict=False))
    assert arrivals[-1] - arrivals[0] < 4 * WINDOW_HERE + 1


async def test_a_clock_that_is_set_forward_shortens_no_pause(redis_server):
    async with workers(redis_server, max_wait=5.0) as (one, other):
        one.pause(PREVIEW, 1.0)
        await asyncio.sleep(0.05)
        started = CLOCK.monotonic()
        assert not await has_slot(other)
        redis_server.ask("DEL", "sevendigital:{key}:not-before:preview_logs")  # as after a step of more than a second
        assert await has_slot(other, within=60)
        assert await has_slot(one, within=60)
        assert CLOCK.monotonic() - started > 0.9


async def test_a_slot_of_a_process_that_ends_is_not_free_before_its_time(redis_server):
    async with workers(redis_server) as (one, other):
        for _ in range(5):
            async with one.slot(PREVIEW) as slot:
                await slot.sending(30)
                slot.answered()
        await one.aclose()
        set_forward(redis_server, 5.0)
        assert not await has_slot(other, within=0.8)
