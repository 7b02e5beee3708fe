"""Releases: albums, singles and the like."""

from __future__ import annotations

import enum
from datetime import date, datetime
from decimal import Decimal

from attrs import NOTHING, frozen

from .artist import Artist
from .availability import Download, Streaming
from .label import Label, Licensor
from .listing import Listing
from .media_format import Format
from .price import Price
from .wire import ENTRY, wire


class ReleaseType(enum.StrEnum):
    """The kinds of release the documents name; the service has others, which stay text."""

    ALBUM = "album"
    SINGLE = "single"
    EP = "ep"
    COMPILATION = "compilation"
    VIDEO = "video"


@frozen(kw_only=True)
class Release:
    """A release, in full or as far as a track speaks of one.

    Attributes:
        id: The catalogue's number for the release.
        title: Its title.
        version: What sets it apart from others of that title: ``Remastered``.
        type: Album, single and so on.
        artist: The primary artist.
        url: The release's page in the shop.
        slug: The title's form in web addresses.
        image: Address of the cover picture.
        release_date: The day it came out, as the service writes it; a time of day that comes with it is left
            out. From which moment it can be bought or streamed stands in ``download`` and the streaming fields.
        added_date: When it joined the catalogue.
        streaming_release_date: From when it may be streamed, in answers that have no field per kind of streaming.
        year: Of the original release, or of the digital one if that is not known.
        label: Who issued it.
        licensor: Who licensed it.
        explicit: Whether it carries a parental advisory.
        upc: The product's barcode.
        price: What it costs in the territory asked about.
        formats: What it can be downloaded as.
        available_drm_free: Whether it can be had free of copy protection.
        duration: Of all tracks together, in seconds.
        track_count: How many tracks it has.
        popularity: From 0 to 1.
        download: Availability for purchase.
        subscription_streaming: Availability for subscribers.
        ad_supported_streaming: Availability for listeners who pay with their attention.
        listing: Its place in the chart or among the search results that it came in;
            no part of what makes two of them equal.
    """

    id: str = wire("id", "releaseId", "sevenDigitalId", default=NOTHING)
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
    label: Label | None = None
    licensor: Licensor | None = None
    explicit: bool | None = wire("explicit", "explicitContent")
    upc: str | None = wire("upc", "barcode")
    price: Price | None = None
    formats: tuple[Format, ...] = ()
    available_drm_free: bool | None = wire("availableDrmFree", "formats.availableDrmFree")
    duration: int | None = None
    track_count: int | None = None
    popularity: Decimal | None = None
    download: Download | None = None
    subscription_streaming: Streaming | None = None
    ad_supported_streaming: Streaming | None = None
    listing: Listing | None = wire(ENTRY, eq=False)
