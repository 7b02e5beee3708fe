"""A lane's view of its spool: every step passes a fault point and is told to the log and the metrics."""

from __future__ import annotations

from collections.abc import Sequence

from ..fault_points import reached
from ..models import LogKind
from .events import PlaysBuried, PlaysDelivered, PlaysInDoubt, PlaysRetried
from .metrics import Watch
from .outcome import NAMES, Refused
from .records import Counts, DeadLetter, Exchange, Fate, Lease, Receipt, Record
from .spool import Exit
from .watermark import Watermark

EXPIRED = "expired"
"""The outcome of plays that grew too old; they are buried before a request is made."""

NO_EXCHANGE = Exchange("", "")


class WatchedSpool:
    """Implements :class:`~sevendigital_async.shipping.spool.Exit` by passing everything on to a spool."""

    def __init__(self, spool: Exit, watch: Watch) -> None:
        self._spool = spool
        self._watch = watch

    async def due_in(self, kind: LogKind, *, flush: bool) -> float | None:
        """Pass on."""
        return await self._spool.due_in(kind, flush=flush)

    async def counts(self, kind: LogKind) -> Counts:
        """Pass on."""
        return await self._spool.counts(kind)

    def watermark(self, kind: LogKind) -> Watermark:
        """Pass on."""
        return self._spool.watermark(kind)

    def handed_over(self, letters: Sequence[DeadLetter]) -> None:
        """Pass on."""
        self._spool.handed_over(letters)

    async def lease(self, kind: LogKind, *, flush: bool) -> Lease | None:
        """Pass on, between fault points."""
        reached("before lease")
        lease = await self._spool.lease(kind, flush=flush)
        reached("after lease")
        return lease

    async def intent(self, lease: Lease, records: Sequence[Record], request_id: str) -> None:
        """Pass on, between fault points."""
        reached("before intent")
        await self._spool.intent(lease, records, request_id)
        reached("after intent")

    async def ack(self, lease: Lease, records: Sequence[Record], receipt: Receipt) -> None:
        """Pass on and tell of the delivery."""
        reached("before outcome")
        await self._spool.ack(lease, records, receipt)
        reached("after outcome")
        if self._watch.heeds_deliveries and records:
            self._watch.tell(
                PlaysDelivered(
                    kind=lease.kind,
                    logs=len(records),
                    in_doubt=len(records) - _certain(records),
                    request_id=receipt.request_id,
                    seconds=_last(lease).seconds,
                )
            )

    async def release(self, lease: Lease, records: Sequence[Record], *, delay: float = 0.0, blame: bool = True) -> None:
        """Pass on and tell of the retry."""
        reached("before outcome")
        await self._spool.release(lease, records, delay=delay, blame=blame)
        reached("after outcome")
        self._tell_retried(lease, len(records), delay, failed=blame)

    async def bury(self, lease: Lease, letters: Sequence[tuple[Record, DeadLetter]]) -> None:
        """Pass on and tell of the burial."""
        reached("before bury")
        await self._spool.bury(lease, letters)
        reached("after bury")
        # The last request may well have been the one that delivered the others.
        outcome = NAMES[Refused] if lease.exchange else EXPIRED
        request_id = lease.exchange.request_id if lease.exchange else ""
        self._watch.tell(PlaysBuried(kind=lease.kind, logs=len(letters), outcome=outcome, request_id=request_id))

    async def doubt(self, lease: Lease, records: Sequence[Record], fate: Fate, *, delay: float = 0.0) -> None:
        """Pass on and tell of the doubt."""
        certain = _certain(records)
        reached("before outcome")
        await self._spool.doubt(lease, records, fate, delay=delay)
        reached("after outcome")
        self._tell_in_doubt(lease, certain, fate)
        if fate is Fate.RESEND:
            self._tell_retried(lease, len(records), delay, failed=True)

    async def abandon(self, lease: Lease, fate: Fate) -> None:
        """Pass on and tell of the doubt that it leaves."""
        certain = _certain(lease.records)
        await self._spool.abandon(lease, fate)
        self._tell_in_doubt(lease, certain - _certain(lease.records), fate)

    def _tell_retried(self, lease: Lease, logs: int, wait: float, *, failed: bool) -> None:
        last = _last(lease)
        if logs:
            self._watch.tell(
                PlaysRetried(
                    kind=lease.kind,
                    logs=logs,
                    outcome=last.outcome,
                    request_id=last.request_id,
                    wait=wait,
                    failed=failed,
                )
            )

    def _tell_in_doubt(self, lease: Lease, logs: int, fate: Fate) -> None:
        last = _last(lease)
        if logs:
            self._watch.tell(
                PlaysInDoubt(
                    kind=lease.kind, logs=logs, outcome=last.outcome, request_id=last.request_id, fate=fate.value
                )
            )


def _last(lease: Lease) -> Exchange:
    return lease.exchange or NO_EXCHANGE


def _certain(records: Sequence[Record]) -> int:
    return sum([not record.in_doubt for record in records])
