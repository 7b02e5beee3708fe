"""Whether a lane may send: pauses, a circuit breaker and suspension as one value with behaviour."""

from __future__ import annotations

import enum
import math
import random
from collections import deque
from datetime import UTC, datetime

from attrs import frozen

from ..account_quota import LONGEST_WAIT, PROBE_INTERVAL
from ..clock import Clock

FAILURES_TO_OPEN = 5
"""Failures in a row, over all requests of the lane, that open its circuit."""

BACKOFF_BASE = 0.25
BACKOFF_CAP = 10.0
"""Seconds."""

AUTH_BACKOFF_BASE = 60.0
AUTH_BACKOFF_CAP = 3600.0
"""Seconds; a wrong secret doesn't heal by itself."""


class AlertKind(enum.Enum):
    """What a person should look at."""

    AUTHENTICATION = "authentication"
    SUSPENDED = "suspended"
    THROTTLED = "throttled"
    """The service asks to wait for more than a day; it is asked again every hour."""

    UNAVAILABLE = "unavailable"


_OVER_WITH_AN_ANSWER = {AlertKind.THROTTLED, AlertKind.UNAVAILABLE}


@frozen
class Alert:
    """Why a lane, or one of its users, doesn't get on.

    Attributes:
        kind: Its sort.
        message: What happened and what to do, for people.
        user_id: The one user it concerns; None for the whole lane.
        since: When it began.
    """

    kind: AlertKind
    message: str
    user_id: str | None
    since: datetime


def backoff(failures: int, rng: random.Random) -> float:
    """Return seconds to wait after so many failures in a row: full jitter below a doubling bound."""
    return rng.uniform(0, min(BACKOFF_CAP, BACKOFF_BASE * 2 ** min(failures, 30)))


def auth_backoff(failures: int) -> float:
    """Return seconds until a signer who was refused so many times in a row is tried again."""
    return float(min(AUTH_BACKOFF_CAP, AUTH_BACKOFF_BASE * 2 ** min(failures, 30)))


class CircuitBreaker:
    """Stands before every request of one lane."""

    def __init__(self, clock: Clock, rng: random.Random, *, poison_share: float, poison_window: int) -> None:
        self._clock = clock
        self._rng = rng
        self._opens_at = self._tries_at = -math.inf
        self._failures = 0
        self._refusals = 0
        self._under_way = 0
        self._fates: deque[tuple[int, bool]] = deque()
        self._window = poison_window
        self._counted = self._buried = 0
        self._tolerated = poison_share * poison_window
        self.alert: Alert | None = None

    @property
    def wait(self) -> float:
        """Seconds until a request may go; infinite while suspended, or while a failing service is being probed."""
        if self.suspended or (self.circuit_open and self._under_way):
            return math.inf
        return max(0.0, max(self._opens_at, self._tries_at) - self._clock.monotonic())

    @property
    def pause_left(self) -> float:
        """Seconds that are left of the wait that the service has asked for."""
        return max(0.0, self._opens_at - self._clock.monotonic())

    @property
    def suspended(self) -> bool:
        """Nothing goes out until :meth:`resume`."""
        return self.alert is not None and self.alert.kind is AlertKind.SUSPENDED

    @property
    def stuck(self) -> bool:
        """Waiting longer would not help: a person has to act."""
        return self.alert is not None and self.alert.kind is not AlertKind.UNAVAILABLE

    @property
    def circuit_open(self) -> bool:
        """The last requests all failed; the next one is a probe."""
        return self._failures >= FAILURES_TO_OPEN

    def sending(self) -> None:
        """A request goes out now."""
        self._under_way += 1

    def finished(self) -> None:
        """A request has come to its end, whatever that was."""
        self._under_way -= 1

    def answered(self) -> None:
        """The service is there and has said something sensible, be it yes or no."""
        if self._is_put_off:
            return
        self._failures = 0
        if self.alert is not None and self.alert.kind in _OVER_WITH_AN_ANSWER:
            self.alert = None

    def succeeded(self) -> None:
        """The service has accepted a batch."""
        self.answered()
        self._refusals = 0
        if not (self.suspended or self._is_put_off):
            self.alert = None

    @property
    def _is_put_off(self) -> bool:
        """A very long wait was asked for within the hour; answers to what was under way at that time don't end it."""
        throttled = self.alert is not None and self.alert.kind is AlertKind.THROTTLED
        return throttled and self._tries_at > self._clock.monotonic()

    def failed(self, reason: str, wait: float | None) -> None:
        """The service failed, and asked for a wait perhaps."""
        self._failures += 1
        self._probe_now_and_then(f"the service is failing; trying again now and then: {reason}")
        if wait:
            self._keep(wait, reason)

    def blocked(self, reason: str, wait: float | None) -> None:
        """Somebody refuses requests in the service's place: from now on single requests find out when that is over."""
        self._failures = max(self._failures + 1, FAILURES_TO_OPEN)
        words = "a gateway, or a server that is not the service, refuses requests; check the base URL and any proxy"
        self._probe_now_and_then(f"{words}; trying again now and then: {reason}")
        if wait:
            self._keep(wait, reason)

    def throttled(self, reason: str, wait: float) -> None:
        """The service asks for a wait."""
        if wait <= LONGEST_WAIT:
            self.answered()
        self._keep(wait, reason)

    def _keep(self, wait: float, reason: str) -> None:
        if wait <= LONGEST_WAIT:
            self.pause(wait)
            return
        self._failures = max(self._failures, FAILURES_TO_OPEN)  # so that a single request asks again
        self._back_off(PROBE_INTERVAL)
        days = f"{wait / 86_400:.1f} days" if wait < 1e9 else "decades"  # noqa: PLR2004 - no number to be read by people
        words = f"the service asks to wait for {days}; asking again every hour: {reason}"
        if self.alert is None or self.alert.kind is AlertKind.UNAVAILABLE:
            self._report(AlertKind.THROTTLED, words)

    def _probe_now_and_then(self, message: str) -> None:
        if self.circuit_open:
            self._back_off(backoff(self._failures, self._rng))
            if self.alert is None:
                self._report(AlertKind.UNAVAILABLE, message)

    def pause(self, seconds: float) -> None:
        """Send nothing for a while, come what may; an earlier, longer pause stays."""
        self._opens_at = max(self._opens_at, self._clock.monotonic() + seconds)

    def _back_off(self, seconds: float) -> None:
        """Send nothing for a while, because it would hardly succeed."""
        self._tries_at = max(self._tries_at, self._clock.monotonic() + seconds)

    def refused_signer(self, reason: str) -> None:
        """The partner itself was not accepted; what was under way at the same time doesn't count again."""
        if self.alert is not None and self.alert.kind is AlertKind.AUTHENTICATION and self.wait > 0:
            return
        self._back_off(auth_backoff(self._refusals))
        self._refusals += 1
        self._report(AlertKind.AUTHENTICATION, f"the lane waits for a person: {reason}")

    def suspend(self, reason: str) -> None:
        """Send nothing until :meth:`resume`."""
        if self.suspended:
            return
        self._report(AlertKind.SUSPENDED, f"suspended until resumed: {reason}")

    def resume(self) -> None:
        """Forget failures, what was waited for because of them, and suspension; not what the service has demanded."""
        self._tries_at = -math.inf
        self._failures = self._refusals = self._counted = self._buried = 0
        self._fates.clear()
        self.alert = None

    def count_fates(self, *, delivered: int = 0, buried: int = 0) -> bool:
        """Note what became of logs; True if so many were buried that the lane should suspend itself."""
        for number, bad in ((delivered, False), (buried, True)):
            if number:
                self._fates.append((number, bad))
                self._counted += number
                self._buried += number * bad
        while (excess := self._counted - self._window) > 0:
            number, bad = self._fates.popleft()
            gone = min(excess, number)
            self._counted -= gone
            self._buried -= gone * bad
            if gone < number:
                self._fates.appendleft((number - gone, bad))
        return self._buried > self._tolerated

    def _report(self, kind: AlertKind, message: str) -> None:
        self.alert = Alert(kind, message, None, datetime.fromtimestamp(self._clock.time(), UTC))
