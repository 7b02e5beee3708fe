"""Dates in HTTP headers: the three forms of RFC 9110, section 5.6.7, all of them in GMT."""

from __future__ import annotations

import re
from datetime import UTC, datetime

_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
_DAY = "(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun)"
_DAY_IN_FULL = "(?:Mon|Tues|Wednes|Thurs|Fri|Satur|Sun)day"
_MONTH = f"(?P<month>{'|'.join(_MONTHS)})"
_TIME = "(?P<hour>[0-9]{2}):(?P<minute>[0-9]{2}):(?P<second>[0-9]{2})"
_FORMS = [
    re.compile(pattern).fullmatch
    for pattern in (
        rf"{_DAY}, (?P<day>[0-9]{{2}}) {_MONTH} (?P<year>[0-9]{{4}}) {_TIME} GMT",
        rf"{_DAY_IN_FULL}, (?P<day>[0-9]{{2}})-{_MONTH}-(?P<year>[0-9]{{2}}) {_TIME} GMT",
        rf"{_DAY} {_MONTH} (?P<day>[0-9]{{2}}| [0-9]) {_TIME} (?P<year>[0-9]{{4}})",
    )
]
_CENTURY_ENDS = 70
"""Two digits from here on are years of the last century, as POSIX has it."""


def parse_http_date(text: str | None) -> float | None:
    """Return the seconds since the epoch that a header's date stands for; None for anything but an HTTP date.

    A date in another zone, or in none, is no HTTP date: to guess its zone could be hours off.
    """
    text = (text or "").strip()
    found = next((match for matches in _FORMS if (match := matches(text))), None)
    if found is None:
        return None
    year = int(found["year"])
    if len(found["year"]) == 2:  # noqa: PLR2004 - digits
        year += 2000 if year < _CENTURY_ENDS else 1900
    second = min(int(found["second"]), 59) if found["second"] == "60" else int(found["second"])  # a leap second
    try:
        moment = datetime(
            year,
            _MONTHS.index(found["month"]) + 1,
            int(found["day"]),
            int(found["hour"]),
            int(found["minute"]),
            second,
            tzinfo=UTC,
        )
    except ValueError:
        return None
    return moment.timestamp()
