"""Events of plays and of the shipper, and the sink that passes them to subscribers.

Every :class:`PlayEvent` is for metrics and for the log. None holds a play, a user id, a token or the service's words,
so it may be stored anywhere. ``kind`` and ``outcome`` take few values; each request id is new.
The events in :data:`HookEvent` hold what a hook needs, plays included; only hooks subscribe to them. Those in
:data:`SpoolEvent` are what a spool reports to its shipper.
"""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any, ClassVar, TypeVar

from attrs import asdict, define, field, frozen

from ..models import LogKind
from ..quantity import pluralize
from .circuit_breaker import Alert
from .records import DeadLetter, Delivery

logger = logging.getLogger("sevendigital_async.shipping")


@frozen(kw_only=True)
class PlayEvent:
    """Something that happened to plays, for metrics and the log.

    Attributes:
        name: Its name in the log's field ``event``.
        level: The level at which it is logged.
        template: Its log message; empty if it is not logged.
        kind: Kind of the plays.
    """

    name: ClassVar[str]
    level: ClassVar[int] = logging.NOTSET
    template: ClassVar[str] = ""
    kind: LogKind


@frozen(kw_only=True)
class PermitAcquired(PlayEvent):
    """The rate limiter and the quota have let a batch pass.

    Attributes:
        seconds: How long the batch had to wait.
    """

    name = "permit"
    seconds: float


@frozen(kw_only=True)
class RequestFinished(PlayEvent):
    """A request has ended, with or without a response.

    Attributes:
        logs: Plays in the request.
        outcome: One of :data:`~sevendigital_async.shipping.outcome.OUTCOME_NAMES`.
        request_id: Our id of the request.
        seconds: From sending to the end of the response, or to giving up.
    """

    name = "request"
    level = logging.DEBUG
    template = "%(kind)s: a request with %(plays)s: %(outcome)s after %(seconds).3f s"
    logs: int
    outcome: str
    request_id: str
    seconds: float


@frozen(kw_only=True)
class PlaysDelivered(PlayEvent):
    """The service has accepted a batch, and the spool has stored that.

    Attributes:
        logs: Plays in the batch.
        in_doubt: How many of them may have reached the service before.
        request_id: Id of the request that was accepted.
        seconds: Duration of that request.
    """

    name = "delivered"
    level = logging.DEBUG
    template = "%(kind)s: %(plays)s delivered, %(in_doubt)d of them possibly for the second time"
    logs: int
    in_doubt: int
    request_id: str
    seconds: float


@frozen(kw_only=True)
class PlaysRetried(PlayEvent):
    """Plays were not delivered and wait to be sent again.

    Attributes:
        logs: How many.
        outcome: Outcome of the last request that they were in.
        request_id: Id of that request; empty if none was sent.
        wait: Seconds until their queue may be sent again; the lane may pause for longer.
        failed: The request failed; False if the service only asked to wait.
    """

    name = "retried"
    template = "%(kind)s: %(plays)s will be sent again: %(outcome)s"
    logs: int
    outcome: str
    request_id: str
    wait: float
    failed: bool

    @property
    def level(self) -> int:  # type: ignore[override]
        """A warning for a failure."""
        return logging.WARNING if self.failed else logging.INFO


@frozen(kw_only=True)
class PlaysInDoubt(PlayEvent):
    """These plays may or may not have reached the service from now on; emitted once for each play.

    Attributes:
        logs: How many.
        outcome: Outcome of the request whose response is missing; ``put-cancelled`` for plays of a cancelled put that
            another worker had leased.
        request_id: Id of that request; empty if it is not known.
        policy: ``resend``, ``hold``, or ``keep`` for plays that stay in their lease.
    """

    name = "in-doubt"
    level = logging.WARNING
    template = "%(kind)s: %(plays)s in doubt (%(outcome)s): %(policy)s"
    logs: int
    outcome: str
    request_id: str
    policy: str


@frozen(kw_only=True)
class PlaysBuried(PlayEvent):
    """Plays became dead letters.

    Attributes:
        logs: How many.
        outcome: ``refused``, or ``expired`` for plays older than the service accepts.
        request_id: Id of the last request of their batch; empty if none was sent.
    """

    name = "buried"
    level = logging.WARNING
    template = "%(kind)s: %(plays)s buried: %(outcome)s"
    logs: int
    outcome: str
    request_id: str


@frozen(kw_only=True)
class PlaysRecovered(PlayEvent):
    """A spool has taken over plays that a dead process or worker had leased.

    Attributes:
        logs: How many.
        in_doubt: How many of them were being sent at that time.
    """

    name = "recovered"
    level = logging.WARNING
    template = "%(kind)s: %(plays)s of a dead worker recovered, %(in_doubt)d of them in doubt"
    logs: int
    in_doubt: int


@frozen(kw_only=True)
class QueueMeasured(PlayEvent):
    """The length of a queue; emitted every few seconds.

    Attributes:
        waiting: Plays to be sent.
        in_flight: Plays leased to a lane.
        oldest_age: Seconds since the oldest waiting play was accepted; None when no play waits.
    """

    name = "queue"
    waiting: int
    in_flight: int
    oldest_age: float | None


@frozen(kw_only=True)
class LaneMeasured(PlayEvent):
    """What a lane can do; emitted with :class:`QueueMeasured`.

    Attributes:
        alert: The value of the lane's :class:`~sevendigital_async.shipping.AlertKind`; None without an alert.
        is_due: Plays are being sent, or could be: a batch is due, and the service has not asked to wait.
        is_spool_available: The spool, which all lanes share, accepts plays and answers.
    """

    name = "lane"
    alert: str | None
    is_due: bool
    is_spool_available: bool


@frozen
class AlertRaised:
    """A lane or a user needs the operator's attention."""

    kind: LogKind
    alert: Alert


@frozen
class DeadLettersBuried:
    """The plays of :class:`PlaysBuried`.

    Attributes:
        dead_letters: The buried plays.
        on_handled: Called with the dead letters that a hook has taken over, which a memory spool then drops.
    """

    dead_letters: Sequence[DeadLetter]
    on_handled: Callable[[Sequence[DeadLetter]], None]


@frozen
class BatchDue:
    """A batch may have become due earlier than the spool last said."""

    kind: LogKind


@frozen
class SpoolAlertChanged:
    """A spool can't work for now, such as on a full disk, or works again.

    Attributes:
        alert: What keeps it from working; None when that is over.
        is_blocking: The spool can't work now; False for a loss of plays that it has survived.
    """

    alert: str | None
    is_blocking: bool = True


@frozen
class SpoolFailed:
    """A background task of the spool ended before the spool was closed; the shipper stops."""

    error: BaseException


PLAY_EVENTS: tuple[type[PlayEvent], ...] = (
    PermitAcquired,
    RequestFinished,
    PlaysDelivered,
    PlaysRetried,
    PlaysInDoubt,
    PlaysBuried,
    PlaysRecovered,
    QueueMeasured,
    LaneMeasured,
)
HookEvent = Delivery | DeadLettersBuried | AlertRaised
SpoolEvent = BatchDue | SpoolAlertChanged | SpoolFailed
Event = PlayEvent | HookEvent | SpoolEvent
E = TypeVar("E", bound=Event)


def _log_plays(event: PlayEvent) -> None:
    if logger.isEnabledFor(level := event.level):
        fields = {"event": event.name, **asdict(event)}
        message = fields | {"plays": pluralize(fields.get("logs", 0))}
        logger.log(level, event.template, message, extra=fields)


def _log_alert(event: AlertRaised) -> None:
    fields = {"event": "alert", "kind": event.kind.value, "alert": event.alert.kind.value}
    logger.error("%s: %s", event.kind.value, event.alert.message, extra=fields)


def _log_spool_alert(event: SpoolAlertChanged) -> None:
    if event.alert is None:
        logger.info("the spool works again", extra={"event": "spool-recovered"})
    else:
        logger.error("the spool: %s", event.alert, extra={"event": "spool-alert"})


_LOGGERS: Mapping[type[Event], Callable[[Any], None]] = {
    **{event_type: _log_plays for event_type in PLAY_EVENTS if event_type.template},
    AlertRaised: _log_alert,
    SpoolAlertChanged: _log_spool_alert,
}


@define(eq=False)
class EventSink:
    """Passes each event to the log and to its subscribers, in the order in which they subscribed."""

    _subscribers: dict[type, list[Callable[[Any], Any]]] = field(init=False, factory=dict)

    def subscribe(self, event_type: type[E], subscriber: Callable[[E], Awaitable[None] | None]) -> None:
        """Call ``subscriber`` with every event of a type."""
        self._subscribers.setdefault(event_type, []).append(subscriber)

    def has_subscriber(self, event_type: type[Event]) -> bool:
        """Whether events of a type have a subscriber other than the log."""
        return event_type in self._subscribers

    @property
    def wants_deliveries(self) -> bool:
        """Whether :class:`PlaysDelivered`, the most frequent event, would be logged or counted."""
        return PlaysDelivered in self._subscribers or logger.isEnabledFor(PlaysDelivered.level)

    def emit(self, event: Event) -> None:
        """Log an event and pass it to its subscribers."""
        event_type = type(event)
        if (log := _LOGGERS.get(event_type)) is not None:
            log(event)
        for subscriber in self._subscribers.get(event_type, ()):
            subscriber(event)

    async def publish(self, event: Delivery | DeadLettersBuried) -> None:
        """Pass an event to its subscribers, which are async, and wait for each of them."""
        for subscriber in self._subscribers.get(type(event), ()):
            await subscriber(event)
