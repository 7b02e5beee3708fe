"""Statistics of a shipper: a snapshot whose numbers add up."""

from __future__ import annotations

from collections.abc import Mapping

from attrs import astuple, field, frozen

from ..models import LogKind
from .circuit_breaker import Alert
from .records import Counts, StaleCounts


@frozen
class LaneStatistics:
    """One kind of play.

    Attributes:
        counts: Where the plays are.
        requests: Requests sent.
        largest_batch: Logs in the largest of them.
        alert: What the operator has to do, if anything.
        last_failure: Why the last request failed; None if the service has answered since.
    """

    counts: Counts
    requests: int
    largest_batch: int
    alert: Alert | None
    last_failure: str | None = None

    @property
    def is_current(self) -> bool:
        """The spool has answered; if not, the counts are those last known, with what this process has put since."""
        return not isinstance(self.counts, StaleCounts)


@frozen
class Statistics:
    """A snapshot of a shipper; ``put = delivered + waiting + in_flight + buried + held``, by kind and in sum.

    Attributes:
        lanes: By kind.
        failure: The error that a background task has failed with, if one has.
        spool_alert: What keeps the spool from working for now, such as a full disk.
        flushed: Returned by a flush: every play that was put before it was delivered, buried or held. Others may have
            been put since, also by other workers of the spool.
    """

    lanes: Mapping[LogKind, LaneStatistics]
    failure: BaseException | None = field(default=None, eq=False)
    spool_alert: str | None = None
    flushed: bool = field(default=False, eq=False)

    @property
    def total(self) -> Counts:
        """The counts of all kinds together."""
        return Counts(*map(sum, zip(*(astuple(lane.counts) for lane in self.lanes.values()), strict=True)))

    @property
    def put(self) -> int:
        """Plays accepted."""
        return self.total.put

    @property
    def delivered(self) -> int:
        """Plays accepted by the service."""
        return self.total.delivered

    @property
    def waiting(self) -> int:
        """Plays to be sent."""
        return self.total.waiting

    @property
    def in_flight(self) -> int:
        """Plays leased to a lane."""
        return self.total.in_flight

    @property
    def buried(self) -> int:
        """Plays that became dead letters."""
        return self.total.buried

    @property
    def held(self) -> int:
        """Dead letters that are in doubt."""
        return self.total.held

    @property
    def in_doubt(self) -> int:
        """Plays ever sent without a certain outcome, in whatever state they are now."""
        return self.total.in_doubt

    @property
    def requests(self) -> int:
        """Requests sent, of all kinds."""
        return sum(lane.requests for lane in self.lanes.values())

    @property
    def settled(self) -> bool:
        """No play waits and none is in flight; False while the spool does not answer."""
        return self.is_current and self.waiting == 0 and self.in_flight == 0

    @property
    def is_current(self) -> bool:
        """The numbers are current; False if the spool did not answer and they are the last known."""
        return all(lane.is_current for lane in self.lanes.values())

    @property
    def alerts(self) -> Mapping[LogKind, Alert]:
        """The alerts, by kind."""
        return {kind: lane.alert for kind, lane in self.lanes.items() if lane.alert}
