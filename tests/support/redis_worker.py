"""A worker process of tests: puts plays into a spool, and ships what it finds there until told to end.

The limits are shared through Redis; so is the spool, unless the order names a file.
"""

import asyncio
import itertools
import os
import signal
import sys
from datetime import UTC, datetime

import orjson

from sevendigital_async import LogKind, SevenDigital, StreamLog, StreamLogShipper, Timeout, failpoints
from sevendigital_async.shipping.spools.redis import RedisSpool
from sevendigital_async.shipping.spools.sqlite import SqliteSpool


def die_at(point, times):
    """Make this process die, as if it were killed, when it gets to a point for so many times."""
    left = itertools.count(times - 1, -1)

    def on_hit(name):
        if name == point and next(left) <= 0:
            os.kill(os.getpid(), signal.SIGKILL)

    failpoints.on_hit = on_hit


async def work(order):
    if order.get("die_at"):
        die_at(*order["die_at"])
    file = order.get("file")
    spool = SqliteSpool(file) if file else RedisSpool(order["redis"], lease_seconds=order["lease_seconds"])
    timeout = Timeout(total=order["timeout"])
    now = datetime.now(UTC)
    async with (
        SevenDigital("key", "secret", base_url=order["service"], limits=order["redis"], timeout=timeout) as client,
        StreamLogShipper(
            client,
            spool=spool,
            lanes={LogKind.PREVIEW: {"max_count": order["batch"], "linger": 0.2}},
            in_doubt=order["in_doubt"],
        ) as shipper,
    ):
        for first in range(0, order["plays"], order.get("at_once", 50)):
            numbers = range(first, min(first + order.get("at_once", 50), order["plays"]))
            await shipper.put_many(
                LogKind.PREVIEW, [StreamLog(f"{order['name']}-{number}", now, country="GB") for number in numbers]
            )
            print(numbers.stop, flush=True)
        await asyncio.get_running_loop().run_in_executor(None, sys.stdin.readline)


if __name__ == "__main__":
    asyncio.run(work(orjson.loads(sys.argv[1])))
