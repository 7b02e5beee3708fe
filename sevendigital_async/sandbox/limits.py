"""Limits of requests: the daily quota, and the exact limit of any one second."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Mapping

from attrs import define

from ..operations import RateClass

SECONDS_PER_DAY = 86_400


class SlidingWindow:
    """The times of the last second, half open: a time exactly one second old is outside."""

    def __init__(self, seconds: float = 1.0) -> None:
        self._seconds = seconds
        self._times: deque[float] = deque()

    def count(self, now: float) -> int:
        moments = self._times
        while moments and now - moments[0] >= self._seconds:
            moments.popleft()
        return len(moments)

    def add(self, now: float) -> int:
        self._times.append(now)
        return self.count(now)

    def wait(self, now: float, most: int) -> float:
        """Return the seconds until fewer than ``most`` moments are left in the window."""
        surplus = self.count(now) - most
        return 0.0 if surplus < 0 else self._times[surplus] + self._seconds - now


@define
class DailyQuota:
    """Requests of one UTC day."""

    limit: int
    used: int = 0
    day: int = 0

    def spend(self, now: float) -> bool:
        """Count a request; False, and not counted, if the day's quota is spent."""
        if (today := int(now // SECONDS_PER_DAY)) != self.day:
            self.day, self.used = today, 0
        if self.used >= self.limit:
            return False
        self.used += 1
        return True

    def resets_in(self, now: float) -> int:
        return math.ceil(SECONDS_PER_DAY - now % SECONDS_PER_DAY)

    def headers(self, now: float) -> dict[str, str]:
        return {
            "X-RateLimit-Limit": str(self.limit),
            "X-RateLimit-Current": str(self.used),
            "X-RateLimit-Reset": str(self.resets_in(now)),
        }


class RateLimiter:
    """The quota and the windows of the rate classes."""

    def __init__(self, daily_quota: int, rates: Mapping[RateClass, int]) -> None:
        self.quota: DailyQuota = DailyQuota(daily_quota)
        self._rates = {rate_class: rates.get(rate_class, rate_class.value) for rate_class in RateClass}
        self._windows = {rate_class: SlidingWindow() for rate_class in RateClass}

    def admit(self, rate_class: RateClass | None, now: float, monotonic: float) -> str | None:
        """Count a request; if it is one too many, return the seconds to wait as ``Retry-After`` gives them.

        A refused request is not counted.
        """
        if rate_class is not None:
            window, rate = self._windows[rate_class], self._rates[rate_class]
            if window.count(monotonic) >= rate:
                return f"{math.ceil(window.wait(monotonic, rate) * 1000) / 1000:.3f}"
        if not self.quota.spend(now):
            return str(self.quota.resets_in(now))
        if rate_class is not None:
            window.add(monotonic)
        return None
