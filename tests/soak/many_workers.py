"""Four workers on one Redis for minutes: two are killed, one is stopped for a minute, answers stall now and then.

Once with a file for each, so that they share only the limits, once with a spool that they share, too. Prints the
figures, and fails if a promise is broken. Needs redis-server; run it with ``nox -s soak``.
"""

import argparse
import asyncio
import random
import signal
import sys
import time
from itertools import pairwise
from pathlib import Path

from attrs import Factory, frozen

sys.path.insert(0, str(Path(__file__).parent.parent))

from support.redis_server import RedisServer
from support.workers import FREE_SLOTS, Account, Worker, start_workers

from sevendigital_async import Credentials
from sevendigital_async.sandbox import Faults, Sandbox

LEAST_RATE = 4.2
MAX_PER_SECOND = 5


@frozen
class Stalls(Faults):
    """Answers take about 25 ms; one in fifty takes up to a second and a half."""

    arrived: asyncio.Event = Factory(asyncio.Event)

    async def next_request(self):
        """Wait until a request has arrived that is not answered yet: a bad time for a crash of its sender."""
        self.arrived.clear()
        await self.arrived.wait()

    def delay(self, random):
        self.arrived.set()
        return random.uniform(0.1, 1.5) if random.random() < 0.02 else random.uniform(0.02, 0.03)


async def soak(seed: int, stopped_for: float, *, shared: bool) -> bool:
    """Let four workers share the limits and, if ``shared``, the spool; if not, another takes over a dead one's file."""
    rng = random.Random(seed)
    server = RedisServer("--save", "", "--appendonly", "yes", "--appendfsync", "everysec")
    server.ask("EVAL", FREE_SLOTS, "0")
    plays = round((80 if shared else 150) * (stopped_for + 60))
    order = {"redis": server.url, "lease_seconds": 15.0, "timeout": 30.0, "batch": 60, "in_doubt": "resend"}
    stalls = Stalls(seed=seed)
    try:
        async with Sandbox(credentials=Credentials("key", "secret"), faults=stalls) as sandbox:
            order["service"] = sandbox.base_url
            files = [] if shared else [f"{server.directory.name}/w{number}.db" for number in range(4)]
            account = Account(sandbox, *(files or [server.url]))
            async with start_workers(4, each=[{"file": file} for file in files], plays=plays, **order) as workers:
                while min(worker.put for worker in workers) < plays or not account.arrivals():
                    await asyncio.sleep(0.05)
                frozen, *dead, last = rng.sample(workers, 4)
                await misfortune(rng, stalls, frozen, dead, stopped_for)
                left = [] if shared else [{"file": worker.options["file"]} for worker in dead]
                async with start_workers(len(left), each=left, plays=0, **order) as heirs:
                    counts = await account.settled(within=1200)
                    await asyncio.gather(*(worker.end() for worker in (frozen, last, *heirs)))
            print(f"{'one spool in Redis' if shared else 'a spool in a file for each'}; seed {seed}")
            return await report(account, counts, {f"w{w}-{n}" for w in range(4) for n in range(plays)})
    finally:
        server.close()


async def misfortune(
    rng: random.Random, stalls: Stalls, frozen: Worker, dead: list[Worker], stopped_for: float
) -> None:
    """Stop one for a while, kill another meanwhile and one more later."""
    first, second = dead
    await asyncio.sleep(rng.uniform(5, 10))
    await stalls.next_request()
    frozen.signal(signal.SIGSTOP)
    stopped_at = time.monotonic()
    await asyncio.sleep(rng.uniform(0, stopped_for / 2))
    await stalls.next_request()
    first.signal(signal.SIGKILL)
    await asyncio.sleep(stopped_for - (time.monotonic() - stopped_at))
    frozen.signal(signal.SIGCONT)
    await asyncio.sleep(rng.uniform(5, 10))
    await stalls.next_request()
    second.signal(signal.SIGKILL)
    await asyncio.gather(first.process.wait(), second.process.wait())


async def report(account: Account, counts, put) -> bool:
    received, in_doubt, arrivals = account.received(), await account.in_doubt(), account.arrivals()
    doubles = {track for track, times in received.items() if times > 1}
    rate = (len(arrivals) - 1) / (arrivals[-1] - arrivals[0])
    silence = max(later - at for at, later in pairwise(arrivals))
    print(f"requests {len(arrivals)} in {arrivals[-1] - arrivals[0]:.1f} s: {rate:.2f} a second")
    print(f"busiest second {account.busiest_second()}, longest silence {silence:.2f} s")
    print(f"plays {len(put)}, delivered {len(put & received.keys())}, missing {len(put - received.keys())}")
    print(f"reached the service twice {len(doubles)}, in doubt {len(in_doubt)}, {counts}")
    checks = {
        "every play arrived": put == set(received),
        "sums": counts.put == counts.delivered == len(put),
        "doubles are in doubt": doubles <= in_doubt,
        "limit": account.busiest_second() <= MAX_PER_SECOND,
        "rate": rate >= LEAST_RATE,
    }
    for check, kept in checks.items():
        print(f"{'ok    ' if kept else 'BROKEN'} {check}")
    return all(checks.values())


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--stopped-for", type=float, default=60.0, metavar="SECONDS")
    options = parser.parse_args()
    kept = [asyncio.run(soak(options.seed, options.stopped_for, shared=shared)) for shared in (False, True)]
    sys.exit(not all(kept))
