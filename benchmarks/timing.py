"""Sides measured in turns, so that what the machine does besides hits all of them alike; medians and ratios."""

from __future__ import annotations

import gc
import time
from collections.abc import Callable, Mapping, Sequence
from statistics import median

from attrs import frozen

Side = Callable[[], object]


@frozen
class Timing:
    """One run of one side: seconds by the clock, and seconds of this process's own processor time."""

    wall: float
    cpu: float


def in_turns(sides: Mapping[str, Side], rounds: int) -> dict[str, list[Timing]]:
    """Run every side once a round, each round beginning with another one, after a round that doesn't count."""
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
    """Run a side."""
    wall, cpu = time.perf_counter(), time.process_time()
    side()
    return Timing(time.perf_counter() - wall, time.process_time() - cpu)


def repeated(action: Callable[[], object], times: int) -> Side:
    """Return a side that does ``action`` so many times."""

    def side() -> None:
        for _ in range(times):
            action()

    return side


def median_wall(timings: Sequence[Timing]) -> float:
    """Return the median of the seconds by the clock."""
    return median(timing.wall for timing in timings)


def median_cpu(timings: Sequence[Timing]) -> float:
    """Return the median of the seconds of processor time."""
    return median(timing.cpu for timing in timings)


def times_as_long(timings: Sequence[Timing], others: Sequence[Timing]) -> float:
    """Return the median, over the rounds, of how many times as long one side took as the other."""
    return median(one.wall / other.wall for one, other in zip(timings, others, strict=True))
