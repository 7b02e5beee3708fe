"""The difference between this machine's clock and the service's, learned when a timestamp is refused."""

from __future__ import annotations

import logging
from datetime import UTC, datetime

from ..errors import APIError, AuthenticationError
from .http_date import parse_http_date

logger = logging.getLogger("sevendigital_async")

TOLERANCE = 2.0
"""Seconds by which an offset must differ from the one that was used to be worth another try."""

EARLIEST = datetime(2024, 1, 1, tzinfo=UTC).timestamp()
"""A clock that shows an earlier time than this package's first year is not set."""

MAX_OFFSET = 366 * 86_400.0
"""Seconds by which two clocks that are both set may differ."""


def offset_in(error: APIError, date: str | None, now: float, used: float) -> float | None:
    """Return the clock offset, in seconds, that a refusal teaches us.

    Args:
        error: What the service said.
        date: The answer's ``Date`` header.
        now: This machine's time, seconds since the epoch.
        used: The offset with which the refused request was signed.

    Returns:
        The offset, or None if the refusal is not about the timestamp, teaches nothing new, or shows a time that the
        service's clock can't have.
    """
    if not isinstance(error, AuthenticationError) or "timestamp" not in error.message.lower():
        return None
    there = parse_http_date(date)
    if there is None:
        return None
    offset = there - now
    if there < EARLIEST or (now >= EARLIEST and abs(offset) > MAX_OFFSET):
        logger.warning("the answer's Date is %.0f days from this machine's clock; not signing with it", offset / 86_400)
        return None
    return offset if abs(offset - used) > TOLERANCE else None
