"""How long the event loop is blocked while plays are shipped at full rate."""

from __future__ import annotations

import asyncio
import gc
import itertools
import tempfile
import time
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from statistics import median, quantiles

import orjson
from attrs import frozen

from . import bare
from .plays import Play, in_groups, made_up_plays, stream_log
from .report import Report, Row, Target
from .scale import Scale
from .server import serving
from .ship import BATCH, IN_FLIGHT, KEY, SECRET, put_many_at_once, ship, sqlite_spool

BEAT = 0.001
"""Seconds that a task sleeps repeatedly; the time beyond that is the time for which the loop was blocked."""
LONGEST = 25.0
"""The target for the longest stall, in milliseconds."""

FULL, MEMORY, BARE, IDLE = "shipper, SQLite FULL", "shipper, memory", "bare loop", "idle loop"


@frozen
class Size:
    """Plays per round, and the number of rounds."""

    plays: int
    rounds: int


SIZES: Mapping[Scale, Size] = {
    Scale.FULL: Size(200_000, 7),
    Scale.QUICK: Size(50_000, 3),
    Scale.SMALLEST: Size(20_000, 1),
}

Work = Callable[[], Awaitable[object]]


def run(scale: Scale) -> Report:
    """Ship with each side in turn, while a heartbeat task runs."""
    size = SIZES[scale]
    plays = made_up_plays(size.plays)
    late: dict[str, list[list[float]]] = {}
    with tempfile.TemporaryDirectory() as folder, serving() as base_url:
        works = _works(base_url, plays, Path(folder))
        for _ in range(size.rounds):
            for name, work in works.items():
                gc.collect()
                late.setdefault(name, []).append(asyncio.run(_beating_beside(work)))
    longest = {name: median(max(one) for one in rounds) for name, rounds in late.items()}
    rows: list[Row] = [
        {
            "beside": name,
            "longest ms": longest[name],
            "in the worst round": max(max(one) for one in rounds),
            "99.9th percentile ms": median(quantiles(one, n=1000, method="inclusive")[-1] for one in rounds),
            "median ms": median(median(one) for one in rounds),
        }
        for name, rounds in late.items()
    ]
    return Report(
        "health",
        f"stalls of the event loop while {size.plays:,} logs are shipped at full rate, median of {size.rounds} rounds",
        rows,
        [Target("longest stall with SQLite FULL, ms", longest[FULL], at_most=LONGEST)],
        {name: [max(one) for one in rounds] for name, rounds in late.items()},
        chart="longest ms",
        labels=("beside",),
    )


def _works(base_url: str, plays: list[Play], folder: Path) -> dict[str, Work]:
    files = (folder / f"{number}.db" for number in itertools.count())

    def by_hand() -> Awaitable[object]:
        bodies = (orjson.dumps(batch) for batch in in_groups(map(bare.as_dict, plays), BATCH))
        return bare.ship(f"{base_url}/logging/catalogue", KEY, SECRET, bodies, in_flight=IN_FLIGHT)

    return {
        FULL: lambda: ship(base_url, put_many_at_once, map(stream_log, plays), sqlite_spool(next(files), "FULL")),
        MEMORY: lambda: ship(base_url, put_many_at_once, map(stream_log, plays), None),
        BARE: by_hand,
        IDLE: lambda: asyncio.sleep(max(0.1, len(plays) / 200_000)),
    }


async def _beating_beside(work: Work) -> list[float]:
    """Run ``work`` and return the delay of each heartbeat, in milliseconds."""
    late: list[float] = []

    async def beat() -> None:
        while True:
            began = time.perf_counter()
            await asyncio.sleep(BEAT)
            late.append((time.perf_counter() - began - BEAT) * 1e3)

    heart = asyncio.create_task(beat())
    try:
        await work()
    finally:
        heart.cancel()
    return late
