"""Ways to pay in the classic API."""

from __future__ import annotations

from ...models import CardType, Voucher
from ...operations import account
from ...operations.classic import payment as ops
from ..resource import ClassicResource


class Payment(ClassicResource):
    """Methods of ``client.classic.payment``."""

    async def card_types(self) -> tuple[CardType, ...]:
        """List the kinds of card that are accepted.

        API: ``GET /1.2/payment/card/type``
        """
        return await self._all(CardType, ops.GET_PAYMENT_CARD_TYPES)

    def add_card_url(
        self, *, country: str | None = None, lang: str | None = None, return_url: str | None = None
    ) -> str:
        """Return the signed address of the page where a user adds a payment card. Nothing is requested.

        Acting for a user (``client.as_user``), the address signs them in; else they sign in themselves. Send users
        there after a purchase has failed for want of a card. The card becomes the one that is charged.

        Args:
            country: ISO 3166-1 alpha-2 code of the country the user lives in; GB by default.
            lang: ISO 639-1 code of the form's language (en, es, it, de, nl, pt, fr); the country's by default.
            return_url: Where the user is sent afterwards; to the list of their cards by default.
        """
        return self._media(
            account.ADD_CARD_PAGE,
            consumer_key=self._caller.consumer_key,
            country=country,
            lang=lang,
            return_url=return_url,
        ).url()

    def cards_url(self, *, country: str | None = None, lang: str | None = None) -> str:
        """Return the signed address of the page with a user's payment cards. Nothing is requested.

        Args:
            country: ISO 3166-1 alpha-2 code of the country the user lives in; GB by default.
            lang: ISO 639-1 code of the page's language; the country's by default.
        """
        return self._media(account.CARDS_PAGE, consumer_key=self._caller.consumer_key, country=country, lang=lang).url()

    async def voucher(self, voucher_code: str) -> Voucher:
        """Fetch what a voucher is worth, until when, and whether it has been used up.

        Args:
            voucher_code: What the shopper typed.

        Raises:
            NotFoundError: No such voucher.

        API: ``GET /1.2/payment/voucher/details``
        """
        return await self._one(Voucher, ops.GET_PAYMENT_VOUCHER_DETAILS, voucher_code=voucher_code)
