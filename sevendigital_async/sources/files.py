"""Files of plays, read once from their checkpoints to their ends."""

from __future__ import annotations

import asyncio
import glob
import os
import threading
from collections.abc import AsyncGenerator, Callable
from contextlib import suppress
from pathlib import Path
from typing import Protocol, TypeVar

from ..errors import ConfigurationError
from .base import ANEW, BadRecord, Portion, ReadCheckpoint
from .file_reader import Descriptor, FileReader
from .formats import Format, Parsed
from .parquet import PARQUET_MAGIC, ParquetReader
from .positions import Position, ReadOptions

T = TypeVar("T")
V = TypeVar("V")

STANDARD_INPUT = "-"


class FileSource:
    """Plays in files: JSON lines, CSV or Parquet, plain or compressed. Each file is read once, to its end.

    Args:
        files: Paths, ``-`` for standard input, or patterns such as ``logs/*.jsonl``; read in the order given, those of
            a pattern in the order of their names.
        options: How they are read.
        directory: Files are named relative to it in checkpoints, so that files and spool may be moved together; None
            for full paths.

    Attributes:
        left: By stream, the last record of a file that has no line feed and is not a play; it is left for the next run.
        finished: Streams that were read to their ends.

    Raises:
        ConfigurationError: There is no such file, or it can't be read.
    """

    def __init__(
        self, *files: str | os.PathLike[str], options: ReadOptions | None = None, directory: Path | None = None
    ) -> None:
        self._options = options or ReadOptions()
        self._directory = directory
        self._files = [file for given in files for file in matching(os.fspath(given))]
        self.left: dict[str, BadRecord] = {}
        self.finished: set[str] = set()

    async def portions(self, checkpoint: ReadCheckpoint) -> AsyncGenerator[Portion, None]:
        """Yield the plays of one file after the other."""
        for file in self._files:
            stream = self._stream(file)
            reader = await self._open(file)
            try:
                start = await self._resume(reader, file, await checkpoint(stream))
                while (parsed := await self._call(reader.read, file)) is not None:
                    if parsed.logs or parsed.bad:
                        portion = portion_of(parsed, stream, file, start, reader.position)
                        start = portion.position
                        yield portion
                last = await self._call(reader.finish, file)
                yield portion_of(last, stream, file, start, reader.position)
                if reader.left is not None:
                    self.left[stream] = reader.left
                self.finished.add(stream)
            finally:
                reader.close()

    async def confirm(self, portion: Portion) -> None:
        """Do nothing: the checkpoint in the spool is all there is to keep."""

    async def aclose(self) -> None:
        """Do nothing: files are closed when they have been read."""

    def _stream(self, file: str) -> str:
        """Return the name of a file in checkpoints."""
        if file == STANDARD_INPUT:
            return "stdin"
        path = os.path.realpath(file)
        if self._directory is not None:
            path = os.path.relpath(path, os.path.realpath(self._directory))
        return os.fsencode(path).decode(errors="backslashreplace")

    async def _open(self, file: str) -> Reader:
        # A named pipe opens only when another process writes to it.
        return await self._call(lambda: open_reader(file, self._options), file)

    async def _resume(self, reader: Reader, file: str, kept: str | None) -> str | None:
        """Move to a checkpoint if the file can be read again, and return where it is then."""
        if self._options.first_line is not None or not reader.is_regular:
            return ANEW
        if kept is not None:
            await self._call(lambda: reader.resume(Position.decode(kept, shown(file))), file)
        return kept

    async def _call(self, function: Callable[[], T], file: str) -> T:
        try:
            return await in_thread(function)
        except OSError as error:
            raise ConfigurationError(f"cannot read {shown(file)}: {error.strerror or error}") from None


class Reader(Protocol):
    """Reads one file; see :class:`FileReader`."""

    left: BadRecord | None

    @property
    def is_regular(self) -> bool:
        """Whether it can be read again."""
        ...

    @property
    def position(self) -> Position:
        """How far it was read."""
        ...

    def resume(self, position: Position) -> None:
        """Move to a position, before anything is read."""
        ...

    def read(self) -> Parsed | None:
        """Return the next records; None at the end."""
        ...

    def finish(self) -> Parsed:
        """Return the last record, if it has no end of its own."""
        ...

    def close(self) -> None:
        """Close the file."""
        ...


def open_reader(file: str, options: ReadOptions) -> Reader:
    """Open a file for reading.

    Raises:
        ConfigurationError: It is plainly not a file of plays.
        OSError: It can't be opened or read.
    """
    descriptor = 0 if file == STANDARD_INPUT else os.open(file, os.O_RDONLY | os.O_CLOEXEC)
    raw = Descriptor(descriptor)
    try:
        raw.check()
        if raw.peek(4) == PARQUET_MAGIC and options.format in (None, Format.PARQUET):
            return ParquetReader(raw, shown(file), options)
        return FileReader(raw, shown(file), options)
    except BaseException:
        raw.close()
        raise


def portion_of(parsed: Parsed, stream: str, file: str, start: str | None, position: Position) -> Portion:
    """Return what was read from a file as a portion."""
    return Portion(
        stream,
        position.encode(),
        start,
        parsed.logs,
        shown(file),
        parsed.numbers,
        parsed.kinds,
        parsed.bad,
        parsed.size,
    )


def matching(file: str) -> list[str]:
    """Return the files that a path or pattern names.

    Raises:
        ConfigurationError: There is none.
    """
    if file == STANDARD_INPUT or os.path.lexists(file) or not glob.has_magic(file):
        return [file]
    found = sorted(glob.glob(file, recursive=True))  # noqa: PTH207 - absolute patterns as well
    if not found:
        raise ConfigurationError(f"no file matches {shown(file)}")
    return found


def shown(file: str) -> str:
    """Return the name of a file for messages."""
    return "stdin" if file == STANDARD_INPUT else file


async def in_thread(function: Callable[[], T]) -> T:
    """Like ``asyncio.to_thread``, for a call that may never return: its thread does not keep the process alive."""
    loop = asyncio.get_running_loop()
    answer: asyncio.Future[T] = loop.create_future()

    def give(setter: Callable[[V], None], value: V) -> None:
        with suppress(RuntimeError):  # the loop has ended meanwhile
            loop.call_soon_threadsafe(lambda: None if answer.done() else setter(value))

    def work() -> None:
        try:
            result = function()
        except Exception as error:  # noqa: BLE001 - raised where it is awaited
            give(answer.set_exception, error)
        else:
            give(answer.set_result, result)

    threading.Thread(target=work, name="reader", daemon=True).start()
    return await answer
