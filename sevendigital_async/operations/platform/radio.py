"""Interactive radio: listening sessions that keep to a set of rules."""

from __future__ import annotations

from ...models import RadioSession, RadioTrack
from ..operation import Auth, Operation, Place, Safety, argument
from .binding import bound

SESSION_ID = argument("session_id", Place.PATH, required=True)

CREATE_INTERACTIVE_RADIO_SESSION = Operation(
    id="createInteractiveRadioSession",
    name="platform.radio.create_session",
    summary="Begin a listening session of one user.",
    auth=Auth.TWO_LEGGED,
    safety=Safety.UNSAFE,
    model=RadioSession,
    bindings=bound(
        "POST",
        "/interactive-radio/sessions",
        argument("user_id", Place.JSON, required=True),
        argument("playlist_ids", Place.JSON, required=True),
        argument("ruleset", Place.JSON),
        argument("country", Place.JSON),
    ),
)

DELETE_INTERACTIVE_RADIO_SESSION = Operation(
    id="deleteInteractiveRadioSession",
    name="platform.radio.delete_session",
    summary="End a listening session.",
    auth=Auth.TWO_LEGGED,
    safety=Safety.IDEMPOTENT,
    bindings=bound("DELETE", "/interactive-radio/sessions/{sessionId}", SESSION_ID),
)

# A GET, but one that moves the session on: who asks twice may have passed over a track.
GET_INTERACTIVE_RADIO_NEXT_TRACK = Operation(
    id="getInteractiveRadioNextTrack",
    name="platform.radio.next_track",
    summary="The track that the session plays next.",
    auth=Auth.TWO_LEGGED,
    safety=Safety.UNSAFE,
    model=RadioTrack,
    bindings=bound("GET", "/interactive-radio/sessions/{sessionId}/next-track", SESSION_ID),
)

POST_INTERACTIVE_RADIO_PLAYBACK_EVENTS = Operation(
    id="postInteractiveRadioPlaybackEvents",
    name="platform.radio.post_events",
    summary="Tell what the listener did.",
    auth=Auth.TWO_LEGGED,
    safety=Safety.UNSAFE,
    bindings=bound(
        "POST",
        "/interactive-radio/sessions/{sessionId}/events",
        SESSION_ID,
        argument("events", Place.JSON, required=True),
    ),
)

OPERATIONS = (
    CREATE_INTERACTIVE_RADIO_SESSION,
    DELETE_INTERACTIVE_RADIO_SESSION,
    GET_INTERACTIVE_RADIO_NEXT_TRACK,
    POST_INTERACTIVE_RADIO_PLAYBACK_EVENTS,
)
