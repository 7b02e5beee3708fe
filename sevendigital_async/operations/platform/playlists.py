"""Playlists of the partner and of its users."""

from __future__ import annotations

from ...models import Playlist
from ..operation import Auth, Operation, Place, Safety, argument
from .binding import PAGING, bound

PLAYLIST_ID = argument("playlist_id", Place.PATH, required=True)
DESCRIPTION = argument("description", Place.JSON)
VISIBILITY = argument("visibility", Place.JSON)

LIST_PLAYLISTS = Operation(
    id="listPlaylists",
    name="platform.playlists.list",
    summary="The partner's playlists, or those of one user.",
    auth=Auth.TWO_LEGGED,
    safety=Safety.READ,
    model=Playlist,
    paged=True,
    bindings=bound("GET", "/playlists", argument("user_id"), *PAGING),
)

CREATE_PLAYLIST = Operation(
    id="createPlaylist",
    name="platform.playlists.create",
    summary="Make a playlist.",
    auth=Auth.TWO_LEGGED,
    safety=Safety.UNSAFE,
    model=Playlist,
    bindings=bound(
        "POST",
        "/playlists",
        argument("name", Place.JSON, required=True),
        DESCRIPTION,
        VISIBILITY,
        argument("tracks", Place.JSON),
        argument("user_id"),
    ),
)

UPDATE_PLAYLIST_DETAILS = Operation(
    id="updatePlaylistDetails",
    name="platform.playlists.update",
    summary="Change a playlist's name, description or visibility.",
    auth=Auth.TWO_LEGGED,
    safety=Safety.IDEMPOTENT,
    model=Playlist,
    bindings=bound(
        "PUT", "/playlists/{playlistId}", PLAYLIST_ID, argument("name", Place.JSON), DESCRIPTION, VISIBILITY
    ),
)

ADD_TRACKS_TO_PLAYLIST = Operation(
    id="addTracksToPlaylist",
    name="platform.playlists.add_tracks",
    summary="Append tracks to a playlist.",
    auth=Auth.TWO_LEGGED,
    safety=Safety.UNSAFE,
    model=Playlist,
    bindings=bound(
        "POST", "/playlists/{playlistId}/tracks", PLAYLIST_ID, argument("tracks", Place.JSON, required=True)
    ),
)

OPERATIONS = (LIST_PLAYLISTS, CREATE_PLAYLIST, UPDATE_PLAYLIST_DETAILS, ADD_TRACKS_TO_PLAYLIST)
