"""The difference between this machine's clock and the service's, learned when a timestamp is refused."""

from __future__ import annotations

from email.utils import parsedate_to_datetime

from ..errors import APIError, AuthenticationError

TOLERANCE = 2.0
"""Seconds by which an offset must differ from the one that was used to be worth another try."""


def offset_in(error: APIError, date: str | None, now: float, used: float) -> float | None:
    """Return the clock offset, in seconds, that a refusal teaches us.

    Args:
        error: What the service said.
        date: The answer's ``Date`` header.
        now: This machine's time, seconds since the epoch.
        used: The offset with which the refused request was signed.

    Returns:
        The offset, or None if the refusal is not about the timestamp or teaches nothing new.
    """
    if not isinstance(error, AuthenticationError) or "timestamp" not in error.message.lower():
        return None
    try:
        offset = parsedate_to_datetime(date or "").timestamp() - now
    except (ValueError, TypeError, OverflowError):
        return None
    return offset if abs(offset - used) > TOLERANCE else None
