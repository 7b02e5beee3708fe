"""Outcomes: what the result of a request means for its plays. A table, no I/O."""

from __future__ import annotations

from collections.abc import Mapping

from attrs import field, frozen

from ..error_codes import effective_status
from ..errors import (
    APIError,
    AuthenticationError,
    ClockSkewError,
    ConnectError,
    GatewayError,
    ItemError,
    RateLimitError,
    RedirectError,
    SevenDigitalError,
    TransportError,
)
from ..status_codes import LaneAction, rule_for

SERVICE_STATUSES = frozenset({408, 421, 425, 500, 503})
"""With these nothing was accepted; other 5xx come from a gateway, which may have lost the service's response."""


@frozen
class Delivered:
    """The whole batch was accepted.

    Attributes:
        request_id: Our id of the request.
        answer: The service's response.
    """

    request_id: str
    answer: str = ""


@frozen
class Refused:
    """Some or all logs of the batch were refused.

    Attributes:
        reason: The service's message.
        code: The service's error code.
        items: Its errors about single logs, by position.
    """

    reason: str
    code: int | None = None
    items: Mapping[int, ItemError] = field(factory=dict)


@frozen
class Throttled:
    """The service limits requests; it asks to wait for ``wait`` seconds, if it says so."""

    reason: str
    wait: float | None = None


@frozen
class Unauthorised:
    """The signer was not accepted, or their token could not be looked up.

    Attributes:
        reason: The message of the service or of the lookup.
        sent: Whether a request was sent.
    """

    reason: str
    sent: bool = True


@frozen
class Misdirected:
    """The request itself is wrong, whatever its signer and plays: an operator has to act."""

    reason: str


@frozen
class Unavailable:
    """The service failed or could not be reached.

    Attributes:
        reason: What happened.
        reached: The request arrived, so that a part of it may have been saved.
        from_service: The service itself has answered, not a gateway that may have lost its response.
        wait: Seconds that the service asked for, if any.
    """

    reason: str
    reached: bool
    from_service: bool = True
    wait: float | None = None


@frozen
class Blocked:
    """A gateway, or a server that is not the service, has refused the request; that says nothing about the plays.

    Attributes:
        reason: Its message.
        wait: Seconds that it asked for, if any.
    """

    reason: str
    wait: float | None = None


@frozen
class Lost:
    """The response was lost after sending, or does not account for every log: the plays are in doubt.

    Attributes:
        reason: What happened.
        answered: There was a response, so that the same request may get the same response again.
    """

    reason: str
    answered: bool = False


@frozen
class ClockSkewed:
    """The clock was wrong; the client has corrected its offset."""

    reason: str


Outcome = Delivered | Refused | Throttled | Unauthorised | Misdirected | Unavailable | Blocked | Lost | ClockSkewed

OUTCOME_NAMES: Mapping[type[Outcome], str] = {
    Delivered: "delivered",
    Refused: "refused",
    Throttled: "throttled",
    Unauthorised: "unauthorised",
    Misdirected: "misdirected",
    Unavailable: "unavailable",
    Blocked: "blocked",
    Lost: "lost",
    ClockSkewed: "clock-skewed",
}
"""Their names in logs and metrics; ``interrupted`` is a request that had not ended when the shipper stopped."""


def outcome_of(error: SevenDigitalError, size: int) -> Outcome:
    """Return what an error means for a batch of ``size`` logs."""
    reason = str(error)
    match error:
        case ClockSkewError():
            return ClockSkewed(reason)
        case GatewayError() if error.status is not None and error.status < 400:  # noqa: PLR2004
            return Lost(reason, answered=True)
        case APIError():
            return _outcome_of_error(error, reason, size)
        case TransportError(maybe_sent=True) if not isinstance(error, ConnectError):
            return Lost(reason, error.answered)
        case TransportError():
            return Unavailable(reason, reached=False)
        case _:
            return Misdirected(reason)


def _outcome_of_error(error: APIError, reason: str, size: int) -> Outcome:  # noqa: PLR0911 - a table, row by row
    """Look up a response in the table of statuses."""
    match rule_for(effective_status(error)).lane_action:
        case LaneAction.PARK if isinstance(error, AuthenticationError):
            return Unauthorised(f"consumer key, secret or user token not accepted: {reason}")
        case LaneAction.PARK:
            return Unauthorised(f"this key or user may not report plays: {reason}")
        case LaneAction.PAUSE:
            return Throttled(reason, _wait(error))
        case LaneAction.RETRY:
            return Unavailable(reason, reached=True, from_service=_is_from_service(error), wait=error.retry_after)
        case LaneAction.DOUBT if isinstance(error, RedirectError):
            return Lost(reason, answered=True)
        case LaneAction.BURY_REFUSED if not error.in_service_form:
            return Blocked(reason, error.retry_after)
        case LaneAction.BURY_REFUSED | LaneAction.HALVE:
            return Refused(reason, error.code, _by_position(error.errors, size) if error.in_service_form else {})
        case _:
            return Misdirected(reason)


def _wait(error: APIError) -> float | None:
    stated = error.rate_limit.wait if isinstance(error, RateLimitError) and error.rate_limit is not None else 0.0
    return error.retry_after if error.retry_after is not None else stated or None


def _is_from_service(error: APIError) -> bool:
    return error.in_service_form or (error.status in SERVICE_STATUSES and not isinstance(error, GatewayError))


def _by_position(errors: tuple[ItemError, ...], size: int) -> Mapping[int, ItemError]:
    """Index the errors by position; empty if one is missing, repeated or out of range, as none is reliable then."""
    positions = [error.index for error in errors]
    are_valid = all(position is not None and 0 <= position < size for position in positions)
    if not are_valid or len(set(positions)) != len(positions):
        return {}
    return {error.index: error for error in errors if error.index is not None}
