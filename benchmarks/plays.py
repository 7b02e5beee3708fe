"""The source data of a partner: rows as a database returns them, the same for all sides."""

from __future__ import annotations

import gc
import random
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime, timedelta
from itertools import islice
from typing import NamedTuple, TypeVar

from sevendigital_async import StreamLog

T = TypeVar("T")

DAY = timedelta(days=1)
COUNTRIES = ("GB", "US", "DE", "FR", "JP", "BR", "SE", "ZA")


class Play(NamedTuple):
    """A row of the partner's own table of plays."""

    track_id: str
    played_at: datetime
    user_id: str
    device: str
    seconds: int
    country: str


def made_up_plays(number: int) -> list[Play]:
    """Generate plays of the last day: the same ones in every run, except for the date.

    They are excluded from garbage collection (``gc.freeze``): a service does not hold that many rows, and scanning them
    repeatedly would slow down every side that creates objects.
    """
    rng, now = random.Random(7), datetime.now(UTC)  # noqa: S311 - made-up data
    plays = [
        Play(
            track_id=str(rng.randrange(1_000_000, 100_000_000)),
            played_at=now - DAY * rng.random(),
            user_id=f"listener-{rng.randrange(100_000)}",
            device=f"device-{rng.randrange(1_000_000):06}",
            seconds=rng.randrange(420),
            country=rng.choice(COUNTRIES),
        )
        for _ in range(number)
    ]
    gc.collect()
    gc.freeze()
    return plays


def stream_log(play: Play) -> StreamLog:
    """Return a row as a ``StreamLog``."""
    track_id, played_at, user_id, device, seconds, country = play
    return StreamLog(track_id, played_at, user_id, device, seconds, country)


def in_groups(items: Iterable[T], size: int) -> Iterator[list[T]]:
    """Yield lists of ``size`` items; the last one may be shorter."""
    source = iter(items)
    while group := list(islice(source, size)):
        yield group
