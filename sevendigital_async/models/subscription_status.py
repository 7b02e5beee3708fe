"""How a user's streaming subscription stands."""

from __future__ import annotations

import enum
from datetime import date, datetime

from attrs import frozen

from .wire import called, wire


class SubscriptionState(enum.StrEnum):
    """Whether a subscription runs; anything else stays text."""

    ACTIVE = "active"
    CANCELLED = "cancelled"
    EXPIRED = "expired"


@called("streaming", "unlimitedStreaming")
@frozen(kw_only=True)
class SubscriptionStatus:
    """A user's unlimited streaming.

    Attributes:
        user_id: Whose it is.
        status: Whether it runs.
        start_date: Its first day.
        end_date: Its last day.
        product_id: What was subscribed to.
        level: How much that includes, in the live service's answers: ``premium``.
        expiry_date: The moment it ends, in the live service's answers.
    """

    user_id: str | None = None
    status: SubscriptionState | str | None = None
    start_date: date | None = None
    end_date: date | None = None
    product_id: str | None = None
    level: str | None = None
    expiry_date: datetime | None = wire("expiryDate")
