"""SqliteArchive: reads a file of plays beside the shipper that writes it, and moves what was set aside."""

from __future__ import annotations

import asyncio
import os
import sqlite3
import time
from collections.abc import AsyncIterator, Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from functools import partial
from typing import TypeVar

from ...errors import SpoolError
from ...models import LogKind
from ..archive import JournalEntry, Place, SetAside, SpoolStatus
from ..rules import lane_rules
from . import mending
from .file import BUSY_TIMEOUT, SpoolFile, mark_of, not_a_lock, read_only
from .parcel import UnsoundError
from .paths import beside, check_files, printable, spool_path
from .reading import Wanted, bookmark_of, counts_of, journal_after, oldest_in, set_aside_after
from .schema import check_version, form_of
from .soundness import check
from .trouble import is_busy, translated
from .writer import release_abandoned

R = TypeVar("R")
T = TypeVar("T")

LARGEST_ID = 2**63 - 1

DURABILITY = (
    "in a file on this machine: an accepted play survives a crash of the process at once; a power cut, too, unless its"
    " shipper was told synchronous=NORMAL"
)


class SqliteArchive:
    """Implements :class:`~sevendigital_async.shipping.archive.Archive` for a file.

    Reading disturbs nobody. To replay and to drop, no shipper may have the file open.

    Args:
        path: The file.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self._path = spool_path(path)
        self._shown = printable(self._path)
        self._thread = ThreadPoolExecutor(1, thread_name_prefix=f"archive {self._shown}")
        self._db: sqlite3.Connection | None = None

    async def journal(
        self, *, kind: LogKind | None = None, since: datetime | None = None, until: datetime | None = None
    ) -> AsyncIterator[JournalEntry]:
        """Iterate over the journal, oldest first; ``since`` is included, ``until`` is not.

        What is written meanwhile is told as well, if ``until`` allows.

        Raises:
            SpoolDamagedError: An entry is not as it was written.
            SpoolError: There is no such spool, or it can't be read.
        """
        async for entry in self._portions(journal_after, Wanted(kind, None, since, until)):
            yield entry

    async def set_aside(self, *, kind: LogKind | None = None, place: Place | None = None) -> AsyncIterator[SetAside]:
        """Iterate over what waits for a person, oldest first.

        Raises:
            SpoolDamagedError: A row is not as it was written.
            SpoolError: There is no such spool, or it can't be read.
        """
        async for play in self._portions(set_aside_after, Wanted(kind, place)):
            yield play

    async def replay(self, ids: Sequence[str]) -> int:
        """Let plays wait for delivery again, each at the end of its queue; returns how many were there.

        Those in doubt stay so: sending them again may double them, and the journal will say so.

        Raises:
            SpoolInUseError: A shipper has the file open.
            SpoolError: There is no such spool, or it can't be written.
        """
        rules = lane_rules()
        return await self._mend(ids, lambda db, some: mending.replay(db, some, rules, time.time()))

    async def drop(self, ids: Sequence[str]) -> int:
        """Let go of plays for good: they stay counted as buried, and the journal tells of it.

        Raises:
            SpoolInUseError: A shipper has the file open.
            SpoolError: There is no such spool, or it can't be written.
        """
        return await self._mend(ids, lambda db, some: mending.drop(db, some, time.time()))

    async def status(self) -> SpoolStatus:
        """Say how the spool stands; what is in flight counts as waiting.

        Raises:
            SpoolError: There is no such spool, or it can't be read.
        """
        return await self._off_loop(self._status)

    async def bookmark(self, source: str) -> str | None:
        """Return the position last kept for a source; None if there is none.

        Raises:
            SpoolError: There is no such spool, or it can't be read.
        """
        return await self._off_loop(lambda: bookmark_of(self._connected(), source))

    async def aclose(self) -> None:
        """Let go of the file."""
        try:
            await self._off_loop(self._close)
        finally:
            self._thread.shutdown(wait=False)

    # -- in the thread --

    async def _off_loop(self, work: Callable[[], R]) -> R:
        try:
            return await asyncio.get_running_loop().run_in_executor(self._thread, work)
        except (sqlite3.Error, UnsoundError, UnicodeError, OSError) as error:
            raise translated(error, self._shown) from error

    async def _portions(
        self, read: Callable[[sqlite3.Connection, int, Wanted], tuple[int, list[T]]], wanted: Wanted
    ) -> AsyncIterator[T]:
        after = 0
        while True:
            after, portion = await self._off_loop(partial(self._read, read, after, wanted))
            if not portion:
                return
            for item in portion:
                yield item

    async def _mend(self, ids: Sequence[str], step: Callable[[sqlite3.Connection, Sequence[int]], int]) -> int:
        numbers = list(dict.fromkeys(int(name) for name in ids if name.isascii() and name.isdigit()))
        return await self._off_loop(lambda: self._step_by_step([n for n in numbers if n <= LARGEST_ID], step))

    def _step_by_step(self, ids: Sequence[int], step: Callable[[sqlite3.Connection, Sequence[int]], int]) -> int:
        form = form_of(self._connected())  # says what is wrong with a file that is none of ours, and never makes one
        release_abandoned(self._path)
        file, done = SpoolFile(self._path), 0
        db = file.open(form)
        try:
            for start in range(0, len(ids), mending.PORTION):
                db.execute("BEGIN IMMEDIATE")
                try:
                    done += step(db, ids[start : start + mending.PORTION])
                    db.execute("COMMIT")
                except BaseException:
                    if db.in_transaction:
                        db.execute("ROLLBACK")
                    raise
        finally:
            db.close()
            file.release()
        return done

    def _read(
        self, read: Callable[[sqlite3.Connection, int, Wanted], tuple[int, list[T]]], after: int, wanted: Wanted
    ) -> tuple[int, list[T]]:
        return read(self._connected(), after, wanted)

    def _status(self) -> SpoolStatus:
        db = self._connected()
        counts = counts_of(db)
        oldest = {kind: oldest_in(db, kind) if counts[kind].waiting else None for kind in counts}
        files = [path for ending in ("", "-wal") if (path := beside(self._path, ending)).exists()]
        size = sum(path.stat().st_size for path in files)
        return SpoolStatus(self._shown, self._in_use(), counts, oldest, size, DURABILITY)

    def _in_use(self) -> bool:
        lock = beside(self._path, "-owner")
        if not lock.exists():
            return False
        db = read_only(lock, timeout=0)
        try:
            db.execute("PRAGMA user_version").fetchone()
        except sqlite3.Error as error:
            if is_busy(error):
                return True
            raise not_a_lock(error, self._path) from error
        finally:
            db.close()
        return False

    def _connected(self) -> sqlite3.Connection:
        if self._db is None:
            check_files(self._path)
            if not self._path.exists():
                raise SpoolError(f"there is no spool {self._shown}")
            if self._path.stat().st_size == 0:
                raise SpoolError(f"{self._shown} is empty, which no spool ever is")
            mark = mark_of(self._path).read()  # first, so that a shipper may go on meanwhile
            db = read_only(self._path, timeout=BUSY_TIMEOUT)
            try:
                check_version(db, self._shown)
                check(db, mark, thoroughly=False)
            except BaseException:
                db.close()
                raise
            self._db = db
        return self._db

    def _close(self) -> None:
        if self._db is not None:
            self._db.close()
            self._db = None
