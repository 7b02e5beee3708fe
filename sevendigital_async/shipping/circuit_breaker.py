"""The circuit breaker: whether a lane may send now, be paused, probe a failing service, or be suspended."""

from __future__ import annotations

import enum
import math
import random
from collections import deque
from datetime import datetime

from attrs import frozen

from ..account_quota import MAX_WAIT, PROBE_INTERVAL
from ..backoff import exponential_backoff, full_jitter
from ..clock import Clock, to_datetime

FAILURES_TO_OPEN = 5
"""Failures in a row, over all requests of the lane, that open its circuit."""

BACKOFF_BASE = 0.25
BACKOFF_CAP = 10.0
"""Seconds."""

AUTH_BACKOFF_BASE = 60.0
AUTH_BACKOFF_CAP = 3600.0
"""Seconds between attempts with credentials that were refused."""


class AlertKind(enum.Enum):
    """The kinds of alert."""

    AUTHENTICATION = "authentication"
    SUSPENDED = "suspended"
    THROTTLED = "throttled"
    """The service asks to wait for more than a day; a probe is sent every hour."""

    UNAVAILABLE = "unavailable"


UNTIL_RESUME = "suspended until resume() is called: "
"""Begins the message of a suspension; a command has no such function."""

_CLEARED_BY_AN_ANSWER = {AlertKind.THROTTLED, AlertKind.UNAVAILABLE}


@frozen
class Alert:
    """Why a lane, or one of its users, can't deliver.

    Attributes:
        kind: Its kind.
        message: What happened and what to do.
        user_id: The one user that it concerns; None for the whole lane.
        since: When it was raised.
    """

    kind: AlertKind
    message: str
    user_id: str | None
    since: datetime


def auth_backoff(failures: int) -> float:
    """Return the seconds after which a signer with this number of consecutive refusals is tried again."""
    return exponential_backoff(failures, base=AUTH_BACKOFF_BASE, cap=AUTH_BACKOFF_CAP)


class CircuitBreaker:
    """Decides before every request of one lane whether it may be sent.

    Attributes:
        alert: Why the lane can't deliver; None if it can, or if single requests have failed.
        last_failure: Why the last request failed; None if the service has answered since.
    """

    def __init__(self, clock: Clock, rng: random.Random, *, poison_share: float, poison_window: int) -> None:
        self._clock = clock
        self._rng = rng
        self._paused_until = self._backing_off_until = -math.inf
        self._failures = 0
        self._refusals = 0
        self._under_way = 0
        self._outcomes: deque[tuple[int, bool]] = deque()
        self._window = poison_window
        self._recent_plays = self._recent_buried = 0
        self._max_recent_buried = poison_share * poison_window
        self.alert: Alert | None = None
        self.last_failure: str | None = None

    @property
    def wait(self) -> float:
        """Seconds until a request may be sent; infinite while suspended, or while a probe is under way."""
        if self.suspended or (self.circuit_open and self._under_way):
            return math.inf
        return max(0.0, max(self._paused_until, self._backing_off_until) - self._clock.monotonic())

    @property
    def pause_left(self) -> float:
        """Seconds left of the wait that the service has asked for."""
        return max(0.0, self._paused_until - self._clock.monotonic())

    @property
    def suspended(self) -> bool:
        """Nothing is sent until :meth:`resume`."""
        return self.alert is not None and self.alert.kind is AlertKind.SUSPENDED

    @property
    def needs_operator(self) -> bool:
        """Waiting does not help: an operator has to act."""
        return self.alert is not None and self.alert.kind is not AlertKind.UNAVAILABLE

    @property
    def circuit_open(self) -> bool:
        """The last requests all failed; the next one is a probe (half-open)."""
        return self._failures >= FAILURES_TO_OPEN

    def record_sending(self) -> None:
        """A request is being sent."""
        self._under_way += 1

    def record_end(self) -> None:
        """A request has ended, with or without a response."""
        self._under_way -= 1

    def record_answer(self) -> None:
        """The service has answered, whether it accepted or refused."""
        if self._is_postponed:
            return
        self._failures = 0
        self.last_failure = None
        if self.alert is not None and self.alert.kind in _CLEARED_BY_AN_ANSWER:
            self.alert = None

    def record_success(self) -> None:
        """The service has accepted a batch."""
        self.record_answer()
        self._refusals = 0
        if not (self.suspended or self._is_postponed):
            self.alert = None

    @property
    def _is_postponed(self) -> bool:
        """A very long wait was asked for within the hour; answers to requests sent before that don't end it."""
        throttled = self.alert is not None and self.alert.kind is AlertKind.THROTTLED
        return throttled and self._backing_off_until > self._clock.monotonic()

    def record_failure(self, reason: str, wait: float | None) -> None:
        """The service failed, and may have asked for a wait."""
        self._failures += 1
        self.last_failure = reason
        self._probe_if_open(f"the service is failing; single requests are sent until it recovers: {reason}")
        if wait:
            self._pause_as_requested(wait, reason)

    def record_block(self, reason: str, wait: float | None) -> None:
        """A gateway refuses requests: from now on only probes are sent."""
        self._failures = max(self._failures + 1, FAILURES_TO_OPEN)
        self.last_failure = reason
        self._probe_if_open(
            "a gateway, or a server that is not the service, refuses requests; check the base URL and any proxy;"
            f" single requests are sent until that is over: {reason}"
        )
        if wait:
            self._pause_as_requested(wait, reason)

    def record_throttling(self, reason: str, wait: float) -> None:
        """The service asks for a wait."""
        if wait <= MAX_WAIT:
            self.record_answer()
        self.last_failure = reason
        self._pause_as_requested(wait, reason)

    def _pause_as_requested(self, wait: float, reason: str) -> None:
        if wait <= MAX_WAIT:
            self.pause(wait)
            return
        self._failures = max(self._failures, FAILURES_TO_OPEN)  # the next request is a probe
        self._back_off(PROBE_INTERVAL)
        days = f"{wait / 86_400:.1f} days" if wait < 1e9 else "decades"  # noqa: PLR2004 - a larger number says nothing
        message = f"the service asks to wait for {days}; a single request is sent every hour: {reason}"
        if self.alert is None or self.alert.kind is AlertKind.UNAVAILABLE:
            self._raise_alert(AlertKind.THROTTLED, message)

    def _probe_if_open(self, message: str) -> None:
        if self.circuit_open:
            self._back_off(full_jitter(self._failures, base=BACKOFF_BASE, cap=BACKOFF_CAP, rng=self._rng))
            if self.alert is None:
                self._raise_alert(AlertKind.UNAVAILABLE, message)

    def pause(self, seconds: float) -> None:
        """Send nothing for ``seconds``, even after a success; a longer pause remains."""
        self._paused_until = max(self._paused_until, self._clock.monotonic() + seconds)

    def _back_off(self, seconds: float) -> None:
        """Send nothing for ``seconds``, unless a request succeeds meanwhile."""
        self._backing_off_until = max(self._backing_off_until, self._clock.monotonic() + seconds)

    def refused_signer(self, reason: str) -> None:
        """The partner's own key was refused; refusals of requests sent at the same time don't count again."""
        if self.alert is not None and self.alert.kind is AlertKind.AUTHENTICATION and self.wait > 0:
            return
        self._back_off(auth_backoff(self._refusals))
        self._refusals += 1
        self._raise_alert(
            AlertKind.AUTHENTICATION, f"the partner's credentials are refused, nothing is delivered: {reason}"
        )

    def suspend(self, reason: str) -> None:
        """Send nothing until :meth:`resume`."""
        if self.suspended:
            return
        self._raise_alert(AlertKind.SUSPENDED, f"{UNTIL_RESUME}{reason}")

    def resume(self) -> None:
        """End suspension and back-off and forget failures; a wait that the service has asked for stays."""
        self._backing_off_until = -math.inf
        self._failures = self._refusals = self._recent_plays = self._recent_buried = 0
        self._outcomes.clear()
        self.alert = self.last_failure = None

    def count_outcomes(self, *, delivered: int = 0, buried: int = 0) -> bool:
        """Count outcomes of logs; returns whether the share of buried ones requires a suspension of the lane."""
        for number, is_buried in ((delivered, False), (buried, True)):
            if number:
                self._outcomes.append((number, is_buried))
                self._recent_plays += number
                self._recent_buried += number * is_buried
        while (excess := self._recent_plays - self._window) > 0:
            number, is_buried = self._outcomes.popleft()
            dropped = min(excess, number)
            self._recent_plays -= dropped
            self._recent_buried -= dropped * is_buried
            if dropped < number:
                self._outcomes.appendleft((number - dropped, is_buried))
        return self._recent_buried > self._max_recent_buried

    def _raise_alert(self, kind: AlertKind, message: str) -> None:
        self.alert = Alert(kind, message, None, to_datetime(self._clock.time()))
