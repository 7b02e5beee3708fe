"""Back-off: how long to wait before the next attempt."""

from __future__ import annotations

import random


def full_jitter(attempt: int, *, base: float, cap: float, rng: random.Random) -> float:
    """Return a random number of seconds up to a bound that doubles with each failed attempt.

    Args:
        attempt: Failed attempts in a row.
        base: The bound of the first attempt, in seconds.
        cap: The largest bound, in seconds.
        rng: Source of random numbers.
    """
    return rng.uniform(0, exponential_backoff(attempt, base=base, cap=cap))


def exponential_backoff(attempt: int, *, base: float, cap: float) -> float:
    """Return ``base``, doubled for each failed attempt, but at most ``cap``."""
    return min(cap, base * 2.0 ** min(attempt, 60))
