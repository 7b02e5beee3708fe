"""A release as pydantic v2 models: with all fields and names of ours, and with those of the page only."""

from __future__ import annotations

from datetime import date, datetime
from decimal import Decimal
from typing import Annotated, Any

import orjson
from pydantic import AliasChoices, AliasPath, BaseModel, BeforeValidator, ConfigDict, Field
from pydantic.alias_generators import to_camel

from sevendigital_async.models import ReleaseType

from .catalogue import PAGE


class Model(BaseModel):
    """The base model: frozen, as ours are; ids may be numbers."""

    model_config = ConfigDict(frozen=True, alias_generator=to_camel, coerce_numbers_to_str=True)


def _called(*names: str | AliasPath, default: Any = None) -> Any:
    return Field(default, validation_alias=AliasChoices(*names))


class Ranking(Model):
    """The position of an item in a list."""

    position: int | None = None
    change: str | None = None
    score: Decimal | None = None


class Artist(Model):
    """An artist."""

    id: str = _called("id", "artistId", "sevenDigitalId", default=...)
    name: str | None = None
    sort_name: str | None = None
    appears_as: str | None = None
    slug: str | None = None
    url: str | None = None
    image: str | None = None
    is_placeholder_image: bool | None = None
    popularity: Decimal | None = None
    ranking: Ranking | None = _called("#entry")


class Price(Model):
    """A price."""

    amount: Decimal | None = _called("amount", "value", "sevendigitalPrice", "#text")
    currency: str | None = _called("currencyCode", AliasPath("currency", "code"), "currency")
    currency_symbol: str | None = _called(
        "currencySymbol", AliasPath("currency", "#text"), AliasPath("currency", "text")
    )
    formatted_price: str | None = _called("formattedPrice", "formattedAmount")
    rrp: Decimal | None = _called("rrp", "recommendedRetailPrice")
    formatted_rrp: str | None = None
    on_sale: bool | None = _called("onSale", "isOnSale")


def _as_object(value: object) -> object:
    return {"name": value} if isinstance(value, str) else value


class Brand(Model):
    """A label or a licensor."""

    id: str | None = None
    name: str | None = _called("name", "#text")


class Format(Model):
    """A file format."""

    id: str | None = None
    description: str | None = None
    file_format: str | None = None
    bit_rate: int | None = None
    drm_free: bool | None = None


class Package(Model):
    """A purchase option."""

    id: str | None = None
    description: str | None = None
    price: Price | None = None
    formats: tuple[Format, ...] = ()


class Download(Model):
    """Availability for purchase."""

    release_date: datetime | None = None
    preview_date: datetime | None = None
    packages: tuple[Package, ...] = ()


class Streaming(Model):
    """Availability for streaming."""

    release_date: datetime | None = None


class Release(Model):
    """A release."""

    id: str = _called("id", "releaseId", "sevenDigitalId", default=...)
    title: str | None = None
    version: str | None = None
    type: ReleaseType | str | None = None
    artist: Artist | None = None
    url: str | None = None
    slug: str | None = None
    image: str | None = None
    release_date: date | None = None
    added_date: datetime | None = None
    streaming_release_date: datetime | None = None
    year: int | None = None
    label: Annotated[Brand | None, BeforeValidator(_as_object)] = None
    licensor: Brand | None = None
    explicit: bool | None = _called("explicit", "explicitContent")
    upc: str | None = _called("upc", "barcode")
    price: Price | None = None
    formats: tuple[Format, ...] = ()
    available_drm_free: bool | None = _called("availableDrmFree", AliasPath("formats", "availableDrmFree"))
    duration: int | None = None
    track_count: int | None = None
    popularity: Decimal | None = None
    download: Download | None = None
    subscription_streaming: Streaming | None = None
    ad_supported_streaming: Streaming | None = None
    ranking: Ranking | None = _called("#entry")


class Page(Model):
    """A page of releases."""

    releases: tuple[Release, ...]
    page: int | None = None
    page_size: int | None = None
    total_items: int | None = None


class BareArtist(Model):
    """An artist with the fields of the page."""

    id: str
    name: str | None = None
    appears_as: str | None = None
    url: str | None = None


class BarePrice(Model):
    """A price with the fields of the page."""

    formatted_price: str | None = None
    amount: Decimal | None = None
    currency: str | None = None


class BareRelease(Model):
    """A release with the fields of the page."""

    id: str
    title: str | None = None
    version: str | None = None
    type: str | None = None
    artist: BareArtist | None = None
    url: str | None = None
    image: str | None = None
    release_date: date | None = None
    label: str | None = None
    explicit: bool | None = None
    upc: str | None = None
    price: BarePrice | None = None


class BarePage(Model):
    """The page."""

    releases: tuple[BareRelease, ...]
    page: int | None = None
    page_size: int | None = None
    total_items: int | None = None


def from_json() -> tuple[Release, ...]:
    """Decode the page with pydantic, which parses the JSON too."""
    return Page.model_validate_json(PAGE).releases


def from_tree() -> tuple[Release, ...]:
    """Decode the page with orjson and pydantic."""
    return Page.model_validate(orjson.loads(PAGE)).releases


def bare_from_json() -> tuple[BareRelease, ...]:
    """Decode only the fields of this page."""
    return BarePage.model_validate_json(PAGE).releases
