"""What a caller wants done."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from attrs import field, frozen

from ..config import RetryPolicy, Timeout, UserToken
from ..operations import Operation


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
    """

    operation: Operation
    arguments: Mapping[str, object] = field(repr=False)
    user: UserToken | None = None
    retry: RetryPolicy | None = None
    timeout: Timeout | None = None
    headers: Mapping[str, str] = MappingProxyType({})
