"""Tracks."""

from __future__ import annotations

import enum
from datetime import datetime
from decimal import Decimal

from attrs import NOTHING, frozen

from .artist import Artist
from .availability import Download, Streaming
from .listing import Listing
from .price import Price
from .release import Release
from .wire import ENTRY, wire


class TrackType(enum.StrEnum):
    """The kinds of track the documents name; others stay text."""

    AUDIO = "audio"
    VIDEO = "video"


@frozen(kw_only=True)
class Track:
    """One recording on one release.

    Attributes:
        id: The catalogue's number for the track; the same recording may appear on several releases.
        title: Its title.
        version: What sets it apart from others of that title: ``Radio Edit``.
        type: Audio or video.
        artist: The primary artist.
        release: What it appears on.
        track_number: Its place on the release; in old answers the disc's number stands before it (203).
        disc_number: Which disc it is on.
        number: Its place on that disc.
        duration: In seconds.
        explicit: Whether it carries a parental advisory.
        isrc: International Standard Recording Code.
        pline: Who holds the rights in the recording, and since when.
        url: The track's page in the shop.
        slug: The title's form in web addresses.
        image: Address of a picture.
        preview_url: Where the preview clip can be heard.
        price: What it costs; without an amount if only the whole release is sold.
        popularity: From 0 to 1.
        streaming_release_date: From when it may be streamed, in answers that have no field per kind of streaming.
        download: Availability for purchase.
        subscription_streaming: Availability for subscribers.
        ad_supported_streaming: Availability for listeners who pay with their attention.
        listing: Its place in the chart or among the search results that it came in;
            no part of what makes two of them equal.
    """

    id: str = wire("id", "sevenDigitalId", default=NOTHING)
    title: str | None = None
    version: str | None = None
    type: TrackType | str | None = None
    artist: Artist | None = None
    release: Release | None = None
    track_number: int | None = None
    disc_number: int | None = wire("discNumber", "disc")
    number: int | None = None
    duration: int | None = None
    explicit: bool | None = wire("explicit", "explicitContent")
    isrc: str | None = None
    pline: str | None = wire("pline", "pLine")
    url: str | None = None
    slug: str | None = None
    image: str | None = None
    preview_url: str | None = None
    price: Price | None = None
    popularity: Decimal | None = None
    streaming_release_date: datetime | None = None
    download: Download | None = None
    subscription_streaming: Streaming | None = None
    ad_supported_streaming: Streaming | None = None
    listing: Listing | None = wire(ENTRY, eq=False)
