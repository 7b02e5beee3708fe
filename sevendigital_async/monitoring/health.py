"""Whether a shipper is alive, and whether it is ready: from its events and its statistics."""

from __future__ import annotations

from collections.abc import Iterator

from attrs import define, field

from ..clock import Clock, SystemClock
from ..models import LogKind
from ..shipping import AlertKind, Statistics
from ..shipping.events import LaneMeasured, PlayEvent, PlaysBuried, QueueMeasured, RequestFinished
from ..shipping.metrics import GAUGE_INTERVAL

UNANSWERED_OUTCOMES = frozenset({"lost", "unavailable", "blocked"})
"""Outcomes of requests that the service has not answered."""

ACCEPTED_OUTCOMES = frozenset({"delivered", "refused"})
"""Outcomes of requests whose key and signature the service has accepted."""

MANUAL_ALERTS = frozenset({AlertKind.AUTHENTICATION.value, AlertKind.SUSPENDED.value, AlertKind.THROTTLED.value})
"""Alerts of lanes that wait for a person or for a time that the service has set: a restart does not help them."""

MIN_SPOOL_SILENCE = 3 * GAUGE_INTERVAL
"""Seconds without a measurement that do not yet count as a stall."""


@define(eq=False)
class HealthMonitor:
    """Notes when lanes and spool have last moved; subscribe it as the ``metrics`` of a shipper.

    A lane is stalled if plays could be sent, or are being sent, and the service has not answered a request for
    ``stalled_after`` seconds. A lane is excused while it waits because the service asks for that, or because its key
    was refused or it is suspended. The spool is stalled if it has not been measured for that time: measuring writes
    to the disk of a file, or asks Redis.

    Args:
        stalled_after: Seconds, at least 15 for the spool.
        clock: Time.

    Attributes:
        is_key_accepted: The service has accepted a signature.
    """

    stalled_after: float = 300.0
    _clock: Clock = field(factory=SystemClock)
    is_key_accepted: bool = field(init=False, default=False)
    _lane_due_since: dict[LogKind, float] = field(init=False, factory=dict)
    _spool_measured_at: float | None = field(init=False, default=None)
    _is_spool_available: bool = field(init=False, default=True)

    def start(self) -> None:
        """Begin to expect measurements: the shipper has been opened."""
        self._spool_measured_at = self._clock.monotonic()

    def record(self, event: PlayEvent) -> None:
        """Note an event of the shipper."""
        match event:
            case LaneMeasured():
                self._is_spool_available = event.is_spool_available
                is_failing = event.alert == AlertKind.UNAVAILABLE.value
                if event.alert not in MANUAL_ALERTS and (event.is_due or is_failing):
                    self._lane_due_since.setdefault(event.kind, self._clock.monotonic())
                else:
                    self._lane_due_since.pop(event.kind, None)
            case QueueMeasured():
                self._spool_measured_at = self._clock.monotonic()
            case RequestFinished(outcome=outcome) if outcome not in UNANSWERED_OUTCOMES:
                self.is_key_accepted = self.is_key_accepted or outcome in ACCEPTED_OUTCOMES
                self._lane_due_since.pop(event.kind, None)
            case PlaysBuried():
                self._lane_due_since.pop(event.kind, None)

    def liveness_problems(self, statistics: Statistics) -> list[str]:
        """Return what has failed or is stalled, a sentence for each; nothing if the shipper is alive."""
        return list(self._liveness_problems(statistics))

    def _liveness_problems(self, statistics: Statistics) -> Iterator[str]:
        now = self._clock.monotonic()
        if statistics.failure is not None:
            yield f"the shipper has failed: {statistics.failure!r}"
        if not self._is_spool_available:
            yield _spool_problem(statistics)
        if self._spool_measured_at is not None:
            silence = now - self._spool_measured_at
            if silence >= max(self.stalled_after, MIN_SPOOL_SILENCE):
                yield f"the spool is stalled: it has not answered for {silence:.0f} s"
        for kind, since in self._lane_due_since.items():
            if now - since >= self.stalled_after:
                yield f"the {kind.value} lane is stalled: no request was answered for {now - since:.0f} s"

    def readiness_problems(self, statistics: Statistics) -> list[str]:
        """Return what keeps the shipper from accepting and delivering plays, a sentence for each; nothing if ready."""
        return list(self._readiness_problems(statistics))

    def _readiness_problems(self, statistics: Statistics) -> Iterator[str]:
        if statistics.failure is not None:
            yield f"the shipper has failed: {statistics.failure!r}"
        if not self._is_spool_available:
            yield _spool_problem(statistics)
        elif not statistics.is_current:
            yield "the spool does not answer"
        for kind, alert in statistics.alerts.items():
            if alert.kind is AlertKind.AUTHENTICATION:
                yield f"{kind.value}: {alert.message}"


def _spool_problem(statistics: Statistics) -> str:
    return f"the spool accepts no plays: {statistics.spool_alert or 'it reports no reason'}"
