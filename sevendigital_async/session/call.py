"""What a caller wants done."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any

from attrs import Attribute, field, frozen
from attrs.validators import optional

from ..config import RetryPolicy, Timeout, UserToken, is_header_value
from ..errors import InvalidArgumentError
from ..operations import Operation

MAX_TRACE_ID = 255
"""Characters."""


_HEADER_NAME = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]+").fullmatch


def _printable(_: object, attribute: Attribute[str], value: str) -> None:
    if not (
        isinstance(value, str)
        and value.isascii()
        and value.isprintable()
        and 0 < len(value.strip()) == len(value) <= MAX_TRACE_ID
    ):
        raise InvalidArgumentError(
            f"{attribute.name} must be 1 to {MAX_TRACE_ID} printable ASCII characters", argument=attribute.name
        )


def _fit(_: object, __: Attribute[Mapping[str, str]], headers: Mapping[str, str]) -> None:
    if not isinstance(headers, Mapping):
        raise InvalidArgumentError(f"headers must be a mapping, not a {type(headers).__name__}", argument="headers")
    for name, text in headers.items():
        if not isinstance(name, str) or not _HEADER_NAME(name):
            raise InvalidArgumentError("the name of a header is a word of ASCII letters", argument="headers")
        if not isinstance(text, str) or not is_header_value(text):
            raise InvalidArgumentError(f"the header {name} holds what no header can carry", argument="headers")


def _is(kind: type) -> Callable[[object, Attribute[Any], Any], None]:
    def check(_: object, attribute: Attribute[Any], value: object) -> None:
        if not isinstance(value, kind):
            raise InvalidArgumentError(
                f"{attribute.name} must be a {kind.__name__}, not a {type(value).__name__}", argument=attribute.name
            )

    return check


@frozen
class Call:
    """One call of one operation.

    Attributes:
        operation: What to do.
        arguments: By their Python names; not in the repr, for they may hold passwords and card numbers.
        user: Whose token signs three-legged operations; None for the partner alone.
        retry: In place of the settings' policy.
        timeout: In place of the settings' timeout.
        headers: Beyond those that every request has.
        trace_id: What the request is to be called in the service's own records.
    """

    operation: Operation = field(validator=_is(Operation))
    arguments: Mapping[str, object] = field(repr=False)
    user: UserToken | None = field(default=None, validator=optional(_is(UserToken)))
    retry: RetryPolicy | None = field(default=None, validator=optional(_is(RetryPolicy)))
    timeout: Timeout | None = field(default=None, validator=optional(_is(Timeout)))
    headers: Mapping[str, str] = field(default=MappingProxyType({}), validator=_fit)
    trace_id: str | None = field(default=None, validator=optional(_printable))
