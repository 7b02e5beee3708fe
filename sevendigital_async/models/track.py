"""Tracks."""
from attrs import frozen


@frozen
class Track:
    """A track."""

    id: str
    title: str | None = None
