"""A service that is unavailable for an hour while plays are put; with the session's limits."""

import asyncio
import gc
import logging
from datetime import UTC, datetime
from types import SimpleNamespace

import orjson
from support.clock import VirtualClock

from sevendigital_async import ConnectError, Credentials, LogKind, MemorySpool, Settings, StreamLog, StreamLogShipper
from sevendigital_async.session.core import Session
from sevendigital_async.session.play_logs import PlayLogTransport

UP_AT = 3600.0
MAX_LOGS = 4_000
BATCH = 100
PLAYS_A_SECOND = 400


class Wire:
    """A transport: no connection until the service is up, 25 ms for a response afterwards."""

    def __init__(self, clock):
        self.clock = clock
        self.arrivals = []
        self.tracks = []

    async def open(self, request, timeout):  # noqa: ASYNC109 - as in the real one
        if self.clock.monotonic() < UP_AT:
            raise ConnectError("no connection could be made")
        await self.clock.sleep(0.0125)
        self.arrivals.append(self.clock.monotonic())
        self.tracks += [log["trackId"] for log in orjson.loads(request.body)["logs"]]
        await self.clock.sleep(0.0125)
        return Accepted()

    async def aclose(self):
        """Nothing is open."""


class Accepted:
    status = 202
    headers = {}  # noqa: RUF012 - nobody changes it

    async def chunk(self):
        return b""

    def close(self):
        """Nothing is open."""


async def test_a_long_outage_costs_no_memory_and_ends_at_the_legal_rate(caplog):
    caplog.set_level(logging.CRITICAL, "sevendigital_async")  # pytest keeps lines, and objects are counted here
    clock, spool = VirtualClock(), MemorySpool(max_logs=MAX_LOGS)
    wire = Wire(clock)
    session = Session(Credentials("key", "secret"), Settings(), wire, clock=clock)
    accepted, samples = 0, []

    async def produce(shipper):
        nonlocal accepted
        for tenth in range(10**9):
            await clock.sleep(tenth / 10 - clock.monotonic())
            now = datetime.fromtimestamp(clock.time(), UTC)
            number = PLAYS_A_SECOND // 10
            await shipper.put_many(LogKind.PREVIEW, [StreamLog(str(accepted + index), now) for index in range(number)])
            accepted += number

    async def sample():
        while True:
            counts = await spool.counts(LogKind.PREVIEW)
            held = counts.waiting + counts.in_flight
            now = clock.monotonic()
            oldest_put_at = now - (await spool.oldest_age(LogKind.PREVIEW) or 0.0)
            samples.append((now, held, len(asyncio.all_tasks()), accepted, oldest_put_at))
            await clock.sleep(1)

    async def play():
        lanes = {LogKind.PREVIEW: {"max_count": BATCH}}
        client = SimpleNamespace(play_logs=PlayLogTransport(session))
        async with StreamLogShipper(client, spool=spool, clock=clock, close_timeout=30, lanes=lanes) as shipper:
            tasks = [asyncio.create_task(produce(shipper)), asyncio.create_task(sample())]
            sizes = []
            for minute in (2, 59):
                await clock.sleep(minute * 60 - clock.monotonic())
                gc.collect()
                sizes.append(len(gc.get_objects()))
            await clock.sleep(UP_AT + 45 - clock.monotonic())
            for task in tasks:
                task.cancel()
            await asyncio.wait(tasks)
            return sizes, await shipper.aclose()

    sizes, statistics = await clock.run(play())
    assert statistics.delivered == statistics.put >= accepted
    assert statistics.in_doubt == 0
    assert sorted(map(int, wire.tracks)) == list(range(statistics.put))

    assert max(held for _, held, *_ in samples) <= MAX_LOGS
    assert sizes[1] - sizes[0] < 10_000, "an hour of samples, and nothing else"
    tasks = [tasks for at, _, tasks, *_ in samples if at > 60]
    assert max(tasks) - min(tasks) <= 5

    assert wire.arrivals[0] < UP_AT + 10.1
    assert all(later - first > 1 for first, later in zip(wire.arrivals, wire.arrivals[5:], strict=False))
    busy = [at for at in wire.arrivals if at < UP_AT + 45]
    assert len(busy) >= 4.5 * (UP_AT + 45 - busy[0])

    rested = wire.arrivals[0] + 10  # whose last attempt has just failed, waits for that long
    back = [(newest, oldest) for at, *_, newest, oldest in samples if at > rested]
    assert len(back) > 20
    for (newest, oldest), (newer, later) in zip(back, back[2:], strict=False):  # five requests at once, every 1.03 s
        assert newer > newest
        assert later > oldest
