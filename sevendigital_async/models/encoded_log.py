"""A play in its wire form, such as a line that another process encoded."""

from __future__ import annotations

from datetime import UTC, datetime
from itertools import combinations

import orjson
from attrs import define, field

from .stream_log import MAX_SECONDS, MAX_TEXT, StreamLog, Window

_OPTIONAL = ("userId", "clientId", "durationPlayed", "country")
_ORDER = ("trackId", "userId", "clientId", "timestamp", "durationPlayed", "country")
_KEYS = frozenset(
    tuple(key for key in _ORDER if key not in _OPTIONAL or key in chosen)
    for size in range(len(_OPTIONAL) + 1)
    for chosen in combinations(_OPTIONAL, size)
)
"""The keys that a play may have in its wire form, in their order."""

_SECONDS, _MILLISECONDS, _MICROSECONDS = (len(f"2026-01-31T20:15:00{part}Z") for part in ("", ".123", ".123456"))
_BACKSLASH = ord("\\")


@define(eq=False)
class EncodedLog:
    """A play in the wire form that ``StreamLog.encode`` writes, with the fields by which plays are put into queues.

    Made by :func:`encoded_log`, which checks everything except the time. ``put_many`` accepts it like a ``StreamLog``,
    and sends its bytes unchanged.

    Attributes:
        body: The wire form.
        timestamp: When it was played, in UTC.
        user_id: Who played it.
        country: Where.
    """

    body: bytes = field(repr=False)
    timestamp: datetime
    user_id: str | None = field(repr=False)
    country: str | None

    def encode(self) -> bytes:
        """Return the wire form."""
        return self.body

    def decode(self) -> StreamLog:
        """Return the play."""
        return StreamLog.decode(self.body)

    def checked(self, window: Window) -> bytes:
        """Return the wire form, if the play is neither too old nor in the future.

        Raises:
            InvalidLogError: It is.
        """
        if not window.oldest < self.timestamp <= window.newest:
            self.decode().check(window.now)
        return self.body


def encoded_log(line: bytes, window: Window) -> EncodedLog | None:
    """Return the play in a line, checked, if it is written as ``StreamLog.encode`` writes it.

    This takes a quarter of the time of decoding, checking and encoding it. None says nothing about the line: it may be
    a play in another form, or not be one.
    """
    if len(line) > MAX_TEXT or _BACKSLASH in line or not line.isascii():
        return None
    try:
        wire = orjson.loads(line)
    except orjson.JSONDecodeError:
        return None
    # A dict keeps the order of the keys, so this also checks that there are no others.
    if type(wire) is not dict or tuple(wire) not in _KEYS:
        return None
    get = wire.get
    track, user, client, stamp = wire["trackId"], get("userId", "x"), get("clientId", "x"), wire["timestamp"]
    duration, country = get("durationPlayed", 0), get("country", "GB")
    # A text that sorts at or after "!" is not empty and does not begin with a space.
    if not (
        type(track) is str
        and track >= "!"
        and type(user) is str
        and user >= "!"
        and type(client) is str
        and client >= "!"
        and type(duration) is int
        and 0 <= duration <= MAX_SECONDS
        and type(country) is str
        and len(country) == 2  # noqa: PLR2004 - ISO 3166-1 alpha-2
        and country.isalpha()
        and type(stamp) is str
    ):
        return None
    moment = _moment(stamp)
    if moment is None or not window.oldest < moment <= window.newest or orjson.dumps(wire) != line:
        return None
    return EncodedLog(line, moment, get("userId"), get("country"))


def _moment(stamp: str) -> datetime | None:
    """Return the time of a timestamp that is written as ``StreamLog.encode`` writes it."""
    size = len(stamp)
    # Other forms of ISO 8601 have other lengths, or other characters at these positions.
    if (
        stamp[-1:] != "Z"
        or stamp[4:8:3] != "--"
        or stamp[10:11] != "T"
        or stamp[11:13] == "24"
        or stamp[13:17:3] != "::"
        or stamp[19:20] not in {".", "Z"}
    ):
        return None
    try:
        moment = datetime.fromisoformat(stamp)
    except ValueError:
        return None
    beyond = moment.microsecond
    if size == _SECONDS:
        is_written_so = beyond == 0
    elif size == _MILLISECONDS:
        is_written_so = beyond != 0 and beyond % 1000 == 0
    else:
        is_written_so = size == _MICROSECONDS and beyond % 1000 != 0
    return moment if is_written_so and moment.tzinfo is UTC else None
