"""The machine's clock jumps an hour or a day, forward and back, while plays are shipped and between runs."""

import asyncio
from datetime import UTC, datetime, timedelta

import pytest
from attrs import evolve
from support.cli_process import KEY, SECRET, as_counted, open_sandbox, plays, received
from support.redis_server import NOT_INSTALLED, PROGRAM, shared_server

from sevendigital_async import LogKind, MemorySpool, SevenDigital, StreamLogShipper
from sevendigital_async.clock import SystemClock
from sevendigital_async.shipping.records import Record
from sevendigital_async.shipping.rules import lane_rules
from sevendigital_async.shipping.spools.base import SpoolContext
from sevendigital_async.shipping.spools.inspector import JournalOutcome
from sevendigital_async.shipping.spools.redis import RedisSpool
from sevendigital_async.shipping.spools.registry import open_inspector
from sevendigital_async.shipping.spools.sqlite import SqliteSpool

HOUR, DAY = 3600.0, 86_400.0
JUMPS = (HOUR, -HOUR, DAY, -DAY, 0.0)
KIND = LogKind.CATALOGUE


class JumpyClock(SystemClock):
    """A wall clock that can be set; the monotonic clock is not affected."""

    def __init__(self, ahead=0.0):
        self.ahead = ahead

    def time(self):
        return super().time() + self.ahead


@pytest.fixture
def clock():
    return JumpyClock()


@pytest.fixture(params=["memory", "sqlite", "redis"])
def spool(request, tmp_path, clock):
    if request.param == "memory":
        return MemorySpool
    if request.param == "sqlite":
        return lambda: SqliteSpool(tmp_path / "plays.db")
    if PROGRAM is None:
        pytest.skip(NOT_INSTALLED)
    shared_server().ask("FLUSHALL")
    return lambda: RedisSpool(shared_server().url, offset=lambda: clock.ahead)


def old_plays(number):
    """Make plays that are neither too old nor in the future, however the clock jumps."""
    return [evolve(log, timestamp=log.timestamp - timedelta(days=2)) for log in plays(number, users=7)]


def shipping(base_url, clock, spool, **options):
    client = SevenDigital(KEY, SECRET, base_url=base_url, clock=clock)
    return client, StreamLogShipper(client, spool=spool, clock=clock, lanes={KIND: {"linger": 0.05}}, **options)


async def test_a_clock_jump_while_plays_are_shipped_stops_and_doubles_nothing(spool, clock):
    logs = old_plays(300)
    async with open_sandbox(latency="5ms-30ms") as sandbox:
        client, shipper = shipping(sandbox.base_url, clock, spool())
        async with client, shipper, asyncio.timeout(60):
            for number, jump in enumerate(JUMPS):
                clock.ahead = jump
                for start in range(number * 60, number * 60 + 60, 20):
                    await shipper.put_many(KIND, logs[start : start + 20])
                    await asyncio.sleep(0.01)
            statistics = await shipper.flush(50)
        assert received(sandbox) == as_counted(logs)
    assert (statistics.put, statistics.delivered, statistics.in_doubt, statistics.buried) == (300, 300, 0, 0)


@pytest.mark.parametrize("spool", ["sqlite", "redis"], indirect=True)
async def test_a_clock_jump_between_runs_delays_and_loses_nothing(spool, clock, tmp_path, unused_tcp_port):
    logs = old_plays(100)
    for number, jump in enumerate(JUMPS):
        clock.ahead = jump
        client, shipper = shipping(f"http://127.0.0.1:{unused_tcp_port}", clock, spool(), close_timeout=0.0)
        async with client, shipper:
            await shipper.put_many(KIND, logs[number * 20 : number * 20 + 20])
    clock.ahead = -DAY
    kept = spool()
    async with open_sandbox() as sandbox:
        client, shipper = shipping(sandbox.base_url, clock, kept)
        async with client, shipper, asyncio.timeout(60):
            statistics = await shipper.flush(50)
        assert received(sandbox) == as_counted(logs)
    assert (statistics.put, statistics.delivered) == (100, 100)
    inspector = open_inspector(shared_server().url if isinstance(kept, RedisSpool) else tmp_path / "plays.db")
    try:
        assert sum([entry.outcome is JournalOutcome.DELIVERED async for entry in inspector.journal()]) == 100
    finally:
        await inspector.aclose()


async def test_queues_in_redis_rest_no_longer_if_its_clock_goes_back(redis_server, clock):
    spool = RedisSpool(redis_server.url, offset=lambda: clock.ahead)
    await spool.open(SpoolContext(lane_rules(), clock, lambda _: None))
    for queue in ("", "ann"):
        await spool.append(KIND, [Record(b"{}", queue, datetime.now(UTC))])
        lease = await spool.lease(KIND, flush=True)
        await spool.release(lease, lease.records, delay=0.2)
    for clock.ahead in (-HOUR, DAY, -DAY):
        assert await spool.due_in(KIND, flush=True) < 2
    await asyncio.sleep(0.3)
    assert {(await spool.lease(KIND, flush=True)).queue for _ in range(2)} == {"", "ann"}
    await spool.aclose()
