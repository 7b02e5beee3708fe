"""What became of the plays of a demo, and whether nothing is missing and nothing too much."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Any, TextIO

from attrs import asdict, frozen

from ..models import LogKind
from ..shipping import Statistics
from .display import rendered, table
from .output import Styled

Records = Counter[tuple[LogKind, bytes]]
"""Plays by kind, each as bytes that are equal if the plays are."""

SUMMED = ("sent", "delivered", "buried", "in_doubt", "requests")


@frozen
class KindAccount:
    """What became of the plays of one kind, or of all; numbers of the shipper, but for the sandbox's last two."""

    sent: int
    delivered: int
    buried: int
    in_doubt: int
    requests: int
    largest_batch: int
    busiest_second: int
    limit: int | None


@frozen
class Account:
    """How a demo ended.

    Attributes:
        kinds: By kind.
        missing: Plays that were put and not received.
        surplus: Plays that were received and not put, or more often than put.
        seconds: From the first put to the last answer.
    """

    kinds: Mapping[LogKind, KindAccount]
    missing: int
    surplus: int
    seconds: float

    @property
    def equal(self) -> bool:
        """What arrived is what was put."""
        return not self.missing and not self.surplus

    @property
    def difference(self) -> str:
        """What does not match, as text."""
        return f"{self.missing:,} plays were put and not received, {self.surplus:,} received and not put"

    @property
    def sent(self) -> int:
        """Plays put."""
        return sum(kind.sent for kind in self.kinds.values())

    def as_json(self) -> dict[str, Any]:
        """Return the account as a tree."""
        return {
            "kinds": {kind.value: asdict(account) for kind, account in self.kinds.items()},
            "sent": self.sent,
            "missing": self.missing,
            "surplus": self.surplus,
            "equal": self.equal,
            "seconds": round(self.seconds, 3),
        }

    def as_text(self, stream: TextIO | None) -> Styled:
        """Return the account as a table and a closing line."""
        headings = ["kind", "sent", "delivered", "buried", "in doubt", "requests", "largest batch", "busiest second"]
        rows = [[kind.value, *_cells(account)] for kind, account in self.kinds.items()]
        sums = [sum(getattr(account, name) for account in self.kinds.values()) for name in SUMMED]
        rows.append(["total", *(f"{number:,}" for number in sums), "", ""])
        rate = self.sent / self.seconds if self.seconds else 0.0
        closing = (
            f"All accounted for: the sandbox received exactly the {self.sent:,} plays that were put, record for record."
            if self.equal
            else f"NOT EQUAL: {self.difference}."
        )
        shown = rendered(table(headings, rows, total=True), stream)
        return Styled(f"{shown}\n\n{closing}\n{self.seconds:.1f} s, {rate:,.0f} plays/s")


def _cells(account: KindAccount) -> list[str]:
    numbers = [getattr(account, name) for name in (*SUMMED, "largest_batch")]
    limit = "no limit" if account.limit is None else f"of {account.limit}"
    separator = ", " if account.limit is None else " "
    return [*(f"{number:,}" for number in numbers), f"{account.busiest_second}{separator}{limit}"]


def account_of(
    statistics: Statistics, stats: Mapping[str, Any], *, put: Records, received: Records, seconds: float
) -> Account:
    """Draw up the account.

    Args:
        statistics: The shipper's numbers.
        stats: The sandbox's.
        put: What the shipper was given.
        received: What the sandbox has.
        seconds: How long it took.
    """
    kinds = {
        kind: KindAccount(
            sent=lane.counts.put,
            delivered=lane.counts.delivered,
            buried=lane.counts.buried,
            in_doubt=lane.counts.in_doubt,
            requests=lane.requests,
            largest_batch=lane.largest_batch,
            busiest_second=stats["kinds"][kind.value]["busiest_second"],
            limit=stats["limit"] if kind is LogKind.PREVIEW else None,
        )
        for kind, lane in statistics.lanes.items()
    }
    return Account(kinds, missing=(put - received).total(), surplus=(received - put).total(), seconds=seconds)
