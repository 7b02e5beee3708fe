"""What the editors choose and write."""

from __future__ import annotations

import enum

from attrs import frozen

from .artist import Artist
from .release import Release
from .track import Track
from .wire import TEXT, called, wire


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

    text: str | None = wire("text", TEXT)


@called("editorial", "listItem")
@frozen(kw_only=True)
class EditorialItem:
    """A text, a banner, or one entry of a curated list.

    Attributes:
        id: The service's id for it.
        title: Its headline.
        description: Its text.
        type: What it is; for an entry of a list, which of the next three it holds.
        review: What the editors think of a release.
        promotional_text: What is said to sell it.
        staff_recommendation: Why somebody recommends it.
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
