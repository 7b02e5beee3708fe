"""Baskets, and the amounts due."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from uuid import UUID, uuid5

from attrs import Factory, define, evolve, frozen

from ..catalogue import Item
from .vouchers import Voucher

_BASKET_NAMESPACE = UUID("7d190000-0000-4000-8000-000000000001")
_FIRST_LINE = 15_000_001


@frozen
class Line:
    """One thing in a basket or a purchase; ``pence`` is its price and ``due`` what is charged, in hundredths."""

    id: str
    item: Item
    pence: int
    due: int

    def tree(self) -> dict[str, Any]:
        track = self.item.track
        return {
            "itemId": self.id,
            "releaseId": self.item.release.id,
            "trackId": track and track.id,
            "price": self.pence / 100,
            "amountDue": self.due / 100,
        }


@define
class Basket:
    """A shopper's basket, for one country; ``paypal_tokens`` are those of checkouts that were begun."""

    id: str
    country: str
    currency: str
    lines: Sequence[Line] = ()
    voucher: Voucher | None = None
    paypal_tokens: list[str] = Factory(list)
    paid: bool = False

    @property
    def pence(self) -> int:
        return sum(line.pence for line in self.lines)

    @property
    def due(self) -> int:
        return sum(line.due for line in self.lines)

    def fill(self, lines: Sequence[Line]) -> None:
        """Replace its lines by ``lines``, and apply the voucher."""
        self.lines = _reduced(lines, self.voucher)

    def apply(self, voucher: Voucher) -> None:
        """Apply a voucher, which replaces an earlier one."""
        self.voucher = voucher
        self.fill(self.lines)

    def begin_paypal(self) -> str:
        token = f"EC-{self.id[:8].upper()}{len(self.paypal_tokens) + 1:04d}"
        self.paypal_tokens.append(token)
        return token


class Baskets:
    """Every basket, by its id."""

    def __init__(self) -> None:
        self._baskets: dict[str, Basket] = {}
        self._lines = 0

    def create(self, country: str, currency: str) -> Basket:
        id_ = str(uuid5(_BASKET_NAMESPACE, str(len(self._baskets))))
        return self._baskets.setdefault(id_, Basket(id_, country, currency))

    def find(self, id_: str) -> Basket | None:
        return self._baskets.get(id_.lower())

    def line(self, item: Item, pence: int) -> Line:
        """Return a line with a new number, for a basket or for a purchase without one."""
        self._lines += 1
        return Line(str(_FIRST_LINE + self._lines - 1), item, pence, pence)

    def tree(self) -> list[dict[str, Any]]:
        return [
            {
                "id": basket.id,
                "country": basket.country,
                "currency": basket.currency,
                "price": basket.pence / 100,
                "amountDue": basket.due / 100,
                "voucherCode": basket.voucher and basket.voucher.code,
                "items": [line.tree() for line in basket.lines],
            }
            for basket in self._baskets.values()
        ]


def _reduced(lines: Sequence[Line], voucher: Voucher | None) -> tuple[Line, ...]:
    reduced: list[Line] = []
    spent = 0
    for line in lines:
        off = voucher.reduction(line.pence, spent) if voucher else 0
        spent += off
        reduced.append(evolve(line, due=line.pence - off))
    return tuple(reduced)
