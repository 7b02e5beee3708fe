"""Points in time as ISO 8601 and RFC 3339 write them."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)

_END_OF_DAY = re.compile(r"([T ])24(?=:?00(?::?00(?:[.,]0+)?)?(?:$|[Z+-]))")
_LEAP_SECOND = re.compile(r"(?<=[T ]23:59:)60|(?<=[T ]2359)60")
_ORDINAL = re.compile(r"(\d{4})-?(\d{3})(?=$|[T ])")


def parse_datetime(text: str) -> datetime:
    """Read a date, or a date and time: what ``datetime.fromisoformat`` takes, and what it leaves out of the standards.

    That is ``t`` and ``z``, ``24:00`` for the end of a day, a leap second (the next second), and days of the year.

    Raises:
        ValueError: It is none, or beyond the years 1 to 9999.
    """
    try:
        return datetime.fromisoformat(text)
    except ValueError:
        return _parse_rare(text)


def microseconds(moment: datetime) -> int:
    """Return the microseconds since 1970 of an aware moment."""
    return (moment - EPOCH) // _MICROSECOND


def _parse_rare(text: str) -> datetime:
    plain = text.strip().upper()
    more = timedelta()
    if ordinal := _ORDINAL.match(plain):
        year, day = int(ordinal[1]), int(ordinal[2])
        first = datetime(year, 1, 1)  # noqa: DTZ001 - a date only
        if not 1 <= day <= (first.replace(month=12, day=31) - first).days + 1:
            raise ValueError(f"no such day of the year: {text!r}")
        plain = f"{year:04}-01-01{plain[ordinal.end() :]}"
        more += timedelta(days=day - 1)
    plain, ends = _END_OF_DAY.subn(r"\g<1>00", plain, count=1)
    plain, leaps = _LEAP_SECOND.subn("59", plain, count=1)
    more += timedelta(days=ends, seconds=leaps)
    try:
        return datetime.fromisoformat(plain) + more
    except OverflowError:
        raise ValueError(f"beyond the year 9999: {text!r}") from None
