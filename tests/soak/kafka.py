"""Three workers read 300,000 messages of 12 partitions; two are killed, one is frozen until the group drops it.

Once with a spool in Redis that all share, once with a file each. Prints the figures, and fails if a message is missing,
is in the shared spool twice, or is doubled in a partition of which no worker reports that it has moved. Needs
redis-server; run it with ``nox -s soak -- kafka``.
"""

import argparse
import asyncio
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent))

from support.kafka_group import kill_and_freeze
from support.redis_server import RedisServer


async def soak(messages: int) -> None:
    server = RedisServer()
    try:
        for spool in (server.url, None):
            began = time.monotonic()
            with tempfile.TemporaryDirectory() as directory:
                outcome = await kill_and_freeze(Path(directory), messages=messages, spool=spool)
            print(f"{'one spool' if spool else 'a file each'}: {messages:,} messages, {time.monotonic() - began:.0f} s")
            print(f"  missing {len(outcome.missing)}, doubled {len(outcome.doubles)}, refused {outcome.superseded}")
            print(f"  doubled in partitions {sorted(outcome.doubled_partitions)}, moved {sorted(outcome.moved)}")
            assert not outcome.errors, outcome.errors
            assert not outcome.missing
            assert outcome.doubled_partitions <= (set() if spool else outcome.moved)
    finally:
        server.close()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--messages", type=int, default=300_000)
    asyncio.run(soak(**vars(parser.parse_args())))
