"""The index in memory: counts, capacity, and when batches are due. It changes only after the file has changed."""

from __future__ import annotations

import heapq
import itertools
from collections import deque
from collections.abc import Mapping, Sequence

from attrs import define, field, fields, frozen

from ....models import LogKind
from ...records import Counts, Record, size_of
from ...rules import LaneRules
from ..accumulator import cut_batch
from ..base import SpoolContext, WatermarkPosition, WatermarkPositions
from ..capacity import Capacity

MAX_CACHED = 10_000
"""Plays of a partner queue that are kept in memory after an append, so that they need not be read back."""


@frozen(order=True)
class ReleasedBatch:
    """A batch of a partner queue that was released.

    Attributes:
        due: When it may be leased again.
        tie_breaker: Orders batches that are due at the same time.
        attempt: How often it has failed in a row.
        records: The plays, in order.
    """

    due: float
    tie_breaker: int
    attempt: int = field(order=False)
    records: Sequence[Record] = field(order=False, repr=False)


@define(eq=False)
class PartnerQueue:
    """The plays of a partner queue that are not leased.

    The file has them all until they are settled; this says where to read. Plays that have just been appended are
    cached, as long as no other plays wait. Times are those of the spool's clock.

    Attributes:
        id: Id of the queue in the file.
        logs: Waiting plays that have not been leased since the file was opened.
        size: Bytes of them.
        cursor: The sequence number from which they are stored.
    """

    id: int
    _rules: LaneRules
    logs: int = 0
    size: int = 0
    cursor: int = 0
    _cached: deque[Record] = field(init=False, factory=deque)
    _arrivals: deque[tuple[int, float]] = field(init=False, factory=deque)
    _arrived_logs: int = field(init=False, default=0)
    _ready_since: float | None = field(init=False, default=None)
    _released: list[ReleasedBatch] = field(init=False, factory=list)
    _tie_breakers: itertools.count[int] = field(init=False, factory=itertools.count)

    def add(self, records: Sequence[Record], size: int, now: float) -> None:
        """Plays have been appended."""
        if len(self._cached) == self.logs and self.logs + len(records) <= MAX_CACHED:
            self._cached.extend(records)
        self.add_stored(len(records), size, now)

    def add_stored(self, logs: int, size: int, now: float) -> None:
        """Plays are in the file that are not cached."""
        self.logs += logs
        self.size += size
        self._arrivals.append((logs, now))
        self._arrived_logs += logs
        # Only when the oldest play of an incomplete batch arrived matters, so the last few arrivals are enough.
        while self._arrived_logs - self._arrivals[0][0] >= self._rules.max_count:
            self._arrived_logs -= self._arrivals.popleft()[0]
        if self._ready_since is None and self._is_full:
            self._ready_since = now

    def due(self, now: float, *, flush: bool) -> float | None:
        """Return when the next batch is due, in the past or in the future; None if there is none."""
        moments = [batch.due for batch in self._released[:1]]
        if self.logs:
            moments.append(_fresh_due(self._first_due(), now, self._rules, flush=flush))
        return min(moments, default=None)

    def take_released(self, now: float) -> ReleasedBatch | None:
        """Take the released batch that has been due for longest."""
        if self._released and self._released[0].due <= now:
            return heapq.heappop(self._released)
        return None

    def take_cached(self, now: float) -> list[Record]:
        """Take the next batch if it is cached; an empty list if it must be read from the file."""
        if len(self._cached) < min(self._rules.max_count, self.logs):
            return []  # there is more of this batch in the file
        return self._cut(now)

    def take_from_file(self, records: Sequence[Record], now: float) -> list[Record]:
        """Take the next batch of plays that have been read back, and cache the others."""
        self._cached = deque(records)
        return self._cut(now)

    def _cut(self, now: float) -> list[Record]:
        batch, size = cut_batch(self._cached, self._rules)
        if batch:
            self.logs -= len(batch)
            self.size -= size
            self.cursor = batch[-1].sequence + 1
            # The next batch is due after the batches that are complete by now.
            self._ready_since = now if self._is_full else None
        return batch

    def release(self, records: Sequence[Record], due: float, attempt: int) -> None:
        """Keep a batch that was released."""
        heapq.heappush(self._released, ReleasedBatch(due, next(self._tie_breakers), attempt, records))

    @property
    def oldest(self) -> int | None:
        """The sequence number of the first waiting play; None if there is none."""
        numbers = [batch.records[0].sequence for batch in self._released]
        return min([*numbers, self.cursor] if self.logs else numbers, default=None)

    @property
    def _is_full(self) -> bool:
        return self._rules.is_full(self.logs, self.size)

    def _first_due(self) -> float:
        if self._ready_since is not None:
            return self._ready_since
        behind = self._arrived_logs - self.logs
        for logs, arrived in self._arrivals:
            behind -= logs
            if behind < 0:
                return arrived + self._rules.linger
        raise AssertionError("waiting plays have no arrival time")


@frozen
class DueTimes:
    """When the next batches of signers may be leased, by the spool's clock; None if there are none.

    Attributes:
        fresh: The first batch that is complete or lingers.
        delayed: The first batch that was released with a delay.
    """

    fresh: float | None
    delayed: float | None

    def at(self, now: float, rules: LaneRules, *, flush: bool) -> float | None:
        """Return when the next batch is due, in the past or in the future; None if there is none."""
        if self.fresh is None:
            return self.delayed
        fresh = _fresh_due(self.fresh, now, rules, flush=flush)
        return fresh if self.delayed is None else min(fresh, self.delayed)


def _fresh_due(due: float, now: float, rules: LaneRules, *, flush: bool) -> float:
    """Return when a batch that lingers, or is complete, is due: with ``flush``, when its first play arrived."""
    return min(due - rules.linger, now) if flush and due > now else due


@frozen
class RecoveredLane:
    """The state of one kind when the file is opened.

    Attributes:
        counts: The columns of its row in table ``lane``, by name.
        queue: Id of the partner queue.
        due: When batches of signers are due.
    """

    counts: Mapping[str, int]
    queue: int
    due: DueTimes


@frozen
class RecoveredSpool:
    """The state of a file when it is opened, after recovery.

    Attributes:
        clock: Seconds on the spool's clock when the file was last written.
        next_sequence: Sequence number of the next play.
        lanes: By kind.
        recovered: Plays that were being sent when the last process died, by kind.
    """

    clock: float
    next_sequence: int
    lanes: Mapping[LogKind, RecoveredLane]
    recovered: Mapping[LogKind, int]


@define(eq=False)
class SpoolIndex:
    """Counts, capacity, and when batches are due.

    Attributes:
        capacity: How many plays, and bytes, may be stored.
        context: The lane rules, the clock and the callbacks.
        partner_queues: By kind.
        due: When batches of signers are due, by kind.
        visible_before: Plays with smaller sequence numbers are acknowledged; others may still be withdrawn, and must
            not be leased.
        next_sequence: The sequence number of the next play.
    """

    capacity: Capacity
    context: SpoolContext
    partner_queues: dict[LogKind, PartnerQueue] = field(init=False, factory=dict)
    due: dict[LogKind, DueTimes] = field(init=False, factory=dict)
    visible_before: int = field(init=False, default=1)
    next_sequence: int = field(init=False, default=1)
    _positions: dict[LogKind, WatermarkPositions] = field(init=False, factory=dict)
    _counts: dict[LogKind, dict[str, int]] = field(init=False, factory=dict)
    _clock_offset: float = field(init=False, default=0.0)
    _alert: str | None = field(init=False, default=None)

    def load(self, recovered: RecoveredSpool) -> None:
        """Load the state of the file."""
        self.visible_before = self.next_sequence = recovered.next_sequence
        self._positions = {kind: WatermarkPositions() for kind in LogKind}
        self._clock_offset = recovered.clock - self.context.clock.monotonic()
        names = {state.name for state in fields(Counts)}
        for kind, lane in recovered.lanes.items():
            self._counts[kind] = dict.fromkeys(names, 0) | {
                name: number for name, number in lane.counts.items() if name in names
            }
            self.capacity.occupy(lane.counts["stored_logs"], lane.counts["stored_size"])
            self.partner_queues[kind] = PartnerQueue(lane.queue, self.context.rules[kind])
            if lane.counts["partner_logs"]:
                self.partner_queues[kind].add_stored(lane.counts["partner_logs"], lane.counts["partner_size"], self.now)
            self.due[kind] = lane.due

    @property
    def now(self) -> float:
        """Seconds on the spool's clock, which continues where it stopped when the file was closed."""
        return self.context.clock.monotonic() + self._clock_offset

    def assign_sequences(self, arrivals: Mapping[LogKind, Mapping[str, Sequence[Record]]]) -> None:
        """Assign sequence numbers, queue by queue; there may be gaps, but no number is used twice."""
        for queues in arrivals.values():
            for records in queues.values():
                for number, record in enumerate(records, self.next_sequence):
                    record.sequence = number
                self.next_sequence += len(records)

    def add_watermark(self, kind: LogKind, hidden: int) -> WatermarkPosition:
        """Mark which plays lanes can see; ``hidden`` plays count as waiting but are not visible yet."""
        counts = self._counts[kind]
        return self._positions[kind].add(self.visible_before - 1, counts["waiting"] + counts["in_flight"] - hidden)

    def update_watermarks(self, kind: LogKind, records: Sequence[Record]) -> None:
        """Plays were delivered, buried or held."""
        self._positions[kind].count_settled(records)

    def report(self, alert: str | None) -> None:
        """Report once why the file can't be written; None when it is writable again."""
        if (alert is None) is not (self._alert is None):
            self.context.report(alert)
        self._alert = alert

    def add_appended(self, kind: LogKind, partner_records: Sequence[Record], put_at: float) -> None:
        """Plays of an append became visible; ``partner_records`` are those of the partner queue."""
        if partner_records:
            self.partner_queues[kind].add(partner_records, size_of(partner_records), put_at)
        self.context.wake(kind)

    def change_counts(self, kind: LogKind, **changes: int) -> None:
        """Add to the counts of a kind."""
        counts = self._counts[kind]
        for state, change in changes.items():
            counts[state] += change

    def counts(self, kind: LogKind) -> Counts:
        """Return how many plays of a kind are in which state."""
        return Counts(**self._counts[kind])

    def next_due(self, kind: LogKind, now: float, *, flush: bool) -> tuple[float | None, float | None]:
        """Return when the next batch of the partner queue is due, and the next one of a signer; None if none is."""
        return (
            self.partner_queues[kind].due(now, flush=flush),
            self.due[kind].at(now, self.context.rules[kind], flush=flush),
        )

    def due_in(self, kind: LogKind, *, flush: bool) -> float | None:
        """Seconds until a batch may be taken; None if there is none."""
        flush, now = flush or self.is_stuck, self.now
        moments = [moment for moment in self.next_due(kind, now, flush=flush) if moment is not None]
        return max(0.0, min(moments) - now) if moments else None

    @property
    def is_stuck(self) -> bool:
        """Whether the spool is full of incomplete batches while appends wait for capacity: don't linger then."""
        if not self.capacity.is_wanted:
            return False
        now = self.now
        due = [moment for kind in LogKind for moment in self.next_due(kind, now, flush=False)]
        return all(moment is None or moment > now for moment in due)
