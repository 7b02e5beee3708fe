"""Purchases."""

from __future__ import annotations

import enum
from datetime import datetime

from attrs import frozen

from .basket import BasketItem
from .locker import LockerRelease
from .price import Price
from .wire import wire


class PurchaseStatus(enum.StrEnum):
    """How far a purchase has come; anything else stays text."""

    COMPLETED = "completed"
    PENDING = "pending"
    FAILED = "failed"


@frozen(kw_only=True)
class Purchase:
    """What was bought or delivered.

    Attributes:
        purchase_id: The service's number for it; keep it, reports and refunds need it.
        status: How far it has come.
        purchase_date: When it was made.
        total: What was charged.
        items: What was bought.
        locker_releases: The same as it lies in the user's locker now, with addresses to fetch it from.
        receipt_url: Where the receipt can be seen.
        delivery_url: Where the thing can be fetched, in answers to a delivery; it speaks for the user, so it
            stays out of the repr.
    """

    purchase_id: str | None = wire("purchaseId", "id")
    status: PurchaseStatus | str | None = None
    purchase_date: datetime | None = None
    total: Price | None = None
    items: tuple[BasketItem, ...] = ()
    locker_releases: tuple[LockerRelease, ...] = ()
    receipt_url: str | None = None
    delivery_url: str | None = wire("deliveryUrl", repr=False)
