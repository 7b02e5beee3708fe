"""Something deletes or evicts keys of a spool in use: it rebuilds them from the rest, and reports what is lost."""

import asyncio
import re
from collections import Counter
from contextlib import asynccontextmanager, closing, suppress
from datetime import UTC, datetime

import pytest
import redis
from support.clock import VirtualClock
from support.redis_server import RedisServer
from support.spool_events import callback

from sevendigital_async import DeadLetter, LeaseLostError, LogKind, SpoolCorruptionError, StreamLog
from sevendigital_async.shipping.records import Counts, InDoubtPolicy, Receipt, Record
from sevendigital_async.shipping.rules import lane_rules
from sevendigital_async.shipping.spools.base import SpoolContext
from sevendigital_async.shipping.spools.inspector import JournalOutcome
from sevendigital_async.shipping.spools.redis import RedisSpool, RedisSpoolInspector, scripts

RULES = lane_rules({kind: {"max_count": 4, "linger": 0.0} for kind in LogKind})
NOW = datetime.now(UTC).replace(microsecond=0)
PREVIEW, CATALOGUE = LogKind.PREVIEW, LogKind.CATALOGUE
BASE = "sevendigital:{spool}:"


@pytest.fixture
def server(redis_server):
    with closing(redis.Redis(port=redis_server.port)) as client:
        client.url = redis_server.url
        yield client


@asynccontextmanager
async def worker(server, reports=None, policy=InDoubtPolicy.RESEND, **options):
    spool = RedisSpool(server.url, **options)
    emit = callback(alerts=None if reports is None else reports.append)
    await spool.open(SpoolContext(RULES, VirtualClock(), emit, policy))
    for task in spool._tasks[1:]:  # the test gives the heartbeats
        task.remove_done_callback(spool._on_task_done)
        task.cancel()
    try:
        yield spool
    finally:
        await spool.aclose()


def plays(number, queue="", start=0):
    return [Record(StreamLog(f"{start + n}", NOW, country="GB").encode(), queue, NOW) for n in range(number)]


async def sent(spool, kind):
    lease = await spool.lease(kind, flush=True)
    await spool.intent(lease, lease.records, "request-1")
    return lease


async def acknowledge(spool, lease, delivered):
    delivered.update(record.body for record in lease.records)
    await spool.ack(lease, lease.records, Receipt(f"request-{len(delivered)}", NOW, "201"))


async def drain(spool, delivered):
    """Give heartbeats and deliver until nothing is left; a spool that is stuck fails here."""
    async with asyncio.timeout(60):
        while True:
            await spool._give_heartbeat()
            idle = True
            for kind in LogKind:
                lease = await spool.lease(kind, flush=True)
                if lease is not None:
                    idle = False
                    await spool.intent(lease, lease.records, "request")
                    await acknowledge(spool, lease, delivered)
            if idle:
                counts = [await spool.counts(kind) for kind in LogKind]
                if not sum(one.waiting + one.in_flight for one in counts):
                    return
                await asyncio.sleep(0.01)


def sum_of_states(counts):
    return counts.delivered + counts.waiting + counts.in_flight + counts.buried + counts.held


# States of a spool in which a key of it is deleted; each returns the leases that are held.


async def waiting(spool, delivered):
    return []


async def leased(spool, delivered):
    return [await sent(spool, PREVIEW), await sent(spool, CATALOGUE), await spool.lease(PREVIEW, flush=True)]


async def delayed(spool, delivered):
    for lease in [await sent(spool, PREVIEW), await sent(spool, CATALOGUE)]:
        await spool.release(lease, lease.records, delay=0.02)
    return []


async def in_between(spool, delivered):
    first, second = await sent(spool, PREVIEW), await sent(spool, CATALOGUE)
    await acknowledge(spool, first, delivered)
    bad, lost, *rest = second.records
    await spool.bury(second, [(bad, DeadLetter(CATALOGUE, bad.body, "bad", 1002, NOW, in_doubt=False))])
    await spool.mark_in_doubt(second, [lost], InDoubtPolicy.HOLD)
    await spool.mark_in_doubt(second, rest, InDoubtPolicy.RESEND)
    return [await sent(spool, CATALOGUE)]


MOMENTS = (waiting, leased, delayed, in_between)


async def prepare(spool, moment, delivered):
    await spool.append(PREVIEW, plays(6))
    await spool.append(CATALOGUE, plays(3, "ann", 100))
    await spool.append(CATALOGUE, plays(5, "bob", 200))
    await spool.append(LogKind.SUBSCRIBER, plays(1, "ann", 300))
    return await moment(spool, delivered)


PUT = {record.body for record in [*plays(6), *plays(3, start=100), *plays(5, start=200), *plays(1, start=300)]}


async def keys_at(moment, server):
    server.flushall()
    async with worker(server) as spool:
        await prepare(spool, moment, Counter())
        names = sorted(key.decode() for key in server.scan_iter(count=1000) if not key.endswith(b":subscriber"))
    server.flushall()
    return names


def matching(server, name):
    """Return the key by that name; a lease has another token each time."""
    if ":lease:" not in name:
        return [name] if server.exists(name) else []
    return sorted(key for key in server.scan_iter(f"{BASE.replace('{', '?').replace('}', '?')}lease:*", count=1000))


@pytest.mark.parametrize("moment", MOMENTS, ids=lambda moment: moment.__name__)
async def test_a_spool_survives_the_loss_of_any_key_and_reports_what_is_lost(server, moment):
    for name in await keys_at(moment, server):
        server.flushall()
        reports, delivered = [], Counter()
        async with worker(server, reports) as spool:
            held = await prepare(spool, moment, delivered)
            key = matching(server, name)[0]
            is_closed = ":lease:" in name and not server.hexists(key, "queue")  # of a batch that is settled
            server.delete(key)
            for lease in held:
                with suppress(LeaseLostError):
                    await acknowledge(spool, lease, delivered)
            await spool.append(PREVIEW, plays(1, start=500))
            await drain(spool, delivered)
            counts = [await spool.counts(kind) for kind in LogKind]
            async with inspector_of(server) as inspector:
                journal = [entry async for entry in inspector.journal()]
                dead = {letter.body async for letter in inspector.dead_letters()}
        report = " ".join(filter(None, reports))
        assert all(one.put == sum_of_states(one) for one in counts), (name, counts)
        assert all(min(one.put, one.waiting, one.held, one.buried) >= 0 for one in counts), (name, counts)
        assert plays(1, start=500)[0].body in delivered, name
        missing = PUT - set(delivered) - dead
        if missing:
            what, _, rest = name.removeprefix(BASE).partition(":")
            assert what in {"plays", "dead-letters"}, name
            kind = rest.partition(":")[0]
            lost = f"{len(missing):,} {kind} play" if what == "plays" else "held and buried plays are lost"
            assert lost in report, (name, report)
        assert report or is_closed or is_restored(name, missing, delivered), (name, reports)
        doubles = {body for body, times in delivered.items() if times > 1}
        doubtful = {entry.body for entry in journal if entry.outcome is JournalOutcome.IN_DOUBT}
        assert doubles <= doubtful, (name, len(doubles - doubtful))
        usage = {field: int(server.hget(f"{BASE}usage", field)) for field in ("logs", "bytes")}
        assert usage == {"logs": len(dead), "bytes": sum(map(len, dead))}, name


def is_restored(name, missing, delivered):
    """Whether nothing is lost: the worker still had all plays of a list, and put them back."""
    return name.removeprefix(BASE).startswith(("plays:", "batch:")) and not missing and set(delivered.values()) == {1}


@asynccontextmanager
async def inspector_of(server):
    inspector = RedisSpoolInspector(server.url)
    try:
        yield inspector
    finally:
        await inspector.aclose()


async def test_a_redis_that_evicts_keys_does_not_stall_the_spool_and_is_reported(redis_server):
    with closing(RedisServer("--save", "", "--maxmemory", "6mb", "--maxmemory-policy", "allkeys-lru")) as own:
        reports, delivered, put = [], Counter(), set()
        with closing(redis.Redis(port=own.port)) as server:
            server.url = own.url
            async with worker(server, reports) as spool:
                for number in range(60):
                    batch = plays(8, f"user-{number}", 8 * number)
                    put.update(record.body for record in batch)
                    async with asyncio.timeout(60):
                        await spool.append(CATALOGUE, batch)
                    server.set(f"other-{number}", b"x" * 100_000)
                    await asyncio.sleep(0)
                assert server.info("stats")["evicted_keys"] > 0
                await drain(spool, delivered)
                counts = await spool.counts(CATALOGUE)
        lost = put - set(delivered)
        assert counts == Counts(put=counts.delivered, delivered=counts.delivered, in_doubt=counts.in_doubt)
        known = not {"usage", "counts:catalogue"} <= set(re.findall(r"[a-z]+(?::[a-z]+)?", reports[-1]))
        by_kind = {kind: int(number) for number, kind in re.findall(r"(\d+) (\w+) plays that may not", reports[-1])}
        by_kind |= {kind: int(number) for number, kind in re.findall(r"(\d+) (\w+) plays and", reports[-1])}
        assert not lost or sum(by_kind.values()) == len(lost) or not known
        if reports[-1].count("counts:") < 2:  # else nothing shows of which kind the lost plays were
            assert not lost or by_kind == {"catalogue": len(lost)} or not known
        assert any("evicts" in report for report in reports if report)


async def test_a_flush_is_reported_and_what_a_worker_has_leased_is_not_lost(server):
    reports, delivered = [], Counter()
    async with worker(server, reports) as spool:
        held = await prepare(spool, leased, delivered)
        server.flushall()
        for lease in held:
            await acknowledge(spool, lease, delivered)
        await drain(spool, delivered)
        counts = [await spool.counts(kind) for kind in LogKind]
    assert sum(one.delivered for one in counts) == sum(len(lease.records) for lease in held) == len(delivered)
    assert "lost the whole spool" in reports[-1]


@pytest.mark.parametrize("policy", [InDoubtPolicy.RESEND, InDoubtPolicy.HOLD])
async def test_a_lease_that_vanishes_leaves_its_plays_in_doubt(server, policy):
    reports = []
    async with worker(server, reports, policy) as spool:
        await spool.append(PREVIEW, plays(3))
        lease = await sent(spool, PREVIEW)
        server.delete(f"{BASE}lease:{lease.key.token}")
        await spool._give_heartbeat()
        place = "waiting" if policy is InDoubtPolicy.RESEND else "held"
        assert await spool.counts(PREVIEW) == Counts(**{"put": 3, place: 3, "in_doubt": 3})
        assert "3 plays in doubt: the service may have them" in reports[-1]
        with pytest.raises(LeaseLostError):
            await spool.release(lease, lease.records)


async def test_a_stream_and_its_lease_that_vanish_together_are_lost_and_counted(server):
    reports = []
    async with worker(server, reports) as spool:
        await spool.append(CATALOGUE, plays(3, "ann"))
        lease = await sent(spool, CATALOGUE)
        server.delete(f"{BASE}lease:{lease.key.token}", f"{BASE}batch:catalogue:u:ann")
        await spool._give_heartbeat()
        assert await spool.counts(CATALOGUE) == Counts()
        assert "3 catalogue plays" in reports[-1]


async def test_plays_that_a_dead_worker_was_sending_are_lost_with_their_stream(server):
    reports = []
    async with worker(server) as dying:
        await dying.append(CATALOGUE, plays(3, "ann"))
        await sent(dying, CATALOGUE)
        dying._leases._leases.clear()
        async with worker(server, reports, lease_seconds=0.05) as other:
            server.delete(f"{BASE}batch:catalogue:u:ann")
            server.zadd(f"{BASE}leases", dict.fromkeys(server.zrange(f"{BASE}leases", 0, 0), 1.0))
            async with asyncio.timeout(60):
                while await other.counts(CATALOGUE) != Counts():
                    await asyncio.sleep(0.01)
                    await other._give_heartbeat()
            assert "3 catalogue plays" in reports[-1]


async def test_an_inspector_shows_what_is_left_and_moves_nothing_before_a_shipper_has_rebuilt_the_spool(server):
    async with worker(server) as spool, inspector_of(server) as inspector:
        await bury_one(spool)
        [letter] = [letter async for letter in inspector.dead_letters()]
        server.delete(f"{BASE}logs:catalogue")
        assert (await inspector.status()).counts[CATALOGUE].buried == 1
        with pytest.raises(SpoolCorruptionError, match="start a shipper: it rebuilds"):
            await inspector.replay([letter.id])
        await spool._give_heartbeat()
        assert await inspector.replay([letter.id]) == 1
    server.flushall()
    async with inspector_of(server) as inspector:
        assert await inspector.replay(["1-1"]) == 0


async def bury_one(spool):
    await spool.append(CATALOGUE, plays(1, "ann"))
    lease = await sent(spool, CATALOGUE)
    letter = DeadLetter(CATALOGUE, lease.records[0].body, "bad", 1002, NOW, in_doubt=False)
    await spool.bury(lease, [(lease.records[0], letter)])


async def test_keys_that_vanish_as_fast_as_they_are_rebuilt_are_an_error(server, monkeypatch):
    async with worker(server) as spool:
        run, connection = spool._client.connection.run, spool._client.connection

        async def run_after_delete(script, **arguments):
            if script is not scripts.OPEN:
                server.delete(f"{BASE}logs:preview")
            return await run(script, **arguments)

        connection.run = run_after_delete
        with pytest.raises(SpoolCorruptionError, match="as fast as"):
            await spool.lease(PREVIEW, flush=True)
        connection.run = run
