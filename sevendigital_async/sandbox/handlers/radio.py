"""Interactive radio."""

from __future__ import annotations

from typing import Any

from ..answers import Answer, Problem, RefusalError, WithoutEnvelope, invalid_value, not_found
from ..calls import Call
from ..catalogue import CATALOGUE
from ..cdn import manifest_url
from ..recordings import STREAM_FORMAT, recording
from ..state.radio import SKIPS_BY_RULESET, Session
from .platform_trees import track_tree
from .request_fields import (
    check_items,
    field_problem,
    is_iso_time,
    is_text,
    iso_time,
    optional_choice,
    optional_country,
    required_list,
    required_text,
)

DEFAULT_RULESET = "dmca"
EVENTS = ("start", "complete", "skip", "pause", "resume")

_EVENT_FIELDS = {
    "trackId": is_text,
    "eventType": lambda value: value in EVENTS,
    "timestamp": is_iso_time,
    "durationPlayed": lambda value: type(value) is int and value >= 0,
}
_REQUIRED = ("trackId", "eventType", "timestamp")


def create_session(call: Call) -> Answer:
    """Begin a session that plays the tracks of some playlists in order."""
    user, ruleset = (
        required_text(call, "user_id", "userId"),
        optional_choice(call, "ruleset", "ruleset", tuple(SKIPS_BY_RULESET)),
    )
    optional_country(call)
    session = call.state.radio.create(
        user=user, ruleset=ruleset or DEFAULT_RULESET, track_ids=_track_ids(call), now=call.utc_now
    )
    tree = {
        "sessionId": session.id,
        "userId": session.user,
        "ruleset": session.ruleset,
        "skipsRemaining": session.skips_remaining,
        "createdAt": iso_time(session.created_at),
    }
    return Answer(status=201, content=WithoutEnvelope(tree))


def delete_session(call: Call) -> Answer:
    call.state.radio.delete(_session(call).id)
    return Answer(status=204)


def next_track(call: Call) -> Answer:
    session = _session(call)
    track = CATALOGUE.tracks[session.next_track()]
    ticket = call.state.media_access.issue_ticket(recording(track, STREAM_FORMAT, attachment=False), call.now)
    tree = {
        "track": track_tree(track),
        "streamUrl": manifest_url(call.origin, ticket),
        "skipAllowed": session.skips_remaining > 0,
    }
    return Answer(content=WithoutEnvelope(tree))


def post_events(call: Call) -> Answer:
    """Save the listener's events: all, or none if the listener has too few skips."""
    session = _session(call)
    skips_left = session.skips_remaining

    def problem(event: Any) -> tuple[int, str] | None:
        nonlocal skips_left
        found = field_problem(event, _EVENT_FIELDS, _REQUIRED)
        if found is not None:
            return found
        if event["trackId"] not in session.track_ids:
            return 2001, "The session does not play that track"
        if event["eventType"] == "skip":
            skips_left -= 1
            return (2002, "No skips are left") if skips_left < 0 else None
        return None

    check_items(required_list(call, "events", "events"), problem)
    session.skips_remaining = skips_left
    return Answer(status=202)


HANDLERS = {
    "platform.radio.create_session": create_session,
    "platform.radio.delete_session": delete_session,
    "platform.radio.next_track": next_track,
    "platform.radio.post_events": post_events,
}


def _session(call: Call) -> Session:
    session = call.state.radio.find(call.arguments["session_id"].lower())
    if session is None:
        raise not_found("session")
    return session


def _track_ids(call: Call) -> list[str]:
    track_ids: list[str] = []
    for playlist_id in required_list(call, "playlist_ids", "playlistIds"):
        if not isinstance(playlist_id, str):
            raise invalid_value("playlistIds", "a list of texts")
        playlist = call.state.playlists.find(playlist_id)
        if playlist is None:
            raise not_found("playlist")
        track_ids += [entry.track["trackId"] for entry in playlist.entries]
    playable = [track_id for track_id in track_ids if track_id in CATALOGUE.tracks]
    if not playable:
        raise RefusalError(404, Problem(2002, "Nothing on these playlists can be played"))
    return playable
