"""What to ship, and how."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

from attrs import frozen

from ..config import UserToken
from ..models import LogKind
from .spools import Synchronous


@frozen(kw_only=True)
class Order:
    """What to ship, and how.

    Attributes:
        kind: Of the plays.
        tokens: Of users; None if the partner signs alone.
        spool: Where accepted plays wait; None for memory.
        synchronous: What plays in a file survive.
        in_doubt: What becomes of plays whose answer was lost.
        first_line: Number of the line to begin with; None to go on where an earlier run has stopped.
        patience: Seconds without a single delivery after which to give up.
        drain: Seconds that delivering may take after a stop.
        linger: Seconds that an incomplete batch waits for company.
    """

    kind: LogKind
    tokens: Mapping[str, UserToken] | None = None
    spool: str | None = None
    synchronous: Synchronous = Synchronous.FULL
    in_doubt: Literal["resend", "hold"] = "resend"
    first_line: int | None = None
    patience: float = 300.0
    drain: float = 30.0
    linger: float = 5.0
