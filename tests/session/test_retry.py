import random

import pytest
from support.rows import each_row

from sevendigital_async import (
    APIError,
    AuthenticationError,
    ClockSkewError,
    ConfigurationError,
    ConnectError,
    DecodeError,
    DisconnectedError,
    RateLimit,
    RateLimitError,
    RequestTimeoutError,
    ResponseTooLargeError,
    RetryPolicy,
    ServerError,
)
from sevendigital_async.operations import Safety
from sevendigital_async.session.retry import backoff, demanded_wait, may_repeat

ALWAYS, SAFE, NEVER = {*Safety}, {Safety.READ, Safety.IDEMPOTENT}, set()


@each_row(
    ("error", "repeated_for"),
    [
        (ConnectError("x"), ALWAYS),
        (RateLimitError("x", status=429), ALWAYS),
        (ClockSkewError("x", status=401), ALWAYS),
        (DisconnectedError("x"), SAFE),
        (RequestTimeoutError("x"), SAFE),
        (RequestTimeoutError("x", maybe_sent=False), SAFE),
        (ServerError("x", status=500), SAFE),
        (ServerError("x", code=7003, status=200), SAFE),
        (ServerError("x", code=9001, status=400), SAFE),
        (ResponseTooLargeError("x"), NEVER),
        (AuthenticationError("x", status=401), NEVER),
        (APIError("x", code=1001, status=400), NEVER),
        (DecodeError("x"), NEVER),
        (ValueError("x"), NEVER),
    ],
)
def test_safety_decides_what_is_repeated(error, repeated_for):
    assert {safety for safety in Safety if may_repeat(error, safety)} == repeated_for


@pytest.mark.parametrize(
    ("error", "wait"),
    [
        (ServerError("x"), None),
        (ServerError("x", retry_after=3.0), 3.0),
        (RateLimitError("x", rate_limit=RateLimit(10, 10, 9.0)), 9.0),
        (RateLimitError("x", rate_limit=RateLimit(10, 9, 9.0)), None),
        (ServerError("x", rate_limit=RateLimit(10, 10, 9.0)), None),
        (ConnectError("x"), None),
    ],
)
def test_the_wait_a_service_asks_for(error, wait):
    assert demanded_wait(error) == wait


def test_back_off_is_random_below_a_bound_that_doubles_up_to_a_cap():
    policy, rng = RetryPolicy(base=1, cap=10), random.Random(1)
    for attempt, bound in [(1, 1), (2, 2), (3, 4), (4, 8), (5, 10), (5000, 10)]:
        waits = [backoff(attempt, policy, rng) for _ in range(500)]
        assert 0 <= min(waits) < bound * 0.1
        assert bound * 0.9 < max(waits) <= bound


@pytest.mark.parametrize("wrong", [{"attempts": 0}, {"base": -1}, {"cap": -1}, {"deadline": 0}])
def test_a_policy_that_means_nothing_is_refused(wrong):
    with pytest.raises(ConfigurationError):
        RetryPolicy(**wrong)
