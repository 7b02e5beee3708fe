"""The spool: the queue between ``put`` and the wire.

Every record is in exactly one state: waiting, leased, delivered, buried or held. A lane takes a lease, declares its
intent before the first byte is sent, and then settles every record of the lease in one of five ways::

    append -> lease -> intent -> ack             delivered
                              -> release         waiting again, certainly not accepted
                              -> bury            a dead letter, with a reason
                              -> mark_in_doubt   possibly accepted: waiting again, or held
                              -> abandon         what a crash does: records with an intent and no outcome are in
                                                 doubt, all others wait again

Implementations may keep the records in memory, in a file or on a server; they all pass the same tests.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Mapping, Sequence
from typing import Any, Protocol
from weakref import WeakSet

from attrs import define, frozen

from ...clock import Clock
from ...errors import ShipperError, SpoolError
from ...models import LogKind
from ..events import BatchDue, Event, SpoolAlertChanged, SpoolFailed
from ..records import Checkpoint, Counts, DeadLetter, InDoubtPolicy, Lease, Receipt, Record
from ..rules import LaneRules


class Watermark(Protocol):
    """Separates the plays of one kind that were accepted up to a moment from later ones."""

    @property
    def last(self) -> int | None:
        """Sequence of the last of them; None while that is not known."""
        ...

    async def left(self, *, max_delay: float | None = None) -> int | None:
        """Return how many of them are not yet delivered, buried or held; None while that is not known.

        Args:
            max_delay: Leave out those whose queue is delayed for more seconds than this.
        """
        ...


@define(eq=False)
class WatermarkPosition:
    """A moment in the order of acceptance.

    Attributes:
        last: Sequence of the last play accepted up to then.
        left: How many plays up to it are not yet delivered, buried or held.
    """

    last: int
    left: int


class WatermarkPositions:
    """The positions of one kind that are in use. They are held by weak references, so they need not be closed."""

    def __init__(self) -> None:
        self._positions: WeakSet[WatermarkPosition] = WeakSet()

    def add(self, last: int, left: int) -> WatermarkPosition:
        """Add a position; ``left`` plays up to ``last`` are not settled yet."""
        position = WatermarkPosition(last, left)
        self._positions.add(position)
        return position

    def count_settled(self, records: Sequence[Record]) -> None:
        """These plays were delivered, buried or held."""
        for position in self._positions:
            position.left -= sum([record.sequence <= position.last for record in records])


async def run_to_completion(work: Coroutine[Any, Any, None] | asyncio.Task[None]) -> None:
    """Do some short work, or wait for it; a cancellation takes effect only when it is done.

    A second cancellation ends the wait at once; the work continues.
    """
    task = asyncio.ensure_future(work)
    try:
        await asyncio.shield(task)
    except asyncio.CancelledError:
        await asyncio.wait([task])
        raise


_BATCH_DUE = {kind: BatchDue(kind) for kind in LogKind}


@frozen
class SpoolContext:
    """What a shipper gives the spool that it opens.

    Attributes:
        rules: What makes a batch complete, by kind.
        clock: Time.
        emit: The one callback: called, on the loop, with every event of the spool (see :mod:`..events`).
        in_doubt: What to do with plays that a dead process was sending: RESEND or HOLD.
        dialect: Which API the plays are encoded for (see ``LogTransport.dialect``); a durable spool keeps one dialect.
    """

    rules: Mapping[LogKind, LaneRules]
    clock: Clock
    emit: Callable[[Event], None]
    in_doubt: InDoubtPolicy = InDoubtPolicy.RESEND
    dialect: str = ""

    def wake(self, kind: LogKind) -> None:
        """Emit that a batch of a kind may have become due earlier than last said."""
        self.emit(_BATCH_DUE[kind])

    def wake_all(self) -> None:
        """Emit that batches of all kinds may have become due earlier than last said."""
        for kind in LogKind:
            self.wake(kind)

    def report(self, alert: str | None, *, is_blocking: bool = True) -> None:
        """Emit what keeps the spool from working for now; None when that is over.

        Args:
            alert: What happened, and to which spool.
            is_blocking: The spool can't work; False if it works and has lost plays.
        """
        self.emit(SpoolAlertChanged(alert, is_blocking and alert is not None))

    def fail(self, error: BaseException) -> None:
        """Emit that a background task of the spool has ended before the spool was closed."""
        self.emit(SpoolFailed(error))


def check_dialect(location: str, kept: str, wanted: str) -> None:
    """Check that a spool's plays are encoded for the API that its client calls.

    Raises:
        SpoolError: They are encoded for another dialect.
    """
    if kept != wanted:
        raise SpoolError(
            f"{location} keeps plays for the {kept} dialect, but this client uses {wanted}; deliver them with a {kept}"
            " client, and give this client another spool"
        )


def copy_error(error: ShipperError) -> ShipperError:
    """Return a new exception like ``error``: one that is raised again and again would collect tracebacks."""
    copy = type(error)(*error.args)
    copy.__cause__ = error.__cause__
    return copy


class SpoolWriter(Protocol):
    """The side of a spool that ``put`` uses."""

    async def open(self, context: SpoolContext) -> None:
        """Open the spool and recover what a dead process left.

        Raises:
            SpoolInUseError: Another shipper has it open, or this very object has been opened before.
            SpoolError: It can't be used, or keeps plays of another dialect; says why and what to do.
        """
        ...

    def append_nowait(self, kind: LogKind, records: Sequence[Record]) -> None:
        """Accept all of ``records`` or none. A durable spool writes them soon after.

        Raises:
            SpoolFullError: The spool is full.
        """
        ...

    async def append(self, kind: LogKind, records: Sequence[Record], checkpoint: Checkpoint | None = None) -> None:
        """Accept all of ``records`` or none, waiting for capacity; durable when it returns.

        A checkpoint is stored in the same step. If this is cancelled, it ends at once and nothing is accepted: what
        has been written, or still is, is withdrawn, and the checkpoint with it, before any lane can lease it. Plays
        that another worker of the same spool was about to send by then are in doubt.

        Raises:
            SpoolFullError: The records would not even fit an empty spool.
            SpoolInUseError: The stored checkpoint is not the one that ``checkpoint`` follows; nothing was accepted.
        """
        ...

    def refuse(self, error: ShipperError) -> None:
        """Accept nothing from now on: appends, waiting ones too, raise ``error``."""
        ...

    async def checkpoint(self, source: str) -> str | None:
        """Return the position last stored for a source, by an append that has returned; None if there is none."""
        ...


class LeaseSettler(Protocol):
    """The two steps with which a lease is settled after a crash."""

    async def release(
        self, lease: Lease, records: Sequence[Record], *, delay: float = 0.0, count_attempt: bool = True
    ) -> None:
        """Return these records to the queue; they were certainly not accepted.

        Args:
            lease: Where they came from.
            records: In order.
            delay: Seconds for which their queue is delayed.
            count_attempt: Count this as a failed attempt.
        """
        ...

    async def mark_in_doubt(
        self, lease: Lease, records: Sequence[Record], policy: InDoubtPolicy, *, delay: float = 0.0
    ) -> None:
        """Mark these records as possibly delivered, and resend, hold or keep them."""
        ...


class SpoolReader(LeaseSettler, Protocol):
    """The side of a spool that lanes use: leases and their settlement."""

    async def due_in(self, kind: LogKind, *, flush: bool) -> float | None:
        """Seconds until a lease may succeed, as far as is known now; None when nothing waits.

        With ``flush`` incomplete batches are due at once.
        """
        ...

    async def lease(self, kind: LogKind, *, flush: bool) -> Lease | None:
        """Lease the next due batch: first in, first out within a queue, in rotation between queues.

        A user's queue has one lease at a time. The partner queue may have several.
        """
        ...

    async def intent(self, lease: Lease, records: Sequence[Record], request_id: str) -> None:
        """Note that these records of the lease are about to be sent in one request; durable when it returns."""
        ...

    async def ack(self, lease: Lease, records: Sequence[Record], receipt: Receipt) -> None:
        """The service has accepted these records."""
        ...

    async def bury(self, lease: Lease, dead_letters: Sequence[tuple[Record, DeadLetter]]) -> None:
        """Make these records dead letters."""
        ...

    async def abandon(self, lease: Lease, policy: InDoubtPolicy) -> None:
        """Settle the remaining records of a lease, as after a crash of its lane."""
        ...

    def forget_dead_letters(self, dead_letters: Sequence[DeadLetter]) -> None:
        """A hook has taken these over; a memory spool drops them."""
        ...

    async def counts(self, kind: LogKind) -> Counts:
        """Return where the plays of a kind are."""
        ...

    def watermark(self, kind: LogKind) -> Watermark:
        """Separate the plays of a kind that have been accepted by now from later ones."""
        ...


class Spool(SpoolWriter, SpoolReader, Protocol):
    """Keeps accepted plays until they are delivered, buried or held."""

    async def oldest_age(self, kind: LogKind) -> float | None:
        """Return the seconds since the oldest waiting play of a kind was accepted; None when nothing waits.

        Leased, held and buried plays don't count; a released one does, from its acceptance on. A spool that outlives
        its process counts across restarts, by the wall clock, and never returns less than zero. Metrics ask for it
        every few seconds: it may look at the head of each queue or once into an index, but not at every play, and must
        not make appending or leasing slower.
        """
        ...

    async def aclose(self) -> None:
        """Stop; waiting plays stay in the spool."""
        ...
