"""The preview lane at full load, and a loop paced by a token bucket.

The limit is five requests in any second by the server's clock. A slot is free again one second after its response, so
the highest rate is 5 / (1 s + round trip) requests per second.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from statistics import mean, median, quantiles

import aiohttp
import orjson
from attrs import frozen
from authlib.oauth1 import ClientAuth

from sevendigital_async import LogKind, MemorySpool, SevenDigital, StreamLogShipper
from sevendigital_async.shipping import Delivery

from . import bare
from .optional import present
from .plays import Play, in_groups, made_up_plays, stream_log
from .report import Report, Row, Target
from .scale import Scale
from .server import AT_ONCE, Arrivals, Latency, arrived, serving

KEY, SECRET = "benchmark-key", "benchmark-secret"
BATCH = 500
REQUESTS_PER_SECOND = 5
CEILING = REQUESTS_PER_SECOND * BATCH
"""Logs per second."""
SHARE_OF_THE_REST = 0.992
CAPACITY = 4 * BATCH
"""The capacity of the spool in plays: a producer that is faster than the lane waits."""

SLOW = Latency(0.002, 1.5)
OURS, PACED = "shipper", "bare loop, aiolimiter"

SECONDS: Mapping[Scale, int] = {Scale.FULL: 20, Scale.QUICK: 6, Scale.SMALLEST: 1}


@frozen
class Load:
    """A latency of the server, with a name."""

    name: str
    latency: Latency


LOADS = (Load("at once", AT_ONCE), Load("2 ms to 1.5 s", SLOW))


@frozen
class Seen:
    """The arrivals of one side, and the seconds from `put` to acknowledgement of each batch."""

    arrivals: Arrivals
    waits: Sequence[float]


Side = Callable[[str, list[Play]], Sequence[float]]


def run(scale: Scale) -> Report:
    """Run the lane at full load, with immediate and with slow responses."""
    seconds, notes = SECONDS[scale], []
    sides: dict[str, Side] = {OURS: lambda url, plays: asyncio.run(_ship(url, plays))}
    if present("aiolimiter"):
        sides[PACED] = lambda url, plays: asyncio.run(_paced(url, plays))
    else:
        notes.append(f"{PACED}: skipped, not installed")
    seen: dict[tuple[str, str], Seen] = {}
    for load in LOADS:
        cycle = 1 + (load.latency.shortest + load.latency.longest) / 2
        requests = max(REQUESTS_PER_SECOND + 1, int(seconds / cycle * REQUESTS_PER_SECOND))
        plays = made_up_plays(requests * BATCH)
        for side, ship in sides.items():
            seen[side, load.name] = _see(load, ship, plays)
    trip = _round_trip()
    ours = {load.name: seen[OURS, load.name].arrivals for load in LOADS}
    return Report(
        "preview",
        f"the preview lane at full load, about {seconds} s, ceiling {CEILING:,} logs/s",
        [_row(side, load, one, trip) for (side, load), one in seen.items()],
        [
            *(
                Target(
                    f"share of 5/(1 s + round trip), answers {load}", share(arrivals, trip), at_least=SHARE_OF_THE_REST
                )
                for load, arrivals in ours.items()
            ),
            *(
                Target(f"requests in the busiest second, answers {load}", busiest_second(arrivals.times), at_most=5)
                for load, arrivals in ours.items()
            ),
        ],
        {
            f"{side}, {load}": [at - one.arrivals.times[0] for at in one.arrivals.times]
            for (side, load), one in seen.items()
        },
        notes,
        chart="busiest second",
        labels=("side", "answers"),
    )


def busiest_second(times: Sequence[float]) -> int:
    """Return the highest number of arrivals in any second (half-open)."""
    most = first = 0
    for last, at in enumerate(times):
        while at - times[first] >= 1:
            first += 1
        most = max(most, last - first + 1)
    return most


def share_of_ceiling(times: Sequence[float]) -> float:
    """Return the rate divided by the ceiling, from first to last arrival, without the requests at the start."""
    after = times[REQUESTS_PER_SECOND - 1]
    return (len(times) - REQUESTS_PER_SECOND) / REQUESTS_PER_SECOND / (times[-1] - after)


def share(arrivals: Arrivals, trip: float) -> float:
    """Return the share of the slots' time that was used: one second and the round trip per request.

    Args:
        arrivals: The arrivals at the server. Until the last request, all slots could have been busy.
        trip: Seconds of a round trip to a server that responds at once.
    """
    end = arrivals.received[-1]
    cycles = zip(arrivals.received, arrivals.takes, strict=True)
    needed = sum(min(1 + takes + trip, end - at) for at, takes in cycles)
    return needed / (REQUESTS_PER_SECOND * (end - arrivals.received[0]))


def _row(side: str, load: str, one: Seen, trip: float) -> Row:
    arrivals, busiest = one.arrivals, busiest_second(one.arrivals.times)
    return {
        "answers": load,
        "side": side,
        "requests": arrivals.requests,
        "share of 2,500 logs/s": share_of_ceiling(arrivals.times),
        "of 5/(1 s + round trip)": share(arrivals, trip),
        "busiest second": busiest,
        "over the limit": max(0, busiest - REQUESTS_PER_SECOND),
        "p50 s to acknowledged": median(one.waits),
        "p99 s": quantiles(one.waits, n=100, method="inclusive")[98],
    }


def _see(load: Load, ship: Side, plays: list[Play]) -> Seen:
    with serving(load.latency) as base_url:
        waits = ship(base_url, plays)
        arrivals = arrived(base_url)
    if arrivals.logs != len(plays) or arrivals.requests != len(plays) // BATCH:
        raise AssertionError(f"{len(plays)} plays were put; {arrivals.logs} arrived in {arrivals.requests} requests")
    return Seen(arrivals, waits)


async def _ship(base_url: str, plays: list[Play]) -> Sequence[float]:
    accepted: dict[bytes, float] = {}
    waits: list[float] = []

    def delivered(delivery: Delivery) -> None:
        waits.append(time.monotonic() - accepted[delivery.logs[0]])

    async with (
        SevenDigital(KEY, SECRET, base_url=base_url) as client,
        StreamLogShipper(client, spool=MemorySpool(max_logs=CAPACITY), on_delivered=delivered) as shipper,
    ):
        for group in in_groups(map(stream_log, plays), BATCH):
            accepted[group[0].encode()] = time.monotonic()
            await shipper.put_many(LogKind.PREVIEW, group)
        await shipper.flush()
    return waits


async def _paced(base_url: str, plays: list[Play]) -> Sequence[float]:
    """Post at the rate of the limiter; a body counts as put when its task starts to wait for the limiter."""
    from aiolimiter import AsyncLimiter

    limiter, auth = AsyncLimiter(REQUESTS_PER_SECOND, 1), ClientAuth(KEY, SECRET)
    waits: list[float] = []

    async def post(session: aiohttp.ClientSession, bodies: Iterator[bytes]) -> None:
        for body in bodies:
            began = time.monotonic()
            async with limiter:
                await bare.post(session, auth, f"{base_url}/logging/preview", body)
            waits.append(time.monotonic() - began)

    bodies = iter([orjson.dumps(group) for group in in_groups(map(bare.as_dict, plays), BATCH)])
    async with aiohttp.ClientSession() as session, asyncio.TaskGroup() as workers:
        for _ in range(2 * REQUESTS_PER_SECOND):
            workers.create_task(post(session, bodies))
    return waits


def _round_trip() -> float:
    """Return the seconds of a request to a server that responds at once."""
    body = orjson.dumps(list(map(bare.as_dict, made_up_plays(BATCH))))

    async def measure(base_url: str) -> float:
        auth, trips = ClientAuth(KEY, SECRET), []
        async with aiohttp.ClientSession() as session:
            for _ in range(20):
                began = time.perf_counter()
                await bare.post(session, auth, f"{base_url}/logging/preview", body)
                trips.append(time.perf_counter() - began)
        return mean(sorted(trips)[:15])

    with serving() as base_url:
        return asyncio.run(measure(base_url))
