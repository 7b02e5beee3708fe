"""A file that appears whole or not at all, and never in place of another one."""

from __future__ import annotations

import os
import sys
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Self

from ..errors import ConfigurationError

STANDARD_OUTPUT = "-"
_NEW_FILE = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC


class OutFile:
    """Where results go: a file, made beside its place and moved there at the end, or standard output.

    Args:
        name: The file, or ``-``.
        force: Replace what is there.

    Raises:
        ConfigurationError: The name is taken, or there is no such directory.
    """

    def __init__(self, name: str, *, force: bool) -> None:
        self.name = name
        self._force = force
        self._path = None if name == STANDARD_OUTPUT else Path(name)
        self._descriptor = -1
        if self._path is not None:
            if self._path.is_dir():
                raise ConfigurationError(f"cannot write {name}: it is a directory")
            if self._path.exists() and not force:
                raise self._taken()

    def __enter__(self) -> Self:
        """Begin.

        Raises:
            ConfigurationError: It cannot be made.
        """
        if self._path is not None:
            try:
                self._descriptor = os.open(self._unfinished, _NEW_FILE, 0o666)
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
        """
        try:
            if self._path is None:
                if sys.stdout is not None:
                    sys.stdout.buffer.write(data)
                    sys.stdout.buffer.flush()
                return True
            left = memoryview(data)
            while left:
                left = left[os.write(self._descriptor, left) :]
        except BrokenPipeError:
            return False
        except OSError as error:
            raise self._failed(error) from None
        return True

    @property
    def _unfinished(self) -> Path:
        assert self._path is not None
        return self._path.with_name(f".{self._path.name}.{os.getpid()}.part")

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

    def _failed(self, error: OSError) -> ConfigurationError:
        name = "standard output" if self._path is None else self.name
        return ConfigurationError(f"cannot write {name}: {error.strerror}")
