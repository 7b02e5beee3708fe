"""What a list says about its entries."""

from __future__ import annotations

import enum
from decimal import Decimal

from attrs import frozen


class ChartChange(enum.StrEnum):
    """How an entry has moved since the chart before; anything else stays text."""

    UP = "up"
    DOWN = "down"
    SAME = "same"
    NEW = "new"


@frozen(kw_only=True)
class Listing:
    """An entry's place in the list that it came in: a chart, or the results of a search.

    Attributes:
        position: Its rank in the chart, from one.
        change: How it has moved since the chart before.
        score: How well it fits what was searched for; only comparable within one search.
    """

    position: int | None = None
    change: ChartChange | str | None = None
    score: Decimal | None = None
