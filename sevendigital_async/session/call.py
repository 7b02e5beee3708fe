"""What a caller wants done."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from attrs import Attribute, field, frozen
from attrs.validators import optional

from ..config import RetryPolicy, Timeout, UserToken
from ..errors import InvalidArgumentError
from ..operations import Operation

MAX_TRACE_ID = 255
"""Characters."""


def _printable(_: object, attribute: Attribute[str], value: str) -> None:
    if not (value.isascii() and value.isprintable() and 0 < len(value.strip()) == len(value) <= MAX_TRACE_ID):
        raise InvalidArgumentError(
            f"{attribute.name} must be 1 to {MAX_TRACE_ID} printable ASCII characters", argument=attribute.name
        )


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

    operation: Operation
    arguments: Mapping[str, object] = field(repr=False)
    user: UserToken | None = None
    retry: RetryPolicy | None = None
    timeout: Timeout | None = None
    headers: Mapping[str, str] = MappingProxyType({})
    trace_id: str | None = field(default=None, validator=optional(_printable))
