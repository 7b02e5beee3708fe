"""The library's own way to ship a file: ``python ship_file.py FILE URL KEY SECRET [SPOOL]``."""

from __future__ import annotations

import asyncio
import sys

from sevendigital_async import LogKind, SevenDigital, StreamLogShipper
from sevendigital_async.sources import FileSource, ship_from


async def main(path: str, base_url: str, key: str, secret: str, spool: str | None = None) -> None:
    """Ship a file of catalogue plays."""
    async with (
        SevenDigital(key, secret, base_url=base_url) as client,
        StreamLogShipper(client, spool=spool) as shipper,
    ):
        await ship_from(FileSource(path), shipper, kind=LogKind.CATALOGUE)
        await shipper.flush()


asyncio.run(main(*sys.argv[1:]))
