"""Durable spools remove what a cancelled put has written: with a slow disk, a silent Redis, other workers."""

import asyncio
import logging
import sqlite3
import time
from contextlib import asynccontextmanager, closing
from datetime import UTC, datetime

import pytest
from support.clock import VirtualClock
from support.redis_server import RedisServer
from support.spool_events import callback
from support.steps import Proxy

from sevendigital_async import Checkpoint, LeaseLostError, LogKind, SpoolCorruptionError, SpoolInUseError, StreamLog
from sevendigital_async.shipping.events import PlaysInDoubt
from sevendigital_async.shipping.records import Counts, DeadLetter, InDoubtPolicy, Receipt, Record
from sevendigital_async.shipping.rules import lane_rules
from sevendigital_async.shipping.spools.base import SpoolContext
from sevendigital_async.shipping.spools.inspector import JournalOutcome
from sevendigital_async.shipping.spools.redis import RedisSpool, RedisSpoolInspector, scripts
from sevendigital_async.shipping.spools.redis import spool as redis_spool
from sevendigital_async.shipping.spools.redis.writer import LEASED_REASON, LOST_REASON
from sevendigital_async.shipping.spools.sqlite import SqliteSpool

KIND = LogKind.PREVIEW
NOW = datetime.now(UTC).replace(microsecond=0)
RECEIPT = Receipt("request-1", NOW)


def records(*names, queue=""):
    return [Record(StreamLog(name, NOW, country="GB").encode(), queue, NOW) for name in names]


def tracks(plays):
    return [StreamLog.decode(record.body).track_id for record in plays]


def owner(clock, reports=None, events=None, **rules):
    lanes = lane_rules({kind: {"max_count": 10, "linger": 0.0, **rules} for kind in LogKind})
    emit = callback(
        alerts=None if reports is None else reports.append, others=None if events is None else events.append
    )
    return SpoolContext(lanes, clock, emit)


async def until(condition, within=60):
    async with asyncio.timeout(within):
        while not condition():
            await asyncio.sleep(0.002)


async def cancel(task):
    """Cancel, and check that this takes effect at once."""
    task.cancel()
    started = time.monotonic()
    await asyncio.wait([task])
    assert task.cancelled()
    assert time.monotonic() - started < 20


# -- a file --


@pytest.fixture
def path(tmp_path):
    return tmp_path / "plays.db"


@asynccontextmanager
async def file(path, clock=None, reports=None, **rules):
    spool = SqliteSpool(path)
    await spool.open(owner(clock or VirtualClock(), reports, **rules))
    try:
        yield spool
    finally:
        await spool.aclose()


async def taken_out(spool):
    await until(lambda: not (spool._appender.hidden or spool._group_commit._writing))


@pytest.mark.parametrize("queue", ["", "ann"])
async def test_a_cancelled_put_ends_at_once_on_a_stalled_disk_and_its_plays_are_withdrawn_later(path, disk, queue):
    async with file(path) as spool:
        disk.stop()
        company, gone = (
            asyncio.create_task(spool.append(KIND, records(name, queue=queue))) for name in ("stays", "goes")
        )
        await disk.has_stopped()
        await cancel(gone)
        again = asyncio.create_task(spool.append(KIND, records("again", queue=queue)))
        leasing = asyncio.create_task(spool.lease(KIND, flush=True))
        disk.go_on.set()
        await company
        await again
        if (lease := await leasing) is None:
            lease = await spool.lease(KIND, flush=True)
        leased = list(lease.records)
        await spool.ack(lease, lease.records, RECEIPT)
        while (lease := await spool.lease(KIND, flush=True)) is not None:
            leased += lease.records
            await spool.ack(lease, lease.records, RECEIPT)
        assert tracks(leased) == ["stays", "again"]
    async with file(path) as spool:
        assert await spool.counts(KIND) == Counts(put=2, delivered=2)


@pytest.mark.parametrize("queue", ["", "ann"])
async def test_plays_behind_withdrawn_ones_wait_until_those_are_removed(path, disk, queue):
    """Neither a lease from memory, nor one that reads the file, sees a group from which something is to be taken."""
    async with file(path) as spool:
        await spool.append(KIND, records("before", queue="bob"))
        disk.stop()
        puts = [asyncio.create_task(spool.append(KIND, records(name, queue=queue))) for name in ("goes", "stays")]
        await disk.has_stopped()
        puts[0].cancel()
        disk.error = "SQLITE_FULL"
        clock = spool._index.context.clock
        disk.skip = 1  # the blocked commit succeeds; what comes after it does not
        disk.go_on.set()
        await puts[1]
        await until(lambda: spool._group_commit.alert is not None)
        assert (await spool.counts(KIND)).put == 2
        assert await spool.due_in(KIND, flush=True) > 0
        disk.error = None
        found = await spool.lease(KIND, flush=True)
        assert tracks(found.records) == ["before"]
        assert await spool.lease(KIND, flush=True) is None
        clock.elapsed += 1.0
        for _, _, timer in clock._timers:
            timer.set_result(None)
        await taken_out(spool)
        assert tracks((await spool.lease(KIND, flush=True)).records) == ["stays"]


async def test_a_withdrawn_checkpoint_falls_back_to_the_last_acknowledged_one(path, disk):
    async with file(path) as spool:
        await spool.append(KIND, records("a"), Checkpoint("source", "1"))
        disk.stop()
        puts = [
            asyncio.create_task(spool.append(KIND, records(f"{n}"), Checkpoint("source", f"{n}"))) for n in range(2, 6)
        ]
        first = asyncio.create_task(spool.append(KIND, [], Checkpoint("new", "1")))
        await disk.has_stopped()
        for gone in (puts[1], puts[2], puts[3], first):
            await cancel(gone)
        reading = [asyncio.create_task(spool.checkpoint(source)) for source in ("source", "new")]
        disk.go_on.set()
        position, new = await asyncio.gather(*reading)
        assert position in {"1", "2"}  # the put of "2" was under way when the question was asked
        assert new is None
        await puts[0]
        assert await spool.checkpoint("source") == "2"
        await spool.append(KIND, records("b"), Checkpoint("source", "3", after="2"))
        assert await spool.checkpoint("source") == "3"
    async with file(path) as spool:
        assert [await spool.checkpoint(source) for source in ("source", "new")] == ["3", None]
        assert (await spool.counts(KIND)).put == 3


async def test_an_acknowledged_checkpoint_is_known_while_others_of_its_group_are_withdrawn(path, disk):
    async with file(path) as spool:
        disk.stop()
        gone = asyncio.create_task(spool.append(KIND, records("gone")))
        stays = asyncio.create_task(spool.append(KIND, records("stays"), Checkpoint("source", "1")))
        await disk.has_stopped()
        await cancel(gone)
        disk.error, disk.skip = "SQLITE_FULL", 1
        disk.go_on.set()
        await stays
        await until(lambda: spool._group_commit.alert is not None)  # the removal has failed once
        disk.error = None
        assert await spool.checkpoint("source") == "1"
        with pytest.raises(SpoolInUseError):
            await spool.append(KIND, records("stays"), Checkpoint("source", "1", after=""))


async def test_plays_are_withdrawn_once_if_the_loop_ends_meanwhile(path, disk, caplog):
    """The commits are cancelled while a withdrawal is being written, and plays of ``append_nowait`` wait behind it."""
    async with file(path) as spool:
        disk.stop()
        kept, gone = (asyncio.create_task(spool.append(KIND, records(name))) for name in ("kept", "gone"))
        await disk.has_stopped()
        await cancel(gone)
        disk.after_commit = lambda: (disk.stop(), setattr(disk, "after_commit", None))
        disk.go_on.set()
        await kept
        await disk.has_stopped()
        assert spool._appender.withdrawn
        spool.append_nowait(KIND, records("late"))
        commits = spool._group_commit._task
        commits.cancel()
        await asyncio.wait([commits])
        disk.go_on.set()
    assert await spool.counts(KIND) == Counts(put=2, waiting=2)
    assert "could not be withdrawn" not in caplog.text
    async with file(path) as spool:
        assert await spool.counts(KIND) == Counts(put=2, waiting=2)
        assert tracks((await spool.lease(KIND, flush=True)).records) == ["kept", "late"]


async def test_plays_that_cannot_be_withdrawn_before_closing_are_logged_and_counted(path, disk, caplog):
    async with file(path) as spool:
        disk.stop()
        gone = asyncio.create_task(spool.append(KIND, records("a", "b")))
        await disk.has_stopped()
        await cancel(gone)
        disk.error, disk.skip = "SQLITE_IOERR", 1
        disk.go_on.set()
        await until(lambda: spool._group_commit.alert is not None)
        assert (await spool.counts(KIND)).put == 0
    assert "2 plays of cancelled puts could not be withdrawn" in caplog.text
    assert await spool.counts(KIND) == Counts(put=2, waiting=2)
    disk.error = None
    async with file(path) as spool:
        assert await spool.counts(KIND) == Counts(put=2, waiting=2)


async def test_a_crash_before_the_withdrawal_leaves_all_or_nothing(path, disk):
    spool = SqliteSpool(path)
    await spool.open(owner(VirtualClock()))
    disk.stop()
    gone = asyncio.create_task(spool.append(KIND, records("a", "b", queue="ann"), Checkpoint("source", "1")))
    await disk.has_stopped()
    await cancel(gone)
    spool._group_commit._task.cancel()  # nothing follows the transaction that is under way
    disk.go_on.set()
    await spool._writer.aclose()
    async with file(path) as spool:
        assert await spool.counts(KIND) == Counts(put=2, waiting=2)
        assert await spool.checkpoint("source") == "1"
        assert len((await spool.lease(KIND, flush=True)).records) == 2


async def test_puts_raise_if_withdrawn_plays_in_the_file_are_damaged(path, disk):
    async with file(path) as spool:
        disk.stop()
        puts = [asyncio.create_task(spool.append(KIND, records(name))) for name in ("goes", "stays")]
        await disk.has_stopped()
        await cancel(puts[0])
        other = asyncio.create_task(spool.append(KIND, records("other")))

        def damage():
            disk.after_commit = None
            with closing(sqlite3.connect(path)) as db, db:
                db.execute("UPDATE chunk SET checksum = 1")

        disk.after_commit = damage
        disk.go_on.set()
        await puts[1]
        with pytest.raises(SpoolCorruptionError):
            await other
        with pytest.raises(SpoolCorruptionError):
            await spool.append(KIND, records("more"))


# -- Redis --


@pytest.fixture(autouse=True)
def rare_heartbeats(monkeypatch):
    """A heartbeat keeps its connection while a proxy is silent; a put would open another one, and get no answer."""
    monkeypatch.setattr(redis_spool, "HEARTBEAT_INTERVAL", 600.0)


@pytest.fixture
def own_server():
    server = RedisServer()
    yield server
    server.close()


@asynccontextmanager
async def worker(url, *, reports=None, events=None, **options):
    spool = RedisSpool(url, **options)
    await spool.open(owner(VirtualClock(), reports, events))
    try:
        yield spool
    finally:
        await spool.aclose()


async def journal_of(server):
    inspector = RedisSpoolInspector(server.url)
    entries = [entry async for entry in inspector.journal()]
    await inspector.aclose()
    return entries


@asynccontextmanager
async def silenced(redis_server):
    """A worker behind a proxy, and the proxy."""
    async with Proxy(redis_server.port, 0.0) as proxy, worker(proxy.url) as spool:
        yield spool, proxy


async def put_unheard(spool, proxy, observer, plays, checkpoint=None):
    """Put plays so that Redis stores them, and cancel the put, which gets no response."""
    before = (await observer.counts(KIND)).put
    proxy.deaf = True
    putting = asyncio.create_task(spool.append(KIND, plays, checkpoint))
    async with asyncio.timeout(60):
        while (await observer.counts(KIND)).put == before:
            await asyncio.sleep(0.005)
    await cancel(putting)


def let_through(proxy, *, cut):
    proxy.deaf = False
    if cut:
        proxy.cut()


@pytest.mark.parametrize("cut", [False, True])
@pytest.mark.parametrize("queue", ["", "ann"])
async def test_plays_that_redis_took_without_an_answer_are_withdrawn_when_it_answers(redis_server, queue, cut):
    async with silenced(redis_server) as (spool, proxy), worker(redis_server.url) as other:
        await spool.append(KIND, records("before", queue=queue), Checkpoint("source", "1"))
        await put_unheard(spool, proxy, other, records("a", "b", queue=queue), Checkpoint("source", "2"))
        assert await other.counts(KIND) == Counts(put=3, waiting=3)
        again = asyncio.create_task(spool.append(KIND, records("a", "b", queue=queue), Checkpoint("source", "3", "1")))
        where = asyncio.create_task(spool.checkpoint("source"))
        let_through(proxy, cut=cut)
        await again
        assert await where in {"1", "3"}
        assert await spool.checkpoint("source") == "3"
        assert await other.counts(KIND) == Counts(put=3, waiting=3)
        lease = await other.lease(KIND, flush=True)
        assert tracks(lease.records) == ["before", "a", "b"]
        await other.ack(lease, lease.records, RECEIPT)
        assert await other.counts(KIND) == Counts(put=3, delivered=3)
        assert other._writer.usage == (0, 0)


@pytest.mark.parametrize("queue", ["", "ann"])
async def test_plays_leased_without_an_intent_are_withdrawn_from_the_lease(redis_server, queue):
    async with silenced(redis_server) as (spool, proxy), worker(redis_server.url) as other:
        await spool.append(KIND, records("before", queue=queue))
        await put_unheard(spool, proxy, other, records("a", "b", queue=queue))
        lease = await other.lease(KIND, flush=True)
        assert tracks(lease.records) == ["before", "a", "b"]
        let_through(proxy, cut=False)
        await spool._writer.drain()
        assert await other.counts(KIND) == Counts(put=1, in_flight=1)
        with pytest.raises(LeaseLostError, match="cancelled"):
            await other.intent(lease, lease.records, "request-1")
        assert await other.counts(KIND) == Counts(put=1, waiting=1)
        lease = await other.lease(KIND, flush=True)
        assert tracks(lease.records) == ["before"]
        await other.intent(lease, lease.records, "request-2")
        await other.ack(lease, lease.records, RECEIPT)
        assert await other.counts(KIND) == Counts(put=1, delivered=1)
        assert other._writer.usage == (0, 0)
    assert not [entry for entry in await journal_of(redis_server) if entry.in_doubt]


@pytest.mark.parametrize("queue", ["", "ann"])
async def test_a_lease_of_nothing_but_withdrawn_plays_ends(redis_server, queue):
    async with silenced(redis_server) as (spool, proxy), worker(redis_server.url) as other:
        await put_unheard(spool, proxy, other, records("a", "b", queue=queue))
        lease = await other.lease(KIND, flush=True)
        let_through(proxy, cut=False)
        await spool._writer.drain()
        with pytest.raises(LeaseLostError):
            await other.intent(lease, lease.records, "request-1")
        assert await other.counts(KIND) == Counts()
        assert await other.due_in(KIND, flush=True) is None
        await other.append(KIND, records("c", queue=queue))
        assert tracks((await other.lease(KIND, flush=True)).records) == ["c"]


@pytest.mark.parametrize("how", ["release", "bury"])
async def test_plays_withdrawn_from_a_lease_are_not_settled_with_it(redis_server, how):
    async with silenced(redis_server) as (spool, proxy), worker(redis_server.url) as other:
        await spool.append(KIND, records("before"))
        await put_unheard(spool, proxy, other, records("a"))
        lease = await other.lease(KIND, flush=True)
        let_through(proxy, cut=False)
        await spool._writer.drain()
        if how == "release":
            await other.release(lease, lease.records[::-1])
            assert await other.counts(KIND) == Counts(put=1, waiting=1)
        else:
            reasons = [
                (r, DeadLetter(KIND, r.body, name, None, NOW, in_doubt=False))
                for r, name in zip(lease.records[::-1], "ab", strict=True)
            ]
            await other.bury(lease, reasons[:1])
            await other.bury(lease, reasons[1:])
            assert await other.counts(KIND) == Counts(put=1, buried=1)
            inspector = RedisSpoolInspector(redis_server.url)
            assert [play.reason async for play in inspector.dead_letters()] == ["b"]
            await inspector.aclose()


@pytest.mark.parametrize("queue", ["", "ann"])
@pytest.mark.parametrize("settled", [False, True])
async def test_withdrawn_plays_with_an_intent_of_another_worker_are_in_doubt(redis_server, queue, settled):
    events = []
    async with (
        Proxy(redis_server.port, 0.0) as proxy,
        worker(proxy.url, events=events) as spool,
        worker(redis_server.url) as other,
    ):
        await put_unheard(spool, proxy, other, records("a", "b", queue=queue), Checkpoint("source", "1"))
        lease = await other.lease(KIND, flush=True)
        await other.intent(lease, lease.records, "request-1")
        if settled:
            await other.ack(lease, lease.records, RECEIPT)
        let_through(proxy, cut=False)
        await spool._writer.drain()
        if not settled:
            await other.ack(lease, lease.records, RECEIPT)
        assert await other.counts(KIND) == Counts(put=2, delivered=2, in_doubt=2)
        assert await spool.checkpoint("source") is None
        assert other._writer.usage == (0, 0)
    doubts = [entry for entry in await journal_of(redis_server) if entry.outcome is JournalOutcome.IN_DOUBT]
    assert sorted(entry.log.track_id for entry in doubts) == ["a", "b"]
    assert {entry.answer for entry in doubts} == {LEASED_REASON}
    assert [(event.logs, event.outcome) for event in events if isinstance(event, PlaysInDoubt)] == [
        (2, "put-cancelled")
    ]


async def test_released_plays_are_withdrawn_and_plays_in_doubt_are_not(redis_server):
    for policy in ("release", "resend"):
        for queue in ("", "ann"):
            redis_server.ask("FLUSHALL")
            async with silenced(redis_server) as (spool, proxy), worker(redis_server.url) as other:
                await put_unheard(spool, proxy, other, records("a", "b", queue=queue))
                lease = await other.lease(KIND, flush=True)
                await other.intent(lease, lease.records, "request-1")
                if policy == "release":
                    await other.release(lease, lease.records, delay=0.0)
                else:
                    await other.mark_in_doubt(lease, lease.records, InDoubtPolicy.RESEND, delay=60.0)
                let_through(proxy, cut=False)
                await spool._writer.drain()
                left = Counts() if policy == "release" else Counts(put=2, waiting=2, in_doubt=2)
                assert await other.counts(KIND) == left
                await other.append(KIND, records("c"))
                assert tracks((await other.lease(KIND, flush=True)).records) == ["c"]


async def test_a_withdrawal_whose_answer_is_lost_is_not_done_twice(redis_server):
    async with silenced(redis_server) as (spool, proxy), worker(redis_server.url) as other:
        await other.append(KIND, records("theirs"), Checkpoint("source", "1"))
        await put_unheard(spool, proxy, other, records("a"), Checkpoint("source", "2"))
        step = spool._client.run_once
        answers = []

        async def once(script, *arguments, **options):
            answer = await step(script, *arguments, **options)
            if script is scripts.WITHDRAW:
                answers.append(answer)
                if len(answers) == 1:
                    await other.append(KIND, [], Checkpoint("source", "2"))  # another worker reads on
                    return await once(script, *arguments, **options)
            return answer

        spool._client.run_once = once
        let_through(proxy, cut=False)
        await spool._writer.drain()
        assert len(answers) == 2
        assert await other.counts(KIND) == Counts(put=1, waiting=1)
        assert await other.checkpoint("source") == "2"


async def test_a_chain_of_withdrawn_checkpoints_falls_back_to_its_beginning(redis_server):
    async with silenced(redis_server) as (spool, proxy), worker(redis_server.url) as other:
        await spool.append(KIND, records("a"), Checkpoint("source", "1"))
        proxy.deaf = True
        puts = [
            asyncio.create_task(spool.append(KIND, records(f"{n}"), Checkpoint("source", f"{n}", after=f"{n - 1}")))
            for n in range(2, 5)
        ]
        async with asyncio.timeout(60):
            while (await other.counts(KIND)).put < 4:
                await asyncio.sleep(0.005)
        for put in puts:
            await cancel(put)
        let_through(proxy, cut=True)
        assert await spool.checkpoint("source") == "1"
        assert await other.counts(KIND) == Counts(put=1, waiting=1)


async def test_withdrawn_plays_of_a_lost_spool_are_in_doubt_and_no_others(redis_server):
    async with silenced(redis_server) as (spool, proxy), worker(redis_server.url) as other:
        await put_unheard(spool, proxy, other, records("a"))
        proxy.hold = True
        let_through(proxy, cut=False)
        await until(lambda: spool._writer.is_withdrawing)
        redis_server.ask("FLUSHALL")
        await other.append(KIND, records("theirs"))
        proxy.hold = False
        await spool._writer.drain()
        assert await other.counts(KIND) == Counts(put=1, waiting=1)
    [doubt] = await journal_of(redis_server)
    assert (doubt.log.track_id, doubt.answer) == ("a", LOST_REASON)


async def test_closing_before_a_withdrawal_is_reported(own_server, caplog):
    reports = []
    async with worker(own_server.url, reports=reports) as spool:
        own_server.stop()
        gone = asyncio.create_task(spool.append(KIND, records("a", "b")))
        await until(lambda: spool._client.is_unavailable)
        await cancel(gone)
        where = asyncio.create_task(spool.checkpoint("source"))
        with caplog.at_level(logging.ERROR):
            await spool.aclose()
        where.cancel()
    assert "2 plays of cancelled puts could not be withdrawn" in caplog.text
    assert "could not be withdrawn" in reports[-1]


async def test_nothing_is_leased_while_plays_are_withdrawn(redis_server):
    async with silenced(redis_server) as (spool, proxy), worker(redis_server.url) as other:
        await put_unheard(spool, proxy, other, records("a"))
        proxy.hold = True
        let_through(proxy, cut=False)
        await until(lambda: spool._writer.is_withdrawing)
        leasing = asyncio.create_task(spool.lease(KIND, flush=True))
        await asyncio.sleep(0.05)
        assert not leasing.done()
        proxy.hold = False
        assert await leasing is None
        assert await other.counts(KIND) == Counts()


async def test_a_copy_of_a_put_that_arrives_after_its_worker_has_left_changes_nothing(redis_server):
    """A copy that Redis did not answer in time may be on its way for minutes, while another one was answered."""
    async with worker(redis_server.url) as spool:
        sent, run = [], spool._client.connection.run

        async def noted(script, **arguments):
            sent.append((script, arguments))
            return await run(script, **arguments)

        spool._client.connection.run = noted
        await spool.append(KIND, records("a"), Checkpoint("source", "1"))
    copies = [(script, arguments) for script, arguments in sent if script is scripts.APPEND]
    async with worker(redis_server.url) as spool:
        for script, arguments in copies:
            await spool._client.connection.run(script, **arguments)
        assert await spool.counts(KIND) == Counts(put=1, waiting=1)
    inspector = RedisSpoolInspector(redis_server.url)
    assert not (await inspector.status()).in_use
    await inspector.aclose()


async def test_the_last_step_of_a_worker_is_forgotten_in_the_end(redis_server):
    async with worker(redis_server.url) as spool:
        await spool.append(KIND, records("a"), Checkpoint("source", "1"))
        gone = spool._writer.worker
    assert redis_server.ask("HEXISTS", f"{spool._client.base}appends", gone) == ":1"
    for seconds, known in ((1_700.0, 1), (1_900.0, 0)):
        async with worker(redis_server.url, offset=lambda seconds=seconds: seconds):
            for field in (gone, f"{gone}:answer"):
                assert redis_server.ask("HEXISTS", f"{spool._client.base}appends", field) == f":{known}"
