"""Several worker processes on one Redis and one sandbox, and what became of their plays."""

import asyncio
import os
import signal
import sys
from collections import Counter
from contextlib import asynccontextmanager
from pathlib import Path

import orjson
from attrs import astuple

import sevendigital_async
from sevendigital_async import Credentials, LogKind
from sevendigital_async.sandbox import Faults, Sandbox
from sevendigital_async.shipping.records import Counts
from sevendigital_async.shipping.spools.inspector import JournalOutcome
from sevendigital_async.shipping.spools.registry import open_inspector


def unmeasured():
    """Return the environment without what lets coverage into another process, where it would only take time."""
    return {name: value for name, value in os.environ.items() if not name.startswith("COVERAGE_")}


SCRIPT = Path(__file__).with_name("redis_worker.py")

FREE_SLOTS = """
local base = 'sevendigital:{key}:'
for i = 1, 5 do redis.call('ZADD', base .. 'slots:preview_logs', 0, 'seed' .. i) end
redis.call('SET', base .. 'server:preview_logs', string.match(redis.call('INFO', 'server'), 'run_id:(%x+)'))
return 1
"""
"""As if the account had been in use for a while, so that nobody has to wait for what others may have sent."""


class Worker:
    """One process; ``put`` says how many plays it has been promised to keep."""

    def __init__(self, process, order):
        self.process = process
        self.order = order
        self.put = 0
        self.reading = asyncio.create_task(self.read())

    async def read(self):
        async for line in self.process.stdout:
            self.put = int(line)

    def signal(self, number):
        self.process.send_signal(number)

    async def end(self):
        if self.process.returncode is None:
            self.process.stdin.write(b"\n")
            await self.process.wait()
        await self.reading


@asynccontextmanager
async def crew(number, *, each=(), **order):
    """Start so many workers, some with orders of their own; whatever happens, none is left behind."""
    path = os.pathsep.join([str(Path(sevendigital_async.__file__).parent.parent), str(SCRIPT.parent.parent)])
    workers = []
    try:
        for index in range(number):
            its = {"name": f"w{index}", **order, **(each[index] if index < len(each) else {})}
            process = await asyncio.create_subprocess_exec(
                sys.executable,
                "-W",
                "error",
                str(SCRIPT),
                orjson.dumps(its).decode(),
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
                env={**unmeasured(), "PYTHONPATH": path},
            )
            workers.append(Worker(process, its))
        yield workers
    finally:
        for worker in workers:
            if worker.process.returncode is None:
                worker.signal(signal.SIGCONT)
                worker.signal(signal.SIGKILL)
            await worker.process.wait()
            await worker.reading
            worker.process._transport.close()


class Account:
    """What the sandbox received, beside what the journals of all spools say."""

    def __init__(self, sandbox, *places):
        self.sandbox = sandbox
        self.places = places

    @asynccontextmanager
    async def archives(self):
        archives = [open_inspector(place) for place in self.places]
        try:
            yield archives
        finally:
            for archive in archives:
                await archive.aclose()

    async def counts(self):
        async with self.archives() as archives:
            counts = [(await archive.status()).counts[LogKind.PREVIEW] for archive in archives]
        return Counts(*(sum(numbers) for numbers in zip(*map(astuple, counts), strict=True)))

    async def in_doubt(self):
        async with self.archives() as archives:
            entries = [entry for archive in archives async for entry in archive.journal()]
        return {entry.log.track_id for entry in entries if entry.outcome is JournalOutcome.IN_DOUBT}

    async def set_aside(self):
        async with self.archives() as archives:
            return {letter.log.track_id for archive in archives async for letter in archive.dead_letters()}

    def received(self):
        return Counter(log.log["trackId"] for log in self.sandbox.received(LogKind.PREVIEW))

    def arrivals(self):
        return sorted(request["arrived_monotonic"] for request in self.sandbox.requests(LogKind.PREVIEW))

    def busiest_second(self):
        arrivals, busiest, first = self.arrivals(), 0, 0
        for last, at in enumerate(arrivals):
            while at - arrivals[first] >= 1:
                first += 1
            busiest = max(busiest, last - first + 1)
        return busiest

    async def settled(self, within):
        async with asyncio.timeout(within):
            while (counts := await self.counts()).waiting + counts.in_flight or not counts.put:
                await asyncio.sleep(0.1)
        return counts


async def die_at_each_of(points, server, fate):
    """A worker for each point puts plays, one of them bad, and dies there; then one comes and ships what they left."""
    server.ask("EVAL", FREE_SLOTS, "0")
    bad = {f"w{number}-0" for number in range(len(points))}
    deaths = [{"die_at": [point, 1 + number % 2]} for number, point in enumerate(points)]
    faults = Faults.parse([f"poison:{track}" for track in bad])
    async with Sandbox(credentials=Credentials("key", "secret"), faults=faults) as sandbox:
        account = Account(sandbox, server.url)
        order = {"redis": server.url, "service": sandbox.base_url, "lease_seconds": 1.0, "timeout": 1.0}
        async with crew(len(points), each=deaths, **order, plays=20, at_once=4, batch=8, in_doubt=fate) as mortals:
            async with asyncio.timeout(60):
                await asyncio.gather(*(mortal.process.wait() for mortal in mortals))
            promised = {f"w{name}-{number}" for name, mortal in enumerate(mortals) for number in range(mortal.put)}
        async with crew(1, **order, each=[{"name": "heir"}], plays=1, batch=50, in_doubt=fate) as [heir]:
            counts = await account.settled(within=30)
            await heir.end()
        received, in_doubt, aside = account.received(), await account.in_doubt(), await account.set_aside()
        assert promised <= set(received) | aside
        assert not set(received) & bad
        doubles = {track for track, times in received.items() if times > 1}
        assert doubles <= (in_doubt if fate == "resend" else set())
        assert counts.put == counts.delivered + counts.buried + counts.held
        assert counts.buried + counts.held == len(aside)
        assert account.busiest_second() <= 5
