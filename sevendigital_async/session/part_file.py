"""The file of an unfinished download, ``NAME.part``, and its checkpoint ``NAME.part.json``."""

from __future__ import annotations

import hashlib
import os
import stat
import threading
from contextlib import suppress
from pathlib import Path
from typing import Any, BinaryIO

import orjson

from ..errors import DownloadError
from .content_range import Digest, Extent, Version

try:
    import fcntl
except ImportError:  # pragma: no cover - Windows, where callers must not start two downloads of one file
    fcntl = None  # type: ignore[assignment]

CHECKPOINT_INTERVAL = 4 * 1024 * 1024
"""Bytes after which the checkpoint is written; bytes received after it are fetched again after a crash."""

MAX_REFUSALS = 3
"""Refused requests for the rest after which the whole file is requested."""

_MAX_CHECKPOINT_BYTES = 64 * 1024
_BLOCK = 1024 * 1024
_OPEN_FLAGS = getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_BINARY", 0)


class PartFile:
    """An unfinished download. All methods block, and may be called from any thread.

    Bytes count only up to the checkpoint, and only if their digest is the checkpoint's: a file that was truncated,
    filled with zeros by a power failure or replaced is fetched again.

    Args:
        target: Path of the complete file.
    """

    def __init__(self, target: Path) -> None:
        self.target = target
        self.path: Path = target.with_name(f"{target.name}.part")
        self._checkpoint_path = target.with_name(f"{target.name}.part.json")
        self._lock = threading.RLock()
        self._file: BinaryIO | None = None
        self._closed = False
        self._has_begun = False
        self._checkpointed_size = 0
        self._refusals = 0
        self._hash = hashlib.sha256()
        self.size: int = 0
        self.version: Version = Version()

    def open(self) -> None:
        """Open or create the file, lock it for this download, and verify how many bytes are valid.

        Raises:
            DownloadError: A directory has its name, or another download uses it.
        """
        with self._lock:
            if self._closed:
                return
            if self.target.is_dir():
                raise DownloadError(f"{self.target} is a directory; name a file")
            _remove_irregular(self._checkpoint_path)
            self._file = _open_alone(self.path)
            self._load()

    def begin(self, extent: Extent) -> None:
        """Prepare for the bytes of a response."""
        with self._lock:
            if extent.first == 0:
                self._hash = hashlib.sha256()
            self._has_begun, self._refusals = True, 0
            self.size, self.version = extent.first, extent.version
            file = self._open_file()
            file.seek(extent.first)
            file.truncate()
            self._save(file)

    def write(self, data: bytes) -> None:
        with self._lock:
            file = self._open_file()
            file.write(data)
            self._hash.update(data)
            self.size += len(data)
            if self.size - self._checkpointed_size >= CHECKPOINT_INTERVAL:
                self._save(file)

    def complete(self, extent: Extent) -> None:
        """Check the digests that the service announced, and rename the file to its target.

        Raises:
            DownloadError: They don't match, or the file was replaced.
        """
        with self._lock:
            file = self._open_file()
            file.flush()
            is_intact = all(digest.matches(file) for digest in self.version.digests)
            if not is_intact or not all(digest.matches(file, extent.first) for digest in extent.digests):
                raise DownloadError("the file does not match the digest that the service sent")
            os.fsync(file.fileno())
            if not _is_at(file, self.path):
                raise DownloadError(f"{self.path} was replaced during the download")
            file.close()
            self._file = None
            self.path.replace(self.target)
            self._checkpoint_path.unlink(missing_ok=True)

    def count_refusal(self) -> None:
        """Record that the service refused to send the rest; after ``MAX_REFUSALS`` the whole file is requested."""
        with self._lock:
            self._refusals += 1
            self._save(self._open_file())

    def discard(self) -> None:
        with self._lock:
            self.size, self.version = 0, Version()
            self._open_file().truncate(0)
            self._checkpoint_path.unlink(missing_ok=True)

    def close(self) -> None:
        """Close the file and write the checkpoint; an empty file is removed."""
        with self._lock:
            file, self._file, self._closed = self._file, None, True
            if file is None:
                return
            # The error was already raised; here it would replace a cancellation.
            with suppress(OSError), file:
                if self.size == 0 and _is_at(file, self.path):
                    self.path.unlink(missing_ok=True)
                    self._checkpoint_path.unlink(missing_ok=True)
                elif self._has_begun:
                    self._save(file)

    def _open_file(self) -> BinaryIO:
        if self._file is None:
            raise DownloadError(f"the download into {self.target} has ended")
        return self._file

    def _load(self) -> None:
        """Restore the state of the checkpoint, if the file has its bytes."""
        try:
            checkpoint = orjson.loads(_read(self._checkpoint_path))
            size, total = int(checkpoint["size"]), checkpoint["total"]
            digests = frozenset(Digest(str(algorithm), str(value)) for algorithm, value in checkpoint["digests"])
            version = Version(checkpoint["validator"], None if total is None else int(total), digests)
            refusals, wanted = int(checkpoint["refusals"]), checkpoint["sha256"]
        except (OSError, ValueError, TypeError, KeyError):
            return
        resumable = isinstance(version.validator, str) and refusals < MAX_REFUSALS
        if not resumable or size <= 0 or (version.total is not None and size >= version.total):
            return
        found = _hash_of(self._open_file(), size)
        if found.hexdigest() == wanted:
            self._hash, self.size, self.version, self._refusals = found, size, version, refusals
            self._checkpointed_size = size

    def _save(self, file: BinaryIO) -> None:
        file.flush()
        checkpoint: dict[str, Any] = {
            "validator": self.version.validator,
            "total": self.version.total,
            "digests": [[digest.algorithm, digest.value] for digest in sorted(self.version.digests)],
            "size": self.size,
            "sha256": self._hash.hexdigest(),
            "refusals": self._refusals,
        }
        _write(self._checkpoint_path, orjson.dumps(checkpoint))
        self._checkpointed_size = self.size


def _open_alone(path: Path) -> BinaryIO:
    for _ in range(3):
        _remove_irregular(path)
        file = os.fdopen(os.open(path, os.O_RDWR | os.O_CREAT | _OPEN_FLAGS, 0o666), "r+b")
        try:
            if fcntl is not None:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            file.close()
            raise DownloadError(f"another download is writing {path}") from None
        except OSError:  # pragma: no cover - some network file systems have no locks
            pass
        if _is_at(file, path):
            return file
        file.close()  # another download has just completed it
    raise DownloadError(f"{path} was replaced repeatedly by another process")  # pragma: no cover - three lost races


def _remove_irregular(path: Path) -> None:
    """Remove a path with the name of our file that is not a regular file or has other links.

    Raises:
        DownloadError: It is a directory that is not empty.
    """
    try:
        found = path.lstat()
    except FileNotFoundError:
        return
    if stat.S_ISREG(found.st_mode) and found.st_nlink == 1 and os.access(path, os.R_OK | os.W_OK):
        return
    if not stat.S_ISDIR(found.st_mode):
        path.unlink()
        return
    try:
        path.rmdir()
    except OSError:
        raise DownloadError(f"{path} is a directory; remove it: the download writes its partial file there") from None


def _is_at(file: BinaryIO, path: Path) -> bool:
    try:
        return os.path.samestat(os.fstat(file.fileno()), path.lstat())
    except FileNotFoundError:
        return False


def _hash_of(file: BinaryIO, size: int) -> Any:
    """Return the hash of the first ``size`` bytes; of fewer, if there are fewer."""
    found = hashlib.sha256()
    file.seek(0)
    while size > 0 and (block := file.read(min(size, _BLOCK))):
        found.update(block)
        size -= len(block)
    return found


def _read(path: Path) -> bytes:
    with os.fdopen(os.open(path, os.O_RDONLY | _OPEN_FLAGS), "rb") as file:
        return file.read(_MAX_CHECKPOINT_BYTES)


def _write(path: Path, data: bytes) -> None:
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | _OPEN_FLAGS, 0o666), "wb") as file:
        file.write(data)
