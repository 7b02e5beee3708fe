"""Files of plays, read once from their checkpoints to their ends."""

from __future__ import annotations

import asyncio
import fnmatch
import glob
import logging
import os
import threading
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Protocol, TypeVar

from attrs import evolve

from ..errors import ConfigurationError
from ..models import LogKind
from ..quantity import pluralize
from .base import RESTARTED_POSITION, BadRecord, Portion, ReadCheckpoint, StreamProgress
from .file_reader import Descriptor, FileReader
from .formats import Format
from .parquet import PARQUET_MAGIC, ParquetReader
from .parsed_records import ParsedRecords
from .positions import Position, ReadOptions

T = TypeVar("T")
V = TypeVar("V")

logger = logging.getLogger("sevendigital_async.sources")

STANDARD_INPUT = "-"


class FileSource:
    """Plays in files: JSON lines, CSV or Parquet, plain or compressed. Each file is read once, to its end.

    Args:
        files: Paths, ``-`` for standard input, or patterns such as ``logs/*.jsonl``; read in the order given, those of
            a pattern in the order of their names. A file that is named twice is read once.
        options: How they are read.
        directory: Files are named relative to it in checkpoints, so that files and spool may be moved together; None
            for full paths.
        exclude: Patterns of paths that are left out, though ``files`` match them.

    Attributes:
        unread_records: By stream, the last record of a file that has no line feed and is not a play; the next run reads
            it.
        finished: Streams that were read to their ends.

    Raises:
        ConfigurationError: There is no such file, or it can't be read.
    """

    def __init__(
        self,
        *files: str | os.PathLike[str],
        options: ReadOptions | None = None,
        directory: Path | None = None,
        exclude: Sequence[str] = (),
    ) -> None:
        self._options = options or ReadOptions()
        self._directory = directory
        found = [file for given in files for file in matching_files(os.fspath(given), exclude)]
        self._files = {self._stream_name(file): file for file in reversed(found)}
        self._files = dict(reversed(self._files.items()))
        self._open_readers: dict[str, RecordReader] = {}
        self._progress: dict[str, StreamProgress] = {}
        self.unread_records: dict[str, BadRecord] = {}
        self.finished: set[str] = set()

    async def check(self, checkpoint: ReadCheckpoint | None = None, *, needs_kind: bool = False) -> None:
        """Check every file before reading: that it has plays, and matches its checkpoint.

        Of a pipe this waits for the first line.

        Args:
            checkpoint: Returns the position up to which a stream was read before.
            needs_kind: Whether plays must have their kinds in the file.

        Raises:
            ConfigurationError: A file can't be read, is not a file of plays, or has changed.
        """
        for stream, file in self._files.items():
            self._open_readers[stream] = reader = await self._open(file)
            try:
                if needs_kind and reader.has_kind is False:
                    raise ConfigurationError(
                        f"{display_name(file)}: its plays have no kind; pass --kind"
                        f" {'|'.join(LogKind)}, or name the column with --map kind=COLUMN"
                    )
                if reader.is_regular and reader.is_cheap_to_resume and checkpoint is not None:
                    await self._resume(reader, file, await checkpoint(stream))
                self._start_progress(stream, reader)
            finally:
                if reader.is_regular:
                    self._open_readers.pop(stream).close()

    async def portions(self, checkpoint: ReadCheckpoint) -> AsyncGenerator[Portion, None]:
        """Yield the plays of the files in order."""
        for stream, file in self._files.items():
            reader = self._open_readers.pop(stream, None) or await self._open(file)
            try:
                async for portion in self._portions_of(reader, stream, file, checkpoint):
                    yield portion
            finally:
                reader.close()

    async def _portions_of(
        self, reader: RecordReader, stream: str, file: str, checkpoint: ReadCheckpoint
    ) -> AsyncGenerator[Portion, None]:
        start: str | None = RESTARTED_POSITION
        if reader.is_regular:
            start = await self._resume(reader, file, await checkpoint(stream))
            if start not in (None, RESTARTED_POSITION):
                logger.info(
                    "%s: continuing at line %d, where an earlier run stopped",
                    *(display_name(file), reader.line),
                    extra={"event": "file-resumed"},
                )
        first_line = self._options.first_line or 1
        begin = max(reader.line, first_line)
        self._start_progress(stream, reader)
        while (parsed := await self._read_in_thread(reader.read, file)) is not None:
            self._update_progress(stream, reader)
            if parsed.logs or parsed.bad:
                portion = make_portion(parsed, stream, file, reader, start=start, begin=begin)
                start, begin = portion.position, max(begin, parsed.line)
                yield portion
        last = await self._read_in_thread(reader.finish, file)
        if reader.line < first_line:
            known = pluralize(reader.line - 1, "line")
            raise ConfigurationError(f"{display_name(file)} has {known}; there is no line {first_line}")
        if reader.unread_record is not None:
            self.unread_records[stream] = reader.unread_record
        yield make_portion(last, stream, file, reader, start=start, begin=begin)
        self.finished.add(stream)
        self._update_progress(stream, reader, is_finished=True)

    async def confirm(self, portion: Portion) -> None:
        """Do nothing: the checkpoint in the spool is enough."""

    async def aclose(self) -> None:
        """Close pipes that were not read; files are closed when they have been read."""
        for reader in self._open_readers.values():
            reader.close()

    def progress(self) -> list[StreamProgress]:
        """Return how far each file was read; files that come later included, if :meth:`check` has seen them."""
        return list(self.progress_by_stream().values())

    def progress_by_stream(self) -> dict[str, StreamProgress]:
        """Return the same by stream."""
        return {stream: self._progress[stream] for stream in self._files if stream in self._progress}

    def _start_progress(self, stream: str, reader: RecordReader) -> None:
        begin = max(reader.line, self._options.first_line or 1)
        label, read = display_name(self._files[stream]), reader.progress
        self._progress[stream] = StreamProgress(label, read, read, reader.total, begin=begin)

    def _update_progress(self, stream: str, reader: RecordReader, *, is_finished: bool = False) -> None:
        total = reader.total
        read = total if is_finished and total is not None else reader.progress
        self._progress[stream] = evolve(self._progress[stream], read=read, total=total, is_finished=is_finished)

    def _stream_name(self, file: str) -> str:
        """Return the name of a file in checkpoints."""
        if file == STANDARD_INPUT:
            return "stdin"
        try:
            path = os.path.realpath(file)
        except ValueError as error:
            raise ConfigurationError(f"cannot read {file}: {error}") from None
        if self._directory is not None:
            path = os.path.relpath(path, os.path.realpath(self._directory))
        return os.fsencode(path).decode(errors="backslashreplace")

    async def _open(self, file: str) -> RecordReader:
        # A named pipe opens only when another process writes to it.
        return await self._read_in_thread(lambda: open_reader(file, self._options), file)

    async def _resume(self, reader: RecordReader, file: str, kept: str | None) -> str | None:
        """Move to a checkpoint, and return where the file is then."""
        if self._options.first_line is not None:
            return RESTARTED_POSITION
        if kept is not None:
            await self._read_in_thread(lambda: reader.resume(Position.decode(kept, display_name(file))), file)
        return kept

    async def _read_in_thread(self, function: Callable[[], T], file: str) -> T:
        try:
            return await in_thread(function)
        except OSError as error:
            raise ConfigurationError(f"cannot read {display_name(file)}: {error.strerror or error}") from None


class RecordReader(Protocol):
    """Reads one file; see :class:`FileReader`."""

    unread_record: BadRecord | None

    @property
    def is_regular(self) -> bool:
        """Whether it can be read again."""
        ...

    @property
    def is_cheap_to_resume(self) -> bool:
        """Whether a position is found without reading what is before it."""
        ...

    @property
    def has_kind(self) -> bool | None:
        """Whether its plays have a kind; None if that isn't known."""
        ...

    @property
    def position(self) -> Position:
        """How far it was read."""
        ...

    @property
    def line(self) -> int:
        """Number of the next record."""
        ...

    @property
    def progress(self) -> int:
        """Bytes of the file that were read."""
        ...

    @property
    def total(self) -> int | None:
        """Bytes of the file; None for a pipe."""
        ...

    def resume(self, position: Position) -> None:
        """Move to a position, before anything is read."""
        ...

    def read(self) -> ParsedRecords | None:
        """Return the next records; None at the end."""
        ...

    def finish(self) -> ParsedRecords:
        """Return the last record, if it lacks its line feed."""
        ...

    def close(self) -> None:
        """Close the file."""
        ...


def open_reader(file: str, options: ReadOptions) -> RecordReader:
    """Open a file for reading.

    Raises:
        ConfigurationError: It is not a file of plays.
        OSError: It can't be opened or read.
    """
    is_standard_input = file == STANDARD_INPUT
    raw = Descriptor(0 if is_standard_input else os.open(file, os.O_RDONLY | os.O_CLOEXEC))
    try:
        raw.check()
        is_regular = raw.seekable() and not is_standard_input
        if raw.peek(4) == PARQUET_MAGIC and options.format in (None, Format.PARQUET):
            return ParquetReader(raw, display_name(file), options, is_regular=is_regular)
        return FileReader(raw, display_name(file), options, is_regular=is_regular)
    except BaseException:
        raw.close()
        raise


def make_portion(
    parsed: ParsedRecords, stream: str, file: str, reader: RecordReader, *, start: str | None, begin: int | None = None
) -> Portion:
    """Return what was read from a file as a portion."""
    return Portion(
        stream,
        reader.position.encode() if reader.is_regular else "",
        start,
        parsed.logs,
        display_name(file),
        parsed.numbers,
        parsed.kinds,
        parsed.bad,
        parsed.size,
        begin,
        None if begin is None else max(begin, parsed.line),
    )


def matching_files(file: str, exclude: Sequence[str] = ()) -> list[str]:
    """Return the files that a path or pattern names.

    Args:
        file: The path, or the pattern.
        exclude: Patterns of paths that a pattern does not match.

    Raises:
        ConfigurationError: There is none.
    """
    if file == STANDARD_INPUT or os.path.lexists(file) or not glob.has_magic(file):
        return [file]
    found = [path for path in sorted(glob.glob(file, recursive=True)) if not is_excluded(path, exclude)]  # noqa: PTH207
    if not found:
        raise ConfigurationError(f"no file matches {display_name(file)}")
    return found


def is_excluded(path: str, exclude: Sequence[str]) -> bool:
    """Return whether one of several patterns matches a path."""
    absolute = os.path.abspath(path)  # noqa: PTH100 - links stay
    return any(fnmatch.fnmatchcase(absolute, pattern) for pattern in exclude)


def display_name(file: str) -> str:
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
