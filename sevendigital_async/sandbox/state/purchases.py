"""Purchases, in the order in which they were made."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from attrs import frozen

from .baskets import BasketLine

_FIRST_PURCHASE_ID = 800_001


@frozen(kw_only=True)
class Purchase:
    """What one request bought or had delivered; ``operation`` is the name of the API operation."""

    id: str
    user: str
    lines: tuple[BasketLine, ...]
    currency: str
    purchased_at: datetime
    operation: str
    transaction_id: str | None = None

    @property
    def pence_due(self) -> int:
        """What was charged, in hundredths."""
        return sum(line.pence_due for line in self.lines)


class Purchases:
    """Every purchase."""

    def __init__(self) -> None:
        self._purchases: dict[str, Purchase] = {}

    def record(
        self,
        user: str,
        lines: Sequence[BasketLine],
        *,
        currency: str,
        purchased_at: datetime,
        operation: str,
        transaction_id: str | None = None,
    ) -> Purchase:
        purchase = Purchase(
            id=str(_FIRST_PURCHASE_ID + len(self._purchases)),
            user=user,
            lines=tuple(lines),
            currency=currency,
            purchased_at=purchased_at,
            operation=operation,
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
                "source": purchase.operation,
                "transactionId": purchase.transaction_id,
                "purchaseDate": purchase.purchased_at.isoformat(),
                "currency": purchase.currency,
                "total": purchase.pence_due / 100,
                "items": [line.tree() for line in purchase.lines],
            }
            for purchase in self._purchases.values()
        ]
