"""The cost of many waiting plays: the quick form of ``tests/soak/backlog.py``, in steps of SQLite, not seconds."""

import gc
import sqlite3

import pytest
from support.long_backlog import Accumulator

from sevendigital_async import LogKind
from sevendigital_async.shipping.records import Record
from sevendigital_async.shipping.spools.sqlite import file

STEPS = 10


@pytest.fixture
def steps(monkeypatch):
    """Count what SQLite does; unlike seconds, that is the same on every machine."""
    counted, connect = [0], sqlite3.connect

    def one():
        counted[0] += STEPS

    def counting(*arguments, **options):
        db = connect(*arguments, **options)
        db.set_progress_handler(one, STEPS)
        return db

    monkeypatch.setattr(sqlite3, "connect", counting)
    return lambda: counted[0]


@pytest.mark.parametrize("kind", [LogKind.PREVIEW, LogKind.SUBSCRIBER])
async def test_a_play_costs_the_same_however_many_wait(tmp_path, steps, kind):
    costs = []
    for plays in (4_000, 30_000):
        backlog = await Accumulator.open(tmp_path / f"{plays}.db", users=plays // 40)
        await backlog.fill(kind, plays)
        await backlog.aclose()
        backlog = await Accumulator.open(tmp_path / f"{plays}.db", users=plays // 40)  # nothing is cached any more
        before = steps()
        await backlog.turnover(kind, 1000)
        costs.append(steps() - before)
        gc.collect()  # what other tests have left is not counted
        in_memory = sum(isinstance(thing, Record) for thing in gc.get_objects())
        await backlog.aclose()
    assert costs[1] <= 1.2 * costs[0]
    assert in_memory <= 20_000


async def test_a_spool_is_opened_at_once_however_much_is_in_it(tmp_path, steps, monkeypatch):
    monkeypatch.setattr(file, "THOROUGH_CHECK_BYTES", 0)  # small files are checked completely
    costs = []
    for plays in (100, 20_000):
        path = tmp_path / f"{plays}.db"
        backlog = await Accumulator.open(path, users=plays)
        await backlog.fill(LogKind.PREVIEW, plays)
        await backlog.fill(LogKind.SUBSCRIBER, plays)
        await backlog.aclose()
        before = steps()
        backlog = await Accumulator.open(path, users=plays)
        costs.append(steps() - before)
        await backlog.aclose()
    assert costs[1] <= 1.2 * costs[0]
