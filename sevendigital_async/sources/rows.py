"""Plays from rows: mappings whose keys are columns of CSV or Parquet, or fields of JSON with other names."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any, NamedTuple

import orjson

from ..errors import ConfigurationError, InvalidLogError
from ..models import LogKind, StreamLog
from ..models.encoded_log import EncodedLog, encoded_log
from ..models.readers import parse_datetime
from ..models.stream_log import FIELDS, Window
from ..models.wire import duplicate_key_in_flat

KIND = "kind"
JOURNAL_PLAY_COLUMNS = {"datetimeplayed": "timestamp", "totaltimeplayed": "durationPlayed"}
"""Columns that ``journal export`` names differently."""

JOURNAL_DELIVERY_COLUMNS = frozenset({"requestid", "deliveredat", "answer", "indoubt", "outcome"})
"""Columns of ``journal export`` that are not about the play itself."""

MAX_UNKNOWN = 10
"""Columns that a message names."""

MAX_SHOWN = 60
"""Characters of a value that a message shows."""

ID_FIELDS = frozenset({"track_id", "user_id", "client_id", "release_id", "format_id"})


class Play(NamedTuple):
    """A play, and its kind where the record says so."""

    log: StreamLog | EncodedLog
    kind: LogKind | None


def _normalised(name: str) -> str:
    return re.sub(r"[^a-z0-9]", "", name.casefold())


_WIRE_NAME_BY_COLUMN = {
    **{_normalised(wire): wire for wire in FIELDS},
    **JOURNAL_PLAY_COLUMNS,
    KIND: KIND,
}


def wire_name(column: str) -> str | None:
    """Return the wire name of a column, in any of its spellings; None if there is none."""
    return _WIRE_NAME_BY_COLUMN.get(_normalised(column))


class Columns:
    """Maps columns to the fields of a play.

    Args:
        mapping: Wire name (or ``kind``) to column; None for the columns' own names.

    Raises:
        ConfigurationError: A play has no such field.
    """

    def __init__(self, mapping: Mapping[str, str] | None = None) -> None:
        self.mapping: dict[str, str] = {}
        for name, column in (mapping or {}).items():
            wire = wire_name(name)
            if wire is None:
                raise ConfigurationError(f"a play has no field {name!r}; it has {', '.join((*FIELDS, KIND))}")
            if wire in self.mapping:
                raise ConfigurationError(
                    f"the field {wire} is mapped to two columns: {self.mapping[wire]} and {column}"
                )
            if (other := next((known for known, used in self.mapping.items() if used == column), None)) is not None:
                raise ConfigurationError(f"the column {column} is mapped to two fields: {other} and {wire}")
            self.mapping[wire] = column

    def resolve(self, columns: Sequence[str], place: str) -> list[str | None]:
        """Return the wire name of each column; None for a column that is not used.

        Args:
            columns: In the order of the file.
            place: Names the file in errors.

        Raises:
            ConfigurationError: A column is missing, unknown or duplicate.
        """
        if self.mapping:
            by_column = {column: wire for wire, column in self.mapping.items()}
            # Fields that are not mapped keep the columns of their own names.
            names = [by_column.get(column) or self._unmapped(column) for column in columns]
            missing = [column for column in self.mapping.values() if column not in columns]
        else:
            names = [wire_name(column) for column in columns]
            missing = []
            unknown = [
                column
                for column, name in zip(columns, names, strict=True)
                if name is None and _normalised(column) not in JOURNAL_DELIVERY_COLUMNS
            ]
            if unknown:
                shown = ", ".join(map(repr, unknown[:MAX_UNKNOWN]))
                more = f" and {len(unknown) - MAX_UNKNOWN:,} more" if len(unknown) > MAX_UNKNOWN else ""
                raise ConfigurationError(
                    f"{place}: a play has no field for the columns {shown}{more};"
                    " name the columns to read with --map, such as --map trackId=track,timestamp=played_at"
                )
        known = [name for name in names if name is not None]
        if missing:
            raise ConfigurationError(f"{place}: no column {', '.join(map(repr, missing))}")
        for name in ("trackId", "timestamp"):
            if name not in known:
                raise ConfigurationError(f"{place}: no column for {name}; name it with --map {name}=COLUMN")
        twice = {name for name in known if known.count(name) > 1}
        if twice:
            raise ConfigurationError(f"{place}: several columns for {min(twice)}")
        return names

    def _unmapped(self, column: str) -> str | None:
        name = wire_name(column)
        return None if name in self.mapping else name


def play_from_row(names: Sequence[str | None], values: Iterable[object], window: Window) -> Play:
    """Return the play in a row, checked.

    Args:
        names: Wire name of each value, from :meth:`Columns.resolve`.
        values: Text, as in CSV, where empty means none, or typed values.
        window: The times that are accepted.

    Raises:
        InvalidLogError: It is not a valid play; names the field.
    """
    given = {
        name: value for name, value in zip(names, values, strict=True) if name and value is not None and value != ""
    }
    kind = parse_kind(given.pop(KIND, None))
    for name in ("trackId", "timestamp"):
        if name not in given:
            raise InvalidLogError(f"{name} is missing", field=FIELDS[name])
    fields: dict[str, Any] = {FIELDS[name]: value for name, value in given.items()}
    for name in ID_FIELDS & fields.keys():
        if type(fields[name]) is int:
            fields[name] = str(fields[name])
        elif not isinstance(fields[name], str):
            shown = repr(fields[name])[:MAX_SHOWN]
            raise InvalidLogError(f"{name} must be text or a whole number, not {shown}", field=name)
    fields["timestamp"] = _timestamp(fields["timestamp"])
    if (duration := fields.get("duration_played")) is not None:
        fields["duration_played"] = _whole_number(duration)
    log = StreamLog(**fields)
    log.check(window.now)
    return Play(log, kind)


def play_from_line(data: bytes, window: Window, mapping: Mapping[str, str] | None = None) -> Play:
    """Return the play in one JSON object, checked.

    Args:
        data: The object in its wire form, which may have a ``kind``, or with the field names of ``mapping``.
        window: The times that are accepted.
        mapping: Wire name to field name.

    Raises:
        InvalidLogError: It is not a valid play; names the field.
    """
    if not mapping and (encoded := encoded_log(data, window)) is not None:
        return Play(encoded, None)
    kind = None
    if mapping or b'"kind"' in data:
        data, kind = _with_wire_names(data, mapping or {})
    log = StreamLog.decode(data)
    log.check(window.now)
    return Play(log, kind)


def _with_wire_names(data: bytes, mapping: Mapping[str, str]) -> tuple[bytes, LogKind | None]:
    """Return an object with the wire's names, and its kind."""
    try:
        given = orjson.loads(data)
    except orjson.JSONDecodeError:
        return data, None  # the decoder reports the problem
    if not isinstance(given, dict):
        return data, None
    if (twice := duplicate_key_in_flat(data, given)) is not None:
        raise InvalidLogError(f"the key {twice!r} occurs twice", field=FIELDS.get(twice))
    by_field = {field: wire for wire, field in mapping.items()}
    # With a mapping, fields that are neither mapped nor a play's own are not read.
    renamed = {
        by_field.get(name, name): value
        for name, value in given.items()
        if not mapping or name in by_field or name in FIELDS or name == KIND
    }
    kind = parse_kind(renamed.pop(KIND, None))
    return orjson.dumps(renamed), kind


def parse_kind(value: object) -> LogKind | None:
    """Return the kind that a record gives.

    Raises:
        InvalidLogError: There is no such kind.
    """
    if value is None:
        return None
    try:
        return LogKind(str(value).strip().lower())
    except ValueError:
        raise InvalidLogError(f"kind must be one of {', '.join(LogKind)}, not {value!r}", field=KIND) from None


def _timestamp(value: object) -> datetime:
    if isinstance(value, datetime):
        return value.astimezone(UTC) if value.utcoffset() is not None else value
    try:
        if isinstance(value, str):
            return parse_datetime(value.strip())
    except ValueError:
        pass
    raise InvalidLogError("timestamp is not an ISO 8601 date and time", field="timestamp")


_WHOLE = re.compile(r"([0-9]{1,19})(?:\.0*)?")
"""Whole seconds; programs write them as ``30.0`` where a column has empty values."""


def _whole_number(value: object) -> object:
    """Return seconds as an int if they are whole; anything else unchanged, to be refused."""
    if isinstance(value, str):
        found = _WHOLE.fullmatch(value.strip())
        return int(found[1]) if found else value
    is_whole = isinstance(value, float | Decimal) and math.isfinite(value) and value == int(value)
    return int(value) if is_whole else value  # type: ignore[call-overload]
