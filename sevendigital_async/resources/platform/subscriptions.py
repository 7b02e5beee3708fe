"""Subscriptions that the partner has sold."""

from __future__ import annotations

from datetime import date

from ...models import Subscription
from ...operations.platform import subscriptions as ops
from .. import checks
from ..resource import Resource


class Subscriptions(Resource):
    """Methods of ``client.platform.subscriptions``."""

    async def create(
        self, *, user_id: str, product_id: str, start_date: date, end_date: date, country: str | None = None
    ) -> Subscription:
        """Give a user access for up to a month; call it again for each further month.

        Args:
            user_id: Who subscribes, in the partner's own numbering.
            product_id: What was subscribed to, as agreed upon with the service.
            start_date: The first day.
            end_date: The day it ends: later than the first, and a month after it at the latest.
            country: ISO 3166-1 alpha-2 code of where the user lives.

        API: ``POST /subscriptions``
        """
        checks.subscription_period(start_date, end_date)
        checks.country_code("country", country)
        return await self._one(
            Subscription,
            ops.CREATE_SUBSCRIPTION,
            user_id=user_id,
            product_id=product_id,
            start_date=start_date,
            end_date=end_date,
            country=country,
        )
