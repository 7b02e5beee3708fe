"""Strict readers of single wire values.

Each takes what the service is known to send for its type and nothing that merely happens to convert. The
second argument is what cattrs hands to a hook; it carries nothing of use here.
"""

from __future__ import annotations

import re
from datetime import UTC, date, datetime
from decimal import Decimal
from functools import lru_cache
from math import isfinite

from .iso8601 import parse_datetime

MAX_LENGTH = 40
"""More characters than any number of the API has; it keeps conversions cheap whatever arrives."""

DAY = len("2001-12-31")

_WHOLE = re.compile(r"[+-]?[0-9]+").fullmatch
_DECIMAL = re.compile(r"[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]{1,3})?").fullmatch
_BOOLEANS = {"true": True, "false": False, "1": True, "0": False}
_KINDS: dict[type, str] = {
    str: "text",
    bool: "true or false",
    int: "a number",
    float: "a number",
    list: "a list",
    dict: "an object",
    type(None): "null",
}


class UnfitError(ValueError):
    """A value of the wrong kind; the message completes a sentence that begins with its path."""

    def __init__(self, value: object, wanted: str) -> None:
        kind = _KINDS.get(type(value), "something else")
        super().__init__(f"is not {wanted}" if isinstance(value, str) else f"is {kind}, not {wanted}")


def text(value: object, _: object = None) -> str:
    """Read text; ids come as numbers, too."""
    if isinstance(value, str):
        return value
    if type(value) is int:
        return str(value)
    raise UnfitError(value, "text")


def whole(value: object, _: object = None) -> int:
    """Read a whole number, written as a number or as digits."""
    if type(value) is int:
        return value
    if isinstance(value, str) and len(value) <= MAX_LENGTH and _WHOLE(stripped := value.strip()):
        return int(stripped)
    if isinstance(value, float) and value.is_integer():
        return int(value)
    raise UnfitError(value, "a whole number")


def decimal(value: object, _: object = None) -> Decimal:
    """Read an exact number; a float stands for the shortest decimal that denotes it."""
    if isinstance(value, float):
        return _shortest(value + 0.0)
    if type(value) is int:
        return Decimal(value)
    if isinstance(value, str) and len(value) <= MAX_LENGTH and _DECIMAL(stripped := value.strip()):
        return Decimal(stripped)
    raise UnfitError(value, "a decimal number")


@lru_cache(maxsize=1024)
def _shortest(value: float) -> Decimal:
    # A shop has few prices, and looking one up costs a fifth of making it anew.
    if not isfinite(value):
        raise UnfitError(value, "a decimal number")
    return Decimal(repr(value))


def boolean(value: object, _: object = None) -> bool:
    """Read true or false, in JSON's or XML's spelling."""
    if isinstance(value, bool):
        return value
    if isinstance(value, str):
        known = _BOOLEANS.get(value.strip().lower())
        if known is not None:
            return known
    elif type(value) is int and value in {0, 1}:
        return value == 1
    raise UnfitError(value, "true or false")


def moment(value: object, _: object = None) -> datetime:
    """Read a point in time (ISO 8601); one without a zone is in UTC, a mere date its midnight."""
    if isinstance(value, str):
        try:
            read = parse_datetime(value.strip())
        except ValueError:
            pass
        else:
            return read if read.tzinfo else read.replace(tzinfo=UTC)
    raise UnfitError(value, "a date and time")


def day(value: object, _: object = None) -> date:
    """Read a calendar day: as written, also where a time of day and a zone follow it."""
    if isinstance(value, str):
        try:
            written = value.strip()
            return date.fromisoformat(written) if len(written) == DAY else parse_datetime(written).date()
        except ValueError:
            pass
    raise UnfitError(value, "a date")


def count(value: object) -> int | None:
    """Read a number of things where anything else means that none was stated."""
    try:
        number = whole(value)
    except UnfitError:
        return None
    return number if number >= 0 else None
