"""Single plays put by many producers into a file that survives a power cut, and the same with queues in SQLite.

The shipper's producers are tasks of one event loop; those of the others are threads, which is faster for them than
``asyncio.to_thread``. All files are written with ``synchronous=FULL``. The shipper checks and encodes each play; the
others get text that is encoded in advance.
"""

from __future__ import annotations

import asyncio
import logging
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from statistics import median, quantiles

from attrs import frozen

from sevendigital_async import LogKind, SevenDigital, StreamLog, StreamLogShipper

from .optional import present
from .plays import made_up_plays, stream_log
from .report import Report, Row, Target
from .scale import Scale
from .server import AT_ONCE, Latency, serving
from .ship import KEY, SECRET, sqlite_spool
from .timing import Timing, median_cpu, timed

OURS, OURS_SHIPPING = "shipper, put", "shipper, put, while it ships"
PERSIST_QUEUE, LITEQUEUE = "persist-queue", "litequeue"
SILENT = Latency(3600.0, 3600.0)

PUTS_PER_SECOND = 60_000.0
P99_MS = 25.0
TIMES_THE_PEERS = 8.0
MOST = 256
FULL = 2
"""The value of SQLite's ``PRAGMA synchronous``."""


@frozen
class Size:
    """Puts of a round by the number of producers, those of the other queues, and the number of rounds."""

    ours: Mapping[int, int]
    others: int
    rounds: int


SIZES: Mapping[Scale, Size] = {
    Scale.FULL: Size({1: 3_000, 16: 30_000, MOST: 150_000}, 3_000, 5),
    Scale.QUICK: Size({1: 300, 16: 3_000, MOST: 25_000}, 300, 2),
    Scale.SMALLEST: Size({1: 20, 16: 64, MOST: 512}, 20, 1),
}


@frozen
class Round:
    """One run of a side: its times, and the seconds of each put."""

    timing: Timing
    seconds: Sequence[float]


Put = Callable[[str], object]
"""Puts a text; thread-safe."""


def run(scale: Scale) -> Report:
    """Run all sides in turn, each with a new file."""
    size = SIZES[scale]
    logs = list(map(stream_log, made_up_plays(max(size.ours.values()))))
    # Closing interrupts requests that get no answer, and each of them would be logged.
    logging.getLogger("sevendigital_async.shipping").setLevel(logging.ERROR)
    found: dict[tuple[str, int], list[Round]] = {}
    with tempfile.TemporaryDirectory() as folder, serving(SILENT) as silent, serving(AT_ONCE) as server:
        sides, notes = _sides(logs, size, silent, server)
        for number in range(size.rounds):
            for index, (side, measure) in enumerate(sides.items()):
                found.setdefault(side, []).append(measure(Path(folder, f"{number}-{index}.db")))
    return Report(
        "durable",
        f"single puts into a file, synchronous FULL, median of {size.rounds} rounds",
        [_row(name, producers, rounds, found) for (name, producers), rounds in found.items()],
        _targets(found),
        {f"{name}, {producers}": [_rate(one) for one in rounds] for (name, producers), rounds in found.items()},
        notes,
        chart="puts/s",
        labels=("side", "producers"),
    )


def _sides(
    logs: Sequence[StreamLog], size: Size, silent: str, server: str
) -> tuple[dict[tuple[str, int], Callable[[Path], Round]], list[str]]:
    texts = [log.encode().decode() for log in logs[: size.others]]
    notes = [f"{OURS}: to a server that does not answer, so that nothing is delivered meanwhile"]
    sides: dict[tuple[str, int], Callable[[Path], Round]] = {}
    for producers, puts in size.ours.items():
        for name, url in ((OURS, silent), (OURS_SHIPPING, server)):
            sides[name, producers] = (
                lambda path, url=url, producers=producers, puts=puts: asyncio.run(  # type: ignore[misc]
                    _by_shipper(url, path, logs[:puts], producers)
                )
            )
    for name, package, opened in (
        (PERSIST_QUEUE, "persistqueue", _persist_queue),
        (LITEQUEUE, "litequeue", _litequeue),
    ):
        if not present(package):
            notes.append(f"{name}: skipped, not installed")
            continue
        for producers in size.ours:
            sides[name, producers] = lambda path, opened=opened, producers=producers: _by_threads(  # type: ignore[misc]
                *opened(path), texts, producers
            )
    return sides, notes


async def _by_shipper(url: str, path: Path, logs: Sequence[StreamLog], producers: int) -> Round:
    seconds: list[float] = []
    source = iter(logs)

    async def produce() -> None:
        for log in source:
            began = time.perf_counter()
            await shipper.put(LogKind.CATALOGUE, log)
            seconds.append(time.perf_counter() - began)

    spool = sqlite_spool(path, "FULL")
    async with (
        SevenDigital(KEY, SECRET, base_url=url) as client,
        StreamLogShipper(client, spool=spool, close_timeout=0.0) as shipper,
    ):
        wall, cpu = time.perf_counter(), time.process_time()
        async with asyncio.TaskGroup() as tasks:
            for _ in range(producers):
                tasks.create_task(produce())
        timing = Timing(time.perf_counter() - wall, time.process_time() - cpu)
        put = (await shipper.statistics()).total.put
    _check(put, len(logs))
    return Round(timing, seconds)


def _by_threads(put: Put, count: Callable[[], int], texts: Sequence[str], producers: int) -> Round:
    seconds: list[float] = []
    source = _Shared(iter(texts))

    def produce() -> None:
        for text in source:
            began = time.perf_counter()
            put(text)
            seconds.append(time.perf_counter() - began)

    def side() -> None:
        threads = [threading.Thread(target=produce) for _ in range(producers)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

    timing = timed(side)
    _check(count(), len(texts))
    return Round(timing, seconds)


class _Shared(Iterator[str]):
    """An iterator that several threads share."""

    def __init__(self, source: Iterator[str]) -> None:
        self._source = source
        self._lock = threading.Lock()

    def __next__(self) -> str:
        with self._lock:
            return next(self._source)


def _persist_queue(path: Path) -> tuple[Put, Callable[[], int]]:
    from persistqueue import SQLiteQueue

    queue = SQLiteQueue(str(path), auto_commit=True, multithreading=True)
    _check(queue._putter.execute("PRAGMA synchronous").fetchone()[0], FULL)  # noqa: SLF001 - its default
    return queue.put, lambda: int(queue.size)


def _litequeue(path: Path) -> tuple[Put, Callable[[], int]]:
    from litequeue import LiteQueue

    queue = LiteQueue(path)
    queue.conn.execute("PRAGMA synchronous = FULL")
    return queue.put, lambda: int(queue.qsize())


def _check(found: int, expected: int) -> None:
    if found != expected:
        raise AssertionError(f"{found} instead of {expected}; the measurement is invalid")


def _rate(one: Round) -> float:
    return len(one.seconds) / one.timing.wall


def _p99(rounds: Sequence[Round]) -> float:
    """Return the milliseconds within which 99 % of the puts returned."""
    return median(quantiles(one.seconds, n=100, method="inclusive")[98] for one in rounds) * 1e3


def _row(name: str, producers: int, rounds: Sequence[Round], found: Mapping[tuple[str, int], Sequence[Round]]) -> Row:
    puts = len(rounds[0].seconds)
    return {
        "side": name,
        "producers": producers,
        "puts": puts,
        "puts/s": median(map(_rate, rounds)),
        "lowest": min(map(_rate, rounds)),
        "highest": max(map(_rate, rounds)),
        "CPU µs/put": median_cpu([one.timing for one in rounds]) / puts * 1e6,
        "p50 ms": median(median(one.seconds) for one in rounds) * 1e3,
        "p99 ms": _p99(rounds),
        "of the shipper": _times(rounds, found[OURS, producers]),
    }


def _times(ours: Sequence[Round], others: Sequence[Round]) -> float:
    return median(_rate(one) / _rate(other) for one, other in zip(ours, others, strict=True))


def _targets(found: Mapping[tuple[str, int], Sequence[Round]]) -> list[Target]:
    ours = found[OURS, MOST]
    return [
        Target(f"puts/s by {MOST} producers", median(map(_rate, ours)), at_least=PUTS_PER_SECOND),
        Target(f"p99 of a put by {MOST} producers, ms", _p99(ours), at_most=P99_MS),
        *(
            Target(f"shipper / {other}, {MOST} producers", _times(ours, found[other, MOST]), at_least=TIMES_THE_PEERS)
            for other in (PERSIST_QUEUE, LITEQUEUE)
            if (other, MOST) in found
        ),
    ]
