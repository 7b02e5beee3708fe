"""SqliteSpool: plays in a file, durable when ``put`` returns."""

from __future__ import annotations

import asyncio
import logging
import os
import sqlite3
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import TypeVar

from attrs import define, field

from ....errors import ShipperError, SpoolError, SpoolInUseError, SpoolUnavailableError
from ....models import LogKind
from ...events import PlaysRecovered
from ...records import Checkpoint, Counts, DeadLetter, InDoubtPolicy, Lease, Receipt, Record, size_of
from ..base import SpoolContext, Watermark, WatermarkPosition, run_to_completion
from ..capacity import Capacity
from . import journal, statements
from .disk_space import MIN_FREE
from .file import SpoolFile, Synchronous
from .group_commit import PAUSE, Arrivals, Entry, GroupCommit
from .index import SpoolIndex
from .leases import SqliteLeases
from .paths import printable, spool_path
from .recovery import Opened, Recovery
from .statements import checkpoint_of
from .writer import Job, Writer


@define(eq=False)
class SqliteWatermark:
    """Implements :class:`~sevendigital_async.shipping.spools.base.Watermark`.

    Plays get their place in the order of acceptance when they are written, so the mark is made once lanes can see all
    plays that had been accepted, or were on their way into the file.
    """

    _kind: LogKind
    _index: SpoolIndex
    _writer: Writer
    _group_commit: GroupCommit
    _expected: Sequence[Entry]
    _mark: WatermarkPosition | None = field(init=False, default=None)

    @property
    def last(self) -> int | None:
        """Sequence of the last play; None while some are on their way into the file."""
        return None if self._mark is None else self._mark.last

    async def left(self, *, rest: float | None = None) -> int | None:
        """Return how many plays have not found their end; None while some are on their way into the file."""
        if self._mark is None:
            self._expected = [entry for entry in self._expected if self._group_commit.expects(entry)]
            if self._expected:
                return None
            self._mark = self._index.mark(self._kind, self._group_commit.unsettled(self._kind))
        if rest is None or not self._mark.left:
            return self._mark.left
        resting = statements.resting(self._kind, self._index.now + rest, self._mark.last)
        look: Job[int, int] = Job(resting, lambda logs: logs)
        try:
            return self._mark.left - await asyncio.shield(self._writer.submit(look))
        except SpoolUnavailableError:
            return self._mark.left


R = TypeVar("R")

logger = logging.getLogger("sevendigital_async.shipping")

DAY = 86_400.0


class SqliteSpool:
    """Implements :class:`~sevendigital_async.shipping.spools.base.Spool` in a file.

    What is accepted is in the file when ``put`` returns, and stays there until its fate is known. One process at a
    time may have it open; after a crash the next one goes on where the last one stopped.

    Args:
        path: The file; made if it does not exist. Not on a network drive.
        synchronous: ``"FULL"``: what is accepted survives a power cut. ``"NORMAL"`` is faster: it survives a crash
            of the process, but a power cut may take the plays of the last moments, and make plays that had just been
            delivered come back as if they had not.
        max_logs: Plays kept at the most: waiting, in flight, held and buried ones.
        max_bytes: The same in bytes of their wire form.
        min_free: Bytes of the disk that plays leave free, so that what is there can still be delivered; an eighth of
            the disk if that is less. Where less is free, writing is slower.
        journal_days: Days for which the journal is kept.
    """

    def __init__(
        self,
        path: str | os.PathLike[str],
        *,
        synchronous: Synchronous = "FULL",
        max_logs: int = 100_000_000,
        max_bytes: int = 8 * 1024**3,
        min_free: int = MIN_FREE,
        journal_days: float = 400.0,
    ) -> None:
        if synchronous not in {"FULL", "NORMAL"}:
            raise SpoolError('synchronous is "FULL" or "NORMAL"')
        self._file = SpoolFile(spool_path(path), synchronous, min_free)
        self._place = printable(path)
        self._capacity = Capacity(logs=max_logs, size=max_bytes)
        self._journal_seconds = journal_days * DAY
        self._opened = False
        self._claimed = False

    # -- life cycle --

    async def open(self, owner: SpoolContext) -> None:
        """Open the file, and settle what its last owner left behind.

        Raises:
            SpoolInUseError: Another shipper has it open.
            SpoolCorruptionError: It is not as it was left; it stays as it is.
            SpoolError: It is no spool, of another version or form, or can't be opened.
        """
        if self._claimed:
            raise SpoolInUseError(f"this SqliteSpool({self._place!r}) has been opened before; make another one")
        self._claimed = True
        self._clock = owner.clock
        self._index = SpoolIndex(self._capacity, owner)
        now = owner.clock.time()
        recovery = Recovery(owner.rules, owner.in_doubt, datetime.fromtimestamp(now, UTC))
        self._writer = Writer(self._file, owner.dialect, self._tidy, self._place)
        try:
            await self._writer.start()
            await asyncio.shield(self._writer.submit(Job(recovery, self._begin)))
        except BaseException:
            await asyncio.shield(self._writer.aclose())
            await self.aclose()  # it may have been opened in that very moment
            self._claimed = False
            raise

    def _begin(self, opened: Opened) -> None:
        owner = self._index.owner
        self._index.begin(opened)
        for kind, number in opened.recovered.items():
            owner.emit(PlaysRecovered(kind=kind, logs=number, in_doubt=number))
        self._leases = SqliteLeases(self._index, self._writer)
        self._arrivals = Arrivals(self._index, self._file, self._writer)
        self._group_commit = GroupCommit(self._arrivals, self._index.report, owner.clock)
        self._group_commit.sink(owner.fail)
        self._opened = True

    def refuse(self, error: ShipperError) -> None:
        """Accept nothing from now on."""
        self._capacity.refuse(error)
        if self._opened:
            self._group_commit.refuse(error)

    async def aclose(self) -> None:
        """Write what is left to be written and let go of the file, even if this is cancelled."""
        if not self._opened:
            return
        self._opened = False
        await run_to_completion(self._close())

    async def _close(self) -> None:
        if self._writer.is_abandoned:
            await asyncio.to_thread(self._writer.end)
            return
        if unwritten := await self._group_commit.aclose():
            logger.error("%s: %d plays of put_nowait could not be written and are lost", self._place, unwritten)
        if kept := self._arrivals.keep_withdrawn():
            logger.error("%s: %d plays of cancelled puts could not be taken back; they stay in it", self._place, kept)
        await self._writer.aclose()

    # -- plays in --

    def append_nowait(self, kind: LogKind, records: Sequence[Record]) -> None:
        """Accept all or none, to be written within moments; a crash before that loses them.

        Raises:
            SpoolFullError: There is no room now.
            SpoolUnavailableError: The disk takes nothing now.
            ShipperClosedError: The spool is closed, or the event loop that it was opened in is.
        """
        if self._group_commit.alert is not None:
            raise SpoolUnavailableError(self._group_commit.alert)
        size = size_of(records)
        self._capacity.reserve_nowait(len(records), size)
        entry = Entry(kind, records, size)
        self._arrivals.count([entry])
        self._group_commit.add(entry)

    async def append(self, kind: LogKind, records: Sequence[Record], checkpoint: Checkpoint | None = None) -> None:
        """Accept all or none, waiting for room; durable when it returns.

        A cancellation takes them back, also if they are in the file by then, and with them the checkpoint; no lane sees
        them. If the file takes nothing, that is done as soon as it does, before anything else is written.
        """
        if checkpoint is not None and checkpoint.after is not None:
            checkpoint.check(await self.checkpoint(checkpoint.source))
        size = size_of(records)
        if not self._capacity.take(len(records), size):
            self._index.wake_all()
            await self._capacity.reserve(len(records), size)
        await self._group_commit.added(Entry(kind, records, size, checkpoint))

    async def checkpoint(self, source: str) -> str | None:
        """Return the position last kept for a source, by a put that was not cancelled."""

        def settled(kept: str | None) -> str | None:
            return self._arrivals.settled_position(source, kept)

        job: Job[str | None, str | None] = Job(lambda db: checkpoint_of(db, source), settled)
        return await asyncio.shield(self._writer.submit(job))

    def _tidy(self, db: sqlite3.Connection) -> bool:
        return journal.tidy(db, self._clock.time() - self._journal_seconds)

    # -- plays out --

    async def due_in(self, kind: LogKind, *, flush: bool) -> float | None:
        """Seconds until a lease may succeed."""
        await self._arrivals.shown()
        due_in = 0.0 if self._leases.has_taken(kind) else self._index.due_in(kind, flush=flush)
        if not self._group_commit.is_behind:
            return due_in
        # What was put without waiting is on its way into the file, and counts as waiting already.
        return PAUSE if due_in is None or self._group_commit.is_stuck else min(due_in, PAUSE)

    async def lease(self, kind: LogKind, *, flush: bool) -> Lease | None:
        """Hand out the next due batch."""
        await self._arrivals.shown()
        return await self._leases.lease(kind, flush=flush)

    async def intent(self, lease: Lease, records: Sequence[Record], request_id: str) -> None:
        """Note that these plays are about to be sent; durable when it returns."""
        await self._leases.intent(lease, records, request_id)

    async def ack(self, lease: Lease, records: Sequence[Record], receipt: Receipt) -> None:
        """The service has accepted these plays: out of the backlog and into the journal, in one step."""
        await self._leases.ack(lease, records, receipt)

    async def release(
        self, lease: Lease, records: Sequence[Record], *, delay: float = 0.0, count_attempt: bool = True
    ) -> None:
        """Give plays back."""
        await self._leases.release(lease, records, delay=delay, count_attempt=count_attempt)

    async def bury(self, lease: Lease, letters: Sequence[tuple[Record, DeadLetter]]) -> None:
        """Set plays aside; they keep their room until a person has dropped or replayed them."""
        await self._leases.bury(lease, letters)

    async def doubt(
        self, lease: Lease, records: Sequence[Record], policy: InDoubtPolicy, *, delay: float = 0.0
    ) -> None:
        """Mark plays as possibly delivered, in the journal first."""
        await self._leases.doubt(lease, records, policy, delay=delay)

    async def abandon(self, lease: Lease, policy: InDoubtPolicy) -> None:
        """Settle what is left of a lease; if the file takes nothing, that is done when it is opened again."""
        await self._leases.abandon(lease, policy)

    def forget_dead_letters(self, letters: Sequence[DeadLetter]) -> None:
        """A file keeps what is buried, whoever has heard of it."""

    async def counts(self, kind: LogKind) -> Counts:
        """Say where the plays of a kind are."""
        return self._index.counts(kind)

    def watermark(self, kind: LogKind) -> Watermark:
        """Tell the plays that have been accepted by now, or are on their way into the file, from later ones."""
        return SqliteWatermark(kind, self._index, self._writer, self._group_commit, self._group_commit.on_their_way())

    async def oldest_age(self, kind: LogKind) -> float | None:
        """Seconds since the oldest waiting play was accepted, by the wall clock; None when nothing waits."""
        await self._arrivals.shown()
        shared = self._index.shared[kind]
        number = shared.oldest

        def work(db: sqlite3.Connection) -> float | None:
            return statements.oldest_of(db, kind, shared.id, number)

        def applied(moment: float | None) -> float | None:
            found = [oldest for oldest in (moment, self._leases.oldest(kind)) if oldest is not None]
            return min(found, default=None)

        oldest = await asyncio.shield(self._writer.submit(Job(work, applied)))
        return None if oldest is None else max(0.0, self._clock.time() - oldest)
