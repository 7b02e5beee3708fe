"""Writes a journal as CSV, a few thousand rows at a time."""

from __future__ import annotations

import asyncio
import csv
import enum
import io
import re
from collections.abc import AsyncIterator, Sequence
from datetime import UTC, datetime
from decimal import Decimal

import orjson
from attrs import fields, frozen

from ...clock import to_microseconds
from ...errors import SpoolCorruptionError
from ...models import LogKind, StreamLog
from ...models.readers import parse_datetime
from ...models.stream_log import wire_time
from ...models.wire import camel_case
from ...shipping.spools.inspector import JournalEntry, JournalOutcome, SpoolInspector
from ..atomic_file import AtomicFile

TIME_HEADER = "DATETIMEPLAYED"
SECONDS_HEADER = "TOTALTIMEPLAYED"

RENAMED_HEADERS = {"timestamp": TIME_HEADER, "duration_played": SECONDS_HEADER}
"""Headers that differ from the field's name without its underscores."""

FIRST_FIELDS = (
    *("user_id", "country", "track_id", "release_id", "format_id", "client_id", "user_agent"),
    *("timestamp", "duration_played", "play_mode", "end_reason", "play_type"),
)
"""The first fields, in their order; fields that are not listed follow."""

KEY_HEADERS = frozenset({"KIND", "USERID", "TRACKID", "CLIENTID", "DATETIMEPLAYED"})
"""Columns that identify a play."""

REQUEST_HEADERS = ("REQUESTID", "DELIVEREDAT", "ANSWER", "INDOUBT", "OUTCOME")
"""Columns about the delivery of a play."""

MAX_DIGITS = 40
_NUMBER = re.compile(r"[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]{1,3})?").fullmatch


DAMAGED_JOURNAL = "the journal is damaged: the body of a play is not valid JSON"


@frozen
class Column:
    """A field of a play: its header in the file, and its name on the wire, which is empty for the kind."""

    header: str
    wire_name: str

    @property
    def names(self) -> frozenset[str]:
        """Its names in other lists, after :func:`normalised_header`."""
        return frozenset({normalised_header(self.header), normalised_header(self.wire_name)} - {""})

    def comparable(self, text: str) -> str:
        """Return a value as text that is equal for equal values: times as instants, seconds as numbers."""
        text = text.strip()
        if self.header == TIME_HEADER:
            instant = parse_time(text)
            return text if instant is None else str(to_microseconds(instant))
        if self.header == SECONDS_HEADER and len(text) <= MAX_DIGITS and _NUMBER(text):
            return str(Decimal(text).normalize() + 0)  # minus zero is zero
        if self.header in {"COUNTRY", "KIND"}:
            return text.upper()
        return text


def _play_columns() -> list[Column]:
    names = [name.name for name in fields(StreamLog)]
    ordered = [name for name in FIRST_FIELDS if name in names] + [name for name in names if name not in FIRST_FIELDS]
    return [Column(RENAMED_HEADERS.get(name, name.replace("_", "").upper()), camel_case(name)) for name in ordered]


def normalised_header(name: str) -> str:
    """Return a header in lower case without punctuation."""
    return re.sub(r"[^a-z0-9]", "", name.casefold())


PLAY_COLUMNS: Sequence[Column] = (Column("KIND", ""), *_play_columns())
"""The kind and the fields of a play."""

HEADERS: Sequence[str] = (*(column.header for column in PLAY_COLUMNS), *REQUEST_HEADERS)


def play_values(entry: JournalEntry) -> list[str]:
    """Return the values of ``PLAY_COLUMNS``, as they were put.

    Raises:
        orjson.JSONDecodeError: The entry is damaged.
    """
    wire = orjson.loads(entry.body)
    return [entry.kind.value, *(_text(wire.get(column.wire_name)) for column in PLAY_COLUMNS[1:])]


def row_values(entry: JournalEntry) -> list[str]:
    """Return the values of ``HEADERS``.

    Raises:
        orjson.JSONDecodeError: The entry is damaged.
    """
    in_doubt = "true" if entry.in_doubt else "false"
    return [*play_values(entry), entry.request_id, wire_time(entry.at), entry.answer, in_doubt, entry.outcome.value]


def _text(value: object) -> str:
    return "" if value is None else str(value)


def parse_time(text: str) -> datetime | None:
    """Read a time, in UTC if it has no offset; None if it cannot be read."""
    try:
        instant = parse_datetime(text.strip())
    except ValueError:
        return None
    return instant if instant.tzinfo else instant.replace(tzinfo=UTC)


ROWS_PER_BATCH = 2_000
"""Rows written at once."""


@frozen
class JournalFilter:
    """Selects entries of a journal."""

    kind: LogKind | None = None
    since: datetime | None = None
    until: datetime | None = None

    def read(self, inspector: SpoolInspector) -> AsyncIterator[JournalEntry]:
        return inspector.journal(kind=self.kind, since=self.since, until=self.until)


class OutcomeFilter(enum.StrEnum):
    """Selects entries of a journal by their outcome."""

    DELIVERED = JournalOutcome.DELIVERED.value
    IN_DOUBT = JournalOutcome.IN_DOUBT.value
    DISCARDED = JournalOutcome.DISCARDED.value
    ALL = "all"

    def matches(self, entry: JournalEntry) -> bool:
        return self is OutcomeFilter.ALL or entry.outcome.value == self.value


async def batches(entries: AsyncIterator[JournalEntry], outcome: OutcomeFilter) -> AsyncIterator[list[JournalEntry]]:
    """Gather the entries with an outcome into lists; none is empty."""
    batch: list[JournalEntry] = []
    async for entry in entries:
        if outcome.matches(entry):
            batch.append(entry)
            if len(batch) == ROWS_PER_BATCH:
                yield batch
                batch = []
    if batch:
        yield batch


async def export(entries: AsyncIterator[JournalEntry], outcome: OutcomeFilter, out: AtomicFile) -> int:
    """Write entries and return how many.

    Raises:
        ConfigurationError: The file cannot be written.
        SpoolError: The journal cannot be read.
    """
    number = 0
    if not out.write(_lines([HEADERS])):
        return number
    async for batch in batches(entries, outcome):
        if not await asyncio.to_thread(_write, batch, out):
            break
        number += len(batch)
    return number


def _write(batch: Sequence[JournalEntry], out: AtomicFile) -> bool:
    try:
        rows = [row_values(entry) for entry in batch]
    except orjson.JSONDecodeError:
        raise SpoolCorruptionError(DAMAGED_JOURNAL) from None
    return out.write(_lines(rows))


def _lines(rows: Sequence[Sequence[str]]) -> bytes:
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows(rows)
    return text.getvalue().encode()
