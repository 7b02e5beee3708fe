"""A process that puts a play, then cancels a put that the disk can't force, and ends.

``python failing_sync_worker.py SPOOL kill|close``; it opens the file ``SPOOL.begun`` between the two puts.
"""

import asyncio
import os
import sys
from contextlib import suppress
from datetime import UTC, datetime

from sevendigital_async import LogKind
from sevendigital_async.clock import SystemClock
from sevendigital_async.shipping.records import Record
from sevendigital_async.shipping.rules import lane_rules
from sevendigital_async.shipping.spools.base import SpoolContext
from sevendigital_async.shipping.spools.sqlite import SqliteSpool


async def main(path: str, end: str) -> None:
    failed = asyncio.Event()
    spool = SqliteSpool(path)
    await spool.open(SpoolContext(lane_rules(), SystemClock(), lambda event: failed.set()))
    one, *others = [Record(b"x", "", datetime.now(UTC)) for _ in range(6)]
    await spool.append(LogKind.PREVIEW, [one])
    await asyncio.sleep(0)
    failed.clear()
    os.close(os.open(f"{path}.begun", os.O_CREAT))
    putting = asyncio.create_task(spool.append(LogKind.PREVIEW, others))
    await asyncio.wait([putting, asyncio.create_task(failed.wait())], return_when=asyncio.FIRST_COMPLETED)
    if putting.done():
        return
    putting.cancel()
    with suppress(asyncio.CancelledError):
        await putting
    if end == "kill":
        os._exit(0)
    await spool.aclose()


asyncio.run(main(*sys.argv[1:]))
