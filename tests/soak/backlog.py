"""Ten million plays wait in a file: how long it takes to open, how much memory it takes, what another play costs.

Prints the figures beside those at ten thousand, and fails if one is out of bounds; run it with ``nox -s soak``. Half
of the plays are the partner's, the others those of subscribers who sign. Needs a few GB for as long as it runs.
"""

import argparse
import asyncio
import os
import sys
import tempfile
import time
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from statistics import median

sys.path.insert(0, str(Path(__file__).parent.parent))

from support.long_backlog import Accumulator, served_while

from sevendigital_async import LogKind

KINDS = (LogKind.PREVIEW, LogKind.SUBSCRIBER)
FEW = 10_000
PLAYS_OF_A_USER = 40
ROUND = 2_000
LIGHT, HEAVY = 10_000, 1_000_000

OPENS_WITHIN = 2.0
GROWS_BY = 100.0
COSTS_UP_TO = 1.2


def users_of(plays: int) -> int:
    return max(1, plays // len(KINDS) // PLAYS_OF_A_USER)


def resident() -> tuple[float, float]:
    """Say how many MB this process has, and has had at the most."""
    lines = dict(line.split(":", 1) for line in Path("/proc/self/status").read_text().splitlines())
    return tuple(int(lines[name].split()[0]) / 1024 for name in ("VmRSS", "VmHWM"))


async def filled(path: Path, plays: int) -> str:
    began = time.perf_counter()
    backlog = await Accumulator.open(path, users_of(plays), synchronous="NORMAL")
    for kind in KINDS:
        await backlog.fill(kind, plays // len(KINDS))
    await backlog.aclose()
    size = sum(file.stat().st_size for file in path.parent.glob(f"{path.name}*"))
    return f"{plays:>12,} plays put in {time.perf_counter() - began:.1f} s; {size / 2**20:,.0f} MB of file"


async def measure_opening(path: Path, plays: int) -> tuple[float, float]:
    """Open, put and deliver some; returns the seconds that opening took and the most MB there were."""
    forget(path)
    began = time.perf_counter()
    backlog = await Accumulator.open(path, users_of(plays), synchronous="NORMAL")
    seconds = time.perf_counter() - began
    for kind in KINDS:
        await backlog.turnover(kind, 10 * ROUND)
        await backlog.spool.oldest_age(kind)
    await backlog.aclose()
    return seconds, resident()[1]


def forget(path: Path) -> None:
    """Let the system forget what it has read of a file, as after a restart."""
    if path.exists():
        with path.open("rb") as file:
            os.fsync(file.fileno())
            os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)


async def compared(paths: tuple[Path, Path], plays: tuple[int, int], rounds: int) -> dict[str, tuple[float, float]]:
    """Put and deliver some here and there in turn; returns microseconds for a play here and there."""
    backlogs = [
        await Accumulator.open(path, users_of(number), synchronous="NORMAL")
        for path, number in zip(paths, plays, strict=True)
    ]
    costs = {(kind, index): [] for kind in KINDS for index in range(len(backlogs))}
    for turn in range(rounds):
        for kind in KINDS:
            for index in (0, 1) if turn % 2 else (1, 0):
                costs[kind, index].append(await backlogs[index].turnover(kind, ROUND))
    for backlog in backlogs:
        await backlog.aclose()
    return {
        f"{kind}, {what}": tuple(median(cost[which] for cost in costs[kind, index]) * 1e6 for index in (0, 1))
        for kind in KINDS
        for which, what in enumerate(("processor", "wall"))
    }


async def fairness(path: Path) -> int:
    """Serve one user with a million plays and ten thousand with one; returns the batches until all those are served."""
    backlog = await Accumulator.open(path, 1, synchronous="NORMAL")
    await backlog.fill(LogKind.SUBSCRIBER, HEAVY)
    names = [f"light-{number}" for number in range(LIGHT)]
    await backlog.put(LogKind.SUBSCRIBER, names)
    batches = await served_while(backlog.spool, LogKind.SUBSCRIBER, names)
    await backlog.aclose()
    return batches


def alone(work, *arguments):
    """Run it in a separate process, to measure its memory."""
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as process:
        return process.submit(_run, work, arguments).result()


def _run(work, arguments):
    return asyncio.run(work(*arguments))


def soak(plays: int, rounds: int, directory: Path) -> bool:
    empty, few, many = (directory / f"{name}.db" for name in ("empty", "few", "many"))
    print(alone(filled, few, FEW))
    print(alone(filled, many, plays), flush=True)
    _, least = alone(measure_opening, empty, 0)
    seconds, most = alone(measure_opening, many, plays)
    print(
        f"opened in {seconds:.2f} s; {most - least:.0f} MB more than the {least:.0f} MB with an empty one", flush=True
    )
    costs = alone(compared, (few, many), (FEW, plays), rounds)
    for what, (cheap, dear) in costs.items():
        print(f"{what}: {cheap:.1f} µs a play at {FEW:,}, {dear:.1f} µs at {plays:,}: {dear / cheap:.2f}", flush=True)
    batches = alone(fairness, directory / "fair.db")
    print(f"{LIGHT:,} users with one play beside one with {HEAVY:,}: all served after {batches:,} batches")
    checks = {
        "opens in time": seconds < OPENS_WITHIN,
        "memory": most - least < GROWS_BY,
        "cost": all(dear <= COSTS_UP_TO * cheap for what, (cheap, dear) in costs.items() if "processor" in what),
        "nobody starves": batches <= 1.1 * LIGHT,
    }
    for check, kept in checks.items():
        print(f"{'ok    ' if kept else 'BROKEN'} {check}")
    return all(checks.values())


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--plays", type=int, default=10_000_000)
    parser.add_argument("--rounds", type=int, default=60)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as directory:
        sys.exit(not soak(options.plays, options.rounds, Path(directory)))
