"""What the documents rule out, said before a request leaves.

Each check names the argument as callers spell it, and passes None: an argument that is left out.
"""

from __future__ import annotations

from calendar import monthrange
from collections.abc import Iterable, Mapping, Sized
from datetime import MAXYEAR, date, datetime
from decimal import Decimal
from typing import NoReturn, TypeVar

from ..config import is_encodable
from ..errors import InvalidArgumentError

T = TypeVar("T")

MAX_DECIMALS = 2
MAX_TAGS = 10
MAX_TAG_KEY = 50
MAX_TAG_VALUE = 100


def country_code(name: str, value: str | None) -> None:
    """Refuse what is no ISO 3166-1 alpha-2 code; either case will do."""
    if value is None:
        return
    if not (isinstance(value, str) and len(value) == 2 and value.isascii() and value.isalpha()):  # noqa: PLR2004
        _refuse(name, "must be a two-letter ISO 3166-1 code")


def page_size(value: int | None, maximum: int = 100) -> None:
    """Refuse a ``page_size`` of less than one or more than ``maximum``."""
    if value is not None and (type(value) is not int or not 1 <= value <= maximum):
        _refuse("page_size", f"must be a whole number from 1 to {maximum}")


def price(name: str, value: Decimal | int | None) -> None:
    """Refuse an amount that is negative, no number, or finer than hundredths; floats are not exact and refused."""
    if value is None:
        return
    if type(value) is int:
        value = Decimal(value)
    if not isinstance(value, Decimal) or not value.is_finite():
        _refuse(name, "must be a Decimal that denotes a number")
    if value < 0:
        _refuse(name, "cannot be negative")
    exponent = value.as_tuple().exponent
    if isinstance(exponent, int) and exponent < -MAX_DECIMALS:
        _refuse(name, f"has more than {MAX_DECIMALS} decimals")


def exactly_one(**named: object) -> None:
    """Refuse none, and more than one, of several arguments that stand for each other."""
    given = [name for name, value in named.items() if value is not None]
    if len(given) != 1:
        raise InvalidArgumentError(
            f"give exactly one of {', '.join(named)}", argument=given[-1] if given else next(iter(named))
        )


def needs(dependent_name: str, dependent: object, needed_name: str, needed: object) -> None:
    """Refuse an argument that means nothing without another, where that other is missing."""
    if dependent is not None and needed is None:
        raise InvalidArgumentError(f"{dependent_name} needs {needed_name}", argument=needed_name)


def text_length(name: str, value: str | None, maximum: int) -> None:
    """Refuse text of more than ``maximum`` characters."""
    if value is None:
        return
    if not isinstance(value, str):
        _refuse(name, "must be text")
    if len(value) > maximum:
        _refuse(name, f"has {len(value)} characters; at most {maximum} are allowed")


def url_text(name: str, value: str) -> None:
    """Refuse what is not text, or can't be part of a URL."""
    if not isinstance(value, str):
        _refuse(name, f"must be text, not a {type(value).__name__}")
    if not is_encodable(value):
        _refuse(name, "holds a lone surrogate, which has no UTF-8 form")


def purchase_tags(value: Mapping[str, str] | None, name: str = "tags") -> None:
    """Refuse tags that a purchase can't carry: more than 10, keys over 50 or values over 100 characters."""
    if value is None:
        return
    texts = [*value.keys(), *value.values()] if isinstance(value, Mapping) else [None]
    if not all(isinstance(text, str) for text in texts):
        _refuse(name, "must be a mapping of texts to texts")
    if len(value) > MAX_TAGS:
        _refuse(name, f"has {len(value)} entries; at most {MAX_TAGS} are allowed")
    for key, content in value.items():
        if not 1 <= len(key) <= MAX_TAG_KEY:
            _refuse(name, f"needs keys of 1 to {MAX_TAG_KEY} characters")
        if len(content) > MAX_TAG_VALUE:
            _refuse(name, f"has {len(content)} characters under {key!r}; at most {MAX_TAG_VALUE} are allowed")


def subscription_period(start: date, end: date) -> None:
    """Refuse a period that ends before it has begun, or lasts longer than a month.

    A month ends on the same day of the next month, or on that month's last day if it has no such day.
    """
    for name, value in (("start_date", start), ("end_date", end)):
        if not isinstance(value, date) or isinstance(value, datetime):
            _refuse(name, "must be a date, without a time of day")
    if end <= start:
        _refuse("end_date", "must lie after start_date")
    if end > _month_after(start):
        _refuse("end_date", "lies more than a month after start_date")


def non_empty(name: str, value: Sized | None) -> None:
    """Refuse text or a collection with nothing in it."""
    if value is None:
        return
    if not isinstance(value, Sized):
        _refuse(name, f"cannot be a {type(value).__name__}")
    if not value.strip() if isinstance(value, str) else len(value) == 0:
        _refuse(name, "is empty")


def listed(name: str, values: Iterable[T]) -> list[T]:
    """Return several things as a list; refuse none at all, and text, which is one thing and not several."""
    found = several(name, values)
    non_empty(name, found)
    return found


def several(name: str, values: Iterable[T]) -> list[T]:
    """Return several things, or none, as a list; refuse text, which is one thing and not several."""
    if isinstance(values, str):
        _refuse(name, "must be a list of texts, not one text")
    if not isinstance(values, Iterable):
        _refuse(name, "must be a list")
    return list(values)


def _month_after(day: date) -> date:
    year, month = (day.year, day.month + 1) if day.month < 12 else (day.year + 1, 1)  # noqa: PLR2004
    if year > MAXYEAR:
        return date.max
    return day.replace(year=year, month=month, day=min(day.day, monthrange(year, month)[1]))


def _refuse(name: str, reason: str) -> NoReturn:
    raise InvalidArgumentError(f"{name} {reason}", argument=name)
