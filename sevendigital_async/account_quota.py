"""The request quota of a consumer key, as the service's ``X-RateLimit-*`` headers state it, and how long to wait."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from attrs import evolve, frozen

if TYPE_CHECKING:
    from .clock import Clock

MAX_WAIT = 86_400.0
"""Seconds. A wait up to this is respected in full; a longer one may be a mistake of the server."""

PROBE_INTERVAL = 3600.0
"""Seconds after which a server that asks for a longer wait is asked again."""

MAX_PERIOD = 31 * 86_400.0
"""The longest period of a quota, in seconds; the service's example has a day and ten hours."""


def bounded_wait(seconds: float) -> float:
    """Return the seconds to wait when a server asks for a wait."""
    return seconds if seconds <= MAX_WAIT else PROBE_INTERVAL


@frozen
class RateLimit:
    """A snapshot of the quota; every field is None until a response has stated it.

    Attributes:
        limit: Requests allowed in the current period.
        used: Requests made so far in the period; may exceed ``limit``.
        resets_in: Seconds until the period ends.
    """

    limit: int | None = None
    used: int | None = None
    resets_in: float | None = None

    @property
    def remaining(self) -> int | None:
        """Requests left in the period, never below zero."""
        if self.limit is None or self.used is None:
            return None
        return max(0, self.limit - self.used)

    @property
    def wait(self) -> float:
        """Seconds until a request may go out: zero unless the quota is known to be spent."""
        return self.resets_in or 0.0 if self.remaining == 0 else 0.0

    def after(self, seconds: float) -> RateLimit:
        """Return the snapshot ``seconds`` later."""
        return self if self.resets_in is None else evolve(self, resets_in=max(0.0, self.resets_in - seconds))

    @classmethod
    def from_headers(cls, headers: Mapping[str, str], now: float | None = None) -> RateLimit | None:
        """Read the headers; None when any is missing or malformed.

        The reset is in seconds; a number too large for that is taken as the time of the reset if it is credible.

        Args:
            headers: Names in lower case.
            now: Seconds since the epoch; None to ignore times.
        """
        limit = _count(headers.get("x-ratelimit-limit"))
        used = _count(headers.get("x-ratelimit-current"))
        reset = _count(headers.get("x-ratelimit-reset"))
        if limit is None or used is None or reset is None:
            return None
        if reset > MAX_PERIOD:
            if now is None or abs(reset - now) > MAX_PERIOD:
                return None
            return cls(limit=limit, used=used, resets_in=max(0.0, reset - now))
        return cls(limit=limit, used=used, resets_in=float(reset))


class Quota:
    """The quota by the last response, and since when."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._reported = RateLimit()
        self._reported_at = self._probe_at = clock.monotonic()
        self._was_spent = False

    @property
    def rate_limit(self) -> RateLimit:
        """The quota by the last response, aged to now."""
        return self._reported.after(self._clock.monotonic() - self._reported_at)

    @property
    def is_spent(self) -> bool:
        """Whether no request may be sent until the period ends."""
        # Checked before every request; nearly always some quota remains.
        return self._was_spent and self.rate_limit.wait > 0

    @property
    def wait(self) -> float:
        """Seconds until a request may be sent; 0 when a very long wait is to be probed."""
        wait = self.rate_limit.wait
        return 0.0 if wait > MAX_WAIT and self._clock.monotonic() >= self._probe_at else wait

    def update(self, headers: Mapping[str, str]) -> float:
        """Update from a response's headers; malformed or missing ones change nothing.

        Returns:
            Seconds to wait, if these headers say that the quota is spent.
        """
        stated = RateLimit.from_headers(headers, self._clock.time())
        if stated is None:
            return 0.0
        self._reported, wait = stated, stated.wait
        self._was_spent = wait > 0
        self._reported_at = self._clock.monotonic()
        self._probe_at = self._reported_at + PROBE_INTERVAL
        return wait

    def postpone_probe(self) -> None:
        """Probe a very long wait again after the interval: one request does, not all that wait."""
        self._probe_at = self._clock.monotonic() + PROBE_INTERVAL


def _count(text: str | None) -> int | None:
    text = (text or "").strip()
    return int(text) if text.isascii() and text.isdigit() and len(text) < 16 else None  # noqa: PLR2004
