"""What one run did to a spool that others have used before."""

from __future__ import annotations

from attrs import frozen

from ..shipping import Counts


@frozen
class Tally:
    """What became of plays; ``put + left = delivered + waiting + buried + held``.

    Attributes:
        put: Accepted in this run.
        left: Waiting or held when it began.
        delivered: Accepted by the service in this run.
        waiting: Not delivered at its end.
        buried: Set aside for good in this run.
        held: In doubt at its end, waiting for a person.
        in_doubt: Found to be in doubt in this run, wherever they are now.
    """

    put: int
    left: int
    delivered: int
    waiting: int
    buried: int
    held: int
    in_doubt: int


def tally(before: Counts, now: Counts) -> Tally:
    """Compare the figures of a spool at the beginning and at the end of a run."""
    return Tally(
        put=now.put - before.put,
        left=before.waiting + before.in_flight + before.held,
        delivered=now.delivered - before.delivered,
        waiting=now.waiting + now.in_flight,
        buried=now.buried - before.buried,
        held=now.held,
        in_doubt=now.in_doubt - before.in_doubt,
    )
