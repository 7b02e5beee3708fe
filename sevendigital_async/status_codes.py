"""What an HTTP status means for calls and for the shipper: one table. ``docs/architecture.md`` shows the same one."""

from __future__ import annotations

import enum

from attrs import field, frozen


class CallAction(enum.Enum):
    """What a call does after a response; the values are for the documentation."""

    RAISE = "raised"
    REPEAT = "repeated with back-off"
    WAIT = "repeated after the wait asked for"


class LaneAction(enum.Enum):
    """What a lane of the shipper does with the plays of a request; the values are for the documentation."""

    BURY_REFUSED = (
        "in the service's own error form: refused plays are buried; else released, one probe at a time, an alert"
    )
    DOUBT = "in doubt; the same plays a second time: held"
    HALVE = "halved until the refused play is alone, which is buried"
    PARK = "the signer's plays wait, an alert"
    PAUSE = "released, the lane waits as long as asked"
    RETRY = "released, in doubt where a gateway answered; back-off, then one probe at a time, an alert"
    SUSPEND = "released, the lane is suspended, an alert"


@frozen
class StatusRule:
    """What some statuses mean.

    Attributes:
        statuses: The statuses; empty for all others of the class.
        status_class: Their class, which is their first digit.
        reads: What a call does that may be repeated (``READ`` and ``IDEMPOTENT``).
        unsafe: What one does that must not be repeated, unless the service certainly did nothing.
        lane: What the shipper does.
    """

    statuses: tuple[int, ...]
    read_action: CallAction
    unsafe_action: CallAction
    lane_action: LaneAction
    status_class: int = field(kw_only=True)

    @status_class.default
    def _class_of_statuses(self) -> int:
        return self.statuses[0] // 100

    @property
    def label(self) -> str:
        """The statuses in the documentation."""
        return ", ".join(map(str, self.statuses)) or f"other {self.status_class}xx"


_RAISE, _REPEAT, _WAIT = CallAction

STATUS_RULES = (
    # By RFC 9110 it answers a request that was carried out; the others move it elsewhere.
    StatusRule((303,), _RAISE, _RAISE, LaneAction.DOUBT),
    StatusRule((), _RAISE, _RAISE, LaneAction.SUSPEND, status_class=3),
    StatusRule((400, 422), _RAISE, _RAISE, LaneAction.BURY_REFUSED),
    StatusRule((401, 403), _RAISE, _RAISE, LaneAction.PARK),
    # By RFC 9110 and RFC 8470 the request was not processed. Proxies send them, too, so an unsafe call is not repeated.
    StatusRule((408, 421, 425), _REPEAT, _RAISE, LaneAction.RETRY),
    StatusRule((413,), _RAISE, _RAISE, LaneAction.HALVE),
    StatusRule((429,), _WAIT, _WAIT, LaneAction.PAUSE),
    StatusRule((), _RAISE, _RAISE, LaneAction.SUSPEND, status_class=4),
    StatusRule((501, 505), _RAISE, _RAISE, LaneAction.SUSPEND),
    StatusRule((), _REPEAT, _RAISE, LaneAction.RETRY, status_class=5),
)

_BY_STATUS = {status: rule for rule in STATUS_RULES for status in rule.statuses}
_BY_STATUS_CLASS = {rule.status_class: rule for rule in STATUS_RULES if not rule.statuses}


def rule_for(status: int) -> StatusRule:
    """Return the rule for the status of an error response; one that is not defined counts as 5xx (RFC 9110)."""
    return _BY_STATUS.get(status) or _BY_STATUS_CLASS.get(status // 100, _BY_STATUS_CLASS[5])
