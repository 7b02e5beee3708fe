"""The service's music: artists, releases and tracks, what they cost and where they may be used."""

from __future__ import annotations

import enum
from datetime import date, datetime
from decimal import Decimal

from attrs import NOTHING, frozen

from .wire import ELEMENT_TEXT, LIST_ENTRY, aliases, may_be_empty, wire


@frozen(kw_only=True)
class Price:
    """What something costs in one territory.

    Attributes:
        amount: The price; None if the item is not sold separately, zero if it is free.
        currency: ISO 4217 code.
        currency_symbol: As shoppers write it.
        formatted_price: For display; ``N/A`` where there is no amount.
        rrp: The recommended retail price.
        formatted_rrp: The same, for display.
        on_sale: Whether the price is reduced at the moment.
    """

    amount: Decimal | None = wire("amount", "value", "sevendigitalPrice", ELEMENT_TEXT)
    currency: str | None = wire("currencyCode", "currency.code", "currency")
    currency_symbol: str | None = wire("currencySymbol", f"currency.{ELEMENT_TEXT}", "currency.text", "currency.symbol")
    formatted_price: str | None = wire("formattedPrice", "formattedAmount")
    rrp: Decimal | None = wire("rrp", "recommendedRetailPrice")
    formatted_rrp: str | None = None
    on_sale: bool | None = wire("onSale", "isOnSale")


@frozen(kw_only=True)
class Format:
    """A format in which music can be downloaded.

    Attributes:
        id: The service's number for the format; new ones may appear at any time.
        description: A name for display, such as ``MP3 320``.
        file_format: Kind of file: ``MP3``.
        bit_rate: In kbit/s.
        drm_free: Whether the file is free of copy protection.
    """

    id: str | None = None
    description: str | None = wire("description", ELEMENT_TEXT)
    file_format: str | None = None
    bit_rate: int | None = None
    drm_free: bool | None = None


@frozen(kw_only=True)
class Label:
    """The brand a release is issued under.

    Attributes:
        id: The catalogue's number; None where the response gives the bare name.
        name: The label's name.
    """

    id: str | None = None
    name: str | None = wire("name", ELEMENT_TEXT)


@frozen(kw_only=True)
class Licensor:
    """The company that controls the recording rights.

    Attributes:
        id: The catalogue's number.
        name: The licensor's name.
    """

    id: str | None = None
    name: str | None = wire("name", ELEMENT_TEXT)


class ChartChange(enum.StrEnum):
    """How an entry has moved since the chart before; anything else stays text."""

    UP = "up"
    DOWN = "down"
    SAME = "same"
    NEW = "new"


@frozen(kw_only=True)
class Ranking:
    """An entry's place in its list: a chart, or the results of a search.

    Attributes:
        position: Its rank in the chart, from one.
        change: How it has moved since the chart before.
        score: How well it matches the search; only comparable within one search.
    """

    position: int | None = None
    change: ChartChange | str | None = None
    score: Decimal | None = None


@frozen(kw_only=True)
class Package:
    """One way to buy: a price and the formats it covers.

    Attributes:
        id: The service's number for the package; 2 is the standard one.
        description: A name for display, such as ``Standard``.
        price: What it costs.
        formats: What the buyer gets.
    """

    id: str | None = None
    description: str | None = None
    price: Price | None = None
    formats: tuple[Format, ...] = wire("formats", "format", default=())


@frozen(kw_only=True)
class Download:
    """Availability for purchase.

    Attributes:
        release_date: From when it can be bought.
        preview_date: From when previews may be played.
        packages: The ways to buy it.
    """

    release_date: datetime | None = None
    preview_date: datetime | None = None
    packages: tuple[Package, ...] = ()


@frozen(kw_only=True)
class Streaming:
    """Availability for one kind of streaming.

    Attributes:
        release_date: From when it may be streamed.
    """

    release_date: datetime | None = None


@frozen(kw_only=True)
class Artist:
    """An artist, in full or as far as a release or a track speaks of one.

    Attributes:
        id: The catalogue's number for the artist.
        name: As the artist is known.
        sort_name: The name in the form lists are sorted by: ``Beatles, The``.
        appears_as: The name as this release or track prints it, guests included.
        slug: The name's form in web addresses.
        url: The artist's page in the shop.
        image: Address of a picture.
        is_placeholder_image: Whether the picture is a placeholder.
        popularity: From 0 to 1.
        biography: A text about the artist, in old responses of the live service.
        ranking: Its place in the chart or among the search results that it came in;
            no part of what makes two of them equal.
    """

    id: str = wire("id", "artistId", "sevenDigitalId", default=NOTHING)
    name: str | None = None
    sort_name: str | None = wire("sortName", "sortname")
    appears_as: str | None = None
    slug: str | None = None
    url: str | None = None
    image: str | None = None
    is_placeholder_image: bool | None = None
    popularity: Decimal | None = None
    biography: str | None = wire("biography", "bio.text")
    ranking: Ranking | None = wire(LIST_ENTRY, eq=False)


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
            out. The times from which it can be bought or streamed are in ``download`` and the streaming fields.
        added_date: When it joined the catalogue.
        streaming_release_date: From when it may be streamed, in responses that have no field per kind of streaming.
        year: Year of the original release, or of the digital one if that is not known.
        label: Who issued it.
        licensor: Who licensed it.
        explicit: Whether it carries a parental advisory.
        upc: The product's barcode.
        pline: Who holds the rights in the recordings, and since when.
        cline: Who holds the rights in the rest, such as the artwork, and since when.
        price: What it costs in the territory asked about.
        formats: The formats in which it can be downloaded.
        available_drm_free: Whether it is available without copy protection.
        duration: Duration of all tracks together, in seconds.
        track_count: How many tracks it has.
        popularity: From 0 to 1.
        download: Availability for purchase.
        subscription_streaming: Availability for subscribers.
        ad_supported_streaming: Availability for ad-supported streaming.
        ranking: Its place in the chart or among the search results that it came in;
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
    pline: str | None = wire("pline", "pLine")
    cline: str | None = wire("cline", "cLine")
    price: Price | None = None
    formats: tuple[Format, ...] = ()
    available_drm_free: bool | None = wire("availableDrmFree", "formats.availableDrmFree")
    duration: int | None = None
    track_count: int | None = None
    popularity: Decimal | None = None
    download: Download | None = None
    subscription_streaming: Streaming | None = None
    ad_supported_streaming: Streaming | None = None
    ranking: Ranking | None = wire(LIST_ENTRY, eq=False)


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
        track_number: Its place on the release; in old responses prefixed with the disc's number (203).
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
        formats: The formats in which it can be downloaded.
        available_drm_free: Whether it is available without copy protection.
        popularity: From 0 to 1.
        streaming_release_date: From when it may be streamed, in responses that have no field per kind of streaming.
        download: Availability for purchase.
        subscription_streaming: Availability for subscribers.
        ad_supported_streaming: Availability for ad-supported streaming.
        ranking: Its place in the chart or among the search results that it came in;
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
    formats: tuple[Format, ...] = ()
    available_drm_free: bool | None = wire("availableDrmFree", "formats.availableDrmFree")
    popularity: Decimal | None = None
    streaming_release_date: datetime | None = None
    download: Download | None = None
    subscription_streaming: Streaming | None = None
    ad_supported_streaming: Streaming | None = None
    ranking: Ranking | None = wire(LIST_ENTRY, eq=False)


@frozen(kw_only=True)
class Tag:
    """A genre, an era, a mood or a place.

    Attributes:
        id: What the methods that take tags understand: ``indie-rock``.
        name: The same for people: ``indie rock``.
        parent_id: The broader tag that this one belongs to.
        url: The tag's page in the shop.
        count: How many items of the catalogue have it.
    """

    id: str | None = None
    name: str | None = wire("name", "text", ELEMENT_TEXT)
    parent_id: str | None = None
    url: str | None = None
    count: int | None = None


@aliases("error")
@frozen(kw_only=True)
class BatchItemError:
    """Why a requested item is missing from the response.

    Attributes:
        index: Its position in the request, from zero.
        item_id: Its id, in responses that give no position.
        code: The service's error code.
        message: The service's message.
    """

    index: int | None = None
    item_id: str | None = None
    code: int | None = None
    message: str | None = wire("message", "errorMessage")


@may_be_empty
@aliases("items")
@frozen(kw_only=True)
class ReleaseBatch:
    """Several releases.

    Attributes:
        releases: Those that were found, in the order of the request.
        errors: Errors of the others; empty unless requested.
    """

    releases: tuple[Release, ...] = wire("releases", "release", default=())
    errors: tuple[BatchItemError, ...] = ()


@may_be_empty
@aliases("items")
@frozen(kw_only=True)
class TrackBatch:
    """Several tracks.

    Attributes:
        tracks: Those that were found, in the order of the request.
        errors: Errors of the others; empty unless requested.
    """

    tracks: tuple[Track, ...] = wire("tracks", "track", default=())
    errors: tuple[BatchItemError, ...] = ()


@frozen(kw_only=True)
class IdPair:
    """The two ids of one thing.

    Attributes:
        seven_digital_id: 7digital's.
        mb_id: MusicBrainz's.
    """

    seven_digital_id: str | None = None
    mb_id: str | None = None


@aliases("artists", "releases", "tracks")
@frozen(kw_only=True)
class IdMatch:
    """The matches of one id, in the live service's responses.

    Attributes:
        seven_digital_id: The id that was looked up, if it was 7digital's.
        mb_id: The id that was looked up, if it was MusicBrainz's.
        pairs: The things that go by it, each with both ids.
        error_code: Why there are none; 2001 for an unknown id.
    """

    seven_digital_id: str | None = None
    mb_id: str | None = None
    pairs: tuple[IdPair, ...] = wire("artist", "release", "track", default=())
    error_code: int | None = wire("errorCode", "matchError.code")


class EditorialType(enum.StrEnum):
    """The kinds of editorial item the documents name; others stay text."""

    FEATURE = "feature"
    BANNER = "banner"
    SLOT = "slot"
    ARTIST = "artist"
    RELEASE = "release"
    TRACK = "track"


@frozen(kw_only=True)
class EditorialText:
    """A text that the editors wrote.

    Attributes:
        text: The text.
    """

    text: str | None = wire("text", ELEMENT_TEXT)


@may_be_empty
@aliases("editorial", "listItem")
@frozen(kw_only=True)
class EditorialItem:
    """A text, a banner, or one entry of a curated list.

    Attributes:
        id: The service's id for it.
        title: Its headline.
        description: Its text.
        type: What it is; for an entry of a list, which of the next three it holds.
        review: What the editors think of a release.
        promotional_text: The promotional text.
        staff_recommendation: Why the editors recommend it.
        artist: The artist that was chosen.
        release: The release that was chosen.
        track: The track that was chosen.
        url: Where it leads.
        image: Address of a picture.
    """

    id: str | None = None
    title: str | None = None
    description: str | None = None
    type: EditorialType | str | None = None
    review: EditorialText | None = None
    promotional_text: EditorialText | None = None
    staff_recommendation: EditorialText | None = None
    artist: Artist | None = None
    release: Release | None = None
    track: Track | None = None
    url: str | None = None
    image: str | None = None
