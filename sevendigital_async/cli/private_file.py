"""Files that only their owner can read, from the moment they are made: they hold what people listened to."""

from __future__ import annotations

import os
from pathlib import Path

PRIVATE = 0o600
_NEW = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_APPEND | os.O_CLOEXEC | os.O_NOFOLLOW


def create_private(path: Path) -> int:
    """Make a new file, whatever the umask, and return its descriptor; a link is never followed.

    Raises:
        FileExistsError: The name is taken, if only by a link that leads nowhere.
        OSError: It cannot be made.
    """
    descriptor = os.open(path, _NEW, PRIVATE)
    try:
        os.fchmod(descriptor, PRIVATE)
    except BaseException:
        os.close(descriptor)
        raise
    return descriptor


def sync_directory(path: Path) -> None:
    """Force a directory to the disk, so that the names of new files survive a power cut.

    Raises:
        OSError: It could not be forced.
    """
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
