"""The cost of a play while many wait: time and memory, by the length of the backlog and the number of users."""

from __future__ import annotations

import asyncio
import gc
import os
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from datetime import UTC, datetime
from multiprocessing import get_context
from pathlib import Path
from statistics import fmean, median

from attrs import frozen

from sevendigital_async import LogKind, MemorySpool
from sevendigital_async.clock import SystemClock
from sevendigital_async.models.stream_log import Window, checked_and_encoded
from sevendigital_async.shipping import Receipt, Spool
from sevendigital_async.shipping.records import PARTNER_QUEUE, Record
from sevendigital_async.shipping.rules import DOCUMENTED_RULES
from sevendigital_async.shipping.spools.base import SpoolContext

from .plays import made_up_plays, stream_log
from .report import Report, Row, Target
from .scale import Scale

BATCH = 500
WITHIN = 1.2
"""The highest ratio to the cost at the shortest backlog."""

MEMORY, SQLITE = "memory", "SQLite NORMAL"


@frozen
class Case:
    """A spool, the number of waiting plays, and the number of users."""

    spool: str
    backlog: int
    users: int = 1


@frozen
class Cost:
    """The cost of a play: microseconds to fill the backlog, to put one more and to take one, and bytes of memory."""

    fill: float
    put: float
    take: float
    memory: float


def _cases(backlogs: Sequence[int], longest: Sequence[int], users: Sequence[int]) -> list[Case]:
    return [
        *(Case(MEMORY, backlog) for backlog in backlogs),
        *(Case(SQLITE, backlog) for backlog in (*backlogs, *longest)),
        *(Case(MEMORY, backlogs[-1], number) for number in users),
    ]


CASES: Mapping[Scale, list[Case]] = {
    Scale.FULL: _cases((10**4, 10**5, 10**6), (10**7,), (10**3, 10**6)),
    Scale.QUICK: _cases((10**4, 10**5), (), (10**3, 10**5)),
    Scale.SMALLEST: _cases((500, 1000), (), (10,)),
}
ROUNDS: Mapping[Scale, int] = {Scale.FULL: 1000, Scale.QUICK: 60, Scale.SMALLEST: 5}
"""Batches that are put and taken to measure one backlog."""
STRETCHES = 5
"""Parts into which the rounds are divided. The cost is the mean within each part, which includes periodic work, and the
median over the parts, which excludes other activity on the machine."""


def run(scale: Scale) -> Report:
    """Measure each case in a new process."""
    cases, rounds = CASES[scale], [ROUNDS[scale]] * len(CASES[scale])
    with ProcessPoolExecutor(1, mp_context=get_context("spawn"), max_tasks_per_child=1) as processes:
        costs = dict(zip(cases, processes.map(_measured, cases, rounds), strict=True))
    rows: list[Row] = [
        {
            "spool": case.spool,
            "waiting": case.backlog,
            "users": case.users,
            "fill µs/log": cost.fill,
            "put µs/log": cost.put,
            "take µs/log": cost.take,
            "bytes/log": cost.memory,
        }
        for case, cost in costs.items()
    ]
    return Report(
        "growth",
        f"the cost of a play while many wait; spools alone, {BATCH} plays at a time",
        rows,
        [_target(spool, cases, costs) for spool in (MEMORY, SQLITE)],
        {f"{case.spool}, {case.backlog}, {case.users}": [cost.put, cost.take] for case, cost in costs.items()},
        chart="take µs/log",
        labels=("spool", "waiting", "users"),
    )


def _target(spool: str, cases: Sequence[Case], costs: Mapping[Case, Cost]) -> Target:
    shortest, *_, longest = [case for case in cases if case.spool == spool and case.users == 1]
    ratio = (costs[longest].put + costs[longest].take) / (costs[shortest].put + costs[shortest].take)
    return Target(f"{spool}: put and take at {longest.backlog:,} / at {shortest.backlog:,}", ratio, at_most=WITHIN)


def _measured(case: Case, rounds: int) -> Cost:
    with tempfile.TemporaryDirectory() as folder:
        return asyncio.run(_measure(case, rounds, Path(folder)))


async def _measure(case: Case, rounds: int, folder: Path) -> Cost:
    spool = _spool(case, folder)
    await spool.open(SpoolContext(DOCUMENTED_RULES, SystemClock(), lambda _: None))
    source = _records(case)
    gc.collect()
    before, filled = _resident(), 0.0
    for _ in range(case.backlog // BATCH):
        filled += await _put(spool, source)
    gc.collect()
    memory = _resident() - before
    if hasattr(os, "sync"):
        os.sync()  # the writes of the backlog must not count towards the cost of one more play
    puts, takes = [], []
    for _ in range(rounds):
        puts.append(await _put(spool, source))
        takes.append(await _take(spool))
    await spool.aclose()
    scale = 1e6 / BATCH
    return Cost(filled / case.backlog * 1e6, _usual(puts) * scale, _usual(takes) * scale, memory / case.backlog)


def _usual(seconds: Sequence[float]) -> float:
    length = len(seconds) // STRETCHES
    return median(fmean(seconds[start : start + length]) for start in range(0, length * STRETCHES, length))


async def _put(spool: Spool, source: Iterator[Record]) -> float:
    """Put one batch; return the seconds."""
    records = [next(source) for _ in range(BATCH)]
    began = time.perf_counter()
    await spool.append(LogKind.CATALOGUE, records)
    return time.perf_counter() - began


async def _take(spool: Spool) -> float:
    """Lease and acknowledge at least one batch of plays; return the seconds per batch."""
    taken, began = 0, time.perf_counter()
    while taken < BATCH:
        lease = await spool.lease(LogKind.CATALOGUE, flush=True)
        if lease is None:
            raise AssertionError("no batch is due")
        await spool.intent(lease, lease.records, os.urandom(16).hex())
        await spool.ack(lease, lease.records, Receipt("request", datetime.now(UTC), "202"))
        taken += len(lease.records)
    return (time.perf_counter() - began) * BATCH / taken


def _spool(case: Case, folder: Path) -> Spool:
    if case.spool == MEMORY:
        return MemorySpool(max_logs=10**9, max_bytes=10**12)
    from sevendigital_async.shipping.spools.sqlite import SqliteSpool

    return SqliteSpool(folder / "plays.db", synchronous="NORMAL", max_bytes=10**12)


def _records(case: Case) -> Iterator[Record]:
    """Yield records without end, for each user in rotation."""
    logs, window = list(map(stream_log, made_up_plays(BATCH))), Window.at(datetime.now(UTC))
    number = 0
    while True:
        log = logs[number % BATCH]
        queue = PARTNER_QUEUE if case.users == 1 else f"user-{number % case.users}"
        yield Record(checked_and_encoded(log, window), queue, log.timestamp)
        number += 1


def _resident() -> int:
    try:
        return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    except OSError:
        return 0
