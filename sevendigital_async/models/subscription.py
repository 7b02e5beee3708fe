"""Subscriptions that a partner has sold."""

from __future__ import annotations

from datetime import date, datetime

from attrs import frozen

from .subscription_status import SubscriptionState
from .wire import called, wire


@called("streaming")
@frozen(kw_only=True)
class Subscription:
    """A user's access for up to a month.

    Attributes:
        subscription_id: The service's id of it; the live service gives none.
        user_id: Whose it is.
        product_id: What was subscribed to.
        status: Whether it runs.
        start_date: Its first day.
        end_date: The day it ends.
        level: How much it includes, in the live service's answers: ``premium``.
        expiry_date: The moment it ends, in the live service's answers.
    """

    subscription_id: str | None = wire("subscriptionId", "id")
    user_id: str | None = None
    product_id: str | None = None
    status: SubscriptionState | str | None = None
    start_date: date | None = None
    end_date: date | None = None
    level: str | None = None
    expiry_date: datetime | None = None
