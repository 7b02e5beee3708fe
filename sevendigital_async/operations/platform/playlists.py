"""Playlists of the partner and of its users."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from ...models import Playlist, PlaylistTag, PlaylistTrack, PlaylistTrackInput
from ..operation import Auth, Operation, Parameter, ParameterLocation, Safety, parameter
from .binding import COUNTRY, LIVE_PAGING, PAGING, REQUIRED_COUNTRY, bind, bind_live_only, live_binding

PLAYLIST_ID = parameter("playlist_id", ParameterLocation.PATH, required=True)
ENTRY_ID = parameter("playlist_track_id", ParameterLocation.PATH, required=True)
DESCRIPTION = parameter("description", ParameterLocation.JSON)
VISIBILITY = parameter("visibility", ParameterLocation.JSON)
STATUS = parameter("status", ParameterLocation.JSON)
USER_ID = parameter("user_id")

FAVOURITE_PATH = "/playlists/{playlistId}/favourites/{userId}"
PATH_USER_ID = parameter("user_id", ParameterLocation.PATH, required=True)

LIVE_ONLY_HINT = "only the live dialect has it"


def _openapi_tracks(tracks: Iterable[object]) -> Sequence[object]:
    """Spell tracks as the OpenAPI file does."""
    return [track.as_wire() if isinstance(track, PlaylistTrackInput) else track for track in tracks]


def _live_tracks(tracks: Iterable[object]) -> Sequence[object]:
    """Spell tracks as the live service does."""
    return [track.as_live_wire() if isinstance(track, PlaylistTrackInput) else track for track in tracks]


def _tag_objects(tags: Iterable[object]) -> Sequence[object]:
    """Spell tags as objects."""
    names = [tag.name if isinstance(tag, PlaylistTag) else tag for tag in tags]
    return [{"name": name} if isinstance(name, str) else name for name in names]


def _tracks_parameter(*, required: bool = False) -> Parameter:
    return parameter("tracks", ParameterLocation.JSON, required=required, write=_live_tracks)


LIVE_PLAYLIST_FIELDS = (
    parameter("image", ParameterLocation.JSON),
    parameter("tags", ParameterLocation.JSON, write=_tag_objects),
    parameter("annotations", ParameterLocation.JSON),
)
"""Fields of the live service that the OpenAPI file lacks."""

PLAYLIST_FILTERS = (parameter("status"), parameter("tags"))

LIST_PLAYLISTS = Operation(
    id="listPlaylists",
    name="platform.playlists.list",
    summary="The partner's playlists, or those of one user.",
    auth=Auth.TWO_LEGGED,
    safety=Safety.READ,
    model=Playlist,
    paged=True,
    bindings=bind(
        "GET",
        "/playlists",
        USER_ID,
        *PAGING,
        live=live_binding(
            "GET",
            "/playlists",
            COUNTRY,
            *LIVE_PAGING,
            *PLAYLIST_FILTERS,
            variants={
                "user_id": live_binding("GET", "/user/playlists", USER_ID, COUNTRY, *LIVE_PAGING, *PLAYLIST_FILTERS)
            },
        ),
    ),
)

CREATE_PLAYLIST = Operation(
    id="createPlaylist",
    name="platform.playlists.create",
    summary="Make a playlist.",
    auth=Auth.TWO_LEGGED,
    safety=Safety.UNSAFE,
    model=Playlist,
    bindings=bind(
        "POST",
        "/playlists",
        parameter("name", ParameterLocation.JSON, required=True),
        DESCRIPTION,
        VISIBILITY,
        parameter("tracks", ParameterLocation.JSON, write=_openapi_tracks),
        USER_ID,
        live=live_binding(
            "POST",
            "/playlists",
            REQUIRED_COUNTRY,
            USER_ID,
            parameter("name", ParameterLocation.JSON, required=True),
            DESCRIPTION,
            STATUS,
            VISIBILITY,
            _tracks_parameter(),
            *LIVE_PLAYLIST_FIELDS,
        ),
    ),
)

# The live response is empty.
UPDATE_PLAYLIST_DETAILS = Operation(
    id="updatePlaylistDetails",
    name="platform.playlists.update",
    summary="Change a playlist's name, description or visibility.",
    auth=Auth.TWO_LEGGED,
    safety=Safety.IDEMPOTENT,
    model=Playlist,
    bindings=bind(
        "PUT",
        "/playlists/{playlistId}",
        PLAYLIST_ID,
        parameter("name", ParameterLocation.JSON),
        DESCRIPTION,
        VISIBILITY,
        live=live_binding(
            "POST",
            "/playlists/{playlistId}/details",
            PLAYLIST_ID,
            REQUIRED_COUNTRY,
            USER_ID,
            parameter("name", ParameterLocation.JSON),
            STATUS,
            VISIBILITY,
            DESCRIPTION,
            *LIVE_PLAYLIST_FIELDS,
            echo={
                "id": "playlist_id",
                "name": "name",
                "description": "description",
                "status": "status",
                "visibility": "visibility",
                "image": "image",
                "tags": "tags",
                "annotations": "annotations",
            },
            location="url",
        ),
    ),
)

ADD_TRACKS_TO_PLAYLIST = Operation(
    id="addTracksToPlaylist",
    name="platform.playlists.add_tracks",
    summary="Append tracks to a playlist.",
    auth=Auth.TWO_LEGGED,
    safety=Safety.UNSAFE,
    model=Playlist,
    bindings=bind(
        "POST",
        "/playlists/{playlistId}/tracks",
        PLAYLIST_ID,
        parameter("tracks", ParameterLocation.JSON, required=True, write=_openapi_tracks),
        live=live_binding(
            "POST",
            "/playlists/{playlistId}/tracks",
            PLAYLIST_ID,
            REQUIRED_COUNTRY,
            USER_ID,
            _tracks_parameter(required=True),
            bare=True,
        ),
    ),
)

READ_PLAYLIST = Operation(
    id="readPlaylist",
    name="platform.playlists.read",
    summary="A playlist with its tracks.",
    auth=Auth.TWO_LEGGED,
    safety=Safety.READ,
    model=Playlist,
    instead=LIVE_ONLY_HINT,
    bindings=bind_live_only("GET", "/playlists/{playlistId}", PLAYLIST_ID, REQUIRED_COUNTRY, USER_ID),
)

READ_PLAYLIST_DETAILS = Operation(
    id="readPlaylistDetails",
    name="platform.playlists.details",
    summary="What is said about a playlist.",
    auth=Auth.TWO_LEGGED,
    safety=Safety.READ,
    model=Playlist,
    instead=LIVE_ONLY_HINT,
    bindings=bind_live_only("GET", "/playlists/{playlistId}/details", PLAYLIST_ID, REQUIRED_COUNTRY, USER_ID),
)

LIST_PLAYLIST_TRACKS = Operation(
    id="listPlaylistTracks",
    name="platform.playlists.tracks",
    summary="What is on a playlist.",
    auth=Auth.TWO_LEGGED,
    safety=Safety.READ,
    model=PlaylistTrack,
    paged=True,
    instead=LIVE_ONLY_HINT,
    bindings=bind_live_only(
        "GET", "/playlists/{playlistId}/tracks", PLAYLIST_ID, *LIVE_PAGING, REQUIRED_COUNTRY, USER_ID
    ),
)

REPLACE_PLAYLIST = Operation(
    id="replacePlaylist",
    name="platform.playlists.replace",
    summary="Put another playlist in the place of one.",
    auth=Auth.TWO_LEGGED,
    safety=Safety.UNSAFE,
    model=Playlist,
    instead=LIVE_ONLY_HINT,
    bindings=bind_live_only(
        "POST",
        "/playlists/{playlistId}",
        PLAYLIST_ID,
        parameter("name", ParameterLocation.JSON),
        DESCRIPTION,
        STATUS,
        VISIBILITY,
        _tracks_parameter(),
        *LIVE_PLAYLIST_FIELDS,
        REQUIRED_COUNTRY,
        USER_ID,
    ),
)

DELETE_PLAYLIST = Operation(
    id="deletePlaylist",
    name="platform.playlists.delete",
    summary="Delete a playlist.",
    auth=Auth.TWO_LEGGED,
    safety=Safety.IDEMPOTENT,
    instead=LIVE_ONLY_HINT,
    bindings=bind_live_only("DELETE", "/playlists/{playlistId}", PLAYLIST_ID, REQUIRED_COUNTRY, USER_ID),
)

MOVE_PLAYLIST_TRACK = Operation(
    id="movePlaylistTrack",
    name="platform.playlists.move_track",
    summary="Move an entry of a playlist to another place.",
    auth=Auth.TWO_LEGGED,
    safety=Safety.UNSAFE,
    model=Playlist,
    instead=LIVE_ONLY_HINT,
    bindings=bind_live_only(
        "POST",
        "/playlists/{playlistId}/tracks/{playlistTrackId}/move",
        PLAYLIST_ID,
        ENTRY_ID,
        parameter("after", ParameterLocation.JSON, wire="pos", default="0"),
        REQUIRED_COUNTRY,
        USER_ID,
    ),
)

REMOVE_PLAYLIST_TRACK = Operation(
    id="removePlaylistTrack",
    name="platform.playlists.remove_track",
    summary="Remove an entry of a playlist.",
    auth=Auth.TWO_LEGGED,
    safety=Safety.IDEMPOTENT,
    instead=LIVE_ONLY_HINT,
    bindings=bind_live_only(
        "DELETE", "/playlists/{playlistId}/tracks/{playlistTrackId}", PLAYLIST_ID, ENTRY_ID, REQUIRED_COUNTRY, USER_ID
    ),
)

LIST_PLAYLIST_TAGS = Operation(
    id="listPlaylistTags",
    name="platform.playlists.tags",
    summary="The tags of the partner's playlists.",
    auth=Auth.TWO_LEGGED,
    safety=Safety.READ,
    model=PlaylistTag,
    paged=True,
    instead=LIVE_ONLY_HINT,
    bindings=bind_live_only("GET", "/playlists/tags", COUNTRY),
)

CREATE_PLAYLIST_TAGS = Operation(
    id="createPlaylistTags",
    name="platform.playlists.create_tags",
    summary="Add tags for playlists.",
    auth=Auth.TWO_LEGGED,
    safety=Safety.UNSAFE,
    model=PlaylistTag,
    paged=True,
    instead=LIVE_ONLY_HINT,
    bindings=bind_live_only(
        "POST",
        "/playlists/tags",
        parameter("tags", ParameterLocation.JSON, required=True, write=_tag_objects),
        COUNTRY,
        echo={"tags": "tags"},
    ),
)

ADD_PLAYLIST_FAVOURITE = Operation(
    id="addPlaylistFavourite",
    name="platform.playlists.add_favourite",
    summary="Make a playlist one of a user's favourites.",
    auth=Auth.TWO_LEGGED,
    safety=Safety.IDEMPOTENT,
    instead=LIVE_ONLY_HINT,
    bindings=bind_live_only("PUT", FAVOURITE_PATH, PLAYLIST_ID, PATH_USER_ID, COUNTRY),
)

REMOVE_PLAYLIST_FAVOURITE = Operation(
    id="removePlaylistFavourite",
    name="platform.playlists.remove_favourite",
    summary="Remove a playlist from a user's favourites.",
    auth=Auth.TWO_LEGGED,
    safety=Safety.IDEMPOTENT,
    instead=LIVE_ONLY_HINT,
    bindings=bind_live_only("DELETE", FAVOURITE_PATH, PLAYLIST_ID, PATH_USER_ID, COUNTRY),
)
