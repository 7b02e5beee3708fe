"""Catalogue logs per second through the shipper's memory spool, beside a bare hand-written loop.

All sides read the same rows and the same server. The rows that say "ready-made" had their dicts, or their StreamLogs,
made beforehand; all others make them as they go.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Iterator, Mapping
from statistics import median

import orjson
from attrs import frozen

from sevendigital_async import LogKind, SevenDigital, StreamLog, StreamLogShipper

from . import bare
from .plays import in_groups, made_up_plays, stream_log
from .report import Report, Target
from .scale import Scale
from .server import arrived, serving
from .timing import Timing, cpu, in_turns, times_as_long, wall

KEY, SECRET = "benchmark-key", "benchmark-secret"
BATCH = 500
"""Logs in a request, and plays in a ``put_many``."""
IN_FLIGHT = 8
"""Requests at a time; the shipper's own setting for catalogue plays."""

PUT_MANY, PUT_MANY_READY, PUT = "shipper, put_many", "shipper, put_many, ready-made", "shipper, put"
BARE, BARE_ORJSON = f"bare loop, {IN_FLIGHT} in flight", f"bare loop, {IN_FLIGHT} in flight, orjson's times"
BARE_READY, BARE_SEQUENTIAL = f"bare loop, {IN_FLIGHT} in flight, ready-made", "bare loop, one after the other"
FAIR = (BARE, BARE_ORJSON)
"""What ``PUT_MANY`` is held against: as many in flight, and a dict made for each play."""


@frozen
class Size:
    """How many plays a side ships in a round, and how many rounds there are."""

    plays: int
    rounds: int


SIZES: Mapping[Scale, Size] = {
    Scale.FULL: Size(100_000, 9),
    Scale.QUICK: Size(25_000, 5),
    Scale.SMALLEST: Size(1_200, 1),
}


def run(scale: Scale) -> Report:
    """Measure all sides in turns."""
    size = SIZES[scale]
    with serving() as base_url:
        sides = _sides(base_url, size.plays)
        timings = in_turns(sides, size.rounds)
        there, sent = arrived(base_url).logs, size.plays * len(sides) * (size.rounds + 1)
    if there != sent:
        raise AssertionError(f"{sent} logs were sent and {there} arrived")
    fastest = min(FAIR, key=lambda name: wall(timings[name]))
    return Report(
        "ship",
        f"{size.plays:,} catalogue logs, {BATCH} a request, memory spool, {size.rounds} rounds",
        [_row(name, timings[name], timings[fastest], size.plays) for name in sides],
        [Target(f"{PUT_MANY} / {fastest}", times_as_long(timings[fastest], timings[PUT_MANY]), at_least=0.4)],
        {name: [size.plays / timing.wall for timing in side] for name, side in timings.items()},
    )


def _sides(base_url: str, number: int) -> dict[str, Callable[[], None]]:
    plays = made_up_plays(number)
    logs, dicts = list(map(stream_log, plays)), list(map(bare.as_dict, plays))

    def shipper(feed: Callable[[StreamLogShipper], Iterator[asyncio.Future[int]]]) -> None: ...

    def by_hand(wires: Callable[[], Iterable[bare.Wire]], in_flight: int) -> Callable[[], None]:
        def side() -> None:
            bodies = (orjson.dumps(batch) for batch in in_groups(wires(), BATCH))
            asyncio.run(bare.ship(f"{base_url}/logging/catalogue", KEY, SECRET, bodies, in_flight=in_flight))

        return side

    return {}
