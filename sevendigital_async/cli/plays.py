"""Made-up plays that look like a day's."""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta

from attrs import evolve

from ..config import Dialect
from ..models import EndReason, LogKind, PlayMode, StreamLog

SHARES: Mapping[LogKind, float] = {LogKind.PREVIEW: 0.60, LogKind.CATALOGUE: 0.25, LogKind.SUBSCRIBER: 0.15}
USERS = tuple(f"listener-{number:02}" for number in range(1, 49))
COUNTRIES = ("GB", "US", "DE", "FR", "JP", "BR", "SE", "ZA", "IN", "AU")
FORMATS = ("17", "26", "33", "45")
SKIPPED_AT_ONCE = 0.03
PREVIEW_SECONDS = 30
LONGEST_SECONDS = 420
DAY = timedelta(days=1)


def split(plays: int) -> dict[LogKind, int]:
    """Divide a number of plays among the kinds; nothing is lost to rounding."""
    numbers = {kind: int(plays * share) for kind, share in SHARES.items()}
    numbers[LogKind.PREVIEW] += plays - sum(numbers.values())
    return numbers


def plausible_plays(
    kind: LogKind, number: int, now: datetime, rng: random.Random, dialect: Dialect = Dialect.OPENAPI
) -> Iterator[StreamLog]:
    """Make plays of one kind, no two alike: each has a device of its own.

    Args:
        kind: Previews are short and need no user.
        number: How many.
        now: All were played within the day before.
        rng: Where chance comes from.
        dialect: Decides what plays tell: the live one demands more, and takes no id of a device.
    """
    longest = PREVIEW_SECONDS if kind is LogKind.PREVIEW else LONGEST_SECONDS
    for index in range(number):
        skipped = rng.random() < SKIPPED_AT_ONCE
        play = StreamLog(
            track_id=str(rng.randrange(1_000_000, 9_999_999)),
            timestamp=now - DAY * rng.random(),
            user_id=None if kind is LogKind.PREVIEW else rng.choice(USERS),
            client_id=f"{kind.value}-device-{index:07}",
            duration_played=0 if skipped else rng.randint(1, longest),
            country=rng.choice(COUNTRIES),
        )
        yield play if dialect is Dialect.OPENAPI else _as_live(play, kind, rng)


def _as_live(play: StreamLog, kind: LogKind, rng: random.Random) -> StreamLog:
    """Return a play with all that the live dialect demands of its kind."""
    is_clip = kind is LogKind.PREVIEW
    return evolve(
        play,
        user_id=play.user_id or rng.choice(USERS),
        client_id=None,
        release_id=None if is_clip else str(rng.randrange(100_000, 999_999)),
        format_id=None if is_clip else rng.choice(FORMATS),
        play_mode=None if kind is LogKind.CATALOGUE else rng.choice(list(PlayMode)),
        end_reason=rng.choice(list(EndReason)) if kind is LogKind.CATALOGUE else None,
        user_agent=f"{play.client_id}, application 6",
    )
