"""Playlists."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from attrs import evolve

from ..answers import Answer, Bare, Tree, unknown
from ..calls import Call
from ..state.playlists import Entry, Playlist
from .bodies import all_valid, field_problem, is_text, listed, needed, stamp, text, word

MAX_DESCRIPTION = 500
VISIBILITIES = ("private", "public")

_TRACK_FIELDS = dict.fromkeys(("trackId", "title", "artist", "source", "audioUrl", "image"), is_text)
_REQUIRED = ("trackId", "title", "artist")


def list_(call: Call) -> Answer:
    return Answer(content=call.page_of("playlist", call.state.playlists.of(text(call, "user_id", "userId")), _tree))


def create(call: Call) -> Answer:
    name = needed(call, "name", "name")
    description, visibility = _description(call), _visibility(call)
    tracks = _tracks(call) if "tracks" in call.arguments else ()
    playlist = call.state.playlists.create(
        name=name,
        description=description or "",
        visibility=visibility or "private",
        user=text(call, "user_id", "userId"),
        now=call.moment,
    )
    return Answer(status=201, content=_kept(call, playlist.extended(tracks, call.moment)))


def update(call: Call) -> Answer:
    playlist = find(call)
    name, description, visibility = text(call, "name", "name"), _description(call), _visibility(call)
    changed = evolve(
        playlist,
        name=name or playlist.name,
        description=playlist.description if description is None else description,
        visibility=visibility or playlist.visibility,
        modified_at=call.moment,
    )
    return Answer(content=_kept(call, changed))


def add_tracks(call: Call) -> Answer:
    """Append tracks to a playlist: all of them, or none if one is invalid."""
    playlist = find(call)
    return Answer(content=_kept(call, playlist.extended(_tracks(call), call.moment)))


HANDLERS = {
    "platform.playlists.list": list_,
    "platform.playlists.create": create,
    "platform.playlists.update": update,
    "platform.playlists.add_tracks": add_tracks,
}


def _kept(call: Call, playlist: Playlist) -> Bare:
    return Bare(_tree(call.state.playlists.keep(playlist)))


def find(call: Call) -> Playlist:
    """Return the playlist that a request is about."""
    playlist = call.state.playlists.find(call.arguments["playlist_id"])
    if playlist is None:
        raise unknown("playlist")
    return playlist


def _description(call: Call) -> str | None:
    return text(call, "description", "description", most=MAX_DESCRIPTION)


def _visibility(call: Call) -> str | None:
    return word(call, "visibility", "visibility", VISIBILITIES)


def _tracks(call: Call) -> Sequence[Mapping[str, str]]:
    if call.arguments["tracks"] == []:
        return ()
    return all_valid(listed(call, "tracks", "tracks"), _problem)


def _problem(track: Any) -> tuple[int, str] | None:
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
        "createdAt": stamp(playlist.created_at),
        "modifiedAt": stamp(playlist.modified_at),
    }


def _entry_tree(entry: Entry) -> Tree:
    return {"source": "7digital", **entry.track, "position": entry.position, "addedAt": stamp(entry.added_at)}
