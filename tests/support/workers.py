"""Several worker processes on one Redis and one sandbox, and where their plays are at the end."""

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
from support.redis_worker import open_shipper


def unmeasured():
    """Return the environment without what starts coverage in other processes, where it would only take time."""
    return {name: value for name, value in os.environ.items() if not name.startswith("COVERAGE_")}


SCRIPT = Path(__file__).with_name("redis_worker.py")

FREE_SLOTS = """
local base = 'sevendigital:{key}:'
for i = 1, 5 do redis.call('ZADD', base .. 'slots:preview_logs', 0, 'seed' .. i) end
redis.call('SET', base .. 'server:preview_logs', string.match(redis.call('INFO', 'server'), 'run_id:(%x+)'))
return 1
"""
"""As if the account had been in use for a while: otherwise all slots are busy for the time of a request."""


class Worker:
    """One process.

    Attributes:
        put: How many plays its puts have accepted.
    """

    def __init__(self, process, options):
        self.process = process
        self.options = options
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
async def start_workers(number, *, each=(), **options):
    """Start so many workers, some with options of their own; all of them are killed at the end."""
    path = os.pathsep.join([str(Path(sevendigital_async.__file__).parent.parent), str(SCRIPT.parent.parent)])
    workers = []
    try:
        for index in range(number):
            its_options = {"name": f"w{index}", **options, **(each[index] if index < len(each) else {})}
            process = await asyncio.create_subprocess_exec(
                sys.executable,
                "-W",
                "error",
                str(SCRIPT),
                orjson.dumps(its_options).decode(),
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
                env={**unmeasured(), "PYTHONPATH": path},
            )
            workers.append(Worker(process, its_options))
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
    """What the sandbox has received, and what the journals of all spools say."""

    def __init__(self, sandbox, *spools):
        self.sandbox = sandbox
        self.spools = spools

    @asynccontextmanager
    async def inspectors(self):
        inspectors = [open_inspector(spool) for spool in self.spools]
        try:
            yield inspectors
        finally:
            for inspector in inspectors:
                await inspector.aclose()

    async def counts(self):
        async with self.inspectors() as inspectors:
            counts = [(await inspector.status()).counts[LogKind.PREVIEW] for inspector in inspectors]
        return Counts(*(sum(numbers) for numbers in zip(*map(astuple, counts), strict=True)))

    async def in_doubt(self):
        async with self.inspectors() as inspectors:
            entries = [entry for inspector in inspectors async for entry in inspector.journal()]
        return {entry.log.track_id for entry in entries if entry.outcome is JournalOutcome.IN_DOUBT}

    async def dead_letters(self):
        async with self.inspectors() as inspectors:
            return {letter.log.track_id for inspector in inspectors async for letter in inspector.dead_letters()}

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


async def die_at_each_of(points, server, policy):
    """Put plays, one of them bad, in a worker for each failpoint, which dies there; then ship the rest here."""
    server.ask("EVAL", FREE_SLOTS, "0")
    bad = {f"w{number}-0" for number in range(len(points))}
    deaths = [{"die_at": [point, 1 + number % 2]} for number, point in enumerate(points)]
    faults = Faults.parse([f"poison:{track}" for track in bad])
    async with Sandbox(credentials=Credentials("key", "secret"), faults=faults) as sandbox:
        account = Account(sandbox, server.url)
        options = {"redis": server.url, "service": sandbox.base_url, "lease_seconds": 1.0, "timeout": 1.0}
        options |= {"in_doubt": policy, "clock_step": 0.0}
        async with start_workers(len(points), each=deaths, **options, plays=20, at_once=4, batch=8) as dying:
            async with asyncio.timeout(60):
                await asyncio.gather(*(worker.process.wait() for worker in dying))
            accepted = {f"w{name}-{number}" for name, worker in enumerate(dying) for number in range(worker.put)}
        async with open_shipper({**options, "batch": 50}):
            counts = await account.settled(within=30)
        received, in_doubt, dead = account.received(), await account.in_doubt(), await account.dead_letters()
        assert accepted <= set(received) | dead
        assert not set(received) & bad
        doubles = {track for track, times in received.items() if times > 1}
        assert doubles <= (in_doubt if policy == "resend" else set())
        assert counts.put == counts.delivered + counts.buried + counts.held
        assert counts.buried + counts.held == len(dead)
        assert account.busiest_second() <= 5
