"""An input that is read off the event loop, a chunk at a time."""

from __future__ import annotations

import asyncio
import os
import select
import stat
import threading
from collections.abc import Callable
from contextlib import suppress
from typing import ParamSpec, TypeVar

from ..errors import ConfigurationError

P = ParamSpec("P")
T = TypeVar("T")
V = TypeVar("V")

CHUNK = 64 * 1024
STANDARD_INPUT = "-"


class Source:
    """A file, a pipe or standard input.

    Args:
        file: Its path, or ``-``.
        chunk: Bytes read at once, at the most.

    Attributes:
        name: For messages.
        size: Bytes in it; None for what has no known end.
        regular: It is a file that stays where it is.
    """

    def __init__(self, file: str, chunk: int = CHUNK) -> None:
        self._file = file
        self._chunk = chunk
        self._descriptor = 0 if file == STANDARD_INPUT else None
        self.name = "stdin" if file == STANDARD_INPUT else file
        try:
            status = os.fstat(0) if file == STANDARD_INPUT else os.stat(file)  # noqa: PTH116 - one call for both
        except (OSError, ValueError) as error:
            raise ConfigurationError(f"cannot read {self.name}: {_words(error)}") from None
        if stat.S_ISDIR(status.st_mode):
            raise ConfigurationError(f"cannot read {self.name}: it is a directory")
        self.regular = stat.S_ISREG(status.st_mode) and file != STANDARD_INPUT
        self.size = status.st_size if stat.S_ISREG(status.st_mode) else None

    async def read(self) -> bytes:
        """Return what there is, as soon as there is something; nothing at the end.

        Raises:
            ConfigurationError: It cannot be opened.
            OSError: It cannot be read on.
        """
        if self._descriptor is None:
            try:
                # A named pipe opens only when somebody writes to it.
                self._descriptor = await _in_thread(os.open, self._file, os.O_RDONLY | os.O_CLOEXEC)
            except OSError as error:
                raise ConfigurationError(f"cannot read {self.name}: {_words(error)}") from None
        return await _in_thread(_read, self._descriptor, self._chunk)

    def close(self) -> None:
        """Let go of a file that was read to its end.

        One that was not may still be read by a thread, so that its number must not be given to another file.
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


async def _in_thread(function: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> T:
    """Like ``asyncio.to_thread``, for what may never return: the thread keeps nobody from leaving."""
    loop = asyncio.get_running_loop()
    answer: asyncio.Future[T] = loop.create_future()

    def give(setter: Callable[[V], None], value: V) -> None:
        with suppress(RuntimeError):  # the loop has ended meanwhile
            loop.call_soon_threadsafe(lambda: None if answer.done() else setter(value))

    def work() -> None:
        try:
            result = function(*args, **kwargs)
        except OSError as error:
            give(answer.set_exception, error)
        else:
            give(answer.set_result, result)

    threading.Thread(target=work, name="reader", daemon=True).start()
    return await answer


def _words(error: Exception) -> str:
    return (error.strerror if isinstance(error, OSError) else None) or str(error)
