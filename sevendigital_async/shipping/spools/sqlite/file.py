"""The files of a spool: opened by one process at a time, created in one step, never overwritten.

Plays are personal data, so each file can be read by its owner alone from the moment it exists. A path that is not a
regular file is never opened: a symbolic link could make SQLite write elsewhere, a named pipe could block for ever.
"""

from __future__ import annotations

import errno
import os
import sqlite3
import stat
import struct
import sys
import zlib
from collections.abc import Mapping
from contextlib import closing, suppress
from io import FileIO
from pathlib import Path
from typing import Literal
from weakref import WeakSet

from attrs import Factory, define, field

from ....errors import SpoolCorruptionError, SpoolError, SpoolInUseError
from ....private_files import (
    PRIVATE_MODE,
    SAFE_OPEN_FLAGS,
    ensure_private,
    fsync_path,
    irregular_type,
    open_private,
    printable,
)
from ..base import check_dialect
from .errors import is_busy, translate_open_error

if sys.platform != "win32":
    import fcntl
from .integrity import CommitMarker, check
from .schema import VERSION, adapt, create, dialect_of, migrate, version_of

THOROUGH_CHECK_BYTES = 64 * 1024 * 1024
"""Size up to which a file is checked from end to end when it is opened."""

MIN_SQLITE = (3, 38, 0)
"""The oldest version of SQLite that has all that the SQL of this package needs."""

LOCK_TIMEOUT = 0.1
"""Seconds to wait for a process that only tests whether the spool is in use."""

BUSY_TIMEOUT = 5.0
"""Seconds to wait for a reader that blocks the opening of the file."""

WRITE_BUSY_TIMEOUT = 0.03
"""Seconds to wait for another writer later; then the writer thread reports the file as busy, and tries again.

Closing may have to wait several times, and must still be in time.
"""

CHECKPOINT_PAGES = 4000
"""Pages in the -wal file after which SQLite moves them into the file itself."""

Synchronous = Literal["FULL", "NORMAL"]

OWNER = "-owner"
"""Ending of the companion file whose lock makes one process the owner of the spool."""

WAL = "-wal"
"""Ending of the companion file with the last transactions."""

MARKER = "-mark"
"""Ending of the companion file with the commit marker."""

MARKER_FORMAT = struct.Struct("<qq")
MARKER_SIZE = MARKER_FORMAT.size + 4

COMPANIONS = (
    *(OWNER, "-owner-journal", MARKER, WAL, "-shm", "-journal"),
    *("-new", "-new-wal", "-new-shm", "-new-journal"),
)
"""Endings of the files beside a spool."""


def spool_path(path: str | os.PathLike[str]) -> Path:
    """Return the absolute path of a spool, with symbolic links resolved.

    Raises:
        SpoolError: The path cannot be the name of a file.
    """
    try:
        resolved = Path(path).resolve()
    except (OSError, ValueError, RuntimeError) as error:
        raise SpoolError(f"{printable(path)} can't be the name of a spool: {error}") from None
    if not resolved.name:
        raise SpoolError(f"{printable(resolved)} is a directory; give the name of a file")
    return resolved


def companion_path(path: Path, ending: str) -> Path:
    """Return the path of a companion file."""
    return path.with_name(path.name + ending)


def check_files(path: Path) -> None:
    """Check that a spool and its companion files are regular files, as far as they exist.

    Raises:
        SpoolError: A path is not a regular file, the spool is no database, or its directory does not exist.
        OSError: A path can't be examined.
    """
    try:
        is_directory = stat.S_ISDIR(path.parent.stat().st_mode)
    except FileNotFoundError:
        is_directory = False
    if not is_directory:
        raise SpoolError(f"{printable(path)} is in a directory that does not exist")
    if kind := irregular_type(path):
        raise SpoolError(f"{printable(path)} is {kind}; a spool needs a regular file")
    for companion in [companion_path(path, ending) for ending in COMPANIONS]:
        if kind := irregular_type(companion):
            raise SpoolError(f"{printable(companion)} is {kind}, not a regular file; remove it")
    if _is_foreign(path):
        raise SpoolError(f"{printable(path)} is not a spool, but a file of another kind; it was left as it is")


def _is_foreign(path: Path) -> bool:
    """Return whether a file was never a database; one with a commit marker beside it was, and is damaged."""
    if companion_path(path, MARKER).exists() or not path.exists() or not path.stat().st_size:
        return False
    # Only SQLite may open it: closing a file drops all locks that this process has on it, and if a spool is open here,
    # the next program that closes the database would then delete the -wal file, with what is put later.
    with closing(read_only(path, timeout=BUSY_TIMEOUT)) as db:
        try:
            db.execute("PRAGMA schema_version").fetchone()
        except sqlite3.Error as error:
            return error.sqlite_errorcode == sqlite3.SQLITE_NOTADB
    return False


def make_files_private(path: Path) -> None:
    """Remove the access of other users to the files of a spool, which an older release may have granted.

    Raises:
        OSError: A file can't be examined.
    """
    for file in [path, *(companion_path(path, ending) for ending in COMPANIONS)]:
        with suppress(FileNotFoundError, PermissionError):
            mode = file.lstat().st_mode
            if stat.S_ISREG(mode) and mode & 0o077:
                file.chmod(PRIVATE_MODE)


def empty_wal(db: sqlite3.Connection) -> bool:
    """Move the contents of the -wal file into the file itself, and truncate it; False if that can't be done now."""
    try:
        busy, _, _ = db.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
    except sqlite3.Error:
        return False
    return not busy


@define(eq=False)
class CommitMarkerFile:
    """The companion file with the commit marker; its ending ``-mark`` is that of version 2, so that no copy is lost.

    While it is open, it is locked as well, with a lock that belongs to the open file. The locks of SQLite belong to the
    process, and end as soon as any code of the process closes the file, for example after copying it.

    Attributes:
        path: Where it is.
    """

    path: Path
    _spool_id: int = field(init=False, default=0)
    _file: FileIO | None = field(init=False, default=None)

    def read(self) -> CommitMarker | None:
        """Return the marker; None if there is none or it is damaged, for it only proves what is missing."""
        try:
            with FileIO(os.open(self.path, os.O_RDONLY | SAFE_OPEN_FLAGS)) as file:
                found = file.read(MARKER_SIZE + 1)
        except OSError:
            return None
        values, kept = found[: MARKER_FORMAT.size], found[MARKER_FORMAT.size :]
        if len(found) != MARKER_SIZE or zlib.crc32(values).to_bytes(4, "little") != kept:
            return None
        return CommitMarker(*MARKER_FORMAT.unpack(values))

    def lock(self) -> None:
        """Lock the file if it exists.

        Raises:
            SpoolInUseError: Another shipper has locked it.
            SpoolError: The path is not a regular file.
        """
        if self.path.exists():
            self._lock(open_private(self.path))

    def open(self, spool_id: int) -> None:
        """Prepare to write markers for a spool.

        Raises:
            SpoolInUseError: Another shipper has locked the file.
            SpoolError: The path is not a regular file.
            OSError: The file can't be written.
        """
        self._spool_id = spool_id
        if self._file is None:
            self._lock(open_private(self.path))
        if self._file is not None and self._file.seek(0, os.SEEK_END) > MARKER_SIZE:
            self._file.truncate(MARKER_SIZE)

    def write(self, flushed: int) -> None:
        """Note how many transactions have been forced to the disk."""
        if self._file is not None:
            values = MARKER_FORMAT.pack(self._spool_id, flushed)
            with suppress(OSError):  # an older marker is true as well
                marker = values + zlib.crc32(values).to_bytes(4, "little")
                if sys.platform == "win32":
                    self._file.seek(0)
                    self._file.write(marker)
                else:
                    os.pwrite(self._file.fileno(), marker, 0)

    def close(self) -> None:
        if self._file is not None:
            self._file.close()
            self._file = None

    def _lock(self, descriptor: int) -> None:
        self._file = FileIO(descriptor, "r+")
        if sys.platform == "win32":  # where SQLite's locks belong to the open file, too
            return
        _locked_markers.add(self)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:  # others than these: the file system has no such locks
            if error.errno in {errno.EWOULDBLOCK, errno.EACCES}:
                self.close()
                raise in_use(self.path.with_name(self.path.name.removesuffix(MARKER))) from None


_locked_markers: WeakSet[CommitMarkerFile] = WeakSet()


def _close_in_child() -> None:
    """Close the files of the parent: a child that outlives it must not keep its locks."""
    for marker in list(_locked_markers):
        marker.close()


if sys.platform != "win32":
    os.register_at_fork(after_in_child=_close_in_child)


def in_use(path: Path) -> SpoolInUseError:
    """Return the error for a spool that another shipper has open."""
    return SpoolInUseError(f"{printable(path)} is in use by another shipper; stop that one first, or use another file")


def commit_marker_of(path: Path) -> CommitMarkerFile:
    """Return the commit marker of a spool."""
    return CommitMarkerFile(companion_path(path, MARKER))


@define(eq=False)
class SpoolFile:
    """A spool on the disk, and the exclusive right to write to it.

    Attributes:
        path: Where it is.
        synchronous: FULL: what is accepted survives a power cut. NORMAL: it survives a crash of the process, but a
            power cut or a crash of the system may take the last moments with it.
        flushes: How many transactions have been forced to the disk.
    """

    path: Path
    synchronous: Synchronous = "FULL"
    flushes: int = field(init=False, default=0)
    _lock: sqlite3.Connection | None = field(init=False, default=None)
    _identity: tuple[int, int] | None = field(init=False, default=None)
    _companions: Mapping[Path, tuple[int, int] | None] = field(init=False, factory=dict)
    _marker: CommitMarkerFile = field(
        init=False, default=Factory(lambda self: commit_marker_of(self.path), takes_self=True)
    )

    def open(self, dialect: str) -> sqlite3.Connection:
        """Open the file; create it if it does not exist, and migrate it if an older release has written it.

        Args:
            dialect: Which API its plays are encoded for.

        Raises:
            SpoolInUseError: Another process has it open.
            SpoolCorruptionError: The file is damaged.
            SpoolError: The file is not a spool, keeps plays of another dialect, or can't be opened.
        """
        if sqlite3.sqlite_version_info < MIN_SQLITE:
            raise SpoolError(f"spools need SQLite 3.38 or later; this Python has {sqlite3.sqlite_version}")
        try:
            check_files(self.path)
            self._acquire_lock()
            self._marker.lock()
            make_files_private(self.path)
            if not self.path.exists():
                self._create(dialect)
            self._identity = _identity_of(self.path)
            self._check(dialect)
            db = self._connect()
        except SpoolError:
            self.release()
            raise
        except Exception as error:
            self.release()
            raise translate_open_error(error, self.shown) from error
        companions = [companion_path(self.path, ending) for ending in (OWNER, WAL)]
        self._companions = {companion: _identity_of(companion) for companion in companions}
        return db

    @property
    def shown(self) -> str:
        """The path as printable text."""
        return printable(self.path)

    def check_identity(self) -> None:
        """Check that the path still leads to the open file.

        Raises:
            SpoolCorruptionError: It does not.
        """
        if _identity_of(self.path) != self._identity:
            raise SpoolCorruptionError(
                f"{self.shown} was moved or removed while it was open; its waiting plays are in the moved file"
            )

    def before_commit(self, db: sqlite3.Connection) -> None:
        """Count in the file that the transaction which is about to be committed has been forced to the disk.

        Raises:
            SpoolInUseError: The lock file was removed, so another shipper may have the file open; or the -wal file was,
                so the transaction would not be found again.
        """
        for path, identity in self._companions.items():
            if _identity_of(path) != identity:
                raise SpoolInUseError(
                    f"{printable(path)} was removed while {self.shown} was open, perhaps by another program that has"
                    " opened it; nothing has been written since: stop all that use it, and start one shipper"
                )
        if self.synchronous == "FULL":
            db.execute("UPDATE progress SET flushed = ?", (self.flushes + 1,))

    def after_commit(self) -> None:
        """Count the transaction that has been committed in the commit marker."""
        if self.synchronous == "FULL":
            self.flushes += 1
            self._marker.write(self.flushes)

    def overwrite_failed_commit(self, db: sqlite3.Connection) -> None:
        """Overwrite what a transaction that could not be forced to the disk has left in the -wal file.

        SQLite has rolled it back, but it may be there as a whole, and the next process would take it for committed.
        """
        with suppress(sqlite3.Error):
            db.execute("PRAGMA synchronous = OFF")  # forcing would fail again
            try:
                db.execute("UPDATE progress SET clock = clock + 1e-6")  # without a change SQLite writes nothing
            finally:
                db.execute(f"PRAGMA synchronous = {self.synchronous}")

    def release(self) -> None:
        """Let other processes open the spool."""
        self._marker.close()
        if self._lock is not None:
            self._lock.close()
            self._lock = None

    def _acquire_lock(self) -> None:
        # A lock that SQLite takes on a companion file works on every system, and ends when the process dies.
        path = companion_path(self.path, OWNER)
        ensure_private(path)
        lock = sqlite3.connect(path, isolation_level=None, timeout=LOCK_TIMEOUT, check_same_thread=False)
        try:
            lock.execute("BEGIN EXCLUSIVE")
        except sqlite3.Error as error:
            lock.close()
            if is_busy(error):
                raise in_use(self.path) from None
            raise lock_file_error(error, self.path) from error
        self._lock = lock

    def _create(self, dialect: str) -> None:
        """Create a spool under another name and rename it, so that no process ever sees an incomplete file."""
        wal = companion_path(self.path, "-wal")
        if wal.exists() and wal.stat().st_size:  # readers leave empty ones
            raise SpoolCorruptionError(
                f"{self.shown} is missing, but {printable(wal)} exists; put the file back beside it"
            )
        wal.unlink(missing_ok=True)
        unfinished = companion_path(self.path, "-new")
        _remove(unfinished)
        ensure_private(unfinished)  # SQLite gives its companion files the same mode
        try:
            with closing(sqlite3.connect(unfinished, isolation_level=None)) as db:
                create(db, dialect)
            fsync_path(unfinished)
            unfinished.rename(self.path)
            fsync_path(self.path.parent)
        finally:
            _remove(unfinished)

    def _check(self, dialect: str) -> None:
        """Check without writing: closing a connection that may write would change a damaged file."""
        size = self.path.stat().st_size
        if size == 0:
            raise SpoolCorruptionError(
                f"{self.shown} is empty, not a spool; if it held no plays, remove it and start again"
            )
        marker = self._marker.read()
        with closing(read_only(self.path, timeout=BUSY_TIMEOUT)) as db:
            adapt(db, self.shown)
            check(db, marker, thoroughly=size <= THOROUGH_CHECK_BYTES)
            check_dialect(self.shown, dialect_of(db), dialect)

    def _connect(self) -> sqlite3.Connection:
        db = sqlite3.connect(self.path, isolation_level=None, timeout=BUSY_TIMEOUT, check_same_thread=False)
        try:
            self._migrate(db)
            db.execute(f"PRAGMA synchronous = {self.synchronous}")
            db.execute("PRAGMA cache_size = -16384")
            db.execute(f"PRAGMA wal_autocheckpoint = {CHECKPOINT_PAGES}")
            self.flushes, spool_id = db.execute("SELECT flushed, spool_id FROM progress").fetchone()
            self._marker.open(spool_id)
            db.execute(f"PRAGMA busy_timeout = {WRITE_BUSY_TIMEOUT * 1000:.0f}")
        except BaseException:
            db.close()
            raise
        return db

    def _migrate(self, db: sqlite3.Connection) -> None:
        """Migrate the file in one transaction; after a failure it is unchanged.

        The transaction is not counted in ``flushed``: the commit marker needs to know only the transactions that plays
        depend on, and the next one of them cannot reach the disk without this one.
        """
        if version_of(db, self.shown) == VERSION:
            return
        db.execute("PRAGMA synchronous = FULL")
        db.execute("BEGIN IMMEDIATE")
        try:
            migrate(db)
            db.execute("COMMIT")
        except BaseException:
            if db.in_transaction:
                db.execute("ROLLBACK")
            raise
        empty_wal(db)


def _identity_of(path: Path) -> tuple[int, int] | None:
    """Return device and inode of a file; None if it does not exist."""
    try:
        status = path.stat()
    except FileNotFoundError:
        return None
    return status.st_dev, status.st_ino


def lock_file_error(error: sqlite3.Error, path: Path) -> Exception:
    """Return the error for a path that is not a lock file."""
    if error.sqlite_errorcode != sqlite3.SQLITE_NOTADB:
        return error
    return SpoolError(f"{printable(companion_path(path, '-owner'))} is not a lock file; it holds no plays: remove it")


def read_only(path: Path, *, timeout: float) -> sqlite3.Connection:
    """Open a database for reading."""
    # In a directory without write access SQLite can't create the -shm file; no other process has the file open, either.
    is_immutable = not os.access(path.parent, os.W_OK) and not companion_path(path, "-wal").exists()
    uri = f"{path.absolute().as_uri()}?mode=ro{'&immutable=1' if is_immutable else ''}"
    return sqlite3.connect(uri, uri=True, isolation_level=None, timeout=timeout)


def _remove(path: Path) -> None:
    for ending in ("", "-wal", "-shm", "-journal"):
        companion_path(path, ending).unlink(missing_ok=True)
