"""SqliteSpool: plays in a file, durable when ``put`` returns."""

from __future__ import annotations

import asyncio
import logging
import os
import shutil
import sqlite3
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TypeVar

from attrs import fields

from ... import fault_points
from ...errors import ShipperError, SpoolError, SpoolUnavailableError
from ...models import LogKind
from ..capacity import Capacity
from ..records import SHARED, Bookmark, Counts, DeadLetter, Fate, Lease, Receipt, Record
from ..spool import Owner
from . import statements
from .commits import PAUSE, Commits, Entry
from .file import SpoolFile, Synchronous
from .leases import Away
from .parcel import Written, runs_of
from .recovery import Opened, Recovery
from .settling import Batch, Settling, write_intent
from .shared import SharedQueue
from .statements import Due
from .writer import Job, Writer

R = TypeVar("R")

logger = logging.getLogger("sevendigital_async.shipping")

PRUNE_EVERY = 200
"""Batches delivered between two looks at what of the journal is too old."""

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
        min_free: Bytes of the disk that plays leave free, so that what is there can still be delivered; a sixteenth of
            the disk if that is less.
        journal_days: Days for which the journal is kept.
    """

    def __init__(
        self,
        path: str | os.PathLike[str],
        *,
        synchronous: Synchronous = "FULL",
        max_logs: int = 100_000_000,
        max_bytes: int = 8 * 1024**3,
        min_free: int = 32 * 1024**2,
        journal_days: float = 400.0,
    ) -> None:
        if synchronous not in {"FULL", "NORMAL"}:
            raise SpoolError('synchronous is "FULL" or "NORMAL"')
        self._file = SpoolFile(Path(path), synchronous)
        self._place = os.fspath(path)
        self._capacity = Capacity(logs=max_logs, size=max_bytes)
        self._min_free = min_free
        self._journal_seconds = journal_days * DAY
        self._counts = {kind: dict.fromkeys((place.name for place in fields(Counts)), 0) for kind in LogKind}
        self._shared: dict[LogKind, SharedQueue] = {}
        self._due = dict.fromkeys(LogKind, Due(None, None))
        self._leases: dict[Lease, Away] = {}
        self._numbers = 0
        self._closing = self._opened = False

    # -- life cycle --

    async def open(self, owner: Owner) -> None:
        """Open the file, and settle what its last owner left behind.

        Raises:
            SpoolInUseError: Another shipper has it open.
            SpoolDamagedError: It is not as it was left; it stays as it is.
            SpoolError: It is no spool, of another version, or can't be opened.
        """
        self._owner, self._clock = owner, owner.clock
        now = owner.clock.time()
        recovery = Recovery(
            owner.rules, owner.in_doubt, datetime.fromtimestamp(now, UTC), self._place, now - self._journal_seconds
        )
        self._writer = Writer(self._file.open, self._file.release, self._place)
        await self._writer.start()
        try:
            await asyncio.shield(self._writer.submit(Job(recovery, self._begin)))
        except BaseException:
            await asyncio.shield(self._writer.aclose())
            raise

    def _begin(self, opened: Opened) -> None:
        owner = self._owner
        self._clock_offset = opened.clock - self._clock.monotonic()
        for kind, lane in opened.lanes.items():
            counts = self._counts[kind]
            counts.update({name: lane.counts[name] for name in lane.counts.keys() & counts.keys()})
            self._capacity.occupy(lane.counts["kept"], lane.counts["size"])
            self._shared[kind] = SharedQueue(lane.queue, owner.rules[kind], lane.logs, lane.size)
            self._due[kind] = lane.due
        if opened.recovered:
            logger.warning("%s: %d plays were being sent when the last owner died", self._place, opened.recovered)
        self._commits = Commits(self._commit, self._drop, owner.report, owner.clock)
        self._opened = True

    def refuse(self, error: ShipperError) -> None:
        """Accept nothing from now on."""
        self._closing = True
        self._capacity.refuse(error)
        if self._opened:
            self._commits.refuse(error)

    async def aclose(self) -> None:
        """Write what is left to be written and let go of the file."""
        if not self._opened:
            return
        self._opened, self._closing = False, True
        if unwritten := await self._commits.aclose():
            logger.error("%s: %d plays of put_nowait could not be written and are lost", self._place, unwritten)
        await self._writer.aclose()

    # -- plays in --

    def append_nowait(self, kind: LogKind, records: Sequence[Record]) -> None:
        """Accept all or none, to be written within moments; a crash before that loses them.

        Raises:
            SpoolFullError: There is no room now.
            SpoolUnavailableError: The disk takes nothing now.
        """
        if self._commits.trouble is not None:
            raise SpoolUnavailableError(self._commits.trouble)
        size = _size(records)
        self._capacity.reserve_nowait(len(records), size)
        self._commits.add(Entry(kind, records, size))
        self._move(kind, put=len(records), waiting=len(records))

    async def append(self, kind: LogKind, records: Sequence[Record], bookmark: Bookmark | None = None) -> None:
        """Accept all or none, waiting for room; durable when it returns.

        A cancellation takes them back unless they are on their way into the file at that very moment.
        """
        size = _size(records)
        if not self._capacity.take(len(records), size):
            self._wake_all()
            await self._capacity.reserve(len(records), size)
        await self._commits.added(Entry(kind, records, size, bookmark))

    async def bookmark(self, source: str) -> str | None:
        """Return the position last kept for a source."""

        def work(db: sqlite3.Connection) -> str | None:
            found = db.execute("SELECT position FROM bookmark WHERE source = ?", (source,)).fetchone()
            return None if found is None else str(found[0])

        return await self._write(lambda: Job(work, lambda position: position))

    async def _commit(self, entries: list[Entry]) -> None:
        arrivals: dict[LogKind, dict[str, list[Record]]] = {}
        for entry in entries:
            queues = arrivals.setdefault(entry.kind, {})
            for record in entry.records:
                queues.setdefault(record.queue, []).append(record)
        written = Written(self._now(), self._clock.time())

        def work(db: sqlite3.Connection) -> dict[LogKind, Due]:
            fault_points.reached("before append")
            self._leave_room()
            for kind, queues in arrivals.items():
                statements.append(db, kind, queues, self._owner.rules[kind], written)
            for entry in entries:
                if entry.bookmark is not None:
                    statements.set_bookmark(db, entry.bookmark)
            fault_points.reached("after append")
            return {kind: statements.due_of(db, kind) for kind, queues in arrivals.items() if queues.keys() - {SHARED}}

        def applied(due: dict[LogKind, Due]) -> None:
            for entry in entries:
                if entry.accepted is not None:  # those that did not wait have been counted
                    self._move(entry.kind, put=len(entry.records), waiting=len(entry.records))
            self._due.update(due)
            for kind, queues in arrivals.items():
                if shared := queues.get(SHARED):
                    self._shared[kind].add(len(shared), _size(shared), written.put_at)
                self._owner.wake(kind)

        await asyncio.shield(self._writer.submit(Job(work, applied, sum([len(entry.records) for entry in entries]))))

    def _drop(self, entry: Entry) -> None:
        self._capacity.free(len(entry.records), entry.size)

    def _leave_room(self) -> None:
        disk = shutil.disk_usage(self._file.path.parent)
        if disk.free < min(self._min_free, disk.total // 16):
            raise SpoolUnavailableError(
                f"{self._place}: the disk is full ({disk.free:,} bytes are left); plays wait until there is room"
            )

    # -- plays out --

    async def due_in(self, kind: LogKind, *, flush: bool) -> float | None:
        """Seconds until a lease may succeed."""
        flush, now = flush or self._is_stuck, self._now()
        due = [self._shared[kind].due(now, flush=flush), self._due[kind].at(now, flush=flush)]
        moments = [moment for moment in due if moment is not None]
        return max(0.0, min(moments) - now) if moments else None

    async def lease(self, kind: LogKind, *, flush: bool) -> Lease | None:
        """Hand out the next due batch."""
        flush, now, shared = flush or self._is_stuck, self._now(), self._shared[kind]
        partner, signer = shared.due(now, flush=flush), self._due[kind].at(now, flush=flush)
        if signer is not None and signer <= now and (partner is None or signer < partner):
            return await self._handed_out(self._signer_job(kind, now, flush=flush))
        if partner is None or partner > now:
            return None
        returned = shared.take_returned(now)
        if returned is not None:
            return self._hand_out(kind, SHARED, shared.id, returned.records, returned.attempt)
        return await self._handed_out(self._fresh_job(kind, shared))

    async def intent(self, lease: Lease, records: Sequence[Record], request_id: str) -> None:
        """Note that these plays are about to be sent; durable when it returns."""
        away = self._leases[lease]
        await away.idle()
        lease.sending, away.request_id = tuple(records), request_id
        batch, leased = away.batch(records), runs_of(away.unsettled)
        await self._step(away, lambda db: write_intent(db, batch, leased), lambda _: None)

    async def ack(self, lease: Lease, records: Sequence[Record], receipt: Receipt) -> None:
        """The service has accepted these plays: out of the backlog and into the journal, in one step."""
        away = self._leases[lease]
        await away.idle()
        away.delivered = True
        moves = {"in_flight": -len(records), "delivered": len(records)}
        await self._settle(away, records, lambda file, batch: file.deliver(batch, receipt), moves, gone=True)

    async def release(self, lease: Lease, records: Sequence[Record], *, delay: float = 0.0, blame: bool = True) -> None:
        """Give plays back."""
        away = self._leases[lease]
        await away.idle()
        self._coming_back(away, records, delay, blame=blame)
        moves = {"in_flight": -len(records), "waiting": len(records)}
        await self._settle(away, records, Settling.release, moves)

    async def bury(self, lease: Lease, letters: Sequence[tuple[Record, DeadLetter]]) -> None:
        """Set plays aside; they keep their room until a person has dropped or replayed them."""
        away = self._leases[lease]
        await away.idle()
        moves = {"in_flight": -len(letters), "buried": len(letters)}
        await self._settle(
            away, [record for record, _ in letters], lambda file, batch: file.bury(batch, letters), moves
        )

    async def doubt(self, lease: Lease, records: Sequence[Record], fate: Fate, *, delay: float = 0.0) -> None:
        """Mark plays as possibly delivered, in the journal first."""
        away = self._leases[lease]
        await away.idle()
        at = datetime.fromtimestamp(self._clock.time(), UTC)
        moves = {"in_doubt": sum([not record.in_doubt for record in records])}
        if fate is Fate.KEEP:
            batch = away.batch(records)
            await self._step(
                away,
                lambda db: Settling(db, self._owner.rules[lease.kind], self._place).mark(batch, at),
                lambda _: self._doubted(lease.kind, records, moves),
            )
            return
        moves |= {"in_flight": -len(records)}
        if fate is Fate.HOLD:
            moves |= {"held": len(records)}
            await self._settle(away, records, lambda file, batch: file.hold(batch, at), moves, doubted=True)
        else:
            self._coming_back(away, records, delay, blame=True)
            moves |= {"waiting": len(records)}
            await self._settle(away, records, lambda file, batch: file.doubt(batch, at), moves, doubted=True)

    async def abandon(self, lease: Lease, fate: Fate) -> None:
        """Settle what is left of a lease, as if its lane had died; a file that takes nothing does it when reopened."""
        away = self._leases.get(lease)
        if away is None:
            return
        await away.idle()
        sending = set(lease.sending)
        doubtful = [record for record in away.unsettled if record in sending]
        certain = [record for record in away.unsettled if record not in sending]
        try:
            if doubtful:
                await self.doubt(lease, doubtful, fate)
            if certain and lease.suspect:
                await self.doubt(lease, certain, Fate.RESEND)
            elif certain:
                await self.release(lease, certain, blame=False)
        except SpoolError as error:
            logger.error("a batch is left as it is, to be settled when the spool is opened again: %s", error)  # noqa: TRY400

    def handed_over(self, letters: Sequence[DeadLetter]) -> None:
        """A file keeps what is buried, whoever has heard of it."""

    async def counts(self, kind: LogKind) -> Counts:
        """Say where the plays of a kind are."""
        return Counts(**self._counts[kind])

    # -- leases --

    def _signer_job(self, kind: LogKind, now: float, *, flush: bool) -> Job[Any, Lease | None]:
        rules = self._owner.rules[kind]

        def work(db: sqlite3.Connection) -> tuple[statements.Taken | None, Due]:
            taken = statements.take(db, kind, rules, now, self._place, flush=flush)
            return taken, statements.due_of(db, kind)

        def applied(result: tuple[statements.Taken | None, Due]) -> Lease | None:
            taken, self._due[kind] = result
            if taken is None:
                return None
            return self._hand_out(kind, taken.name, taken.queue, taken.records, taken.attempt)

        return Job(work, applied)

    def _fresh_job(self, kind: LogKind, shared: SharedQueue) -> Job[Any, Lease | None]:
        rules, cursor = self._owner.rules[kind], shared.cursor

        def applied(records: list[Record]) -> Lease | None:
            if cursor != shared.cursor or not records:
                return None  # somebody else was faster
            shared.taken(records)
            return self._hand_out(kind, SHARED, shared.id, records, 0)

        return Job(lambda db: statements.read(db, shared.id, SHARED, cursor, rules, self._place), applied)

    async def _handed_out(self, job: Job[Any, Lease | None]) -> Lease | None:
        handed_out = self._writer.submit(job)
        try:
            return await asyncio.shield(handed_out)
        except asyncio.CancelledError:
            await asyncio.wait([handed_out])
            if not handed_out.exception() and (unseen := handed_out.result()) is not None:
                await self.abandon(unseen, Fate.RESEND)
            raise

    def _hand_out(self, kind: LogKind, name: str, queue: int, records: Sequence[Record], attempt: int) -> Lease:
        self._numbers += 1
        lease = Lease(kind, name, tuple(records), attempt, key=self._numbers)
        self._leases[lease] = Away(lease, self._numbers, queue, lease.records)
        self._move(kind, waiting=-len(records), in_flight=len(records))
        return lease

    def _coming_back(self, away: Away, records: Sequence[Record], delay: float, *, blame: bool) -> None:
        away.returned.extend(records)
        away.delay = max(away.delay, delay)
        away.blame |= blame and bool(records)

    async def _settle(
        self,
        away: Away,
        records: Sequence[Record],
        step: Callable[[Settling, Batch], Due],
        moves: dict[str, int],
        *,
        gone: bool = False,
        doubted: bool = False,
    ) -> None:
        """Give plays their end: in the file, and once that is durable in what is known of it here."""
        kind = away.lease.kind
        batch = away.batch(records, ends_at=self._now())

        def applied(due: Due) -> None:
            if doubted:
                self._doubted(kind, records, moves)
            else:
                self._move(kind, **moves)
            self._due[kind] = due
            if gone:
                self._capacity.free(len(records), _size(records))
            if away.settled(records):
                self._come_back(away)

        await self._step(away, lambda db: step(Settling(db, self._owner.rules[kind], self._place), batch), applied)

    async def _step(self, away: Away, work: Callable[[sqlite3.Connection], R], applied: Callable[[R], None]) -> None:
        await self._write(lambda: Job(work, applied), away)

    async def _write(self, make: Callable[[], Job[Any, R]], away: Away | None = None) -> R:
        """Get a step into the file, for as long as it takes; if the shipper is closing, only once."""
        while True:
            step = self._writer.submit(make())
            if away is not None:
                away.step = step
            try:
                return await asyncio.shield(step)
            except SpoolUnavailableError as error:
                if self._closing:
                    raise
                self._owner.report(str(error))
            await self._clock.sleep(PAUSE)

    def _doubted(self, kind: LogKind, records: Sequence[Record], moves: dict[str, int]) -> None:
        for record in records:
            record.in_doubt = True
        self._move(kind, **moves)

    def _come_back(self, away: Away) -> None:
        lease = away.lease
        del self._leases[lease]
        if away.returned and lease.queue == SHARED:
            away.returned.sort(key=lambda record: record.sequence)
            due = self._now() + away.delay
            self._shared[lease.kind].give_back(away.returned, due, away.attempt)
        if self._capacity.is_wanted:
            self._wake_all()
        else:
            self._owner.wake(lease.kind)

    @property
    def _is_stuck(self) -> bool:
        """Full of incomplete batches, while plays that would complete them wait for room: don't linger."""
        if not self._capacity.is_wanted:
            return False
        now = self._now()
        due = [queue.due(now, flush=False) for queue in self._shared.values()]
        due += [signers.at(now, flush=False) for signers in self._due.values()]
        return all(moment is None or moment > now for moment in due)

    def _wake_all(self) -> None:
        for kind in LogKind:
            self._owner.wake(kind)

    def _now(self) -> float:
        """Seconds on the spool's clock, which goes on where it stopped when the file was closed."""
        return self._clock.monotonic() + self._clock_offset

    def _move(self, kind: LogKind, **changes: int) -> None:
        counts = self._counts[kind]
        for place, change in changes.items():
            counts[place] += change


def _size(records: Sequence[Record]) -> int:
    return sum([len(record.body) for record in records])
