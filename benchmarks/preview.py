"""The preview lane at full load against its ceiling of 5 requests, 2,500 logs, a second.

What counts is the server's clock: never a sixth request in any window of one second.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import Mapping, Sequence

from attrs import frozen

from sevendigital_async import LogKind, SevenDigital, StreamLogShipper

from .plays import in_groups, made_up_plays, stream_log
from .report import Report, Row, Target
from .scale import Scale
from .server import AT_ONCE, Arrivals, Latency, arrived, serving

KEY, SECRET = "benchmark-key", "benchmark-secret"
BATCH = 500
REQUESTS_PER_SECOND = 5
CEILING = REQUESTS_PER_SECOND * BATCH
"""Logs a second."""
SHARE_OF_CEILING = 0.98

SLOW = Latency(0.002, 1.5)
SLOWED = 1 / (1 + (SLOW.shortest + SLOW.longest) / 2)
"""What such answers leave of the ceiling: a slot is used again a second after its answer."""

SECONDS: Mapping[Scale, int] = {Scale.FULL: 20, Scale.QUICK: 4, Scale.SMALLEST: 2}


@frozen
class Load:
    """What is measured, and how many seconds' worth of plays it is given."""

    name: str
    latency: Latency
    plays: int


def run(scale: Scale) -> Report:
    """Keep the lane busy, with answers at once and with slow ones."""
    seconds = SECONDS[scale]
    loads = (
        Load("answers at once", AT_ONCE, seconds * CEILING),
        Load("answers in 2 ms to 1.5 s", SLOW, math.ceil(seconds * REQUESTS_PER_SECOND * SLOWED) * BATCH),
    )
    seen = {load.name: _arrivals(load) for load in loads}
    at_once, slow = (seen[load.name].times for load in loads)
    return Report(
        "preview",
        f"the preview lane at full load, {seconds} s, ceiling {CEILING:,} logs/s",
        [_row(name, arrivals) for name, arrivals in seen.items()],
        [
            Target(f"share of the ceiling, {loads[0].name}", share_of_ceiling(at_once), at_least=SHARE_OF_CEILING),
            *(
                Target(f"requests in the busiest second, {load.name}", busiest_second(times), at_most=5)
                for load, times in zip(loads, (at_once, slow), strict=True)
            ),
        ],
        {name: [time - arrivals.times[0] for time in arrivals.times] for name, arrivals in seen.items()},
    )


def busiest_second(times: Sequence[float]) -> int:
    """Return the most arrivals in any one second, its end not included."""
    most = first = 0
    for last, time in enumerate(times):
        while time - times[first] >= 1:
            first += 1
        most = max(most, last - first + 1)
    return most


def share_of_ceiling(times: Sequence[float]) -> float:
    """Return the rate over the ceiling, first to last arrival; the requests that begin the time are not counted."""
    after = times[REQUESTS_PER_SECOND - 1]
    return (len(times) - REQUESTS_PER_SECOND) / REQUESTS_PER_SECOND / (times[-1] - after)


def _row(name: str, arrivals: Arrivals) -> Row:
    times = arrivals.times
    return {
        "load": name,
        "logs": arrivals.logs,
        "requests": arrivals.requests,
        "seconds": times[-1] - times[0],
        "share of the ceiling": share_of_ceiling(times),
        "busiest second": busiest_second(times),
    }


def _arrivals(load: Load) -> Arrivals:
    with serving(load.latency) as base_url:
        asyncio.run(_ship(base_url, load.plays))
        arrivals = arrived(base_url)
    if arrivals.logs != load.plays or arrivals.requests != load.plays // BATCH:
        raise AssertionError(f"{load.plays} logs were put, {arrivals.logs} arrived in {arrivals.requests} requests")
    return arrivals


async def _ship(base_url: str, number: int) -> None:
    logs = list(map(stream_log, made_up_plays(number)))
    async with SevenDigital(KEY, SECRET, base_url=base_url) as client, StreamLogShipper(client) as shipper:
        for group in in_groups(logs, BATCH):
            await shipper.put_many(LogKind.PREVIEW, group)
        await shipper.flush()
