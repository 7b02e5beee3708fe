"""Plays are put, cancelled and replayed at random while service, disk and connection fail.

None is lost or doubled silently.

The long form is ``nox -s soak -- random_shipping``.
"""

import pytest
from support.random_shipping import HURRIED, run_in_file, run_in_memory, run_in_redis

from sevendigital_async.shipping.spools.sqlite import transitions


@pytest.fixture(autouse=True)
def hurry(monkeypatch):
    for name, value in HURRIED.items():
        monkeypatch.setattr(name, value)


async def test_in_memory():
    run = await run_in_memory(1, steps=15)
    assert run.accepted
    assert run.refused


async def test_in_a_file_with_a_failing_disk(tmp_path):
    run = await run_in_file(2, tmp_path / "plays.db", lives=2, steps=6)
    assert run.accepted


async def test_in_redis_with_a_failing_connection(redis_server):
    run = await run_in_redis(3, redis_server, lives=2, steps=6)
    assert run.accepted


async def test_a_double_that_is_not_journalled_is_found(tmp_path, monkeypatch):
    """The check itself can fail."""
    monkeypatch.setattr(transitions, "_journal_in_doubt", lambda *_: None)
    with pytest.raises(AssertionError, match="in doubt at"):
        await run_in_file(2, tmp_path / "plays.db", lives=1, steps=6)
