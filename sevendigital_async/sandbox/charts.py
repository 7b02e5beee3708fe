"""Charts: fictional sales figures, the same on every run."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import date, timedelta
from typing import Generic, Protocol, TypeVar
from zlib import crc32

from attrs import frozen

CHART_LENGTH = 40
"""How many places a chart has."""

PERIODS: Mapping[str, int] = {"day": 1, "week": 7, "month": 30, "year": 365}
"""The days that a chart covers, by the name of its period."""


class _Ranked(Protocol):
    @property
    def id(self) -> str: ...


_Thing = TypeVar("_Thing", bound=_Ranked)


@frozen
class Entry(Generic[_Thing]):
    """A place in a chart; ``change`` is how it has moved since the previous chart."""

    position: int
    change: str
    thing: _Thing


def popularity(thing: _Ranked) -> int:
    """Return how popular something is, from 0 to 999."""
    return crc32(thing.id.encode()) % 1_000


def most_popular(things: Iterable[_Thing]) -> list[_Thing]:
    return sorted(things, key=popularity, reverse=True)


def first_day(to_date: date, period: str) -> date:
    return to_date - timedelta(days=PERIODS[period] - 1)


def chart(things: Iterable[_Thing], to_date: date, period: str) -> list[Entry[_Thing]]:
    things = list(things)
    before = _places(things, first_day(to_date, period) - timedelta(days=1), period)
    now = _ranking(things, to_date, period)
    return [Entry(place, _change(before.get(thing.id), place), thing) for place, thing in enumerate(now, 1)]


def _ranking(things: Sequence[_Thing], to_date: date, period: str) -> list[_Thing]:
    window = f"{period} {to_date.toordinal() // PERIODS[period]}"

    def sales(thing: _Thing) -> int:
        return 3 * popularity(thing) + crc32(f"{thing.id} {window}".encode()) % 1_000

    return sorted(things, key=sales, reverse=True)[:CHART_LENGTH]


def _places(things: Sequence[_Thing], to_date: date, period: str) -> dict[str, int]:
    return {thing.id: place for place, thing in enumerate(_ranking(things, to_date, period), 1)}


def _change(before: int | None, now: int) -> str:
    if before is None:
        return "New"
    return "Same" if before == now else "Up" if now < before else "Down"
