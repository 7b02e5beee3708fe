"""The files of a spool: where they are, what they are, and who may read them.

Plays are personal data, so each file is readable by its owner alone from the moment it exists. A file that is not a
regular one is never opened: a symbolic link could make SQLite write somewhere else, a named pipe could block for ever.
"""

from __future__ import annotations

import os
import stat
import sys
import threading
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from ....errors import SpoolError

PRIVATE = 0o600

COMPANIONS = (
    *("-owner", "-owner-journal", "-mark", "-wal", "-shm", "-journal"),
    *("-new", "-new-wal", "-new-shm", "-new-journal"),
)
"""Endings of the files beside a spool."""

TYPES: tuple[tuple[Callable[[int], bool], str], ...] = (
    (stat.S_ISDIR, "a directory"),
    (stat.S_ISLNK, "a symbolic link"),
    (stat.S_ISFIFO, "a named pipe"),
    (stat.S_ISSOCK, "a socket"),
    (stat.S_ISCHR, "a device"),
    (stat.S_ISBLK, "a device"),
)

_creating = threading.Lock()


def spool_path(path: str | os.PathLike[str]) -> Path:
    """Return the absolute path of a spool, with symbolic links resolved.

    Raises:
        SpoolError: No file can have this name.
    """
    try:
        resolved = Path(path).resolve()
    except (OSError, ValueError, RuntimeError) as error:
        raise SpoolError(f"{printable(path)} can't be the name of a spool: {error}") from None
    if not resolved.name:
        raise SpoolError(f"{printable(resolved)} is a directory; a spool needs the name of a file")
    return resolved


def printable(path: str | os.PathLike[str]) -> str:
    """Return a path as text that any terminal and any log can take."""
    return "".join(char if char.isprintable() else ascii(char)[1:-1] for char in os.fspath(path))


def beside(path: Path, ending: str) -> Path:
    """Return the path of a file that belongs to another."""
    return path.with_name(path.name + ending)


def check_files(path: Path) -> None:
    """See that a spool and the files beside it are regular files, as far as they exist.

    Raises:
        SpoolError: One is not; or the spool's directory does not exist.
        OSError: They can't be looked at.
    """
    try:
        is_directory = stat.S_ISDIR(path.parent.stat().st_mode)
    except FileNotFoundError:
        is_directory = False
    if not is_directory:
        raise SpoolError(f"{printable(path)} is in a directory that does not exist")
    if kind := _other_type(path):
        raise SpoolError(f"{printable(path)} is {kind}; a spool needs a regular file")
    for companion in [beside(path, ending) for ending in COMPANIONS]:
        if kind := _other_type(companion):
            raise SpoolError(f"{printable(companion)} is {kind}, which a spool does not use; remove it")


def create_private(path: Path) -> None:
    """Make an empty file that only its owner may read; one that exists stays as it is.

    Raises:
        OSError: It can't be made.
    """
    # One at a time: closing a file drops all locks that this process has on it, and SQLite of another thread may have
    # opened and locked it as soon as it exists. For the same reason a file that exists is not opened here.
    with _creating, suppress(FileExistsError):
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | NO_FOLLOW, PRIVATE)
        try:
            make_private(descriptor)
        finally:
            os.close(descriptor)


def open_private(path: Path) -> int:
    """Open a small file of our own for reading and writing, making it if need be; it holds no locks of SQLite.

    Raises:
        SpoolError: It is not a regular file.
        OSError: It can't be opened.
    """
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | NO_FOLLOW, PRIVATE)
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise SpoolError(f"{printable(path)} is not a regular file; remove it")
    make_private(descriptor)
    return descriptor


def make_private(descriptor: int) -> None:
    """Let nobody but its owner read an open file, whatever the umask was."""
    if sys.platform != "win32" and stat.S_IMODE(os.fstat(descriptor).st_mode) != PRIVATE:
        with suppress(PermissionError):  # it is somebody else's, who has let us write to it
            os.fchmod(descriptor, PRIVATE)


def tighten(path: Path) -> None:
    """Let nobody but their owner read the files of a spool, which an older release may have made for all to read.

    Raises:
        OSError: They can't be looked at.
    """
    for file in [path, *(beside(path, ending) for ending in COMPANIONS)]:
        with suppress(FileNotFoundError, PermissionError):
            mode = file.lstat().st_mode
            if stat.S_ISREG(mode) and mode & 0o077:
                file.chmod(PRIVATE)


NO_FOLLOW = (
    getattr(os, "O_NOFOLLOW", 0)
    | getattr(os, "O_NONBLOCK", 0)
    | getattr(os, "O_CLOEXEC", 0)
    | getattr(os, "O_BINARY", 0)
)
"""How files of our own are opened: never through a symbolic link, and without waiting for the other end of a pipe."""


def _other_type(path: Path) -> str | None:
    try:
        mode = path.lstat().st_mode
    except FileNotFoundError:
        return None
    if stat.S_ISREG(mode):
        return None
    return next((name for is_type, name in TYPES if is_type(mode)), "not a regular file")
