"""Groups of a user's playlists; only the live dialect has them."""

from __future__ import annotations

from ...models import PlaylistGroup
from ..operation import Auth, Operation, ParameterLocation, Safety, parameter
from .binding import REQUIRED_COUNTRY, bind_live_only
from .playlists import LIVE_ONLY_HINT

GROUPS_PATH = "/user/playlists/groups"
GROUP_PATH = f"{GROUPS_PATH}/{{playlistGroupId}}"

GROUP_ID = parameter("playlist_group_id", ParameterLocation.PATH, required=True)
USER_ID = parameter("user_id", required=True)
NAME = parameter("name", ParameterLocation.JSON, required=True)
PLAYLIST_IDS = parameter("playlist_ids", ParameterLocation.JSON, wire="playlists")

LIST_PLAYLIST_GROUPS = Operation(
    id="listPlaylistGroups",
    name="platform.playlists.groups",
    summary="The groups of a user's playlists.",
    auth=Auth.THREE_LEGGED,
    safety=Safety.READ,
    model=PlaylistGroup,
    paged=True,
    instead=LIVE_ONLY_HINT,
    bindings=bind_live_only("GET", GROUPS_PATH, USER_ID, REQUIRED_COUNTRY),
)

CREATE_PLAYLIST_GROUP = Operation(
    id="createPlaylistGroup",
    name="platform.playlists.create_group",
    summary="Make a group of a user's playlists.",
    auth=Auth.THREE_LEGGED,
    safety=Safety.UNSAFE,
    model=PlaylistGroup,
    instead=LIVE_ONLY_HINT,
    bindings=bind_live_only("POST", GROUPS_PATH, NAME, PLAYLIST_IDS, USER_ID, REQUIRED_COUNTRY),
)

READ_PLAYLIST_GROUP = Operation(
    id="readPlaylistGroup",
    name="platform.playlists.group",
    summary="A group with its playlists.",
    auth=Auth.THREE_LEGGED,
    safety=Safety.READ,
    model=PlaylistGroup,
    instead=LIVE_ONLY_HINT,
    bindings=bind_live_only("GET", GROUP_PATH, GROUP_ID, USER_ID, REQUIRED_COUNTRY),
)

ADD_TO_PLAYLIST_GROUP = Operation(
    id="addToPlaylistGroup",
    name="platform.playlists.add_to_group",
    summary="Add playlists to a group.",
    auth=Auth.THREE_LEGGED,
    safety=Safety.UNSAFE,
    model=PlaylistGroup,
    instead=LIVE_ONLY_HINT,
    bindings=bind_live_only(
        "POST",
        GROUP_PATH,
        GROUP_ID,
        parameter("playlist_ids", ParameterLocation.JSON, required=True, wire="playlists"),
        USER_ID,
        REQUIRED_COUNTRY,
    ),
)

REPLACE_PLAYLIST_GROUP = Operation(
    id="replacePlaylistGroup",
    name="platform.playlists.replace_group",
    summary="Put another group in the place of one.",
    auth=Auth.THREE_LEGGED,
    safety=Safety.IDEMPOTENT,
    model=PlaylistGroup,
    instead=LIVE_ONLY_HINT,
    bindings=bind_live_only("PUT", GROUP_PATH, GROUP_ID, NAME, PLAYLIST_IDS, USER_ID, REQUIRED_COUNTRY),
)

DELETE_PLAYLIST_GROUP = Operation(
    id="deletePlaylistGroup",
    name="platform.playlists.delete_group",
    summary="Delete a group; its playlists stay.",
    auth=Auth.THREE_LEGGED,
    safety=Safety.IDEMPOTENT,
    instead=LIVE_ONLY_HINT,
    bindings=bind_live_only("DELETE", GROUP_PATH, GROUP_ID, USER_ID, REQUIRED_COUNTRY),
)
