"""Plays of many records at once: JSON objects or rows that are parsed, checked and encoded by columns."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from itertools import chain
from types import NoneType
from typing import NamedTuple, TypeGuard

import orjson

from ..errors import InvalidLogError
from ..models import LogKind
from ..models.encoded_log import EncodedLog, encoded_logs
from ..models.stream_log import FIELDS, Window
from .rows import KIND, kind_of

WIRE_FIELDS = {
    "trackId": '{"trackId":"%s"',
    "userId": ',"userId":"%s"',
    "clientId": ',"clientId":"%s"',
    "timestamp": ',"timestamp":"%s"',
    "durationPlayed": ',"durationPlayed":%s',
    "country": ',"country":"%s"',
}
"""The fields of most plays in the order of the wire form, and how each is written there."""

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
    lines = wire_lines({name: column for name, column in columns.items() if name != KIND})
    logs = encoded_logs(lines, window) if lines else None
    if logs is None:
        return None
    kinds = kinds_of(columns[KIND]) if KIND in columns else [None] * len(logs)
    return None if kinds is None else Plays(logs, kinds)


def kinds_of(column: Sequence[object]) -> list[LogKind | None] | None:
    """Return the kinds in a column; None if a value is not a kind."""
    if not {str, NoneType} >= set(map(type, column)):
        return None
    try:
        kinds = {value: kind_of(value or None) for value in set(column)}
    except InvalidLogError:
        return None
    return [kinds[value] for value in column]


def wire_lines(columns: Columns) -> list[bytes] | None:
    """Return the plays in columns as lines in their wire form; None if that is not possible without a look at each.

    The values are not checked: only lines that :func:`~sevendigital_async.models.encoded_log.encoded_logs` takes are
    plays.

    Args:
        columns: Values are text, where empty means none, or typed values.
    """
    if not WIRE_FIELDS.keys() >= columns.keys() >= {"trackId", "timestamp"}:
        return None
    times = _wire_times(columns["timestamp"])
    if times is None:
        return None
    form, parts, quotes = "", list[Sequence[object]](), 0
    for name, field_form in WIRE_FIELDS.items():
        column = times if name == "timestamp" else columns.get(name)
        if column is None:
            continue
        if not {str, int, NoneType} >= set(map(type, column)):
            return None
        given = len(column)
        if None in column or "" in column:
            column = ["" if value is None or value == "" else field_form % value for value in column]
            given -= column.count("")
            form += "%s"
        else:
            form += field_form
        parts.append(column)
        quotes += given * field_form.count('"')
    text = "\n".join(map(f"{form}}}".__mod__, zip(*parts, strict=True)))
    # A value with a quotation mark or a line feed could look like another field, or like another play.
    if text.count('"') != quotes or text.count("\n") != len(times) - 1:
        return None
    try:
        return text.encode().split(b"\n")
    except UnicodeEncodeError:
        return None


def _wire_times(column: Sequence[object]) -> list[str] | None:
    """Return times in their wire form; None if one is not a time with a time zone."""
    try:
        moments = [datetime.fromisoformat(value) if isinstance(value, str) else value for value in column]
        if not _are_moments(moments):
            return None
        zones = {moment.tzinfo for moment in moments}
        if zones != {UTC}:
            if None in zones:
                return None
            moments = [moment.astimezone(UTC) for moment in moments]
        stamps = orjson.dumps(moments, option=orjson.OPT_UTC_Z).decode()[2:-2].split('","')
    except (ValueError, TypeError, OverflowError):
        return None
    # orjson writes six digits where three are meant.
    return [f"{stamp[:-4]}Z" if stamp.endswith("000Z") else stamp for stamp in stamps]


def _are_moments(values: Sequence[object]) -> TypeGuard[Sequence[datetime]]:
    return set(map(type, values)) == {datetime}
