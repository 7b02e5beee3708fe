"""The partner's own queue of one kind: several batches of it may be out at once, so its order is kept in memory."""

from __future__ import annotations

import heapq
import itertools
from collections import deque
from collections.abc import Sequence

from attrs import define, field, frozen

from ..records import Record, size_of
from ..rules import LaneRules

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
class SharedQueue:
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
        batch = [at_hand.popleft() for _ in range(min(self._rules.max_count, len(at_hand)))]
        size = size_of(batch)
        while size > self._rules.max_bytes and len(batch) > 1:
            size -= len(batch[-1].body)
            at_hand.appendleft(batch.pop())
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
        return self.logs >= self._rules.max_count or self.size >= self._rules.max_bytes

    def _fresh_due(self) -> float:
        if self._ready_since is not None:
            return self._ready_since
        behind = self._latest - self.logs
        for logs, arrived in self._arrivals:
            behind -= logs
            if behind < 0:
                return arrived + self._rules.linger
        raise AssertionError("what waits has arrived")
