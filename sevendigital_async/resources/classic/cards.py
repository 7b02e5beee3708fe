"""A user's payment cards: the part of ``client.classic.user`` that keeps ways to pay."""

from __future__ import annotations

from ...models import CardRegistration, PaymentCard
from ...operations.classic import cards as ops
from ..resource import CheckedResource


class Cards(CheckedResource):
    """Methods around cards."""

    async def payment_cards(self) -> tuple[PaymentCard, ...]:
        """List the user's cards.

        API: ``GET /1.2/user/payment/card``
        """
        return await self._all(PaymentCard, ops.LIST_USER_PAYMENT_CARDS)

    async def select_payment_card(self, card_id: str) -> None:
        """Charge another card from now on.

        Args:
            card_id: One of the user's cards.

        Raises:
            NotFoundError: The user has no such card.

        API: ``POST /1.2/user/payment/card/select``
        """
        await self._none(ops.SELECT_USER_PAYMENT_CARD, card_id=card_id)

    async def delete_payment_card(self, card_id: str) -> None:
        """Forget a card.

        Args:
            card_id: One of the user's cards.

        Raises:
            NotFoundError: The user has no such card.

        API: ``POST /1.2/user/payment/card/delete``
        """
        await self._none(ops.DELETE_USER_PAYMENT_CARD, card_id=card_id)

    async def register_payment_card(
        self,
        *,
        card_number: str,
        expiry_month: int,
        expiry_year: int,
        cvv: str,
        cardholder_name: str | None = None,
    ) -> CardRegistration:
        """Begin to add a card; what is typed here appears in no log line and no error.

        Args:
            card_number: All digits.
            expiry_month: From 1 to 12.
            expiry_year: All four digits.
            cvv: The three or four digits beside the number.
            cardholder_name: As printed on the card.

        Returns:
            The registration, which may still be pending: `card_registration` returns its progress.

        Raises:
            PaymentError: The card is refused.

        API: ``POST /1.2/user/payment/cardregistration``
        """
        return await self._one(
            CardRegistration,
            ops.REGISTER_USER_PAYMENT_CARD,
            card_number=card_number,
            expiry_month=expiry_month,
            expiry_year=expiry_year,
            cvv=cvv,
            cardholder_name=cardholder_name,
        )

    async def card_registration(self, id: str) -> CardRegistration:  # noqa: A002 - the wire's name
        """Ask how far a new card has come.

        Args:
            id: The registration's id.

        Raises:
            NotFoundError: The user has begun no such registration.

        API: ``GET /1.2/user/payment/cardregistration/{id}``
        """
        return await self._one(CardRegistration, ops.GET_USER_CARD_REGISTRATION, id=id)
