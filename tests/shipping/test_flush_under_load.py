"""A flush ends when the plays put before it are settled, however many are put while it waits."""

import asyncio
import re
from contextlib import asynccontextmanager, suppress
from datetime import UTC, datetime

import pytest
from support.rawserver import answer, raw_server
from support.service import Service

from sevendigital_async import (
    APIError,
    AuthenticationError,
    Checkpoint,
    DisconnectedError,
    LogKind,
    MemorySpool,
    SevenDigital,
    SpoolUnavailableError,
    StreamLog,
    StreamLogShipper,
)
from sevendigital_async.clock import SystemClock
from sevendigital_async.shipping import flush
from sevendigital_async.shipping.spools.redis import RedisSpool
from sevendigital_async.shipping.spools.sqlite import SqliteSpool

KIND = LogKind.SUBSCRIBER
CLOCK = SystemClock()


@pytest.fixture(params=["memory", "file", "redis"])
def spool(request, tmp_path):
    if request.param == "memory":
        return MemorySpool()
    if request.param == "file":
        return SqliteSpool(tmp_path / "plays.db")
    return RedisSpool(request.getfixturevalue("redis_server").url)


def play(track, user="7", **fields):
    return StreamLog(track, datetime.now(UTC), user_id=user, country="GB", **fields)


@asynccontextmanager
async def stream(shipper, users=("x", "y", "z"), kind=KIND, pause=0.0005):
    """Put plays of other users without end, and at once, for as long as the block lasts."""
    number = 0

    async def produce():
        nonlocal number
        while True:
            for user in users:
                await shipper.put(kind, play(f"later{number}", user))
                number += 1
            await asyncio.sleep(pause)

    task = asyncio.create_task(produce())
    while number < 50:
        await asyncio.sleep(0.001)
    try:
        yield lambda: number
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


def shipper_of(service, spool, **options):
    options.setdefault("user_tokens", {})
    return StreamLogShipper(service, spool=spool, close_timeout=5.0, **options)


async def flushed(shipper):
    async with asyncio.timeout(60):
        return await shipper.flush()


@pytest.mark.parametrize("users", [1, 30])
async def test_a_flush_ends_while_a_producer_never_does(spool, users):
    service = Service(CLOCK, latency=0.005)
    async with shipper_of(service, spool) as shipper, stream(shipper) as number:
        for number_of_flush in range(3):
            before = [f"round{number_of_flush}play{index}" for index in range(90)]
            await shipper.put_many(KIND, [play(name, f"u{index % users}") for index, name in enumerate(before)])
            put, later = (await shipper.statistics()).put, number()
            statistics = await flushed(shipper)
            assert {service.saved[KIND, name] for name in before} == {1}
            assert statistics.delivered >= put
            assert all(service.saved[KIND, f"later{index}"] == 1 for index in range(later))
            await asyncio.sleep(0.05)
            assert number() > later  # it did not stop meanwhile


async def test_a_flush_waits_for_plays_of_put_nowait(spool):
    service = Service(CLOCK, latency=0.005)
    async with shipper_of(service, spool) as shipper, stream(shipper):
        for index in range(50):
            shipper.put_nowait(KIND, play(f"now{index}"))
        await flushed(shipper)
        assert {service.saved[KIND, f"now{index}"] for index in range(50)} == {1}


async def test_the_server_has_it_when_a_flush_returns(spool):
    arrived = set()

    async def server(_reader, writer, request):
        arrived.update(re.findall(rb'"trackId":"(\w+)"', request))
        writer.write(answer("", "202 Accepted", Connection="close"))
        await writer.drain()

    async with (
        raw_server(server) as raw,
        SevenDigital("key", "secret", base_url=raw.base_url) as client,
        shipper_of(client, spool) as shipper,
        stream(shipper, pause=0.005),
    ):
        for kind in LogKind:
            await shipper.put_many(kind, [play(f"{kind.value}{index}") for index in range(60)])
        assert (await flushed(shipper)).flushed
        assert {f"{kind.value}{index}".encode() for kind in LogKind for index in range(60)} <= arrived


async def test_a_flush_does_not_wait_for_buried_and_held_plays(spool):
    def behave(post):
        if any(track.startswith("bad") for track in post.tracks):
            raise APIError("no", code=1002, status=400)
        if any(track.startswith("lost") for track in post.tracks):
            raise DisconnectedError("gone")
        if any(track.startswith("twice") for track in post.tracks) and len(failed) < 2:
            failed.append(post)
            raise DisconnectedError("gone")

    failed = []
    service = Service(CLOCK, behave)
    async with shipper_of(service, spool, in_doubt="hold") as shipper, stream(shipper):
        await shipper.put_many(KIND, [play(f"bad{index}" if index % 7 == 0 else f"t{index}") for index in range(40)])
        await shipper.put_many(KIND, [play(f"lost{index}", "8") for index in range(20)])
        statistics = await flushed(shipper)
    assert (statistics.buried, statistics.held) == (6, 20)
    assert sum(service.saved[KIND, f"t{index}"] for index in range(40)) == 34


async def test_a_flush_does_not_wait_for_a_refused_user_while_others_are_delivered(spool, monkeypatch):
    monkeypatch.setattr(flush, "DELAYED_QUERY_INTERVAL", 0.2)

    def behave(post):
        if post.users & {"bad1", "bad2"}:
            raise AuthenticationError("no", status=401)

    service = Service(CLOCK, behave, latency=0.002)
    async with shipper_of(service, spool) as shipper, stream(shipper):
        for user in ("bad1", "bad2", "good"):
            await shipper.put_many(KIND, [play(f"{user}{index}", user) for index in range(50)])
        for _ in range(2):  # the second finds them delayed already
            statistics = await flushed(shipper)
            assert {service.saved[KIND, f"good{index}"] for index in range(50)} == {1}
            assert statistics.waiting >= 100
        await shipper.put(KIND, play("bad1x", "bad1"))
        await flushed(shipper)


async def test_concurrent_flushes_each_wait_for_the_plays_before_them(spool):
    breaker = asyncio.Event()

    async def wait(_):
        await breaker.wait()

    def behave(post):
        if "slow" in post.tracks:
            return wait(post)
        return None

    service = Service(CLOCK, behave)
    async with shipper_of(service, spool) as shipper, stream(shipper):
        await shipper.put(KIND, play("quick", "a"))
        await flushed(shipper)
        await shipper.put(KIND, play("slow", "b"))
        flushes = [asyncio.create_task(flushed(shipper)) for _ in range(3)]
        await asyncio.sleep(0.3)
        assert not any(flush.done() for flush in flushes)
        limited = await shipper.flush(0.2)
        assert not limited.settled
        breaker.set()
        await asyncio.gather(*flushes)
        assert service.saved[KIND, "slow"] == 1


async def test_a_flush_waits_for_the_hooks_of_its_plays_and_no_others(spool):
    heard, stuck, never, start = [], [], asyncio.Event(), 1e9

    async def hook(delivery):
        tracks = [StreamLog.decode(log).track_id for log in delivery.logs]
        if "before" in tracks:
            await asyncio.sleep(0.3)
            heard.append(delivery)
        elif not stuck and all(int(track.removeprefix("later")) > start for track in tracks):
            stuck.append(delivery)
            await never.wait()

    async with shipper_of(Service(CLOCK), spool, on_delivered=hook) as shipper, stream(shipper) as number:
        await shipper.put(KIND, play("before"))
        start = number()
        await flushed(shipper)
        assert (len(heard), len(stuck)) == (1, 1)
        never.set()


async def test_closing_delivers_what_was_accepted_while_it_began(spool):
    service = Service(CLOCK, latency=0.001)
    accepted = 0

    async def produce():
        nonlocal accepted
        while True:
            await shipper.put(KIND, play(f"p{accepted}", f"u{accepted % 3}"))
            accepted += 1

    async with shipper_of(service, spool) as shipper:
        tasks = [asyncio.create_task(produce())]
        await asyncio.sleep(0.2)
        statistics = await shipper.aclose(10)
    await asyncio.wait(tasks)
    assert statistics.settled
    assert statistics.delivered == statistics.put >= accepted > 0


async def test_a_flush_waits_for_leases_of_other_workers_and_not_for_their_later_plays(redis_server):
    slow, quick = Service(CLOCK, latency=0.4), Service(CLOCK)
    async with (
        shipper_of(slow, RedisSpool(redis_server.url)) as other,
        shipper_of(quick, RedisSpool(redis_server.url)) as ours,
    ):
        await other.put_many(KIND, [play(f"t{index}") for index in range(20)])
        while not (await ours.statistics()).in_flight:
            await asyncio.sleep(0.01)
        async with stream(other):
            await flushed(ours)
        done = slow.saved + quick.saved
        assert {done[KIND, f"t{index}"] for index in range(20)} == {1}


async def test_watermarks_leave_nothing_in_redis(redis_server):
    service = Service(CLOCK)
    async with shipper_of(service, RedisSpool(redis_server.url)) as shipper, stream(shipper):
        for _ in range(5):
            await flushed(shipper)
    assert redis_server.ask("HLEN", "sevendigital:{spool}:watermarks:subscriber") == ":0"


async def test_a_watermark_that_redis_has_lost_is_created_again(redis_server):
    service = Service(CLOCK, latency=0.2)
    async with shipper_of(service, RedisSpool(redis_server.url)) as shipper:
        await shipper.put(KIND, play("t"))
        flush = asyncio.create_task(flushed(shipper))
        key = "sevendigital:{spool}:watermarks:subscriber"
        while redis_server.ask("DEL", key) == ":0":
            await asyncio.sleep(0.002)
        await flush
        assert service.saved[KIND, "t"] == 1


async def test_a_flush_does_not_wait_for_puts_that_a_full_disk_delays(tmp_path):
    service, spool = Service(CLOCK), SqliteSpool(tmp_path / "plays.db")
    async with shipper_of(service, spool) as shipper:
        await shipper.put(KIND, play("written"))

        async def full(entries):
            raise SpoolUnavailableError("the disk is full")

        write, spool._appender.write = spool._appender.write, full
        waiting = asyncio.create_task(shipper.put(KIND, play("unwritten")))
        statistics = await flushed(shipper)
        assert service.saved == {(KIND, "written"): 1}
        assert statistics.settled
        spool._appender.write = write
        await waiting
        await flushed(shipper)
    assert service.saved[KIND, "unwritten"] == 1


async def test_a_flush_does_not_wait_for_a_checkpoint_without_plays(spool):
    async with shipper_of(Service(CLOCK), spool) as shipper:
        await shipper.put_many(KIND, [], checkpoint=Checkpoint("plays.jsonl", "1"))
        assert (await flushed(shipper)).flushed
