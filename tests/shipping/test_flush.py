"""Flushing and closing end when all plays are settled, and not before, whichever worker delivers them."""

import asyncio
from contextlib import suppress
from datetime import UTC, datetime

import pytest
from support.clock import VirtualClock
from support.service import Service

from sevendigital_async import LogKind, MemorySpool, StreamLog, StreamLogShipper
from sevendigital_async.clock import SystemClock
from sevendigital_async.shipping.spools.redis import RedisSpool
from sevendigital_async.shipping.spools.sqlite import SqliteSpool

KIND = LogKind.PREVIEW
PLAY = StreamLog("1", datetime.now(UTC))


class Far(MemorySpool):
    """Its answers take time, as those of a server do."""

    async def counts(self, kind):
        counts = await super().counts(kind)
        for _ in range(20):
            await asyncio.sleep(0)
        return counts


async def test_a_flush_waits_for_batches_leased_while_it_counts():
    clock = VirtualClock()

    async def play():
        log = StreamLog("1", datetime.fromtimestamp(clock.time(), UTC))
        async with StreamLogShipper(Service(clock, latency=2.0), spool=Far(), clock=clock) as shipper:
            await shipper.put(KIND, log)
            return await shipper.aclose(30)

    statistics = await clock.run(play())
    assert (statistics.delivered, statistics.in_doubt) == (1, 0)


async def test_plays_of_put_nowait_are_flushed(tmp_path):
    async with StreamLogShipper(Service(SystemClock()), spool=SqliteSpool(tmp_path / "plays.db")) as shipper:
        shipper.put_nowait(KIND, PLAY)
        assert (await shipper.flush(50)).delivered == 1
        shipper.put_nowait(KIND, PLAY)
    assert (await shipper.statistics()).delivered == 2


async def test_a_flush_notices_what_other_workers_deliver(redis_server):
    def worker(latency):
        return StreamLogShipper(Service(SystemClock(), latency=latency), spool=RedisSpool(redis_server.url))

    async with worker(0.5) as other, worker(0.0) as waiting:
        await other.put(KIND, PLAY)
        flushes = [asyncio.create_task(other.flush())]
        while not (await waiting.statistics()).in_flight:
            await asyncio.sleep(0.01)
        flushes.append(asyncio.create_task(waiting.flush()))
        async with asyncio.timeout(60):
            assert [statistics.settled for statistics in await asyncio.gather(*flushes)] == [True, True]


class Counting:
    """Metrics that only count."""

    def __init__(self):
        self.events = 0

    def record(self, event):
        self.events += 1


async def test_closing_twice_with_metrics_is_closing_once(tmp_path):
    metrics = Counting()
    spool = SqliteSpool(tmp_path / "plays.db")
    async with StreamLogShipper(Service(SystemClock()), spool=spool, metrics=metrics) as shipper:
        await shipper.put(KIND, PLAY)
        await shipper.aclose()
    assert metrics.events


async def test_starting_that_is_cancelled_leaves_nothing_running(redis_server):
    class Slow(RedisSpool):
        async def counts(self, kind):
            asked.set()
            return await super().counts(kind) if closing else await asyncio.Event().wait()

        async def aclose(self):
            nonlocal closing
            closing = True
            await super().aclose()

    asked, closing = asyncio.Event(), False
    before = asyncio.all_tasks()
    shipper = StreamLogShipper(Service(SystemClock()), spool=Slow(redis_server.url))
    starting = asyncio.create_task(shipper.__aenter__())
    await asked.wait()
    starting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await starting
    await asyncio.sleep(0)
    assert asyncio.all_tasks() <= before


async def test_closing_that_is_cancelled_still_closes_the_spool(tmp_path):
    for hops in (1, 2, 3, 4, 6, 8, 12, 16, 24):
        spool = SqliteSpool(tmp_path / f"{hops}.db")
        shipper = StreamLogShipper(Service(SystemClock(), latency=1e6), spool=spool, lanes={KIND: {"linger": 0.0}})
        await shipper.__aenter__()
        await shipper.put(KIND, PLAY)
        while not (await shipper.statistics()).requests:
            await asyncio.sleep(0.001)
        closing = asyncio.create_task(shipper.aclose(0.0))
        for _ in range(hops):
            await asyncio.sleep(0)
        closing.cancel()
        with suppress(asyncio.CancelledError):
            await closing
        assert not spool._opened
        await asyncio.to_thread(spool._writer._thread.join, 1)
        assert not spool._writer._thread.is_alive()
