"""Workers die at every named point of spool, lane and wire, again and again: ``nox -s soak``."""

import pytest
from support.workers import die_at_each_of

POINTS = (
    "before append",
    "before commit",
    "after commit",
    "after append",
    "before lease",
    "after lease",
    "before intent",
    "after intent",
    "headers sent",
    "body sent",
    "answer read",
    "before outcome",
    "after outcome",
    "before bury",
    "after bury",
    "before take-over",
    "after take-over",
)


@pytest.mark.parametrize("fate", ["resend", "hold"])
@pytest.mark.parametrize("turn", range(3))
async def test_a_worker_may_die_at_any_point(redis_server, fate, turn):
    await die_at_each_of(POINTS[turn:] + POINTS[:turn], redis_server, fate)  # at another occasion each time
