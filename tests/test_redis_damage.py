"""Something deletes or evicts keys of a spool in use: it goes on with what is left, and says what is not."""

import asyncio
from collections import Counter
from contextlib import asynccontextmanager, closing, suppress
from datetime import UTC, datetime

import pytest
import redis
from support.clock import VirtualClock

from sevendigital_async import DeadLetter, LeaseLostError, LogKind, StreamLog
from sevendigital_async.shipping.archive import JournalOutcome
from sevendigital_async.shipping.records import Fate, Receipt, Record
from sevendigital_async.shipping.redis import RedisArchive, RedisSpool
from sevendigital_async.shipping.rules import lane_rules
from sevendigital_async.shipping.spool import Owner

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
async def worker(server, reports=None, fate=Fate.RESEND, **options):
    spool = RedisSpool(server.url, **options)
    report = (lambda _: None) if reports is None else reports.append
    await spool.open(Owner(RULES, VirtualClock(), lambda _: None, fate, report))
    for task in spool._tasks[1:]:  # the test looks around itself
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
    """Look around and deliver until nothing is left; a spool that has got stuck fails here."""
    async with asyncio.timeout(10):
        while True:
            await spool._look_around()
            idle = True
            for kind in LogKind:
                lease = await spool.lease(kind, flush=True)
                if lease is not None:
                    idle = False
                    await spool.intent(lease, lease.records, "request")
                    await acknowledge(spool, lease, delivered)
            counts = [await spool.counts(kind) for kind in LogKind]
            if idle and not sum(one.waiting + one.in_flight for one in counts):
                return
            await asyncio.sleep(0.005)


def all_places(counts):
    return counts.delivered + counts.waiting + counts.in_flight + counts.buried + counts.held


# What a spool has gone through when a key of it vanishes; returns the leases that are held.


async def waiting(spool, delivered):
    return []


async def leased(spool, delivered):
    return [await sent(spool, PREVIEW), await sent(spool, CATALOGUE), await spool.lease(PREVIEW, flush=True)]


async def resting(spool, delivered):
    for lease in [await sent(spool, PREVIEW), await sent(spool, CATALOGUE)]:
        await spool.release(lease, lease.records, delay=0.05)
    return []


async def in_between(spool, delivered):
    first, second = await sent(spool, PREVIEW), await sent(spool, CATALOGUE)
    await acknowledge(spool, first, delivered)
    bad, lost, *rest = second.records
    await spool.bury(second, [(bad, DeadLetter(CATALOGUE, bad.body, "bad", 1002, NOW, in_doubt=False))])
    await spool.doubt(second, [lost], Fate.HOLD)
    await spool.doubt(second, rest, Fate.RESEND)
    return [await sent(spool, CATALOGUE)]


MOMENTS = (waiting, leased, resting, in_between)


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
        names = sorted(key.decode() for key in server.scan_iter(count=1000))
    server.flushall()
    return names


def matching(server, name):
    """Return the key by that name; a lease has another token each time."""
    if ":lease:" not in name:
        return [name] if server.exists(name) else []
    return sorted(key for key in server.scan_iter(f"{BASE.replace('{', '?').replace('}', '?')}lease:*", count=1000))


@pytest.mark.parametrize("moment", MOMENTS, ids=lambda moment: moment.__name__)
async def test_whatever_key_is_deleted_the_spool_goes_on_and_says_what_is_lost(server, moment):
    for name in await keys_at(moment, server):
        server.flushall()
        reports, delivered = [], Counter()
        async with worker(server, reports) as spool:
            held = await prepare(spool, moment, delivered)
            key = matching(server, name)[0]
            remembered = ":lease:" in name and not server.hexists(key, "ticket")  # of a batch that is settled
            server.delete(key)
            for lease in held:
                with suppress(LeaseLostError):
                    await acknowledge(spool, lease, delivered)
            await spool.append(PREVIEW, plays(1, start=500))
            await drain(spool, delivered)
            counts = [await spool.counts(kind) for kind in LogKind]
            async with archive_of(server) as archive:
                journal = [entry async for entry in archive.journal()]
                aside = {letter.body async for letter in archive.set_aside()}
        said = " ".join(filter(None, reports))
        assert all(one.put == all_places(one) for one in counts), (name, counts)
        assert all(min(one.put, one.waiting, one.held, one.buried) >= 0 for one in counts), (name, counts)
        assert plays(1, start=500)[0].body in delivered, name
        missing = PUT - set(delivered) - aside
        if missing:
            assert name.removeprefix(BASE).partition(":")[0] in {"queue", "aside"}, name
            assert f"{len(missing):,} {'catalogue' if 'catalogue' in name else 'preview'} plays" in said or (
                "held and buried plays are gone" in said or "subscriber plays" in said
            ), (name, said)
        assert said or remembered or server_made_up_for(name, missing, delivered), (name, reports)
        doubles = {body for body, times in delivered.items() if times > 1}
        doubtful = {entry.body for entry in journal if entry.outcome is JournalOutcome.IN_DOUBT}
        assert doubles <= doubtful, (name, len(doubles - doubtful))
        room = {field: int(server.hget(f"{BASE}room", field)) for field in ("logs", "bytes")}
        assert room == {"logs": len(aside), "bytes": sum(map(len, aside))}, name


def server_made_up_for(name, missing, delivered):
    """Say whether nothing came of it: the worker still had all plays of a stream, and put them back."""
    return ":queue:" in name and not missing and set(delivered.values()) == {1}


@asynccontextmanager
async def archive_of(server):
    archive = RedisArchive(server.url)
    try:
        yield archive
    finally:
        await archive.aclose()
