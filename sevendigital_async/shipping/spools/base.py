"""The spool: what stands between ``put`` and the wire.

Every record is in exactly one place: waiting, leased, delivered, buried or held. A lane takes a lease, declares its
intent before the first byte leaves, and then settles every record of the lease in one of five ways::

    append -> lease -> intent -> ack                    delivered
                              -> release                back to waiting, surely not accepted
                              -> bury                   set aside for good, with a reason
                              -> doubt(RESEND | HOLD)   nobody knows: back to waiting, or held for a person
                              -> abandon                what a crash does: intent without outcome is in doubt,
                                                        everything else goes back to waiting

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
from ..events import Event
from ..records import Checkpoint, Counts, DeadLetter, InDoubtPolicy, Lease, Receipt, Record
from ..rules import LaneRules


class Watermark(Protocol):
    """Tells the plays of one kind that were accepted up to a moment from later ones."""

    @property
    def last(self) -> int | None:
        """Sequence of the last of them; None while that is not known."""
        ...

    async def left(self, *, rest: float | None = None) -> int | None:
        """Return how many of them have not been delivered, buried or held; None while that is not known.

        Args:
            rest: Leave out those whose queue rests for more seconds than this.
        """
        ...


@define(eq=False)
class Mark:
    """A moment in the order of acceptance.

    Attributes:
        last: Sequence of the last play accepted up to then.
        left: How many of the plays up to it have not found their end.
    """

    last: int
    left: int


class Marks:
    """The marks of one kind that are in use; nobody has to give them back."""

    def __init__(self) -> None:
        self._marks: WeakSet[Mark] = WeakSet()

    def add(self, last: int, left: int) -> Mark:
        """Make a mark; ``left`` plays up to ``last`` have not found their end."""
        mark = Mark(last, left)
        self._marks.add(mark)
        return mark

    def settled(self, records: Sequence[Record]) -> None:
        """These plays have found their end."""
        for mark in self._marks:
            mark.left -= sum([record.sequence <= mark.last for record in records])


async def run_to_completion(work: Coroutine[Any, Any, None] | asyncio.Task[None]) -> None:
    """Do some short work, or wait for it; a cancellation takes effect only when it is done.

    A second cancellation does not wait for that any more; the work goes on all the same.
    """
    task = asyncio.ensure_future(work)
    try:
        await asyncio.shield(task)
    except asyncio.CancelledError:
        await asyncio.wait([task])
        raise


@frozen
class SpoolContext:
    """Who opens a spool, and what it may know of them.

    Attributes:
        rules: What makes a batch complete, by kind.
        clock: Time.
        wake: To be called, on the loop, when a batch of a kind may have become due earlier than last said.
        in_doubt: What becomes of plays that an earlier owner was sending when it died: RESEND or HOLD.
        report: To be called, on the loop, with what keeps the spool from working for now; with None when that is over.
        tell: To be called, on the loop, with what only a spool knows of: :class:`~.events.PlaysRecovered`, for each
            kind of which it has taken back plays that were leased when an earlier owner or another worker died.
        fail: To be called, on the loop, when a background task of the spool has ended before it was closed: the shipper
            stops and says why.
        form: What their plays are made for (see ``Courier.form``); a durable spool keeps those of one form, for good.
    """

    rules: Mapping[LogKind, LaneRules]
    clock: Clock
    wake: Callable[[LogKind], None]
    in_doubt: InDoubtPolicy = InDoubtPolicy.RESEND
    report: Callable[[str | None], None] = lambda _: None
    emit: Callable[[Event], None] = lambda _: None
    dialect: str = ""
    fail: Callable[[BaseException], None] = lambda _: None


def check_dialect(place: str, kept: str, wanted: str) -> None:
    """See that what a spool keeps is what its owner can send.

    Raises:
        SpoolError: It was filled for another dialect, whose service would be told of these plays in the wrong words.
    """
    if kept != wanted:
        raise SpoolError(
            f"{place} keeps plays for the {kept} dialect, and this client speaks {wanted}; finish them with a client"
            " that speaks theirs, and give this one a spool of its own"
        )


class SpoolWriter(Protocol):
    """What a shipper asks of a spool: to accept plays."""

    async def open(self, owner: SpoolContext) -> None:
        """Make ready; recover what an earlier owner left behind.

        Raises:
            SpoolInUseError: Another shipper has it, or this very object has been opened before.
            SpoolError: It can't be used, or keeps plays of another form; says why and what to do.
        """
        ...

    def append_nowait(self, kind: LogKind, records: Sequence[Record]) -> None:
        """Accept all of ``records`` or none. A durable spool writes them soon after.

        Raises:
            SpoolFullError: There is no room now.
        """
        ...

    async def append(self, kind: LogKind, records: Sequence[Record], checkpoint: Checkpoint | None = None) -> None:
        """Accept all of ``records`` or none, waiting for room; durable when it returns.

        A checkpoint is kept in the same step. If this is cancelled, it ends at once and nothing is accepted: what is
        written all the same, or was just written, is taken back, and the checkpoint with it, before any lane can lease
        it. Where others share the spool and were about to send it by then, it is in doubt.

        Raises:
            SpoolFullError: The records would not even fit an empty spool.
            SpoolInUseError: Another position than the one that the checkpoint follows is kept; nothing was accepted.
        """
        ...

    def refuse(self, error: ShipperError) -> None:
        """Accept nothing from now on: appends, waiting ones too, raise ``error``."""
        ...

    async def checkpoint(self, source: str) -> str | None:
        """Return the position last kept for a source, by an append that has returned; None if there is none."""
        ...


class SpoolReader(Protocol):
    """What a lane asks of a spool: batches, and a place for every play in them."""

    async def due_in(self, kind: LogKind, *, flush: bool) -> float | None:
        """Seconds until a lease may succeed, as far as is known now; None when there is nothing to wait for.

        With ``flush`` incomplete batches need no company.
        """
        ...

    async def lease(self, kind: LogKind, *, flush: bool) -> Lease | None:
        """Hand out the next due batch: first in, first out within a queue, in rotation between queues.

        A user's queue has one lease at a time. The shared queue may have several.
        """
        ...

    async def intent(self, lease: Lease, records: Sequence[Record], request_id: str) -> None:
        """Note that these records of the lease are about to be sent in one request; durable when it returns."""
        ...

    async def ack(self, lease: Lease, records: Sequence[Record], receipt: Receipt) -> None:
        """The service has accepted these records."""
        ...

    async def release(
        self, lease: Lease, records: Sequence[Record], *, delay: float = 0.0, count_attempt: bool = True
    ) -> None:
        """Give these records back, surely not accepted.

        Args:
            lease: Where they came from.
            records: In order.
            delay: Seconds for which their queue rests.
            blame: Count it as a failed attempt.
        """
        ...

    async def bury(self, lease: Lease, letters: Sequence[tuple[Record, DeadLetter]]) -> None:
        """Set these records aside for good."""
        ...

    async def doubt(
        self, lease: Lease, records: Sequence[Record], policy: InDoubtPolicy, *, delay: float = 0.0
    ) -> None:
        """Mark these records as possibly delivered and decide their fate."""
        ...

    async def abandon(self, lease: Lease, policy: InDoubtPolicy) -> None:
        """Settle whatever of the lease is not settled, as if the lane had died."""
        ...

    def forget_dead_letters(self, letters: Sequence[DeadLetter]) -> None:
        """A hook has taken these letters; a spool that lives in memory need not keep them."""
        ...

    async def counts(self, kind: LogKind) -> Counts:
        """Say where the plays of a kind are."""
        ...

    def watermark(self, kind: LogKind) -> Watermark:
        """Tell the plays of a kind that have been accepted by now from later ones."""
        ...


class Spool(SpoolWriter, SpoolReader, Protocol):
    """Keeps accepted plays until their fate is known."""

    async def oldest_age(self, kind: LogKind) -> float | None:
        """Return the seconds since the oldest waiting play of a kind was accepted; None when nothing waits.

        Leased, held and buried plays don't count; one that has come back from a lease does, from its acceptance on.
        A spool that outlives its process counts across restarts, by the wall clock, and never returns less than zero.
        It is asked every few seconds when somebody measures: it may cost a look at the head of each queue or one
        look into an index, not one at every play, and appending and leasing must not pay for it.
        """
        ...

    async def aclose(self) -> None:
        """Stop; what is waiting stays waiting."""
        ...
