"""The memory spool: the fastest one. Its plays are lost when the process ends."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from attrs import define, fields

from ...errors import ShipperError, SpoolInUseError
from ...models import LogKind
from ..records import Checkpoint, Counts, DeadLetter, InDoubtPolicy, Lease, Receipt, Record, size_of
from .accumulator import Accumulator, Queue
from .base import SpoolContext, Watermark, WatermarkPosition, WatermarkPositions
from .capacity import Capacity
from .lease_state import LeaseState, settle_abandoned


@define(eq=False, kw_only=True)
class MemoryLeaseState(LeaseState):
    """The state of a lease, with the queue that its plays are released to."""

    queue: Queue


@define(eq=False)
class _MemoryWatermark:
    """Implements :class:`~sevendigital_async.shipping.spools.base.Watermark`."""

    _position: WatermarkPosition
    _count_delayed: Callable[[float, int], int]

    @property
    def last(self) -> int:
        return self._position.last

    async def left(self, *, max_delay: float | None = None) -> int:
        left = self._position.left
        return left - self._count_delayed(max_delay, self._position.last) if max_delay is not None and left else left


class MemorySpool:
    """Implements :class:`~sevendigital_async.shipping.spools.base.Spool` in memory.

    Args:
        max_logs: Limit of records in the spool: waiting, in flight, held, and buried ones that no hook has taken.
        max_bytes: The same in bytes of their wire form.
    """

    def __init__(self, *, max_logs: int = 50_000, max_bytes: int = 64 * 1024 * 1024) -> None:
        self._capacity = Capacity(logs=max_logs, size=max_bytes)
        self._accumulators: dict[LogKind, Accumulator] = {}
        # Not Counters: those update an item through Python, which costs a tenth of a `put`.
        self._counts = {kind: dict.fromkeys((state.name for state in fields(Counts)), 0) for kind in LogKind}
        self._leases: dict[Lease, MemoryLeaseState] = {}
        self._dead_letters: dict[int, DeadLetter] = {}
        self._held: list[tuple[LogKind, Record]] = []
        self._checkpoints: dict[str, str] = {}
        self._latest = 0
        self._positions = {kind: WatermarkPositions() for kind in LogKind}

    async def open(self, context: SpoolContext) -> None:
        """Open the spool."""
        if self._accumulators:
            raise SpoolInUseError("this MemorySpool belongs to another shipper; use one for each shipper")
        self._clock = context.clock
        self._wake, self._wake_all = context.wake, context.wake_all
        self._accumulators = {kind: Accumulator(context.rules[kind]) for kind in LogKind}

    def append_nowait(self, kind: LogKind, records: Sequence[Record]) -> None:
        size = size_of(records)
        self._capacity.reserve_nowait(len(records), size)
        self._add(kind, records, size)

    async def append(self, kind: LogKind, records: Sequence[Record], checkpoint: Checkpoint | None = None) -> None:
        size = len(records[0].body) if len(records) == 1 else size_of(records)
        if not self._capacity.take(len(records), size):
            self._wake_all()
            await self._capacity.reserve(len(records), size)
        if checkpoint is not None:
            try:
                checkpoint.check(self._checkpoints.get(checkpoint.source))
            except SpoolInUseError:
                self._capacity.free(len(records), size)
                raise
        self._add(kind, records, size)
        if checkpoint is not None:
            self._checkpoints[checkpoint.source] = checkpoint.position

    async def checkpoint(self, source: str) -> str | None:
        return self._checkpoints.get(source)

    def refuse(self, error: ShipperError) -> None:
        self._capacity.refuse(error)

    async def due_in(self, kind: LogKind, *, flush: bool) -> float | None:
        return self._accumulators[kind].due_in(self._clock.monotonic(), flush=flush or self._is_stuck)

    async def lease(self, kind: LogKind, *, flush: bool) -> Lease | None:
        taken = self._accumulators[kind].take_batch(self._clock.monotonic(), flush=flush or self._is_stuck)
        if taken is None:
            return None
        queue, records = taken
        lease = Lease(kind, queue.name, tuple(records), queue.attempt)
        self._leases[lease] = MemoryLeaseState(lease=lease, unsettled=lease.records, queue=queue)
        self._move(kind, "waiting", "in_flight", len(records))
        return lease

    async def intent(self, lease: Lease, records: Sequence[Record], request_id: str) -> None:  # noqa: ARG002 - for journals
        lease.sending = tuple(records)

    async def ack(self, lease: Lease, records: Sequence[Record], receipt: Receipt) -> None:  # noqa: ARG002 - for journals
        self._move(lease.kind, "in_flight", "delivered", len(records))
        self._capacity.free(len(records), size_of(records))
        self._leases[lease].queue.attempt = 0
        self._end(lease, records)

    async def release(
        self, lease: Lease, records: Sequence[Record], *, delay: float = 0.0, count_attempt: bool = True
    ) -> None:
        self._release(lease, records, delay, count_attempt=count_attempt)

    async def bury(self, lease: Lease, dead_letters: Sequence[tuple[Record, DeadLetter]]) -> None:
        """Make records dead letters, which count against the limits until a hook has taken them over."""
        for _, dead_letter in dead_letters:
            self._dead_letters[id(dead_letter)] = dead_letter
        self._move(lease.kind, "in_flight", "buried", len(dead_letters))
        self._end(lease, [record for record, _ in dead_letters])

    async def mark_in_doubt(
        self, lease: Lease, records: Sequence[Record], policy: InDoubtPolicy, *, delay: float = 0.0
    ) -> None:
        self._counts[lease.kind]["in_doubt"] += sum(not record.in_doubt for record in records)
        for record in records:
            record.in_doubt = True
        if policy is InDoubtPolicy.HOLD:
            self._held.extend((lease.kind, record) for record in records)
            self._move(lease.kind, "in_flight", "held", len(records))
            self._end(lease, records)
        elif policy is InDoubtPolicy.RESEND:
            self._release(lease, records, delay, count_attempt=True)

    async def abandon(self, lease: Lease, policy: InDoubtPolicy) -> None:
        """Settle the remaining records of a lease, as after a crash of its lane."""
        state = self._leases.get(lease)
        if state is not None:
            await settle_abandoned(self, lease, state.unsettled, policy)

    def forget_dead_letters(self, dead_letters: Sequence[DeadLetter]) -> None:
        for dead_letter in dead_letters:
            if self._dead_letters.pop(id(dead_letter), None):
                self._capacity.free(1, len(dead_letter.body))

    async def counts(self, kind: LogKind) -> Counts:
        return Counts(**self._counts[kind])

    def watermark(self, kind: LogKind) -> Watermark:
        counts, waiting = self._counts[kind], self._accumulators[kind]
        position = self._positions[kind].add(self._latest, counts["waiting"] + counts["in_flight"])
        return _MemoryWatermark(
            position, lambda delay, last: waiting.count_delayed(self._clock.monotonic() + delay, last)
        )

    async def oldest_age(self, kind: LogKind) -> float | None:
        put_at = self._accumulators[kind].oldest_put_at
        return None if put_at is None else self._clock.monotonic() - put_at

    def undelivered(self, kind: LogKind) -> Iterator[Record]:
        """Iterate over waiting and held records, so that a caller can store them before the process ends."""
        yield from self._accumulators[kind]
        yield from (record for held_kind, record in self._held if held_kind is kind)

    def dead_letters(self) -> Iterator[DeadLetter]:
        """Iterate over the dead letters that no hook has taken over."""
        yield from list(self._dead_letters.values())

    async def aclose(self) -> None:
        """Keep everything: waiting plays stay readable."""

    @property
    def _is_stuck(self) -> bool:
        """Full of incomplete batches, while appends that would complete them wait for capacity: don't linger."""
        return self._capacity.is_wanted and not any(waiting.has_ready for waiting in self._accumulators.values())

    def _add(self, kind: LogKind, records: Sequence[Record], size: int) -> None:
        now, sequence = self._clock.monotonic(), self._latest
        for record in records:
            record.sequence = sequence = sequence + 1
            record.put_at = now
        self._latest = sequence
        due_earlier = self._accumulators[kind].add(records, size)
        counts = self._counts[kind]
        counts["put"] += len(records)
        counts["waiting"] += len(records)
        if due_earlier:
            self._wake(kind)

    def _release(self, lease: Lease, records: Sequence[Record], delay: float, *, count_attempt: bool) -> None:
        self._leases[lease].release(records, delay, count_attempt=count_attempt)
        self._move(lease.kind, "in_flight", "waiting", len(records))
        self._settle(lease, records)

    def _end(self, lease: Lease, records: Sequence[Record]) -> None:
        self._positions[lease.kind].count_settled(records)
        self._settle(lease, records)

    def _settle(self, lease: Lease, records: Sequence[Record]) -> None:
        state = self._leases[lease]
        if not state.settle(records):
            return
        del self._leases[lease]
        state.queue.attempt += state.count_attempt
        now = self._clock.monotonic()
        self._accumulators[lease.kind].release(state.queue, state.released_in_order, now, delay=state.delay)
        if self._capacity.is_wanted:
            self._wake_all()
        else:
            self._wake(lease.kind)

    def _move(self, kind: LogKind, source: str, target: str, number: int) -> None:
        counts = self._counts[kind]
        counts[source] -= number
        counts[target] += number
