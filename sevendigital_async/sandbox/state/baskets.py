"""Baskets, and the amounts due."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from uuid import UUID, uuid5

from attrs import Factory, define, evolve, frozen

from ..catalogue import Item
from .vouchers import Voucher

_BASKET_NAMESPACE = UUID("7d190000-0000-4000-8000-000000000001")
_FIRST_LINE_ID = 15_000_001


@frozen
class BasketLine:
    """One thing in a basket or a purchase; ``pence`` is its price and ``pence_due`` what is charged, in hundredths."""

    id: str
    item: Item
    pence: int
    pence_due: int

    def tree(self) -> dict[str, Any]:
        track = self.item.track
        return {
            "itemId": self.id,
            "releaseId": self.item.release.id,
            "trackId": track and track.id,
            "price": self.pence / 100,
            "amountDue": self.pence_due / 100,
        }


@define
class Basket:
    """A shopper's basket, for one country; ``paypal_tokens`` are those of checkouts that were begun."""

    id: str
    country: str
    currency: str
    lines: Sequence[BasketLine] = ()
    voucher: Voucher | None = None
    paypal_tokens: list[str] = Factory(list)
    is_paid: bool = False

    @property
    def pence(self) -> int:
        return sum(line.pence for line in self.lines)

    @property
    def pence_due(self) -> int:
        return sum(line.pence_due for line in self.lines)

    def set_lines(self, lines: Sequence[BasketLine]) -> None:
        """Replace its lines by ``lines``, and apply the voucher."""
        self.lines = _with_discounts(lines, self.voucher)

    def apply_voucher(self, voucher: Voucher) -> None:
        """Apply a voucher, which replaces an earlier one."""
        self.voucher = voucher
        self.set_lines(self.lines)

    def start_paypal_checkout(self) -> str:
        token = f"EC-{self.id[:8].upper()}{len(self.paypal_tokens) + 1:04d}"
        self.paypal_tokens.append(token)
        return token


class Baskets:
    """Every basket, by its id."""

    def __init__(self) -> None:
        self._baskets: dict[str, Basket] = {}
        self._line_count = 0

    def create(self, country: str, currency: str) -> Basket:
        id_ = str(uuid5(_BASKET_NAMESPACE, str(len(self._baskets))))
        return self._baskets.setdefault(id_, Basket(id_, country, currency))

    def find(self, id_: str) -> Basket | None:
        return self._baskets.get(id_.lower())

    def new_line(self, item: Item, pence: int) -> BasketLine:
        """Return a line with a new number, for a basket or for a purchase without one."""
        self._line_count += 1
        return BasketLine(str(_FIRST_LINE_ID + self._line_count - 1), item, pence, pence)

    def tree(self) -> list[dict[str, Any]]:
        return [
            {
                "id": basket.id,
                "country": basket.country,
                "currency": basket.currency,
                "price": basket.pence / 100,
                "amountDue": basket.pence_due / 100,
                "voucherCode": basket.voucher and basket.voucher.code,
                "items": [line.tree() for line in basket.lines],
            }
            for basket in self._baskets.values()
        ]


def _with_discounts(lines: Sequence[BasketLine], voucher: Voucher | None) -> tuple[BasketLine, ...]:
    reduced: list[BasketLine] = []
    spent = 0
    for line in lines:
        off = voucher.discount(line.pence, spent) if voucher else 0
        spent += off
        reduced.append(evolve(line, pence_due=line.pence - off))
    return tuple(reduced)
