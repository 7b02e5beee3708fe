"""A lane's view of its spool: every step passes a fault point and is told to the log and the metrics."""

from __future__ import annotations

from collections.abc import Sequence

from ..failpoints import hit
from ..models import LogKind
from .events import PlaysBuried, PlaysDelivered, PlaysInDoubt, PlaysRetried
from .metrics import EventSink
from .outcome import NAMES, Refused
from .records import Counts, DeadLetter, InDoubtPolicy, LastRequest, Lease, Receipt, Record
from .spools.base import SpoolReader, Watermark

EXPIRED = "expired"
"""The outcome of plays that grew too old; they are buried before a request is made."""

NO_EXCHANGE = LastRequest("", "")


class InstrumentedSpool:
    """Implements :class:`~sevendigital_async.shipping.spools.base.Exit` by passing everything on to a spool."""

    def __init__(self, spool: SpoolReader, sink: EventSink) -> None:
        self._spool = spool
        self._sink = sink

    async def due_in(self, kind: LogKind, *, flush: bool) -> float | None:
        """Pass on."""
        return await self._spool.due_in(kind, flush=flush)

    async def counts(self, kind: LogKind) -> Counts:
        """Pass on."""
        return await self._spool.counts(kind)

    def watermark(self, kind: LogKind) -> Watermark:
        """Pass on."""
        return self._spool.watermark(kind)

    def forget_dead_letters(self, letters: Sequence[DeadLetter]) -> None:
        """Pass on."""
        self._spool.forget_dead_letters(letters)

    async def lease(self, kind: LogKind, *, flush: bool) -> Lease | None:
        """Pass on, between fault points."""
        hit("before lease")
        lease = await self._spool.lease(kind, flush=flush)
        hit("after lease")
        return lease

    async def intent(self, lease: Lease, records: Sequence[Record], request_id: str) -> None:
        """Pass on, between fault points."""
        hit("before intent")
        await self._spool.intent(lease, records, request_id)
        hit("after intent")

    async def ack(self, lease: Lease, records: Sequence[Record], receipt: Receipt) -> None:
        """Pass on and tell of the delivery."""
        hit("before outcome")
        await self._spool.ack(lease, records, receipt)
        hit("after outcome")
        if self._sink.wants_deliveries and records:
            self._sink.emit(
                PlaysDelivered(
                    kind=lease.kind,
                    logs=len(records),
                    in_doubt=len(records) - _certain(records),
                    request_id=receipt.request_id,
                    seconds=_last(lease).seconds,
                )
            )

    async def release(
        self, lease: Lease, records: Sequence[Record], *, delay: float = 0.0, count_attempt: bool = True
    ) -> None:
        """Pass on and tell of the retry."""
        hit("before outcome")
        await self._spool.release(lease, records, delay=delay, count_attempt=count_attempt)
        hit("after outcome")
        self._tell_retried(lease, len(records), delay, failed=count_attempt)

    async def bury(self, lease: Lease, letters: Sequence[tuple[Record, DeadLetter]]) -> None:
        """Pass on and tell of the burial."""
        hit("before bury")
        await self._spool.bury(lease, letters)
        hit("after bury")
        # The last request may well have been the one that delivered the others.
        outcome = NAMES[Refused] if lease.last_request else EXPIRED
        request_id = lease.last_request.request_id if lease.last_request else ""
        self._sink.emit(PlaysBuried(kind=lease.kind, logs=len(letters), outcome=outcome, request_id=request_id))

    async def doubt(
        self, lease: Lease, records: Sequence[Record], policy: InDoubtPolicy, *, delay: float = 0.0
    ) -> None:
        """Pass on and tell of the doubt."""
        certain = _certain(records)
        hit("before outcome")
        await self._spool.doubt(lease, records, policy, delay=delay)
        hit("after outcome")
        self._tell_in_doubt(lease, certain, policy)
        if policy is InDoubtPolicy.RESEND:
            self._tell_retried(lease, len(records), delay, failed=True)

    async def abandon(self, lease: Lease, policy: InDoubtPolicy) -> None:
        """Pass on and tell of the doubt that it leaves."""
        certain = _certain(lease.records)
        await self._spool.abandon(lease, policy)
        self._tell_in_doubt(lease, certain - _certain(lease.records), policy)

    def _tell_retried(self, lease: Lease, logs: int, wait: float, *, failed: bool) -> None:
        last = _last(lease)
        if logs:
            self._sink.emit(
                PlaysRetried(
                    kind=lease.kind,
                    logs=logs,
                    outcome=last.outcome,
                    request_id=last.request_id,
                    wait=wait,
                    failed=failed,
                )
            )

    def _tell_in_doubt(self, lease: Lease, logs: int, policy: InDoubtPolicy) -> None:
        last = _last(lease)
        if logs:
            self._sink.emit(
                PlaysInDoubt(
                    kind=lease.kind, logs=logs, outcome=last.outcome, request_id=last.request_id, policy=policy.value
                )
            )


def _last(lease: Lease) -> LastRequest:
    return lease.last_request or NO_EXCHANGE


def _certain(records: Sequence[Record]) -> int:
    return sum([not record.in_doubt for record in records])
