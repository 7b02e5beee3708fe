"""Batches that are out: what is known of each, and what is left of it after the next step."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

from attrs import define, field

from ..records import Lease, Record
from .parcel import runs_of
from .settling import Batch
from .statements import Return


@define(eq=False)
class Away:
    """What is known of a lease.

    Attributes:
        lease: As the lane has it.
        number: Its name in the file.
        queue: Id of the queue.
        unsettled: Its plays without an end.
        returned: Those that come back once all have an end.
        delay: Seconds for which the queue will rest then.
        blame: It counts as a failure.
        delivered: Some of it was accepted.
        request_id: Of the last request.
        abandoned: Nobody works on it any more; if the file takes nothing, it is settled when the file is reopened.
        step: The last thing that was done to it, perhaps not durable yet.
    """

    lease: Lease
    number: int
    queue: int
    unsettled: tuple[Record, ...]
    returned: list[Record] = field(factory=list)
    delay: float = 0.0
    blame: bool = False
    delivered: bool = False
    request_id: str = ""
    abandoned: bool = False
    step: asyncio.Future[Any] | None = None

    @property
    def attempt(self) -> int:
        """How often the queue will have failed in a row when this ends now."""
        return (0 if self.delivered else self.lease.attempt) + self.blame

    async def idle(self) -> None:
        """Wait until the last step is durable, so that the next one begins where it has left off."""
        while self.step is not None and not self.step.done():
            await asyncio.wait([self.step])

    def batch(self, records: Sequence[Record], *, ends_at: float | None = None) -> Batch:
        """Describe plays of this lease for the file; with ``ends_at``, the spool's time, as those that find an end."""
        lease = self.lease
        if ends_at is None:
            return self._batch(records, lease.sending, None)
        left = without(self.unsettled, records)
        back = Return(ends_at, self.attempt, self.delay, bool(self.returned))
        return self._batch(records, without(lease.sending, records), None if left else back)

    def settled(self, records: Sequence[Record]) -> bool:
        """These plays have found their end; True if they were the last."""
        self.unsettled = without(self.unsettled, records)
        self.lease.sending = without(self.lease.sending, records)
        return not self.unsettled

    def _batch(self, records: Sequence[Record], sending: Sequence[Record], ends: Return | None) -> Batch:
        lease = self.lease
        return Batch(
            lease.kind,
            self.number,
            self.queue,
            lease.queue,
            records,
            self.request_id,
            runs_of(sending),
            lease.suspect,
            ends,
        )


def without(records: tuple[Record, ...], gone: Sequence[Record]) -> tuple[Record, ...]:
    """Return the records that are not among ``gone``, in order."""
    if len(gone) == len(records):
        return ()  # nearly always: who is gone was there
    if not records:
        return records
    settled = set(gone)
    return tuple(record for record in records if record not in settled)
