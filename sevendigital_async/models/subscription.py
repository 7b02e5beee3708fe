"""Subscriptions that a partner has sold."""

from __future__ import annotations

from datetime import date

from attrs import NOTHING, frozen

from .subscription_status import SubscriptionState
from .wire import wire


@frozen(kw_only=True)
class Subscription:
    """A user's access for up to a month.

    Attributes:
        subscription_id: The service's id of it.
        user_id: Whose it is.
        product_id: What was subscribed to.
        status: Whether it runs.
        start_date: Its first day.
        end_date: The day it ends.
    """

    subscription_id: str = wire("subscriptionId", "id", default=NOTHING)
    user_id: str | None = None
    product_id: str | None = None
    status: SubscriptionState | str | None = None
    start_date: date | None = None
    end_date: date | None = None
