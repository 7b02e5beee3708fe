"""Checks fields of JSON bodies and forms, and formats times."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Mapping, Sequence
from datetime import date, datetime
from typing import Any, TypeVar

from ..answers import ItemProblem, Problem, RefusalError, invalid_choice, invalid_value, out_of_range
from ..calls import Call

_Item = TypeVar("_Item")

_ISO_DATE = re.compile(r"\d{4}-\d\d-\d\d", re.ASCII)
_ISO_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?(?:Z|[+-]\d\d:\d\d)", re.ASCII)


def iso_time(moment: datetime) -> str:
    return f"{moment:%Y-%m-%dT%H:%M:%SZ}"


def optional_text(call: Call, name: str, wire: str, *, most: int | None = None) -> str | None:
    """Return an argument that must be text, of a certain length at the most; None if it was not sent."""
    value = call.arguments.get(name)
    if value is None:
        return None
    if not isinstance(value, str):
        raise invalid_value(wire, "a text")
    if most is not None and len(value) > most:
        raise out_of_range(wire, f"a text of up to {most} characters")
    return value


def required_text(call: Call, name: str, wire: str) -> str:
    """Return a required argument that must be text."""
    value = optional_text(call, name, wire)
    assert value is not None, "required arguments are checked when they are read"
    return value


def optional_choice(call: Call, name: str, wire: str, choices: Collection[str]) -> str | None:
    """Return an argument that must be one of a few words; None if it was not sent."""
    value = optional_text(call, name, wire)
    if value is not None and value not in choices:
        raise invalid_choice(wire, choices)
    return value


def required_list(call: Call, name: str, wire: str) -> Sequence[Any]:
    """Return an argument that must be a non-empty list."""
    value = call.arguments[name]
    if not isinstance(value, list):
        raise invalid_value(wire, "a list")
    if not value:
        raise out_of_range(wire, "a list of one or more")
    return value


def optional_country(call: Call) -> str | None:
    """Return the country in capitals; None if none was sent."""
    value = optional_text(call, "country", "country")
    if value is None:
        return None
    if not (len(value) == 2 and value.isascii() and value.isalpha()):  # noqa: PLR2004 - two letters
        raise invalid_value("country", "a two-letter country code")
    return value.upper()


def required_date(call: Call, name: str, wire: str) -> date:
    """Return a required argument that must be a day."""
    value = required_text(call, name, wire)
    try:
        return date.fromisoformat(_ISO_DATE.fullmatch(value)[0])  # type: ignore[index]
    except (TypeError, ValueError):
        raise invalid_value(wire, "a day such as 2026-05-28") from None


def is_iso_time(value: Any) -> bool:
    """Return whether a value is a time with a zone, as ISO 8601 writes it."""
    if not isinstance(value, str) or not _ISO_TIME.fullmatch(value):
        return False
    try:
        datetime.fromisoformat(value)
    except ValueError:
        return False
    return True


def check_items(items: Sequence[_Item], problem: Callable[[_Item], tuple[int, str] | None]) -> Sequence[_Item]:
    """Return a batch if all its items are valid.

    Args:
        items: The batch.
        problem: Returns the code and the message of what is wrong with an item; None if it is valid.

    Raises:
        RefusalError: Some are not (1008).
    """
    problems = tuple(
        ItemProblem(index, *found) for index, item in enumerate(items) if (found := problem(item)) is not None
    )
    if problems:
        raise RefusalError(400, Problem(1008, f"{len(problems)} of {len(items)} items are invalid", problems))
    return items


def field_problem(
    item: Any, checks: Mapping[str, Callable[[Any], bool]], required: Collection[str]
) -> tuple[int, str] | None:
    """Find what is wrong with an object of a batch: fields that are missing, unknown or of the wrong form."""
    if not isinstance(item, dict):
        return 1002, "A JSON object expected"
    for name in required:
        if name not in item:
            return 1001, f"{name} is missing"
    for name, value in item.items():
        check = checks.get(name)
        if check is None:
            return 1002, f"unknown field: {name}"
        if not check(value):
            return 1002, f"{name} is invalid"
    return None


def is_text(value: Any) -> bool:
    """Return whether a value is text that is not blank."""
    return isinstance(value, str) and bool(value.strip())
