"""From the plain values of an example to the typed ones that a method asks for, by its annotations alone."""

import enum
import inspect
import re
from collections.abc import Iterable
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from types import UnionType
from typing import Union, get_args, get_origin, get_type_hints

import attrs

from sevendigital_async.models import PlaylistTrackInput

READERS = {
    datetime: datetime.fromisoformat,
    date: date.fromisoformat,
    Decimal: lambda value: Decimal(str(value)),
    int: int,
    bool: bool,
    str: str,
}


def snake_case(wire: str) -> str:
    return re.sub(r"(?<!^)(?=[A-Z])", "_", wire.removeprefix("xoauth_")).lower()


def arguments_for(method, values: dict) -> dict:
    """Return keyword arguments for ``method`` from values by their wire names."""
    hints = get_type_hints(method)
    return {snake_case(wire): as_typed(hints[snake_case(wire)], value) for wire, value in values.items()}


def as_typed(hint, value):
    """Return ``value`` as the first kind that ``hint`` names."""
    kinds = [kind for kind in flat(hint) if kind is not type(None)]
    for kind in kinds:
        if attrs.has(kind) and isinstance(value, dict):
            hints = get_type_hints(kind)
            return kind(**{snake_case(name): as_typed(hints[snake_case(name)], inner) for name, inner in value.items()})
        if inspect.isclass(get_origin(kind)) and issubclass(get_origin(kind), Iterable) and isinstance(value, list):
            return [as_typed(get_args(kind)[0], item) for item in value]
        if inspect.isclass(kind) and issubclass(kind, enum.Enum):
            return kind(value)
    return READERS[next(kind for kind in kinds if kind in READERS)](value)


def flat(hint) -> list:
    """Return the alternatives of a union, or the one kind there is."""
    origin = get_origin(hint)
    if origin in {Union, UnionType} or (origin is not None and not inspect.isclass(origin)):
        return [kind for part in get_args(hint) for kind in flat(part)]
    return [hint]


def sample(hint, name: str):
    """Make up a value that any method accepts for an argument of this name."""
    if name in SAMPLES:
        return SAMPLES[name]
    for kind in flat(hint):
        if attrs.has(kind):
            hints = get_type_hints(kind)
            required = [field.name for field in attrs.fields(kind) if field.default is attrs.NOTHING]
            return kind(**{field: sample(hints[field], field) for field in required})
        if get_origin(kind) is not None:
            return [sample(get_args(kind)[0], "")]
        if inspect.isclass(kind) and issubclass(kind, enum.Enum):
            return next(iter(kind))
    return MADE_UP[flat(hint)[0]]


TODAY = datetime.now(UTC)
SAMPLES = {
    "card_country": "GB",
    "country": "GB",
    "end_date": TODAY.date() + timedelta(days=7),
    "tag": {"Campaign": "spring"},
    "tracks": [PlaylistTrackInput("1", "t", "a")],
}
MADE_UP = {datetime: TODAY, date: TODAY.date(), Decimal: Decimal("9.99"), int: 12, bool: True, str: "12345"}
