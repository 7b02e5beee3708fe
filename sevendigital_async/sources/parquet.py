"""Plays in Parquet files, read a row group at a time."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from typing import Any

import orjson

from ..errors import ConfigurationError
from ..models.stream_log import Window
from .base import BadRecord
from .bulk import Plays, plays_from_columns
from .file_reader import Descriptor
from .parsed_records import ParsedRecords
from .positions import Position, ReadOptions
from .rows import KIND, Columns, play_from_row

PARQUET_MAGIC = b"PAR1"
ROWS_PER_READ = 500
"""Rows read at once."""


class ParquetReader:
    """One Parquet file that is being read; has the methods of ``FileReader``. A position counts rows.

    Args:
        raw: The open file; closed by :meth:`close`.
        name: For messages.
        options: How it is read.
        is_regular: Whether it is read again by the next run.

    Raises:
        ConfigurationError: It can't be read, its columns are not those of plays, or pyarrow is not installed.
    """

    unread_record: BadRecord | None = None

    def __init__(self, raw: Descriptor, name: str, options: ReadOptions, *, is_regular: bool = True) -> None:
        try:
            import pyarrow as pa  # noqa: PLC0415 - an extra
            import pyarrow.parquet as pq  # noqa: PLC0415
        except ImportError:
            raise ConfigurationError(
                "Parquet files need the extra parquet: pip install 'sevendigital-async[parquet]'"
            ) from None
        if not raw.seekable():
            raise ConfigurationError(f"{name}: Parquet is read from regular files, not from pipes")
        self._name, self._raw, self._options = name, raw, options
        self.is_regular = is_regular
        self._damage: type[Exception] = pa.ArrowException
        try:
            raw.seek(0)
            self._file = pq.ParquetFile(pa.PythonFile(raw, mode="r"))
        except (pa.ArrowException, OSError) as error:
            raise ConfigurationError(f"{name} is not a whole Parquet file: {_first_line(error)}") from None
        self._names = Columns(options.columns).resolve(self._file.schema_arrow.names, name)
        self._read_columns = [
            column for column, name in zip(self._file.schema_arrow.names, self._names, strict=True) if name
        ]
        self._used_names = [name for name in self._names if name]
        self._row = 0
        self._rows: int = self._file.metadata.num_rows
        self._size = raw.status.st_size
        self._file_fingerprint = self._fingerprint()
        self._batches: Iterator[Any] | None = None

    @property
    def position(self) -> Position:
        """How far it was read."""
        kind = self._options.kind
        return Position(self._row + 1, self._row, self._file_fingerprint, kind and kind.value)

    @property
    def line(self) -> int:
        """Number of the next row."""
        return self._row + 1

    @property
    def total(self) -> int:
        """Bytes of the file."""
        return self._size

    @property
    def progress(self) -> int:
        """Bytes of the file that were read, estimated from the rows."""
        return self._size * self._row // max(1, self._rows)

    @property
    def is_cheap_to_resume(self) -> bool:
        """Whether a position is found without reading what is before it."""
        return True

    @property
    def has_kind(self) -> bool:
        """Whether its rows have a kind."""
        return KIND in self._used_names

    def resume(self, position: Position) -> None:
        """Move to a row, before anything is read.

        Raises:
            ConfigurationError: It is another file, or was shipped as plays of another kind.
        """
        position.check_kind(self._options.kind, self._name)
        if position.fingerprint != self._file_fingerprint:
            raise ConfigurationError(
                f"{self._name} was shipped up to row {position.offset}, and has been replaced since;"
                " if it is a new file, pass --from-line 1"
            )
        self._row = position.offset

    def read(self) -> ParsedRecords | None:
        """Return the next rows; None at the end.

        Raises:
            ConfigurationError: It is damaged.
        """
        try:
            if self._batches is None:
                self._batches = self._remaining_batches()
            batch = next(self._batches, None)
        except (self._damage, OSError) as error:
            raise ConfigurationError(f"{self._name} is damaged: {_first_line(error)}") from None
        return None if batch is None else self._parsed(batch)

    def finish(self) -> ParsedRecords:
        """Return nothing: every row has an end."""
        return ParsedRecords(self._row + 1, self._row)

    def close(self) -> None:
        """Close the file."""
        self._raw.close()

    def _remaining_batches(self) -> Iterator[Any]:
        """Yield the batches behind the current row, without reading row groups before it."""
        skipped, groups = 0, list[int]()
        for group in range(self._file.num_row_groups):
            rows = self._file.metadata.row_group(group).num_rows
            if groups or skipped + rows > self._row:
                groups.append(group)
            else:
                skipped += rows
        first = self._row - skipped
        for batch in self._file.iter_batches(batch_size=ROWS_PER_READ, row_groups=groups, columns=self._read_columns):
            if first >= batch.num_rows:
                first -= batch.num_rows
                continue
            yield batch.slice(first)
            first = 0

    def _parsed(self, batch: Any) -> ParsedRecords:
        window = Window.at(datetime.now(UTC))
        columns = [batch.column(column).to_pylist() for column in self._read_columns]
        rows = list(zip(*columns, strict=True))
        first, self._row = self._row + 1, self._row + len(rows)
        skipped = max(0, (self._options.first_line or 1) - first)
        parsed = ParsedRecords(self._row + 1, self._row, size=batch.nbytes)
        parsed.add_records(
            self._name,
            range(first + skipped, self._row + 1),
            rows[skipped:],
            parse_block=lambda block: self._plays(block, window),
            parse_record=lambda row: play_from_row(self._used_names, row, window),
            raw_bytes=lambda row: orjson.dumps(dict(zip(self._read_columns, row, strict=True)), default=str),
        )
        return parsed

    def _plays(self, rows: Sequence[tuple[object, ...]], window: Window) -> Plays | None:
        return plays_from_columns(dict(zip(self._used_names, zip(*rows, strict=True), strict=True)), window)

    def _fingerprint(self) -> str:
        metadata = self._file.metadata
        groups = [
            (metadata.row_group(group).num_rows, metadata.row_group(group).total_byte_size)
            for group in range(metadata.num_row_groups)
        ]
        facts = repr((metadata.num_rows, metadata.serialized_size, groups, self._file.schema_arrow.names))
        return hashlib.blake2b(facts.encode(), digest_size=16).hexdigest()


def _first_line(error: Exception) -> str:
    return str(error).partition("\n")[0]
