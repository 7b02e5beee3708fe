"""What a user owns and buys: the part of ``client.classic.user`` that moves money."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal

from ...models import LockerRelease, PreparedPurchase, Purchase
from ...operations.classic import purchases as ops
from .. import checks
from ..resource import ClassicResource, Pages


class Purchases(ClassicResource):
    """Methods around the locker.

    None of those that buy or deliver is repeated once it may have been processed: after an error with
    ``maybe_sent``, check the locker before trying again.
    """

    def locker(
        self,
        *,
        release_id: str | None = None,
        track_id: str | None = None,
        purchase_id: str | None = None,
        sort: str | None = None,
        country: str | None = None,
        page: int = 1,
        page_size: int | None = None,
        user_id: str | None = None,
    ) -> Pages[LockerRelease]:
        """List what the user owns, and where to fetch it.

        Args:
            release_id: Only this release.
            track_id: Only this track of the release; needs ``release_id``.
            purchase_id: Only what came with this purchase.
            sort: ``releaseTitle``, ``purchaseDate`` or ``artistName``, then a space and ``asc`` or ``desc``; by
                title by default.
            country: ISO 3166-1 alpha-2 code of the territory; the account's own by default. The live dialect
                requires it, here or in the settings.
            page: First page to fetch, from 1.
            page_size: Releases a page, up to 100 (500 in the live dialect); the service's default if left out.
            user_id: The partner's id of the user, in place of a user's token; live dialect only.

        Returns:
            Await it for one page, iterate it for every release of which the user owns something.

        API: ``GET /1.2/user/locker``
        """
        checks.require_argument("track_id", track_id, "release_id", release_id)
        return self._pages(
            LockerRelease,
            ops.GET_USER_LOCKER,
            release_id=release_id,
            track_id=track_id,
            purchase_id=purchase_id,
            sort=sort,
            country=country,
            page=page,
            page_size=page_size,
            user_id=user_id,
        )

    async def purchase_item(
        self,
        *,
        release_id: str | None = None,
        track_id: str | None = None,
        price: Decimal | int | None = None,
        country: str | None = None,
        shop_id: str | None = None,
        tag: Mapping[str, str] | None = None,
        user_id: str | None = None,
    ) -> Purchase:
        """Buy a release, or one track of it, at the advertised price; the user's card is charged.

        Args:
            release_id: The release, or the one that the track is on.
            track_id: The track; needs ``release_id`` in the live dialect.
            price: What the user was shown; nothing is charged if that is out of date. The live service insists on
                it. It is sent as it is.
            country: ISO 3166-1 alpha-2 code of the territory it was chosen in; the account's own by default.
            shop_id: The shop it was chosen in, in place of ``country``.
            tag: Up to 10 notes to be kept with the sale; keys of up to 50 and values of up to 100 characters.
            user_id: The partner's id of the user, in place of a user's token; live dialect only.

        Raises:
            InvalidArgumentError: There is a track without its release, or a price or note is none.
            PaymentError: No card (3002), one that has expired (3001) or is declined (3003), or another price (3004).
            NotFoundError: No such release or track in the territory.

        API: ``GET /1.2/user/purchase/item``
        """
        checks.price("price", price)
        checks.purchase_tags(tag, name="tag")
        return await self._one(
            Purchase,
            ops.PURCHASE_USER_ITEM,
            release_id=release_id,
            track_id=track_id,
            price=price,
            country=country,
            shop_id=shop_id,
            tag=tag,
            user_id=user_id,
        )

    async def purchase_rrp_item(
        self,
        *,
        release_id: str | None = None,
        track_id: str | None = None,
        price: Decimal | int | None = None,
        country: str | None = None,
        shop_id: str | None = None,
        tag: Mapping[str, str] | None = None,
        user_id: str | None = None,
    ) -> Purchase:
        """Buy a release, or one track of it, at the recommended retail price; the user's card is charged.

        Args:
            release_id: The release, or the one that the track is on.
            track_id: The track; needs ``release_id``.
            price: What the user was shown; nothing is charged if that is out of date. The live service insists on
                it. It is sent as it is.
            country: ISO 3166-1 alpha-2 code of the territory it was chosen in; the account's own by default.
            shop_id: The shop it was chosen in, in place of ``country``.
            tag: Up to 10 notes to be kept with the sale; keys of up to 50 and values of up to 100 characters.
            user_id: The partner's id of the user, in place of a user's token; live dialect only.

        Raises:
            InvalidArgumentError: There is a track without its release, or a price or note is none.
            PaymentError: No card (3002), one that has expired (3001) or is declined (3003), or another price (3004).
            NotFoundError: No such release or track in the territory.

        API: ``GET /1.2/user/purchase/rrpitem``
        """
        checks.price("price", price)
        checks.purchase_tags(tag, name="tag")
        return await self._one(
            Purchase,
            ops.PURCHASE_USER_RRP_ITEM,
            release_id=release_id,
            track_id=track_id,
            price=price,
            country=country,
            shop_id=shop_id,
            tag=tag,
            user_id=user_id,
        )

    async def purchase_basket(
        self,
        basket_id: str,
        *,
        country: str | None = None,
        shop_id: str | None = None,
        tag: Mapping[str, str] | None = None,
        user_id: str | None = None,
    ) -> Purchase:
        """Buy all that is in a basket; the user's card is charged unless nothing is due.

        Args:
            basket_id: The id that ``client.classic.basket.create`` returned.
            country: ISO 3166-1 alpha-2 code of the territory the basket was created in.
            shop_id: The shop it was filled from, in place of ``country``.
            tag: Up to 10 notes to be kept with the sale; keys of up to 50 and values of up to 100 characters.
            user_id: The partner's id of the user, in place of a user's token; live dialect only.

        Raises:
            PaymentError: No card (3002), or one that has expired (3001) or is declined (3003).
            NotFoundError: No such basket.

        API: ``GET /1.2/user/purchase/basket``
        """
        checks.purchase_tags(tag, name="tag")
        return await self._one(
            Purchase,
            ops.PURCHASE_USER_BASKET,
            basket_id=basket_id,
            country=country,
            shop_id=shop_id,
            tag=tag,
            user_id=user_id,
        )

    async def purchase_priced_item(
        self,
        *,
        price: Decimal | int,
        release_id: str | None = None,
        track_id: str | None = None,
        country: str | None = None,
        shop_id: str | None = None,
        user_id: str | None = None,
    ) -> Purchase:
        """Buy a release, or one track of it, at a price of the partner's own; the user's card is charged.

        Args:
            price: What to charge, zero for a gift; not negative, with two decimals at most. It is sent as it is:
                the OpenAPI file counts in minor units (999), the guide of the live service in whole ones (9.99).
            release_id: The release, or the one that the track is on.
            track_id: The track; needs ``release_id``.
            country: ISO 3166-1 alpha-2 code of the territory it was chosen in; the account's own by default.
            shop_id: The shop it was chosen in, in place of ``country``.
            user_id: The partner's id of the user, in place of a user's token; live dialect only.

        Raises:
            InvalidArgumentError: The price is none, or there is a track without its release.
            PaymentError: No card (3002), or one that has expired (3001) or is declined (3003).
            NotFoundError: No such release or track in the territory.

        API: ``GET /1.2/user/purchase/priceditem``
        """
        checks.price("price", price)
        return await self._one(
            Purchase,
            ops.PURCHASE_USER_PRICED_ITEM,
            price=price,
            release_id=release_id,
            track_id=track_id,
            country=country,
            shop_id=shop_id,
            user_id=user_id,
        )

    async def deliver_item(
        self,
        *,
        release_id: str | None = None,
        track_id: str | None = None,
        transaction_id: str | None = None,
        retail_price: Decimal | int | None = None,
        email_address: str | None = None,
        country: str | None = None,
        shop_id: str | None = None,
        user_id: str | None = None,
    ) -> Purchase:
        """Hand over what the partner has sold; the partner is invoiced for every single delivery.

        Args:
            release_id: The release, or the one that the track is on.
            track_id: The track; needs ``release_id`` in the live dialect.
            transaction_id: The partner's own number for the sale. The live service requires it.
            retail_price: What the user paid, zero for a gift, if that is not the recommended retail price.
            email_address: The user's address.
            country: ISO 3166-1 alpha-2 code of the territory it was chosen in; the account's own by default.
            shop_id: The shop it was chosen in, in place of ``country``.
            user_id: The partner's id of the user, in place of a user's token; live dialect only.

        Returns:
            The purchase, with a ``delivery_url`` or with the locker's addresses. Keep its id: refunds need it.

        Raises:
            InvalidArgumentError: There is a track without its release, or the price is none.
            NotFoundError: No such release or track in the territory.

        API: ``GET /1.2/user/deliveritem``
        """
        checks.price("retail_price", retail_price)
        return await self._one(
            Purchase,
            ops.DELIVER_USER_ITEM,
            release_id=release_id,
            track_id=track_id,
            transaction_id=transaction_id,
            retail_price=retail_price,
            email_address=email_address,
            country=country,
            shop_id=shop_id,
            user_id=user_id,
        )

    async def prepare_purchase(
        self,
        basket_id: str,
        *,
        country: str | None = None,
        shop_id: str | None = None,
        user_id: str | None = None,
    ) -> PreparedPurchase:
        """Begin the payment for a basket, which goes on at the provider; in the live dialect only.

        Args:
            basket_id: The id that ``client.classic.basket.create`` returned. Its ``status`` is that of the payment.
            country: ISO 3166-1 alpha-2 code of the territory the basket was created in.
            shop_id: The shop it was filled from, in place of ``country``.
            user_id: Who buys, in the partner's own numbering, in place of a user's token.

        Raises:
            NotFoundError: No such basket.

        API: ``GET /1.2/user/purchase/prepare``
        """
        return await self._one(
            PreparedPurchase,
            ops.PREPARE_USER_PURCHASE,
            basket_id=basket_id,
            country=country,
            shop_id=shop_id,
            user_id=user_id,
        )
