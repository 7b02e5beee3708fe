"""Formats of files: recognised by content, and read into plays a portion at a time."""

from __future__ import annotations

import csv
import enum
import io
from collections.abc import Callable, Collection, Mapping, Sequence
from datetime import UTC, datetime

from ..errors import ConfigurationError, InvalidLogError
from ..models.stream_log import Window
from .base import BadRecord
from .bulk import Plays, plays_from_columns, plays_from_lines
from .compression import compression_of
from .parsed_records import ParsedRecords
from .rows import KIND, Columns, Play, play_from_line, play_from_row, wire_name
from .splitting import BYTE_ORDER_MARK, MAX_RECORD_BYTES, RawRecord, RecordSplitter, without_byte_order_mark

DELIMITERS = (",", ";", "\t", "|")
PLAYS_PER_REQUEST = 500
"""Plays of a request. A portion with more plays than that has a multiple of them, so that a spool can keep them so."""

SAMPLE_BYTES = 64 * 1024
"""Bytes at the beginning of a file by which its format is recognised."""


class Format(enum.StrEnum):
    """How plays are written in a file."""

    JSON_LINES = "json-lines"
    CSV = "csv"
    PARQUET = "parquet"


def _nul_pattern(head: bytes) -> str:
    """Return where NUL bytes are among the first four bytes, which shows the encoding of text."""
    return "".join(".0"[byte == 0] for byte in head[:4])


FOREIGN_FORMATS: tuple[tuple[Callable[[bytes], bool], str], ...] = (
    (
        lambda head: head.startswith((b"\xff\xfe\0\0", b"\0\0\xfe\xff")) or _nul_pattern(head) in {".000", "000."},
        "looks like UTF-32 text; convert it first: iconv -f UTF-32 -t UTF-8",
    ),
    (
        lambda head: head.startswith((b"\xff\xfe", b"\xfe\xff")) or _nul_pattern(head) in {".0", "0.", ".0.0", "0.0."},
        "looks like UTF-16 text; convert it first: iconv -f UTF-16 -t UTF-8",
    ),
    (
        lambda head: compression_of(head) is not None,
        "is compressed twice; decompress it once",
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


def format_of(head: bytes, place: str, columns: Collection[str] = ()) -> Format:
    """Recognise the format of a file.

    Args:
        head: Its first bytes, decompressed.
        place: Names it in errors.
        columns: Columns that are mapped to fields of a play, by which a header of CSV is recognised, too.

    Raises:
        ConfigurationError: It has another format; the message names it and says what to do.
    """
    if head.startswith(b"PAR1"):
        return Format.PARQUET
    start = head.removeprefix(BYTE_ORDER_MARK).lstrip(b" \t\r\n")
    for matches, message in FOREIGN_FORMATS:
        if matches(start):
            raise ConfigurationError(f"{place} {message}")
    if _delimiter(head, columns):
        return Format.CSV
    lines = [without_byte_order_mark(line).lstrip() for line in start.split(b"\n")[:-1] if line.strip()]
    # The first lines of JSON lines may be damaged, but hardly all of them.
    if len(lines) > 1 and not any(line.startswith(b"{") for line in lines):
        raise ConfigurationError(
            f"{place} looks neither like JSON lines, of which each begins with {{, nor like CSV, whose first line names"
            " the columns (trackId, timestamp and others; --map trackId=track,timestamp=played_at reads other names)"
        )
    return Format.JSON_LINES


def check_format(expected: Format, head: bytes, place: str, columns: Collection[str] = ()) -> None:
    """Refuse a file that is not in the requested format.

    Raises:
        ConfigurationError: The message says what it looks like and which option reads it.
    """
    found = format_of(head, place, columns)
    start = head.removeprefix(BYTE_ORDER_MARK).lstrip()
    is_json = start.startswith(b"{")
    if Format.PARQUET in (expected, found) and expected is not found:
        looks = "Parquet" if found is Format.PARQUET else "text"
        raise ConfigurationError(f"{place} looks like {looks}, not {expected}; pass --format {found}")
    if expected is Format.CSV and is_json:
        raise ConfigurationError(f"{place} looks like JSON lines, not CSV; pass --format json-lines")
    if expected is Format.JSON_LINES and found is Format.CSV:
        raise ConfigurationError(f"{place} looks like CSV, not JSON lines; pass --format csv")


def _delimiter(head: bytes, columns: Collection[str] = ()) -> str | None:
    """Return the delimiter of a header; None if the first line is not one: it has no column that a play can have."""
    line = head.removeprefix(BYTE_ORDER_MARK).split(b"\n", 1)[0].decode(errors="replace").strip()
    if line.startswith("{"):
        return None
    found = [delimiter for delimiter in DELIMITERS if delimiter in line]
    if not found:
        return None
    delimiter = max(found, key=line.count)
    names = [name.strip().strip('"') for name in line.split(delimiter)]
    return delimiter if any(wire_name(name) or name in columns for name in names) else None


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
        self._splitter = RecordSplitter(line, offset, is_row=self._is_row if is_csv else None)
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
            play = self._play(raws[0].data, Window.at(datetime.now(UTC))) if raws else None
        except InvalidLogError:
            return None
        return play and play.kind is not None

    def feed(self, chunk: bytes) -> ParsedRecords:
        """Return the records that end in the next chunk, or only the first of them; see ``size``.

        What it has not taken must begin the next chunk.
        """
        lines = [] if self._is_csv and self._names is None else self._splitter.preview(chunk)
        if not lines:
            parsed = self._parsed(list(self._splitter.feed(chunk)))
            parsed.size = len(chunk)
            return parsed
        if len(lines) > PLAYS_PER_REQUEST:
            lines = lines[: len(lines) // PLAYS_PER_REQUEST * PLAYS_PER_REQUEST]
        first, size = self._line, self._splitter.take(lines)
        self._line, self._offset = first + len(lines), self._splitter.offset
        parsed = ParsedRecords(self._line, self._offset, size=size)
        skipped = max(0, self._first_line - first)
        self._read(range(first + skipped, self._line), lines[skipped:], parsed)
        return parsed

    def _read(self, numbers: Sequence[int], records: Sequence[bytes], parsed: ParsedRecords) -> None:
        window = Window.at(datetime.now(UTC))
        parsed.add_records(
            self._place,
            numbers,
            records,
            parse_block=lambda block: self._plays(block, window),
            parse_record=lambda record: self._play(record, window),
            raw_bytes=lambda record: without_byte_order_mark(record)[:MAX_RECORD_BYTES],
        )

    def _plays(self, records: Sequence[bytes], window: Window) -> Plays | None:
        """Return the plays of several records; None if they must be read one by one."""
        if max(map(len, records)) > MAX_RECORD_BYTES:
            return None
        if self._names is None:
            return plays_from_lines(records, window, self._columns.mapping)
        rows = _rows(records, self._delimiter)
        if rows is None or set(map(len, rows)) != {len(self._names)}:
            return None
        columns = zip(self._names, zip(*rows, strict=True), strict=True)
        return plays_from_columns({name: column for name, column in columns if name}, window)

    def close(self, *, is_final: bool = True) -> tuple[ParsedRecords, BadRecord | None]:
        """Return the last record, if it lacks its line feed.

        Args:
            is_final: Nothing more can be written to it. Otherwise a record that is not a play is left unread, because
                it may be half written.

        Returns:
            What was read, and the record that was left unread.
        """
        raws = list(self._splitter.close())
        before = self._line, self._offset
        parsed = self._parsed(raws)
        if is_final or not parsed.bad:
            return parsed, None
        self._line, self._offset = before
        if not parsed.logs:  # perhaps one record, half written
            return ParsedRecords(*before), parsed.bad[0]
        # Plays follow the quote that is not closed, so that only the last line may be half written.
        *complete, last = raws
        if parsed.bad[-1].place == f"{self._place}:{last.number}":
            return self._parsed(complete), parsed.bad[-1]
        return self._parsed(raws), None

    def _parsed(self, raws: Sequence[RawRecord]) -> ParsedRecords:
        parsed = ParsedRecords(self._line, self._offset)
        if raws and self._is_csv and self._names is None:
            self._read_header(raws[0].data)
            raws, (header, *_) = raws[1:], raws
            parsed.line, parsed.offset = header.number + header.lines, header.end
        if raws:
            parsed.line, parsed.offset = raws[-1].number + raws[-1].lines, raws[-1].end
        raws = [raw for raw in raws if raw.number >= self._first_line]
        self._read([raw.number for raw in raws], [raw.data for raw in raws], parsed)
        self._line, self._offset = parsed.line, parsed.offset
        return parsed

    def _play(self, record: bytes, window: Window) -> Play | None:
        """Return the play of one record; None if it is blank."""
        if len(record) > MAX_RECORD_BYTES:
            raise InvalidLogError(f"longer than {MAX_RECORD_BYTES:,} bytes, of which only the first are kept")
        record = without_byte_order_mark(record)
        if not record.strip():
            return None
        if self._names is None:
            return play_from_line(record, window, self._columns.mapping)
        values = _cells(record, self._delimiter)
        if len(values) != len(self._names):
            raise InvalidLogError(f"the row has {len(values)} columns, the header {len(self._names)}")
        return play_from_row(self._names, values, window)

    def _is_row(self, data: bytes) -> bool:
        """Return whether a record of several lines is one row."""
        try:
            cells = _cells(data, self._delimiter)
        except InvalidLogError:
            return False
        return self._names is None or len(cells) == len(self._names)

    def _read_header(self, header: bytes) -> None:
        self._delimiter = _delimiter(header, self._columns.mapping.values()) or max(
            DELIMITERS, key=header.decode(errors="replace").count
        )
        try:
            names = _cells(header, self._delimiter)
        except InvalidLogError as error:
            raise ConfigurationError(f"{self._place}:1: the header can't be read: {error}") from None
        self._names = self._columns.resolve([name.strip() for name in names], self._place)


def _rows(records: Sequence[bytes], delimiter: str) -> list[list[str]] | None:
    """Return the values of several rows of CSV; None if they can't be read."""
    try:
        rows = list(csv.reader([record.decode() for record in records], delimiter=delimiter, strict=True))
    except (UnicodeDecodeError, csv.Error):
        return None
    # A quote that is not closed joins two rows.
    return rows if len(rows) == len(records) else None


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
        reason = "a quote is not closed" if "unexpected end" in str(error) else error
        raise InvalidLogError(f"not valid CSV: {reason}") from None
    if len(rows) != 1:
        raise InvalidLogError("not a row of CSV: a quote is not closed, or a carriage return has no line feed")
    return rows[0]
