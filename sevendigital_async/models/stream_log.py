"""A play for the logging endpoints: its value, checks, wire form and batch key."""

from __future__ import annotations

import enum
import math
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Protocol, Self

import orjson
from attrs import define, frozen

from ..countries import COUNTRY_CODES, country_problem
from ..errors import InvalidLogError
from ..quantity import pluralize
from .readers import parse_datetime
from .wire import duplicate_key_in_flat

MAX_PLAY_AGE = timedelta(days=61)
"""Plays older than this are refused by the service."""

CLOCK_TOLERANCE = timedelta(minutes=2)
"""How far ahead of this machine's clock a play's timestamp may be."""

MAX_TEXT_LENGTH = 255
"""Most characters of an id; the service documents this for user ids."""


class LogKind(enum.StrEnum):
    """The three kinds of play, each with its own endpoint."""

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
    """The purpose of a preview."""

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
        duration_played: Whole seconds that were played; zero is valid.
        country: ISO 3166-1 alpha-2 code of the country it was played in.
        release_id: The release that the track was played from.
        format_id: The format it was played in.
        play_mode: How the device was connected.
        end_reason: Why the play ended.
        play_type: The purpose of a preview; ``view`` if left out.
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
        """Check what the service refuses in any dialect; the rest is checked when the play is put.

        Args:
            now: The current time, timezone-aware.

        Raises:
            InvalidLogError: Names the field and the problem.
        """
        check_text("track_id", self.track_id)
        self._check_time(now)
        for name in ("user_id", "client_id"):
            if (text := getattr(self, name)) is not None:
                check_text(name, text)
        for name in LIVE_FIELDS:
            if (value := getattr(self, name)) is not None and not isinstance(value, str):
                raise InvalidLogError(f"{name} must be a string", field=name)
        duration, country = self.duration_played, self.country
        if duration is not None and (type(duration) is not int or not 0 <= duration <= MAX_DURATION):
            raise InvalidLogError("duration_played must be whole seconds, zero or more", field="duration_played")
        if country is not None and (flaw := country_problem(country)):
            raise InvalidLogError(f"country {flaw}", field="country")

    def _check_time(self, now: datetime) -> None:
        timestamp = self.timestamp
        try:
            is_aware = isinstance(timestamp, datetime) and timestamp.utcoffset() is not None
        except Exception:  # noqa: BLE001 - the caller's own tzinfo may raise anything
            is_aware = False
        if not is_aware:
            raise InvalidLogError(
                "timestamp must be a time with a time zone, such as 2026-01-31T20:15:00Z", field="timestamp"
            )
        age = now - timestamp
        if age >= MAX_PLAY_AGE:
            raise InvalidLogError(
                f"timestamp is {age.days} days old; the limit is {MAX_PLAY_AGE.days}", field="timestamp"
            )
        if age < -CLOCK_TOLERANCE:
            ahead = math.ceil(-age.total_seconds())
            raise InvalidLogError(f"timestamp is {pluralize(ahead, 'second')} in the future", field="timestamp")

    def encode(self, *, plain: bool = False) -> bytes:
        """Return the play as one JSON object in its wire form; fields that are None are left out.

        Args:
            plain: Refuse fields that exist in the live dialect only.

        Raises:
            InvalidLogError: It has such a field.
        """
        if plain:
            self.check_plain()
        return encode_wire(self.as_wire())

    def check_plain(self) -> None:
        """Refuse fields that exist in the live dialect only.

        Raises:
            InvalidLogError: It has one; names it.
        """
        for name in LIVE_FIELDS:
            if getattr(self, name) is not None:
                raise InvalidLogError(f"{name} exists in the live dialect only, not in openapi", field=name)

    @classmethod
    def decode(cls, line: bytes | str) -> Self:
        """Read a play from one JSON object in its wire form; the inverse of :meth:`encode`.

        The values are not checked against the service's rules: see :meth:`check`.

        Raises:
            InvalidLogError: It is not a play. An unknown field is an error, too, because dropping it would lose data.
        """
        try:
            wire = orjson.loads(line)
        except orjson.JSONDecodeError as error:
            raise InvalidLogError(f"not valid JSON: {error}") from None
        if not isinstance(wire, dict):
            raise InvalidLogError("not a JSON object")
        if (twice := duplicate_key_in_flat(line, wire)) is not None:
            raise InvalidLogError(f"{twice!r} is given twice", field=FIELDS.get(twice))
        if unknown := wire.keys() - FIELDS.keys():
            raise InvalidLogError(f"unknown field {min(unknown)!r}; a play has {', '.join(FIELDS)}", field=min(unknown))
        values = {FIELDS[name]: value for name, value in wire.items() if value is not None}
        for name in ("track_id", "timestamp"):
            if name not in values:
                raise InvalidLogError(f"{_WIRE_NAMES[name]} is missing", field=name)
        for name in _ID_FIELDS:
            if type(values.get(name)) is int:
                values[name] = str(values[name])  # the service writes ids both ways
        try:
            values["timestamp"] = parse_datetime(values["timestamp"])
        except (ValueError, TypeError):
            raise InvalidLogError("timestamp is not an ISO 8601 date and time", field="timestamp") from None
        return cls(**values)

    def as_wire(self) -> dict[str, str | int]:
        """Return the play as the JSON object for the logging endpoints."""
        fields = {
            "trackId": self.track_id,
            "userId": self.user_id,
            "clientId": self.client_id,
            "timestamp": self._wire_time(),
            "durationPlayed": self.duration_played,
            "country": self.country,
        }
        wire = {name: value for name, value in fields.items() if value is not None}
        for name, wire_name in LIVE_FIELDS.items():
            if (value := getattr(self, name)) is not None:
                wire[wire_name] = str(value)
        return wire

    def _wire_time(self) -> str:
        try:
            return wire_time(self.timestamp)
        except Exception:  # noqa: BLE001 - as above; the first and the last times of the calendar don't exist in UTC
            raise InvalidLogError("timestamp can't be converted to UTC", field="timestamp") from None


MAX_DURATION = 2**31 - 1
"""Seconds of the longest play."""

LIVE_FIELDS = {
    "release_id": "releaseId",
    "format_id": "formatId",
    "play_mode": "playMode",
    "end_reason": "endReason",
    "play_type": "playType",
    "user_agent": "userAgent",
}
"""Fields of the live dialect, and their wire names in spools and files."""

FIELDS = {
    "trackId": "track_id",
    "timestamp": "timestamp",
    "userId": "user_id",
    "clientId": "client_id",
    "durationPlayed": "duration_played",
    "country": "country",
    **{wire: name for name, wire in LIVE_FIELDS.items()},
}
_ID_FIELDS = ("track_id", "user_id", "client_id", "release_id", "format_id")
_UTC_AS_Z_AND_NEWLINE = orjson.OPT_UTC_Z | orjson.OPT_APPEND_NEWLINE
_WIRE_NAMES = {name: wire for wire, name in FIELDS.items()}


def wire_time(moment: datetime) -> str:
    """Format an aware datetime as ISO 8601 in UTC, without trailing zeros."""
    precision = "milliseconds" if moment.microsecond and moment.microsecond % 1000 == 0 else "auto"
    return f"{moment.astimezone(UTC).isoformat(timespec=precision)[:-6]}Z"


def encode_wire(wire: Mapping[str, object]) -> bytes:
    """Return the bytes of a play in its wire form."""
    # orjson's result keeps its far larger buffer; a spool full of those would be a leak.
    # A slice is a compact copy.
    return orjson.dumps(wire, option=_UTC_AS_Z_AND_NEWLINE)[:-1]


def check_text(field: str, value: object, most: float = MAX_TEXT_LENGTH) -> None:
    """Refuse anything but text that is not blank, has at most ``most`` characters and can be encoded in UTF-8.

    Raises:
        InvalidLogError: Names the field.
    """
    if not isinstance(value, str) or not value.strip():
        raise InvalidLogError(f"{field} must be a non-empty string", field=field)
    if len(value) > most:
        raise InvalidLogError(f"{field} has {len(value)} characters; at most {most} are allowed", field=field)
    if "\0" in value:
        raise InvalidLogError(f"{field} contains a NUL character", field=field)
    try:
        value.encode()
    except UnicodeEncodeError:
        raise InvalidLogError(f"{field} contains a lone surrogate, which UTF-8 cannot encode", field=field) from None


@frozen
class Window:
    """The accepted range of timestamps.

    Attributes:
        now: The current time, timezone-aware.
        oldest: Timestamps must be later.
        newest: Timestamps must not be later; it allows for clock differences.
    """

    now: datetime
    oldest: datetime
    newest: datetime

    @classmethod
    def at(cls, now: datetime) -> Self:
        """Return the window for a time."""
        return cls(now, now - MAX_PLAY_AGE, now + CLOCK_TOLERANCE)


Encoder = Callable[[StreamLog, Window], bytes]
"""Checks a play and encodes it."""


def checked_and_encoded(log: StreamLog, window: Window) -> bytes:
    """The same as ``log.check(window.now)`` and ``log.encode(plain=True)``, usually in half of the time.

    Raises:
        InvalidLogError: The play is invalid; names the field.
    """
    track, moment, user, client = log.track_id, log.timestamp, log.user_id, log.client_id
    duration, country = log.duration_played, log.country
    # A text that sorts at or after "!" is not empty and does not begin with a space.
    if (
        type(track) is str
        and track >= "!"
        and (user is None or (type(user) is str and user >= "!"))
        and (client is None or (type(client) is str and client >= "!"))
        and (duration is None or (type(duration) is int and 0 <= duration <= MAX_DURATION))
        and (country is None or (type(country) is str and country in COUNTRY_CODES))
        and type(moment) is datetime
        and moment.tzinfo is UTC
        and window.oldest < moment <= window.newest
        and log.release_id
        is log.format_id
        is log.play_mode
        is log.end_reason
        is log.play_type
        is log.user_agent
        is None
    ):
        # orjson formats a datetime ten times faster than isoformat, but always with six digits.
        beyond = moment.microsecond
        stamp = moment if beyond % 1000 or not beyond else f"{moment.isoformat(timespec='milliseconds')[:-6]}Z"
        if user is not None and client is not None and duration is not None and country is not None:
            # Most plays have all fields, and one literal is faster than a growing dict.
            wire: dict[str, object] = {
                "trackId": track,
                "userId": user,
                "clientId": client,
                "timestamp": stamp,
                "durationPlayed": duration,
                "country": country,
            }
        else:
            wire = {"trackId": track}
            if user is not None:
                wire["userId"] = user
            if client is not None:
                wire["clientId"] = client
            wire["timestamp"] = stamp
            if duration is not None:
                wire["durationPlayed"] = duration
            if country is not None:
                wire["country"] = country
        try:
            body = encode_wire(wire)
        except orjson.JSONEncodeError:
            body = b"\\"  # a lone surrogate; the slow way finds the field
        # In ASCII, without a backslash, and not longer than one text may be: every other error would show here.
        if len(body) <= MAX_TEXT_LENGTH and BACKSLASH not in body and body.isascii():
            return body
    log.check(window.now)
    return log.encode(plain=True)


BACKSLASH = ord("\\")


class PlayWithUser(Protocol):
    """A play whose user is known."""

    @property
    def user_id(self) -> str | None:
        """Who played it."""
        ...


_SEPARATOR = "\x1f"
"""The unit separator, between the parts of a key."""


def batch_key(user_id: str, country: str = "") -> str:
    """Return the key of a user's plays, or of those in one country."""
    if country or _SEPARATOR in user_id:
        return f"{user_id}{_SEPARATOR}{country}"
    return user_id


def user_key(log: PlayWithUser) -> str:
    """Return the key of the play's user; usually without another call."""
    user_id = log.user_id or ""
    return batch_key(user_id) if _SEPARATOR in user_id else user_id


def user_of(key: str) -> str:
    """Return the user of a key."""
    return key.rpartition(_SEPARATOR)[0] if _SEPARATOR in key else key
