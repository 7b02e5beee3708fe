"""Baskets."""

from __future__ import annotations

import enum

from attrs import frozen

from .availability import Package
from .price import Price
from .wire import TEXT, wire


class BasketItemType(enum.StrEnum):
    """What can lie in a basket; anything else stays text."""

    RELEASE = "release"
    TRACK = "track"


@frozen(kw_only=True)
class Discount:
    """Why less is due than the price.

    Attributes:
        type: The kind of discount: ``Voucher``.
    """

    type: str | None = wire("type", TEXT)


@frozen(kw_only=True)
class BasketItem:
    """One thing in a basket or in a purchase.

    Attributes:
        item_id: The basket's own number for it, which taking it out again needs.
        type: A whole release, or a track.
        item_name: Its title.
        artist_name: Whose it is.
        release_id: The release, or the one that the track is on.
        track_id: The track, unless it is a whole release.
        price: What the catalogue says it costs; nothing taken off.
        amount_due: What will be charged for it, and what shoppers should see.
        discount: Why the two differ, if they do.
        package: As what it is bought, where there is a choice.
    """

    item_id: str | None = wire("itemId", "id")
    type: BasketItemType | str | None = None
    item_name: str | None = None
    artist_name: str | None = None
    release_id: str | None = None
    track_id: str | None = None
    price: Price | None = None
    amount_due: Price | None = None
    discount: Discount | None = None
    package: Package | None = None


@frozen(kw_only=True)
class Basket:
    """What a shopper has collected.

    Attributes:
        id: The basket's number, a GUID.
        items: What is in it.
        item_count: How many things that is.
        price: The sum of the catalogue's prices; nothing taken off.
        total: What will be charged at the checkout, and what shoppers should see.
        voucher_code: The voucher that was applied.
    """

    id: str
    items: tuple[BasketItem, ...] = wire("items", "basketItems", default=())
    item_count: int | None = None
    price: Price | None = None
    total: Price | None = wire("total", "amountDue")
    voucher_code: str | None = None

    @property
    def amount_due(self) -> Price | None:
        """The total, under the name that its items use."""
        return self.total
