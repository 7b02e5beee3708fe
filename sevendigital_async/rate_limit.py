"""The request quota of a consumer key, as the service's ``X-RateLimit-*`` headers state it."""

from __future__ import annotations

from collections.abc import Mapping

from attrs import evolve, frozen


@frozen
class RateLimit:
    """A snapshot of the quota; every field is None until an answer has told it.

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
        """Return this snapshot as it looks ``seconds`` later."""
        return self if self.resets_in is None else evolve(self, resets_in=max(0.0, self.resets_in - seconds))

    @classmethod
    def from_headers(cls, headers: Mapping[str, str]) -> RateLimit | None:
        """Read the headers (names in lower case); None when any is missing or malformed."""
        values = [_count(headers.get(f"x-ratelimit-{name}")) for name in ("limit", "current", "reset")]
        limit, used, resets_in = values
        if limit is None or used is None or resets_in is None:
            return None
        return cls(limit=limit, used=used, resets_in=float(resets_in))


def _count(text: str | None) -> int | None:
    text = (text or "").strip()
    return int(text) if text.isascii() and text.isdigit() and len(text) < 16 else None  # noqa: PLR2004
