"""The one thread that touches the file: waiting jobs share a transaction, so that they share its cost."""

from __future__ import annotations

import asyncio
import queue
import sqlite3
import threading
import zlib
from collections.abc import Callable
from contextlib import suppress
from typing import Any, Generic, TypeVar

from attrs import define, field

from ... import fault_points
from ...errors import ShipperClosedError
from .file import SpoolFile
from .later import Later, all_done
from .room import empty_wal
from .statements import set_flushed
from .trouble import is_busy, is_full, is_io, translated

T = TypeVar("T")
R = TypeVar("R")

IDLE = 0.05
"""Seconds without a job after which there is time for tidying."""

MAX_WEIGHT = 5_000
"""Plays that one transaction takes in at the most, unless a single job brings more."""


@define(eq=False)
class Job(Generic[T, R]):
    """Work for the thread.

    Attributes:
        work: What to do with the connection, inside a transaction, or to leave for its end. It may be done more than
            once: when the transaction fails, everything in it is undone and tried again by itself.
        applied: Hears the result on the loop, once it is durable, whether or not somebody still waits for it; what
            it returns is what ``done`` tells.
        weight: Plays that it brings.
        flushed: It must be on the disk, not only with the system, before ``done`` tells. What is not is there at the
            latest with the next job that is.
    """

    work: Callable[[sqlite3.Connection], T | Later[Any]]
    applied: Callable[[T], R]
    weight: int = 0
    flushed: bool = False
    done: asyncio.Future[R] = field(init=False, factory=lambda: asyncio.get_running_loop().create_future())


class Writer:
    """Runs jobs in order, several to a transaction.

    Args:
        file: Opened and released in the thread. If it is synchronous, jobs can demand to be on the disk when they are
            done.
        form: What its plays are to be made for.
        tidy: Done in portions when there is nothing else to do; says whether there is more.
        place: Names the file in errors.
    """

    def __init__(self, file: SpoolFile, form: str, tidy: Callable[[sqlite3.Connection], bool], place: str) -> None:
        self._file = file
        self._form = form
        self._tidy = tidy
        self._place = place
        self._full = self._flushing = file.synchronous == "FULL"
        self._is_untidy = True
        self._failure: Exception | None = None
        self._closed = False
        self._loop = asyncio.get_running_loop()
        self._jobs: queue.SimpleQueue[Job[Any, Any] | None] = queue.SimpleQueue()
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
            ShipperClosedError: The file has been let go of.
        """
        if self._closed:
            raise ShipperClosedError("the spool is closed")
        job.done.add_done_callback(_retrieved)
        self._jobs.put(job)
        return job.done

    async def aclose(self) -> None:
        """Finish what was submitted and let go of the file."""
        self._closed = True
        if self._thread.is_alive():
            self._jobs.put(None)
            # Joining would take a thread of the loop's own pool, and all of those may be busy for long.
            await asyncio.shield(self._ended)

    def _run(self) -> None:
        try:
            self._work()
        finally:
            self._tell(_settle_future, self._ended, None)

    def _work(self) -> None:
        try:
            db = self._file.open(self._form)
        except Exception as error:  # noqa: BLE001 - passed on to who waits for it
            self._tell(_settle_future, self._opened, error)
            return
        self._tell(_settle_future, self._opened, None)
        try:
            while jobs := self._collect(db):
                self._settle(db, jobs)
        finally:
            db.close()
            self._file.release()

    def _collect(self, db: sqlite3.Connection) -> list[Job[Any, Any]]:
        """Wait for a job and take those that stand behind it; nothing when it is time to end."""
        jobs: list[Job[Any, Any]] = []
        weight = 0
        job = self._first(db)
        while job is not None:
            jobs.append(job)
            weight += job.weight
            if weight >= MAX_WEIGHT:
                return jobs
            try:
                job = self._jobs.get_nowait()
            except queue.Empty:
                return jobs
        if jobs:
            self._jobs.put(None)  # the end was asked for; it comes after these
        return jobs

    def _first(self, db: sqlite3.Connection) -> Job[Any, Any] | None:
        """Wait for a job, and make use of the time."""
        while True:
            try:
                return self._jobs.get(timeout=IDLE if self._is_untidy else None)
            except queue.Empty:
                self._is_untidy = self._tidied(db)

    def _tidied(self, db: sqlite3.Connection) -> bool:
        try:
            return bool(self._transact(db, [self._tidy], flushed=False)[0])
        except (sqlite3.Error, zlib.error):
            return False  # whatever it is, who needs the file will say so

    def _settle(self, db: sqlite3.Connection, jobs: list[Job[Any, Any]]) -> None:
        if self._file.room.is_tight(db):
            self._tidied(db)
            empty_wal(db)
            if len(jobs) > 1:
                for job in jobs:
                    self._settle(db, [job])
                return
        try:
            flushed = any(job.flushed for job in jobs)
            results = self._persist(db, [job.work for job in jobs], flushed=flushed)
            self._is_untidy = True
        except Exception as error:  # noqa: BLE001 - passed on to who waits for it
            if len(jobs) > 1 and not is_busy(error):
                for job in jobs:  # one of them is to blame; the others need not suffer for it
                    self._settle(db, [job])
                return
            self._tell(_fail, jobs, translated(error, self._place))
        else:
            self._tell(_finish, jobs, results)

    def _tell(self, callback: Callable[..., None], *arguments: Any) -> None:
        with suppress(RuntimeError):  # the loop has ended, and with it whoever wanted to know
            self._loop.call_soon_threadsafe(callback, *arguments)

    def _persist(
        self, db: sqlite3.Connection, works: list[Callable[[sqlite3.Connection], Any]], *, flushed: bool
    ) -> list[Any]:
        if self._failure is not None and not empty_wal(db):
            raise self._failure
        self._failure = None
        try:
            return self._transact(db, works, flushed=flushed)
        except Exception as error:
            if is_io(error):
                # What could not be forced to the disk may never get there, and nothing behind it in the -wal file
                # would count after a power cut. So everything in it is written once more, elsewhere, before more is.
                self._failure = error
            if not is_full(error):
                raise
        empty_wal(db)
        self._file.room.shrink(db)
        return self._transact(db, works, flushed=flushed)

    def _transact(
        self, db: sqlite3.Connection, works: list[Callable[[sqlite3.Connection], Any]], *, flushed: bool
    ) -> list[Any]:
        flushed = flushed and self._full
        if flushed is not self._flushing:
            db.execute(f"PRAGMA synchronous = {'FULL' if flushed else 'NORMAL'}")
            self._flushing = flushed
        db.execute("BEGIN IMMEDIATE")
        try:
            results = all_done(db, [work(db) for work in works])
            if flushed:
                set_flushed(db, self._file.flushes + 1)
            fault_points.reached("before commit")
            db.execute("COMMIT")
        except BaseException:
            if db.in_transaction:
                db.execute("ROLLBACK")
            raise
        fault_points.reached("after commit")
        if flushed:
            self._file.flushed()
        return results


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
