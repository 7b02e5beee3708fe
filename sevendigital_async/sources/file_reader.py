"""A file or pipe being read: its descriptor, compression and position."""

from __future__ import annotations

import errno
import io
import os
import select
import stat
import threading
from typing import TYPE_CHECKING, BinaryIO, cast

from ..errors import ConfigurationError
from .base import BadRecord
from .compression import MAX_MAGIC_LENGTH, compression_of, decompressed, is_damage_error
from .formats import SAMPLE_BYTES, Format, TextReader, check_format, format_of
from .parsed_records import ParsedRecords
from .positions import Position, ReadOptions, fingerprint
from .splitting import BYTE_ORDER_MARK

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer

READ_BYTES = 256 * 1024
"""Bytes read at once."""

SIGNATURE_BYTES = 1024
"""Bytes at the beginning, and before a position, by which a file is recognised."""


class Descriptor(io.RawIOBase):
    """An open file or pipe; peeked bytes are returned again by reads.

    Args:
        descriptor: Closed together with this object, unless it is standard input.
    """

    def __init__(self, descriptor: int) -> None:
        super().__init__()
        self._descriptor = descriptor
        self._last_status: os.stat_result | None = None
        self._peeked = b""

    @property
    def status(self) -> os.stat_result:
        """The file's status; after closing, the last one."""
        # The number of a closed descriptor may be that of another file.
        return self._last_status or os.fstat(self._descriptor)

    def read_at(self, offset: int, size: int) -> bytes:
        """Return bytes of a regular file, without moving in it."""
        return os.pread(self._descriptor, size, offset)

    def check(self) -> None:
        """Refuse a directory.

        Raises:
            IsADirectoryError: It is one.
        """
        if stat.S_ISDIR(self.status.st_mode):
            raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR))

    def peek(self, size: int) -> bytes:
        """Return the next bytes, at least one if there are any, without taking them."""
        while len(self._peeked) < size and (more := self._read(size - len(self._peeked))):
            self._peeked += more
        return self._peeked[:size]

    def readable(self) -> bool:
        """Return True."""
        return True

    def seekable(self) -> bool:
        """Return whether it is a regular file."""
        return stat.S_ISREG(self.status.st_mode)

    def seek(self, offset: int, whence: int = os.SEEK_SET, /) -> int:
        """Move to a position; of a regular file."""
        self._peeked = b""
        return os.lseek(self._descriptor, offset, whence)

    def tell(self) -> int:
        """Return the position in a regular file, without peeked bytes."""
        return os.lseek(self._descriptor, 0, os.SEEK_CUR) - len(self._peeked)

    def readinto(self, buffer: WriteableBuffer, /) -> int:
        """Read what is there, waiting for the first byte."""
        view = memoryview(buffer).cast("B")
        if self._peeked:
            data, self._peeked = self._peeked[: len(view)], self._peeked[len(view) :]
        else:
            data = self._read(len(view))
        view[: len(data)] = data
        return len(data)

    def close(self) -> None:
        """Close the descriptor."""
        if not self.closed and self._descriptor != 0:
            self._last_status = os.fstat(self._descriptor)
            os.close(self._descriptor)
        super().close()

    def _read(self, size: int) -> bytes:
        while True:
            try:
                return os.read(self._descriptor, size)
            except BlockingIOError:
                select.select([self._descriptor], [], [])


class FileReader:
    """One file that is being read. Its methods block: call them in a thread, one at a time.

    Args:
        raw: The open file; closed by :meth:`close`.
        name: For messages.
        options: How it is read.
        is_regular: Whether it can be read again; None to ask the system.

    Attributes:
        is_regular: Whether it can be read again.
        format: How plays are written in it.
        compression: Of its content; None for none.
        unread_record: The last record, if it has no line feed and is not a play; it may be half written.

    Raises:
        ConfigurationError: It is not a file of plays.
        OSError: It can't be read.
    """

    def __init__(self, raw: Descriptor, name: str, options: ReadOptions, *, is_regular: bool | None = None) -> None:
        self._name = name
        self._options = options
        self._raw = raw
        self.is_regular: bool = raw.seekable() if is_regular is None else is_regular
        self.compression: str | None = compression_of(self._raw.peek(MAX_MAGIC_LENGTH))
        self._content = decompressed(cast("BinaryIO", self._raw), self.compression)
        self._peeked = b""
        self._sample = self._read_sample()
        self._peeked = self._sample
        columns = (options.columns or {}).values()
        self.format: Format = options.format or format_of(self._sample, name, columns)
        if options.format is not None and self._sample:
            check_format(options.format, self._sample, name, columns)
        if self.format is Format.PARQUET and self.compression is not None:
            raise ConfigurationError(f"{name} is Parquet within {self.compression}; decompress it first")
        self._head = self._sample[:SIGNATURE_BYTES]
        self._tail = b""
        self._read_offset = 0
        self._text = self._text_reader(1, 0)
        if self.format is Format.CSV and b"\n" in self._sample:
            self._text_reader(1, 0).has_kind(self._sample)  # refuses columns that are not those of plays
        self.unread_record: BadRecord | None = None
        self._position = Position(fingerprint=fingerprint(b"", b""), kind=options.kind and options.kind.value)
        self._read_lock = threading.Lock()
        self._is_closing = False
        self._failure: Exception | None = None

    @property
    def position(self) -> Position:
        """How far it was read."""
        return self._position

    @property
    def line(self) -> int:
        """Number of the line that begins with the next record."""
        return self._text.line

    @property
    def progress(self) -> int:
        """Bytes of the file that were read, compressed ones if it is."""
        if self.is_plain or not self._raw.seekable():
            return self._read_offset
        return self._raw.tell()

    @property
    def total(self) -> int | None:
        """Bytes of the file; None for a pipe."""
        return self.size if self._raw.seekable() else None

    @property
    def is_cheap_to_resume(self) -> bool:
        """Whether a position is found without reading what is before it."""
        return self.is_plain

    @property
    def has_kind(self) -> bool | None:
        """Whether its first record has a kind; None if the file has no record."""
        return self._text_reader(1, 0).has_kind(self._sample)

    @property
    def is_plain(self) -> bool:
        """Whether it is uncompressed, so that it can be read while it grows."""
        return self.compression is None

    @property
    def has_first_record(self) -> bool:
        """Whether the first record, behind the header of CSV, is complete, so that the file can be recognised by it."""
        return self._sample.count(b"\n") >= self._lines_of_first_record

    @property
    def first_record_hash(self) -> str:
        """A hash of the first record, by which a file is recognised under another name."""
        lines = self._sample.split(b"\n", self._lines_of_first_record)[: self._lines_of_first_record]
        return fingerprint(b"\n".join(lines), b"")

    @property
    def _lines_of_first_record(self) -> int:
        return 2 if self.format is Format.CSV else 1

    def has_same_start(self, other: FileReader) -> bool:
        """Return whether this file, or its beginning, has the content that was read from another one.

        Both are plain; of compressed files the first record decides, which the caller has compared.
        """
        if not (self.is_plain and other.is_plain):
            return True
        end = min(self.size, other.size)
        start = max(0, end - SIGNATURE_BYTES)
        return self._raw.read_at(start, end - start) == other._raw.read_at(start, end - start)

    def try_resume(self, position: Position) -> bool | None:
        """Move to a position, before anything is read.

        Returns:
            False if the content before it is not what it was; None if there is less content than that. Then this may be
            called again with another position.

        Raises:
            OSError: It can't be read.
        """
        tail = self._skip_to(position.offset)
        if tail is None:
            return None
        if fingerprint(self._head[: position.offset], tail) != position.fingerprint:
            return False
        # Text that is appended to a last line without a line feed belongs to that line.
        is_whole = not tail or tail.endswith(b"\n")
        line = position.line if is_whole else position.line - 1
        self._tail, self._read_offset = tail, position.offset
        self._text = self._text_reader(line, position.offset)
        self._position = position
        return True

    def resume(self, position: Position) -> None:
        """Move to a position, before anything is read.

        Raises:
            ConfigurationError: The content before it has changed.
            OSError: It can't be read.
        """
        position.check_kind(self._options.kind, self._name)
        if not self.try_resume(position):
            raise ConfigurationError(
                f"{self._name} was shipped up to line {position.line - 1}, and the lines before it have changed since;"
                " if it is a new file, pass --from-line 1, otherwise --from-line with the line to resume at"
            )

    def read(self) -> ParsedRecords | None:
        """Return the next records; None at the end, for now.

        Raises:
            ConfigurationError: Its compressed data is damaged, or its format is not the one recognised.
            OSError: It can't be read.
        """
        with self._read_lock:
            try:
                chunk = self._read_chunk()
            finally:
                if self._is_closing:  # the descriptor of a closed file may be reused at once
                    self._raw.close()
        if not chunk:
            return None
        if self._read_offset < SIGNATURE_BYTES:  # it may have been shorter when it was opened
            self._head = (self._head[: self._read_offset] + chunk)[:SIGNATURE_BYTES]
        parsed = self._text.feed(chunk)
        chunk, self._peeked = chunk[: parsed.size], chunk[parsed.size :] + self._peeked
        seen = self._tail + chunk
        end = parsed.offset - (self._read_offset - len(self._tail))
        self._read_offset += len(chunk)
        self._tail = seen[-SIGNATURE_BYTES:]
        if parsed.offset > self._position.offset:
            self._advance_position(parsed, seen[max(0, end - SIGNATURE_BYTES) : end])
        return parsed

    @property
    def size(self) -> int:
        """Bytes of the file, compressed if it is."""
        return self._raw.status.st_size

    @property
    def status(self) -> os.stat_result:
        """The file's status."""
        return self._raw.status

    @property
    def size_and_mtime(self) -> tuple[int, int]:
        """Size, and time of the last change in nanoseconds; it differs when the file has changed."""
        status = self._raw.status
        return status.st_size, status.st_mtime_ns

    @property
    def unread_bytes(self) -> int:
        """Bytes that have not been read; zero for a compressed file."""
        return self.size - self._read_offset if self.is_plain else 0

    def is_rewritten(self) -> bool:
        """Return whether a plain file was truncated, even if it has grown since."""
        if not self.is_plain:
            return False
        tail = (self._tail + self._peeked)[-SIGNATURE_BYTES:]
        return self._raw.read_at(self._read_offset + len(self._peeked) - len(tail), len(tail)) != tail

    def finish(self, *, is_final: bool | None = None) -> ParsedRecords:
        """Return the last record if it lacks its line feed.

        Args:
            is_final: Nothing more can be written to the file. If it may be, a record that is not a play is left unread,
                see ``unread_record``. By default true for pipes and compressed files.
        """
        if is_final is None:
            is_final = not (self.is_regular and self.is_plain)
        parsed, self.unread_record = self._text.close(is_final=is_final)
        if parsed.offset > self._position.offset:
            tail = self._tail
            if parsed.offset < self._read_offset:  # a plain file, whose last record is left unread
                start = max(0, parsed.offset - SIGNATURE_BYTES)
                tail = self._raw.read_at(start, parsed.offset - start)
            self._advance_position(parsed, tail)
        return parsed

    def close(self) -> None:
        """Close the file, as soon as no thread reads it."""
        self._is_closing = True
        if self._read_lock.acquire(blocking=False):
            self._raw.close()
            self._read_lock.release()

    def _advance_position(self, parsed: ParsedRecords, tail: bytes) -> None:
        kind = self._options.kind
        mark = fingerprint(self._head[: parsed.offset], tail)
        self._position = Position(parsed.line, parsed.offset, mark, kind and kind.value)

    def _text_reader(self, line: int, offset: int) -> TextReader:
        is_csv = self.format is Format.CSV
        return TextReader(
            self._name,
            line=line,
            offset=offset,
            is_csv=is_csv,
            header=self._sample.removeprefix(BYTE_ORDER_MARK).partition(b"\n")[0] if is_csv and offset else None,
            columns=self._options.columns,
            first_line=self._options.first_line or 1,
        )

    def _read_sample(self) -> bytes:
        """Return enough to recognise the format and the first record."""
        # A pipe may not have a second line for a long time.
        lines, least = (2, SIGNATURE_BYTES) if self._raw.seekable() else (1, 1)
        sample = b""
        while (
            (sample.count(b"\n") < lines or len(sample) < least)
            and len(sample) < SAMPLE_BYTES
            and (more := self._read_bytes(SAMPLE_BYTES - len(sample)))
        ):
            sample += more
        return sample

    def _skip_to(self, offset: int) -> bytes | None:
        """Move to an offset and return the bytes before it; None if there are not so many."""
        tail = b""
        self._peeked = b""
        if self.is_plain:
            tail_size = min(offset, SIGNATURE_BYTES)
            self._raw.seek(offset - tail_size)
            left = tail_size
        else:
            self._raw.seek(0)
            self._content = decompressed(cast("BinaryIO", self._raw), self.compression)
            left = offset
        while left and (chunk := self._read_bytes(min(left, READ_BYTES))):
            chunk, self._peeked = chunk[:left], chunk[left:] + self._peeked
            left -= len(chunk)
            tail = (tail + chunk)[-SIGNATURE_BYTES:]
        return None if left else tail

    def _read_chunk(self) -> bytes:
        """Return the next bytes: of a pipe what is there, of a file as many as are read at once."""
        if self._failure is not None:
            raise self._failure
        chunk = self._read_bytes(READ_BYTES)
        while self.is_regular and 0 < len(chunk) < READ_BYTES:
            try:
                more = self._read_bytes(READ_BYTES - len(chunk))
            except (ConfigurationError, OSError) as error:
                self._failure = error  # raised once the records before it have been returned
                break
            if not more:
                break
            chunk += more
        return chunk

    def _read_bytes(self, size: int) -> bytes:
        if self._peeked:
            ahead, self._peeked = self._peeked, b""
            return ahead
        try:
            data: bytes = getattr(self._content, "read1", self._content.read)(size)
        except Exception as error:
            if is_damage_error(error):
                raise ConfigurationError(
                    f"{self._name}: the {self.compression} data is cut short or damaged: {error}"
                ) from None
            raise
        return data
