"""What an error of SQLite or of the operating system means for a spool."""

from __future__ import annotations

import sqlite3

from ...errors import SpoolDamagedError, SpoolError, SpoolUnavailableError
from .parcel import UnsoundError


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
    if is_no_text or primary in DAMAGE or isinstance(error, UnsoundError):
        advice = error.advice if isinstance(error, UnsoundError) else UnsoundError.advice
        return SpoolDamagedError(
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
