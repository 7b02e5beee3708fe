"""Points in time as they are written on a command line."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

from ..errors import ConfigurationError
from ..models.iso8601 import parse_datetime

UNITS = {"m": "minutes", "h": "hours", "d": "days", "w": "weeks"}
_DURATION = re.compile(r"(\d{1,9}(?:\.\d{1,6})?)(ms|s|m)?")
_SECONDS = {"ms": 0.001, "s": 1.0, "m": 60.0, None: 1.0}
LONGEST = timedelta(days=1)
_AGO = re.compile(r"(\d{1,6})([mhdw])")


def moment(text: str | None, option: str, now: datetime | None = None) -> datetime | None:
    """Read a date, a date and time, or how long ago; UTC unless it says otherwise.

    Args:
        text: Such as ``2026-11-01``, ``2026-11-01T08:30+01:00`` or ``7d``; None stays None.
        option: For the message.
        now: The current time; for tests.

    Raises:
        ConfigurationError: It is none of these.
    """
    if text is None:
        return None
    try:
        if ago := _AGO.fullmatch(text):
            return (now or datetime.now(UTC)) - timedelta(**{UNITS[ago[2]]: int(ago[1])})
        read = parse_datetime(text)
        return (read if read.tzinfo else read.replace(tzinfo=UTC)).astimezone(UTC)
    except (ValueError, OverflowError):
        raise ConfigurationError(
            f"{option}: {text!r} is no moment; write 2026-11-01, 2026-11-01T08:30+01:00, or 7d for a week ago"
            " (m, h, d, w)"
        ) from None


def duration(text: str, option: str) -> timedelta:
    """Read a length of time of up to a day, such as ``500ms``, ``1.5s`` or ``2m``; a mere number is seconds.

    Args:
        text: As it was typed.
        option: For the message.

    Raises:
        ConfigurationError: It is none of these.
    """
    read = _DURATION.fullmatch(text)
    length = timedelta(seconds=float(read[1]) * _SECONDS[read[2]]) if read else None
    if length is None or length > LONGEST:
        raise ConfigurationError(f"{option}: {text!r} is no length of time up to a day; write 500ms, 1.5s or 2m")
    return length
