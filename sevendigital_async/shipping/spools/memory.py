"""The memory spool: as fast as it gets, and gone with the process."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from attrs import define, fields

from ...errors import ShipperError, SpoolInUseError
from ...models import LogKind
from ..records import Checkpoint, Counts, DeadLetter, InDoubtPolicy, Lease, Receipt, Record, size_of
from .accumulator import Accumulator, Queue
from .base import Mark, Marks, SpoolContext, Watermark
from .capacity import Capacity


@define(eq=False)
class _LeaseState:
    """The unsettled part of a lease."""

    queue: Queue
    unsettled: tuple[Record, ...]
    returned: list[Record]
    delay: float = 0.0
    count_attempt: bool = False


@define(eq=False)
class _MemoryWatermark:
    """Implements :class:`~sevendigital_async.shipping.spools.base.Watermark`."""

    _mark: Mark
    _resting: Callable[[float, int], int]

    @property
    def last(self) -> int:
        """Sequence of the last play."""
        return self._mark.last

    async def left(self, *, rest: float | None = None) -> int:
        """Return how many plays have not found their end."""
        if rest is None or not self._mark.left:
            return self._mark.left
        return self._mark.left - self._resting(rest, self._mark.last)


class MemorySpool:
    """Implements :class:`~sevendigital_async.shipping.spools.base.Spool` in memory.

    Args:
        max_logs: Records held at the most: waiting, in flight, held, and buried ones that no hook has taken.
        max_bytes: The same in bytes of their wire form.
    """

    def __init__(self, *, max_logs: int = 50_000, max_bytes: int = 64 * 1024 * 1024) -> None:
        self._capacity = Capacity(logs=max_logs, size=max_bytes)
        self._backlogs: dict[LogKind, Accumulator] = {}
        # Not Counters: those update an item through Python, which costs a tenth of a `put`.
        self._counts = {kind: dict.fromkeys((place.name for place in fields(Counts)), 0) for kind in LogKind}
        self._leases: dict[Lease, _LeaseState] = {}
        self._letters: dict[int, DeadLetter] = {}
        self._held: list[tuple[LogKind, Record]] = []
        self._bookmarks: dict[str, str] = {}
        self._latest = 0
        self._marks = {kind: Marks() for kind in LogKind}

    async def open(self, owner: SpoolContext) -> None:
        """Make ready.

        Raises:
            SpoolInUseError: It has been opened before.
        """
        if self._backlogs:
            raise SpoolInUseError("this MemorySpool belongs to another shipper; make one for each")
        self._clock = owner.clock
        self._wake = owner.wake
        self._backlogs = {kind: Accumulator(owner.rules[kind]) for kind in LogKind}

    def append_nowait(self, kind: LogKind, records: Sequence[Record]) -> None:
        """Accept all or none, at once."""
        size = size_of(records)
        self._capacity.reserve_nowait(len(records), size)
        self._add(kind, records, size)

    async def append(self, kind: LogKind, records: Sequence[Record], checkpoint: Checkpoint | None = None) -> None:
        """Accept all or none, waiting for room."""
        size = size_of(records)
        if not self._capacity.take(len(records), size):
            self._wake_all()
            await self._capacity.reserve(len(records), size)
        if checkpoint is not None:
            try:
                checkpoint.check(self._bookmarks.get(checkpoint.source))
            except SpoolInUseError:
                self._capacity.free(len(records), size)
                raise
        self._add(kind, records, size)
        if checkpoint is not None:
            self._bookmarks[checkpoint.source] = checkpoint.position

    async def checkpoint(self, source: str) -> str | None:
        """Return the position last kept for a source."""
        return self._bookmarks.get(source)

    def refuse(self, error: ShipperError) -> None:
        """Accept nothing from now on."""
        self._capacity.refuse(error)

    async def due_in(self, kind: LogKind, *, flush: bool) -> float | None:
        """Seconds until a lease may succeed."""
        return self._backlogs[kind].due_in(self._clock.monotonic(), flush=flush or self._is_stuck)

    async def lease(self, kind: LogKind, *, flush: bool) -> Lease | None:
        """Hand out the next due batch."""
        taken = self._backlogs[kind].take(self._clock.monotonic(), flush=flush or self._is_stuck)
        if taken is None:
            return None
        queue, records = taken
        lease = Lease(kind, queue.name, tuple(records), queue.attempt)
        self._leases[lease] = _LeaseState(queue, lease.records, [])
        self._move(kind, "waiting", "in_flight", len(records))
        return lease

    async def intent(self, lease: Lease, records: Sequence[Record], request_id: str) -> None:  # noqa: ARG002 - for journals
        """Remember what is about to be sent."""
        lease.sending = tuple(records)

    async def ack(self, lease: Lease, records: Sequence[Record], receipt: Receipt) -> None:  # noqa: ARG002 - for journals
        """Let go of delivered records."""
        self._move(lease.kind, "in_flight", "delivered", len(records))
        self._capacity.free(len(records), size_of(records))
        self._leases[lease].queue.attempt = 0
        self._end(lease, records)

    async def release(
        self, lease: Lease, records: Sequence[Record], *, delay: float = 0.0, count_attempt: bool = True
    ) -> None:
        """Give records back."""
        self._give_back(lease, records, delay, count_attempt=count_attempt)

    async def bury(self, lease: Lease, letters: Sequence[tuple[Record, DeadLetter]]) -> None:
        """Set records aside; they keep their room until a hook has taken them."""
        for _, letter in letters:
            self._letters[id(letter)] = letter
        self._move(lease.kind, "in_flight", "buried", len(letters))
        self._end(lease, [record for record, _ in letters])

    async def doubt(
        self, lease: Lease, records: Sequence[Record], policy: InDoubtPolicy, *, delay: float = 0.0
    ) -> None:
        """Mark records as possibly delivered."""
        self._counts[lease.kind]["in_doubt"] += sum(not record.in_doubt for record in records)
        for record in records:
            record.in_doubt = True
        if policy is InDoubtPolicy.HOLD:
            self._held.extend((lease.kind, record) for record in records)
            self._move(lease.kind, "in_flight", "held", len(records))
            self._end(lease, records)
        elif policy is InDoubtPolicy.RESEND:
            self._give_back(lease, records, delay, count_attempt=True)

    async def abandon(self, lease: Lease, policy: InDoubtPolicy) -> None:
        """Settle what is left of a lease: what was being sent is in doubt, the rest goes back."""
        away = self._leases.get(lease)
        if away is None:
            return
        sending = set(lease.sending)
        doubtful = [record for record in away.unsettled if record in sending]
        certain = [record for record in away.unsettled if record not in sending]
        if doubtful:
            await self.doubt(lease, doubtful, policy)
        if certain and lease.suspect:
            await self.doubt(lease, certain, InDoubtPolicy.RESEND)
        elif certain:
            await self.release(lease, certain, count_attempt=False)

    def forget_dead_letters(self, letters: Sequence[DeadLetter]) -> None:
        """Let go of letters that a hook has taken."""
        for letter in letters:
            if self._letters.pop(id(letter), None):
                self._capacity.free(1, len(letter.body))

    async def counts(self, kind: LogKind) -> Counts:
        """Say where the plays of a kind are."""
        return Counts(**self._counts[kind])

    def watermark(self, kind: LogKind) -> Watermark:
        """Tell the plays that are here by now from later ones."""
        counts, backlog = self._counts[kind], self._backlogs[kind]
        mark = self._marks[kind].add(self._latest, counts["waiting"] + counts["in_flight"])
        return _MemoryWatermark(mark, lambda rest, last: backlog.resting(self._clock.monotonic() + rest, last))

    async def oldest_age(self, kind: LogKind) -> float | None:
        """Say how long the oldest waiting play has been here, in seconds."""
        put_at = self._backlogs[kind].oldest_put_at
        return None if put_at is None else self._clock.monotonic() - put_at

    def undelivered(self, kind: LogKind) -> Iterator[Record]:
        """Iterate over what waits or is held, so that a caller can keep it when the process ends."""
        yield from self._backlogs[kind]
        yield from (record for held_kind, record in self._held if held_kind is kind)

    def dead_letters(self) -> Iterator[DeadLetter]:
        """Iterate over the buried records that no hook has taken."""
        yield from list(self._letters.values())

    async def aclose(self) -> None:
        """Nothing is open here; what is waiting stays readable."""

    @property
    def _is_stuck(self) -> bool:
        """Full of incomplete batches, while plays that would complete them wait for room: don't linger."""
        return self._capacity.is_wanted and not any(backlog.has_ready for backlog in self._backlogs.values())

    def _wake_all(self) -> None:
        for kind in self._backlogs:
            self._wake(kind)

    def _add(self, kind: LogKind, records: Sequence[Record], size: int) -> None:
        now = self._clock.monotonic()
        for sequence, record in enumerate(records, self._latest + 1):
            record.sequence = sequence
            record.put_at = now
        self._latest += len(records)
        due_earlier = self._backlogs[kind].add(records, size)
        counts = self._counts[kind]
        counts["put"] += len(records)
        counts["waiting"] += len(records)
        if due_earlier:
            self._wake(kind)

    def _give_back(self, lease: Lease, records: Sequence[Record], delay: float, *, count_attempt: bool) -> None:
        away = self._leases[lease]
        away.returned.extend(records)
        away.delay = max(away.delay, delay)
        away.count_attempt |= count_attempt and bool(records)
        self._move(lease.kind, "in_flight", "waiting", len(records))
        self._settle(lease, records)

    def _end(self, lease: Lease, records: Sequence[Record]) -> None:
        self._marks[lease.kind].settled(records)
        self._settle(lease, records)

    def _settle(self, lease: Lease, records: Sequence[Record]) -> None:
        away = self._leases[lease]
        if len(records) == len(away.unsettled):
            away.unsettled = lease.sending = ()  # nearly always
        else:
            gone = set(records)
            away.unsettled = tuple(record for record in away.unsettled if record not in gone)
            lease.sending = tuple(record for record in lease.sending if record not in gone)
        if away.unsettled:
            return
        del self._leases[lease]
        away.queue.attempt += away.count_attempt
        back = set(away.returned)
        returned = [record for record in lease.records if record in back] if back else []
        self._backlogs[lease.kind].give_back(away.queue, returned, self._clock.monotonic(), delay=away.delay)
        if self._capacity.is_wanted:
            self._wake_all()
        else:
            self._wake(lease.kind)

    def _move(self, kind: LogKind, source: str, target: str, number: int) -> None:
        counts = self._counts[kind]
        counts[source] -= number
        counts[target] += number
