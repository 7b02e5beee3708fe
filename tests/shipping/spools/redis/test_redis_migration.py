"""A spool of layout 2, a stream for each queue, is migrated when a shipper opens it: nothing is lost or doubled.

``data/layout-2.rdb.gz`` is the dump of a Redis in which the release before kept plays that were waiting, delayed, in
doubt, leased, being sent, delivered, held and buried when its worker died; ``layout-2.json.gz`` says what it showed,
and has scripts of that release.
"""

import asyncio
import gzip
import itertools
from collections import Counter, defaultdict
from contextlib import asynccontextmanager, closing, suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path

import orjson
import pytest
import redis
from support.clock import VirtualClock
from support.redis_server import PROGRAM, RedisServer

from sevendigital_async import LogKind, SpoolError, StreamLog
from sevendigital_async.redis_connection import RedisConnection
from sevendigital_async.shipping.records import Counts, InDoubtPolicy, Receipt
from sevendigital_async.shipping.rules import lane_rules
from sevendigital_async.shipping.spools.base import SpoolContext
from sevendigital_async.shipping.spools.redis import RedisSpool, RedisSpoolInspector, client, scripts

pytestmark = pytest.mark.skipif(PROGRAM is None, reason="redis-server is not installed")

DATA = Path(__file__).parent / "data"
DUMP = gzip.decompress((DATA / "layout-2.rdb.gz").read_bytes())
BEFORE = orjson.loads(gzip.decompress((DATA / "layout-2.json.gz").read_bytes()))
PREVIEW, CATALOGUE, SUBSCRIBER = LogKind
RULES = lane_rules({kind: {"max_count": 10, "linger": 0.0} for kind in LogKind})
NOW = datetime.now(UTC).replace(microsecond=0)
PLAYED = datetime(2026, 11, 1, 12, 0, 0, 123456, tzinfo=UTC)
BASE = "sevendigital:{spool}:"
COUNTS = {
    InDoubtPolicy.RESEND: [
        Counts(put=40, delivered=7, waiting=31, buried=1, held=1, in_doubt=6),
        Counts(put=36, waiting=36, in_doubt=10),
        Counts(put=40, waiting=40),
    ],
    InDoubtPolicy.HOLD: [
        Counts(put=40, delivered=7, waiting=26, buried=1, held=6, in_doubt=6),
        Counts(put=36, waiting=33, held=3, in_doubt=10),
        Counts(put=40, waiting=40),
    ],
}
"""Where the plays are after the migration: three batches were being sent, with 3, 2 and 3 plays that have no answer."""


@pytest.fixture
def server(tmp_path):
    (tmp_path / "dump.rdb").write_bytes(DUMP)
    with closing(RedisServer("--dir", str(tmp_path), "--save", "", "--appendonly", "no")) as server:
        with closing(redis.Redis(port=server.port)) as client_of_server:
            client_of_server.url = server.url
            yield client_of_server


@asynccontextmanager
async def worker(server, policy=InDoubtPolicy.RESEND):
    spool = RedisSpool(server.url)
    await spool.open(SpoolContext(RULES, VirtualClock(), lambda _: None, policy))
    try:
        yield spool
    finally:
        await spool.aclose()


async def counts_of(spool):
    return [await spool.counts(kind) for kind in LogKind]


async def journal_of(server):
    inspector = RedisSpoolInspector(server.url)
    try:
        return [
            [e.kind.value, e.body.decode(), e.outcome.value, e.at.isoformat(), e.request_id, e.answer, e.in_doubt]
            async for e in inspector.journal()
        ]
    finally:
        await inspector.aclose()


async def letters_of(server):
    inspector = RedisSpoolInspector(server.url)
    try:
        return [
            [x.id, x.kind.value, x.body.decode(), x.state.value, x.reason, x.code, x.at.isoformat(), x.in_doubt]
            async for x in inspector.dead_letters()
        ]
    finally:
        await inspector.aclose()


async def deliver_all(server, spool):
    """Deliver what waits, delayed batches too; returns the plays by kind and queue, in order."""
    delivered = defaultdict(list)
    for kind in LogKind:
        for queue, _ in server.zrange(f"{BASE}delayed:{kind}", 0, 0, withscores=True):
            if queue:
                server.zadd(f"{BASE}delayed:{kind}", {queue: 1.0})
        while (lease := await spool.lease(kind, flush=True)) is not None:
            await spool.intent(lease, lease.records, "request-9")
            delivered[kind, lease.queue] += lease.records
            await spool.ack(lease, lease.records, Receipt("request-9", NOW, "201"))
    return delivered


def numbers(records):
    return [int(StreamLog.decode(record.body).track_id) for record in records]


@pytest.mark.parametrize("policy", [InDoubtPolicy.RESEND, InDoubtPolicy.HOLD])
async def test_every_play_of_the_release_before_is_where_it_was_and_is_delivered(server, policy):
    async with worker(server, policy) as spool:
        assert await counts_of(spool) == COUNTS[policy]
        assert await spool.checkpoint("plays.jsonl") == "line 10"
        journal = await journal_of(server)
        assert journal[: len(BEFORE["journal"])] == BEFORE["journal"]
        assert Counter((entry[0], entry[2], entry[4], entry[6]) for entry in journal[len(BEFORE["journal"]) :]) == {
            ("preview", "in-doubt", "request-2", True): 3,
            ("preview", "in-doubt", "request-3", True): 2,
            ("catalogue", "in-doubt", "request-5", True): 10,
        }
        letters = await letters_of(server)
        assert letters[: len(BEFORE["dead_letters"])] == BEFORE["dead_letters"]
        delivered = await deliver_all(server, spool)
        counts = await counts_of(spool)
        assert [one.delivered + one.held + one.buried for one in counts] == [one.put for one in counts]
    bodies = Counter(record.body for records in delivered.values() for record in records)
    assert set(bodies.values()) == {1}
    assert not set(bodies) & {letter[2].encode() for letter in await letters_of(server)}
    for records in delivered.values():
        times = [PLAYED + timedelta(microseconds=0 if number >= 500 else number % 100) for number in numbers(records)]
        assert [record.played_at for record in records] == times
    for name, start in (("ann", 200), ("bob", 300)):
        assert numbers(delivered[CATALOGUE, name]) == list(range(start, start + 12))[-len(delivered[CATALOGUE, name]) :]
    in_doubt = [record.body for records in delivered.values() for record in records if record.in_doubt]
    assert len(in_doubt) == sum(one.in_doubt - max(0, one.held) for one in counts)
    assert not [key for key in server.scan_iter(f"{BASE.replace('{', '?').replace('}', '?')}*") if b":queue:" in key]


class ProcessEndedError(BaseException):
    """Stands for kill -9: what Redis runs is a whole step, so a process can end only between two."""


async def test_a_migration_may_end_before_every_step_and_another_worker_continues(server, monkeypatch):
    monkeypatch.setattr(client, "MIGRATED_PER_STEP", 30)
    before = {key: server.dump(key) for key in server.scan_iter()}
    for steps in itertools.count():
        server.flushall()
        for key, value in before.items():
            server.restore(key, 0, value)
        with monkeypatch.context() as patched:
            patched.setattr(RedisConnection, "run", ended_after(steps, RedisConnection.run))
            with suppress(ProcessEndedError):
                async with worker(server):
                    break
        async with worker(server) as spool:
            assert await counts_of(spool) == COUNTS[InDoubtPolicy.RESEND], steps
            delivered = await deliver_all(server, spool)
            assert sum(map(len, delivered.values())) == sum(one.waiting for one in COUNTS[InDoubtPolicy.RESEND])
            assert numbers(delivered[CATALOGUE, "ann"]) == list(range(200, 212))
        assert len(await journal_of(server)) == len(BEFORE["journal"]) + 15 + sum(map(len, delivered.values()))
    assert steps > 3


def ended_after(steps, run):
    left = itertools.count(steps, -1)

    async def run_or_end(connection, script, **arguments):
        if script is scripts.MIGRATE and next(left) == 0:
            raise ProcessEndedError
        return await run(connection, script, **arguments)

    return run_or_end


async def test_steps_may_be_repeated_and_workers_may_migrate_together(server, monkeypatch):
    monkeypatch.setattr(client, "MIGRATED_PER_STEP", 9)
    run = RedisConnection.run

    async def run_twice(connection, script, **arguments):
        answer = await run(connection, script, **arguments)
        return await run(connection, script, **arguments) if script is scripts.MIGRATE else answer

    monkeypatch.setattr(RedisConnection, "run", run_twice)
    spools = [RedisSpool(server.url) for _ in range(3)]
    await asyncio.gather(*(spool.open(SpoolContext(RULES, VirtualClock(), lambda _: None)) for spool in spools))
    for spool in spools:
        assert await counts_of(spool) == COUNTS[InDoubtPolicy.RESEND]
        await spool.aclose()


async def test_workers_of_the_release_before_are_refused_as_soon_as_the_migration_begins(server, monkeypatch):
    monkeypatch.setattr(client, "MIGRATED_PER_STEP", 9)
    old = {name: server.register_script(text) for name, text in BEFORE["scripts"].items()}
    calls = {
        "append": ["w", 1, 1000, 100_000, "preview", "", "", "", 1, "", 1, 0, "{}"],
        "lease": ["preview", 1, "t", 10, 1000, 15_000],
        "settle": ["t", 1, "ack", 0, 0, "", "", "0", 1, "1-0"],
        "heartbeat": ["w", 15_000, 1, "resend", 1000, 0],
        "open": ["0123", "ssml", "", 1000, "resend"],
    }

    def answers():
        return {name: old[name](keys=[BASE], args=[0, "", *arguments])[0] for name, arguments in calls.items()}

    with monkeypatch.context() as patched:
        patched.setattr(RedisConnection, "run", checked(RedisConnection.run, answers))
        async with worker(server) as spool:
            assert set(answers().values()) == {b"outdated"}
            assert await counts_of(spool) == COUNTS[InDoubtPolicy.RESEND]
            server.delete(f"{BASE}spool")  # all that the scripts of that release look at, but for OPEN
            assert answers() == dict.fromkeys(calls, b"damaged") | {"open": b"outdated"}
            await spool._give_heartbeat()
            assert await counts_of(spool) == COUNTS[InDoubtPolicy.RESEND]


def checked(run, answers):
    async def run_and_check(connection, script, **arguments):
        answer = await run(connection, script, **arguments)
        if script is scripts.MIGRATE:
            assert set(answers().values()) == {b"outdated"}
        return answer

    return run_and_check


LOST = [
    "spool",
    "usage",
    "logs:preview",
    "leases",
    "leased:preview",
    "ready:preview",
    "in-doubt:preview",
    "oldest:catalogue",
]


@pytest.mark.parametrize("key", [*LOST, "lease", "queue:preview:p"])
async def test_a_damaged_spool_is_migrated_too(server, key):
    """Keys that the release before would have rebuilt are lost before the migration."""
    names = server.keys("*:lease:*") if key == "lease" else [f"{BASE}{key}"]
    names = [name for name in names if key != "lease" or server.hexists(name, "queue")]
    assert server.delete(*names)
    async with worker(server) as spool:
        delivered = await deliver_all(server, spool)
        counts = await counts_of(spool)
        await spool._give_heartbeat()
        assert [one.delivered + one.held + one.buried for one in counts] == [one.put for one in counts]
    bodies = Counter(record.body for records in delivered.values() for record in records)
    assert set(bodies.values()) == {1}
    assert len(bodies) == sum(one.waiting for one in COUNTS[InDoubtPolicy.RESEND][key == "queue:preview:p" :])


async def test_an_inspector_moves_nothing_and_says_what_to_do(server):
    inspector = RedisSpoolInspector(server.url)
    size = server.dbsize()
    for ask in (inspector.status(), inspector.replay(["1-1"]), anext(inspector.journal())):
        with pytest.raises(SpoolError, match="start a shipper of this release: it migrates"):
            await ask
    await inspector.aclose()
    assert server.dbsize() == size


async def test_a_shipper_of_another_dialect_migrates_nothing(server):
    spool = RedisSpool(server.url)
    with pytest.raises(SpoolError, match="keeps plays for the  dialect"):
        await spool.open(SpoolContext(RULES, VirtualClock(), lambda _: None, dialect="other"))
    assert server.hget(f"{BASE}spool", "layout") == b"2"
