"""A play as it is reported to the logging endpoints: the value, its checks, its bytes."""

from __future__ import annotations

import enum
from datetime import UTC, datetime, timedelta
from typing import Any, Self, TypeVar

import orjson
from attrs import define

from ..errors import InvalidLogError

T = TypeVar("T")

WINDOW = timedelta(days=61)
"""Plays older than this are refused by the service."""

CLOCK_TOLERANCE = timedelta(minutes=2)
"""How far ahead of this machine's clock a play's timestamp may be."""

MAX_TEXT = 255
"""Characters of an id; the service documents this for user ids."""


class LogKind(enum.StrEnum):
    """The three ways a play can come about, each with an endpoint of its own."""

    PREVIEW = "preview"
    CATALOGUE = "catalogue"
    SUBSCRIBER = "subscriber"


class PlayMode(enum.StrEnum):
    """How the device was connected while it played."""

    ONLINE = "online"
    OFFLINE = "offline"
    ONLINE_CACHED = "online-cached"


class EndReason(enum.StrEnum):
    """Why a play ended."""

    NATURAL_END = "naturalEnd"
    USER_SKIPPED = "userSkipped"
    OTHER = "other"


class PlayType(enum.StrEnum):
    """What a preview was played for."""

    VIEW = "view"
    CREATION = "creation"


@define
class StreamLog:
    """One play (schema ``StreamLog`` of the streaming platform).

    The last six are for the live dialect, which asks for some of them, depending on the kind of play; the other one
    has no place for any.

    Attributes:
        track_id: The track that was played.
        timestamp: When it was played; timezone-aware.
        user_id: Who played it, in the partner's own numbering.
        client_id: On which device.
        duration_played: Whole seconds that were played; zero is a play, too.
        country: ISO 3166-1 alpha-2 code of the country it was played in.
        release_id: The release that the track was played from.
        format_id: The format it was played in.
        play_mode: How the device was connected.
        end_reason: Why the play ended.
        play_type: What a preview was played for; ``view`` if left out.
        user_agent: Model of the device and version of the application; the service keeps 256 characters.
    """

    track_id: str
    timestamp: datetime
    user_id: str | None = None
    client_id: str | None = None
    duration_played: int | None = None
    country: str | None = None
    release_id: str | None = None
    format_id: str | None = None
    play_mode: PlayMode | str | None = None
    end_reason: EndReason | str | None = None
    play_type: PlayType | str | None = None
    user_agent: str | None = None

    def check(self, now: datetime) -> None:
        """Refuse what the service would refuse in any dialect; the rest is checked when the play is put.

        Args:
            now: The current time, timezone-aware.

        Raises:
            InvalidLogError: Names the field and says what is wrong with it.
        """
        # The usual is let through here, because a call costs as much as a check.
        track, user, client = self.track_id, self.user_id, self.client_id
        if not (
            type(track) is str
            and track.isascii()
            and track.isprintable()
            and 0 < len(track) <= MAX_TEXT
            and not track.isspace()
        ):
            check_text("track_id", track)
        timestamp = self.timestamp
        if not isinstance(timestamp, datetime) or (timestamp.tzinfo is not UTC and timestamp.utcoffset() is None):
            raise InvalidLogError("timestamp must be a datetime with a time zone", field="timestamp")
        age = now - timestamp
        if age >= WINDOW:
            raise InvalidLogError(f"timestamp lies {age.days} days back; less than 61 are allowed", field="timestamp")
        if age < _YOUNGEST:
            raise InvalidLogError(f"timestamp lies {-age} in the future", field="timestamp")
        if user is not None and not (
            type(user) is str
            and user.isascii()
            and user.isprintable()
            and 0 < len(user) <= MAX_TEXT
            and not user.isspace()
        ):
            check_text("user_id", user)
        if client is not None and not (
            type(client) is str
            and client.isascii()
            and client.isprintable()
            and 0 < len(client) <= MAX_TEXT
            and not client.isspace()
        ):
            check_text("client_id", client)
        duration = self.duration_played
        if duration is not None and (type(duration) is not int or not 0 <= duration < 2**31):
            raise InvalidLogError("duration_played must be whole seconds, zero or more", field="duration_played")
        country = self.country
        if country is not None and not (
            isinstance(country, str) and len(country) == 2 and country.isascii() and country.isalpha()  # noqa: PLR2004
        ):
            raise InvalidLogError("country must be a two-letter ISO 3166-1 code", field="country")

    def encode(self, plain: bool = False) -> bytes:  # noqa: FBT001, FBT002 - keyword-only costs a tenth more
        """Return the play as one JSON object in its wire form; fields that are None are left out.

        Args:
            plain: Refuse fields that only the live dialect has a place for.

        Raises:
            InvalidLogError: It has such a field.
        """
        moment = self.timestamp
        # orjson writes most datetimes in a tenth of the time that isoformat takes, as the same text.
        # Whole milliseconds are written shorter than orjson would.
        stamp = (
            moment
            if type(moment) is datetime
            and moment.tzinfo is UTC
            and ((beyond := moment.microsecond) % 1000 != 0 or beyond == 0)
            else wire_time(moment)
        )
        # One by one, because together they would be a tuple first.
        user = self.user_id
        client = self.client_id
        duration = self.duration_played
        country = self.country
        wire: dict[str, Any]
        if user is not None and client is not None and duration is not None and country is not None:
            # Most plays tell everything, and one literal is cheaper than a dict that grows.
            wire = {
                "trackId": self.track_id,
                "userId": user,
                "clientId": client,
                "timestamp": stamp,
                "durationPlayed": duration,
                "country": country,
            }
        else:
            wire = self._wire(stamp)
        # Written out, because a call costs more than these comparisons.
        if not (
            self.release_id
            is self.format_id
            is self.play_mode
            is self.end_reason
            is self.play_type
            is self.user_agent
            is None
        ):
            if plain:
                field = next(name for name in LIVE_FIELDS if getattr(self, name) is not None)
                raise InvalidLogError(f"{field} has no place in the openapi dialect, only in live", field=field)
            wire |= self._live_wire()
        # orjson's result holds on to the far larger buffer it was written in; a spool full of those is a leak.
        # A slice is a copy that fits.
        return orjson.dumps(wire, option=_UTC_AS_Z_AND_NEWLINE)[:-1]

    @classmethod
    def decode(cls, line: bytes | str) -> Self:
        """Read a play from one JSON object in its wire form; the inverse of :meth:`encode`.

        The values are not checked against the service's rules: see :meth:`check`.

        Raises:
            InvalidLogError: Not such an object. An unknown field is an error, too: dropping it would lose what it says.
        """
        try:
            wire = orjson.loads(line)
        except orjson.JSONDecodeError as error:
            raise InvalidLogError(f"not valid JSON: {error}") from None
        if not isinstance(wire, dict):
            raise InvalidLogError("not a JSON object")
        if unknown := wire.keys() - _FIELDS.keys():
            raise InvalidLogError(
                f"unknown field {min(unknown)!r}; a play has {', '.join(_FIELDS)}", field=min(unknown)
            )
        values = {_FIELDS[name]: value for name, value in wire.items() if value is not None}
        for name in ("track_id", "timestamp"):
            if name not in values:
                raise InvalidLogError(f"{_WIRE_NAMES[name]} is missing", field=name)
        for name in _IDS:
            if type(values.get(name)) is int:
                values[name] = str(values[name])  # the service itself writes ids both ways
        try:
            values["timestamp"] = datetime.fromisoformat(values["timestamp"])
        except (ValueError, TypeError):
            raise InvalidLogError("timestamp is not an ISO 8601 date and time", field="timestamp") from None
        return cls(**values)

    def as_wire(self) -> dict[str, str | int]:
        """Return the play as the JSON object that the logging endpoints take."""
        return self._wire(wire_time(self.timestamp)) | self._live_wire()

    def _wire(self, timestamp: T) -> dict[str, str | int | T]:
        wire: dict[str, str | int | T] = {"trackId": self.track_id}
        if self.user_id is not None:
            wire["userId"] = self.user_id
        if self.client_id is not None:
            wire["clientId"] = self.client_id
        wire["timestamp"] = timestamp
        if self.duration_played is not None:
            wire["durationPlayed"] = self.duration_played
        if self.country is not None:
            wire["country"] = self.country
        return wire

    def _live_wire(self) -> dict[str, str]:
        told = ((wire, getattr(self, name)) for name, wire in LIVE_FIELDS.items())
        return {wire: str(value) for wire, value in told if value is not None}


LIVE_FIELDS = {
    "release_id": "releaseId",
    "format_id": "formatId",
    "play_mode": "playMode",
    "end_reason": "endReason",
    "play_type": "playType",
    "user_agent": "userAgent",
}
"""What only the live dialect has a place for, by name, and the wire names that it has in spools and files."""

_FIELDS = {
    "trackId": "track_id",
    "timestamp": "timestamp",
    "userId": "user_id",
    "clientId": "client_id",
    "durationPlayed": "duration_played",
    "country": "country",
    **{wire: name for name, wire in LIVE_FIELDS.items()},
}
_IDS = ("track_id", "user_id", "client_id", "release_id", "format_id")
_WIRE_NAMES = {name: wire for wire, name in _FIELDS.items()}
_UTC_AS_Z_AND_NEWLINE = orjson.OPT_UTC_Z | orjson.OPT_APPEND_NEWLINE
_YOUNGEST = -CLOCK_TOLERANCE


def wire_time(moment: datetime) -> str:
    """Format an aware datetime as ISO 8601 in UTC, as precise as it is and no longer."""
    precision = "milliseconds" if _has_whole_milliseconds(moment) else "auto"
    return f"{moment.astimezone(UTC).isoformat(timespec=precision)[:-6]}Z"


def _has_whole_milliseconds(moment: datetime) -> bool:
    return moment.microsecond % 1000 == 0 and moment.microsecond != 0


def check_text(field: str, value: object, most: float = MAX_TEXT) -> None:
    """Refuse what is no text, says nothing, is longer than ``most`` characters, or has no UTF-8 form.

    Raises:
        InvalidLogError: Names the field.
    """
    if not isinstance(value, str) or not value.strip():
        raise InvalidLogError(f"{field} must be a non-empty string", field=field)
    if len(value) > most:
        raise InvalidLogError(f"{field} has {len(value)} characters; at most {most} are allowed", field=field)
    if "\0" in value:
        raise InvalidLogError(f"{field} holds a NUL character", field=field)
    try:
        value.encode()
    except UnicodeEncodeError:
        raise InvalidLogError(f"{field} holds a lone surrogate, which has no UTF-8 form", field=field) from None
