"""Whether a call is repeated, and after how long. The decisions are pure functions; tenacity runs the loop."""

from __future__ import annotations

import random

from tenacity import AsyncRetrying, RetryCallState, retry_if_exception

from ..account_quota import MAX_WAIT
from ..backoff import full_jitter
from ..clock import Clock
from ..config import RetryPolicy
from ..error_codes import effective_status
from ..errors import (
    APIError,
    ClockSkewError,
    ConnectError,
    RateLimitError,
    ResponseTooLargeError,
    SevenDigitalError,
    TransportError,
)
from ..operations import Safety
from ..status_codes import CallAction, rule_for


def may_repeat(error: BaseException, safety: Safety) -> bool:
    """Return whether a call that failed with this error may be sent again.

    An ``UNSAFE`` call is repeated only if the service certainly did not act on it.
    """
    if safety is Safety.UNSAFE and getattr(error, "maybe_sent", True):
        # After a redirect even a refused connection or a 429 follows an action of the service.
        return False
    match error:
        case ConnectError() | ClockSkewError():
            return True
        case TransportError():
            return safety is not Safety.UNSAFE and not isinstance(error, ResponseTooLargeError)
        case APIError():
            rule = rule_for(effective_status(error))
            return (rule.unsafe_action if safety is Safety.UNSAFE else rule.read_action) is not CallAction.RAISE
    return False


def demanded_wait(error: BaseException) -> float | None:
    """Return the seconds that the service asks the client to wait, if it does."""
    if not isinstance(error, APIError):
        return None
    if error.retry_after is not None:
        return error.retry_after
    if isinstance(error, RateLimitError) and error.rate_limit is not None and error.rate_limit.wait > 0:
        return error.rate_limit.wait
    return None


def backoff(attempt: int, policy: RetryPolicy, rng: random.Random) -> float:
    """Return a random wait below a bound that doubles with each attempt (full jitter), seconds."""
    return full_jitter(attempt - 1, base=policy.base, cap=policy.cap, rng=rng)


def retrying(
    policy: RetryPolicy, safety: Safety, deadline: float | None, *, clock: Clock, max_wait: float, rng: random.Random
) -> AsyncRetrying:
    """Build the retry loop of one call.

    Args:
        policy: Number of attempts and back-off.
        safety: Safety of the operation.
        deadline: Time after which no attempt begins, by the clock's monotonic time; None if there is none.
        clock: Does the waiting.
        max_wait: If the service asks for a longer wait, or one over a day, its error is raised at once.
        rng: Source of the jitter.
    """
    skews = 0
    maybe_sent = False

    def repeats(error: BaseException) -> bool:
        if isinstance(error, SevenDigitalError):
            nonlocal maybe_sent
            # The error of a later attempt must not hide that an earlier one may have been carried out.
            maybe_sent = error.maybe_sent = maybe_sent or error.maybe_sent
        return may_repeat(error, safety)

    def error_of(state: RetryCallState) -> BaseException:
        error = state.outcome.exception() if state.outcome else None
        assert error is not None
        return error

    def wait(state: RetryCallState) -> float:
        error = error_of(state)
        if isinstance(error, ClockSkewError):
            return 0.0
        demanded = demanded_wait(error)
        return backoff(state.attempt_number, policy, rng) if demanded is None else demanded

    def stop(state: RetryCallState) -> bool:
        error = error_of(state)
        if isinstance(error, ClockSkewError):
            nonlocal skews
            skews += 1
            return skews > 1
        if state.attempt_number >= policy.attempts or (demanded_wait(error) or 0.0) > min(max_wait, MAX_WAIT):
            return True
        return deadline is not None and clock.monotonic() + state.upcoming_sleep >= deadline

    return AsyncRetrying(
        sleep=clock.sleep,
        wait=wait,
        stop=stop,
        retry=retry_if_exception(repeats),
        reraise=True,
    )
