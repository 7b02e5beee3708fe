"""Puts that wait: a cancelled one is removed, the others return or raise; memory stays bounded."""

import asyncio
from contextlib import asynccontextmanager
from datetime import UTC, datetime

import pytest
from support.clock import VirtualClock
from support.redis_server import RedisServer

from sevendigital_async import LogKind, ShipperClosedError, SpoolCorruptionError, SpoolError, SpoolUnavailableError
from sevendigital_async.clock import SystemClock
from sevendigital_async.shipping.records import Record
from sevendigital_async.shipping.rules import lane_rules
from sevendigital_async.shipping.spools.base import SpoolContext
from sevendigital_async.shipping.spools.capacity import Capacity
from sevendigital_async.shipping.spools.redis import RedisSpool
from sevendigital_async.shipping.spools.sqlite import SqliteSpool
from sevendigital_async.shipping.spools.sqlite.writer import MAX_WEIGHT

KIND = LogKind.PREVIEW
NOW = datetime.now(UTC)


def records(number):
    return [Record(b"x" * 10, "", NOW) for _ in range(number)]


@asynccontextmanager
async def open_spool(spool, clock=None):
    await spool.open(SpoolContext(lane_rules(), clock or SystemClock(), lambda _: None))
    try:
        yield spool
    finally:
        await spool.aclose()


@pytest.fixture
def own_server(redis_server):
    server = RedisServer()
    yield server
    server.close()


async def come_and_go(put, times=50):
    """Call ``put`` and cancel it, many times."""
    for _ in range(times):
        task = asyncio.create_task(put())
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        task.cancel()
        await asyncio.wait([task])


async def test_a_put_cancelled_while_it_waits_for_capacity_is_removed_from_the_line():
    capacity = Capacity(logs=1, size=10)
    await capacity.reserve(1, 1)
    patient = asyncio.create_task(capacity.reserve(1, 1))
    await asyncio.sleep(0)
    await come_and_go(lambda: capacity.reserve(1, 1))
    assert len(capacity._waiting) == 1
    capacity.free(1, 1)
    await patient


async def test_a_put_cancelled_while_the_disk_is_full_is_removed_from_the_line(tmp_path, disk):
    clock = VirtualClock()
    async with open_spool(SqliteSpool(tmp_path / "plays.db"), clock) as spool:
        disk.error = "SQLITE_FULL"
        patient = asyncio.create_task(spool.append(KIND, records(MAX_WEIGHT)))
        while spool._group_commit.alert is None:
            await asyncio.sleep(0.01)
        await come_and_go(lambda: spool.append(KIND, records(1)))
        spool._group_commit._requeue()  # as after the next try
        assert len(spool._group_commit._queue) == 1
        disk.error = None
        await clock.run(patient)


async def test_a_put_cancelled_while_redis_is_away_is_removed_and_the_others_raise_at_the_end(own_server):
    async with open_spool(RedisSpool(own_server.url)) as spool:
        own_server.stop()
        under_way = asyncio.create_task(spool.append(KIND, records(1)))
        await asyncio.sleep(0.05)
        in_line = asyncio.create_task(spool.append(KIND, records(1)))
        await come_and_go(lambda: spool.append(KIND, records(1)))
        assert len(spool._writer._queue) == 1
        spool.refuse(ShipperClosedError("closed"))
    async with asyncio.timeout(60):
        with pytest.raises(SpoolUnavailableError, match="it may have"):
            await under_way
        with pytest.raises(ShipperClosedError):
            await in_line


async def test_puts_do_not_wait_for_a_writer_that_has_died(redis_server):
    async with open_spool(RedisSpool(redis_server.url)) as spool:
        redis_server.ask("SET", "sevendigital:{spool}:appends", "no hash")
        async with asyncio.timeout(60):
            for _ in range(2):
                with pytest.raises(SpoolError):
                    await spool.append(KIND, records(1))
        redis_server.ask("DEL", "sevendigital:{spool}:appends")


async def test_a_burst_of_puts_into_redis_costs_the_same_for_each(redis_server):
    """The plays to be written are counted, not iterated over."""
    async with open_spool(RedisSpool(redis_server.url)) as spool:
        for _ in range(100):
            spool.append_nowait(KIND, records(2))
        assert spool._writer._pending == (200, 2000)
        while spool._writer.unwritten_appends:
            await asyncio.sleep(0.01)
        assert spool._writer._pending == (0, 0)
        assert spool._writer.usage == (200, 2000)


async def test_an_error_that_is_raised_again_and_again_does_not_grow(tmp_path):
    def depth(error):
        trace, number = error.__traceback__, 0
        while trace is not None:
            trace, number = trace.tb_next, number + 1
        return number

    async with open_spool(SqliteSpool(tmp_path / "plays.db")) as spool:
        (tmp_path / "plays.db").rename(tmp_path / "moved.db")
        depths = set()
        for _ in range(10):
            with pytest.raises(SpoolCorruptionError) as raised:
                await spool.append(KIND, records(1))
            depths.add(depth(raised.value))
        assert len(depths) <= 2, depths
