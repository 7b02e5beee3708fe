"""A file that appears complete or not at all."""

from __future__ import annotations

import os
import secrets
import stat
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Self

from ..errors import ConfigurationError
from ..private_files import create_private, fsync_path
from .output import STANDARD_OUTPUT, write_bytes

SQLITE_MAGIC = b"SQLite format 3\0"
"""The first bytes of every database."""


class AtomicFile:
    """Standard output, or a file that is written under a temporary name and renamed at the end.

    Args:
        name: Name of the file, or ``-``.
        force: Replace an existing file.

    Raises:
        ConfigurationError: The file exists, or cannot be replaced.
    """

    def __init__(self, name: str, *, force: bool) -> None:
        self.name = name
        self._force = force
        self._path = None if name == STANDARD_OUTPUT else Path(name)
        self._descriptor = -1
        if self._path is not None:
            self._check_target(self._path)
            # Random: others cannot guess it, and no killed run has left a file of this name.
            self._temporary = self._path.with_name(f".{secrets.token_hex(8)}.part")

    def __enter__(self) -> Self:
        """Create the temporary file."""
        if self._path is not None:
            try:
                self._descriptor = create_private(self._temporary)
            except OSError as error:
                raise self._write_error(error) from None
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Rename the temporary file, or delete it after an error."""
        if self._path is None:
            return
        try:
            if error is None:
                os.fsync(self._descriptor)
                self._move(self._path)
                fsync_path(self._path.parent)
        except FileExistsError:
            raise self._exists_error() from None
        except OSError as failure:
            raise self._write_error(failure) from None
        finally:
            os.close(self._descriptor)
            with suppress(OSError):
                self._temporary.unlink(missing_ok=True)

    def write(self, data: bytes) -> bool:
        """Write; False if the reader of standard output has closed it."""
        if self._path is None:
            return write_bytes(data)
        try:
            left = memoryview(data)
            while left:
                left = left[os.write(self._descriptor, left) :]
        except OSError as error:
            raise self._write_error(error) from None
        return True

    def _check_target(self, path: Path) -> None:
        if not self.name:
            raise ConfigurationError("cannot write a file without a name")
        refuse_database(path)
        try:
            mode = path.lstat().st_mode
        except FileNotFoundError:
            if not path.name:
                raise ConfigurationError(f"cannot write {self.name}: not the name of a file") from None
            return
        except (OSError, ValueError) as error:
            raise self._write_error(error) from None
        if stat.S_ISDIR(mode) or path.is_dir():
            raise ConfigurationError(f"cannot write {self.name}: it is a directory")
        if not self._force:
            raise self._exists_error()
        if stat.S_ISLNK(mode):
            raise ConfigurationError(f"cannot write {self.name}: it is a symbolic link; give the name of its target")
        if not stat.S_ISREG(mode):
            raise ConfigurationError(f"cannot write {self.name}: it is not a regular file (use - for standard output)")

    def _move(self, path: Path) -> None:
        if self._force:
            self._temporary.replace(path)
            return
        try:
            os.link(self._temporary, path)  # unlike rename, this never replaces a file
        except FileExistsError:
            raise
        except OSError:  # a file system without links
            if path.exists():
                raise FileExistsError from None
            self._temporary.rename(path)

    def _exists_error(self) -> ConfigurationError:
        return ConfigurationError(f"{self.name} exists already; use --force to replace it")

    def _write_error(self, error: Exception) -> ConfigurationError:
        reason = error.strerror if isinstance(error, OSError) else str(error)
        return ConfigurationError(f"cannot write {self.name}: {reason}")


def refuse_database(path: Path) -> None:
    """Refuse to write a spool, or a file beside it: it may hold plays that are nowhere else.

    Raises:
        ConfigurationError: The file is one of these, or another SQLite database.
    """
    from ..shipping.spools.sqlite.file import COMPANIONS  # noqa: PLC0415 - only what writes a file needs it

    owners = [path.with_name(path.name.removesuffix(end)) for end in COMPANIONS if path.name.endswith(end)]
    if (database := next((each for each in (path, *owners) if _is_database(each)), None)) is not None:
        what = "it is" if database == path else f"it would belong to {database},"
        raise ConfigurationError(f"cannot write {path}: {what} a spool or another database; name another file")


def _is_database(path: Path) -> bool:
    try:
        with path.open("rb") as file:
            return file.read(len(SQLITE_MAGIC)) == SQLITE_MAGIC
    except (OSError, ValueError):
        return False
