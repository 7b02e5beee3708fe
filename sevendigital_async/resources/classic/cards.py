"""A user's payment cards: the part of ``client.classic.user`` that keeps ways to pay."""

from __future__ import annotations

from datetime import date

from ...models import CardRegistration, PaymentCard
from ...operations.classic import cards as ops
from ..resource import ClassicResource


class Cards(ClassicResource):
    """Methods around cards."""

    async def payment_cards(self, *, user_id: str | None = None) -> tuple[PaymentCard, ...]:
        """List the user's cards.

        Args:
            user_id: The partner's id of the user, in place of a user's token; live dialect only.

        API: ``GET /1.2/user/payment/card``
        """
        return await self._all(PaymentCard, ops.LIST_USER_PAYMENT_CARDS, user_id=user_id)

    async def select_payment_card(self, card_id: str, *, user_id: str | None = None) -> None:
        """Charge another card from now on.

        Args:
            card_id: One of the user's cards.
            user_id: The partner's id of the user, in place of a user's token; live dialect only.

        Raises:
            NotFoundError: The user has no such card.

        API: ``POST /1.2/user/payment/card/select``
        """
        await self._none(ops.SELECT_USER_PAYMENT_CARD, card_id=card_id, user_id=user_id)

    async def delete_payment_card(self, card_id: str, *, user_id: str | None = None) -> None:
        """Forget a card.

        Args:
            card_id: One of the user's cards.
            user_id: The partner's id of the user, in place of a user's token; live dialect only.

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
        card's owner fill in a form at the response's ``redirect_url``, and requires this method's.

        Args:
            card_number: All digits.
            expiry_month: From 1 to 12.
            expiry_year: All four digits.
            cvv: The three or four digits beside the number.
            cardholder_name: As printed on the card.
            redirect_url: Where the owner returns to after the form; live dialect only.
            user_id: The partner's id of the user, in place of a user's token; live dialect only.

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
        id: str,
        *,
        user_id: str | None = None,
    ) -> CardRegistration:
        """Ask how far a new card has come.

        Args:
            id: The registration's id.
            user_id: The partner's id of the user, in place of a user's token; live dialect only.

        Raises:
            NotFoundError: The user has begun no such registration.

        API: ``GET /1.2/user/payment/cardregistration/{id}``
        """
        return await self._one(CardRegistration, ops.GET_USER_CARD_REGISTRATION, id=id, user_id=user_id)

    async def add_payment_card(
        self,
        *,
        card_number: str,
        card_type: str,
        card_holder_name: str,
        card_expiry_date: date,
        card_verification_code: str,
        card_post_code: str | None = None,
        card_country: str | None = None,
        card_issue_number: int | None = None,
        card_start_date: date | None = None,
        user_id: str | None = None,
    ) -> PaymentCard:
        """Add a card at once; in the live dialect only. What is typed here appears in no log line and no error.

        The service keeps this for older partners: `register_payment_card` is its present way.

        Args:
            card_number: All digits.
            card_type: Who issued it, as ``client.classic.payment.card_types`` names it.
            card_holder_name: As printed on the card.
            card_expiry_date: Any day of its last month.
            card_verification_code: The three or four digits beside the number.
            card_post_code: Postcode of its owner's address.
            card_country: ISO 3166-1 alpha-2 code of that address.
            card_issue_number: As printed on the card, if there is one.
            card_start_date: Any day of its first month.
            user_id: The partner's id of the user, in place of a user's token.

        Raises:
            PaymentError: The card is refused.

        API: ``POST /1.2/user/payment/card/add``
        """
        return await self._one(
            PaymentCard,
            ops.ADD_USER_PAYMENT_CARD,
            card_number=card_number,
            card_type=card_type,
            card_holder_name=card_holder_name,
            card_expiry_date=card_expiry_date,
            card_verification_code=card_verification_code,
            card_post_code=card_post_code,
            card_country=card_country,
            card_issue_number=card_issue_number,
            card_start_date=card_start_date,
            user_id=user_id,
        )
