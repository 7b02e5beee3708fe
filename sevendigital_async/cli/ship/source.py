"""An input, read in chunks by threads."""

from __future__ import annotations

import asyncio
import hashlib
import os
import select
import stat
import sys
import threading
from collections.abc import Callable
from contextlib import suppress
from typing import ParamSpec, TypeVar

from ...errors import ConfigurationError

P = ParamSpec("P")
T = TypeVar("T")
V = TypeVar("V")

CHUNK = 64 * 1024
STANDARD_INPUT = "-"
SAMPLE = 1024
"""Bytes at the beginning and before a position that identify a file."""


class Source:
    """A file, a pipe or standard input.

    Args:
        file: Its path, or ``-``.
        chunk: Most bytes to read at once.

    Attributes:
        name: For messages.
        size: In bytes; None if unknown.
        regular: It is a regular file, which can be read again.
    """

    def __init__(self, file: str, chunk: int = CHUNK) -> None:
        self._file = file
        self._chunk = chunk
        self._descriptor = 0 if file == STANDARD_INPUT else None
        self._start = 0
        self.name = "stdin" if file == STANDARD_INPUT else file
        if file == STANDARD_INPUT and sys.stdin is None:
            raise ConfigurationError("cannot read stdin: it is closed")
        try:
            status = os.fstat(0) if file == STANDARD_INPUT else os.stat(file)  # noqa: PTH116 - one call for both
        except (OSError, ValueError) as error:
            raise ConfigurationError(f"cannot read {self.name}: {_reason(error)}") from None
        if stat.S_ISDIR(status.st_mode):
            raise ConfigurationError(f"cannot read {self.name}: it is a directory")
        self.regular = stat.S_ISREG(status.st_mode) and file != STANDARD_INPUT
        self.size = status.st_size if stat.S_ISREG(status.st_mode) else None

    @property
    def path(self) -> str:
        """The real path, with links resolved."""
        return os.path.realpath(self._file)

    def start_at(self, offset: int) -> None:
        """Start at a byte offset; call this before the first ``read``, and only for a regular file."""
        self._start = offset

    async def fingerprint(self, offset: int) -> str:
        """Return a digest that identifies the first ``offset`` bytes of a regular file.

        Raises:
            ConfigurationError: It cannot be opened.
            OSError: It cannot be read.
        """
        return await in_thread(_fingerprint, await self._open(), offset)

    async def ends_line(self, offset: int) -> bool:
        """Return whether a line of a regular file ends right before ``offset``.

        Raises:
            ConfigurationError: It cannot be opened.
            OSError: It cannot be read.
        """
        return offset == 0 or await in_thread(os.pread, await self._open(), 1, offset - 1) == b"\n"

    async def read(self) -> bytes:
        """Return the next bytes as soon as there are any; empty at the end.

        Raises:
            ConfigurationError: It cannot be opened.
            OSError: It cannot be read.
        """
        return await in_thread(_read, await self._open(), self._chunk)

    async def _open(self) -> int:
        if self._descriptor is None:
            try:
                # A named pipe opens only when another process opens it for writing.
                self._descriptor = await in_thread(os.open, self._file, os.O_RDONLY | os.O_CLOEXEC)
            except OSError as error:
                raise ConfigurationError(f"cannot read {self.name}: {_reason(error)}") from None
        if self._start:
            start, self._start = self._start, 0
            await in_thread(os.lseek, self._descriptor, start, os.SEEK_SET)
        return self._descriptor

    def close(self) -> None:
        """Close a file that was read to its end.

        If it was not, a thread may still read it, so that its descriptor must not be reused.
        """
        if self._descriptor:
            os.close(self._descriptor)
            self._descriptor = None


def _read(descriptor: int, size: int) -> bytes:
    while True:
        try:
            return os.read(descriptor, size)
        except BlockingIOError:
            select.select([descriptor], [], [])


def _fingerprint(descriptor: int, offset: int) -> str:
    digest = hashlib.blake2b(digest_size=16)
    for start, end in ((0, min(offset, SAMPLE)), (max(0, offset - SAMPLE), offset)):
        digest.update(os.pread(descriptor, end - start, start))
    return digest.hexdigest()


async def in_thread(function: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> T:
    """Like ``asyncio.to_thread`` for calls that may never return: the thread does not keep the process alive."""
    loop = asyncio.get_running_loop()
    answer: asyncio.Future[T] = loop.create_future()

    def resolve(setter: Callable[[V], None], value: V) -> None:
        with suppress(RuntimeError):  # the loop has ended
            loop.call_soon_threadsafe(lambda: None if answer.done() else setter(value))

    def work() -> None:
        try:
            result = function(*args, **kwargs)
        except Exception as error:  # noqa: BLE001 - raised where the call is awaited
            resolve(answer.set_exception, error)
        else:
            resolve(answer.set_result, result)

    threading.Thread(target=work, name="reader", daemon=True).start()
    return await answer


def _reason(error: Exception) -> str:
    return (error.strerror if isinstance(error, OSError) else None) or str(error)
