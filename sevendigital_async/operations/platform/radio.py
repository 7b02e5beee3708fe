"""Interactive radio: listening sessions that keep to a set of rules."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ...config import Host
from ...errors import InvalidArgumentError
from ...models import PlaybackEvent, PlaybackEventType, RadioSession, RadioTrack
from ..operation import Auth, Binding, Operation, Parameter, ParameterLocation, Safety, country_parameter, parameter
from .binding import bind, live_binding

SESSION_ID = parameter("session_id", ParameterLocation.PATH, required=True)
USER_ID = parameter("user_id", ParameterLocation.JSON, required=True)
PLAYLIST_IDS = parameter("playlist_ids", ParameterLocation.JSON, required=True)
RULESET = parameter("ruleset", ParameterLocation.JSON)
COUNTRY = country_parameter(ParameterLocation.JSON)


def _session_binding(http_method: str, path: str, *arguments: Parameter, **more: Any) -> Binding:
    session_id = parameter("session_id", ParameterLocation.PATH, required=True, wire="listeningSessionId")
    return live_binding(
        http_method, f"/listeningSession/{{listeningSessionId}}{path}", session_id, *arguments, host=Host.RADIO, **more
    )


START_EVENT = "playStarted"
"""The live service's name of a track's beginning; the only event name on its pages."""


def _events_body(events: Sequence[object]) -> Sequence[object]:
    """Refuse events that say what the OpenAPI file has no place for."""
    for event in events:
        if isinstance(event, PlaybackEvent) and (event.playlist_id is not None or event.format_id is not None):
            name = "playlist_id" if event.playlist_id is not None else "format_id"
            raise InvalidArgumentError(f"{name} of an event does not exist in the openapi dialect", argument="events")
    return events


def _event_body(events: Sequence[object]) -> Mapping[str, object]:
    """Return the parameters of a live request, which carries one event."""
    if len(events) != 1:
        raise InvalidArgumentError(
            f"in the live dialect, a request has one event, not {len(events)}; call once for each event",
            argument="events",
        )
    [event] = events
    if not isinstance(event, PlaybackEvent):
        raise InvalidArgumentError("events must be PlaybackEvent objects", argument="events")
    if event.duration_played is not None:
        raise InvalidArgumentError("duration_played of an event does not exist in the live dialect", argument="events")
    word = START_EVENT if event.event_type == PlaybackEventType.START else str(event.event_type)
    if word == START_EVENT and event.format_id is None:
        raise InvalidArgumentError("a start event needs a format_id", argument="events")
    parameters = {"track_id": event.track_id, "playlist_id": event.playlist_id, "format_id": event.format_id}
    return {"event": word} | {name: value for name, value in parameters.items() if value is not None}


CREATE_INTERACTIVE_RADIO_SESSION = Operation(
    id="createInteractiveRadioSession",
    name="platform.radio.create_session",
    summary="Begin a listening session of one user.",
    auth=Auth.TWO_LEGGED,
    safety=Safety.UNSAFE,
    model=RadioSession,
    bindings=bind(
        "POST",
        "/interactive-radio/sessions",
        USER_ID,
        PLAYLIST_IDS,
        RULESET,
        COUNTRY,
        live=live_binding("POST", "/listeningSession/start", USER_ID, PLAYLIST_IDS, RULESET, COUNTRY, host=Host.RADIO),
    ),
)

DELETE_INTERACTIVE_RADIO_SESSION = Operation(
    id="deleteInteractiveRadioSession",
    name="platform.radio.delete_session",
    summary="End a listening session.",
    auth=Auth.TWO_LEGGED,
    safety=Safety.IDEMPOTENT,
    bindings=bind("DELETE", "/interactive-radio/sessions/{sessionId}", SESSION_ID, live=_session_binding("DELETE", "")),
)

# A GET, but one that moves the session on: who asks twice may have passed over a track.
GET_INTERACTIVE_RADIO_NEXT_TRACK = Operation(
    id="getInteractiveRadioNextTrack",
    name="platform.radio.next_track",
    summary="The track that the session plays next.",
    auth=Auth.TWO_LEGGED,
    safety=Safety.UNSAFE,
    model=RadioTrack,
    bindings=bind(
        "GET",
        "/interactive-radio/sessions/{sessionId}/next-track",
        SESSION_ID,
        live=_session_binding("GET", "/nextTrack"),
    ),
)

POST_INTERACTIVE_RADIO_PLAYBACK_EVENTS = Operation(
    id="postInteractiveRadioPlaybackEvents",
    name="platform.radio.post_events",
    summary="Report what the listener did.",
    auth=Auth.TWO_LEGGED,
    safety=Safety.UNSAFE,
    bindings=bind(
        "POST",
        "/interactive-radio/sessions/{sessionId}/events",
        SESSION_ID,
        parameter("events", ParameterLocation.JSON, required=True, write=_events_body),
        live=_session_binding(
            "POST",
            "/{event}",
            parameter("event", ParameterLocation.PATH, required=True),
            parameter("track_id", required=True),
            parameter("playlist_id", required=True),
            parameter("format_id"),
            spread={"events": _event_body},
        ),
    ),
)
