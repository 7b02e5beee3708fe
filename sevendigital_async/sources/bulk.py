"""Plays of many records at once: JSON objects or rows that are parsed, checked and encoded by columns."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from itertools import chain
from types import NoneType
from typing import Any, NamedTuple, TypeGuard

import orjson

from ..errors import InvalidLogError
from ..models import LogKind
from ..models.encoded_log import EncodedLog, encoded_logs
from ..models.encoding import encode_columns
from ..models.stream_log import FIELDS, LIVE_FIELDS, Window
from .rows import KIND, parse_kind

Columns = Mapping[str, Sequence[object]]
"""Values of records by wire name, or by ``kind``; all of one length."""


COMMON_FIELDS = {KIND, *FIELDS} - {*LIVE_FIELDS.values()}
"""The columns of ordinary plays."""


class Plays(NamedTuple):
    """Plays, and their kinds where the records give them."""

    logs: Sequence[EncodedLog]
    kinds: Sequence[LogKind | None]


def plays_from_lines(lines: Sequence[bytes], window: Window, mapping: Mapping[str, str]) -> Plays | None:
    """Return the plays of JSON objects, one a line, checked; None if one is not an ordinary play.

    Args:
        lines: Without their line feeds.
        window: The times that are accepted.
        mapping: Wire name to field name, for those that differ.
    """
    # A search for the wire form in lines of another form takes longer than a look at the first of them.
    logs = encoded_logs(lines, window) if not mapping and encoded_logs(lines[:1], window) else None
    if logs is not None:
        return Plays(logs, [None] * len(logs))
    fields = parse_fields(lines)
    if fields is None:
        return None
    by_field = {field: wire for wire, field in mapping.items()}
    columns: dict[str, Sequence[object]] = {}
    for field, column in fields.items():
        if mapping and field not in by_field and field not in FIELDS and field != KIND:
            continue  # with a mapping, other fields are not read
        name = by_field.get(field, field)
        # An empty text means none in CSV, and is refused in JSON; so is a number that is written as a text.
        if name in columns or "" in column or (name == "durationPlayed" and str in set(map(type, column))):
            return None
        columns[name] = column
    return plays_from_columns(columns, window)


def parse_fields(lines: Sequence[bytes]) -> dict[str, list[object]] | None:
    """Parse JSON objects, one a line, and return the values of each field, None where an object lacks it.

    Returns:
        None if a line is not a JSON object whose values are scalars without escapes, or has a key twice.
    """
    # A text can't contain the line feed, so no value goes from one line to the next; and where every line begins an
    # object that holds no other one, as many objects as lines are one object in each line.
    text = b",\n".join(lines)
    if b"\\" in text or {line[:1] for line in lines} != {b"{"}:
        return None
    try:
        objects = orjson.loads(b"[%b]" % text)
    except orjson.JSONDecodeError:
        return None
    if len(objects) != len(lines) or set(map(type, objects)) != {dict}:
        return None
    fields = {name: [found.get(name) for found in objects] for name in dict.fromkeys(chain.from_iterable(objects))}
    types = [type(value) for column in fields.values() for value in column]
    if not {str, int, float, bool, NoneType} >= set(types):
        return None
    # A key that is given twice has more quotation marks than the parsed object.
    is_unique = text.count(b'"') == 2 * (sum(map(len, objects)) + types.count(str))
    return fields if is_unique else None


def plays_from_columns(columns: Columns, window: Window) -> Plays | None:
    """Return the plays in columns, checked; None if one of them is not an ordinary play.

    Args:
        columns: Values are text, where empty means none, or typed values.
        window: The times that are accepted.
    """
    if not COMMON_FIELDS >= columns.keys() >= {"trackId", "timestamp"}:
        return None
    none: Sequence[None] = [None] * len(columns["timestamp"])
    try:
        moments = _times(columns["timestamp"])
        tracks, users, clients, countries = (
            _texts(columns.get(name, none)) for name in ("trackId", "userId", "clientId", "country")
        )
        durations = _durations(columns.get("durationPlayed", none))
    except (ValueError, TypeError, OverflowError):
        return None
    bodies = encode_columns((tracks, users, clients, moments, durations, countries), window)
    if bodies is None:
        return None
    logs = list(map(EncodedLog, bodies, moments, users, countries))
    kinds = parse_kinds(columns[KIND]) if KIND in columns else [None] * len(logs)
    return None if kinds is None else Plays(logs, kinds)


def parse_kinds(column: Sequence[object]) -> list[LogKind | None] | None:
    """Return the kinds in a column; None if a value is not a kind."""
    if not {str, NoneType} >= set(map(type, column)):
        return None
    try:
        kinds = {value: parse_kind(value or None) for value in set(column)}
    except InvalidLogError:
        return None
    return [kinds[value] for value in column]


def _times(column: Sequence[object]) -> Sequence[datetime]:
    """Return times in UTC.

    Raises:
        ValueError: One is not a time with a time zone; ``TypeError`` and ``OverflowError`` as well.
    """
    moments = [datetime.fromisoformat(value) if isinstance(value, str) else value for value in column]
    if not _are_datetimes(moments):
        raise ValueError
    zones = {moment.tzinfo for moment in moments}
    if None in zones:
        raise ValueError
    return moments if zones == {UTC} else [moment.astimezone(UTC) for moment in moments]


def _are_datetimes(values: Sequence[object]) -> TypeGuard[Sequence[datetime]]:
    return set(map(type, values)) == {datetime}


def _texts(column: Sequence[Any]) -> Sequence[Any]:
    """Return texts, also for whole numbers; None for those that are empty.

    Raises:
        ValueError: A value is something else.
    """
    types = _checked_types(column)
    if int in types:
        column = [str(value) if type(value) is int else value for value in column]
    return [value or None for value in column] if "" in column else column


def _durations(column: Sequence[Any]) -> Sequence[int | None]:
    """Return whole numbers, also for texts; None for those that are empty.

    Raises:
        ValueError: A value is something else.
    """
    if str not in _checked_types(column):
        return column
    digits = "".join([value for value in column if type(value) is str])
    if digits and not (digits.isascii() and digits.isdigit()):
        raise ValueError
    return [None if value is None or value == "" else int(value) for value in column]


def _checked_types(column: Sequence[object]) -> set[type]:
    types = set(map(type, column))
    if not {str, int, NoneType} >= types:
        raise ValueError
    return types
