"""Interactive radio: sessions, what they play, and what the listener does."""

from __future__ import annotations

import enum
from datetime import datetime

from attrs import NOTHING, field, frozen
from attrs.validators import optional

from .catalogue import Track
from .stream_log import wire_time
from .wire import aliases, require_aware_datetime, require_seconds, require_text, wire


class Ruleset(enum.StrEnum):
    """The rules of a session; anything else stays text."""

    DMCA = "dmca"
    GVL = "gvl"
    CUSTOM = "custom"


class PlaybackEventType(enum.StrEnum):
    """What a listener can do with a track."""

    START = "start"
    COMPLETE = "complete"
    SKIP = "skip"
    PAUSE = "pause"
    RESUME = "resume"


@aliases("listeningSession", "session")
@frozen(kw_only=True)
class RadioSession:
    """One user's listening session.

    Attributes:
        session_id: The id for the other calls.
        user_id: Who listens.
        ruleset: The rules that decide what may be played and skipped.
        skips_remaining: How many tracks may still be passed over.
        created_at: When it began.
    """

    session_id: str = wire("sessionId", "listeningSessionId", "id", default=NOTHING)
    user_id: str | None = None
    ruleset: Ruleset | str | None = None
    skips_remaining: int | None = None
    created_at: datetime | None = None


@frozen(kw_only=True)
class RadioTrack:
    """What a session plays next.

    Attributes:
        track: The track.
        stream_url: Where to stream it; it may hold a signature, so it stays out of the repr.
        skip_allowed: Whether the listener may pass it over.
    """

    track: Track | None = None
    stream_url: str | None = wire("streamUrl", repr=False)
    skip_allowed: bool | None = None


@frozen
class PlaybackEvent:
    """An event of a listener; checked when created.

    Attributes:
        track_id: The track.
        event_type: What was done.
        timestamp: When; timezone-aware.
        duration_played: Whole seconds of the track that had been played; not in the live dialect.
        playlist_id: The playlist that the track is on; only in the live dialect, which requires it.
        format_id: The format that is streamed; only in the live dialect, which requires it for start events.

    Raises:
        InvalidArgumentError: A field is invalid; the error names it.
    """

    track_id: str = field(validator=require_text)
    event_type: PlaybackEventType | str = field(validator=require_text)
    timestamp: datetime = field(validator=require_aware_datetime)
    duration_played: int | None = field(default=None, validator=optional(require_seconds))
    playlist_id: str | None = field(default=None, validator=optional(require_text))
    format_id: str | None = field(default=None, validator=optional(require_text))

    def as_wire(self) -> dict[str, str | int]:
        """Return the event as the JSON object that the service takes."""
        wire: dict[str, str | int] = {
            "trackId": self.track_id,
            "eventType": str(self.event_type),
            "timestamp": wire_time(self.timestamp),
        }
        if self.duration_played is not None:
            wire["durationPlayed"] = self.duration_played
        return wire
