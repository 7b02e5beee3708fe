"""A play in its wire form, such as a line that another process encoded."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import datetime

from attrs import define, field

from ..countries import COUNTRY_CODES
from .stream_log import MAX_TEXT_LENGTH, StreamLog, Window

_TEXT_PATTERN = rf'[^\s\x00-\x20"\\\x7f-\xa0][^\x00-\x1f"\\\x7f]{{0,{MAX_TEXT_LENGTH - 1}}}'
"""A text that needs no escapes, is not empty, does not begin with white space and is not too long."""

_TIME_PATTERN = (
    r"[0-9]{4}-[0-9][0-9]-[0-9][0-9]T(?:[01][0-9]|2[0-3]):[0-9][0-9]:[0-9][0-9]"
    r"(?:\.(?:(?!000)[0-9]{3}|[0-9]{3}(?!000)[0-9]{3}))?Z"
)
"""A time in UTC with no more digits than it needs."""

_WIRE_FORM = re.compile(
    rf'^{{"trackId":"{_TEXT_PATTERN}"(?:,"userId":"({_TEXT_PATTERN})")?(?:,"clientId":"{_TEXT_PATTERN}")?,"timestamp":"({_TIME_PATTERN})"'
    r'(?:,"durationPlayed":(?:0|[1-9][0-9]{0,8}))?(?:,"country":"([A-Za-z]{2})")?}$',
    re.MULTILINE,
)
"""The lines that ``StreamLog.encode`` writes for most plays, and no others; any two letters are a country here."""

_COUNTRIES = COUNTRY_CODES | {""}


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

    def checked_body(self, window: Window) -> bytes:
        """Return the wire form, if the play is neither too old nor in the future.

        Raises:
            InvalidLogError: It is.
        """
        if not window.oldest < self.timestamp <= window.newest:
            self.decode().check(window.now)
        return self.body


def encoded_log(line: bytes, window: Window) -> EncodedLog | None:
    """Return the play in a line, checked, if it is written as ``StreamLog.encode`` writes it.

    None says nothing about the line: it may be a play in another form, or not be one.
    """
    logs = encoded_logs((line,), window)
    return logs[0] if logs else None


def encoded_logs(lines: Sequence[bytes], window: Window) -> list[EncodedLog] | None:
    """Return the plays in several lines like :func:`encoded_log`; None if one of them is not written so.

    One search for the whole form of a play takes a quarter of the time of parsing, checking and encoding each.
    """
    try:
        text = b"\n".join(lines).decode()
        found = _WIRE_FORM.findall(text)
        if len(found) != len(lines) or text.count("\n") != len(lines) - 1:
            return None
        users, stamps, countries = zip(*found, strict=True)
        moments = list(map(datetime.fromisoformat, stamps))
    except ValueError:  # not UTF-8, no line, or no such date
        return None
    if min(moments) <= window.oldest or max(moments) > window.newest or not set(countries) <= _COUNTRIES:
        return None
    return list(map(EncodedLog, lines, moments, [user or None for user in users], [name or None for name in countries]))


def are_current(logs: Sequence[EncodedLog], window: Window) -> bool:
    """Return whether all plays are neither too old nor in the future."""
    moments = [log.timestamp for log in logs]
    return window.oldest < min(moments) and max(moments) <= window.newest
