"""Playlists and playlist groups of the live dialect."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from attrs import evolve

from ..answers import Answer, Page, Tree, WithoutEnvelope, invalid_value, not_found
from ..calls import Call
from ..state.playlist_groups import Group
from ..state.playlists import Playlist, PlaylistEntry
from . import playlists
from .request_fields import (
    check_items,
    field_problem,
    is_text,
    iso_time,
    optional_country,
    optional_text,
    required_list,
    required_text,
)
from .request_user import named_user

_TRACK_FIELDS = dict.fromkeys(
    (
        "trackId",
        "trackTitle",
        "trackVersion",
        "artistId",
        "artistAppearsAs",
        "releaseId",
        "releaseTitle",
        "releaseVersion",
        "releaseArtistId",
        "releaseArtistAppearsAs",
        "source",
        "audioUrl",
        "image",
    ),
    is_text,
)
_OPENAPI_NAMES = {"trackTitle": "title", "artistAppearsAs": "artist"}
_MAX_TRACKS_PER_PAGE = 500
_FRONT_POSITION = "0"


def list_(call: Call) -> Answer:
    optional_country(call)
    user = call.arguments.get("user_id")
    status, tags = call.arguments.get("status"), call.arguments.get("tags", "")
    wanted = {tag for tag in tags.split(",") if tag}
    found = [
        each
        for each in call.state.playlists.of(user)
        if each.user == user and status in {None, each.status} and wanted <= set(each.tags)
    ]
    return Answer(content=call.page_of("playlist", found, _summary))


def create(call: Call) -> Answer:
    optional_country(call)
    playlist = call.state.playlists.create(
        name=required_text(call, "name", "name"),
        description=optional_text(call, "description", "description") or "",
        visibility=optional_text(call, "visibility", "visibility") or "private",
        user=optional_text(call, "user_id", "userId"),
        now=call.utc_now,
    )
    status = optional_text(call, "status", "status") or playlist.status
    described = _with_details(call, evolve(playlist, status=status))
    return _save(call, described.with_tracks(_tracks(call), call.utc_now))


def update(call: Call) -> Answer:
    """Change the given fields of a playlist, and return only its location."""
    playlist = _with_changes(call, playlists.find_playlist(call))
    call.state.playlists.save(playlist)
    return Answer(headers={"Location": f"{call.origin}/1.2/playlists/{playlist.id}"})


def replace(call: Call) -> Answer:
    emptied = _with_changes(call, playlists.find_playlist(call)).with_entries((), call.utc_now)
    return _save(call, emptied.with_tracks(_tracks(call), call.utc_now))


def read(call: Call) -> Answer:
    return Answer(content=WithoutEnvelope({"playlist": _tree(playlists.find_playlist(call))}))


def details(call: Call) -> Answer:
    return Answer(content=WithoutEnvelope({"playlist": _summary(playlists.find_playlist(call))}))


def delete(call: Call) -> Answer:
    call.state.playlists.remove(playlists.find_playlist(call))
    return Answer()


def list_tracks(call: Call) -> Answer:
    entries = playlists.find_playlist(call).entries
    number = call.whole_number("page", 1, least=1)
    size = call.whole_number("page_size", 10, least=1, most=_MAX_TRACKS_PER_PAGE)
    cut = [_entry_tree(entry) for entry in entries[(number - 1) * size : number * size]]
    return Answer(content=Page(noun="track", items=cut, number=number, size=size, total=len(entries)))


def add_tracks(call: Call) -> Answer:
    """Append tracks to a playlist: all of them, or none if one is invalid."""
    return _save(call, playlists.find_playlist(call).with_tracks(_tracks(call), call.utc_now))


def remove_track(call: Call) -> Answer:
    playlist, entry = _find_entry(call)
    _save(call, playlist.with_entries((each for each in playlist.entries if each is not entry), call.utc_now))
    return Answer()


def move_track(call: Call) -> Answer:
    """Move an entry behind another one, or to the front."""
    playlist, entry = _find_entry(call)
    others = [each for each in playlist.entries if each is not entry]
    after = call.arguments["after"]
    place = 0 if after == _FRONT_POSITION else next((n for n, each in enumerate(others, 1) if each.id == after), None)
    if place is None:
        raise invalid_value("pos", "0, or the id of another track of the playlist")
    return _save(call, playlist.with_entries((*others[:place], entry, *others[place:]), call.utc_now))


def list_tags(call: Call) -> Answer:
    optional_country(call)
    return Answer(content=WithoutEnvelope({"tags": [{"name": name} for name in call.state.playlists.tags]}))


def create_tags(call: Call) -> Answer:
    optional_country(call)
    names = _tag_names(call.arguments.get("tags"))
    call.state.playlists.add_tags(names)
    return Answer(content=WithoutEnvelope({"tags": [{"name": name} for name in names]}))


def add_favourite(call: Call) -> Answer:
    playlist = playlists.find_playlist(call)
    call.state.playlists.save(evolve(playlist, favourite_of=playlist.favourite_of | {named_user(call)}))
    return Answer()


def remove_favourite(call: Call) -> Answer:
    playlist, user = playlists.find_playlist(call), named_user(call)
    if user not in playlist.favourite_of:
        raise not_found("favourite")
    call.state.playlists.save(evolve(playlist, favourite_of=playlist.favourite_of - {user}))
    return Answer()


def list_groups(call: Call) -> Answer:
    groups = call.state.playlist_groups.of(named_user(call))
    return Answer(content=WithoutEnvelope({"playlistGroups": [_group_tree(call, group) for group in groups]}))


def create_group(call: Call) -> Answer:
    group = call.state.playlist_groups.create(
        name=required_text(call, "name", "name"),
        user=named_user(call),
        playlist_ids=_playlist_ids(call),
        now=call.utc_now,
    )
    return _group_answer(call, group)


def read_group(call: Call) -> Answer:
    return _group_answer(call, _find_group(call))


def add_to_group(call: Call) -> Answer:
    group = _find_group(call)
    changed = evolve(group, playlist_ids=(*group.playlist_ids, *_playlist_ids(call)), modified_at=call.utc_now)
    return _group_answer(call, call.state.playlist_groups.save(changed))


def replace_group(call: Call) -> Answer:
    name, playlist_ids = required_text(call, "name", "name"), tuple(_playlist_ids(call))
    changed = evolve(_find_group(call), name=name, playlist_ids=playlist_ids, modified_at=call.utc_now)
    return _group_answer(call, call.state.playlist_groups.save(changed))


def delete_group(call: Call) -> Answer:
    call.state.playlist_groups.remove(_find_group(call))
    return Answer()


HANDLERS = {
    "platform.playlists.list": list_,
    "platform.playlists.create": create,
    "platform.playlists.update": update,
    "platform.playlists.add_tracks": add_tracks,
    "platform.playlists.read": read,
    "platform.playlists.details": details,
    "platform.playlists.tracks": list_tracks,
    "platform.playlists.replace": replace,
    "platform.playlists.delete": delete,
    "platform.playlists.move_track": move_track,
    "platform.playlists.remove_track": remove_track,
    "platform.playlists.tags": list_tags,
    "platform.playlists.create_tags": create_tags,
    "platform.playlists.add_favourite": add_favourite,
    "platform.playlists.remove_favourite": remove_favourite,
    "platform.playlists.groups": list_groups,
    "platform.playlists.create_group": create_group,
    "platform.playlists.group": read_group,
    "platform.playlists.add_to_group": add_to_group,
    "platform.playlists.replace_group": replace_group,
    "platform.playlists.delete_group": delete_group,
}


def _save(call: Call, playlist: Playlist) -> Answer:
    return Answer(content=WithoutEnvelope({"playlist": _tree(call.state.playlists.save(playlist))}))


def _with_changes(call: Call, playlist: Playlist) -> Playlist:
    sent = {name: optional_text(call, name, name) for name in ("name", "description", "visibility", "status")}
    changes: dict[str, Any] = {name: value for name, value in sent.items() if value is not None}
    return _with_details(call, evolve(playlist, **changes, modified_at=call.utc_now))


def _with_details(call: Call, playlist: Playlist) -> Playlist:
    """Return the playlist with the picture, the tags and the annotations that were sent."""
    changes: dict[str, Any] = {}
    if (image := optional_text(call, "image", "image")) is not None:
        changes["image"] = image
    if "tags" in call.arguments:
        changes["tags"] = tuple(_tag_names(call.arguments["tags"]))
        call.state.playlists.add_tags(changes["tags"])
    if "annotations" in call.arguments:
        annotations = call.arguments["annotations"]
        if not isinstance(annotations, dict) or not all(isinstance(value, str) for value in annotations.values()):
            raise invalid_value("annotations", "an object of texts")
        changes["annotations"] = annotations
    return evolve(playlist, **changes)


def _tag_names(tags: Any) -> Sequence[str]:
    if not isinstance(tags, list) or not all(isinstance(tag, dict) and is_text(tag.get("name")) for tag in tags):
        raise invalid_value("tags", "a list of objects with a name")
    return [tag["name"] for tag in tags]


def _tracks(call: Call) -> Sequence[Mapping[str, str]]:
    if call.arguments.get("tracks", []) == []:
        return ()
    tracks = check_items(
        required_list(call, "tracks", "tracks"), lambda track: field_problem(track, _TRACK_FIELDS, ("trackId",))
    )
    return [{_OPENAPI_NAMES.get(name, name): value for name, value in track.items()} for track in tracks]


def _find_entry(call: Call) -> tuple[Playlist, PlaylistEntry]:
    playlist = playlists.find_playlist(call)
    entry = next((each for each in playlist.entries if each.id == call.arguments["playlist_track_id"]), None)
    if entry is None:
        raise not_found("track")
    return playlist, entry


def _playlist_ids(call: Call) -> Sequence[str]:
    if call.arguments.get("playlist_ids", []) == []:
        return []
    return [str(each) for each in required_list(call, "playlist_ids", "playlists")]


def _find_group(call: Call) -> Group:
    group = call.state.playlist_groups.find(named_user(call), call.arguments["playlist_group_id"])
    if group is None:
        raise not_found("playlistGroup")
    return group


def _summary(playlist: Playlist) -> Tree:
    return {
        "id": playlist.id,
        "name": playlist.name,
        "description": playlist.description,
        "status": playlist.status,
        "visibility": playlist.visibility.capitalize(),
        "trackCount": len(playlist.entries),
        "image": playlist.image,
        "tags": [{"name": tag, "playlistPosition": 0, "hidden": False} for tag in playlist.tags],
        "annotations": playlist.annotations,
        "partnerId": "1",
        "lastUpdated": iso_time(playlist.modified_at),
    }


def _tree(playlist: Playlist) -> Tree:
    return {**_summary(playlist), "tracks": [_entry_tree(entry) for entry in playlist.entries]}


def _entry_tree(entry: PlaylistEntry) -> Tree:
    names = {name: wire for wire, name in _OPENAPI_NAMES.items()}
    track = {names.get(name, name): value for name, value in entry.track.items()}
    return {"id": entry.id, "source": "7digital", **track, "dateAdded": iso_time(entry.added_at), "image": ""}


def _group_answer(call: Call, group: Group) -> Answer:
    return Answer(content=WithoutEnvelope({"playlistGroup": _group_tree(call, group)}))


def _group_tree(call: Call, group: Group) -> Tree:
    found = [call.state.playlists.find(playlist_id) for playlist_id in group.playlist_ids]
    return {
        "id": group.id,
        "name": group.name,
        "playlistCount": len(group.playlist_ids),
        "lastUpdated": iso_time(group.modified_at),
        "_links": {"self": {"href": f"{call.origin}/1.2/user/playlists/groups/{group.id}"}},
        "playlists": [_summary(playlist) for playlist in found if playlist is not None],
    }
