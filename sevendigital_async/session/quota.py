"""The account's request quota: learned from every answer, respected before every request."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping

from ..account_quota import LONGEST_WAIT, PROBE_INTERVAL, RateLimit
from ..clock import Clock
from ..errors import RateLimitError


class Quota:
    """The quota of one consumer key."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._stated = RateLimit()
        self._stated_at = self._probe_at = clock.monotonic()

    @property
    def rate_limit(self) -> RateLimit:
        """What the last answer stated, aged to now."""
        return self._stated.after(self._clock.monotonic() - self._stated_at)

    @property
    def is_spent(self) -> bool:
        """Whether nothing is left, by what the last answer stated."""
        # Asked before every request, and nearly always there is something left.
        return bool(self._stated.wait and self.rate_limit.wait)

    @property
    def wait(self) -> float:
        """Seconds until a request may go out; none when it is time to ask whether a very long wait still holds."""
        wait = self.rate_limit.wait
        return 0.0 if wait > LONGEST_WAIT and self._clock.monotonic() >= self._probe_at else wait

    def update(self, headers: Mapping[str, str]) -> float:
        """Take over what an answer's headers state; malformed or missing ones change nothing.

        Returns:
            Seconds to wait, if these headers say that the quota is spent.
        """
        stated = RateLimit.from_headers(headers, self._clock.time())
        if stated is None:
            return 0.0
        self._stated = stated
        self._stated_at = self._clock.monotonic()
        self._probe_at = self._stated_at + PROBE_INTERVAL
        return stated.wait

    async def acquire(self, max_wait: float, operation: str, pause_left: Callable[[], Awaitable[float]]) -> None:
        """Wait until the quota lets a request out.

        Args:
            max_wait: Seconds this may take; more than a day is never waited here.
            operation: Named in the error.
            pause_left: Tells for how many seconds the account pauses, by what other processes have learned.

        Raises:
            RateLimitError: It would take longer; ``retry_after`` says how long.
        """
        while wait := max(self.wait, await pause_left()):
            if wait > min(max_wait, LONGEST_WAIT):
                raise RateLimitError(
                    f"the request quota is spent; it is renewed in {wait:.0f} seconds",
                    operation=operation,
                    rate_limit=self.rate_limit,
                    retry_after=wait,
                )
            await self._clock.sleep(wait)
        self._probe_at = self._clock.monotonic() + PROBE_INTERVAL  # one request asks, not all that wait
