"""Room on the disk: plays leave enough of it for what is there to be delivered.

Everything is written to the -wal file first, and from there to pages of the file that are free, or to new ones. Where
there is no room for new pages, nothing can be brought out of the -wal file any more, and it grows until nothing can be
written at all, deliveries included. So plays are only accepted as long as there is room for both, and when the disk
is nearly full, one step is taken at a time, and its pages are in the file before the next one.
"""

from __future__ import annotations

import shutil
import sqlite3
import time
from contextlib import suppress
from pathlib import Path

from attrs import define, field

from ....errors import SpoolCorruptionError, SpoolError, SpoolUnavailableError
from .chunks import CorruptionError
from .paths import printable


class DiskFullError(SpoolUnavailableError):
    """There is no room on the disk."""


DAMAGE = frozenset({sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_FORMAT})
PASSING = {
    sqlite3.SQLITE_FULL: "the disk is full",
    sqlite3.SQLITE_IOERR: "the disk reports an error",
    sqlite3.SQLITE_BUSY: "another process is holding the file",
    sqlite3.SQLITE_LOCKED: "another process is holding the file",
    sqlite3.SQLITE_PROTOCOL: "another process is holding the file",
    sqlite3.SQLITE_NOMEM: "there is no memory",
    sqlite3.SQLITE_CANTOPEN: "the file can't be opened",
    sqlite3.SQLITE_READONLY: "the file may not be written to",
    sqlite3.SQLITE_PERM: "the file may not be used",
    sqlite3.SQLITE_AUTH: "the file may not be used",
}
"""What may be over in a moment, or once somebody has seen to it."""


def is_full(error: Exception) -> bool:
    """Say whether there was no room on the disk."""
    return isinstance(error, DiskFullError) or _code_of(error) == sqlite3.SQLITE_FULL


def translated(error: Exception, place: str) -> Exception:
    """Say in our words what happened; an error that is nobody's fault but ours comes back as it is."""
    code = getattr(error, "sqlite_errorcode", None)
    primary = None if code is None else code & 0xFF
    is_no_text = isinstance(error, UnicodeDecodeError) or (isinstance(error, sqlite3.OperationalError) and code is None)
    if is_no_text or primary in DAMAGE or isinstance(error, CorruptionError):
        advice = error.advice if isinstance(error, CorruptionError) else CorruptionError.advice
        return SpoolCorruptionError(
            f"{place} is damaged: {error}; it was left as it is, and nothing more is sent from it: {advice}"
        )
    if primary in PASSING:
        return SpoolUnavailableError(f"{place}: {PASSING[primary]} ({error})")
    if isinstance(error, OSError):
        return SpoolUnavailableError(f"{place}: {error.strerror or error}")
    if isinstance(error, UnicodeEncodeError):
        return SpoolError(f"{place}: a text can't be written: {error}")
    if isinstance(error, sqlite3.Error):
        return SpoolError(f"{place}: SQLite reports an error: {error}")
    return error


def unusable(error: Exception, place: str) -> Exception:
    """The same for a spool that is being opened, when there is nothing to wait for."""
    failure = translated(error, place)
    if not isinstance(failure, SpoolUnavailableError):
        return failure
    return SpoolError(f"{failure}; is the directory writable, and is there room?")


def is_busy(error: Exception) -> bool:
    """Say whether another process is holding the file, so that nothing of ours is to blame."""
    return _code_of(error) == sqlite3.SQLITE_BUSY


def is_io(error: Exception) -> bool:
    """Say whether the disk did not do what it was asked."""
    return _code_of(error) == sqlite3.SQLITE_IOERR


def _code_of(error: Exception) -> int:
    return (getattr(error, "sqlite_errorcode", None) or 0) & 0xFF


SHARE = 8
"""Of a small disk, plays leave one part in so many free."""

MOST_PAGES = 256
"""Pages that are given back at once."""

MIN_FREE = 32 * 1024**2

PLENTY = 16
"""Times the free bytes asked for; where there is so much, nobody need look closer, and no pages are counted."""

EYES_SHUT = 0.1
"""Seconds for which nobody looks again where there is plenty; a look takes longer than a small transaction."""


@define
class DiskSpaceGuard:
    """The disk that a file is on.

    Attributes:
        path: The file.
        min_free: Bytes that plays leave free; less on a small disk.
    """

    path: Path
    min_free: int = MIN_FREE
    _plenty: int = field(init=False, default=0)
    """Bytes that plays may still take before anybody need look closer, since ``is_tight`` has looked."""
    _look_again_at: float = field(init=False, default=0.0)

    def check(self, db: sqlite3.Connection, size: int) -> None:
        """See that plays fit.

        Args:
            db: The connection.
            size: Bytes of them.

        Raises:
            DiskFullError: They don't.
        """
        if self._plenty > size:
            self._plenty -= size
            return
        disk = shutil.disk_usage(self.path.parent)
        page, unused = _pragma(db, "page_size"), _pragma(db, "freelist_count")
        growth = self._growth(db) + max(0, size - unused * page)
        if disk.free < min(self.min_free, disk.total // SHARE) + size + growth:
            raise DiskFullError(
                f"{printable(self.path)}: the disk is full ({disk.free:,} bytes are left);"
                " plays wait until there is room"
            )

    def is_tight(self, db: sqlite3.Connection) -> bool:
        """Say whether every step must get its pages before the next one is begun."""
        if self._plenty > 0 and time.monotonic() < self._look_again_at:
            return False
        try:
            free = shutil.disk_usage(self.path.parent).free
            self._look_again_at = time.monotonic() + EYES_SHUT
            self._plenty = free - PLENTY * max(self.min_free, MIN_FREE)
            return self._plenty <= 0 and free < self.min_free + self._growth(db)
        except (OSError, sqlite3.Error):
            return False  # whatever it is, the next step will see it

    def shrink(self, db: sqlite3.Connection) -> None:
        """Give back pages of the file that are free, as many as a moment allows."""
        with suppress(sqlite3.Error, OSError):
            pages = min(MOST_PAGES, shutil.disk_usage(self.path.parent).free // _pragma(db, "page_size") // 4)
            if pages:
                db.execute(f"PRAGMA incremental_vacuum({pages})").fetchall()
        empty_wal(db)

    def _growth(self, db: sqlite3.Connection) -> int:
        return max(0, _pragma(db, "page_count") * _pragma(db, "page_size") - self.path.stat().st_size)


def empty_wal(db: sqlite3.Connection) -> bool:
    """Bring what is in the -wal file into the file itself, and give its room back; False if that can't be done now."""
    try:
        busy, _, _ = db.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
    except sqlite3.Error:
        return False
    return not busy


def _pragma(db: sqlite3.Connection, name: str) -> int:
    return int(db.execute(f"PRAGMA {name}").fetchone()[0])
