"""Releases."""
from attrs import frozen


@frozen
class Release:
    """A release."""

    id: str
    title: str | None = None
