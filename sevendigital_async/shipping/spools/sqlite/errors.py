"""Errors of the file, and what errors of SQLite and of the system mean for a spool."""

from __future__ import annotations

import sqlite3

from ....errors import SpoolCorruptionError, SpoolError, SpoolUnavailableError


class CorruptionError(Exception):
    """Something in the file is damaged; becomes a ``SpoolCorruptionError`` that names the file.

    Attributes:
        advice: What the operator can do.
    """

    advice = "put an intact copy in its place, or move it away, with the files beside it, to start with a new one"


class MissingTailError(CorruptionError):
    """The last transactions are missing from the file."""

    advice = "put the right files back, or remove its -mark file to continue without what is missing"


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


def translate_error(error: Exception, place: str) -> Exception:
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


def translate_open_error(error: Exception, place: str) -> Exception:
    """Translate an error of opening a spool, which is not tried again."""
    failure = translate_error(error, place)
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
