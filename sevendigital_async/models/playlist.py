"""Playlists."""

from __future__ import annotations

import enum
from datetime import datetime

from attrs import field, frozen
from attrs.validators import optional

from . import scalars
from .wire import called, wire


class Visibility(enum.StrEnum):
    """Who can see a playlist; anything else stays text."""

    PRIVATE = "private"
    PUBLIC = "public"


LIVE_NAMES = {"title": "trackTitle", "artist": "artistAppearsAs"}
"""What the live service calls some of what is said about a track."""


@frozen
class PlaylistTrackInput:
    """A track to be put on a playlist, checked when it is made. The service keeps the fields as they are sent.

    Attributes:
        track_id: The catalogue's id of the track, or that of the place it comes from.
        title: Its title.
        artist: Whose it is.
        source: Where the file comes from; ``7digital`` if left out.
        audio_url: Where the file is, if somewhere else.
        image: Address of a picture.

    Raises:
        InvalidArgumentError: A field is not what it should be; the error names it.
    """

    track_id: str = field(validator=scalars.require_text)
    title: str = field(validator=scalars.require_text)
    artist: str = field(validator=scalars.require_text)
    source: str | None = field(default=None, validator=optional(scalars.require_text))
    audio_url: str | None = field(default=None, validator=optional(scalars.require_text))
    image: str | None = field(default=None, validator=optional(scalars.require_text))

    def as_wire(self) -> dict[str, str]:
        """Return the track as the JSON object that the service takes."""
        wire = {
            "trackId": self.track_id,
            "title": self.title,
            "artist": self.artist,
            "source": self.source,
            "audioUrl": self.audio_url,
            "image": self.image,
        }
        return {name: value for name, value in wire.items() if value is not None}

    def as_live_wire(self) -> dict[str, str]:
        """Return the track as the live service takes it, which has other names for some of it."""
        return {LIVE_NAMES.get(name, name): value for name, value in self.as_wire().items()}


@called("track")
@frozen(kw_only=True)
class PlaylistTrack:
    """A track as it stands on a playlist.

    Attributes:
        id: The entry's own id, in the live service's answers: the same track may be on a playlist twice.
        track_id: The catalogue's id of the track, or that of the place it comes from.
        title: Its title.
        artist: Whose it is.
        source: Where the file comes from.
        audio_url: Where the file is, if not with the service.
        image: Address of a picture.
        position: Its place, from one.
        added_at: Since when it is there.
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


@frozen(kw_only=True)
class Playlist:
    """An ordered list of tracks.

    Attributes:
        id: The service's id of the playlist.
        name: What people call it.
        description: What it is about; at most 500 characters.
        visibility: Who can see it.
        user_id: Whose it is; None for the partner's own.
        track_count: How many tracks are on it.
        tracks: The tracks, as far as the answer has them.
        created_at: When it was made.
        modified_at: When it was last changed.
        status: Whether it is published, in the live service's answers.
        image: Address of a picture, in the live service's answers; ``$size$`` in it stands for a size.
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


@frozen(kw_only=True)
class PlaylistGroup:
    """Some of a user's playlists under one name, in the live service's answers.

    Attributes:
        id: The service's id of the group.
        name: What people call it.
        playlist_count: How many playlists are in it.
        playlists: The playlists, as far as the answer has them; of those that are gone, the id.
        modified_at: When it was last changed.
    """

    id: str
    name: str | None = None
    playlist_count: int | None = None
    playlists: tuple[Playlist, ...] = ()
    modified_at: datetime | None = wire("modifiedAt", "lastUpdated")
