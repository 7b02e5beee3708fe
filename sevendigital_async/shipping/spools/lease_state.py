"""The state of a lease: what is left of it, and what a crash makes of that. One rule for all spools."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from attrs import define, field, frozen

from ..records import InDoubtPolicy, Lease, Record
from .base import LeaseSettler


@define(eq=False, kw_only=True)
class LeaseState:
    """What is left of a lease, for a spool that keeps its leases in this process.

    Attributes:
        lease: As the lane has it.
        unsettled: Its plays that have made no transition yet.
        released: Plays that wait again once all have made a transition.
        delay: Seconds until the queue may be leased again then.
        count_attempt: The lease counts as a failed attempt.
    """

    lease: Lease
    unsettled: tuple[Record, ...]
    released: list[Record] = field(factory=list)
    delay: float = 0.0
    count_attempt: bool = False

    def release(self, records: Sequence[Record], delay: float, *, count_attempt: bool) -> None:
        """Add plays to those that wait again at the end of the lease."""
        self.released.extend(records)
        self.delay = max(self.delay, delay)
        self.count_attempt |= count_attempt and bool(records)

    def settle(self, records: Sequence[Record]) -> bool:
        """Remove plays from the lease; returns whether they were the last."""
        self.unsettled = without_records(self.unsettled, records)
        self.lease.sending = without_records(self.lease.sending, records)
        return not self.unsettled

    @property
    def released_in_order(self) -> list[Record]:
        """The plays that wait again, in the order in which they were accepted."""
        return sorted(self.released, key=lambda record: record.sequence)


def without_records(records: tuple[Record, ...], gone: Sequence[Record]) -> tuple[Record, ...]:
    """Return the records that are not among ``gone``, in order."""
    if records == tuple(gone):
        return ()  # nearly always
    settled = set(gone)
    return tuple(record for record in records if record not in settled)


@frozen
class AbandonedRecords:
    """The states of a lease's unsettled records after a crash: one rule for all spools.

    Attributes:
        in_doubt: They were being sent: they are in doubt, and the shipper's policy says whether to resend or hold them.
        suspect: Part of a batch that the service refused and may have saved in part: in doubt, and sent again.
        certain: Never sent: they wait again, and that is not counted as an attempt.
    """

    in_doubt: list[Record]
    suspect: list[Record]
    certain: list[Record]

    @classmethod
    def of(cls, unsettled: Iterable[Record], sending: Iterable[Record], *, suspect: bool) -> AbandonedRecords:
        """Sort the records."""
        sent = set(sending)
        in_doubt: list[Record] = []
        unsent: list[Record] = []
        for record in unsettled:
            (in_doubt if record in sent else unsent).append(record)
        return cls(in_doubt, unsent if suspect else [], [] if suspect else unsent)


async def settle_abandoned(
    settler: LeaseSettler, lease: Lease, unsettled: Sequence[Record], policy: InDoubtPolicy
) -> None:
    """Settle the unsettled records of a lease whose lane has died."""
    records = AbandonedRecords.of(unsettled, lease.sending, suspect=lease.suspect)
    if records.in_doubt:
        await settler.mark_in_doubt(lease, records.in_doubt, policy)
    if records.suspect:
        await settler.mark_in_doubt(lease, records.suspect, InDoubtPolicy.RESEND)
    if records.certain:
        await settler.release(lease, records.certain, count_attempt=False)
