"""Files that only their owner can read, from their creation on: they hold personal data."""

from __future__ import annotations

import os
import stat
import sys
import threading
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from .errors import SpoolError

PRIVATE_MODE = 0o600

SAFE_OPEN_FLAGS = (
    getattr(os, "O_NOFOLLOW", 0)
    | getattr(os, "O_NONBLOCK", 0)
    | getattr(os, "O_CLOEXEC", 0)
    | getattr(os, "O_BINARY", 0)
)
"""Flags for opening files: symbolic links are not followed, and a pipe does not block."""

FILE_TYPES: tuple[tuple[Callable[[int], bool], str], ...] = (
    (stat.S_ISDIR, "a directory"),
    (stat.S_ISLNK, "a symbolic link"),
    (stat.S_ISFIFO, "a named pipe"),
    (stat.S_ISSOCK, "a socket"),
    (stat.S_ISCHR, "a device"),
    (stat.S_ISBLK, "a device"),
)
"""Kinds of file that are not regular files, with their names."""

_creation_lock = threading.Lock()


def printable(path: str | os.PathLike[str]) -> str:
    """Return a path as text that is safe to print and to log."""
    return "".join(char if char.isprintable() else ascii(char)[1:-1] for char in os.fspath(path))


def irregular_type(path: Path) -> str | None:
    """Return what a path is if it is not a regular file; None if it is one, or does not exist."""
    try:
        mode = path.lstat().st_mode
    except FileNotFoundError:
        return None
    if stat.S_ISREG(mode):
        return None
    return next((name for is_type, name in FILE_TYPES if is_type(mode)), "not a regular file")


def create_private(path: Path) -> int:
    """Create a file and return its descriptor, opened for appending. Symbolic links are not followed.

    Raises:
        FileExistsError: The name exists, even as a dangling link.
        OSError: The file cannot be created.
    """
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_APPEND | SAFE_OPEN_FLAGS, PRIVATE_MODE)
    try:
        make_private(descriptor)
    except BaseException:
        os.close(descriptor)
        raise
    return descriptor


def ensure_private(path: Path) -> None:
    """Create an empty file; an existing file is not touched.

    Raises:
        OSError: The file cannot be created.
    """
    # One at a time: closing a file drops all locks that this process has on it, and SQLite in another thread may open
    # and lock the file as soon as it exists. For the same reason an existing file is not opened here.
    with _creation_lock, suppress(FileExistsError):
        os.close(create_private(path))


def open_private(path: Path) -> int:
    """Open a small file for reading and writing, creating it if necessary. Not for files that SQLite locks.

    Raises:
        SpoolError: The path is not a regular file.
        OSError: The file cannot be opened.
    """
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | SAFE_OPEN_FLAGS, PRIVATE_MODE)
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise SpoolError(f"{printable(path)} is not a regular file; remove it")
    make_private(descriptor)
    return descriptor


def make_private(descriptor: int) -> None:
    """Set the mode of an open file so that only its owner can read it, whatever the umask was."""
    if sys.platform != "win32" and stat.S_IMODE(os.fstat(descriptor).st_mode) != PRIVATE_MODE:
        with suppress(PermissionError):  # the file belongs to another user, who allows us to write to it
            os.fchmod(descriptor, PRIVATE_MODE)


def fsync_path(path: Path) -> None:
    """Force a file to the disk; or a directory, so that the names of new files survive a power cut.

    Raises:
        OSError: The disk reports an error.
    """
    descriptor = os.open(path, os.O_RDONLY | getattr(os, "O_CLOEXEC", 0))
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
