"""Subscriptions that the partner has sold."""

from __future__ import annotations

from datetime import date, datetime

from ...models import Subscription, SubscriptionStatus
from ...operations.platform import subscriptions as ops
from .. import checks
from ..resource import Resource


class Subscriptions(Resource):
    """Methods of ``client.platform.subscriptions``."""

    async def create(
        self,
        *,
        user_id: str,
        product_id: str,
        start_date: date | datetime,
        end_date: date | datetime,
        country: str | None = None,
        currency: str | None = None,
        recurring_fee: int | None = None,
        activated_at: date | datetime | None = None,
        postcode: str | None = None,
        trial_ends_at: date | datetime | None = None,
        status: str | None = None,
    ) -> Subscription:
        """Give a user access for up to a month; call it again for each further month.

        Args:
            user_id: Who subscribes, in the partner's own numbering.
            product_id: What was subscribed to, as agreed upon with the service.
            start_date: The first day; in the live dialect also the moment, with a time zone. It can't be before
                ``activated_at``.
            end_date: The day it ends, or the moment: after start_date, and at most a month after it.
            country: ISO 3166-1 alpha-2 code of where the user lives; the live dialect demands it.
            currency: ISO 4217 code of the currency of the payment; in the live dialect alone, which demands it, as the
                next two.
            recurring_fee: What is paid, in hundredths of the currency; zero with a voucher.
            activated_at: When the user first subscribed to anything; now or earlier.
            postcode: Where the user lives; live dialect only.
            trial_ends_at: When a trial ends; live dialect only, and for plans that are trials.
            status: ``active``, which is the only one; live dialect only.

        In the live dialect ``product_id`` is the plan's code; moments are sent in UTC and to the second, days as their
        midnight in UTC.

        Raises:
            InvalidArgumentError: The period lasts no time or longer than a month, or begins before the activation.

        API: ``POST /subscriptions``
        """
        checks.subscription_period(start_date, end_date, activated_at)
        return await self._one(
            Subscription,
            ops.CREATE_SUBSCRIPTION,
            user_id=user_id,
            product_id=product_id,
            start_date=start_date,
            end_date=end_date,
            country=country,
            currency=currency,
            recurring_fee=recurring_fee,
            activated_at=activated_at,
            postcode=postcode,
            trial_ends_at=trial_ends_at,
            status=status,
        )

    async def status(self, user_id: str, *, country: str | None = None) -> SubscriptionStatus:
        """Fetch the state of a user's subscription; live dialect only.

        Args:
            user_id: Whose, in the partner's own numbering.
            country: ISO 3166-1 alpha-2 code of where the user lives.

        Raises:
            NotFoundError: The user has never had one.

        API: ``GET /1.2/user/unlimitedStreaming``
        """
        return await self._one(SubscriptionStatus, ops.GET_SUBSCRIPTION_STATUS, user_id=user_id, country=country)
