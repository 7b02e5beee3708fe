"""A worker: delivers the plays that others put into a shared spool, until SIGTERM or SIGINT.

    SPOOL=redis://localhost/0 python worker.py

Any number of workers may run. The settings are read from the environment; see `SevenDigital.from_env`.
"""

import asyncio
import logging
import os
import signal

from sevendigital_async import LogKind, SevenDigital, StreamLogShipper
from sevendigital_async.shipping import Alert


def wake_somebody(kind: LogKind, alert: Alert) -> None:
    """Report that a lane needs attention; a real service would page an operator."""
    print(f"{kind}: {alert.message}")


async def main() -> None:
    """Open the spool, wait for the signal, and deliver for up to 20 more seconds."""
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    spool = os.environ.get("SPOOL", "plays.db")
    async with SevenDigital.from_env() as client:
        async with StreamLogShipper(client, spool=spool, on_alert=wake_somebody, close_timeout=20) as shipper:
            print("delivering", flush=True)
            await stop.wait()
        statistics = await shipper.statistics()
    print(f"{statistics.delivered} delivered, {statistics.waiting} waiting")


if __name__ == "__main__":
    logging.basicConfig(level=logging.INFO)
    asyncio.run(main())
