"""What a run shows while it works: percentages, rates, the time that remains, and lag."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from typing import Protocol, runtime_checkable

from attrs import define, field, frozen

from ...quantity import pluralize
from ...sources import Lag, StreamCounts, StreamProgress, TopicLag
from .display import ProgressBar
from .report import RunCounts

MAX_BARS = 10
"""Sources that are shown at once."""

RATE_WINDOW = 30.0
"""Seconds over which a rate is measured."""

MIN_RATE_WINDOW = 2.0
"""Seconds without which the time that remains is not estimated."""


@runtime_checkable
class HasProgress(Protocol):
    """A source whose streams have ends."""

    def progress(self) -> list[StreamProgress]: ...


@runtime_checkable
class HasLag(Protocol):
    """A source whose streams grow."""

    def lag(self) -> Lag | TopicLag: ...


@define
class RateMeter:
    """Measures how fast a count grows."""

    window: float = RATE_WINDOW
    _samples: deque[tuple[float, int]] = field(factory=deque)

    def add(self, count: int, now: float) -> None:
        while len(self._samples) > 1 and now - self._samples[0][0] > self.window:
            self._samples.popleft()
        self._samples.append((now, count))

    @property
    def seconds(self) -> float:
        return self._samples[-1][0] - self._samples[0][0] if self._samples else 0.0

    @property
    def rate(self) -> float:
        return (self._samples[-1][1] - self._samples[0][1]) / self.seconds if self.seconds else 0.0


@frozen
class Estimate:
    """How much of a run is done.

    Attributes:
        done: Bytes whose plays are delivered, buried or rejected, those of earlier runs included.
        total: Bytes in all; None if unknown.
        plays_left: Plays that are not delivered, as far as that can be known; None if it can't.
    """

    done: float
    total: int | None
    plays_left: float | None

    @classmethod
    def from_counts(cls, streams: Sequence[StreamProgress], read: int, done: int, waiting: int) -> Estimate:
        """Estimate from what was read until now."""
        before = sum(stream.start for stream in streams)
        size = sum(stream.read - stream.start for stream in streams)
        at = before + (size * min(1.0, done / read) if read else size)
        if not streams or any(stream.total is None for stream in streams):
            return cls(at, None, None)
        total = sum(stream.total or 0 for stream in streams)
        unread = sum((stream.total or 0) - stream.read for stream in streams)
        if unread > 0 and not size:
            return cls(at, total, None)
        return cls(at, total, waiting + (read * unread / size if unread > 0 else 0))

    def seconds_left(self, rate: float) -> float | None:
        """Return how long the rest takes at a rate; None if that can't be known."""
        if self.plays_left is None or not rate:
            return None
        return self.plays_left / rate


class ProgressMeter:
    """Makes bars of the counts of a run."""

    def __init__(
        self,
        name: str,
        source: object,
        streams: Mapping[str, StreamCounts],
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        self._name, self._source, self._streams, self._now = name, source, streams, now
        self._delivered = RateMeter()

    def bars(self, counts: RunCounts) -> list[ProgressBar]:
        """Return what to show; the first one is about the whole run."""
        self._delivered.add(counts.delivered, self._now())
        rejected = sum(stream.rejected for stream in self._streams.values())
        progress = self._source.progress() if isinstance(self._source, HasProgress) else []
        done = counts.delivered + counts.buried + rejected
        estimate = Estimate.from_counts(
            progress, counts.put + counts.from_earlier_runs + rejected, done, counts.waiting
        )
        facts = [
            f"{counts.delivered:,} delivered",
            f"{counts.waiting:,} waiting",
            *([f"{rejected:,} rejected"] if rejected else []),
            *([f"{counts.buried:,} buried"] if counts.buried else []),
            *([f"{counts.in_doubt:,} in doubt"] if counts.in_doubt else []),
            f"{self._delivered.rate:,.0f}/s",
        ]
        if isinstance(self._source, HasLag):
            facts.append(_lag_text(self._source.lag()))
        elif estimate.total:
            facts.insert(0, f"{100 * estimate.done / estimate.total:.0f} %")
        left = estimate.seconds_left(self._delivered.rate)
        if left and self._delivered.seconds >= MIN_RATE_WINDOW:
            facts.append(f"{format_duration(left)} left")
        whole = ProgressBar(self._name, estimate.done, estimate.total, ", ".join(facts))
        return [whole, *self._source_bars(progress)]

    def _source_bars(self, progress: Sequence[StreamProgress]) -> list[ProgressBar]:
        """Return one bar for each source, if there are several: those that are being read first."""
        if progress:
            if len(progress) < 2:  # noqa: PLR2004 - the bar of the whole run says it
                return []
            counts = {stream.label: stream for stream in self._streams.values()}
            if len(progress) > MAX_BARS:
                progress = [each for each in progress if each.label in counts and not each.is_finished]
            shown = [(each, counts.get(each.label, StreamCounts())) for each in progress[:MAX_BARS]]
            return [ProgressBar(each.label, each.read, each.total, _stream_text(count)) for each, count in shown]
        streams = [stream for stream in self._streams.values() if stream.records]
        latest = streams[-MAX_BARS:] if len(streams) > 1 else []
        return [ProgressBar(stream.label, 0, None, _stream_text(stream)) for stream in latest]


def _stream_text(counts: StreamCounts) -> str:
    rejected = f", {counts.rejected:,} rejected" if counts.rejected else ""
    return f"{counts.put:,} put{rejected}"


def _lag_text(lag: Lag | TopicLag) -> str:
    if isinstance(lag, TopicLag):
        return f"{pluralize(lag.messages, 'message')} behind, {pluralize(len(lag.partitions), 'partition')}"
    files = f"{pluralize(lag.files, 'file')} open"
    return f"{pluralize(lag.size, 'byte')} and {lag.seconds:.1f} s behind, {files}"


def format_duration(seconds: float) -> str:
    """Return a time span as text: ``40 s``, ``12 min``, ``3 h 20 min``, ``2 d 4 h``."""
    for limit, unit, name, part, part_name in (
        (172_800, 86_400, "d", 3_600, "h"),
        (3_600, 3_600, "h", 60, "min"),
        (100, 60, "min", 0, ""),
    ):
        if seconds >= limit:
            rest = int(seconds % unit // part) if part else 0
            return f"{int(seconds // unit)} {name}" + (f" {rest} {part_name}" if rest else "")
    return f"{seconds:.0f} s"
