"""Guards the free space of the disk: appends leave enough of it for the stored plays to be delivered.

SQLite writes to the -wal file first, and moves pages from there to free pages of the file, or to new ones. Without
space for new pages, nothing can be moved out of the -wal file any more, and it grows until nothing can be written at
all, deliveries included. So plays are accepted only while there is space for both. When the disk is nearly full, the
writer does one job at a time, and moves its pages into the file before the next job.
"""

from __future__ import annotations

import shutil
import sqlite3
import time
from contextlib import suppress
from pathlib import Path

from attrs import define, field

from ....errors import SpoolCorruptionError, SpoolError, SpoolUnavailableError
from ....private_files import printable
from .chunk_table import CorruptionError


class DiskFullError(SpoolUnavailableError):
    """The disk has no space left."""


CORRUPTION_CODES = frozenset({sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_FORMAT})
IO_CORRUPTION_CODES = frozenset({sqlite3.SQLITE_IOERR_SHORT_READ, sqlite3.SQLITE_IOERR_CORRUPTFS})
"""Extended codes with which releases of SQLite report a file that was cut, or that the file system finds damaged."""

TRANSIENT = {
    sqlite3.SQLITE_FULL: "the disk is full",
    sqlite3.SQLITE_IOERR: "the disk reports an error",
    sqlite3.SQLITE_BUSY: "another process is holding the file",
    sqlite3.SQLITE_LOCKED: "another process is holding the file",
    sqlite3.SQLITE_PROTOCOL: "another process is holding the file",
    sqlite3.SQLITE_NOMEM: "the process is out of memory",
    sqlite3.SQLITE_CANTOPEN: "the file can't be opened",
    sqlite3.SQLITE_READONLY: "the file may not be written to",
    sqlite3.SQLITE_PERM: "the file may not be used",
    sqlite3.SQLITE_AUTH: "the file may not be used",
}
"""Errors that may end by themselves, or once the operator has removed the cause."""


def is_full(error: Exception) -> bool:
    """Whether the disk was full."""
    return isinstance(error, DiskFullError) or _code_of(error) == sqlite3.SQLITE_FULL


def translated(error: Exception, place: str) -> Exception:
    """Translate an error of SQLite or the system into one of this package; other errors are returned unchanged."""
    code = getattr(error, "sqlite_errorcode", None)
    primary = None if code is None else code & 0xFF
    is_bad_text = isinstance(error, UnicodeDecodeError) or (
        isinstance(error, sqlite3.OperationalError) and code is None
    )
    if is_bad_text or primary in CORRUPTION_CODES or code in IO_CORRUPTION_CODES or isinstance(error, CorruptionError):
        advice = error.advice if isinstance(error, CorruptionError) else CorruptionError.advice
        return SpoolCorruptionError(
            f"{place} is damaged: {error}; it was left as it is, and no more plays are sent from it: {advice}"
        )
    if primary in TRANSIENT:
        return SpoolUnavailableError(f"{place}: {TRANSIENT[primary]} ({error})")
    if isinstance(error, OSError):
        return SpoolUnavailableError(f"{place}: {error.strerror or error}")
    if isinstance(error, UnicodeEncodeError):
        return SpoolError(f"{place}: a text is not valid UTF-8: {error}")
    if isinstance(error, sqlite3.Error):
        return SpoolError(f"{place}: SQLite error: {error}")
    return error


def unusable(error: Exception, place: str) -> Exception:
    """Translate an error of opening a spool, which is not tried again."""
    failure = translated(error, place)
    if not isinstance(failure, SpoolUnavailableError):
        return failure
    return SpoolError(f"{failure}; check that the directory is writable and the disk has space")


def is_busy(error: Exception) -> bool:
    """Whether another process has locked the file."""
    return _code_of(error) == sqlite3.SQLITE_BUSY


def is_io(error: Exception) -> bool:
    """Whether the disk reported an error."""
    return _code_of(error) == sqlite3.SQLITE_IOERR


def _code_of(error: Exception) -> int:
    return (getattr(error, "sqlite_errorcode", None) or 0) & 0xFF


MIN_FREE_SHARE = 8
"""Of a small disk, appends leave this fraction free: one eighth."""

MAX_PAGES = 256
"""Pages that one call of ``shrink`` gives back at most."""

MIN_FREE = 32 * 1024**2

AMPLE_SPACE_FACTOR = 16
"""With this many times ``min_free`` on the disk, pages are not counted for each append."""

CHECK_INTERVAL = 0.1
"""Seconds between checks while there is ample space; a check takes longer than a small transaction."""


@define
class DiskSpaceGuard:
    """Checks the free space of the disk that a file is on.

    Attributes:
        path: The file.
        min_free: Bytes that appends leave free; less on a small disk.
    """

    path: Path
    min_free: int = MIN_FREE
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
            self._bytes_until_check = free - AMPLE_SPACE_FACTOR * max(self.min_free, MIN_FREE)
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


def empty_wal(db: sqlite3.Connection) -> bool:
    """Move the contents of the -wal file into the file itself, and truncate it; False if that can't be done now."""
    try:
        busy, _, _ = db.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
    except sqlite3.Error:
        return False
    return not busy


def _pragma(db: sqlite3.Connection, name: str) -> int:
    return int(db.execute(f"PRAGMA {name}").fetchone()[0])
