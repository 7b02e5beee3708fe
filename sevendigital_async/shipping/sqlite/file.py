"""Opening the file: one owner at a time, made in one step, never overwritten, and mended after a crash."""

from __future__ import annotations

import os
import sqlite3
from pathlib import Path
from typing import Literal

from attrs import define, field

from ...errors import SpoolDamagedError, SpoolError, SpoolInUseError
from ..spool import check_form
from .parcel import UnsoundError
from .schema import check_all, check_parcels, check_sums, check_version, create, form_of
from .trouble import translated

SMALL = 64 * 1024 * 1024
"""Bytes up to which a file is looked at from end to end when it is opened."""

OLDEST_SQLITE = (3, 38, 0)
OWNER_TIMEOUT = 0.1
"""Seconds to wait for somebody who looks whether there is an owner."""

BUSY_TIMEOUT = 5.0
"""Seconds to wait for a reader that is in the way when the file is opened."""

BUSY_TIMEOUT_OPEN = 250
"""Milliseconds to wait for another writer later; what waits for the file then says so and tries again."""

Synchronous = Literal["FULL", "NORMAL"]


@define(eq=False)
class SpoolFile:
    """A file of plays and the right to write to it.

    Attributes:
        path: Where it is.
        synchronous: FULL: what is accepted survives a power cut. NORMAL: it survives a crash of the process, but a
            power cut or a crash of the system may take the last moments with it.
    """

    path: Path
    synchronous: Synchronous = "FULL"
    _owner: sqlite3.Connection | None = field(init=False, default=None)
    _identity: tuple[int, int] | None = field(init=False, default=None)

    def open(self, form: str) -> sqlite3.Connection:
        """Open it, making it if it does not exist.

        Args:
            form: What its plays are to be made for.

        Raises:
            SpoolInUseError: Somebody else has it open.
            SpoolDamagedError: It is not as it was left.
            SpoolError: It is no spool, keeps plays of another form, or can't be opened.
        """
        if sqlite3.sqlite_version_info < OLDEST_SQLITE:
            raise SpoolError(f"spools need SQLite 3.38 or later; this Python has {sqlite3.sqlite_version}")
        try:
            self._become_owner()
            if not self.path.exists():
                self._make(form)
            elif self.path.stat().st_size == 0:
                raise SpoolDamagedError(
                    f"{self.path} is empty, which no spool ever is; if nothing was in it, remove it and start again"
                )
            self._identity = self._found()
            return self._connect(form)
        except (sqlite3.Error, UnsoundError) as error:
            self.release()
            raise _unusable(error, self.path) from error
        except OSError as error:
            self.release()
            raise SpoolError(f"{self.path} can't be used: {error.strerror}") from error
        except SpoolError:
            self.release()
            raise

    def check_place(self) -> None:
        """See that the open file is still the one that will be found under its name.

        Raises:
            SpoolDamagedError: It is not.
        """
        if self._found() != self._identity:
            raise SpoolDamagedError(
                f"{self.path} was moved or removed while it was open; what waits is in the file that was moved"
            )

    def _found(self) -> tuple[int, int] | None:
        try:
            status = self.path.stat()
        except FileNotFoundError:
            return None
        return status.st_dev, status.st_ino

    def release(self) -> None:
        """Let others own it."""
        if self._owner is not None:
            self._owner.close()
            self._owner = None

    def _become_owner(self) -> None:
        if self.path.is_dir() or not self.path.parent.is_dir():
            what = "is a directory" if self.path.is_dir() else "is in a directory that does not exist"
            raise SpoolError(f"{self.path} {what}")
        # A lock that SQLite takes on a file beside: it works on every system, and falls when the process dies.
        owner = sqlite3.connect(
            beside(self.path, "-owner"), isolation_level=None, timeout=OWNER_TIMEOUT, check_same_thread=False
        )
        try:
            owner.execute("BEGIN EXCLUSIVE")
        except sqlite3.OperationalError as error:
            owner.close()
            if error.sqlite_errorcode == sqlite3.SQLITE_BUSY:
                raise SpoolInUseError(
                    f"{self.path} is in use by another shipper; stop that one first, or use another file"
                ) from None
            raise
        self._owner = owner

    def _make(self, form: str) -> None:
        """Make a spool elsewhere and move it into place, so that nobody ever finds half of one."""
        unfinished = beside(self.path, "-new")
        for path in (unfinished, beside(unfinished, "-wal"), beside(unfinished, "-shm"), beside(self.path, "-wal")):
            if path == beside(self.path, "-wal") and path.exists() and path.stat().st_size:  # readers leave empty ones
                raise SpoolDamagedError(f"{self.path} is missing, but {path} is there; put the file back beside it")
            path.unlink(missing_ok=True)
        db = sqlite3.connect(unfinished, isolation_level=None)
        try:
            create(db, form)
        finally:
            db.close()
        _sync(unfinished)
        unfinished.rename(self.path)
        _sync(self.path.parent)

    def _connect(self, form: str) -> sqlite3.Connection:
        small = self.path.stat().st_size <= SMALL
        db = sqlite3.connect(self.path, isolation_level=None, timeout=BUSY_TIMEOUT, check_same_thread=False)
        try:
            check_version(db, str(self.path))
            check_form(str(self.path), form_of(db), form)
            db.execute(f"PRAGMA synchronous = {self.synchronous}")
            db.execute("PRAGMA cache_size = -16384")
            db.execute("PRAGMA wal_autocheckpoint = 4000")
            check_sums(db, str(self.path))
            if small:
                check_all(db, str(self.path))
                check_parcels(db)
            db.execute(f"PRAGMA busy_timeout = {BUSY_TIMEOUT_OPEN}")
        except BaseException:
            db.close()
            raise
        return db


def beside(path: Path, ending: str) -> Path:
    """Return the path of a file that belongs to another."""
    return path.with_name(path.name + ending)


def _unusable(error: Exception, path: Path) -> Exception:
    failure = translated(error, str(path))
    if isinstance(failure, sqlite3.Error | SpoolDamagedError):
        return failure
    return SpoolError(f"{failure}; is the directory writable, and is there room?")


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
