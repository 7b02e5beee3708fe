"""Playlists."""

from __future__ import annotations

import enum
from collections.abc import Mapping
from datetime import datetime

from attrs import Factory, field, frozen
from attrs.validators import optional

from ..errors import InvalidArgumentError
from .wire import ELEMENT_TEXT, aliases, require_text, wire


class Visibility(enum.StrEnum):
    """Who can see a playlist; anything else stays text."""

    PRIVATE = "private"
    PUBLIC = "public"


OPENAPI_NAMES = {
    "track_id": "trackId",
    "title": "title",
    "artist": "artist",
    "source": "source",
    "audio_url": "audioUrl",
    "image": "image",
}
"""Wire names of a track's fields in the OpenAPI file."""

LIVE_NAMES = {
    **OPENAPI_NAMES,
    "title": "trackTitle",
    "artist": "artistAppearsAs",
    "version": "trackVersion",
    "artist_id": "artistId",
    "release_id": "releaseId",
    "release_title": "releaseTitle",
    "release_version": "releaseVersion",
    "release_artist_id": "releaseArtistId",
    "release_artist": "releaseArtistAppearsAs",
}
"""Wire names in the live service, which keeps more fields."""

REQUIRED_BY_OPENAPI = ("title", "artist")


def _optional_text() -> str | None:
    text: str | None = field(default=None, validator=optional(require_text))
    return text


@frozen
class PlaylistTrackInput:
    """A track to be put on a playlist, checked when it is made. The service keeps the fields as they are sent.

    Attributes:
        track_id: The catalogue's id of the track, or that of the place it comes from.
        title: Its title; the OpenAPI dialect requires it, as the next.
        artist: Whose it is.
        source: Where the file comes from; ``7digital`` if left out.
        audio_url: Where the file is, if somewhere else.
        image: Address of a picture.
        version: What sets the track apart from others of its title; live dialect only, as what follows.
        artist_id: The artist's id.
        release_id: The release that it is on.
        release_title: That release's title.
        release_version: What sets the release apart from others of its title.
        release_artist_id: The id of the release's artist.
        release_artist: Whose the release is.

    Raises:
        InvalidArgumentError: A field is invalid; the error names it.
    """

    track_id: str = field(validator=require_text)
    title: str | None = _optional_text()
    artist: str | None = _optional_text()
    source: str | None = _optional_text()
    audio_url: str | None = _optional_text()
    image: str | None = _optional_text()
    version: str | None = _optional_text()
    artist_id: str | None = _optional_text()
    release_id: str | None = _optional_text()
    release_title: str | None = _optional_text()
    release_version: str | None = _optional_text()
    release_artist_id: str | None = _optional_text()
    release_artist: str | None = _optional_text()

    def as_wire(self) -> dict[str, str]:
        """Return the track as the JSON object that the OpenAPI file describes.

        Raises:
            InvalidArgumentError: It lacks a title or an artist, or has a field that only the live service accepts.
        """
        for name in REQUIRED_BY_OPENAPI:
            if getattr(self, name) is None:
                raise InvalidArgumentError(
                    f"a track of a playlist needs {name} in the openapi dialect", argument="tracks"
                )
        for name in LIVE_NAMES.keys() - OPENAPI_NAMES.keys():
            if getattr(self, name) is not None:
                raise InvalidArgumentError(
                    f"{name} of a playlist's track does not exist in the openapi dialect", argument="tracks"
                )
        return self._with_names(OPENAPI_NAMES)

    def as_live_wire(self) -> dict[str, str]:
        """Return the track as the JSON object of the live service, which has other names for some fields."""
        return self._with_names(LIVE_NAMES)

    def _with_names(self, names: Mapping[str, str]) -> dict[str, str]:
        return {wire: value for name, wire in names.items() if (value := getattr(self, name)) is not None}


@aliases("track")
@frozen(kw_only=True)
class PlaylistTrack:
    """An entry of a playlist.

    Attributes:
        id: The entry's own id, in the live service's responses: the same track may be on a playlist twice.
        track_id: The catalogue's id of the track, or that of the place it comes from.
        title: Its title.
        artist: Whose it is.
        source: Where the file comes from.
        audio_url: Where the file is, if not with the service.
        image: Address of a picture.
        position: Its place, from one.
        added_at: Since when it is there.
        version: What sets it apart from others of its title, in the live service's responses, as what follows.
        artist_id: The artist's id.
        release_id: The release that it is on.
        release_title: That release's title.
        release_version: What sets the release apart from others of its title.
        release_artist_id: The id of the release's artist.
        release_artist: Whose the release is.
        user: Who put it there.
    """

    id: str | None = wire("id", "playlistItemId")
    track_id: str | None = None
    title: str | None = wire("title", "trackTitle")
    artist: str | None = wire("artist", "artistAppearsAs", "artistName")
    source: str | None = None
    audio_url: str | None = None
    image: str | None = wire("image", "imageUrl")
    position: int | None = None
    added_at: datetime | None = wire("addedAt", "dateAdded")
    version: str | None = wire("version", "trackVersion")
    artist_id: str | None = None
    release_id: str | None = None
    release_title: str | None = wire("releaseTitle", "eleaseTitle")
    release_version: str | None = None
    release_artist_id: str | None = None
    release_artist: str | None = wire("releaseArtist", "releaseArtistAppearsAs")
    user: str | None = None


SELF_LINK_PATH = "_links.self.href"
"""Where a response has the address of what it shows."""


@aliases("tag")
@frozen(kw_only=True)
class PlaylistTag:
    """A tag of playlists, in the live service's responses.

    Attributes:
        name: The word.
        playlist_position: The playlist's place among those with the tag.
        hidden: Whether it is hidden from users.
    """

    name: str | None = wire("name", ELEMENT_TEXT)
    playlist_position: int | None = None
    hidden: bool | None = None


@frozen(kw_only=True)
class Playlist:
    """An ordered list of tracks.

    Attributes:
        id: The service's id of the playlist.
        name: Its name.
        description: The description; at most 500 characters.
        visibility: Who can see it.
        user_id: The user's id; None for the partner's own.
        track_count: How many tracks are on it.
        tracks: The tracks, as far as the response has them.
        created_at: When it was made.
        modified_at: When it was last changed.
        status: Whether it is published, in the live service's responses, as what follows.
        image: Address of a picture; ``$size$`` in it is to be replaced by a size.
        tags: Its tags.
        annotations: What the partner keeps with it, value by key.
        partner_id: The partner, if a partner owns it.
        url: The playlist's own address in the API.
        details_url: The address of what is said about it, in the live service's responses, as the next.
        tracks_url: The address of its tracks.
        links: The three addresses in old responses of the live service: ``self``, ``details`` and ``tracks``.
    """

    id: str
    name: str | None = None
    description: str | None = None
    visibility: Visibility | str | None = None
    user_id: str | None = None
    track_count: int | None = None
    tracks: tuple[PlaylistTrack, ...] = ()
    created_at: datetime | None = None
    modified_at: datetime | None = wire("modifiedAt", "lastUpdated")
    status: str | None = None
    image: str | None = wire("image", "imageUrl")
    tags: tuple[PlaylistTag, ...] = ()
    annotations: Mapping[str, str] = wire("annotations", default=Factory(dict))
    partner_id: str | None = None
    url: str | None = wire("url", SELF_LINK_PATH)
    details_url: str | None = wire("detailsUrl", "_links.details.href")
    tracks_url: str | None = wire("tracksUrl", "_links.tracks.href")
    links: Mapping[str, str] = field(factory=dict)


@frozen(kw_only=True)
class PlaylistGroup:
    """Some of a user's playlists under one name, in the live service's responses.

    Attributes:
        id: The service's id of the group.
        name: Its name.
        playlist_count: How many playlists are in it.
        playlists: The playlists, as far as the response has them; of those that are gone, the id.
        modified_at: When it was last changed.
        url: The group's own address in the API.
    """

    id: str
    name: str | None = None
    playlist_count: int | None = None
    playlists: tuple[Playlist, ...] = ()
    modified_at: datetime | None = wire("modifiedAt", "lastUpdated")
    url: str | None = wire("url", SELF_LINK_PATH)
