"""Plays are put, cancelled and replayed at random while service, disk and connection fail, with many seeds.

Prints the figures, and fails if a play is lost or doubled silently; run it with ``nox -s soak``.
"""

import argparse
import asyncio
import logging
import sys
import tempfile
import time
from pathlib import Path
from unittest.mock import patch

sys.path.insert(0, str(Path(__file__).parent.parent))

from support.random_shipping import HURRIED, run_in_file, run_in_memory, run_in_redis
from support.redis_server import RedisServer


async def soak(*, seeds: int, first: int) -> None:
    server = RedisServer()
    for seed in range(first, first + seeds):
        began = time.monotonic()
        with tempfile.TemporaryDirectory() as directory:
            runs = {
                "memory": await run_in_memory(seed, steps=60),
                "file": await run_in_file(seed, Path(directory) / "plays.db"),
                "redis": await run_in_redis(seed, server),
                "redis, three workers": await run_in_redis(seed, server, workers=3),
            }
        for name, run in runs.items():
            doubled = sum(len(times) > 1 for times in run.service.saved.values())
            print(
                f"seed {seed}, {name}: {len(run.accepted)} plays accepted, {len(run.refused)} cancelled,"
                f" {run.service.requests} requests, {doubled} doubled and journalled"
            )
        print(f"seed {seed}: {time.monotonic() - began:.0f} s", flush=True)
    server.close()


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--seeds", type=int, default=20)
    parser.add_argument("--first", type=int, default=0)
    for name, value in HURRIED.items():
        patch(name, value).start()
    logging.disable(logging.CRITICAL)
    arguments = parser.parse_args()
    asyncio.run(soak(seeds=arguments.seeds, first=arguments.first))
