"""Which batch is next: the waiting records of one kind, a queue per signer. A plain data structure, no I/O.

A queue is in one of five states. Time moves it on through two heaps, so that neither timers nor work per call grow
with the number of users::

    LINGERING --full or old enough--> READY --take--> LEASED --give back--> RESTING --rested--> READY
        ^                                                |
        +------------------ records are left ------------+   (no records left: the queue is forgotten)
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

MOVED_PER_CALL = 64
"""Queues that one call moves on at the most, so that a million due at once don't stall the loop."""


class State(enum.Enum):
    """Where a queue stands."""

    LINGERING = enum.auto()
    READY = enum.auto()
    LEASED = enum.auto()
    RESTING = enum.auto()


@define(eq=False)
class Queue:
    """Waiting records of one signer, oldest first."""

    name: str
    records: deque[Record] = field(factory=deque)
    size: int = 0
    state: State = State.LINGERING
    due_at: float = 0.0
    attempt: int = 0
    shared: bool = False


class Accumulator:
    """The waiting records of one kind."""

    def __init__(self, rules: LaneRules) -> None:
        self._rules = rules
        self._queues: dict[str, Queue] = {}
        self._ready: deque[Queue] = deque()
        self._lingering: list[tuple[float, int, Queue]] = []
        self._resting: list[tuple[float, int, Queue]] = []
        self._ties = itertools.count()

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
        """A batch can be taken without waiting for company."""
        return bool(self._ready)

    def due_in(self, now: float, *, flush: bool) -> float | None:
        """Seconds until ``take`` may return something; None when nothing waits."""
        self._advance(now, flush=flush)
        if self._ready:
            return 0.0
        times = [heap[0][0] for heap in (self._lingering, self._resting) if heap]
        return max(0.0, min(times) - now) if times else None

    def take(self, now: float, *, flush: bool) -> tuple[Queue, list[Record]] | None:
        """Take the next batch out of the next queue."""
        self._advance(now, flush=flush)
        if not self._ready:
            return None
        queue = self._ready.popleft()
        batch = self._cut(queue)
        if not queue.shared:
            queue.state = State.LEASED
            return queue, batch
        # The shared queue goes on while its batch is away; the batch gets a queue of its own to return to.
        if queue.records:
            self._file(queue)
        else:
            del self._queues[queue.name]
        return Queue(queue.name, state=State.LEASED), batch

    def give_back(self, queue: Queue, records: list[Record], now: float, *, delay: float) -> None:
        """End a lease: put ``records``, in order, before what has come since; let the queue rest."""
        queue.records.extendleft(reversed(records))
        queue.size += size_of(records)
        if not queue.records:
            if self._queues.get(queue.name) is queue:
                del self._queues[queue.name]
        elif delay > 0:
            queue.state = State.RESTING
            queue.due_at = now + delay
            heapq.heappush(self._resting, (queue.due_at, next(self._ties), queue))
        elif records:
            queue.state = State.READY
            self._ready.appendleft(queue)
        else:
            self._file(queue)

    def __iter__(self) -> Iterator[Record]:
        """Iterate over all records, queue by queue."""
        apart = [queue for _, _, queue in self._resting] + list(self._ready)
        for queue in dict.fromkeys([*self._queues.values(), *apart]):
            yield from queue.records

    @property
    def oldest_put_at(self) -> float | None:
        """When the oldest record was put: a look at the head of each queue."""
        apart = [queue for _, _, queue in self._resting] + list(self._ready)
        queues = itertools.chain(self._queues.values(), apart)
        return min((queue.records[0].put_at for queue in queues if queue.records), default=None)

    def resting(self, until: float, last: int) -> int:
        """Count the records up to a sequence whose queue rests beyond a moment."""
        queues = {queue for _, _, queue in self._resting if queue.state is State.RESTING and queue.due_at > until}
        return sum(record.sequence <= last for queue in queues for record in queue.records)

    def _extend(self, name: str, records: Sequence[Record], size: int) -> bool:
        queue = self._queues.get(name)
        is_new = queue is None
        if queue is None:
            queue = self._queues[name] = Queue(name, shared=name == PARTNER_QUEUE)
        queue.records.extend(records)
        queue.size += size
        if is_new:
            self._file(queue)
        elif queue.state is State.LINGERING and self._is_full(queue):
            self._make_ready(queue)
        else:
            return False
        return True

    def _cut(self, queue: Queue) -> list[Record]:
        take = queue.records.popleft
        batch = [take() for _ in range(min(self._rules.max_count, len(queue.records)))]
        size = queue.size if not queue.records else size_of(batch)
        while size > self._rules.max_bytes and len(batch) > 1:
            size -= len(batch[-1].body)
            queue.records.appendleft(batch.pop())
        queue.size -= size
        return batch

    def _advance(self, now: float, *, flush: bool) -> None:
        for _ in range(MOVED_PER_CALL):
            resting = self._head(self._resting, State.RESTING)
            if resting is None or resting.due_at > now:
                break
            heapq.heappop(self._resting)
            resting.state = State.READY
            self._ready.appendleft(resting)
        for _ in range(MOVED_PER_CALL):
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
            heapq.heappop(heap)  # an entry of an earlier time: the queue has moved on since
        return None

    def _file(self, queue: Queue) -> None:
        """Put a queue where its records belong: ready if they fill a batch, lingering if not."""
        if self._is_full(queue):
            self._make_ready(queue)
            return
        queue.state = State.LINGERING
        queue.due_at = queue.records[0].put_at + self._rules.linger
        heapq.heappush(self._lingering, (queue.due_at, next(self._ties), queue))

    def _make_ready(self, queue: Queue) -> None:
        queue.state = State.READY
        self._ready.append(queue)

    def _is_full(self, queue: Queue) -> bool:
        return len(queue.records) >= self._rules.max_count or queue.size >= self._rules.max_bytes
