"""Catalogue logs per second through the shipper's memory spool, beside a bare hand-written loop.

All sides read the same rows and speak to the same server. Rows of the table that say "ready-made" had their dicts, or
their StreamLogs, made beforehand; the others make them as they go, and only those are compared with each other.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Mapping
from statistics import median

import orjson
from attrs import frozen

from sevendigital_async import LogKind, SevenDigital, StreamLog, StreamLogShipper

from . import bare
from .plays import in_groups, made_up_plays, stream_log
from .report import Report, Row, Target
from .scale import Scale
from .server import arrived, serving
from .timing import Side, Timing, in_turns, median_cpu, median_wall, times_as_long

KEY, SECRET = "benchmark-key", "benchmark-secret"
BATCH = 500
"""Logs in a request, and plays in a ``put_many``."""
IN_FLIGHT = 16
"""Requests at a time; the shipper's own setting for catalogue plays."""

PUT_MANY, PUT = "shipper, put_many", "shipper, put"
PUT_MANY_READY = f"{PUT_MANY}, ready-made"
BARE = f"bare loop, {IN_FLIGHT} in flight"
BARE_ORJSON = f"{BARE}, times by orjson"
BARE_READY = f"{BARE}, ready-made"
BARE_SEQUENTIAL = "bare loop, one at a time"
BARE_SEQUENTIAL_READY = f"{BARE_SEQUENTIAL}, ready-made"
FAIR = (BARE, BARE_ORJSON)
"""As many in flight as the shipper has, and a dict made for each play."""

SHARE_OF_BARE = 0.4


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
    """Measure all sides in turns, and hold the shipper against the fastest loop that does the same work."""
    size = SIZES[scale]
    with serving() as base_url:
        sides = _sides(base_url, size.plays)
        timings = in_turns(sides, size.rounds)
        _check(arrived(base_url).logs, size.plays * len(sides) * (size.rounds + 1))
    fastest = min(FAIR, key=lambda name: median_wall(timings[name]))
    return Report(
        "ship",
        f"{size.plays:,} catalogue logs, {BATCH} a request, memory spool, median of {size.rounds} rounds",
        [_row(name, timings[name], timings[fastest], size.plays) for name in sides],
        [
            Target(f"{PUT_MANY} / {other}", times_as_long(timings[other], timings[PUT_MANY]), at_least=SHARE_OF_BARE)
            for other in FAIR
        ],
        {name: [size.plays / timing.wall for timing in side] for name, side in timings.items()},
    )


def _row(name: str, timings: list[Timing], reference: list[Timing], plays: int) -> Row:
    rates = [plays / timing.wall for timing in timings]
    return {
        "side": name,
        "logs/s": median(rates),
        "lowest": min(rates),
        "highest": max(rates),
        "CPU µs/log": median_cpu(timings) / plays * 1e6,
        "of the fastest fair loop": times_as_long(reference, timings),
    }


def _sides(base_url: str, number: int) -> dict[str, Side]:
    plays = made_up_plays(number)
    logs, dicts = list(map(stream_log, plays)), list(map(bare.as_dict, plays))

    def by_hand(wires: Callable[[], Iterable[bare.Wire]], in_flight: int) -> Side:
        def side() -> None:
            bodies = (orjson.dumps(batch) for batch in in_groups(wires(), BATCH))
            asyncio.run(bare.ship(f"{base_url}/logging/catalogue", KEY, SECRET, bodies, in_flight=in_flight))

        return side

    def shipped(feed: Feed, source: Callable[[], Iterable[StreamLog]]) -> Side:
        return lambda: asyncio.run(_ship(base_url, feed, source()))

    return {
        BARE_ORJSON: by_hand(lambda: map(bare.as_dict_for_orjson, plays), IN_FLIGHT),
        BARE: by_hand(lambda: map(bare.as_dict, plays), IN_FLIGHT),
        BARE_SEQUENTIAL: by_hand(lambda: map(bare.as_dict, plays), 1),
        BARE_READY: by_hand(lambda: dicts, IN_FLIGHT),
        BARE_SEQUENTIAL_READY: by_hand(lambda: dicts, 1),
        PUT_MANY: shipped(_put_many, lambda: map(stream_log, plays)),
        PUT_MANY_READY: shipped(_put_many, lambda: logs),
        PUT: shipped(_put, lambda: map(stream_log, plays)),
    }


Feed = Callable[[StreamLogShipper, Iterable[StreamLog]], Awaitable[None]]


async def _put_many(shipper: StreamLogShipper, logs: Iterable[StreamLog]) -> None:
    for group in in_groups(logs, BATCH):
        await shipper.put_many(LogKind.CATALOGUE, group)


async def _put(shipper: StreamLogShipper, logs: Iterable[StreamLog]) -> None:
    for log in logs:
        await shipper.put(LogKind.CATALOGUE, log)


async def _ship(base_url: str, feed: Feed, logs: Iterable[StreamLog]) -> None:
    async with SevenDigital(KEY, SECRET, base_url=base_url) as client, StreamLogShipper(client) as shipper:
        await feed(shipper, logs)
        statistics = await shipper.flush()
    _check(statistics.delivered, statistics.put)


def _check(delivered: int, sent: int) -> None:
    if delivered != sent:
        raise AssertionError(f"{delivered} logs of {sent} were delivered; nothing was measured")
