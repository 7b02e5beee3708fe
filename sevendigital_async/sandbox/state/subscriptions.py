"""Subscriptions to unlimited streaming, each of a month at most."""

from __future__ import annotations

import calendar
from datetime import date, datetime
from typing import Any

from attrs import evolve, frozen

UNLIMITED_STREAMING = "unlimited-streaming"


@frozen(kw_only=True)
class Subscription:
    """A user's subscription; ``status`` is ``active``, ``cancelled`` or ``expired``, and ``end`` the last day."""

    id: str
    user: str
    product: str
    start: date
    end: date
    status: str = "active"
    expires_at: datetime | None = None

    def status_on(self, today: date) -> str:
        return "expired" if today > self.end else self.status


def month_after(day: date) -> date:
    """Return the same day of the next month, or that month's last one."""
    year, month = divmod(day.year * 12 + day.month, 12)
    return date(year, month + 1, min(day.day, calendar.monthrange(year, month + 1)[1]))


class Subscriptions:
    """Every user's latest subscription."""

    def __init__(self) -> None:
        self._subscriptions: dict[str, Subscription] = {}
        self._created_count = 0

    def of(self, user: str) -> Subscription | None:
        return self._subscriptions.get(user)

    def create(
        self, user: str, *, start: date, end: date, product: str = UNLIMITED_STREAMING, expires: datetime | None = None
    ) -> Subscription:
        """Give a user a new subscription, in place of an earlier one."""
        if not start <= end <= month_after(start):
            raise ValueError("a subscription lasts up to a month")
        self._created_count += 1
        subscription = Subscription(
            id=f"sub-{self._created_count}", user=user, product=product, start=start, end=end, expires_at=expires
        )
        self._subscriptions[user] = subscription
        return subscription

    def set_status(self, subscription: Subscription, status: str) -> Subscription:
        marked = evolve(subscription, status=status)
        self._subscriptions[subscription.user] = marked
        return marked

    def tree(self) -> dict[str, Any]:
        return {
            user: {
                "id": subscription.id,
                "productId": subscription.product,
                "status": subscription.status,
                "startDate": subscription.start.isoformat(),
                "endDate": subscription.end.isoformat(),
            }
            for user, subscription in self._subscriptions.items()
        }
