"""What is known in memory of the plays in the file; it changes only after the file has."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from attrs import define, field, fields

from ...models import LogKind
from ..capacity import Capacity
from ..records import Counts, Record, size_of
from ..spool import Owner
from ..watermark import Mark, Marks
from .recovery import Opened
from .shared import SharedQueue
from .statements import Due


@define(eq=False)
class Stock:
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
    owner: Owner
    shared: dict[LogKind, SharedQueue] = field(init=False, factory=dict)
    due: dict[LogKind, Due] = field(init=False, factory=dict)
    settled: int = field(init=False, default=1)
    next: int = field(init=False, default=1)
    _marks: dict[LogKind, Marks] = field(init=False, factory=dict)
    _counts: dict[LogKind, dict[str, int]] = field(init=False, factory=dict)
    _clock_offset: float = field(init=False, default=0.0)
    _trouble: str | None = field(init=False, default=None)

    def begin(self, opened: Opened) -> None:
        """Take over what the file says."""
        self.settled = self.next = opened.next
        self._marks = {kind: Marks() for kind in LogKind}
        self._clock_offset = opened.clock - self.owner.clock.monotonic()
        names = {place.name for place in fields(Counts)}
        for kind, lane in opened.lanes.items():
            self._counts[kind] = dict.fromkeys(names, 0) | {
                name: number for name, number in lane.counts.items() if name in names
            }
            self.capacity.occupy(lane.counts["kept"], lane.counts["size"])
            self.shared[kind] = SharedQueue(lane.queue, self.owner.rules[kind])
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

    def mark(self, kind: LogKind, unsettled: int) -> Mark:
        """Mark the plays that lanes can see; ``unsettled`` count as waiting and can't be seen yet."""
        counts = self._counts[kind]
        return self._marks[kind].add(self.settled - 1, counts["waiting"] + counts["in_flight"] - unsettled)

    def pass_marks(self, kind: LogKind, records: Sequence[Record]) -> None:
        """Plays were delivered, buried or held."""
        self._marks[kind].settled(records)

    def report(self, trouble: str | None) -> None:
        """Say what keeps the file from being written, once; None when that is over."""
        if (trouble is None) is not (self._trouble is None):
            self.owner.report(trouble)
        self._trouble = trouble

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
