"""Measure sides in turn, so that other load on the machine affects all of them alike; medians and ratios."""

from __future__ import annotations

import gc
import time
from collections.abc import Callable, Mapping, Sequence
from statistics import median

from attrs import frozen

Side = Callable[[], object]


@frozen
class Timing:
    """One run of one side: wall-clock seconds, and processor seconds of this process."""

    wall: float
    cpu: float


def run_in_turn(sides: Mapping[str, Side], rounds: int) -> dict[str, list[Timing]]:
    """Run every side once per round, starting each round with a different side, after one warm-up round."""
    names = list(sides)
    timings: dict[str, list[Timing]] = {name: [] for name in names}
    for number in range(-1, rounds):
        start = number % len(names)
        for name in names[start:] + names[:start]:
            gc.collect()
            timing = timed(sides[name])
            if number >= 0:
                timings[name].append(timing)
    return timings


def timed(side: Side) -> Timing:
    """Run a side once and time it."""
    wall, cpu = time.perf_counter(), time.process_time()
    side()
    return Timing(time.perf_counter() - wall, time.process_time() - cpu)


def repeated(action: Callable[[], object], times: int) -> Side:
    """Return a side that calls ``action`` several times."""

    def side() -> None:
        for _ in range(times):
            action()

    return side


def median_wall(timings: Sequence[Timing]) -> float:
    """Return the median of the wall-clock seconds."""
    return median(timing.wall for timing in timings)


def median_cpu(timings: Sequence[Timing]) -> float:
    """Return the median of the processor seconds."""
    return median(timing.cpu for timing in timings)


def times_as_long(timings: Sequence[Timing], others: Sequence[Timing]) -> float:
    """Return the median over the rounds of the ratio of one side's time to the other's."""
    return median(one.wall / other.wall for one, other in zip(timings, others, strict=True))
