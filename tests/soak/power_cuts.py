"""The power is cut thousands of times under workers with a spool in a file, some of them killed in a commit before.

Prints the figures, and fails if a promise is broken; run it with ``nox -s soak -- power_cuts``. Needs strace. Three of
four spools are synchronous=FULL; the fourth is NORMAL, which must open and add up, but may have lost the last moments.
"""

import argparse
import asyncio
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent))

from support import power_cut


def soak(*, seed: int, spools: int, lives: int, states: int) -> None:
    began, done = time.monotonic(), 0
    for number in range(seed, seed + spools):
        with tempfile.TemporaryDirectory() as directory:
            done += asyncio.run(power_cut.soak(number, lives, states, Path(directory)))
        print(f"spool {number - seed + 1} of {spools}: {done} states of {lives} lives each", end="\r", flush=True)
    print(f"{done} states after power cuts, none of them refused, nothing lost; {time.monotonic() - began:.0f} s")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--spools", type=int, default=12)
    parser.add_argument("--lives", type=int, default=5)
    parser.add_argument("--states", type=int, default=50)
    if (reason := power_cut.missing()) is not None:
        sys.exit(f"the power can't be cut: {reason}")
    soak(**vars(parser.parse_args()))
