"""Opening the file: one owner at a time, made in one step, never overwritten, and mended after a crash."""

from __future__ import annotations

import os
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Literal

from attrs import Factory, define, field

from ....errors import SpoolCorruptionError, SpoolError, SpoolInUseError
from ..base import check_dialect
from .disk_space import MIN_FREE, DiskSpaceGuard, is_busy, unusable
from .integrity import CommitMarkerFile, check
from .paths import beside, check_files, create_private, printable, tighten
from .schema import check_version, create, dialect_of

SMALL = 64 * 1024 * 1024
"""Bytes up to which a file is looked at from end to end when it is opened."""

OLDEST_SQLITE = (3, 38, 0)
OWNER_TIMEOUT = 0.1
"""Seconds to wait for somebody who looks whether there is an owner."""

BUSY_TIMEOUT = 5.0
"""Seconds to wait for a reader that is in the way when the file is opened."""

BUSY_TIMEOUT_OPEN = 30
"""Milliseconds to wait for another writer later; what waits for the file then says so and tries again.

Closing may have to wait several times, and still be in time.
"""

CHECKPOINT_PAGES = 4000
"""Pages in the -wal file from which on they are brought into the file itself."""

Synchronous = Literal["FULL", "NORMAL"]


@define(eq=False)
class SpoolFile:
    """A file of plays and the right to write to it.

    Attributes:
        path: Where it is.
        synchronous: FULL: what is accepted survives a power cut. NORMAL: it survives a crash of the process, but a
            power cut or a crash of the system may take the last moments with it.
        min_free: Bytes of the disk that plays leave free.
        flushes: How many transactions have been forced to the disk.
        room: On the disk.
    """

    path: Path
    synchronous: Synchronous = "FULL"
    min_free: int = MIN_FREE
    flushes: int = field(init=False, default=0)
    room: DiskSpaceGuard = field(
        init=False, default=Factory(lambda self: DiskSpaceGuard(self.path, self.min_free), takes_self=True)
    )
    _owner: sqlite3.Connection | None = field(init=False, default=None)
    _identity: tuple[int, int] | None = field(init=False, default=None)
    _mark: CommitMarkerFile = field(init=False, default=Factory(lambda self: mark_of(self.path), takes_self=True))

    def open(self, dialect: str) -> sqlite3.Connection:
        """Open it, making it if it does not exist.

        Args:
            form: What its plays are to be made for.

        Raises:
            SpoolInUseError: Somebody else has it open.
            SpoolCorruptionError: It is not as it was left.
            SpoolError: It is no spool, keeps plays of another form, or can't be opened.
        """
        if sqlite3.sqlite_version_info < OLDEST_SQLITE:
            raise SpoolError(f"spools need SQLite 3.38 or later; this Python has {sqlite3.sqlite_version}")
        try:
            check_files(self.path)
            self._become_owner()
            tighten(self.path)
            if not self.path.exists():
                self._make(dialect)
            self._identity = self._found()
            self._check(dialect)
            return self._connect()
        except SpoolError:
            self.release()
            raise
        except Exception as error:
            self.release()
            raise unusable(error, self.shown) from error

    @property
    def shown(self) -> str:
        """Its path, for people to read."""
        return printable(self.path)

    def check_place(self) -> None:
        """See that the open file is still the one that will be found under its name.

        Raises:
            SpoolCorruptionError: It is not.
        """
        if self._found() != self._identity:
            raise SpoolCorruptionError(
                f"{self.shown} was moved or removed while it was open; what waits is in the file that was moved"
            )

    def _found(self) -> tuple[int, int] | None:
        try:
            status = self.path.stat()
        except FileNotFoundError:
            return None
        return status.st_dev, status.st_ino

    def flushed(self) -> None:
        """Note that one more transaction has been forced to the disk."""
        self.flushes += 1
        self._mark.write(self.flushes)

    def release(self) -> None:
        """Let others own it."""
        self._mark.close()
        if self._owner is not None:
            self._owner.close()
            self._owner = None

    def _become_owner(self) -> None:
        # A lock that SQLite takes on a file beside: it works on every system, and falls when the process dies.
        lock = beside(self.path, "-owner")
        create_private(lock)
        owner = sqlite3.connect(lock, isolation_level=None, timeout=OWNER_TIMEOUT, check_same_thread=False)
        try:
            owner.execute("BEGIN EXCLUSIVE")
        except sqlite3.Error as error:
            owner.close()
            if is_busy(error):
                raise SpoolInUseError(
                    f"{self.shown} is in use by another shipper; stop that one first, or use another file"
                ) from None
            raise not_a_lock(error, self.path) from error
        self._owner = owner

    def _make(self, dialect: str) -> None:
        """Make a spool elsewhere and move it into place, so that nobody ever finds half of one."""
        wal = beside(self.path, "-wal")
        if wal.exists() and wal.stat().st_size:  # readers leave empty ones
            raise SpoolCorruptionError(
                f"{self.shown} is missing, but {printable(wal)} is there; put the file back beside it"
            )
        wal.unlink(missing_ok=True)
        unfinished = beside(self.path, "-new")
        _remove(unfinished)
        create_private(unfinished)  # what SQLite makes beside it has the same mode
        try:
            with closing(sqlite3.connect(unfinished, isolation_level=None)) as db:
                create(db, dialect)
            _sync(unfinished)
            unfinished.rename(self.path)
            _sync(self.path.parent)
        finally:
            _remove(unfinished)

    def _check(self, dialect: str) -> None:
        """Look without writing: a connection that may write would tidy up a damaged file when it is closed."""
        size = self.path.stat().st_size
        if size == 0:
            raise SpoolCorruptionError(
                f"{self.shown} is empty, which no spool ever is; if nothing was in it, remove it and start again"
            )
        mark = self._mark.read()
        with closing(read_only(self.path, timeout=BUSY_TIMEOUT)) as db:
            check_version(db, self.shown)
            check(db, mark, thoroughly=size <= SMALL)
            check_dialect(self.shown, dialect_of(db), dialect)

    def _connect(self) -> sqlite3.Connection:
        db = sqlite3.connect(self.path, isolation_level=None, timeout=BUSY_TIMEOUT, check_same_thread=False)
        try:
            db.execute(f"PRAGMA synchronous = {self.synchronous}")
            db.execute("PRAGMA cache_size = -16384")
            db.execute(f"PRAGMA wal_autocheckpoint = {CHECKPOINT_PAGES}")
            self.flushes, name = db.execute("SELECT flushed, name FROM progress").fetchone()
            self._mark.open(name)
            db.execute(f"PRAGMA busy_timeout = {BUSY_TIMEOUT_OPEN}")
        except BaseException:
            db.close()
            raise
        return db


def not_a_lock(error: sqlite3.Error, path: Path) -> Exception:
    """Say what is wrong with the lock of a file."""
    if error.sqlite_errorcode != sqlite3.SQLITE_NOTADB:
        return error
    return SpoolError(
        f"{printable(beside(path, '-owner'))} is not the lock that it should be; no plays are in it: remove it"
    )


def mark_of(path: Path) -> CommitMarkerFile:
    """Return the note of how far a file had been written."""
    return CommitMarkerFile(beside(path, "-mark"))


def read_only(path: Path, *, timeout: float) -> sqlite3.Connection:
    """Open a database without the means to change it."""
    # Where no files can be made beside it, nobody can be told that it is being read; nobody else has it open, either.
    alone = not os.access(path.parent, os.W_OK) and not beside(path, "-wal").exists()
    uri = f"{path.absolute().as_uri()}?mode=ro{'&immutable=1' if alone else ''}"
    return sqlite3.connect(uri, uri=True, isolation_level=None, timeout=timeout)


def _remove(path: Path) -> None:
    for ending in ("", "-wal", "-shm", "-journal"):
        beside(path, ending).unlink(missing_ok=True)


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
