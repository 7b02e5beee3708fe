"""Vouchers: their discounts, and which of them are used up."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from attrs import frozen


@frozen(kw_only=True)
class Voucher:
    """A code that lowers what is due; ``value`` is per cent, or hundredths of ``currency``."""

    code: str
    type: str
    value: int
    currency: str = "GBP"
    expires_at: datetime = datetime(2099, 12, 31, 23, 59, 59, tzinfo=UTC)
    is_reusable: bool = True

    def discount(self, pence: int, spent: int) -> int:
        """Return what it takes off a price of ``pence`` after it has taken ``spent`` off others."""
        if self.type == "percentage":
            return pence * self.value // 100
        return min(pence, self.value - spent)


_VOUCHERS = (
    Voucher(code="SUMMER25", type="percentage", value=25),
    Voucher(code="ALLFREE", type="percentage", value=100),
    Voucher(code="TAKEFIVE", type="fixed", value=500, is_reusable=False),
    Voucher(code="LONGAGO", type="percentage", value=50, expires_at=datetime(2019, 12, 31, 23, 59, 59, tzinfo=UTC)),
)

VOUCHERS: Mapping[str, Voucher] = {voucher.code: voucher for voucher in _VOUCHERS}
"""Every voucher there is, by its code."""


class Vouchers:
    """Remembers which vouchers are used up."""

    def __init__(self) -> None:
        self._redeemed: set[str] = set()

    def redeem(self, voucher: Voucher) -> None:
        """Use a voucher up, unless it is a lasting one."""
        if not voucher.is_reusable:
            self._redeemed.add(voucher.code)

    def is_redeemed(self, voucher: Voucher) -> bool:
        return voucher.code in self._redeemed

    def find_usable(self, code: str, currency: str, now: datetime) -> Voucher | None:
        """Return the voucher with ``code`` if it can be used for prices in ``currency``."""
        voucher = VOUCHERS.get(code.upper())
        if voucher is None or self.is_redeemed(voucher) or voucher.expires_at <= now:
            return None
        return voucher if voucher.type == "percentage" or voucher.currency == currency else None

    def tree(self) -> dict[str, Any]:
        return {"redeemed": sorted(self._redeemed)}
