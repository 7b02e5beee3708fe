"""A file that appears whole or not at all, and never in place of another one."""

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
from .output import write_bytes

STANDARD_OUTPUT = "-"


class AtomicFile:
    """Where results go: a file, made beside its place and moved there at the end, or standard output.

    Args:
        name: The file, or ``-``.
        force: Replace what is there.

    Raises:
        ConfigurationError: The name is taken, or nothing of that name can be replaced.
    """

    def __init__(self, name: str, *, force: bool) -> None:
        self.name = name
        self._force = force
        self._path = None if name == STANDARD_OUTPUT else Path(name)
        self._descriptor = -1
        if self._path is not None:
            self._check(self._path)
            # A name that nobody can guess, and that no run which was killed has left.
            self._unfinished = self._path.with_name(f".{secrets.token_hex(8)}.part")

    def __enter__(self) -> Self:
        """Begin.

        Raises:
            ConfigurationError: It cannot be made.
        """
        if self._path is not None:
            try:
                self._descriptor = create_private(self._unfinished)
            except OSError as error:
                raise self._failed(error) from None
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Move the file into place, or away if something went wrong.

        Raises:
            ConfigurationError: It cannot be finished, or the name was taken meanwhile.
        """
        if self._path is None:
            return
        try:
            if error is None:
                os.fsync(self._descriptor)
                self._move(self._path)
                fsync_path(self._path.parent)
        except FileExistsError:
            raise self._taken() from None
        except OSError as failure:
            raise self._failed(failure) from None
        finally:
            os.close(self._descriptor)
            with suppress(OSError):
                self._unfinished.unlink(missing_ok=True)

    def write(self, data: bytes) -> bool:
        """Write; False if whoever read standard output has gone.

        Raises:
            ConfigurationError: It cannot be written.
            OutputError: Standard output cannot be written.
        """
        if self._path is None:
            return write_bytes(data)
        try:
            left = memoryview(data)
            while left:
                left = left[os.write(self._descriptor, left) :]
        except OSError as error:
            raise self._failed(error) from None
        return True

    def _check(self, path: Path) -> None:
        try:
            mode = path.lstat().st_mode
        except FileNotFoundError:
            if not path.name:
                raise ConfigurationError(f"cannot write {self.name}: it is no name of a file") from None
            return
        except (OSError, ValueError) as error:
            raise self._failed(error) from None
        if stat.S_ISDIR(mode) or path.is_dir():
            raise ConfigurationError(f"cannot write {self.name}: it is a directory")
        if not self._force:
            raise self._taken()
        if stat.S_ISLNK(mode):
            raise ConfigurationError(f"cannot write {self.name}: it is a symbolic link; name the file it leads to")
        if not stat.S_ISREG(mode):
            raise ConfigurationError(f"cannot write {self.name}: it is not a regular file; - is standard output")

    def _move(self, path: Path) -> None:
        if self._force:
            self._unfinished.replace(path)
            return
        try:
            os.link(self._unfinished, path)  # unlike a renaming, this never replaces anything
        except FileExistsError:
            raise
        except OSError:  # a file system without links
            if path.exists():
                raise FileExistsError from None
            self._unfinished.rename(path)

    def _taken(self) -> ConfigurationError:
        return ConfigurationError(f"{self.name} is there already; say --force to replace it")

    def _failed(self, error: Exception) -> ConfigurationError:
        words = error.strerror if isinstance(error, OSError) else str(error)
        return ConfigurationError(f"cannot write {self.name}: {words}")
