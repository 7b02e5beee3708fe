"""What one writes by hand to ship a file of catalogue plays: ``python by_hand.py FILE URL KEY SECRET``."""

# ruff: noqa: ANN001, ANN201, PTH123 - a short script

import asyncio
import csv
import gzip
import io
import sys
from itertools import islice

import aiohttp
import orjson
from authlib.oauth1 import ClientAuth


def plays(path):
    """Read JSON lines or CSV, plain or compressed."""
    with gzip.open(path) if path.endswith(".gz") else open(path, "rb") as file:
        if ".csv" not in path:
            yield from map(orjson.loads, file)
            return
        for row in csv.DictReader(io.TextIOWrapper(file, newline="")):
            row["durationPlayed"] = int(row["durationPlayed"])
            yield row


async def post(session, auth, url, source):
    """Post 500 plays at a time."""
    while batch := list(islice(source, 500)):
        body = orjson.dumps(batch)
        uri, headers, _ = auth.prepare("POST", url, {"Content-Type": "application/json"}, body)
        async with session.post(uri, headers=headers, data=body) as response:
            response.raise_for_status()
            await response.read()


async def main(path, base_url, key, secret):
    """Ship a file, with sixteen requests at a time."""
    auth, source = ClientAuth(key, secret), plays(path)
    async with aiohttp.ClientSession() as session, asyncio.TaskGroup() as tasks:
        for _ in range(16):
            tasks.create_task(post(session, auth, f"{base_url}/logging/catalogue", source))


asyncio.run(main(*sys.argv[1:]))
