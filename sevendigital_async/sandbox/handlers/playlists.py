"""Playlists."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from attrs import evolve

from ..answers import Answer, Tree, WithoutEnvelope, not_found
from ..calls import Call
from ..state.playlists import Playlist, PlaylistEntry
from .request_fields import (
    check_items,
    field_problem,
    is_text,
    iso_time,
    optional_choice,
    optional_text,
    required_list,
    required_text,
)

MAX_DESCRIPTION = 500
VISIBILITIES = ("private", "public")

_TRACK_FIELDS = dict.fromkeys(("trackId", "title", "artist", "source", "audioUrl", "image"), is_text)
_REQUIRED = ("trackId", "title", "artist")


def list_(call: Call) -> Answer:
    return Answer(
        content=call.page_of("playlist", call.state.playlists.of(optional_text(call, "user_id", "userId")), _tree)
    )


def create(call: Call) -> Answer:
    name = required_text(call, "name", "name")
    description, visibility = _description(call), _visibility(call)
    tracks = _tracks(call) if "tracks" in call.arguments else ()
    playlist = call.state.playlists.create(
        name=name,
        description=description or "",
        visibility=visibility or "private",
        user=optional_text(call, "user_id", "userId"),
        now=call.utc_now,
    )
    return Answer(status=201, content=_save(call, playlist.with_tracks(tracks, call.utc_now)))


def update(call: Call) -> Answer:
    playlist = find_playlist(call)
    name, description, visibility = optional_text(call, "name", "name"), _description(call), _visibility(call)
    changed = evolve(
        playlist,
        name=name or playlist.name,
        description=playlist.description if description is None else description,
        visibility=visibility or playlist.visibility,
        modified_at=call.utc_now,
    )
    return Answer(content=_save(call, changed))


def add_tracks(call: Call) -> Answer:
    """Append tracks to a playlist: all of them, or none if one is invalid."""
    playlist = find_playlist(call)
    return Answer(content=_save(call, playlist.with_tracks(_tracks(call), call.utc_now)))


HANDLERS = {
    "platform.playlists.list": list_,
    "platform.playlists.create": create,
    "platform.playlists.update": update,
    "platform.playlists.add_tracks": add_tracks,
}


def _save(call: Call, playlist: Playlist) -> WithoutEnvelope:
    return WithoutEnvelope(_tree(call.state.playlists.save(playlist)))


def find_playlist(call: Call) -> Playlist:
    """Return the playlist that a request is about."""
    playlist = call.state.playlists.find(call.arguments["playlist_id"])
    if playlist is None:
        raise not_found("playlist")
    return playlist


def _description(call: Call) -> str | None:
    return optional_text(call, "description", "description", most=MAX_DESCRIPTION)


def _visibility(call: Call) -> str | None:
    return optional_choice(call, "visibility", "visibility", VISIBILITIES)


def _tracks(call: Call) -> Sequence[Mapping[str, str]]:
    if call.arguments["tracks"] == []:
        return ()
    return check_items(required_list(call, "tracks", "tracks"), _track_problem)


def _track_problem(track: Any) -> tuple[int, str] | None:
    return field_problem(track, _TRACK_FIELDS, _REQUIRED)


def _tree(playlist: Playlist) -> Tree:
    return {
        "id": playlist.id,
        "name": playlist.name,
        "description": playlist.description,
        "visibility": playlist.visibility,
        "userId": playlist.user,
        "trackCount": len(playlist.entries),
        "tracks": [_entry_tree(entry) for entry in playlist.entries],
        "createdAt": iso_time(playlist.created_at),
        "modifiedAt": iso_time(playlist.modified_at),
    }


def _entry_tree(entry: PlaylistEntry) -> Tree:
    return {"source": "7digital", **entry.track, "position": entry.position, "addedAt": iso_time(entry.added_at)}
