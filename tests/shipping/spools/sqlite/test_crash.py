"""Workers are killed at every failpoint; afterwards all guarantees hold. The long form is in ``tests/soak``."""

import random

import pytest
from support.crashes import Crashes, die_at

from sevendigital_async import failpoints
from sevendigital_async.sandbox import Faults


@pytest.mark.parametrize("point", failpoints.POINTS)
async def test_death_at_a_point_breaks_no_promise(sevendigital_sandbox, tmp_path, point):
    await die_at(point, Crashes(sevendigital_sandbox, tmp_path), random.Random(point))


async def test_kills_at_random_moments_lose_nothing(sevendigital_sandbox, tmp_path):
    rng = random.Random(1)
    crashes = Crashes(sevendigital_sandbox, tmp_path)
    orders = {"users": 20}
    for _ in range(4):
        assert await crashes.run(2000, kill_at=(rng.randrange(1, 1000), rng.random() / 20), **orders)
        crashes.check()
    await crashes.finish(**orders)
    assert len(crashes.accepted) >= 1000


@pytest.mark.parametrize("in_doubt", ["resend", "hold"])
async def test_answers_lost_on_the_way_are_what_is_in_doubt(sevendigital_sandbox, tmp_path, in_doubt):
    crashes = Crashes(sevendigital_sandbox, tmp_path)
    sevendigital_sandbox.faults = Faults.parse(["disconnect-after:20%"], seed=3)
    orders = {"kinds": ("subscriber",), "users": 5, "in_doubt": in_doubt}
    found, doubles = await crashes.finish(500, **orders)
    assert found.doubts
    if in_doubt == "hold":
        assert not doubles
        assert found.doubts.keys() == found.dead_letters.keys()
    else:
        assert doubles.keys() == found.doubts.keys()


async def test_a_new_process_keeps_the_rate_limit_of_the_one_before(sevendigital_sandbox, tmp_path):
    """Five previews a second are the account's limit, not the process's."""
    crashes = Crashes(sevendigital_sandbox, tmp_path)
    orders = {"kinds": ("preview",), "batch": 10}
    assert await crashes.run(200, die_at=("answer read", 5), **orders)
    assert await crashes.run(200, die_at=("answer read", 5), **orders)
    crashes.check()
    await crashes.run(0, patience=0.5, **orders)
    await crashes.run(0, patience=1.5, **orders)
    crashes.check()
