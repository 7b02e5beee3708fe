"""Strict conversion of single values, and validators of request objects."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from functools import lru_cache
from math import isfinite
from typing import Any, NewType

from attrs import Attribute

from ..errors import InvalidArgumentError

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)

_END_OF_DAY = re.compile(r"([T ])24(?=:?00(?::?00(?:[.,]0+)?)?(?:$|[Z+-]))")
_LEAP_SECOND = re.compile(r"(?<=[T ]23:59:)60|(?<=[T ]2359)60")
_ORDINAL = re.compile(r"(\d{4})-?(\d{3})(?=$|[T ])")


def parse_datetime(text: str) -> datetime:
    """Parse a date, or a date and time: what ``datetime.fromisoformat`` accepts, and the rest of the standards.

    That is ``t`` and ``z``, ``24:00`` for the end of a day, a leap second (the next second), and days of the year.

    Raises:
        ValueError: It is invalid, or outside the years 1 to 9999.
    """
    try:
        return datetime.fromisoformat(text)
    except ValueError:
        return _parse_rare(text)


def microseconds(moment: datetime) -> int:
    """Return the microseconds since 1970 of an aware datetime."""
    return (moment - EPOCH) // _MICROSECOND


def _parse_rare(text: str) -> datetime:
    plain = text.strip().upper()
    more = timedelta()
    if ordinal := _ORDINAL.match(plain):
        year, day = int(ordinal[1]), int(ordinal[2])
        first = datetime(year, 1, 1)  # noqa: DTZ001 - a date only
        if not 1 <= day <= (first.replace(month=12, day=31) - first).days + 1:
            raise ValueError(f"no such day of the year: {text!r}")
        plain = f"{year:04}-01-01{plain[ordinal.end() :]}"
        more += timedelta(days=day - 1)
    plain, ends = _END_OF_DAY.subn(r"\g<1>00", plain, count=1)
    plain, leaps = _LEAP_SECOND.subn("59", plain, count=1)
    more += timedelta(days=ends, seconds=leaps)
    try:
        return datetime.fromisoformat(plain) + more
    except OverflowError:
        raise ValueError(f"after the year 9999: {text!r}") from None


MAX_LENGTH = 40
"""Most characters of a number; limits the cost of conversions."""

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
    """A value of the wrong type; the message continues its path."""

    def __init__(self, value: object, wanted: str) -> None:
        kind = _KINDS.get(type(value), "something else")
        super().__init__(f"is not {wanted}" if isinstance(value, str) else f"is {kind}, not {wanted}")


def text(value: object, _: object = None) -> str:
    """Read text; ids may be numbers."""
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
    """Read an exact number; a float becomes the shortest decimal that denotes it."""
    if isinstance(value, float):
        return shortest_decimal(value + 0.0)
    if type(value) is int:
        return Decimal(value)
    if isinstance(value, str) and len(value) <= MAX_LENGTH and _DECIMAL(stripped := value.strip()):
        return Decimal(stripped)
    raise UnfitError(value, "a decimal number")


@lru_cache(maxsize=1024)
def shortest_decimal(value: float) -> Decimal:
    """Return the shortest decimal that denotes a float, whose zero has no sign."""
    # A shop has few prices, and a lookup costs a fifth of creating one.
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
    """Read a point in time (ISO 8601); one without a zone is in UTC, a date means its midnight."""
    if isinstance(value, str):
        try:
            read = parse_datetime(value.strip())
        except ValueError:
            pass
        else:
            return read if read.tzinfo else read.replace(tzinfo=UTC)
    raise UnfitError(value, "a date and time")


def day(value: object, _: object = None) -> date:
    """Read a calendar day; a time of day and a zone are ignored."""
    if isinstance(value, str):
        written = value if len(value) == DAY else value.strip()
        try:
            return date.fromisoformat(written) if len(written) == DAY else parse_datetime(written).date()
        except ValueError:
            pass
    raise UnfitError(value, "a date")


Count = NewType("Count", int)
"""A number that is None if it can't be read, without a log line, because the field may hold something else."""


def count(value: object, _: object = None) -> int | None:
    """Read a count; anything else is None."""
    try:
        number = whole(value)
    except UnfitError:
        return None
    return number if number >= 0 else None


def require_text(_: object, attribute: Attribute[Any], value: object) -> None:
    """Require non-blank text.

    Raises:
        InvalidArgumentError: It is not text, or blank.
    """
    if not isinstance(value, str) or not value.strip():
        raise InvalidArgumentError(f"{attribute.name} must be a non-empty string", argument=attribute.name)


def require_aware_datetime(_: object, attribute: Attribute[Any], value: object) -> None:
    """Require an aware datetime.

    Raises:
        InvalidArgumentError: It is not a datetime, or has no time zone.
    """
    if not isinstance(value, datetime) or value.utcoffset() is None:
        raise InvalidArgumentError(f"{attribute.name} must be a datetime with a time zone", argument=attribute.name)


def require_seconds(_: object, attribute: Attribute[Any], value: object) -> None:
    """Require whole seconds.

    Raises:
        InvalidArgumentError: It is not a whole number, zero or more.
    """
    if type(value) is not int or value < 0:
        raise InvalidArgumentError(f"{attribute.name} must be whole seconds, zero or more", argument=attribute.name)
