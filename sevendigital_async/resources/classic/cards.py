"""A user's payment cards: the part of ``client.classic.user`` that keeps ways to pay."""

from __future__ import annotations

from ...models import CardRegistration, PaymentCard
from ...operations.classic import cards as ops
from ..resource import CheckedResource


class Cards(CheckedResource):
    """Methods around cards."""

    async def payment_cards(self, *, user_id: str | None = None) -> tuple[PaymentCard, ...]:
        """List the user's cards.

        Args:
            user_id: Whose it is, in the partner's own numbering, in place of a user's token; live dialect only.

        API: ``GET /1.2/user/payment/card``
        """
        return await self._all(PaymentCard, ops.LIST_USER_PAYMENT_CARDS, user_id=user_id)

    async def select_payment_card(self, card_id: str, *, user_id: str | None = None) -> None:
        """Charge another card from now on.

        Args:
            card_id: One of the user's cards.
            user_id: Whose it is, in the partner's own numbering, in place of a user's token; live dialect only.

        Raises:
            NotFoundError: The user has no such card.

        API: ``POST /1.2/user/payment/card/select``
        """
        await self._none(ops.SELECT_USER_PAYMENT_CARD, card_id=card_id, user_id=user_id)

    async def delete_payment_card(self, card_id: str, *, user_id: str | None = None) -> None:
        """Forget a card.

        Args:
            card_id: One of the user's cards.
            user_id: Whose it is, in the partner's own numbering, in place of a user's token; live dialect only.

        Raises:
            NotFoundError: The user has no such card.

        API: ``POST /1.2/user/payment/card/delete``
        """
        await self._none(ops.DELETE_USER_PAYMENT_CARD, card_id=card_id, user_id=user_id)

    async def register_payment_card(
        self,
        *,
        card_number: str | None = None,
        expiry_month: int | None = None,
        expiry_year: int | None = None,
        cvv: str | None = None,
        cardholder_name: str | None = None,
        redirect_url: str | None = None,
        user_id: str | None = None,
    ) -> CardRegistration:
        """Begin to add a card; what is typed here appears in no log line and no error.

        The OpenAPI dialect takes the card itself and requires the first four arguments. The live service has the
        card's owner fill in a form at the answer's ``redirect_url``, and requires this method's.

        Args:
            card_number: All digits.
            expiry_month: From 1 to 12.
            expiry_year: All four digits.
            cvv: The three or four digits beside the number.
            cardholder_name: As printed on the card.
            redirect_url: Where the owner returns to after the form; live dialect only.
            user_id: Whose it is, in the partner's own numbering, in place of a user's token; live dialect only.

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
            redirect_url=redirect_url,
            user_id=user_id,
        )

    async def card_registration(
        self,
        id: str,  # noqa: A002 - the wire's name
        *,
        user_id: str | None = None,
    ) -> CardRegistration:
        """Ask how far a new card has come.

        Args:
            id: The registration's id.
            user_id: Whose it is, in the partner's own numbering, in place of a user's token; live dialect only.

        Raises:
            NotFoundError: The user has begun no such registration.

        API: ``GET /1.2/user/payment/cardregistration/{id}``
        """
        return await self._one(CardRegistration, ops.GET_USER_CARD_REGISTRATION, id=id, user_id=user_id)
