"""A worker with a spool in a file is killed fifty times at random moments; every promise is checked after each.

Prints the figures, and fails if a promise is broken; run it with ``nox -s soak``. All kinds of plays, of many users;
the service drops connections and refuses requests now and then.
"""

import argparse
import asyncio
import random
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent))

from support.crashes import Crashes

from sevendigital_async import LogKind
from sevendigital_async.sandbox import Faults, Sandbox
from sevendigital_async.shipping.spools.sqlite import SqliteSpoolInspector

KINDS = ("catalogue", "subscriber", "catalogue", "subscriber", "catalogue", "subscriber", "catalogue", "preview")
"""Few previews: five requests a second are all that the account may send."""

USERS = 997
FAULTS = ["500:1%", "429:1%", "disconnect-before:1%", "disconnect-after:1%"]


async def soak(*, in_doubt: str, kills: int, plays: int, seed: int) -> None:
    rng, began = random.Random(seed), time.monotonic()
    async with Sandbox(faults=Faults.parse(FAULTS, seed=seed)) as sandbox:
        with tempfile.TemporaryDirectory() as directory:
            crashes = Crashes(sandbox, Path(directory))
            orders = {"kinds": KINDS, "users": USERS, "in_doubt": in_doubt, "patience": 300.0}
            for left in range(kills, 0, -1):
                share = (plays - len(crashes.accepted)) // left
                await one_life(crashes, share, rng, orders)
                print(f"life {kills - left + 1}: {len(crashes.accepted)} plays accepted", end="\r", flush=True)
            found, doubles = await crashes.finish(plays - len(crashes.accepted), **orders)
            assert len(crashes.accepted) >= plays
            report(in_doubt, crashes, found, doubles, time.monotonic() - began)
            if in_doubt == "hold":
                assert not doubles, "plays that were to be held have reached the service twice"
                await let_go(crashes, found, orders)


async def one_life(crashes: Crashes, share: int, rng: random.Random, orders: dict) -> None:
    """Let a worker put its share and more, and kill it: at a random play, or at a random moment of its life."""
    if rng.random() < 0.5:
        moment = (rng.randrange(1, max(2, 2 * share)), rng.uniform(0, 0.1))
        assert await crashes.run(3 * share, kill_at=moment, **orders)
    else:
        killed = await crashes.run(share, kill_at=(0, rng.uniform(0.3, 5)), **orders)
        if not killed:
            assert await crashes.run(share, kill_at=(0, rng.uniform(0.3, 0.6)), **orders)
    crashes.check()


async def let_go(crashes: Crashes, found, orders: dict) -> None:
    """Replay what was held: what is doubled now is what had arrived before, and nothing else."""
    arrived = {int(row.log["trackId"][1:]) for row in crashes.sandbox.received()}
    crashes.sandbox.faults = Faults()
    archive = SqliteSpoolInspector(crashes.spool)
    replayed = await archive.replay([letter.id async for letter in archive.dead_letters()])
    await archive.aclose()
    assert replayed == len(found.dead_letters)
    _, doubles = await crashes.finish(**orders)
    print(f"  replayed {replayed}, of which {len(doubles)} had arrived before")
    assert doubles.keys() == found.dead_letters.keys() & arrived


def report(in_doubt: str, crashes: Crashes, found, doubles, seconds: float) -> None:
    previews = crashes.sandbox.stats()["kinds"][LogKind.PREVIEW]
    print(
        f"{in_doubt}: {len(crashes.accepted)} plays accepted, {found.total('put')} in the spool, {crashes.runs} lives"
    )
    print(f"  delivered {found.total('delivered')}, held {found.total('held')}, in doubt {len(found.doubts)}")
    print(f"  reached the service twice {len(doubles)}, all of them in the journal as in doubt")
    print(f"  previews in the busiest second {previews['busiest_second']}; {seconds:.0f} s", flush=True)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--kills", type=int, default=50)
    parser.add_argument("--plays", type=int, default=200_000)
    options = vars(parser.parse_args())
    for fate in ("resend", "hold"):
        asyncio.run(soak(in_doubt=fate, **options))
