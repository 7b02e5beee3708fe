"""Ways to pay in the classic API."""

from __future__ import annotations

from ...models import CardType, Voucher
from ...operations.classic import payment as ops
from .checked import CheckedResource


class Payment(CheckedResource):
    """Methods of ``client.classic.payment``."""

    async def card_types(self) -> tuple[CardType, ...]:
        """List the kinds of card that are accepted.

        API: ``GET /1.2/payment/card/type``
        """
        return await self._all(CardType, ops.GET_PAYMENT_CARD_TYPES)

    async def voucher(self, voucher_code: str) -> Voucher:
        """Fetch what a voucher is worth, until when, and whether it has been used up.

        Args:
            voucher_code: What the shopper typed.

        Raises:
            NotFoundError: There is no such voucher.

        API: ``GET /1.2/payment/voucher/details``
        """
        return await self._one(Voucher, ops.GET_PAYMENT_VOUCHER_DETAILS, voucher_code=voucher_code)
