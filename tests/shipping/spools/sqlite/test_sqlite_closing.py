"""An SQLite spool is cancelled, closed and abandoned at critical times: nothing hangs, nothing is lost."""

import asyncio
import gc
import sqlite3
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from datetime import UTC, datetime

import pytest
from support.clock import VirtualClock
from support.spool_events import callback

from sevendigital_async import LogKind, ShipperClosedError, SpoolCorruptionError, SpoolInUseError, SpoolUnavailableError
from sevendigital_async.shipping.records import Checkpoint, InDoubtPolicy, Receipt, Record
from sevendigital_async.shipping.rules import lane_rules
from sevendigital_async.shipping.spools.base import SpoolContext
from sevendigital_async.shipping.spools.sqlite import SqliteSpool
from sevendigital_async.shipping.spools.sqlite.writer import WriterJob

RULES = lane_rules()
KIND = LogKind.CATALOGUE
NOW = datetime(2026, 1, 1, tzinfo=UTC)
RECEIPT = Receipt("request", NOW)
CLOSED = ShipperClosedError("closed")


def records(number, queue="", size=10):
    return [Record(b"x" * size, queue, NOW) for _ in range(number)]


@pytest.fixture
def clock():
    return VirtualClock()


@pytest.fixture
def spool(tmp_path):
    return SqliteSpool(tmp_path / "plays.db")


@pytest.fixture
def context(clock):
    return SpoolContext(RULES, clock, lambda _: None)


async def reopened(path, clock, **changes):
    spool = SqliteSpool(path)
    await spool.open(SpoolContext(RULES, clock, lambda _: None, **changes))
    counts = await spool.counts(KIND)
    await spool.aclose()
    return counts


async def test_what_was_put_without_waiting_is_written_when_the_spool_is_closed_at_once(
    spool, context, tmp_path, clock
):
    await spool.open(context)
    spool.append_nowait(KIND, records(3))
    async with asyncio.timeout(60):
        await spool.aclose()
    assert (await reopened(tmp_path / "plays.db", clock)).waiting == 3


async def test_a_put_that_is_being_written_when_the_spool_closes_gets_its_result(spool, context, clock, tmp_path, disk):
    await spool.open(context)
    disk.error = "SQLITE_FULL"
    put = asyncio.create_task(spool.append(KIND, records(2)))
    while spool._group_commit.alert is None:
        await asyncio.sleep(0.01)
    disk.error = None
    disk.stop()
    clock._timers[-1][2].set_result(None)  # the pause is over: the next try is under way
    await disk.has_stopped()
    spool.refuse(CLOSED)
    closing = asyncio.create_task(spool.aclose())
    await asyncio.sleep(0.05)
    disk.go_on.set()
    async with asyncio.timeout(60):
        await closing
        await put  # accepted, for that is what it is
    assert (await reopened(tmp_path / "plays.db", clock)).waiting == 2


async def test_a_put_that_waits_for_a_full_disk_fails_when_the_spool_closes(spool, context, disk):
    await spool.open(context)
    disk.error = "SQLITE_FULL"
    put = asyncio.create_task(spool.append(KIND, records(2)))
    while spool._group_commit.alert is None:
        await asyncio.sleep(0.01)
    with pytest.raises(SpoolUnavailableError, match="the disk is full"):
        spool.append_nowait(KIND, records(1))
    spool.refuse(CLOSED)
    async with asyncio.timeout(60):
        await spool.aclose()
    with pytest.raises(ShipperClosedError):
        await put


async def test_a_put_with_a_checkpoint_waits_for_a_full_disk_as_well(tmp_path, disk):
    alerts, clock = [], VirtualClock()
    spool = SqliteSpool(tmp_path / "plays.db")
    await spool.open(SpoolContext(RULES, clock, callback(alerts=alerts.append)))
    disk.error = "SQLITE_FULL"
    puts = [asyncio.create_task(spool.append(KIND, records(2), Checkpoint(name, "1", after=""))) for name in "ab"]
    while len(clock._timers) < len(puts):
        await asyncio.sleep(0.01)
    assert "the disk is full" in alerts[0]
    disk.error = None
    clock._timers[0][2].set_result(None)  # the pause of the first one is over
    await puts[0]
    spool.refuse(CLOSED)
    clock._timers[1][2].set_result(None)
    with pytest.raises(ShipperClosedError):
        await puts[1]
    assert (await spool.counts(KIND)).put == 2
    await spool.aclose()


async def test_counts_leave_out_plays_of_put_nowait_that_were_never_written(spool, context, disk, clock, tmp_path):
    await spool.open(context)
    disk.error = "SQLITE_FULL"
    spool.append_nowait(KIND, records(2))
    while spool._group_commit.alert is None:
        await asyncio.sleep(0.01)
    await spool.aclose()
    counts = await spool.counts(KIND)
    assert (counts.put, counts.waiting) == (0, 0)


async def test_opening_that_is_cancelled_closes_the_file(spool, context, disk, clock, tmp_path):
    before = asyncio.all_tasks()
    disk.stop()
    opening = asyncio.create_task(spool.open(context))
    await disk.has_stopped()
    opening.cancel()
    await asyncio.sleep(0.01)
    disk.go_on.set()
    with pytest.raises(asyncio.CancelledError):
        await opening
    assert asyncio.all_tasks() <= before
    assert (await reopened(tmp_path / "plays.db", clock)).put == 0


async def test_closing_needs_no_thread_of_the_loops_own(spool, context):
    loop, go_on = asyncio.get_running_loop(), threading.Event()
    loop.set_default_executor(ThreadPoolExecutor(1))
    busy = loop.run_in_executor(None, go_on.wait, 20)
    await spool.open(context)
    async with asyncio.timeout(60):
        await spool.aclose()
    go_on.set()
    await busy


async def test_opening_that_is_cancelled_before_it_began_closes_the_file(spool, context, clock, tmp_path):
    opening = asyncio.create_task(spool.open(context))
    await asyncio.sleep(0)
    opening.cancel()
    with pytest.raises(asyncio.CancelledError):
        await opening
    assert (await reopened(tmp_path / "plays.db", clock)).put == 0


async def test_closing_that_is_cancelled_closes_the_file(spool, context, disk, clock, tmp_path):
    await spool.open(context)
    disk.stop()
    put = asyncio.create_task(spool.append(KIND, records(2)))
    await disk.has_stopped()
    closing = asyncio.create_task(spool.aclose())
    await asyncio.sleep(0.01)
    closing.cancel()
    disk.go_on.set()
    with suppress(asyncio.CancelledError):
        await closing
    async with asyncio.timeout(60):
        await put
    assert (await reopened(tmp_path / "plays.db", clock)).waiting == 2


async def test_a_step_that_fails_in_memory_is_reported_and_stops_no_other(spool, context):
    await spool.open(context)
    broken = spool._writer.submit(WriterJob(lambda _: None, lambda _: 1 / 0))
    other = spool._writer.submit(WriterJob(lambda _: 1, lambda number: number))
    async with asyncio.timeout(60):
        with pytest.raises(ZeroDivisionError):
            await broken
        assert await other == 1
    await spool.aclose()


async def test_a_closed_spool_answers_or_says_so(spool, context):
    await spool.open(context)
    await spool.append(KIND, records(1), Checkpoint("source", "17"))
    await spool.aclose()
    async with asyncio.timeout(60):
        for call in (spool.checkpoint("source"), spool.oldest_age(KIND), spool.append(KIND, records(1))):
            with pytest.raises(ShipperClosedError):
                await call
        with pytest.raises(ShipperClosedError):
            spool.append_nowait(KIND, records(1))


async def test_an_intent_that_was_never_kept_leaves_no_doubt(spool, context, disk):
    await spool.open(context)
    await spool.append(KIND, records(2))
    lease = await spool.lease(KIND, flush=True)
    disk.error = "SQLITE_IOERR"
    intent = asyncio.create_task(spool.intent(lease, lease.records, "request"))
    await asyncio.sleep(0.05)
    intent.cancel()
    disk.error = None
    with pytest.raises(asyncio.CancelledError):
        await intent
    await spool.abandon(lease, InDoubtPolicy.HOLD)
    counts = await spool.counts(KIND)
    assert (counts.waiting, counts.held, counts.in_doubt) == (2, 0, 0)
    await spool.aclose()


async def test_a_lease_that_is_abandoned_after_the_closing_is_settled_when_the_spool_is_opened_again(
    spool, context, clock, tmp_path, caplog
):
    await spool.open(context)
    await spool.append(KIND, records(3))
    lease = await spool.lease(KIND, flush=True)
    await spool.intent(lease, lease.records[:2], "request-1")
    await spool.aclose()
    await spool.abandon(lease, InDoubtPolicy.RESEND)
    assert "settled when the spool is opened again" in caplog.text
    counts = await reopened(tmp_path / "plays.db", clock, in_doubt=InDoubtPolicy.HOLD)
    assert (counts.held, counts.waiting, counts.in_doubt) == (2, 1, 2)


@pytest.mark.parametrize("name", ["a", '"', "a'b", "\\u0000", "ü\u2028😀", "x" * 255, " a", "A", "null", "[1]"])
async def test_users_may_have_any_name(spool, context, name):
    await spool.open(context)
    await spool.append(KIND, records(1, "a"))
    await spool.append(KIND, records(2, name))
    queues = []
    while lease := await spool.lease(KIND, flush=True):
        queues += [record.queue for record in lease.records]
        await spool.intent(lease, lease.records, "request")
        await spool.ack(lease, lease.records, RECEIPT)
    assert sorted(queues) == sorted(["a", name, name])
    await spool.aclose()


async def test_a_link_to_the_file_is_the_same_file(spool, context, tmp_path, clock):
    await spool.open(context)
    (tmp_path / "elsewhere").mkdir()
    link = tmp_path / "elsewhere" / "link.db"
    link.symlink_to(tmp_path / "plays.db")
    with pytest.raises(SpoolInUseError):
        await SqliteSpool(link).open(context)
    await spool.aclose()


async def test_a_relative_name_is_meant_where_the_shipper_was_made(tmp_path, context, monkeypatch, clock):
    monkeypatch.chdir(tmp_path)
    spool = SqliteSpool("plays.db")
    await spool.open(context)
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    await spool.append(KIND, records(2))
    await spool.aclose()
    assert (await reopened(tmp_path / "plays.db", clock)).waiting == 2


async def test_a_file_that_was_moved_is_not_written_to(spool, context, tmp_path):
    await spool.open(context)
    await spool.append(KIND, records(1))
    (tmp_path / "plays.db").rename(tmp_path / "moved.db")
    with pytest.raises(SpoolCorruptionError, match="moved or removed"):
        await spool.append(KIND, records(1))
    await spool.aclose()


async def test_two_shippers_never_send_the_same_plays_though_somebody_removes_the_lock_files(spool, context, tmp_path):
    failures = []
    await spool.open(SpoolContext(RULES, VirtualClock(), callback(others=failures.append)))
    await spool.append(KIND, records(3))
    lease = await spool.lease(KIND, flush=True)
    (tmp_path / "plays.db-owner").unlink()
    with pytest.raises(SpoolInUseError, match="in use by another shipper"):
        await SqliteSpool(tmp_path / "plays.db").open(context)
    (tmp_path / "plays.db-mark").unlink()
    other = SqliteSpool(tmp_path / "plays.db")
    await other.open(context)
    taken = await other.lease(KIND, flush=True)
    assert len(taken.records) == 3
    with pytest.raises(SpoolInUseError, match=r"plays\.db-owner was removed"):
        await spool.intent(lease, lease.records, "request-1")
    with pytest.raises(SpoolInUseError, match=r"plays\.db-owner was removed"):
        await spool.append(KIND, records(1))
    await other.intent(taken, taken.records, "request-2")
    await other.ack(taken, taken.records, RECEIPT)
    await spool.aclose()
    await other.append(KIND, records(1))
    assert (await other.counts(KIND)).put == 4
    await other.aclose()


async def test_an_alert_ends_when_deliveries_are_written(spool, clock, disk):
    alerts = []
    await spool.open(SpoolContext(RULES, clock, callback(alerts=alerts.append)))
    await spool.append(KIND, records(2))
    lease = await spool.lease(KIND, flush=True)
    disk.error = "SQLITE_IOERR"
    intent = asyncio.create_task(spool.intent(lease, lease.records, "request"))
    while not alerts:
        await asyncio.sleep(0.01)
    disk.error = None
    await clock.run(intent)
    await asyncio.sleep(0)
    assert "disk" in alerts[0]
    assert alerts[1:] == [None]
    await spool.ack(lease, lease.records, RECEIPT)
    await spool.aclose()


def test_a_loop_that_ends_without_closing_leaves_no_traceback(tmp_path, capfd):
    async def leave():
        spool = SqliteSpool(tmp_path / "plays.db")
        await spool.open(SpoolContext(RULES, VirtualClock(), lambda _: None))
        spool._writer.submit(WriterJob(lambda _: time.sleep(0.2), lambda _: None))
        return spool

    spool = asyncio.run(leave())
    spool._writer._jobs.close()
    spool._writer._thread.join(5)
    gc.collect()
    assert "Traceback" not in capfd.readouterr().err


async def test_a_restart_does_not_extend_the_delay_of_a_user(tmp_path, clock):
    path = tmp_path / "plays.db"
    spool = SqliteSpool(path)
    await spool.open(SpoolContext(RULES, clock, lambda _: None))
    await spool.append(KIND, records(1, "ann"))
    clock.elapsed += 36_000
    lease = await spool.lease(KIND, flush=True)
    await spool.release(lease, lease.records, delay=60.0)
    await spool.aclose()
    spool = SqliteSpool(path)
    await spool.open(SpoolContext(RULES, VirtualClock(), lambda _: None))
    assert await spool.due_in(KIND, flush=True) <= 60
    await spool.aclose()


async def test_a_foreign_writer_makes_puts_wait_and_says_so(tmp_path, clock, monkeypatch):
    alerts = []
    spool = SqliteSpool(tmp_path / "plays.db")
    await spool.open(SpoolContext(RULES, clock, callback(alerts=alerts.append)))
    foreign = sqlite3.connect(tmp_path / "plays.db", isolation_level=None)
    foreign.execute("BEGIN IMMEDIATE")
    started = asyncio.get_running_loop().time()
    puts = [asyncio.create_task(spool.append(KIND, records(1))) for _ in range(3)]
    while not alerts:
        await asyncio.sleep(0.01)
    assert "another process" in alerts[0]
    assert asyncio.get_running_loop().time() - started < 30
    foreign.execute("ROLLBACK")
    foreign.close()
    await clock.run(asyncio.wait_for(asyncio.gather(*puts), 5))
    await spool.aclose()
