"""Plays of many records at once: JSON objects or rows that are parsed, checked and encoded by columns."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from itertools import chain
from types import NoneType
from typing import Any, NamedTuple

import orjson

from ..models import LogKind
from ..models.encoded_log import EncodedLog, encoded_logs
from ..models.encoding import encoded_columns
from ..models.stream_log import FIELDS, Window
from .rows import KIND, kind_of

Columns = Mapping[str, Sequence[object]]
"""Values of records by wire name, or by ``kind``; all of one length."""


class Plays(NamedTuple):
    """Plays, and their kinds where the records give them."""

    logs: Sequence[EncodedLog]
    kinds: Sequence[LogKind | None]


def plays_of_lines(lines: Sequence[bytes], window: Window, mapping: Mapping[str, str]) -> Plays | None:
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
    fields = fields_of(lines)
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
    return plays_of_columns(columns, window)


def fields_of(lines: Sequence[bytes]) -> dict[str, list[object]] | None:
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


def plays_of_columns(columns: Columns, window: Window) -> Plays | None:
    """Return the plays in columns, checked; None if one of them is not an ordinary play.

    Args:
        columns: Values are text, where empty means none, or typed values.
        window: The times that are accepted.
    """
    given = dict(columns)
    kind_column, moments = given.pop(KIND, None), _moments(given.pop("timestamp", ()))
    if moments is None or not READERS.keys() >= given.keys():
        return None
    if not all({str, int, NoneType} >= set(map(type, column)) for column in given.values()):
        return None
    none: Sequence[Any] = [None] * len(moments)
    try:
        tracks, users, clients, durations, countries = (
            read(given[name]) if name in given else none for name, read in READERS.items()
        )
        kinds = none if kind_column is None else _kinds(kind_column)
    except ValueError:
        return None
    bodies = encoded_columns((tracks, users, clients, moments, durations, countries), window)
    return None if bodies is None else Plays(list(map(EncodedLog, bodies, moments, users, countries)), kinds)


def _moments(column: Sequence[object]) -> Sequence[datetime] | None:
    """Return times in UTC; None if one is not a time or has no time zone."""
    try:
        moments: list[Any] = [datetime.fromisoformat(value) if type(value) is str else value for value in column]
        if set(map(type, moments)) != {datetime} or None in {moment.tzinfo for moment in moments}:
            return None
        return [moment if moment.tzinfo is UTC else moment.astimezone(UTC) for moment in moments]
    except (ValueError, OverflowError):
        return None


def _texts(column: Sequence[Any]) -> Sequence[str | None]:
    if int in set(map(type, column)):
        column = [str(value) if type(value) is int else value for value in column]
    return [value or None for value in column] if "" in column else column


def _durations(column: Sequence[Any]) -> Sequence[int | None]:
    digits = "".join([value for value in column if type(value) is str])
    if digits and not (digits.isascii() and digits.isdigit()):
        raise ValueError
    return [None if value is None or value == "" else int(value) for value in column]


def _kinds(column: Sequence[object]) -> list[LogKind | None]:
    if not {str, NoneType} >= set(map(type, column)):
        raise ValueError
    kinds = {value: kind_of(value or None) for value in set(column)}
    return [kinds[value] for value in column]


READERS: Mapping[str, Callable[[Sequence[Any]], Sequence[Any]]] = {
    "trackId": _texts,
    "userId": _texts,
    "clientId": _texts,
    "durationPlayed": _durations,
    "country": _texts,
}
"""The columns of most records beside time and kind, and how each is read; raises ``ValueError`` if it can't be."""
