"""Formats of files: recognised by content, and read into plays a portion at a time."""

from __future__ import annotations

import csv
import enum
import io
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime

from attrs import define, field

from ..errors import ConfigurationError, InvalidLogError
from ..models import LogKind, StreamLog
from ..models.encoded_log import EncodedLog, encoded_logs
from ..models.stream_log import Window
from .base import BadRecord
from .rows import KIND, Columns, Play, play_of_line, play_of_row, wire_lines, wire_name
from .splitting import BYTE_ORDER_MARK, MAX_RECORD_BYTES, RawRecord, Splitter

DELIMITERS = (",", ";", "\t", "|")
BATCH = 500
"""Plays of a request. A portion with more plays than that has a multiple of them, so that a spool can keep them so."""

SAMPLE = 64 * 1024
"""Bytes at the beginning of a file by which its format is recognised."""


class Format(enum.StrEnum):
    """How plays are written in a file."""

    JSON_LINES = "json-lines"
    CSV = "csv"
    PARQUET = "parquet"


FOREIGN_FORMATS: tuple[tuple[Callable[[bytes], bool], str], ...] = (
    (
        lambda head: head.startswith((b"\xff\xfe", b"\xfe\xff")) or b"\0" in head[:2],
        "looks like UTF-16 text; convert it first: iconv -f UTF-16 -t UTF-8",
    ),
    (
        lambda head: head.lstrip().startswith(b"["),
        "looks like a JSON array; one JSON object a line is needed: jq -c '.[]' makes that of it",
    ),
    (
        lambda head: [line.strip() for line in head.split(b"\n", 1)[:-1]] == [b"{"],
        "looks like JSON objects over several lines; one object a line is needed: jq -c . makes that of it",
    ),
    (
        lambda head: head.startswith(b"PK\x03\x04"),
        "looks like a zip archive or an Excel file; unpack the one, and save the other as CSV (UTF-8)",
    ),
    (
        lambda head: head.startswith(b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"),
        "looks like an Excel file; save it as CSV (UTF-8)",
    ),
    (
        lambda head: head[257:262] == b"ustar",
        "looks like a tar archive; unpack it first: tar -xf",
    ),
    (
        lambda head: head.startswith(b"<"),
        "looks like HTML or XML, not like JSON lines, CSV or Parquet",
    ),
    (
        # Within a file of plays, only its own line is bad.
        lambda head: b"\0" in head[:4096] and not head.startswith(b"{") and not _delimiter(head),
        "looks like a binary file, not like JSON lines, CSV or Parquet",
    ),
)
"""Other formats that a file may have, and what to do."""


def format_of(head: bytes, place: str) -> Format:
    """Recognise the format of a file.

    Args:
        head: Its first bytes, decompressed.
        place: Names it in errors.

    Raises:
        ConfigurationError: It has another format; the message names it and says what to do.
    """
    if head.startswith(b"PAR1"):
        return Format.PARQUET
    start = head.removeprefix(BYTE_ORDER_MARK).lstrip(b" \t\r\n")
    for matches, message in FOREIGN_FORMATS:
        if matches(start):
            raise ConfigurationError(f"{place} {message}")
    return Format.CSV if _delimiter(head) else Format.JSON_LINES


def check_format(wanted: Format, head: bytes, place: str) -> None:
    """Refuse a file that is not in the requested format.

    Raises:
        ConfigurationError: The message says what it looks like and which option reads it.
    """
    found = format_of(head, place)
    start = head.removeprefix(BYTE_ORDER_MARK).lstrip()
    is_json = start.startswith(b"{")
    if Format.PARQUET in (wanted, found) and wanted is not found:
        looks = "Parquet" if found is Format.PARQUET else "text"
        raise ConfigurationError(f"{place} looks like {looks}, not {wanted}; pass --format {found}")
    if wanted is Format.CSV and is_json:
        raise ConfigurationError(f"{place} looks like JSON lines, not CSV; pass --format json-lines")
    if wanted is Format.JSON_LINES and found is Format.CSV:
        raise ConfigurationError(f"{place} looks like CSV, not JSON lines; pass --format csv")


def _delimiter(head: bytes) -> str | None:
    """Return the delimiter of a header; None if the first line is not one."""
    line = head.removeprefix(BYTE_ORDER_MARK).split(b"\n", 1)[0].decode(errors="replace").strip()
    if line.startswith("{"):
        return None
    found = [delimiter for delimiter in DELIMITERS if delimiter in line]
    if not found:
        return None
    delimiter = max(found, key=line.count)
    names = [name.strip().strip('"') for name in line.split(delimiter)]
    return delimiter if any(wire_name(name) for name in names) else None


@define
class ParsedRecords:
    """What was read from a file in one step.

    Attributes:
        logs: The plays.
        numbers: Their lines or rows.
        kinds: Their kinds, where given; empty if none is.
        bad: Records that are not plays.
        line: Number of the line or row that follows.
        offset: Bytes of the decompressed file before it; for Parquet the rows.
        size: Bytes taken of the file, or of the chunk.
    """

    line: int
    offset: int
    logs: list[StreamLog | EncodedLog] = field(factory=list)
    numbers: list[int] = field(factory=list)
    kinds: list[LogKind | None] = field(factory=list)
    bad: list[BadRecord] = field(factory=list)
    size: int = 0

    def add(self, number: int, play: Play) -> None:
        """Append a play."""
        self.logs.append(play.log)
        self.numbers.append(number)
        self.kinds.append(play.kind)


class TextReader:
    """Reads JSON lines or CSV from chunks of bytes.

    Args:
        place: Names the file in messages.
        line: Number of the line that the first chunk begins with.
        offset: Bytes before the first chunk.
        header: The columns of CSV, as in the file's first line; None for JSON lines, or if the first chunk has it.
        is_csv: Whether it is CSV.
        columns: Mapping of columns or fields.
        first_line: Records before this line are skipped.
    """

    def __init__(
        self,
        place: str,
        *,
        line: int = 1,
        offset: int = 0,
        is_csv: bool = False,
        header: bytes | None = None,
        columns: Mapping[str, str] | None = None,
        first_line: int = 1,
    ) -> None:
        self._place = place
        self._columns = Columns(columns)
        self._is_csv = is_csv
        self._first_line = first_line
        self._splitter = Splitter(line, offset, quote=b'"' if is_csv else b"")
        self._line, self._offset = line, offset
        self._names: Sequence[str | None] | None = None
        self._delimiter = ","
        if header is not None:
            self._read_header(header)

    @property
    def pending(self) -> int:
        """Bytes of a record whose end has not been read."""
        return self._splitter.pending

    @property
    def line(self) -> int:
        """Number of the line that begins with the next record."""
        return self._line

    def has_kind(self, sample: bytes) -> bool | None:
        """Return whether the plays of a file have their kinds, by its first record; None if that is not a play.

        Args:
            sample: The file's first bytes; the reader can't be used afterwards.
        """
        raws = [*self._splitter.feed(sample), *self._splitter.close()]
        raws = [raw for raw in raws if not raw.is_blank]
        if raws and self._is_csv:
            self._read_header(raws[0].data)
            return KIND in (self._names or ())
        try:
            return self._play(raws[0], Window.at(datetime.now(UTC))).kind is not None if raws else None
        except InvalidLogError:
            return None

    def feed(self, chunk: bytes) -> ParsedRecords:
        """Return the records that end in the next chunk, or only the first of them; see ``size``.

        What it has not taken must begin the next chunk.
        """
        parsed = self._in_wire_form(chunk)
        if parsed is None:
            parsed = self._parsed(list(self._splitter.feed(chunk)))
            parsed.size = len(chunk)
        return parsed

    def _in_wire_form(self, chunk: bytes) -> ParsedRecords | None:
        """Return plays that all are, or can be written, in their wire form; or None, having taken nothing."""
        if (self._columns.mapping and not self._is_csv) or self._line < self._first_line:
            return None
        lines, window = self._splitter.preview(chunk), Window.at(datetime.now(UTC))
        if len(lines) > BATCH:
            lines = lines[: len(lines) // BATCH * BATCH]
        # In a file in another form, nearly always the first line says so.
        logs = self._encoded(lines, window) if lines and self._encoded(lines[:1], window) else None
        if logs is None:
            return None
        first, size = self._line, self._splitter.take(lines)
        self._line += len(lines)
        self._offset = self._splitter.offset
        return ParsedRecords(self._line, self._offset, [*logs], list(range(first, self._line)), size=size)

    def _encoded(self, lines: Sequence[bytes], window: Window) -> list[EncodedLog] | None:
        if not self._is_csv:
            return encoded_logs(lines, window)
        if self._names is None:
            return None
        rows = _plain_rows(lines, self._delimiter, len(self._names))
        wire = rows and wire_lines(self._names, list(zip(*rows, strict=True)))
        return encoded_logs(wire, window) if wire else None

    def close(self, *, is_final: bool = True) -> tuple[ParsedRecords, BadRecord | None]:
        """Return the last record, if it lacks its line feed.

        Args:
            is_final: Nothing more can be written to it. Otherwise a record that is not a play is left unread, because
                it may be half written.

        Returns:
            What was read, and the record that was left.
        """
        raws = list(self._splitter.close())
        before = self._line, self._offset
        parsed = self._parsed(raws)
        if parsed.bad and not is_final:
            left = parsed.bad[0]
            self._line, self._offset = before
            return ParsedRecords(*before), left
        return parsed, None

    def _parsed(self, raws: Sequence[RawRecord]) -> ParsedRecords:
        window = Window.at(datetime.now(UTC))
        parsed = ParsedRecords(self._line, self._offset)
        if raws and self._is_csv and self._names is None:
            self._read_header(raws[0].data)
            raws, (header, *_) = raws[1:], raws
            parsed.line, parsed.offset = header.number + header.lines, header.end
        for raw in raws:
            parsed.line, parsed.offset = raw.number + raw.lines, raw.end
            if raw.number < self._first_line or raw.is_blank:
                continue
            try:
                parsed.add(raw.number, self._play(raw, window))
            except InvalidLogError as error:
                parsed.bad.append(BadRecord(f"{self._place}:{raw.number}", raw.data, str(error)))
        self._line, self._offset = parsed.line, parsed.offset
        return parsed

    def _play(self, raw: RawRecord, window: Window) -> Play:
        if raw.cut:
            raise InvalidLogError(f"longer than {MAX_RECORD_BYTES:,} bytes, of which only the first are kept")
        if self._names is None:
            return play_of_line(raw.data, window, self._columns.mapping)
        values = _cells(raw.data, self._delimiter)
        if len(values) != len(self._names):
            raise InvalidLogError(f"the row has {len(values)} columns, the header {len(self._names)}")
        return play_of_row(self._names, values, window)

    def _read_header(self, header: bytes) -> None:
        self._delimiter = _delimiter(header) or max(DELIMITERS, key=header.decode(errors="replace").count)
        try:
            names = _cells(header, self._delimiter)
        except InvalidLogError as error:
            raise ConfigurationError(f"{self._place}:1: the header can't be read: {error}") from None
        self._names = self._columns.resolve([name.strip() for name in names], self._place)


def _plain_rows(lines: Sequence[bytes], delimiter: str, columns: int) -> list[list[str]] | None:
    """Return rows of CSV that are nothing but values and delimiters; None if one of them is more than that."""
    text = b"\n".join(lines).replace(b"\r\n", b"\n").removesuffix(b"\r")
    if b'"' in text or b"\r" in text or not text.isascii():
        return None
    rows = [line.split(delimiter) for line in text.decode().split("\n")]
    return rows if set(map(len, rows)) == {columns} else None


def _cells(data: bytes, delimiter: str) -> list[str]:
    """Return the values of one row of CSV.

    Raises:
        InvalidLogError: It can't be read.
    """
    try:
        rows = list(csv.reader(io.StringIO(data.decode(), newline=""), delimiter=delimiter, strict=True))
    except UnicodeDecodeError:
        raise InvalidLogError("not valid UTF-8") from None
    except csv.Error as error:
        raise InvalidLogError(f"not valid CSV: {error}") from None
    if len(rows) != 1:
        raise InvalidLogError("not a row of CSV: a quote is not closed, or a carriage return has no line feed")
    return rows[0]
