"""Baskets of the classic API."""

from __future__ import annotations

from decimal import Decimal

from ...models import Basket as BasketModel
from ...models import BasketStatus, PaypalCheckout, Purchase
from ...operations.classic import basket as ops
from .. import checks
from ..resource import ClassicResource


class Basket(ClassicResource):
    """Methods of ``client.classic.basket``.

    What changes a basket is never repeated once it may have been processed: after an error with ``maybe_sent``, ask
    for the basket's details before trying again.
    """

    async def details(self, basket_id: str, *, country: str | None = None) -> BasketModel:
        """Fetch what is in a basket, and what it costs.

        Args:
            basket_id: The id that `create` returned.
            country: ISO 3166-1 alpha-2 code of the territory the basket was created in.

        Raises:
            NotFoundError: No such basket.
            NotAvailableError: It belongs to another territory.

        API: ``GET /1.2/basket``
        """
        return await self._one(BasketModel, ops.GET_BASKET, basket_id=basket_id, country=country)

    async def create(self, *, country: str | None = None) -> BasketModel:
        """Make a new, empty basket.

        Args:
            country: ISO 3166-1 alpha-2 code of the territory the shopper is in; the account's own by default.

        API: ``GET /1.2/basket/create``
        """
        return await self._one(BasketModel, ops.CREATE_BASKET, country=country)

    async def add_item(
        self,
        basket_id: str,
        *,
        release_id: str | None = None,
        track_id: str | None = None,
        country: str | None = None,
        affiliate_partner: str | None = None,
    ) -> BasketModel:
        """Put a release, or one track of it, into a basket.

        Args:
            basket_id: The id that `create` returned.
            release_id: The release, or the one that the track is on.
            track_id: The track; needs ``release_id`` in the live dialect.
            country: ISO 3166-1 alpha-2 code of the territory the basket was created in.
            affiliate_partner: Who is credited for the sale, in place of the account.

        Returns:
            The basket as it is now.

        Raises:
            InvalidArgumentError: There is a track without its release.
            NotFoundError: No such basket, release or track.

        API: ``GET /1.2/basket/addItem``
        """
        return await self._one(
            BasketModel,
            ops.ADD_BASKET_ITEM,
            basket_id=basket_id,
            release_id=release_id,
            track_id=track_id,
            country=country,
            affiliate_partner=affiliate_partner,
        )

    async def remove_item(self, basket_id: str, *, item_id: str, country: str | None = None) -> BasketModel:
        """Remove an item from a basket.

        Args:
            basket_id: The id that `create` returned.
            item_id: The basket's own number for the thing, not the release's or the track's.
            country: ISO 3166-1 alpha-2 code of the territory the basket was created in.

        Returns:
            The basket as it is now.

        Raises:
            NotFoundError: No such basket, or no such thing in it.

        API: ``GET /1.2/basket/removeItem``
        """
        return await self._one(
            BasketModel, ops.REMOVE_BASKET_ITEM, basket_id=basket_id, item_id=item_id, country=country
        )

    async def apply_voucher(self, basket_id: str, *, voucher_code: str, country: str | None = None) -> BasketModel:
        """Lower what is due for a basket; prices stay what they are.

        Args:
            basket_id: The id that `create` returned.
            voucher_code: What the shopper typed.
            country: ISO 3166-1 alpha-2 code of the territory the basket was created in.

        Returns:
            The basket as it is now.

        Raises:
            PaymentError: (3012) The code is wrong, expired, used up, or good for nothing in the basket.
            NotFoundError: No such basket.

        API: ``POST /1.2/basket/applyVoucher``
        """
        return await self._one(
            BasketModel, ops.APPLY_BASKET_VOUCHER, basket_id=basket_id, voucher_code=voucher_code, country=country
        )

    async def add_priced_item(
        self,
        basket_id: str,
        *,
        price: Decimal | int,
        release_id: str | None = None,
        track_id: str | None = None,
    ) -> BasketModel:
        """Put a release, or one track of it, into a basket at a price of the partner's own.

        Args:
            basket_id: The id that `create` returned.
            price: What to charge, zero for a gift; not negative, with two decimals at most. It is sent as it is:
                the OpenAPI file counts in minor units (999), the guide of the live service in whole ones (9.99).
            release_id: The release, or the one that the track is on.
            track_id: The track; needs ``release_id``.

        Returns:
            The basket as it is now.

        Raises:
            InvalidArgumentError: The price is none, or there is a track without its release.
            NotFoundError: No such basket, release or track.

        API: ``GET /1.2/basket/addpriceditem``
        """
        checks.price("price", price)
        return await self._one(
            BasketModel,
            ops.ADD_PRICED_BASKET_ITEM,
            basket_id=basket_id,
            price=price,
            release_id=release_id,
            track_id=track_id,
        )

    async def paypal_url(self, basket_id: str) -> PaypalCheckout:
        """Get the page where the shopper consents to pay by PayPal; nothing is charged yet.

        Args:
            basket_id: The id that `create` returned.

        Raises:
            NotFoundError: No such basket.

        API: ``GET /1.2/basket/paypalurl``
        """
        return await self._one(PaypalCheckout, ops.GET_BASKET_PAYPAL_URL, basket_id=basket_id)

    async def complete_paypal_purchase(
        self, basket_id: str, *, payer_id: str, token: str, user_id: str | None = None
    ) -> Purchase:
        """Charge what the shopper has consented to, and move it to the user's locker.

        Args:
            basket_id: The id that `create` returned.
            payer_id: PayPal's id of who pays, from the page that PayPal sends the shopper back to.
            token: PayPal's token, from the same.
            user_id: Who buys, in the partner's own numbering, in place of a user's token; live dialect only.

        Raises:
            PaymentError: PayPal refuses.
            NotFoundError: No such basket.

        API: ``POST /1.2/basket/completepaypalpurchase``
        """
        return await self._one(
            Purchase,
            ops.COMPLETE_BASKET_PAYPAL_PURCHASE,
            basket_id=basket_id,
            payer_id=payer_id,
            token=token,
            user_id=user_id,
        )

    async def status(self, basket_id: str) -> BasketStatus:
        """Ask whether a basket has been paid for; in the live dialect only.

        Args:
            basket_id: The id that `create` returned.

        Raises:
            NotFoundError: No such basket.

        API: ``GET /1.2/basket/{basketId}/status``
        """
        return await self._one(BasketStatus, ops.GET_BASKET_STATUS, basket_id=basket_id)
