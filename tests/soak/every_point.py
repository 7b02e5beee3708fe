"""Workers die at every named point of spool, lane and wire, again and again: ``nox -s soak``."""

import random

import pytest
from support.crashes import Crashes, die_at
from support.workers import die_at_each_of

from sevendigital_async import failpoints

SEEDS = range(10)
POINTS = tuple(point for point in failpoints.POINTS if "journal" not in point)
"""Those of a spool in Redis, which writes its journal in the same script as the outcome."""


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("point", failpoints.POINTS)
async def test_a_worker_with_a_file_may_die_at_any_point(sevendigital_sandbox, tmp_path, point, seed):
    await die_at(point, Crashes(sevendigital_sandbox, tmp_path), random.Random(f"{point} {seed}"))


@pytest.mark.parametrize("shift", range(len(POINTS)))
async def test_workers_on_redis_may_die_at_any_point(redis_server, shift):
    policy = ("resend", "hold")[shift % 2]
    await die_at_each_of(POINTS[shift:] + POINTS[:shift], redis_server, policy)  # at another moment each time
