"""Purchases, in the order in which they were made."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from attrs import frozen

from .baskets import Line

_FIRST_PURCHASE = 800_001


@frozen(kw_only=True)
class Purchase:
    """What one request bought or had delivered; ``source`` is the name of the operation."""

    id: str
    user: str
    lines: tuple[Line, ...]
    currency: str
    moment: datetime
    source: str
    transaction_id: str | None = None

    @property
    def due(self) -> int:
        """What was charged, in hundredths."""
        return sum(line.due for line in self.lines)


class Purchases:
    """Every purchase."""

    def __init__(self) -> None:
        self._purchases: dict[str, Purchase] = {}

    def record(
        self,
        user: str,
        lines: Sequence[Line],
        *,
        currency: str,
        moment: datetime,
        source: str,
        transaction_id: str | None = None,
    ) -> Purchase:
        purchase = Purchase(
            id=str(_FIRST_PURCHASE + len(self._purchases)),
            user=user,
            lines=tuple(lines),
            currency=currency,
            moment=moment,
            source=source,
            transaction_id=transaction_id,
        )
        self._purchases[purchase.id] = purchase
        return purchase

    def find(self, id_: str) -> Purchase | None:
        return self._purchases.get(id_)

    def tree(self) -> list[dict[str, Any]]:
        return [
            {
                "id": purchase.id,
                "user": purchase.user,
                "source": purchase.source,
                "transactionId": purchase.transaction_id,
                "purchaseDate": purchase.moment.isoformat(),
                "currency": purchase.currency,
                "total": purchase.due / 100,
                "items": [line.tree() for line in purchase.lines],
            }
            for purchase in self._purchases.values()
        ]
