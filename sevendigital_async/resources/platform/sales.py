"""Sales made by the partner, their refunds, and the locker they fill."""

from __future__ import annotations

from decimal import Decimal

from ...models import LockerRelease, Purchase
from ...operations.platform import sales as ops
from .. import checks
from ..pages import Pages
from ..resource import Resource


class Sales(Resource):
    """Methods of ``client.platform.sales``."""

    def locker(self, user_id: str, *, page: int = 1, page_size: int | None = None) -> Pages[LockerRelease]:
        """List what a user has bought.

        Args:
            user_id: Whose locker, in the partner's own numbering.
            page: First page to fetch, from 1.
            page_size: Releases a page, 1 to 100; the service's default if left out.

        Returns:
            Await it for one page, iterate it for everything.

        API: ``GET /users/{userId}/locker``
        """
        checks.page_size(page_size)
        return self._pages(LockerRelease, ops.GET_USER_LOCKER, user_id=user_id, page=page, page_size=page_size)

    async def credit_item(
        self,
        *,
        user_id: str,
        currency: str,
        price: Decimal,
        release_id: str | None = None,
        track_id: str | None = None,
    ) -> Purchase | None:
        """Record the sale of a release or a track, and put it into the user's locker.

        Each call is a sale that the partner is billed for. It is never repeated by itself after a lost answer;
        whether it was recorded then has to be found out another way, such as from the locker.

        Args:
            user_id: Who bought it, in the partner's own numbering.
            currency: ISO 4217 code of the currency that the content came with.
            price: What the user paid, with two decimals at the most.
            release_id: What was sold, or the release that the track is on.
            track_id: The track, if it was a single one.

        Returns:
            The purchase, as far as the service describes it: keep its id, a refund needs it. None if the answer
            says no more than that the sale is recorded.

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
        )
        assert answer is None or isinstance(answer, Purchase)
        return answer

    async def refund_release(self, *, user_id: str, purchase_id: str, reason: str | None = None) -> None:
        """Take a release that was refunded out of the sales report.

        Args:
            user_id: Who bought it, in the partner's own numbering.
            purchase_id: The purchase that it came with.
            reason: Why, for the record.

        Raises:
            NotFoundError: There is no such purchase, or it was refunded before.
            NotAvailableError: The month of the sale has been closed.

        API: ``POST /sales/refund/release``
        """
        await self._none(ops.REPORT_RELEASE_REFUND, user_id=user_id, purchase_id=purchase_id, reason=reason)

    async def refund_track(self, *, user_id: str, purchase_id: str, reason: str | None = None) -> None:
        """Take a track that was refunded out of the sales report.

        Args:
            user_id: Who bought it, in the partner's own numbering.
            purchase_id: The purchase that it came with.
            reason: Why, for the record.

        Raises:
            NotFoundError: There is no such purchase, or it was refunded before.
            NotAvailableError: The month of the sale has been closed.

        API: ``POST /sales/refund/track``
        """
        await self._none(ops.REPORT_TRACK_REFUND, user_id=user_id, purchase_id=purchase_id, reason=reason)
