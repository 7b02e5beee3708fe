"""Artists."""

from __future__ import annotations

from decimal import Decimal

from attrs import NOTHING, frozen

from .listing import Listing
from .wire import ENTRY, wire


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
        is_placeholder_image: Whether the picture is only a stand-in.
        popularity: From 0 to 1.
        listing: Its place in the chart or among the search results that it came in;
            no part of what makes two of them equal.
    """

    id: str = wire("id", "artistId", "sevenDigitalId", default=NOTHING)
    name: str | None = None
    sort_name: str | None = None
    appears_as: str | None = None
    slug: str | None = None
    url: str | None = None
    image: str | None = None
    is_placeholder_image: bool | None = None
    popularity: Decimal | None = None
    listing: Listing | None = wire(ENTRY, eq=False)
