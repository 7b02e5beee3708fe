"""Checks of arguments against the documents' rules, before a request is sent.

Errors name the argument as callers spell it; None, an argument that is left out, passes every check.
"""

from __future__ import annotations

from calendar import monthrange
from collections.abc import Iterable, Mapping, Sized
from datetime import MAXYEAR, UTC, date, datetime, time
from decimal import Decimal
from typing import NoReturn, TypeVar

from ..config import is_encodable
from ..errors import InvalidArgumentError

T = TypeVar("T")

MAX_DECIMALS = 2
MAX_TAGS = 10
MAX_TAG_KEY_LENGTH = 50
MAX_TAG_VALUE_LENGTH = 100


def price(name: str, value: Decimal | int | None) -> None:
    """Refuse floats, which are inexact, and amounts that are negative or have more than two decimals."""
    if value is None:
        return
    if type(value) is int:
        value = Decimal(value)
    if not isinstance(value, Decimal) or not value.is_finite():
        _refuse(name, "must be a finite Decimal")
    if value < 0:
        _refuse(name, "cannot be negative")
    exponent = value.as_tuple().exponent
    if isinstance(exponent, int) and exponent < -MAX_DECIMALS:
        _refuse(name, f"has more than {MAX_DECIMALS} decimals")


def exactly_one(**arguments: object) -> None:
    """Refuse none and more than one of alternative arguments."""
    given = [name for name, value in arguments.items() if value is not None]
    if len(given) != 1:
        raise InvalidArgumentError(
            f"give exactly one of {', '.join(arguments)}", argument=given[-1] if given else next(iter(arguments))
        )


def one_id_list(**arguments: Iterable[str] | None) -> dict[str, list[str]]:
    """Return the one list of ids that was given, under its name; refuse none, several, and an empty list."""
    exactly_one(**arguments)
    return {name: non_empty_list(name, values) for name, values in arguments.items() if values is not None}


def require_argument(dependent_name: str, dependent: object, needed_name: str, needed: object) -> None:
    """Refuse an argument that requires another one, if that is missing."""
    if dependent is not None and needed is None:
        raise InvalidArgumentError(f"{dependent_name} needs {needed_name}", argument=needed_name)


def require_change(**named: object) -> None:
    """Refuse an update whose every field is left out."""
    if all(value is None for value in named.values()):
        raise InvalidArgumentError(
            f"nothing to change: give {', '.join(named)}, or some of them", argument=next(iter(named))
        )


def text_length(name: str, value: str | None, maximum: int) -> None:
    """Refuse text of more than ``maximum`` characters."""
    if value is None:
        return
    if not isinstance(value, str):
        _refuse(name, "must be text")
    if len(value) > maximum:
        _refuse(name, f"has {len(value)} characters; at most {maximum} are allowed")


def url_text(name: str, value: str) -> None:
    """Refuse anything but text that can be part of a URL."""
    if not isinstance(value, str):
        _refuse(name, f"must be text, not a {type(value).__name__}")
    if not is_encodable(value):
        _refuse(name, "contains a lone surrogate, which UTF-8 cannot encode")


def purchase_tags(value: Mapping[str, str] | None, name: str = "tags") -> None:
    """Refuse tags that a purchase can't carry: more than 10, keys over 50 or values over 100 characters."""
    if value is None:
        return
    texts = [*value.keys(), *value.values()] if isinstance(value, Mapping) else [None]
    if not all(isinstance(text, str) for text in texts):
        _refuse(name, "must be a mapping of strings to strings")
    if len(value) > MAX_TAGS:
        _refuse(name, f"has {len(value)} entries; at most {MAX_TAGS} are allowed")
    for key, content in value.items():
        if not 1 <= len(key) <= MAX_TAG_KEY_LENGTH:
            _refuse(name, f"needs keys of 1 to {MAX_TAG_KEY_LENGTH} characters")
        if len(content) > MAX_TAG_VALUE_LENGTH:
            _refuse(name, f"has {len(content)} characters under {key!r}; at most {MAX_TAG_VALUE_LENGTH} are allowed")


def subscription_period(start: date, end: date, activated: date | None = None) -> None:
    """Refuse a period that ends before it begins, lasts longer than a month, or begins before the activation.

    A month ends on the same day of the next month, or on that month's last day if it has no such day. A day without a
    time means its midnight in UTC.
    """
    begins, ends = _as_utc_datetime("start_date", start), _as_utc_datetime("end_date", end)
    if ends <= begins:
        _refuse("end_date", "must be after start_date")
    if ends > _month_after(begins):
        _refuse("end_date", "is more than a month after start_date")
    if activated is not None and begins < _as_utc_datetime("activated_at", activated):
        _refuse("start_date", "is before activated_at; a day without a time begins at midnight UTC")


def non_empty(name: str, value: Sized | None) -> None:
    """Refuse empty text and empty collections."""
    if value is None:
        return
    if not isinstance(value, Sized):
        _refuse(name, f"cannot be a {type(value).__name__}")
    if not value.strip() if isinstance(value, str) else len(value) == 0:
        _refuse(name, "is empty")


def non_empty_list(name: str, values: Iterable[T]) -> list[T]:
    """Return items as a list; refuse an empty one, and a text, which is a single item."""
    found = item_list(name, values)
    non_empty(name, found)
    return found


def item_list(name: str, values: Iterable[T]) -> list[T]:
    """Return items as a list, which may be empty; refuse a text, which is a single item."""
    if isinstance(values, str):
        _refuse(name, "must be a list of strings, not one string")
    if not isinstance(values, Iterable):
        _refuse(name, "must be a list")
    return list(values)


def _as_utc_datetime(name: str, value: object) -> datetime:
    if isinstance(value, datetime):
        try:
            if value.utcoffset() is not None:
                return value.astimezone(UTC)
        except Exception:  # noqa: BLE001 - the caller's own tzinfo may raise anything; at the years 1 and 9999 UTC doesn't exist
            raise InvalidArgumentError(f"{name} can't be converted to UTC", argument=name) from None
        _refuse(name, "needs a time zone")
    if not isinstance(value, date):
        _refuse(name, "must be a date, or a datetime with a time zone")
    return datetime.combine(value, time(), UTC)


def _month_after(moment: datetime) -> datetime:
    year, month = (moment.year, moment.month + 1) if moment.month < 12 else (moment.year + 1, 1)  # noqa: PLR2004
    if year > MAXYEAR:
        return datetime.max.replace(tzinfo=moment.tzinfo)
    return moment.replace(year=year, month=month, day=min(moment.day, monthrange(year, month)[1]))


def _refuse(name: str, reason: str) -> NoReturn:
    raise InvalidArgumentError(f"{name} {reason}", argument=name)
