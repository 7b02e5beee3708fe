"""Tags: the words that the catalogue is sorted by."""

from __future__ import annotations

from attrs import frozen

from .wire import TEXT, wire


@frozen(kw_only=True)
class Tag:
    """A genre, an era, a mood or a place.

    Attributes:
        id: What the methods that take tags understand: ``indie-rock``.
        name: The same for people: ``indie rock``.
        parent_id: The broader tag that this one belongs to.
        url: The tag's page in the shop.
        count: How many things of the catalogue carry it.
    """

    id: str | None = None
    name: str | None = wire("name", "text", TEXT)
    parent_id: str | None = None
    url: str | None = None
    count: int | None = None
