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


_RankedT = TypeVar("_RankedT", bound=_Ranked)


@frozen
class ChartEntry(Generic[_RankedT]):
    """A place in a chart; ``change`` is how it has moved since the previous chart."""

    position: int
    change: str
    item: _RankedT


def popularity(item: _Ranked) -> int:
    """Return how popular something is, from 0 to 999."""
    return crc32(item.id.encode()) % 1_000


def most_popular(items: Iterable[_RankedT]) -> list[_RankedT]:
    return sorted(items, key=popularity, reverse=True)


def first_day(to_date: date, period: str) -> date:
    return to_date - timedelta(days=PERIODS[period] - 1)


def chart(items: Iterable[_RankedT], to_date: date, period: str) -> list[ChartEntry[_RankedT]]:
    items = list(items)
    previous = _positions(items, first_day(to_date, period) - timedelta(days=1), period)
    ranking = _ranking(items, to_date, period)
    return [
        ChartEntry(position, _change(previous.get(item.id), position), item) for position, item in enumerate(ranking, 1)
    ]


def _ranking(items: Sequence[_RankedT], to_date: date, period: str) -> list[_RankedT]:
    window = f"{period} {to_date.toordinal() // PERIODS[period]}"

    def sales(item: _RankedT) -> int:
        return 3 * popularity(item) + crc32(f"{item.id} {window}".encode()) % 1_000

    return sorted(items, key=sales, reverse=True)[:CHART_LENGTH]


def _positions(items: Sequence[_RankedT], to_date: date, period: str) -> dict[str, int]:
    return {item.id: position for position, item in enumerate(_ranking(items, to_date, period), 1)}


def _change(previous: int | None, current: int) -> str:
    if previous is None:
        return "New"
    return "Same" if previous == current else "Up" if current < previous else "Down"
