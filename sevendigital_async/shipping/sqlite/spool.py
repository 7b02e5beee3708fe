"""SqliteSpool: plays in a file, durable when ``put`` returns."""

from __future__ import annotations

import asyncio
import logging
import os
import sqlite3
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import TypeVar

from ...errors import ShipperError, SpoolError, SpoolInUseError, SpoolUnavailableError
from ...models import LogKind
from ..capacity import Capacity
from ..ending import to_its_end
from ..events import PlaysRecovered
from ..records import Bookmark, Counts, DeadLetter, Fate, Lease, Receipt, Record, size_of
from ..spool import Owner
from ..watermark import Watermark
from . import journal, statements
from .arrivals import Arrivals
from .commits import PAUSE, Commits
from .entry import Entry
from .file import SpoolFile, Synchronous
from .jobs import Job
from .outlet import Outlet
from .paths import printable, spool_path
from .reading import bookmark_of
from .recovery import Opened, Recovery
from .room import MIN_FREE
from .stock import Stock
from .watermark import SqliteWatermark
from .writer import Writer

R = TypeVar("R")

logger = logging.getLogger("sevendigital_async.shipping")

DAY = 86_400.0


class SqliteSpool:
    """Implements :class:`~sevendigital_async.shipping.spool.Spool` in a file.

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

    async def open(self, owner: Owner) -> None:
        """Open the file, and settle what its last owner left behind.

        Raises:
            SpoolInUseError: Another shipper has it open.
            SpoolDamagedError: It is not as it was left; it stays as it is.
            SpoolError: It is no spool, of another version or form, or can't be opened.
        """
        if self._claimed:
            raise SpoolInUseError(f"this SqliteSpool({self._place!r}) has been opened before; make another one")
        self._claimed = True
        self._clock = owner.clock
        self._stock = Stock(self._capacity, owner)
        now = owner.clock.time()
        recovery = Recovery(owner.rules, owner.in_doubt, datetime.fromtimestamp(now, UTC))
        self._writer = Writer(self._file, owner.form, self._tidy, self._place)
        try:
            await self._writer.start()
            await asyncio.shield(self._writer.submit(Job(recovery, self._begin)))
        except BaseException:
            await asyncio.shield(self._writer.aclose())
            await self.aclose()  # it may have been opened in that very moment
            self._claimed = False
            raise

    def _begin(self, opened: Opened) -> None:
        owner = self._stock.owner
        self._stock.begin(opened)
        for kind, number in opened.recovered.items():
            owner.tell(PlaysRecovered(kind=kind, logs=number, in_doubt=number))
        self._outlet = Outlet(self._stock, self._writer)
        self._arrivals = Arrivals(self._stock, self._file, self._writer)
        self._commits = Commits(self._arrivals, self._stock.report, owner.clock)
        self._commits.watch(owner.fail)
        self._opened = True

    def refuse(self, error: ShipperError) -> None:
        """Accept nothing from now on."""
        self._capacity.refuse(error)
        if self._opened:
            self._commits.refuse(error)

    async def aclose(self) -> None:
        """Write what is left to be written and let go of the file, even if this is cancelled."""
        if not self._opened:
            return
        self._opened = False
        await to_its_end(self._close())

    async def _close(self) -> None:
        if self._writer.is_abandoned:
            await asyncio.to_thread(self._writer.end)
            return
        if unwritten := await self._commits.aclose():
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
        if self._commits.trouble is not None:
            raise SpoolUnavailableError(self._commits.trouble)
        size = size_of(records)
        self._capacity.reserve_nowait(len(records), size)
        entry = Entry(kind, records, size)
        self._arrivals.count([entry])
        self._commits.add(entry)

    async def append(self, kind: LogKind, records: Sequence[Record], bookmark: Bookmark | None = None) -> None:
        """Accept all or none, waiting for room; durable when it returns.

        A cancellation takes them back, also if they are in the file by then, and with them the bookmark; no lane sees
        them. If the file takes nothing, that is done as soon as it does, before anything else is written.
        """
        if bookmark is not None and bookmark.after is not None:
            bookmark.check(await self.bookmark(bookmark.source))
        size = size_of(records)
        if not self._capacity.take(len(records), size):
            self._stock.wake_all()
            await self._capacity.reserve(len(records), size)
        await self._commits.added(Entry(kind, records, size, bookmark))

    async def bookmark(self, source: str) -> str | None:
        """Return the position last kept for a source, by a put that was not cancelled."""

        def settled(kept: str | None) -> str | None:
            return self._arrivals.settled_position(source, kept)

        job: Job[str | None, str | None] = Job(lambda db: bookmark_of(db, source), settled)
        return await asyncio.shield(self._writer.submit(job))

    def _tidy(self, db: sqlite3.Connection) -> bool:
        return journal.tidy(db, self._clock.time() - self._journal_seconds)

    # -- plays out --

    async def due_in(self, kind: LogKind, *, flush: bool) -> float | None:
        """Seconds until a lease may succeed."""
        await self._arrivals.shown()
        due_in = 0.0 if self._outlet.has_taken(kind) else self._stock.due_in(kind, flush=flush)
        if not self._commits.is_behind:
            return due_in
        # What was put without waiting is on its way into the file, and counts as waiting already.
        return PAUSE if due_in is None or self._commits.is_stuck else min(due_in, PAUSE)

    async def lease(self, kind: LogKind, *, flush: bool) -> Lease | None:
        """Hand out the next due batch."""
        await self._arrivals.shown()
        return await self._outlet.lease(kind, flush=flush)

    async def intent(self, lease: Lease, records: Sequence[Record], request_id: str) -> None:
        """Note that these plays are about to be sent; durable when it returns."""
        await self._outlet.intent(lease, records, request_id)

    async def ack(self, lease: Lease, records: Sequence[Record], receipt: Receipt) -> None:
        """The service has accepted these plays: out of the backlog and into the journal, in one step."""
        await self._outlet.ack(lease, records, receipt)

    async def release(self, lease: Lease, records: Sequence[Record], *, delay: float = 0.0, blame: bool = True) -> None:
        """Give plays back."""
        await self._outlet.release(lease, records, delay=delay, blame=blame)

    async def bury(self, lease: Lease, letters: Sequence[tuple[Record, DeadLetter]]) -> None:
        """Set plays aside; they keep their room until a person has dropped or replayed them."""
        await self._outlet.bury(lease, letters)

    async def doubt(self, lease: Lease, records: Sequence[Record], fate: Fate, *, delay: float = 0.0) -> None:
        """Mark plays as possibly delivered, in the journal first."""
        await self._outlet.doubt(lease, records, fate, delay=delay)

    async def abandon(self, lease: Lease, fate: Fate) -> None:
        """Settle what is left of a lease; if the file takes nothing, that is done when it is opened again."""
        await self._outlet.abandon(lease, fate)

    def handed_over(self, letters: Sequence[DeadLetter]) -> None:
        """A file keeps what is buried, whoever has heard of it."""

    async def counts(self, kind: LogKind) -> Counts:
        """Say where the plays of a kind are."""
        return self._stock.counts(kind)

    def watermark(self, kind: LogKind) -> Watermark:
        """Tell the plays that have been accepted by now, or are on their way into the file, from later ones."""
        return SqliteWatermark(kind, self._stock, self._writer, self._commits, self._commits.on_their_way())

    async def oldest_age(self, kind: LogKind) -> float | None:
        """Seconds since the oldest waiting play was accepted, by the wall clock; None when nothing waits."""
        await self._arrivals.shown()
        shared = self._stock.shared[kind]
        number = shared.oldest

        def work(db: sqlite3.Connection) -> float | None:
            return statements.oldest_of(db, kind, shared.id, number)

        def applied(moment: float | None) -> float | None:
            found = [oldest for oldest in (moment, self._outlet.oldest(kind)) if oldest is not None]
            return min(found, default=None)

        oldest = await asyncio.shield(self._writer.submit(Job(work, applied)))
        return None if oldest is None else max(0.0, self._clock.time() - oldest)
