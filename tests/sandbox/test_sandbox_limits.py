"""Limits: the exact window of one second, the day's quota, and what the responses say about them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.probe import ManualClock, Probe, open_session

from sevendigital_async.operations import RateClass
from sevendigital_async.sandbox import Sandbox
from sevendigital_async.sandbox.limits import SECONDS_PER_DAY, DailyQuota, RateLimiter, SlidingWindow

MIDNIGHT = 20_000 * SECONDS_PER_DAY


def test_the_window_is_half_open():
    window = SlidingWindow()
    assert [window.add(moment) for moment in (0.0, 0.25, 0.5)] == [1, 2, 3]
    assert window.count(0.999) == 3
    assert window.count(1.0) == 2
    assert window.wait(1.0, 2) == 0.25
    assert window.wait(1.0, 3) == 0.0
    assert window.wait(1.0, 1) == 0.5


@given(st.lists(st.integers(0, 400), max_size=60))
def test_never_more_than_the_rate_in_any_window_and_never_refused_without_need(gaps):
    # Quarters of a hundredth are exact in binary, so the test's own arithmetic is exact as well.
    limits = RateLimiter(10**6, {})
    now, admitted = 0, []
    for gap in gaps:
        now += gap
        within = [moment for moment in admitted if now - moment < 1024]
        refusal = limits.admit(RateClass.PREVIEW_LOGS, 0.0, now / 1024)
        assert (refusal is None) == (len(within) < 5)
        if refusal is None:
            admitted.append(now)
        else:
            assert float(refusal) == pytest.approx((within[-5] + 1024 - now) / 1024, abs=0.001)
            assert float(refusal) >= (within[-5] + 1024 - now) / 1024


def test_the_quota_is_renewed_at_midnight():
    quota = DailyQuota(2)
    assert [quota.spend(MIDNIGHT - 10.5) for _ in range(3)] == [True, True, False]
    assert quota.headers(MIDNIGHT - 10.5) == {
        "X-RateLimit-Limit": "2",
        "X-RateLimit-Current": "2",
        "X-RateLimit-Reset": "11",
    }
    assert quota.spend(MIDNIGHT)
    assert quota.headers(MIDNIGHT)["X-RateLimit-Current"] == "1"


@pytest.fixture
async def clock():
    return ManualClock(MIDNIGHT + 1000.0)


async def test_five_preview_requests_in_any_second(clock):
    async with Sandbox(clock=clock) as sandbox, open_session() as session:
        probe = Probe(sandbox, session, clock)

        async def status():
            async with probe.post("preview", [probe.play()]) as answer:
                return answer.status, answer.headers.get("Retry-After"), await answer.read()

        for _ in range(5):
            assert (await status())[0] == 202
            clock.advance(0.125)
        refused, retry_after, body = await status()
        assert (refused, retry_after) == (429, "0.375")
        assert b'"status":"error"' in body
        clock.advance(float(retry_after))
        # The refused request took no place, and only the first of the five has left the window.
        assert (await status())[0] == 202
        assert (await status())[:2] == (429, "0.125")
        figures = sandbox.stats()
        assert figures["kinds"]["preview"] == {
            "requests": 8,
            "accepted_requests": 6,
            "logs": 6,
            "largest_batch": 1,
            "busiest_second": 7,
            "refused_logs": 0,
            "duplicates": 0,
            "rate_limited": 2,
        }
        assert figures["answers"] == {"202": 6, "429": 2}
        assert figures["limit"] == 5


async def test_requests_that_fail_otherwise_count_in_the_window(clock):
    async with Sandbox(clock=clock) as sandbox, open_session() as session:
        probe = Probe(sandbox, session, clock)
        for _ in range(4):
            async with probe.post("preview", []) as answer:
                assert answer.status == 400
        async with probe.post("preview", [probe.play()], secret="wrong") as answer:
            assert answer.status == 401
        async with probe.post("preview", [probe.play()]) as answer:
            assert answer.status == 429


async def test_the_other_kinds_know_no_such_limit_and_the_rate_can_be_set(clock):
    async with Sandbox(clock=clock, preview_rate=1) as sandbox, open_session() as session:
        probe = Probe(sandbox, session, clock)
        for _ in range(10):
            async with probe.post("catalogue", [probe.play()], user="u") as answer:
                assert answer.status == 202
        for expected in (202, 429):
            async with probe.post("preview", [probe.play()]) as answer:
                assert answer.status == expected
        assert sandbox.stats()["limit"] == 1
        assert sandbox.stats()["kinds"]["catalogue"]["busiest_second"] == 10


async def test_a_spent_quota(clock):
    async with Sandbox(clock=clock, daily_quota=2) as sandbox, open_session() as session:
        probe = Probe(sandbox, session, clock)
        for used in ("1", "2"):
            async with probe.get("/1.2/status") as answer:
                assert answer.status == 200
                assert answer.headers["X-RateLimit-Limit"] == "2"
                assert answer.headers["X-RateLimit-Current"] == used
                assert answer.headers["X-RateLimit-Reset"] == str(SECONDS_PER_DAY - 1000)
        async with probe.get("/1.2/status") as answer:
            assert answer.status == 429
            assert answer.headers["Retry-After"] == str(SECONDS_PER_DAY - 1000)
            assert answer.headers["X-RateLimit-Current"] == "2"
            assert (await answer.json())["status"] == "error"
        clock.advance(SECONDS_PER_DAY - 1000)
        async with probe.get("/1.2/status") as answer:
            assert answer.status == 200


async def test_every_api_answer_states_the_quota(clock):
    async with Sandbox(clock=clock) as sandbox, open_session() as session:
        probe = Probe(sandbox, session, clock)
        for answering in (
            probe.get("/1.2/status"),
            probe.get("/1.2/release/details"),
            probe.get("/1.2/status", secret="wrong"),
            probe.post("preview", [probe.play()]),
            probe.post("preview", []),
        ):
            async with answering as answer:
                assert {"X-RateLimit-Limit", "X-RateLimit-Current", "X-RateLimit-Reset"} <= answer.headers.keys()
