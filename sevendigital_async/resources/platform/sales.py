"""Sales made by the partner, their refunds, and the locker they fill."""

from __future__ import annotations

from decimal import Decimal

from ...models import LockerRelease, Purchase
from ...operations.platform import sales as ops
from .. import checks
from ..resource import Pages, Resource


class Sales(Resource):
    """Methods of ``client.platform.sales``."""

    def locker(
        self,
        user_id: str,
        *,
        page: int = 1,
        page_size: int | None = None,
        country: str | None = None,
        sort: str | None = None,
        release_id: str | None = None,
        track_id: str | None = None,
        purchase_id: str | None = None,
    ) -> Pages[LockerRelease]:
        """List what a user has bought.

        Args:
            user_id: Whose locker, in the partner's own numbering.
            page: First page to fetch, from 1.
            page_size: Releases a page, 1 to 100 (500 in the live dialect); the service's default if left out.
            country: ISO 3166-1 alpha-2 code of where the user lives; in the live dialect only, which requires it,
                here or in the settings.
            sort: A column and a direction, such as ``purchaseDate desc``; live dialect only, as what follows.
            release_id: Only this release.
            track_id: Only this track of the release; needs ``release_id``.
            purchase_id: Only what came with this purchase.

        Returns:
            Await it for one page, iterate it for everything.

        API: ``GET /users/{userId}/locker``
        """
        checks.require_argument("track_id", track_id, "release_id", release_id)
        return self._pages(
            LockerRelease,
            ops.GET_USER_LOCKER,
            user_id=user_id,
            page=page,
            page_size=page_size,
            country=country,
            sort=sort,
            release_id=release_id,
            track_id=track_id,
            purchase_id=purchase_id,
        )

    async def credit_item(
        self,
        *,
        user_id: str,
        currency: str,
        price: Decimal,
        release_id: str | None = None,
        track_id: str | None = None,
        country: str | None = None,
        transaction_id: str | None = None,
        email_address: str | None = None,
        package_id: str | None = None,
        postcode: str | None = None,
    ) -> Purchase | None:
        """Record the sale of a release or a track, and put it into the user's locker.

        Each call is a sale that the partner is billed for. It is never retried automatically after a lost response;
        whether it was recorded then has to be found out another way: ``error.advice`` says how.

        Args:
            user_id: Who bought it, in the partner's own numbering.
            currency: ISO 4217 code of the currency that the content came with.
            price: What the user paid, with two decimals at the most.
            release_id: What was sold, or the release that the track is on.
            track_id: The track, if it was a single one.
            country: ISO 3166-1 alpha-2 code of where the user lives; only in the live dialect, which requires it.
            transaction_id: The partner's own number for the sale; only in the live dialect, which requires it.
            email_address: The user's; live dialect only.
            package_id: What of it was sold, ``2`` (standard) if left out; live dialect only.
            postcode: The user's, for charts of the United States and Canada; live dialect only.

        Returns:
            The purchase, as far as the service describes it: keep its id, a refund needs it. In the OpenAPI dialect,
            None if the response says no more than that the sale is recorded; in the live one, that is a `DecodeError`.

        API: ``POST /sales/credit-item``
        """
        checks.non_empty("currency", currency)
        checks.price("price", price)
        answer = await self._caller.call(
            ops.CREDIT_SALES_ITEM,
            user_id=user_id,
            currency=currency,
            price=price,
            release_id=release_id,
            track_id=track_id,
            country=country,
            transaction_id=transaction_id,
            email_address=email_address,
            package_id=package_id,
            postcode=postcode,
        )
        assert answer is None or isinstance(answer, Purchase)
        return answer

    async def refund_release(
        self, *, user_id: str, purchase_id: str, reason: str | None = None, release_id: str | None = None
    ) -> None:
        """Take a release that was refunded out of the sales report.

        Args:
            user_id: Who bought it, in the partner's own numbering.
            purchase_id: The purchase that it came with.
            reason: Why, for the record; not in the live dialect.
            release_id: What was refunded; only in the live dialect, which requires it.

        Raises:
            NotFoundError: No such purchase, or it was refunded before.
            NotAvailableError: The month of the sale has been closed.

        API: ``POST /sales/refund/release``
        """
        await self._none(
            ops.REPORT_RELEASE_REFUND,
            user_id=user_id,
            purchase_id=purchase_id,
            reason=reason,
            release_id=release_id,
        )

    async def refund_track(
        self, *, user_id: str, purchase_id: str, reason: str | None = None, track_id: str | None = None
    ) -> None:
        """Take a track that was refunded out of the sales report.

        Args:
            user_id: Who bought it, in the partner's own numbering.
            purchase_id: The purchase that it came with.
            reason: Why, for the record; not in the live dialect.
            track_id: What was refunded; only in the live dialect, which requires it.

        Raises:
            NotFoundError: No such purchase, or it was refunded before.
            NotAvailableError: The month of the sale has been closed.

        API: ``POST /sales/refund/track``
        """
        await self._none(
            ops.REPORT_TRACK_REFUND,
            user_id=user_id,
            purchase_id=purchase_id,
            reason=reason,
            track_id=track_id,
        )
