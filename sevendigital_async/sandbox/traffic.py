"""The last minutes of the logging operations, second by second, for the page at ``/``."""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter
from collections.abc import Iterator
from typing import Any

from attrs import Factory, define

from ..models.stream_log import LogKind

WINDOW_SECONDS = 180
"""Seconds that are kept."""

BATCH_SIZE_BOUNDS = (1, 5, 10, 19, 20, 50, 100, 200, 499, 500)
"""Upper bounds of the classes of batch sizes, in logs; one more class is above them."""

LATENCY_BOUNDS = (0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0)
"""Upper bounds of the classes of latency, in seconds; one more class is above them."""


@define
class TrafficSecond:
    """What happened in one second of the sandbox's monotonic clock, by kind of log or by class of a histogram."""

    second: int
    requests: Counter[LogKind] = Factory(Counter)
    busiest_second: Counter[LogKind] = Factory(Counter)
    logs: Counter[LogKind] = Factory(Counter)
    answers: Counter[str] = Factory(Counter)
    batch_sizes: Counter[tuple[LogKind, int]] = Factory(Counter)
    latencies: Counter[int] = Factory(Counter)

    def tree(self) -> dict[str, Any]:
        return {
            "second": self.second,
            "requests": _by_kind(self.requests),
            "busiest_second": _by_kind(self.busiest_second),
            "logs": _by_kind(self.logs),
            "answers": dict(self.answers),
        }


class Traffic:
    """Keeps the last :data:`WINDOW_SECONDS` seconds. All moments are seconds on the sandbox's monotonic clock."""

    def __init__(self) -> None:
        self._seconds: dict[int, TrafficSecond] = {}

    def record_arrival(self, kind: LogKind, moment: float, requests_in_last_second: int) -> None:
        second = self._second_at(moment)
        second.requests[kind] += 1
        second.busiest_second[kind] = max(second.busiest_second[kind], requests_in_last_second)

    def record_logs(self, kind: LogKind, moment: float, *, logs: int, saved: int) -> None:
        second = self._second_at(moment)
        second.batch_sizes[kind, bisect_left(BATCH_SIZE_BOUNDS, logs)] += 1
        second.logs[kind] += saved

    def record_response(self, moment: float, *, status: int | str, latency: float) -> None:
        second = self._second_at(moment)
        second.answers[str(status)] += 1
        second.latencies[bisect_left(LATENCY_BOUNDS, latency)] += 1

    def tree(self, now: float) -> dict[str, Any]:
        """Return the seconds in which something happened, and the histograms over all of them, for JSON."""
        seconds = [self._seconds[number] for number in sorted(self._seconds) if int(now) - WINDOW_SECONDS < number]
        sizes, latencies = _total(each.batch_sizes for each in seconds), _total(each.latencies for each in seconds)
        return {
            "now": int(now),
            "window": WINDOW_SECONDS,
            "seconds": [second.tree() for second in seconds],
            "batch_sizes": {
                "up_to": [*BATCH_SIZE_BOUNDS, None],
                "requests": {
                    kind.value: [sizes[kind, size] for size in range(len(BATCH_SIZE_BOUNDS) + 1)] for kind in LogKind
                },
            },
            "latencies": {
                "up_to": [*LATENCY_BOUNDS, None],
                "requests": [latencies[each] for each in range(len(LATENCY_BOUNDS) + 1)],
            },
        }

    def _second_at(self, moment: float) -> TrafficSecond:
        number = int(moment)
        if number not in self._seconds:
            self._seconds[number] = TrafficSecond(number)
            # A slow request is counted in the second in which it arrived, so the newest second may not be this one.
            oldest = max(self._seconds) - WINDOW_SECONDS
            self._seconds = {each: second for each, second in self._seconds.items() if oldest < each}
        return self._seconds.get(number) or TrafficSecond(number)


def _by_kind(counts: Counter[LogKind]) -> dict[str, int]:
    return {kind.value: count for kind, count in counts.items()}


def _total(counters: Iterator[Counter[Any]]) -> Counter[Any]:
    total: Counter[Any] = Counter()
    for counter in counters:
        total.update(counter)
    return total
