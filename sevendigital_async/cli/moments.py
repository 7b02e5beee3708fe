"""Points in time as they are written on a command line."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

from ..errors import ConfigurationError

UNITS = {"m": "minutes", "h": "hours", "d": "days", "w": "weeks"}
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
        read = datetime.fromisoformat(text)
        return (read if read.tzinfo else read.replace(tzinfo=UTC)).astimezone(UTC)
    except (ValueError, OverflowError):
        raise ConfigurationError(
            f"{option}: {text!r} is no moment; write 2026-11-01, 2026-11-01T08:30+01:00, or 7d for a week ago"
            " (m, h, d, w)"
        ) from None
