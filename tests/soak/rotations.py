"""Ten million lines of a log that is rotated a hundred times, followed by one process: its memory must stay flat.

Prints the figures, and fails if memory grows, or a line is lost or doubled; run it with ``nox -s soak -- rotations``.
"""

import argparse
import asyncio
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent))

from support.memory import follow_through_rotations

GROWS_BY = 20.0
"""MB, from the third tenth of the lines to the last one."""


async def soak(lines: int, rotations: int) -> None:
    began = time.monotonic()
    with tempfile.TemporaryDirectory() as directory:
        place = Path(directory)
        outcome = await follow_through_rotations(place, lines=lines, rotations=rotations, new_interpreter=True)
    print(f"{lines:,} lines, {rotations} rotations, {time.monotonic() - began:.0f} s")
    print(f"  missing {outcome.missing}, arrived twice {outcome.doubles}")
    print(f"  MB after each tenth: {', '.join(f'{size:.0f}' for size in outcome.resident)}")
    assert not outcome.missing
    assert not outcome.doubles
    assert outcome.resident[-1] - outcome.resident[2] < GROWS_BY


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--lines", type=int, default=10_000_000)
    parser.add_argument("--rotations", type=int, default=100)
    asyncio.run(soak(**vars(parser.parse_args())))
