"""A worker process of tests: puts plays into a spool, and ships what is there until a line arrives on its stdin.

The rate limit is shared through Redis; so is the spool, unless the options name a file.
"""

import asyncio
import itertools
import os
import signal
import sys
from contextlib import asynccontextmanager
from datetime import UTC, datetime

import orjson

from sevendigital_async import LogKind, SevenDigital, StreamLog, StreamLogShipper, Timeout, failpoints
from sevendigital_async.session import redis_rate_limiter
from sevendigital_async.shipping.spools.redis import RedisSpool
from sevendigital_async.shipping.spools.sqlite import SqliteSpool


def die_at(point, times):
    """Kill this process when it hits a failpoint for so many times."""
    left = itertools.count(times - 1, -1)

    def on_hit(name):
        if name == point and next(left) <= 0:
            os.kill(os.getpid(), signal.SIGKILL)

    failpoints.on_hit = on_hit


@asynccontextmanager
async def open_shipper(options):
    file = options.get("file")
    spool = SqliteSpool(file) if file else RedisSpool(options["redis"], lease_seconds=options["lease_seconds"])
    timeout = Timeout(total=options["timeout"])
    lanes = {LogKind.PREVIEW: {"max_count": options["batch"], "linger": 0.2}}
    async with (
        SevenDigital("key", "secret", base_url=options["service"], limits=options["redis"], timeout=timeout) as client,
        StreamLogShipper(client, spool=spool, lanes=lanes, in_doubt=options["in_doubt"]) as shipper,
    ):
        yield shipper


async def work(options):
    if options.get("die_at"):
        die_at(*options["die_at"])
    # A reserve for a server clock that is set forward, which no test does here: slots of dead workers are free sooner.
    redis_rate_limiter.MAX_CLOCK_STEP = options.get("clock_step", redis_rate_limiter.MAX_CLOCK_STEP)
    now = datetime.now(UTC)
    async with open_shipper(options) as shipper:
        for first in range(0, options["plays"], options.get("at_once", 50)):
            numbers = range(first, min(first + options.get("at_once", 50), options["plays"]))
            await shipper.put_many(
                LogKind.PREVIEW, [StreamLog(f"{options['name']}-{number}", now, country="GB") for number in numbers]
            )
            print(numbers.stop, flush=True)
        await asyncio.get_running_loop().run_in_executor(None, sys.stdin.readline)


if __name__ == "__main__":
    asyncio.run(work(orjson.loads(sys.argv[1])))
