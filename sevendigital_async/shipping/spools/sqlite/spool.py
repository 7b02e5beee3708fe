"""SqliteSpool: plays in a file, durable when ``put`` returns."""

from __future__ import annotations

import asyncio
import logging
import os
import sqlite3
from collections.abc import Sequence
from weakref import WeakValueDictionary

from attrs import define, evolve, field

from ....clock import to_datetime
from ....errors import ShipperError, SpoolError, SpoolInUseError, SpoolUnavailableError
from ....models import LogKind
from ....private_files import printable
from ...events import PlaysRecovered
from ...records import Checkpoint, Counts, DeadLetter, Lease, Record, size_of
from ..base import SpoolContext, Watermark, WatermarkPosition, run_to_completion
from ..capacity import Capacity
from . import journal, statements
from .file import SpoolFile, Synchronous, spool_path
from .group_commit import Appender, GroupCommit, PendingAppend
from .index import RecoveredSpool, SpoolIndex
from .leases import SqliteLeases
from .statements import checkpoint_of
from .transitions import Recovery
from .writer import MIN_FREE_BYTES, RETRY_INTERVAL, SqliteWriter, WriterJob

logger = logging.getLogger("sevendigital_async.shipping")

SECONDS_PER_DAY = 86_400.0


@define(eq=False)
class SqliteWatermark:
    """Implements :class:`~sevendigital_async.shipping.spools.base.Watermark`.

    Plays get their sequence numbers when they are written, so the mark is made once lanes can see all plays that had
    been accepted, or were being written.
    """

    _kind: LogKind
    _index: SpoolIndex
    _writer: SqliteWriter
    _group_commit: GroupCommit
    _unseen: Sequence[PendingAppend]
    _position: WatermarkPosition | None = field(init=False, default=None)

    @property
    def last(self) -> int | None:
        """Sequence number of the last play; None while some are being written."""
        return None if self._position is None else self._position.last

    async def left(self, *, max_delay: float | None = None) -> int | None:
        if self._position is None:
            self._unseen = [pending for pending in self._unseen if self._group_commit.will_be_visible(pending)]
            if self._unseen:
                return None
            self._position = self._index.add_watermark(self._kind, self._group_commit.hidden_logs(self._kind))
        if max_delay is None or not self._position.left:
            return self._position.left
        until, last = self._index.now + max_delay, self._position.last
        count: WriterJob[int, int] = WriterJob(
            lambda db: statements.count_delayed(db, self._kind, until, last), lambda logs: logs
        )
        try:
            return self._position.left - await asyncio.shield(self._writer.submit(count))
        except SpoolUnavailableError:
            return self._position.left


class SqliteSpool(SqliteLeases):
    """Implements :class:`~sevendigital_async.shipping.spools.base.Spool` in a file.

    Plays are in the file when ``put`` returns, and stay there until they are delivered. One process at a time may have
    it open; after a crash the next one continues where the last one stopped. A file of the version before is migrated
    when it is opened.

    Args:
        path: The file; created if it does not exist. Not on a network drive.
        synchronous: ``"FULL"``: what is accepted survives a power cut. ``"NORMAL"`` is faster: it survives a crash
            of the process, but a power cut may lose the plays of the last moments, and plays that had just been
            delivered may be sent again.
        max_logs: Maximum number of stored plays: waiting, in flight, held and buried.
        max_bytes: The same in bytes, as they are sent.
        min_free: Bytes of the disk that ``put`` leaves free, so that stored plays can still be delivered; an eighth of
            the disk if that is less. With less free space, writing is slower.
        journal_days: Days for which the journal is kept.
    """

    def __init__(
        self,
        path: str | os.PathLike[str],
        *,
        synchronous: Synchronous = "FULL",
        max_logs: int = 100_000_000,
        max_bytes: int = 8 * 1024**3,
        min_free: int = MIN_FREE_BYTES,
        journal_days: float = 400.0,
    ) -> None:
        super().__init__()
        if synchronous not in {"FULL", "NORMAL"}:
            raise SpoolError('synchronous must be "FULL" or "NORMAL"')
        self._file = SpoolFile(spool_path(path), synchronous)
        self._min_free = min_free
        self._shown = printable(path)
        self._capacity = Capacity(logs=max_logs, size=max_bytes)
        self._journal_seconds = journal_days * SECONDS_PER_DAY
        self._source_locks: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()
        self._opened = False
        self._claimed = False

    # -- life cycle --

    async def open(self, context: SpoolContext) -> None:
        """Open the file, and recover the leases of a process that died.

        Raises:
            SpoolInUseError: Another shipper has it open.
            SpoolCorruptionError: It is damaged; it is left as it is.
            SpoolError: It is not a spool, has an unknown version or another dialect, or can't be opened.
        """
        if self._claimed:
            raise SpoolInUseError(f"this SqliteSpool({self._shown!r}) has been opened before; make another one")
        self._claimed = True
        self._index = SpoolIndex(self._capacity, context)
        now = context.clock.time()
        recovery = Recovery(context.rules, context.in_doubt, to_datetime(now))
        self._writer = SqliteWriter(self._file, context.dialect, self._prune, self._shown, min_free=self._min_free)
        try:
            await self._writer.start()
            await asyncio.shield(self._writer.submit(WriterJob(recovery, self._load)))
        except BaseException:
            await asyncio.shield(self._writer.aclose())
            await self.aclose()  # the job may have succeeded all the same
            self._claimed = False
            raise

    def _load(self, recovered: RecoveredSpool) -> None:
        context = self._index.context
        self._index.load(recovered)
        for kind, number in recovered.recovered.items():
            context.emit(PlaysRecovered(kind=kind, logs=number, in_doubt=number))
        self._appender = Appender(self._index, self._file, self._writer)
        self._group_commit = GroupCommit(self._appender, self._index.report, context)
        self._opened = True

    def refuse(self, error: ShipperError) -> None:
        self._capacity.refuse(error)
        if self._opened:
            self._group_commit.refuse(error)

    async def aclose(self) -> None:
        """Write pending plays and close the file, even if this is cancelled."""
        if not self._opened:
            return
        self._opened = False
        await run_to_completion(self._close())

    async def _close(self) -> None:
        if self._writer.is_abandoned:
            await asyncio.to_thread(self._writer.close_abandoned)
            return
        if unwritten := await self._group_commit.aclose():
            logger.error(
                "%s: %d plays accepted by put_nowait could not be written and are lost", self._shown, unwritten
            )
        await self._writer.aclose()
        if kept := self._appender.keep_withdrawn():
            logger.error(
                "%s: %d plays of cancelled puts could not be withdrawn; they stay in the spool", self._shown, kept
            )

    # -- plays in --

    def append_nowait(self, kind: LogKind, records: Sequence[Record]) -> None:
        """Accept all or none, to be written within moments; a crash before that loses them.

        Raises:
            SpoolFullError: The spool is full.
            SpoolUnavailableError: The file can't be written now.
            ShipperClosedError: The spool is closed, or the event loop that it was opened in is.
        """
        if self._group_commit.alert is not None:
            raise SpoolUnavailableError(self._group_commit.alert)
        size = size_of(records)
        self._capacity.reserve_nowait(len(records), size)
        pending = PendingAppend(kind, records, size)
        self._appender.count_put([pending])
        self._group_commit.enqueue(pending)

    async def append(self, kind: LogKind, records: Sequence[Record], checkpoint: Checkpoint | None = None) -> None:
        """Accept all or none, waiting for capacity; durable when it returns.

        A cancellation removes the plays and the checkpoint, also if they are in the file by then; no lane sees them. If
        the file can't be written, they are removed as soon as it can be, before anything else is written.
        """
        if checkpoint is not None and checkpoint.after is not None:
            # Between check and commit no other append may store a checkpoint of this source.
            async with self._source_locks.setdefault(checkpoint.source, asyncio.Lock()):
                checkpoint.check(await self._position_when_available(checkpoint.source))
                await self.append(kind, records, evolve(checkpoint, after=None))
            return
        size = len(records[0].body) if len(records) == 1 else size_of(records)
        if not self._capacity.take(len(records), size):
            self._index.context.wake_all()
            await self._capacity.reserve(len(records), size)
        pending = PendingAppend(kind, records, size, checkpoint)
        accepted = self._group_commit.commit(pending)
        try:
            await accepted
        except (asyncio.CancelledError, GeneratorExit):
            self._group_commit.withdraw(pending)
            raise

    async def checkpoint(self, source: str) -> str | None:
        """Return the position last stored for a source, by a put that was not cancelled."""

        def settled(kept: str | None) -> str | None:
            return self._appender.acknowledged_position(source, kept)

        job: WriterJob[str | None, str | None] = WriterJob(lambda db: checkpoint_of(db, source), settled)
        return await asyncio.shield(self._writer.submit(job))

    async def _position_when_available(self, source: str) -> str | None:
        """Return the stored position of a source, waiting like an append while the file can't be used."""
        while True:
            self._capacity.check_open()
            try:
                return await self.checkpoint(source)
            except SpoolUnavailableError as error:
                self._index.report(str(error))
                await self._index.context.clock.sleep(RETRY_INTERVAL)

    def _prune(self, db: sqlite3.Connection) -> bool:
        return journal.prune(db, self._index.context.clock.time() - self._journal_seconds)

    # -- plays out --

    async def due_in(self, kind: LogKind, *, flush: bool) -> float | None:
        await self._appender.wait_until_visible()
        due_in = 0.0 if self._signer_batches[kind] else self._index.due_in(kind, flush=flush)
        if not self._group_commit.is_behind:
            return due_in
        # Plays of append_nowait that are being written count as waiting already.
        return RETRY_INTERVAL if due_in is None or self._group_commit.is_stuck else min(due_in, RETRY_INTERVAL)

    async def lease(self, kind: LogKind, *, flush: bool) -> Lease | None:
        await self._appender.wait_until_visible()
        return await super().lease(kind, flush=flush)

    def forget_dead_letters(self, dead_letters: Sequence[DeadLetter]) -> None:
        """Do nothing: a file keeps its dead letters until they are replayed or discarded."""

    async def counts(self, kind: LogKind) -> Counts:
        return self._index.counts(kind)

    def watermark(self, kind: LogKind) -> Watermark:
        """Mark the plays that have been accepted by now, or are being written."""
        return SqliteWatermark(kind, self._index, self._writer, self._group_commit, self._group_commit.unseen_appends())

    async def oldest_age(self, kind: LogKind) -> float | None:
        """Seconds since the oldest waiting play was accepted, by the wall clock; None when nothing waits."""
        await self._appender.wait_until_visible()
        partner_queue = self._index.partner_queues[kind]
        sequence = partner_queue.oldest

        def work(db: sqlite3.Connection) -> float | None:
            return statements.oldest_accepted(db, kind, partner_queue.id, sequence)

        def applied(moment: float | None) -> float | None:
            accepted = [batch.oldest for batch in self._signer_batches[kind]]
            return min(accepted if moment is None else [moment, *accepted], default=None)

        oldest = await asyncio.shield(self._writer.submit(WriterJob(work, applied)))
        return None if oldest is None else max(0.0, self._index.context.clock.time() - oldest)
