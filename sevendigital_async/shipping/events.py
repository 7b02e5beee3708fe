"""What happens to plays, as values: one for the log, for metrics, and for whoever wants to know.

None of them holds a play, a user, a token or the service's words, so that they may go anywhere. ``kind`` and
``outcome`` take few values; a request id takes ever new ones.
"""

from __future__ import annotations

import logging
from typing import ClassVar

from attrs import frozen

from ..models import LogKind


@frozen(kw_only=True)
class PermitAcquired:
    """A batch was let out by quota and limits.

    Attributes:
        kind: Of the plays.
        seconds: It had to wait for that.
    """

    name: ClassVar[str] = "turn"
    level: ClassVar[int] = logging.NOTSET
    words: ClassVar[str] = ""
    kind: LogKind
    seconds: float


@frozen(kw_only=True)
class RequestFinished:
    """A request has come to its end, whatever that was.

    Attributes:
        kind: Of the plays.
        logs: Plays in it.
        outcome: One of :data:`~sevendigital_async.shipping.outcome.NAMES`.
        request_id: Ours, unique to the request.
        seconds: From sending to the end of the answer, or to giving up.
    """

    name: ClassVar[str] = "request"
    level: ClassVar[int] = logging.DEBUG
    words: ClassVar[str] = "%(kind)s: a request with %(logs)d plays: %(outcome)s after %(seconds).3f s"
    kind: LogKind
    logs: int
    outcome: str
    request_id: str
    seconds: float


@frozen(kw_only=True)
class PlaysDelivered:
    """The service has accepted a batch, and the spool knows.

    Attributes:
        kind: Of the plays.
        logs: Plays in it.
        in_doubt: How many of them may have reached the service before.
        request_id: Of the request that was accepted.
        seconds: That request took.
    """

    name: ClassVar[str] = "delivered"
    level: ClassVar[int] = logging.DEBUG
    words: ClassVar[str] = "%(kind)s: %(logs)d plays delivered, %(in_doubt)d of them possibly for the second time"
    kind: LogKind
    logs: int
    in_doubt: int
    request_id: str
    seconds: float


@frozen(kw_only=True)
class PlaysRetried:
    """Plays were not delivered and wait to be sent again.

    Attributes:
        kind: Of the plays.
        logs: How many.
        outcome: Of the last request they were in.
        request_id: Of that request; empty if none was made.
        wait: Seconds for which they rest; the lane may be pausing for longer.
        failed: It was a failure, rather than the service asking for patience.
    """

    name: ClassVar[str] = "retried"
    words: ClassVar[str] = "%(kind)s: %(logs)d plays will be sent again: %(outcome)s"
    kind: LogKind
    logs: int
    outcome: str
    request_id: str
    wait: float
    failed: bool

    @property
    def level(self) -> int:
        """A failure deserves a warning."""
        return logging.WARNING if self.failed else logging.INFO


@frozen(kw_only=True)
class PlaysInDoubt:
    """From now on nobody knows whether these plays have reached the service; told once for each play.

    Attributes:
        kind: Of the plays.
        logs: How many.
        outcome: Of the request that left the doubt; ``put-cancelled`` for what another worker was sending by then.
        request_id: Of that request; empty if it is not known.
        fate: ``resend``, ``hold``, or ``keep`` for what the same lane sends again in parts, or another worker has.
    """

    name: ClassVar[str] = "in-doubt"
    level: ClassVar[int] = logging.WARNING
    words: ClassVar[str] = "%(kind)s: %(logs)d plays are in doubt (%(outcome)s): %(policy)s"
    kind: LogKind
    logs: int
    outcome: str
    request_id: str
    policy: str


@frozen(kw_only=True)
class PlaysBuried:
    """Plays were set aside for good.

    Attributes:
        kind: Of the plays.
        logs: How many.
        outcome: ``refused``, or ``expired`` for those that grew too old.
        request_id: Of the last request of their batch; empty if none was made.
    """

    name: ClassVar[str] = "buried"
    level: ClassVar[int] = logging.WARNING
    words: ClassVar[str] = "%(kind)s: %(logs)d plays are buried: %(outcome)s"
    kind: LogKind
    logs: int
    outcome: str
    request_id: str


@frozen(kw_only=True)
class PlaysRecovered:
    """A spool has taken back what a dead owner or worker had leased.

    Attributes:
        kind: Of the plays.
        logs: How many.
        in_doubt: How many of them were being sent at that time.
    """

    name: ClassVar[str] = "recovered"
    level: ClassVar[int] = logging.WARNING
    words: ClassVar[str] = "%(kind)s: %(logs)d plays of a dead worker recovered, %(in_doubt)d of them in doubt"
    kind: LogKind
    logs: int
    in_doubt: int


@frozen(kw_only=True)
class QueueMeasured:
    """How a queue stands; told every few seconds.

    Attributes:
        kind: Of the plays.
        waiting: Plays to be sent.
        in_flight: Plays leased to a lane.
        oldest_age: Seconds since the oldest waiting play was accepted; None when nothing waits.
    """

    name: ClassVar[str] = "queue"
    level: ClassVar[int] = logging.NOTSET
    words: ClassVar[str] = ""
    kind: LogKind
    waiting: int
    in_flight: int
    oldest_age: float | None


Event = (
    PermitAcquired
    | RequestFinished
    | PlaysDelivered
    | PlaysRetried
    | PlaysInDoubt
    | PlaysBuried
    | PlaysRecovered
    | QueueMeasured
)
