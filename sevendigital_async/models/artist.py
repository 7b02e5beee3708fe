"""Artists."""
from attrs import frozen


@frozen
class Artist:
    """An artist."""

    id: str
    name: str | None = None
