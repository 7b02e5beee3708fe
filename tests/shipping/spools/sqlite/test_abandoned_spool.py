"""An event loop that ends while a spool is open: the file is released, and no more plays are accepted."""

import asyncio
import contextlib
from datetime import UTC, datetime

import pytest
from support.clock import VirtualClock

from sevendigital_async import LogKind, ShipperClosedError, SpoolError, SpoolInUseError
from sevendigital_async.shipping.records import Checkpoint, Record
from sevendigital_async.shipping.rules import lane_rules
from sevendigital_async.shipping.spools.base import SpoolContext
from sevendigital_async.shipping.spools.sqlite import SqliteSpool, SqliteSpoolInspector, writer

KIND = LogKind.CATALOGUE
NOW = datetime(2026, 1, 1, tzinfo=UTC)


def records(number):
    return [Record(b"x" * 10, "", NOW) for _ in range(number)]


async def open_spool(path):
    spool = SqliteSpool(path)
    await spool.open(SpoolContext(lane_rules(), VirtualClock(), lambda _: None))
    return spool


async def waiting(path):
    spool = await open_spool(path)
    counts = await spool.counts(KIND)
    await spool.aclose()
    return counts.waiting


async def put_and_leave(path):
    spool = await open_spool(path)
    await spool.append(KIND, records(2))
    return spool


def closed_by_hand(work):
    loop = asyncio.new_event_loop()
    result = loop.run_until_complete(work)
    for task in asyncio.all_tasks(loop):
        task.cancel()
    loop.run_until_complete(asyncio.sleep(0))
    loop.close()
    return result


@pytest.mark.parametrize("run", [asyncio.run, closed_by_hand])
def test_the_next_loop_gets_the_file(tmp_path, run):
    left = [run(put_and_leave(tmp_path / "plays.db"))]
    for number in range(2, 5):
        left.append(run(put_and_leave(tmp_path / "plays.db")))
        assert left[-1]._index.counts(KIND).waiting == 2 * number


def test_a_file_left_behind_is_free_for_a_replay(tmp_path):
    left = asyncio.run(put_and_leave(tmp_path / "plays.db"))

    async def replay():
        inspector = SqliteSpoolInspector(tmp_path / "plays.db")
        replayed = await inspector.replay(["1"])
        await inspector.aclose()
        return replayed

    assert asyncio.run(replay()) == 0
    assert left._writer.is_abandoned


def test_the_thread_ends_by_itself(tmp_path, monkeypatch):
    monkeypatch.setattr(writer, "LOOP_CHECK_INTERVAL", 0.01)
    left = asyncio.run(put_and_leave(tmp_path / "plays.db"))
    left._writer._thread.join(10)
    assert not left._writer._thread.is_alive()


def test_a_spool_whose_loop_is_open_keeps_the_file(tmp_path):
    loop = asyncio.new_event_loop()
    left = loop.run_until_complete(put_and_leave(tmp_path / "plays.db"))
    with pytest.raises(SpoolInUseError):
        asyncio.run(waiting(tmp_path / "plays.db"))
    loop.run_until_complete(left.aclose())
    loop.close()
    assert asyncio.run(waiting(tmp_path / "plays.db")) == 2


def test_nothing_is_accepted_after_the_loop(tmp_path):
    left = asyncio.run(put_and_leave(tmp_path / "plays.db"))
    before = left._index.counts(KIND)
    for _ in range(2):
        with pytest.raises(ShipperClosedError, match="event loop"):
            left.append_nowait(KIND, records(1))

    async def put():
        for call in (left.append(KIND, records(1)), left.append(KIND, [], Checkpoint("a", "1")), left.checkpoint("a")):
            with pytest.raises(ShipperClosedError, match="event loop"):
                await call
        await left.aclose()

    asyncio.run(put())
    assert left._index.counts(KIND) == before
    assert not left._writer._thread.is_alive()
    assert asyncio.run(waiting(tmp_path / "plays.db")) == 2


def test_nothing_is_accepted_after_a_loop_that_cancelled_nothing(tmp_path):
    loop = asyncio.new_event_loop()
    left = loop.run_until_complete(put_and_leave(tmp_path / "plays.db"))
    loop.close()
    with pytest.raises(ShipperClosedError, match="event loop"):
        left.append_nowait(KIND, records(1))
    assert asyncio.run(waiting(tmp_path / "plays.db")) == 2
    left._group_commit._task._log_destroy_pending = False  # it is what a user would be warned of


def test_what_was_put_without_waiting_before_the_end_is_written(tmp_path):
    async def put():
        spool = await open_spool(tmp_path / "plays.db")
        spool.append_nowait(KIND, records(3))
        return spool

    left = asyncio.run(put())
    assert asyncio.run(waiting(tmp_path / "plays.db")) == 3
    assert left._writer.is_abandoned


@pytest.mark.parametrize("order", ["put, then commits", "commits, then put"])
def test_plays_put_while_the_loop_ends_are_written_or_refused(tmp_path, order):
    accepted = []

    async def late(spool):
        try:
            await asyncio.sleep(60)
        finally:
            with contextlib.suppress(SpoolError):
                spool.append_nowait(KIND, records(1))
                accepted.append(1)

    async def leave():
        spool = await put_and_leave(tmp_path / "plays.db")
        ending = [asyncio.create_task(late(spool)), spool._group_commit._task]
        await asyncio.sleep(0)
        # The order in which a loop that ends cancels its tasks is arbitrary.
        for task in ending if order.startswith("put") else reversed(ending):
            task.cancel()
        await asyncio.sleep(0)
        return spool

    left = asyncio.run(leave())
    assert asyncio.run(waiting(tmp_path / "plays.db")) == 2 + len(accepted)
    assert left._writer.is_abandoned
