"""What memory knows of the file: counts, capacity, and when batches are due; it changes only after the file has."""

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
from .recovery import Opened
from .statements import Due

MAX_AT_HAND = 10_000
"""Plays that are kept in memory although the file has them, so that they need not be read back."""

READ_AHEAD = 4_000
"""Plays that are read back at once; to wait for the file once a batch would keep a lane to a few hundred a second."""


@frozen(order=True)
class Returned:
    """A batch that came back undelivered.

    Attributes:
        due: When it may be taken again.
        tie: Which came back first.
        attempt: How often it has failed in a row.
        records: The plays, in order.
    """

    due: float
    tie: int
    attempt: int = field(order=False)
    records: Sequence[Record] = field(order=False, repr=False)


@define(eq=False)
class PartnerQueue:
    """Which plays of a queue have not been handed out yet.

    The file has them all until they are settled; this says where to read on. What has just been written is still at
    hand and need not be read back, as long as that is all there is. Times are those of the spool's clock.

    Attributes:
        id: Of the queue in the file.
        logs: Plays that wait and never were handed out since the file was opened.
        size: Bytes of them.
        cursor: The number from which on they are.
    """

    id: int
    _rules: LaneRules
    logs: int = 0
    size: int = 0
    cursor: int = 0
    _at_hand: deque[Record] = field(init=False, factory=deque)
    _arrivals: deque[tuple[int, float]] = field(init=False, factory=deque)
    _latest: int = field(init=False, default=0)
    _ready_since: float | None = field(init=False, default=None)
    _returned: list[Returned] = field(init=False, factory=list)
    _ties: itertools.count[int] = field(init=False, factory=itertools.count)

    def add(self, records: Sequence[Record], size: int, now: float) -> None:
        """Plays have been written."""
        if len(self._at_hand) == self.logs and self.logs + len(records) <= MAX_AT_HAND:
            self._at_hand.extend(records)
        self.found(len(records), size, now)

    def found(self, logs: int, size: int, now: float) -> None:
        """Plays are in the file."""
        self.logs += logs
        self.size += size
        self._arrivals.append((logs, now))
        self._latest += logs
        # Only when the oldest play of an incomplete batch arrived matters, so the last few arrivals are enough.
        while self._latest - self._arrivals[0][0] >= self._rules.max_count:
            self._latest -= self._arrivals.popleft()[0]
        if self._ready_since is None and self._is_full:
            self._ready_since = now

    def due(self, now: float, *, flush: bool) -> float | None:
        """Say since when, or from when on, a batch can be taken; None if there is none."""
        moments = [batch.due for batch in self._returned[:1]]
        if self.logs:
            fresh = self._fresh_due()
            moments.append(min(fresh - self._rules.linger, now) if flush and fresh > now else fresh)
        return min(moments, default=None)

    def take_returned(self, now: float) -> Returned | None:
        """Take the batch that came back and has rested for longest."""
        if self._returned and self._returned[0].due <= now:
            return heapq.heappop(self._returned)
        return None

    def take_at_hand(self, now: float) -> list[Record]:
        """Take the next batch if it need not be read from the file; nothing if it must."""
        if len(self._at_hand) < min(self._rules.max_count, self.logs):
            return []  # there is more of this batch in the file
        return self._cut(now)

    def take_read(self, records: Sequence[Record], now: float) -> list[Record]:
        """Take the next batch of plays that have been read back, and keep the others at hand."""
        self._at_hand = deque(records)
        return self._cut(now)

    def _cut(self, now: float) -> list[Record]:
        at_hand = self._at_hand
        batch, size = cut_batch(at_hand, self._rules)
        if batch:
            self.logs -= len(batch)
            self.size -= size
            self.cursor = batch[-1].sequence + 1
            # The next batch stands in line behind whoever has been ready by now.
            self._ready_since = now if self._is_full else None
        return batch

    def give_back(self, records: Sequence[Record], due: float, attempt: int) -> None:
        """Keep a batch that came back."""
        heapq.heappush(self._returned, Returned(due, next(self._ties), attempt, records))

    @property
    def oldest(self) -> int | None:
        """The number of the first play that waits; None if none does."""
        numbers = [batch.records[0].sequence for batch in self._returned]
        return min([*numbers, self.cursor] if self.logs else numbers, default=None)

    @property
    def _is_full(self) -> bool:
        return self._rules.is_full(self.logs, self.size)

    def _fresh_due(self) -> float:
        if self._ready_since is not None:
            return self._ready_since
        behind = self._latest - self.logs
        for logs, arrived in self._arrivals:
            behind -= logs
            if behind < 0:
                return arrived + self._rules.linger
        raise AssertionError("what waits has arrived")


@define(eq=False)
class SpoolIndex:
    """Counts, room, and when batches are due.

    Attributes:
        capacity: Room for plays.
        owner: Whose spool this is.
        shared: The partner's own queues, by kind.
        due: When batches of signers may be taken, by kind.
        settled: Plays with smaller numbers were acknowledged; others may still be withdrawn, and must not be leased.
        next: The number of the next play.
    """

    capacity: Capacity
    owner: SpoolContext
    shared: dict[LogKind, PartnerQueue] = field(init=False, factory=dict)
    due: dict[LogKind, Due] = field(init=False, factory=dict)
    settled: int = field(init=False, default=1)
    next: int = field(init=False, default=1)
    _marks: dict[LogKind, WatermarkPositions] = field(init=False, factory=dict)
    _counts: dict[LogKind, dict[str, int]] = field(init=False, factory=dict)
    _clock_offset: float = field(init=False, default=0.0)
    _alert: str | None = field(init=False, default=None)

    def begin(self, opened: Opened) -> None:
        """Take over what the file says."""
        self.settled = self.next = opened.next
        self._marks = {kind: WatermarkPositions() for kind in LogKind}
        self._clock_offset = opened.clock - self.owner.clock.monotonic()
        names = {place.name for place in fields(Counts)}
        for kind, lane in opened.lanes.items():
            self._counts[kind] = dict.fromkeys(names, 0) | {
                name: number for name, number in lane.counts.items() if name in names
            }
            self.capacity.occupy(lane.counts["kept"], lane.counts["size"])
            self.shared[kind] = PartnerQueue(lane.queue, self.owner.rules[kind])
            if lane.counts["shared"]:
                self.shared[kind].found(lane.counts["shared"], lane.counts["shared_size"], self.now)
            self.due[kind] = lane.due

    @property
    def now(self) -> float:
        """Seconds on the spool's clock, which goes on where it stopped when the file was closed."""
        return self.owner.clock.monotonic() + self._clock_offset

    def number(self, arrivals: Mapping[LogKind, Mapping[str, Sequence[Record]]]) -> None:
        """Give plays their numbers, queue by queue; numbers may be left out, but never come twice."""
        for queues in arrivals.values():
            for records in queues.values():
                for number, record in enumerate(records, self.next):
                    record.sequence = number
                self.next += len(records)

    def mark(self, kind: LogKind, unsettled: int) -> WatermarkPosition:
        """Mark the plays that lanes can see; ``unsettled`` count as waiting and can't be seen yet."""
        counts = self._counts[kind]
        return self._marks[kind].add(self.settled - 1, counts["waiting"] + counts["in_flight"] - unsettled)

    def pass_marks(self, kind: LogKind, records: Sequence[Record]) -> None:
        """Plays were delivered, buried or held."""
        self._marks[kind].count_settled(records)

    def report(self, alert: str | None) -> None:
        """Say what keeps the file from being written, once; None when that is over."""
        if (alert is None) is not (self._alert is None):
            self.owner.report(alert)
        self._alert = alert

    def arrived(self, kind: LogKind, shared: Sequence[Record], put_at: float) -> None:
        """Plays are in the file; ``shared`` are those of the partner's own queue."""
        if shared:
            self.shared[kind].add(shared, size_of(shared), put_at)
        self.owner.wake(kind)

    def move(self, kind: LogKind, **changes: int) -> None:
        """Add to the counts of a kind."""
        counts = self._counts[kind]
        for place, change in changes.items():
            counts[place] += change

    def counts(self, kind: LogKind) -> Counts:
        """Say where the plays of a kind are."""
        return Counts(**self._counts[kind])

    def due_in(self, kind: LogKind, *, flush: bool) -> float | None:
        """Seconds until a batch may be taken; None if there is none."""
        flush, now = flush or self.is_stuck, self.now
        due = [self.shared[kind].due(now, flush=flush), self.due[kind].at(now, self.owner.rules[kind], flush=flush)]
        moments = [moment for moment in due if moment is not None]
        return max(0.0, min(moments) - now) if moments else None

    @property
    def is_stuck(self) -> bool:
        """Full of incomplete batches, while plays that would complete them wait for room: don't linger."""
        if not self.capacity.is_wanted:
            return False
        now = self.now
        due = [queue.due(now, flush=False) for queue in self.shared.values()]
        due += [signers.at(now, self.owner.rules[kind], flush=False) for kind, signers in self.due.items()]
        return all(moment is None or moment > now for moment in due)

    def wake_all(self) -> None:
        """Let all lanes look again."""
        for kind in LogKind:
            self.owner.wake(kind)
