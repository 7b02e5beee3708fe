"""Catalogue plays per second through the shipper, a hand-written loop, and other clients that batch events.

All sides read the same rows and send to the same server. "ready-made" sides get their dicts or StreamLogs built in
advance; the others build them while they run.
"""

from __future__ import annotations

import asyncio
import itertools
import tempfile
from collections.abc import Awaitable, Callable, Iterable, Mapping
from pathlib import Path
from statistics import median

import orjson
from attrs import evolve, frozen

from sevendigital_async import ConfigurationError, LogKind, SevenDigital, StreamLog, StreamLogShipper
from sevendigital_async.shipping import Spool

from . import bare, peers, redis_server
from .plays import in_groups, made_up_plays, stream_log
from .report import Report, Row, Target
from .scale import Scale
from .server import arrived, serving
from .timing import Side, Timing, median_cpu, run_in_turn, times_as_long

KEY, SECRET = "benchmark-key", "benchmark-secret"
BATCH = 500
"""Logs per request, and plays per ``put_many``."""
IN_FLIGHT = 16
"""Concurrent requests; the shipper's default for catalogue plays."""
PRODUCERS = 12
"""Concurrent tasks that put plays into a durable spool, like the handlers of a service; they share commits."""

PUT_MANY, PUT = "shipper, put_many", "shipper, put"
PUT_MANY_READY = f"{PUT_MANY}, ready-made"
SQLITE_FULL, SQLITE_NORMAL, REDIS = "shipper, SQLite FULL", "shipper, SQLite NORMAL", "shipper, Redis"
BARE = f"bare loop, {IN_FLIGHT} in flight"
BARE_ORJSON = f"{BARE}, times by orjson"
BARE_READY = f"{BARE}, ready-made"
BARE_SEQUENTIAL = "bare loop, one at a time"

MANY_OF_BARE = 0.75
PUT_OF_BARE = 0.5
FULL_OF_BARE = 0.35
REDIS_OF_BARE = 0.25
TIMES_THE_PEERS = 10.0


@frozen
class Size:
    """Plays per round of a side, plays per round of a slow side, and the number of rounds."""

    plays: int
    few: int
    rounds: int


SIZES: Mapping[Scale, Size] = {
    Scale.FULL: Size(500_000, 25_000, 5),
    Scale.QUICK: Size(25_000, 2_500, 3),
    Scale.SMALLEST: Size(1_200, 500, 1),
}


def run(scale: Scale) -> Report:
    """Measure all sides in turn; sides that are ten times slower ship fewer plays, and rates are compared."""
    size = SIZES[scale]
    with tempfile.TemporaryDirectory() as folder, serving() as base_url, redis_server.running() as redis:
        sides, notes = _sides(base_url, size, Path(folder), redis)
        timings = run_in_turn({name: side.action for name, side in sides.items()}, size.rounds)
        _check(arrived(base_url).logs, sum(side.plays for side in sides.values()) * (size.rounds + 1))
    each = {name: [_per_play(timing, sides[name].plays) for timing in side] for name, side in timings.items()}
    return Report(
        "ship",
        f"{size.plays:,} catalogue logs, {BATCH} a request, median of {size.rounds} rounds",
        [_row(name, each[name], each, sides[name].plays) for name in sides],
        _targets(each),
        {name: [1 / timing.wall for timing in side] for name, side in each.items()},
        notes,
        chart="logs/s",
    )


@frozen
class Shipping:
    """A side: its action, and the number of plays it ships."""

    action: Side
    plays: int


def _targets(each: Mapping[str, list[Timing]]) -> list[Target]:
    ours = {PUT_MANY: MANY_OF_BARE, PUT: PUT_OF_BARE, SQLITE_FULL: FULL_OF_BARE, REDIS: REDIS_OF_BARE}
    bounds = [(side, BARE, bound) for side, bound in ours.items()]
    bounds += [(PUT_MANY, peer, TIMES_THE_PEERS) for peer in peers.installed()]
    return [
        Target(f"{side} / {other}, logs/s", times_as_long(each[other], each[side]), at_least=bound)
        for side, other, bound in bounds
        if side in each and other in each
    ]


def _per_play(timing: Timing, plays: int) -> Timing:
    return evolve(timing, wall=timing.wall / plays, cpu=timing.cpu / plays)


def _row(name: str, side: list[Timing], each: Mapping[str, list[Timing]], plays: int) -> Row:
    rates = [1 / timing.wall for timing in side]
    return {
        "side": name,
        "logs": plays,
        "logs/s": median(rates),
        "lowest": min(rates),
        "highest": max(rates),
        "CPU µs/log": median_cpu(side) * 1e6,
        "of the bare loop": times_as_long(each[BARE], side),
        "of the one with orjson": times_as_long(each[BARE_ORJSON], side),
    }


def _sides(base_url: str, size: Size, folder: Path, redis: str | None) -> tuple[dict[str, Shipping], list[str]]:
    plays = made_up_plays(size.plays)
    few = plays[: size.few]
    files = (folder / f"{number}.db" for number in itertools.count())

    def by_hand(wires: Callable[[], Iterable[bare.Wire]], in_flight: int) -> Shipping:
        def side() -> None:
            bodies = (orjson.dumps(batch) for batch in in_groups(wires(), BATCH))
            asyncio.run(bare.ship(f"{base_url}/logging/catalogue", KEY, SECRET, bodies, in_flight=in_flight))

        return Shipping(side, len(plays))

    def shipped(
        put: PutPlays,
        source: Callable[[], Iterable[StreamLog]],
        spool: Callable[[], str | Spool | None] = lambda: None,
    ) -> Shipping:
        return Shipping(lambda: asyncio.run(ship(base_url, put, source(), spool())), len(plays))

    def made() -> Iterable[StreamLog]:
        return map(stream_log, plays)

    sides = {
        BARE_ORJSON: by_hand(lambda: map(bare.as_dict_for_orjson, plays), IN_FLIGHT),
        BARE: by_hand(lambda: map(bare.as_dict, plays), IN_FLIGHT),
        BARE_SEQUENTIAL: by_hand(lambda: map(bare.as_dict, plays), 1),
        PUT_MANY: shipped(_put_many, made),
        PUT: shipped(_put, made),
    }
    if size.plays <= SIZES[Scale.QUICK].plays:
        logs, dicts = list(made()), list(map(bare.as_dict, plays))
        sides |= {BARE_READY: by_hand(lambda: dicts, IN_FLIGHT), PUT_MANY_READY: shipped(_put_many, lambda: logs)}
    sides |= {
        SQLITE_FULL: shipped(put_many_at_once, made, lambda: sqlite_spool(next(files), "FULL")),
        SQLITE_NORMAL: shipped(put_many_at_once, made, lambda: sqlite_spool(next(files), "NORMAL")),
    }
    notes = [f"SQLite and Redis: {PRODUCERS} tasks put {BATCH} plays at a time; a new file for each run"]
    if redis is None or not _can_open(redis):
        notes.append(f"{REDIS}: skipped, redis-server or the extra is not installed")
    else:
        numbers = itertools.count()
        sides[REDIS] = shipped(put_many_at_once, made, lambda: f"{redis}/{next(numbers) % 16}")
        notes.append(f"Redis: {redis_server.SETTINGS}")
    for name, peer in peers.installed().items():
        if peer is None:
            notes.append(f"{name}: skipped, not installed")
        else:
            sides[name] = Shipping(lambda peer=peer: peer(base_url, few), len(few))  # type: ignore[misc]
    return sides, notes


def sqlite_spool(path: Path, synchronous: str) -> Spool:
    """Return a spool in a file."""
    from sevendigital_async.shipping.spools.sqlite import SqliteSpool

    return SqliteSpool(path, synchronous=synchronous)  # type: ignore[arg-type]


def _can_open(url: str) -> bool:
    from sevendigital_async.shipping.spools.registry import open_spool

    try:
        open_spool(url)
    except ConfigurationError:
        return False
    return True


PutPlays = Callable[[StreamLogShipper, Iterable[StreamLog]], Awaitable[None]]


async def _put_many(shipper: StreamLogShipper, logs: Iterable[StreamLog]) -> None:
    for group in in_groups(logs, BATCH):
        await shipper.put_many(LogKind.CATALOGUE, group)


async def put_many_at_once(shipper: StreamLogShipper, logs: Iterable[StreamLog]) -> None:
    """Put plays from several tasks."""
    groups = in_groups(logs, BATCH)

    async def produce() -> None:
        for group in groups:
            await shipper.put_many(LogKind.CATALOGUE, group)

    async with asyncio.TaskGroup() as producers:
        for _ in range(PRODUCERS):
            producers.create_task(produce())


async def _put(shipper: StreamLogShipper, logs: Iterable[StreamLog]) -> None:
    for log in logs:
        await shipper.put(LogKind.CATALOGUE, log)


async def ship(base_url: str, put: PutPlays, logs: Iterable[StreamLog], spool: str | Spool | None) -> None:
    """Ship plays, and check that all of them were delivered."""
    async with (
        SevenDigital(KEY, SECRET, base_url=base_url) as client,
        StreamLogShipper(client, spool=spool) as shipper,
    ):
        before = await shipper.statistics()
        await put(shipper, logs)
        statistics = await shipper.flush()
    _check(statistics.delivered - before.delivered, statistics.put - before.put)


def _check(delivered: int, sent: int) -> None:
    if delivered != sent:
        raise AssertionError(f"{delivered} of {sent} logs were delivered; the measurement is invalid")
