"""Which purchases were refunded, and until when they could be."""

from __future__ import annotations

from datetime import UTC, datetime

from attrs import Factory, define

REPORT_DAY = 4
"""The day of the following month on which the sales report is closed."""


def is_reported(purchased_at: datetime, now: datetime) -> bool:
    """Return whether the month of a purchase has been reported, so that nothing can be refunded any more."""
    year, month = divmod(purchased_at.year * 12 + purchased_at.month, 12)
    return now >= datetime(year, month + 1, REPORT_DAY, tzinfo=UTC)


@define
class Refunds:
    """Purchases that were taken out of the sales report."""

    _reasons: dict[str, str | None] = Factory(dict)

    def __contains__(self, purchase_id: str) -> bool:
        return purchase_id in self._reasons

    def record(self, purchase_id: str, reason: str | None) -> None:
        self._reasons[purchase_id] = reason

    def tree(self) -> dict[str, str | None]:
        return dict(self._reasons)
