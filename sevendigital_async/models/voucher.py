"""Vouchers."""

from __future__ import annotations

import enum
from datetime import datetime

from attrs import frozen

from .price import Price
from .wire import wire


class VoucherType(enum.StrEnum):
    """What a voucher's value means; anything else stays text."""

    PERCENTAGE = "percentage"
    FIXED = "fixed"


@frozen(kw_only=True)
class Voucher:
    """A code that lowers what is due for a basket.

    Attributes:
        code: What the shopper types.
        value: How much it is worth.
        type: Whether that is a part of the price or a sum.
        expires_at: Until when it can be used.
        redeemed: Whether it has been used up.
    """

    code: str | None = wire("code", "voucherCode", "id")
    value: Price | None = None
    type: VoucherType | str | None = None
    expires_at: datetime | None = None
    redeemed: bool | None = None
