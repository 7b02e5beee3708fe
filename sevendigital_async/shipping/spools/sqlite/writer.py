"""The one thread that uses the file: waiting jobs share a transaction, and so its cost."""

from __future__ import annotations

import asyncio
import shutil
import sqlite3
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, Generic, TypeVar

from attrs import define, field, frozen

from .... import failpoints
from ....errors import ShipperClosedError
from ....private_files import printable
from .errors import DiskFullError, is_busy, is_full, is_io, translate_error
from .file import BUSY_TIMEOUT, SpoolFile, empty_wal

T = TypeVar("T")
R = TypeVar("R")
ItemT = TypeVar("ItemT")

MAX_WEIGHT = 5_000
"""Plays that one transaction appends at most, unless a single job has more."""

TRANSITION_GRACE_PERIOD = 0.02
"""Seconds without a transition after which appends need not wait for transitions any longer.

An iteration of a busy event loop takes less.
"""

RETRY_INTERVAL = 0.5
"""Seconds after which work is tried again while the file can't be written."""

IDLE_TIME = 0.05
"""Seconds without a job after which the thread tidies the journal."""

LOOP_CHECK_INTERVAL = 1.0
"""Seconds without a job after which the thread checks whether its loop has been closed."""

MIN_FREE_BYTES = 32 * 1024**2
"""Bytes of the disk that appends leave free, unless the spool is opened with another number."""

MIN_FREE_SHARE = 8
"""Of a small disk, appends leave this fraction free: one eighth."""

MAX_PAGES = 256
"""Pages that one call of ``shrink`` gives back at most."""

AMPLE_SPACE_FACTOR = 16
"""With this many times ``min_free`` on the disk, pages are not counted for each append."""

CHECK_INTERVAL = 0.1
"""Seconds between checks while there is ample space; a check takes longer than a small transaction."""

WriteAll = Callable[[sqlite3.Connection, Sequence[ItemT]], None]
"""Writes the items of several jobs, with as few statements as one item needs."""


@frozen
class DeferredWrite(Generic[ItemT]):
    """Work that is done at the end of the transaction, because no other job depends on it.

    Attributes:
        write_all: Writes the items of all jobs at once.
        item: The item of this job.
    """

    write_all: WriteAll[ItemT]
    item: ItemT


Work = Callable[[sqlite3.Connection], T] | DeferredWrite[Any]
"""What a job does with the connection, and returns; a deferred write returns nothing."""


@define(eq=False)
class WriterJob(Generic[T, R]):
    """Work for the thread.

    Attributes:
        work: Called in the thread with the connection, inside a transaction. It may be called more than once: when the
            transaction fails, each of its jobs is rolled back and tried alone.
        on_durable: Called on the loop with the result of ``work`` once it is durable, also if the caller has stopped
            waiting; returns the result of ``done``.
        weight: Plays that it appends; zero for transitions of leases.
        done: Set on the loop after ``on_durable``, or with the error.
    """

    work: Work[T]
    on_durable: Callable[[T], R]
    weight: int = 0
    done: asyncio.Future[R] = field(init=False, factory=lambda: asyncio.get_running_loop().create_future())


class WriterQueue:
    """Jobs that wait for the thread; any thread may put them, one takes them.

    Transitions of leases go first. After a transaction that has appended plays while transitions were waiting, only
    transitions are done for as long as that transaction took, or until there are none. So transitions and appends each
    get at least half of the time if they can use it, and all of it while there are no others.

    Args:
        clock: Seconds on a monotonic clock.
    """

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._changed = threading.Condition()
        self._transitions: deque[WriterJob[Any, Any]] = deque()
        self._appends: deque[WriterJob[Any, Any]] = deque()
        self._closed = False
        self._appends_from = 0.0

    def put(self, job: WriterJob[Any, Any]) -> None:
        """Add a job."""
        with self._changed:
            (self._appends if job.weight else self._transitions).append(job)
            self._changed.notify()

    def close(self) -> None:
        """Declare that no more jobs will be put."""
        with self._changed:
            self._closed = True
            self._changed.notify()

    def take_jobs(self, timeout: float) -> list[WriterJob[Any, Any]] | None:
        """Wait for the jobs of the next transaction: an empty list after the timeout; None if the queue is closed."""
        with self._changed:
            if not self._changed.wait_for(lambda: self._transitions or self._appends or self._closed, timeout):
                return []
            if not self._transitions and (reserved := self._appends_from - self._clock()) > 0:
                self._changed.wait_for(
                    lambda: self._transitions or self._closed, min(reserved, TRANSITION_GRACE_PERIOD)
                )
                if not self._transitions:
                    self._appends_from = 0.0
            return self._cut(0) or None

    def take_more_jobs(self, jobs: list[WriterJob[Any, Any]]) -> list[WriterJob[Any, Any]]:
        """Take the jobs that have been put in the meantime and fit into the transaction of ``jobs``."""
        with self._changed:
            return self._cut(sum([job.weight for job in jobs]))

    def record_duration(self, jobs: list[WriterJob[Any, Any]], seconds: float) -> None:
        """Note how long the transaction of ``jobs`` took."""
        weights = [job.weight for job in jobs]
        with self._changed:
            if any(weights):
                transitions_wait = bool(self._transitions) or not all(weights)
                self._appends_from = self._clock() + seconds if transitions_wait else 0.0

    def _cut(self, weight: int) -> list[WriterJob[Any, Any]]:
        jobs = list(self._transitions)
        self._transitions.clear()
        if self._clock() >= self._appends_from:
            while self._appends and weight < MAX_WEIGHT:
                jobs.append(self._appends.popleft())
                weight += jobs[-1].weight
        return jobs


@define
class DiskSpaceGuard:
    """Guards the free space of the disk: appends leave enough of it for the stored plays to be delivered.

    SQLite writes to the -wal file first, and moves pages from there to free pages of the file, or to new ones. Without
    space for new pages, nothing can be moved out of the -wal file any more, and it grows until nothing can be written
    at all, deliveries included. So plays are accepted only while there is space for both. When the disk is nearly full,
    the writer does one job at a time, and moves its pages into the file before the next job.

    Attributes:
        path: The file.
        min_free: Bytes that appends leave free; less on a small disk.
    """

    path: Path
    min_free: int = MIN_FREE_BYTES
    _bytes_until_check: int = field(init=False, default=0)
    """Bytes that appends may still take before the next exact check."""
    _next_check: float = field(init=False, default=0.0)

    def check(self, db: sqlite3.Connection, size: int) -> None:
        """Check that an append fits on the disk.

        Args:
            db: The connection.
            size: Bytes of its plays.

        Raises:
            DiskFullError: It does not.
        """
        if self._bytes_until_check > size:
            self._bytes_until_check -= size
            return
        disk = shutil.disk_usage(self.path.parent)
        page_size, unused = _pragma(db, "page_size"), _pragma(db, "freelist_count")
        growth = self._growth(db) + max(0, size - unused * page_size)
        if disk.free < min(self.min_free, disk.total // MIN_FREE_SHARE) + size + growth:
            raise DiskFullError(
                f"{printable(self.path)}: the disk is full ({disk.free:,} bytes are left);"
                " plays are accepted again when there is space"
            )

    def is_low(self, db: sqlite3.Connection) -> bool:
        """Whether the pages of every job must be moved into the file before the next job begins."""
        if self._bytes_until_check > 0 and time.monotonic() < self._next_check:
            return False
        try:
            free = shutil.disk_usage(self.path.parent).free
            self._next_check = time.monotonic() + CHECK_INTERVAL
            self._bytes_until_check = free - AMPLE_SPACE_FACTOR * max(self.min_free, MIN_FREE_BYTES)
            return self._bytes_until_check <= 0 and free < self.min_free + self._growth(db)
        except (OSError, sqlite3.Error):
            return False  # the next job will fail for the same reason, and report it

    def shrink(self, db: sqlite3.Connection) -> None:
        """Return free pages of the file to the disk, a limited number at a time."""
        with suppress(sqlite3.Error, OSError):
            pages = min(MAX_PAGES, shutil.disk_usage(self.path.parent).free // _pragma(db, "page_size") // 4)
            if pages:
                db.execute(f"PRAGMA incremental_vacuum({pages})").fetchall()
        empty_wal(db)

    def _growth(self, db: sqlite3.Connection) -> int:
        return max(0, _pragma(db, "page_count") * _pragma(db, "page_size") - self.path.stat().st_size)


def _pragma(db: sqlite3.Connection, name: str) -> int:
    return int(db.execute(f"PRAGMA {name}").fetchone()[0])


class SqliteWriter:
    """Runs jobs in order, several to a transaction.

    Args:
        file: Opened and released in the thread. If it is synchronous, jobs are on the disk when they are done.
        dialect: Which API its plays are encoded for.
        prune: Called while there are no jobs; does a portion of work and returns whether there is more.
        place: Names the file in errors.
        min_free: Bytes of the disk that appends leave free.
        clock: Seconds on a monotonic clock, for sharing the time of the thread.

    Attributes:
        disk_space: Guards the free space of the disk; used in the thread.
    """

    def __init__(
        self,
        file: SpoolFile,
        dialect: str,
        prune: Callable[[sqlite3.Connection], bool],
        place: str,
        *,
        min_free: int = MIN_FREE_BYTES,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._file = file
        self._dialect = dialect
        self._prune = prune
        self._shown_path = place
        self.disk_space: DiskSpaceGuard = DiskSpaceGuard(file.path, min_free)
        self._has_expired = True
        self._failure: Exception | None = None
        self._closed = False
        self._loop = asyncio.get_running_loop()
        self._clock = clock
        self._jobs = WriterQueue(clock)
        self._opened: asyncio.Future[None] = self._loop.create_future()
        self._ended: asyncio.Future[None] = self._loop.create_future()
        self._thread = threading.Thread(target=self._run, name=f"spool {place}", daemon=True)

    async def start(self) -> None:
        """Open the connection.

        Raises:
            SpoolError: It can't be opened.
        """
        self._thread.start()
        await asyncio.shield(self._opened)

    def submit(self, job: WriterJob[Any, R]) -> asyncio.Future[R]:
        """Pass a job to the thread; the future is done when its transaction is durable, or has failed.

        Await it through ``asyncio.shield``: a job can't be cancelled.

        Raises:
            ShipperClosedError: The file is closed, or the event loop is.
        """
        if self._closed:
            raise ShipperClosedError("the spool is closed")
        if self.is_abandoned:
            raise ShipperClosedError("the event loop that the spool was opened in is closed")
        job.done.add_done_callback(_retrieved)
        self._jobs.put(job)
        return job.done

    async def aclose(self) -> None:
        """Finish all jobs and close the file."""
        self._closed = True
        if self._thread.is_alive():
            self._jobs.close()
            # Joining would take a thread of the loop's own pool, and all of those may be busy for a long time.
            await asyncio.shield(self._ended)

    @property
    def is_abandoned(self) -> bool:
        """Whether the event loop has been closed, so that this can't be used or closed from it any more."""
        return self._loop.is_closed()

    def close_abandoned(self) -> None:
        """Finish all jobs and close the file, from another thread, after the event loop has been closed."""
        self._jobs.close()
        self._thread.join(BUSY_TIMEOUT)

    def _run(self) -> None:
        try:
            self._work()
        finally:
            self._notify(_settle_future, self._ended, None)

    def _work(self) -> None:
        path = self._file.path
        release_abandoned(path)
        try:
            db = self._file.open(self._dialect)
        except Exception as error:  # noqa: BLE001 - raised by start()
            self._notify(_settle_future, self._opened, error)
            return
        _writers[path] = self
        self._notify(_settle_future, self._opened, None)
        try:
            while (jobs := self._next(db)) is not None:
                began = self._clock()
                self._run_jobs(db, jobs)
                self._jobs.record_duration(jobs, self._clock() - began)
        finally:
            db.close()
            if _writers.get(path) is self:  # not if its lock file was removed, and another one has opened the file
                del _writers[path]  # before another writer may open the file, and register
            self._file.release()

    def _next(self, db: sqlite3.Connection) -> list[WriterJob[Any, Any]] | None:
        """Wait for jobs, and prune meanwhile; None when the thread must end."""
        while not (jobs := self._jobs.take_jobs(IDLE_TIME if self._has_expired else LOOP_CHECK_INTERVAL)):
            if jobs is None or self.is_abandoned:
                return None
            self._has_expired = self._has_expired and self._pruned(db)
        return jobs

    def _pruned(self, db: sqlite3.Connection) -> bool:
        if self._failure is not None:
            return False
        try:
            return self._transact(db, self._prune)
        except Exception:  # noqa: BLE001 - the next job will report it; the thread must not end
            return False

    def _run_jobs(self, db: sqlite3.Connection, jobs: list[WriterJob[Any, Any]], *, alone: bool = False) -> None:
        """Do jobs in one transaction, with those that are put in the meantime unless ``alone``."""
        if self.disk_space.is_low(db):
            if len(jobs) > 1:
                self._run_singly(db, jobs)
                return
            self._pruned(db)
            empty_wal(db)
            alone = True
        try:
            results = self._transact_with_recovery(db, jobs, alone=alone)
            self._has_expired = True
        except Exception as error:  # noqa: BLE001 - raised by the futures of the jobs
            if len(jobs) > 1 and not is_busy(error):
                self._run_singly(db, jobs)  # one of them has failed; the others must not fail with it
                return
            self._notify(_fail, jobs, translate_error(error, self._shown_path))
        else:
            self._notify(_finish, jobs, results)

    def _run_singly(self, db: sqlite3.Connection, jobs: list[WriterJob[Any, Any]]) -> None:
        for job in jobs:
            self._run_jobs(db, [job], alone=True)

    def _notify(self, callback: Callable[..., None], *arguments: Any) -> None:
        with suppress(RuntimeError):  # the loop is closed, and nothing waits for the result
            self._loop.call_soon_threadsafe(callback, *arguments)

    def _transact_with_recovery(
        self, db: sqlite3.Connection, jobs: list[WriterJob[Any, Any]], *, alone: bool
    ) -> list[Any]:
        def work(db: sqlite3.Connection) -> list[Any]:
            results: list[Any] = []
            deferred: dict[WriteAll[Any], list[Any]] = {}
            for job in jobs:
                if isinstance(job.work, DeferredWrite):
                    deferred.setdefault(job.work.write_all, []).append(job.work.item)
                    results.append(None)
                else:
                    results.append(job.work(db))
                if not alone and job is jobs[-1]:
                    # While the thread waited for the interpreter lock, more jobs came; a commit costs more than a job.
                    jobs.extend(self._jobs.take_more_jobs(jobs))
            for write_all, items in deferred.items():
                write_all(db, items)
            return results

        if self._failure is not None and not empty_wal(db):
            raise self._failure
        self._failure = None
        try:
            return self._transact(db, work)
        except Exception as error:
            if is_io(error):
                # Pages that could not be forced to the disk may never get there, and SQLite would ignore everything
                # behind them in the -wal file after a power cut. So its contents are moved into the file first.
                self._failure = error
            if not is_full(error):
                raise
        empty_wal(db)
        self.disk_space.shrink(db)
        return self._transact(db, work)

    def _transact(self, db: sqlite3.Connection, work: Callable[[sqlite3.Connection], R]) -> R:
        db.execute("BEGIN IMMEDIATE")
        try:
            result = work(db)
            self._file.before_commit(db)
            failpoints.hit("before commit")
            db.execute("COMMIT")
        except BaseException as error:
            if db.in_transaction:
                db.execute("ROLLBACK")
            if isinstance(error, Exception) and is_io(error):
                self._file.overwrite_failed_commit(db)
            raise
        failpoints.hit("after commit")
        self._file.after_commit()
        return result


_writers: dict[Path, SqliteWriter] = {}
"""The writers of this process, by the file that they have open."""


def release_abandoned(path: Path) -> None:
    """Close a file that a writer of this process still has open although its event loop is closed."""
    writer = _writers.get(path)
    if writer is not None and writer.is_abandoned:
        writer.close_abandoned()


def _finish(jobs: list[WriterJob[Any, Any]], results: list[Any]) -> None:
    for job, result in zip(jobs, results, strict=True):
        try:
            outcome = job.on_durable(result)
        except Exception as error:  # noqa: BLE001 - raised by the future; the other jobs need their results as well
            _settle_future(job.done, error)
            continue
        if not job.done.done():
            job.done.set_result(outcome)


def _fail(jobs: list[WriterJob[Any, Any]], error: Exception) -> None:
    for job in jobs:
        _settle_future(job.done, error)


def _settle_future(future: asyncio.Future[Any], error: Exception | None) -> None:
    if future.done():
        return
    if error is None:
        future.set_result(None)
    else:
        future.set_exception(error)


def _retrieved(done: asyncio.Future[Any]) -> None:
    if not done.cancelled():
        done.exception()  # retrieved, so that asyncio logs nothing if the caller was cancelled
