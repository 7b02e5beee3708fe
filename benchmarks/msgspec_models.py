"""A release as msgspec structs. A struct has one name per field, so these fit this page only."""

from __future__ import annotations

from datetime import date
from decimal import Decimal

from msgspec import Struct
from msgspec.json import Decoder

from .catalogue import PAGE


class Artist(Struct, frozen=True, rename="camel"):
    """An artist with the fields of the page."""

    id: str
    name: str | None = None
    appears_as: str | None = None
    url: str | None = None


class Price(Struct, frozen=True, rename="camel"):
    """A price with the fields of the page."""

    formatted_price: str | None = None
    amount: Decimal | None = None
    currency: str | None = None


class Release(Struct, frozen=True, rename="camel"):
    """A release with the fields of the page."""

    id: str
    title: str | None = None
    version: str | None = None
    type: str | None = None
    artist: Artist | None = None
    url: str | None = None
    image: str | None = None
    release_date: date | None = None
    label: str | None = None
    explicit: bool | None = None
    upc: str | None = None
    price: Price | None = None


class Page(Struct, frozen=True, rename="camel"):
    """The page."""

    releases: tuple[Release, ...]
    page: int | None = None
    page_size: int | None = None
    total_items: int | None = None


_DECODER = Decoder(Page)


def from_json() -> tuple[Release, ...]:
    """Decode the page."""
    return _DECODER.decode(PAGE).releases
