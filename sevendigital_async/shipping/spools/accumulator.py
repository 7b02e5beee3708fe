"""The accumulator: waiting records of one kind, in a queue per signer, and which batch is next. No I/O.

A queue is in one of four states. Two heaps order the queues by time, so that neither timers nor the work of a call grow
with the number of users::

    LINGERING --full or old enough--> READY --take--> LEASED --release with a delay--> DELAYED --> READY
        ^                                                |
        +------------------ records are left ------------+   (no records left: the queue is deleted)
"""

from __future__ import annotations

import enum
import heapq
import itertools
from collections import deque
from collections.abc import Iterator, Sequence

from attrs import define, field

from ..records import PARTNER_QUEUE, Record, size_of
from ..rules import LaneRules

MAX_MOVES_PER_CALL = 64
"""Queues whose state one call changes at the most, so that a million due at once don't stall the loop."""


class State(enum.Enum):
    """The state of a queue."""

    LINGERING = enum.auto()
    READY = enum.auto()
    LEASED = enum.auto()
    DELAYED = enum.auto()


@define(eq=False)
class Queue:
    """Waiting records of one signer, oldest first."""

    name: str
    records: deque[Record] = field(factory=deque)
    size: int = 0
    state: State = State.LINGERING
    due_at: float = 0.0
    attempt: int = 0
    is_partner: bool = False


def cut_batch(records: deque[Record], rules: LaneRules) -> tuple[list[Record], int]:
    """Remove the next batch from waiting records; returns it and its bytes.

    This is the one rule, also for the SQLite and Redis spools: at most ``max_count`` records of together at most
    ``max_bytes``, but always one.
    """
    take = records.popleft
    batch = [take() for _ in range(min(rules.max_count, len(records)))]
    size = size_of(batch)
    while len(batch) > 1 and rules.is_exceeded_by(len(batch), size):
        size -= len(batch[-1].body)
        records.appendleft(batch.pop())
    return batch, size


class Accumulator:
    """The waiting records of one kind."""

    def __init__(self, rules: LaneRules) -> None:
        self._rules = rules
        self._queues: dict[str, Queue] = {}
        self._ready: deque[Queue] = deque()
        self._lingering: list[tuple[float, int, Queue]] = []
        self._delayed: list[tuple[float, int, Queue]] = []
        self._tie_breakers = itertools.count()

    def add(self, records: Sequence[Record], size: int) -> bool:
        """Append records, ``size`` bytes, to their queues; True when that may have made something due earlier."""
        if len(records) == 1:
            return self._extend(records[0].queue, records, size)
        names = {record.queue for record in records}
        if len(names) == 1:
            return self._extend(names.pop(), records, size)
        due_earlier = False
        for record in records:
            due_earlier |= self._extend(record.queue, (record,), len(record.body))
        return due_earlier

    @property
    def has_ready(self) -> bool:
        """A complete batch can be taken."""
        return bool(self._ready)

    def due_in(self, now: float, *, flush: bool) -> float | None:
        """Seconds until ``take`` may return a batch; None when nothing waits."""
        self._advance(now, flush=flush)
        if self._ready:
            return 0.0
        times = [heap[0][0] for heap in (self._lingering, self._delayed) if heap]
        return max(0.0, min(times) - now) if times else None

    def take_batch(self, now: float, *, flush: bool) -> tuple[Queue, list[Record]] | None:
        """Take the next batch out of the next queue."""
        self._advance(now, flush=flush)
        if not self._ready:
            return None
        queue = self._ready.popleft()
        batch, size = cut_batch(queue.records, self._rules)
        queue.size -= size
        if not queue.is_partner:
            queue.state = State.LEASED
            return queue, batch
        # The partner queue may have several leases; each batch gets its own queue to be released to.
        if queue.records:
            self._schedule(queue)
        else:
            del self._queues[queue.name]
        return Queue(queue.name, state=State.LEASED), batch

    def release(self, queue: Queue, records: list[Record], now: float, *, delay: float) -> None:
        """End a lease: put ``records``, in order, before those added since; let the queue wait for its delay."""
        queue.records.extendleft(reversed(records))
        queue.size += size_of(records)
        if not queue.records:
            if self._queues.get(queue.name) is queue:
                del self._queues[queue.name]
        elif delay > 0:
            queue.state = State.DELAYED
            queue.due_at = now + delay
            heapq.heappush(self._delayed, (queue.due_at, next(self._tie_breakers), queue))
        elif records:
            queue.state = State.READY
            self._ready.appendleft(queue)
        else:
            self._schedule(queue)

    def __iter__(self) -> Iterator[Record]:
        """Iterate over all records, queue by queue."""
        detached = [queue for _, _, queue in self._delayed] + list(self._ready)
        for queue in dict.fromkeys([*self._queues.values(), *detached]):
            yield from queue.records

    @property
    def oldest_put_at(self) -> float | None:
        """When the oldest record was put: a look at the head of each queue."""
        detached = [queue for _, _, queue in self._delayed] + list(self._ready)
        queues = itertools.chain(self._queues.values(), detached)
        return min((queue.records[0].put_at for queue in queues if queue.records), default=None)

    def count_delayed(self, until: float, last: int) -> int:
        """Count the records up to a sequence whose queue is delayed beyond a moment."""
        queues = {queue for _, _, queue in self._delayed if queue.state is State.DELAYED and queue.due_at > until}
        return sum(record.sequence <= last for queue in queues for record in queue.records)

    def _extend(self, name: str, records: Sequence[Record], size: int) -> bool:
        queue = self._queues.get(name)
        is_new = queue is None
        if queue is None:
            queue = self._queues[name] = Queue(name, is_partner=name == PARTNER_QUEUE)
        queue.records.extend(records)
        queue.size += size
        if is_new:
            self._schedule(queue)
        elif queue.state is State.LINGERING and self._is_full(queue):
            self._make_ready(queue)
        else:
            return False
        return True

    def _advance(self, now: float, *, flush: bool) -> None:
        for _ in range(MAX_MOVES_PER_CALL):
            delayed = self._head(self._delayed, State.DELAYED)
            if delayed is None or delayed.due_at > now:
                break
            heapq.heappop(self._delayed)
            delayed.state = State.READY
            self._ready.appendleft(delayed)
        for _ in range(MAX_MOVES_PER_CALL):
            lingering = self._head(self._lingering, State.LINGERING)
            if lingering is None or (lingering.due_at > now and not flush):
                break
            heapq.heappop(self._lingering)
            self._make_ready(lingering)

    @staticmethod
    def _head(heap: list[tuple[float, int, Queue]], state: State) -> Queue | None:
        while heap:
            due_at, _, queue = heap[0]
            if queue.state is state and queue.due_at == due_at and queue.records:
                return queue
            heapq.heappop(heap)  # an outdated entry: the queue has changed since
        return None

    def _schedule(self, queue: Queue) -> None:
        """Make a queue ready if its records fill a batch, and lingering if not."""
        if self._is_full(queue):
            self._make_ready(queue)
            return
        queue.state = State.LINGERING
        queue.due_at = queue.records[0].put_at + self._rules.linger
        heapq.heappush(self._lingering, (queue.due_at, next(self._tie_breakers), queue))

    def _make_ready(self, queue: Queue) -> None:
        queue.state = State.READY
        self._ready.append(queue)

    def _is_full(self, queue: Queue) -> bool:
        return self._rules.is_full(len(queue.records), queue.size)
