"""Checks of the objects that requests carry, made when they are: attrs validators."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from attrs import Attribute

from ..errors import InvalidArgumentError


def text(_: object, attribute: Attribute[Any], value: object) -> None:
    """Demand text that says something.

    Raises:
        InvalidArgumentError: It is none, or blank.
    """
    if not isinstance(value, str) or not value.strip():
        raise InvalidArgumentError(f"{attribute.name} must be a non-empty string", argument=attribute.name)


def moment(_: object, attribute: Attribute[Any], value: object) -> None:
    """Demand a point in time.

    Raises:
        InvalidArgumentError: It is none, or has no time zone.
    """
    if not isinstance(value, datetime) or value.utcoffset() is None:
        raise InvalidArgumentError(f"{attribute.name} must be a datetime with a time zone", argument=attribute.name)


def seconds(_: object, attribute: Attribute[Any], value: object) -> None:
    """Demand whole seconds.

    Raises:
        InvalidArgumentError: It is no whole number, or less than zero.
    """
    if type(value) is not int or value < 0:
        raise InvalidArgumentError(f"{attribute.name} must be whole seconds, zero or more", argument=attribute.name)
