"""A journal as CSV, a portion at a time."""

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

from ...errors import SpoolCorruptionError
from ...models import StreamLog
from ...models.scalars import microseconds, parse_datetime
from ...models.stream_log import wire_time
from ...shipping.spools.inspector import JournalEntry, JournalOutcome
from ..atomic_file import AtomicFile

TIME = "DATETIMEPLAYED"
SECONDS = "TOTALTIMEPLAYED"

RENAMED = {"timestamp": TIME, "duration_played": SECONDS}
"""What the templates call differently; anything else is the field's name without its underscores."""

FIRST = (
    *("user_id", "country", "track_id", "release_id", "format_id", "client_id", "user_agent"),
    *("timestamp", "duration_played", "play_mode", "end_reason", "play_type"),
)
"""The order of the fields that a play may have; those that are not listed follow."""

KEY = frozenset({"KIND", "USERID", "TRACKID", "CLIENTID", "DATETIMEPLAYED"})
"""What makes a play this play; the rest says more about it."""

REQUEST = ("REQUESTID", "DELIVEREDAT", "ANSWER", "INDOUBT", "OUTCOME")
"""What we know beyond the play."""

LONGEST_NUMBER = 40
_NUMBER = re.compile(r"[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]{1,3})?").fullmatch


@frozen
class Column:
    """One fact about a play.

    Attributes:
        header: Its name in the file.
        wire: Its name in a play's wire form; empty for the kind.
    """

    header: str
    wire: str

    @property
    def names(self) -> frozenset[str]:
        """What it may be called elsewhere, once ``plain``."""
        return frozenset({plain(self.header), plain(self.wire)} - {""})

    def comparable(self, text: str) -> str:
        """Write a value so that equal values are equal texts: times as instants, seconds as numbers."""
        text = text.strip()
        if self.header == TIME:
            instant = instant_of(text)
            return text if instant is None else str(microseconds(instant))
        if self.header == SECONDS and len(text) <= LONGEST_NUMBER and _NUMBER(text):
            return str(Decimal(text).normalize() + 0)  # minus zero is zero
        if self.header in {"COUNTRY", "KIND"}:
            return text.upper()
        return text


def _play_columns() -> list[Column]:
    names = [name.name for name in fields(StreamLog)]
    ordered = [name for name in FIRST if name in names] + [name for name in names if name not in FIRST]
    return [Column(RENAMED.get(name, name.replace("_", "").upper()), _camel(name)) for name in ordered]


def _camel(name: str) -> str:
    first, *rest = name.split("_")
    return first + "".join(map(str.capitalize, rest))


def plain(name: str) -> str:
    """Reduce a header to what its spellings have in common."""
    return re.sub(r"[^a-z0-9]", "", name.casefold())


PLAY: Sequence[Column] = (Column("KIND", ""), *_play_columns())
"""What is known of a play itself."""

HEADERS: Sequence[str] = (*(column.header for column in PLAY), *REQUEST)


def play_of(entry: JournalEntry) -> list[str]:
    """Return the values of ``PLAY``, as they were put.

    Raises:
        orjson.JSONDecodeError: The entry is not as it was written.
    """
    wire = orjson.loads(entry.body)
    return [entry.kind.value, *(_text(wire.get(column.wire)) for column in PLAY[1:])]


def row_of(entry: JournalEntry) -> list[str]:
    """Return the values of ``HEADERS``.

    Raises:
        orjson.JSONDecodeError: The entry is not as it was written.
    """
    in_doubt = "true" if entry.in_doubt else "false"
    return [*play_of(entry), entry.request_id, wire_time(entry.at), entry.answer, in_doubt, entry.outcome.value]


def _text(value: object) -> str:
    return "" if value is None else str(value)


def instant_of(text: str) -> datetime | None:
    """Read the time of a play, in UTC where it doesn't say; None if it can't be read."""
    try:
        moment = parse_datetime(text.strip())
    except ValueError:
        return None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


PORTION = 2_000
"""Rows written at once."""


class Outcome(enum.StrEnum):
    """Which entries."""

    DELIVERED = JournalOutcome.DELIVERED.value
    IN_DOUBT = JournalOutcome.IN_DOUBT.value
    DROPPED = JournalOutcome.DISCARDED.value
    ALL = "all"

    def takes(self, entry: JournalEntry) -> bool:
        """Tell whether an entry is among them."""
        return self is Outcome.ALL or entry.outcome.value == self.value


async def portions(entries: AsyncIterator[JournalEntry], outcome: Outcome) -> AsyncIterator[list[JournalEntry]]:
    """Gather the entries with an outcome into lists, none of them empty."""
    portion: list[JournalEntry] = []
    async for entry in entries:
        if outcome.takes(entry):
            portion.append(entry)
            if len(portion) == PORTION:
                yield portion
                portion = []
    if portion:
        yield portion


async def export(entries: AsyncIterator[JournalEntry], outcome: Outcome, out: AtomicFile) -> int:
    """Write entries; returns how many.

    Raises:
        ConfigurationError: They cannot be written.
        SpoolError: They cannot be read.
    """
    number = 0
    if not out.write(_lines([HEADERS])):
        return number
    async for portion in portions(entries, outcome):
        if not await asyncio.to_thread(_write, portion, out):
            break
        number += len(portion)
    return number


def _write(portion: Sequence[JournalEntry], out: AtomicFile) -> bool:
    try:
        rows = [row_of(entry) for entry in portion]
    except orjson.JSONDecodeError:
        raise SpoolCorruptionError("the journal is damaged: a play in it is not as it was written") from None
    return out.write(_lines(rows))


def _lines(rows: Sequence[Sequence[str]]) -> bytes:
    paper = io.StringIO()
    csv.writer(paper, lineterminator="\n").writerows(rows)
    return paper.getvalue().encode()
