"""The one thread that touches the file: waiting jobs share a transaction, so that they share its cost."""

from __future__ import annotations

import asyncio
import sqlite3
import threading
import time
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any, Generic, TypeVar

from attrs import define, field

from .... import failpoints
from ....errors import ShipperClosedError
from .disk_space import empty_wal, is_busy, is_full, is_io, translated
from .file import BUSY_TIMEOUT, SpoolFile
from .statements import DeferredWrite, all_done, set_flushed

T = TypeVar("T")
R = TypeVar("R")

MAX_WEIGHT = 5_000
"""Plays that one transaction takes in at the most, unless a single job brings more."""

GRACE = 0.02
"""Seconds without a step after which plays need not wait for steps any longer; a turn of a busy loop takes less."""


@define(eq=False)
class Job(Generic[T, R]):
    """Work for the thread.

    Attributes:
        work: What to do with the connection, inside a transaction, or to leave for its end. It may be done more than
            once: when the transaction fails, everything in it is undone and tried again by itself.
        applied: Hears the result on the loop, once it is durable, whether or not somebody still waits for it; what
            it returns is what ``done`` tells.
        weight: Plays that it brings; zero for a step of a delivery.
    """

    work: Callable[[sqlite3.Connection], T | DeferredWrite[Any]]
    applied: Callable[[T], R]
    weight: int = 0
    done: asyncio.Future[R] = field(init=False, factory=lambda: asyncio.get_running_loop().create_future())


class JobQueue:
    """Jobs on their way to the thread; any thread may put them, one takes them.

    Steps go first, as many as there are. After a transaction that has taken in plays while steps were waiting, steps
    have the thread to themselves for as long as that has taken, or until no more of them come. So each of the two gets
    at least half of the time if it can use it, and all of it while the other one has nothing to do.

    Args:
        clock: Seconds on a monotonic clock.
    """

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._changed = threading.Condition()
        self._steps: deque[Job[Any, Any]] = deque()
        self._appends: deque[Job[Any, Any]] = deque()
        self._closed = False
        self._appends_from = 0.0

    def put(self, job: Job[Any, Any]) -> None:
        """Let a job stand in line."""
        with self._changed:
            (self._appends if job.weight else self._steps).append(job)
            self._changed.notify()

    def close(self) -> None:
        """No more jobs will come."""
        with self._changed:
            self._closed = True
            self._changed.notify()

    def take(self, timeout: float) -> list[Job[Any, Any]] | None:
        """Wait for the jobs of the next transaction: none if no job has come; None if none will come any more."""
        with self._changed:
            if not self._changed.wait_for(lambda: self._steps or self._appends or self._closed, timeout):
                return []
            if not self._steps and (reserved := self._appends_from - self._clock()) > 0:
                self._changed.wait_for(lambda: self._steps or self._closed, min(reserved, GRACE))
                if not self._steps:
                    self._appends_from = 0.0
            return self._cut(0) or None

    def join(self, jobs: list[Job[Any, Any]]) -> list[Job[Any, Any]]:
        """Take those that have come in the meantime and fit into the transaction of ``jobs``."""
        with self._changed:
            return self._cut(sum([job.weight for job in jobs]))

    def used(self, jobs: list[Job[Any, Any]], seconds: float) -> None:
        """Hear how long the transaction of ``jobs`` has taken."""
        weights = [job.weight for job in jobs]
        with self._changed:
            if any(weights):
                steps_wait = bool(self._steps) or not all(weights)
                self._appends_from = self._clock() + seconds if steps_wait else 0.0

    def _cut(self, weight: int) -> list[Job[Any, Any]]:
        jobs = list(self._steps)
        self._steps.clear()
        if self._clock() >= self._appends_from:
            while self._appends and weight < MAX_WEIGHT:
                jobs.append(self._appends.popleft())
                weight += jobs[-1].weight
        return jobs


IDLE = 0.05
"""Seconds without a job after which there is time for tidying."""

LOOP_CHECK_INTERVAL = 1.0
"""Seconds without a job after which the thread looks whether its loop is still there."""


class Writer:
    """Runs jobs in order, several to a transaction.

    Args:
        file: Opened and released in the thread. If it is synchronous, jobs are on the disk when they are done.
        form: What its plays are to be made for.
        tidy: Done in portions when there is nothing else to do; says whether there is more.
        place: Names the file in errors.
        clock: Seconds on a monotonic clock, to share the thread's time by.
    """

    def __init__(
        self,
        file: SpoolFile,
        dialect: str,
        tidy: Callable[[sqlite3.Connection], bool],
        place: str,
        *,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._file = file
        self._dialect = dialect
        self._tidy = tidy
        self._place = place
        self._full = file.synchronous == "FULL"
        self._is_untidy = True
        self._failure: Exception | None = None
        self._closed = False
        self._loop = asyncio.get_running_loop()
        self._clock = clock
        self._jobs = JobQueue(clock)
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

    def submit(self, job: Job[Any, R]) -> asyncio.Future[R]:
        """Hand a job over; the future tells when its transaction is durable, or why it could not be.

        Cancelling who waits for it changes nothing: await it through ``asyncio.shield``.

        Raises:
            ShipperClosedError: The file has been let go of, or its loop is closed.
        """
        if self._closed:
            raise ShipperClosedError("the spool is closed")
        if self.is_abandoned:
            raise ShipperClosedError("the event loop that the spool was opened in is closed")
        job.done.add_done_callback(_retrieved)
        self._jobs.put(job)
        return job.done

    async def aclose(self) -> None:
        """Finish what was submitted and let go of the file."""
        self._closed = True
        if self._thread.is_alive():
            self._jobs.close()
            # Joining would take a thread of the loop's own pool, and all of those may be busy for long.
            await asyncio.shield(self._ended)

    @property
    def is_abandoned(self) -> bool:
        """Whether the loop has been closed, so that nobody can use or close this any more."""
        return self._loop.is_closed()

    def end(self) -> None:
        """Finish what was submitted and let go of the file, from another thread, when the loop is closed."""
        self._jobs.close()
        self._thread.join(BUSY_TIMEOUT)

    def _run(self) -> None:
        try:
            self._work()
        finally:
            self._tell(_settle_future, self._ended, None)

    def _work(self) -> None:
        path = self._file.path
        release_abandoned(path)
        try:
            db = self._file.open(self._dialect)
        except Exception as error:  # noqa: BLE001 - passed on to who waits for it
            self._tell(_settle_future, self._opened, error)
            return
        _writers[path] = self
        self._tell(_settle_future, self._opened, None)
        try:
            while (jobs := self._next(db)) is not None:
                began = self._clock()
                self._settle(db, jobs)
                self._jobs.used(jobs, self._clock() - began)
        finally:
            db.close()
            del _writers[path]  # before others may own the file, and stand there
            self._file.release()

    def _next(self, db: sqlite3.Connection) -> list[Job[Any, Any]] | None:
        """Wait for jobs, and make use of the time; None when it is time to end."""
        while not (jobs := self._jobs.take(IDLE if self._is_untidy else LOOP_CHECK_INTERVAL)):
            if jobs is None or self.is_abandoned:
                return None
            self._is_untidy = self._is_untidy and self._tidied(db)
        return jobs

    def _tidied(self, db: sqlite3.Connection) -> bool:
        if self._failure is not None:
            return False
        try:
            return self._transact(db, self._tidy)
        except Exception:  # noqa: BLE001 - whatever it is, who needs the file will say so; the thread must live
            return False

    def _settle(self, db: sqlite3.Connection, jobs: list[Job[Any, Any]], *, alone: bool = False) -> None:
        """Do jobs; those that come in the meantime join them, unless they are to be ``alone``."""
        if self._file.room.is_tight(db):
            if len(jobs) > 1:
                self._settle_apart(db, jobs)
                return
            self._tidied(db)
            empty_wal(db)
            alone = True
        try:
            results = self._persist(db, jobs, alone=alone)
            self._is_untidy = True
        except Exception as error:  # noqa: BLE001 - passed on to who waits for it
            if len(jobs) > 1 and not is_busy(error):
                self._settle_apart(db, jobs)  # one of them is to blame; the others need not suffer for it
                return
            self._tell(_fail, jobs, translated(error, self._place))
        else:
            self._tell(_finish, jobs, results)

    def _settle_apart(self, db: sqlite3.Connection, jobs: list[Job[Any, Any]]) -> None:
        for job in jobs:
            self._settle(db, [job], alone=True)

    def _tell(self, callback: Callable[..., None], *arguments: Any) -> None:
        with suppress(RuntimeError):  # the loop has ended, and with it whoever wanted to know
            self._loop.call_soon_threadsafe(callback, *arguments)

    def _persist(self, db: sqlite3.Connection, jobs: list[Job[Any, Any]], *, alone: bool) -> list[Any]:
        def work(db: sqlite3.Connection) -> list[Any]:
            results = []
            for job in jobs:
                results.append(job.work(db))
                if not alone and job is jobs[-1]:
                    # While the thread waits for the interpreter, more jobs have come; a commit costs more than they do.
                    jobs.extend(self._jobs.join(jobs))
            return all_done(db, results)

        if self._failure is not None and not empty_wal(db):
            raise self._failure
        self._failure = None
        try:
            return self._transact(db, work)
        except Exception as error:
            if is_io(error):
                # What could not be forced to the disk may never get there, and nothing behind it in the -wal file
                # would count after a power cut. So everything in it is written once more, elsewhere, before more is.
                self._failure = error
            if not is_full(error):
                raise
        empty_wal(db)
        self._file.room.shrink(db)
        return self._transact(db, work)

    def _transact(self, db: sqlite3.Connection, work: Callable[[sqlite3.Connection], R]) -> R:
        db.execute("BEGIN IMMEDIATE")
        try:
            result = work(db)
            if self._full:
                set_flushed(db, self._file.flushes + 1)
            failpoints.hit("before commit")
            db.execute("COMMIT")
        except BaseException:
            if db.in_transaction:
                db.execute("ROLLBACK")
            raise
        failpoints.hit("after commit")
        if self._full:
            self._file.flushed()
        return result


_writers: dict[Path, Writer] = {}
"""Who has a file open in this process."""


def release_abandoned(path: Path) -> None:
    """Let go of a file that a writer of this process still has open although its loop is closed."""
    writer = _writers.get(path)
    if writer is not None and writer.is_abandoned:
        writer.end()


def _finish(jobs: list[Job[Any, Any]], results: list[Any]) -> None:
    for job, result in zip(jobs, results, strict=True):
        try:
            told = job.applied(result)
        except Exception as error:  # noqa: BLE001 - whoever waits must hear of it, and so must those that come after
            _settle_future(job.done, error)
            continue
        if not job.done.done():
            job.done.set_result(told)


def _fail(jobs: list[Job[Any, Any]], error: Exception) -> None:
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
        done.exception()  # who waited may have gone; nobody else needs to hear of it
