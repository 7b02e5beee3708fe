"""A worker process of tests: puts plays into the shared spool, and ships what it finds there until told to end."""

import asyncio
import sys
from datetime import UTC, datetime

import orjson

from sevendigital_async import LogKind, SevenDigital, StreamLog, StreamLogShipper, Timeout
from sevendigital_async.shipping.redis import RedisSpool


async def work(order):
    spool = RedisSpool(order["redis"], lease_seconds=order["lease_seconds"])
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
        for first in range(0, order["plays"], 50):
            numbers = range(first, min(first + 50, order["plays"]))
            await shipper.put_many(
                LogKind.PREVIEW, [StreamLog(f"{order['name']}-{number}", now, country="GB") for number in numbers]
            )
            print(numbers.stop, flush=True)
        await asyncio.get_running_loop().run_in_executor(None, sys.stdin.readline)


if __name__ == "__main__":
    asyncio.run(work(orjson.loads(sys.argv[1])))
