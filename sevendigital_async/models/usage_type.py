"""What content may be used for."""

from __future__ import annotations

from attrs import frozen


@frozen(kw_only=True)
class UsageType:
    """A way of using content that can be licensed.

    Attributes:
        id: Its name on the wire: ``subscription-streaming``.
        name: Its name for people.
        description: What it covers.
    """

    id: str
    name: str | None = None
    description: str | None = None
