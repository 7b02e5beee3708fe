"""A log of 200,000 lines, rotated 50 times, is followed by a command that is killed 20 times; every line is counted.

Prints the figures, and fails if a line is lost, doubled silently or rejected; run it with ``nox -s soak -- follow``.
"""

import argparse
import asyncio
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent))

from support.cli_process import open_sandbox
from support.following import follow_through_kills


async def soak(lines: int, rotations: int, kills: int, seed: int) -> None:
    began = time.monotonic()
    async with open_sandbox() as sandbox:
        with tempfile.TemporaryDirectory() as directory:
            outcome = await follow_through_kills(
                Path(directory),
                sandbox,
                lines=lines,
                rotations=rotations,
                kills=kills,
                life=3.0,
                pause=0.3,
                seed=seed,
                new_interpreter=True,
            )
    print(f"{outcome.written} lines, {rotations} rotations, {outcome.kills} kills, {time.monotonic() - began:.0f} s")
    print(f"  missing {len(outcome.missing)}, rejected {len(outcome.rejected)}")
    print(f"  arrived twice {len(outcome.doubles)}, of which the journal says nothing {len(outcome.silent_doubles)}")
    assert not outcome.missing
    assert not outcome.rejected
    assert not outcome.silent_doubles


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--lines", type=int, default=200_000)
    parser.add_argument("--rotations", type=int, default=50)
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--seed", type=int, default=1)
    asyncio.run(soak(**vars(parser.parse_args())))
