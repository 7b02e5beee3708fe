"""What only a spool on a server must handle: an unavailable, lost or full server, and other workers."""

import asyncio
import logging
import random
from collections import Counter
from contextlib import asynccontextmanager, suppress
from datetime import UTC, datetime, timedelta

import pytest
from support.clock import VirtualClock
from support.redis_server import RedisServer
from support.service import Service
from support.spool_events import callback

from sevendigital_async import (
    Checkpoint,
    ConfigurationError,
    DeadLetter,
    LeaseLostError,
    LogKind,
    SpoolFullError,
    SpoolUnavailableError,
    StreamLog,
    StreamLogShipper,
)
from sevendigital_async.redis_connection import RedisConnection, RedisUnavailableError
from sevendigital_async.shipping.records import Counts, InDoubtPolicy, Receipt, Record
from sevendigital_async.shipping.rules import lane_rules
from sevendigital_async.shipping.spools.base import SpoolContext
from sevendigital_async.shipping.spools.inspector import DeadLetterState, JournalOutcome
from sevendigital_async.shipping.spools.redis import RedisSpool, RedisSpoolInspector, client
from sevendigital_async.shipping.spools.redis.durability import DURABLE, NOT_DURABLE, UNKNOWN, durability

RULES = lane_rules({kind: {"max_count": 10, "linger": 0.0} for kind in LogKind})
NOW = datetime.now(UTC).replace(microsecond=0)
RECEIPT = Receipt("request-1", NOW, "201 Created")
PREVIEW = LogKind.PREVIEW


class Reports(list):
    """The alerts of a spool."""


@asynccontextmanager
async def worker(server, policy=InDoubtPolicy.RESEND, *, reports=None, **options):
    spool = RedisSpool(server.url, **options)
    emit = callback(alerts=None if reports is None else reports.append)
    await spool.open(SpoolContext(RULES, VirtualClock(), emit, policy))
    try:
        yield spool
    finally:
        await spool.aclose()


@asynccontextmanager
async def inspector_of(server):
    inspector = RedisSpoolInspector(server.url)
    try:
        yield inspector
    finally:
        await inspector.aclose()


@pytest.fixture
def own_server():
    """A Redis that may be stopped, and that keeps its data."""
    servers = []

    def start(*options):
        servers.append(RedisServer("--save", "", *(options or ("--appendonly", "yes", "--appendfsync", "always"))))
        return servers[-1]

    yield start
    for server in servers:
        server.close()


def plays(number, queue="", start=0):
    return [Record(StreamLog(f"{start + n}", NOW, country="GB").encode(), queue, NOW) for n in range(number)]


async def sent(spool, kind=PREVIEW):
    lease = await spool.lease(kind, flush=True)
    await spool.intent(lease, lease.records, "request-1")
    return lease


async def until(condition, within=60):
    async with asyncio.timeout(within):
        while not condition():
            await asyncio.sleep(0.01)


# -- unavailable --


@pytest.mark.usefixtures("redis_server")
async def test_while_redis_is_unavailable_put_waits_or_raises_and_nothing_is_lost_or_doubled(own_server):
    server, reports = own_server(), Reports()
    async with worker(server, reports=reports) as spool:
        await spool.append(PREVIEW, plays(3))
        lease = await sent(spool)
        server.stop()
        waiting = asyncio.create_task(spool.append(PREVIEW, plays(2, start=3)))
        acknowledging = asyncio.create_task(spool.ack(lease, lease.records, RECEIPT))
        await until(lambda: reports)
        with pytest.raises(SpoolUnavailableError):
            spool.append_nowait(PREVIEW, plays(1))
        assert await spool.lease(PREVIEW, flush=True) is None
        assert await spool.due_in(PREVIEW, flush=True) > 0
        assert not waiting.done()
        assert not acknowledging.done()
        server.start()
        await waiting
        await acknowledging
        assert await spool.counts(PREVIEW) == Counts(put=5, delivered=3, waiting=2)
        assert len(reports) == 2
        assert "does not answer" in reports[0]
        assert reports[1] is None


@pytest.mark.parametrize("hangs_after", [0.0, 0.4, 0.48])
async def test_a_shipper_closes_in_time_while_redis_hangs(own_server, redis_server, hangs_after):
    server = own_server()
    shipper = StreamLogShipper(Service(VirtualClock(), latency=1e6), spool=RedisSpool(server.url))
    loop = asyncio.get_running_loop()
    async with shipper:
        await shipper.put_many(LogKind.CATALOGUE, [StreamLog("1", NOW)] * 1000)
        await until(lambda: sum(lane.requests for lane in shipper._lanes.values()) == 2)
        loop.call_later(hangs_after, server.process.send_signal, 19)  # SIGSTOP
        await asyncio.sleep(0)
        started = loop.time()
        statistics = await shipper.aclose(0.5)
        assert loop.time() - started < 0.5 + 2  # Redis would hang for ever
        assert statistics.failure is None
        server.process.send_signal(18)


async def test_no_step_is_taken_twice_when_answers_are_lost(redis_server, monkeypatch):
    monkeypatch.setattr(client, "MAX_PAUSE", 0.002)
    rng = random.Random(5)
    async with worker(redis_server) as spool:
        connection = spool._client.connection
        run = connection.run

        async def lossy(script, **arguments):
            answer = await run(script, **arguments)
            if rng.random() < 0.5:
                raise RedisUnavailableError("the answer is lost")
            return answer

        connection.run = lossy
        await asyncio.gather(*(spool.append(PREVIEW, plays(5, start=5 * n)) for n in range(12)))
        done = Counts(put=60, waiting=60)
        assert await settled_counts(spool) == done
        delivered = 0
        while delivered < 40:
            if (lease := await spool.lease(PREVIEW, flush=True)) is None:
                with suppress(RedisUnavailableError):
                    await spool._give_heartbeat()
                continue
            await spool.intent(lease, lease.records, "request-1")
            await spool.ack(lease, lease.records[:4], RECEIPT)
            await spool.release(lease, lease.records[4:])
            delivered += len(lease.records[:4])
        lease = None
        while lease is None:
            lease = await spool.lease(PREVIEW, flush=True)
            with suppress(RedisUnavailableError):
                await spool._give_heartbeat()
        first, second, third = lease.records[:1], lease.records[1:2], lease.records[2:]
        letter = DeadLetter(PREVIEW, first[0].body, "bad", 1002, NOW, in_doubt=False)
        await spool.bury(lease, [(first[0], letter)])
        await spool.mark_in_doubt(lease, second, InDoubtPolicy.HOLD)
        await spool.mark_in_doubt(lease, third, InDoubtPolicy.RESEND)
        connection.run = run
        await spool._give_heartbeat()
        counts = await spool.counts(PREVIEW)
        assert counts == Counts(
            put=60, delivered=delivered, waiting=58 - delivered, buried=1, held=1, in_doubt=1 + len(third)
        )


@pytest.mark.parametrize("seed", range(3))
async def test_late_copies_of_any_step_change_nothing(redis_server, monkeypatch, seed):
    """A network may deliver a command minutes after its sender has given it up and a copy of it was answered."""
    monkeypatch.setattr(client, "MAX_PAUSE", 0.002)
    rng = random.Random(seed)
    async with worker(redis_server) as spool:
        connection = spool._client.connection
        run, sent_before = connection.run, []

        async def with_late_copies(script, **arguments):
            answer = await run(script, **arguments)
            sent_before.append((script, arguments))
            for late, others in rng.choices(sent_before, k=2):
                await run(late, **others)
            return answer

        connection.run = with_late_copies
        expected = Counter()
        for round_number in range(12):
            for queue in ("", "ann"):
                await spool.append(
                    PREVIEW, plays(6, queue, start=10 * round_number), Checkpoint("s", str(round_number))
                )
                expected += Counter(put=6, waiting=6)
            lease = None
            while lease is None:
                lease = await spool.lease(PREVIEW, flush=True)
                await spool._give_heartbeat()  # ends leases that a late copy has made
            await spool.intent(lease, lease.records, f"request-{round_number}")
            if round_number == 6:
                redis_server.ask("FLUSHALL")
                sent_before.clear()
                expected = Counter(put=len(lease.records), waiting=len(lease.records))
            first, rest = lease.records[:2], lease.records[2:]
            await spool.ack(lease, first, RECEIPT)
            await spool.release(lease, rest)
            expected += Counter(delivered=2)
            expected["waiting"] -= 2
        orphans = [token for token in await leases_of(redis_server, spool) if token not in spool._leases.tokens]
        spool._leases.orphans.update(orphans)
        await spool._give_heartbeat()
        assert await spool.counts(PREVIEW) == Counts(**expected)


async def leases_of(server, spool):
    """Return the tokens of all leases that are in Redis."""
    found = await spool._client.connection.read("ZRANGE", f"{spool._client.base}leases", "0", "-1")
    return [token.decode() for token in found if token]


async def settled_counts(spool):
    while True:
        counts = await spool.counts(PREVIEW)
        if counts.put:
            return counts


# -- flushed --


async def test_after_a_flush_what_is_in_flight_is_settled_and_the_loss_is_reported(redis_server):
    reports = Reports()
    async with worker(redis_server, reports=reports) as spool:
        await spool.append(PREVIEW, plays(10))
        await spool.append(LogKind.CATALOGUE, plays(4, "ann"))
        await spool.append(PREVIEW, plays(10, start=50))
        delivered, returned = await sent(spool), await sent(spool, LogKind.CATALOGUE)
        redis_server.ask("FLUSHALL")
        await spool.append(PREVIEW, plays(3, start=70))
        assert any("lost the whole spool" in report for report in reports)
        await spool.ack(delivered, delivered.records, RECEIPT)
        await spool.release(returned, returned.records)
        assert await spool.counts(PREVIEW) == Counts(put=13, delivered=10, waiting=3)
        assert await spool.counts(LogKind.CATALOGUE) == Counts(put=4, waiting=4)
        again = await spool.lease(LogKind.CATALOGUE, flush=True)
        assert again.queue == "ann"
        assert [r.body for r in again.records] == [r.body for r in returned.records]
        await spool.abandon(again, InDoubtPolicy.RESEND)
        assert await spool.counts(LogKind.CATALOGUE) == Counts(put=4, waiting=4)
    async with inspector_of(redis_server) as inspector:
        assert len([entry async for entry in inspector.journal()]) == 10


@pytest.mark.parametrize("end", ["abandon", "intent", "hold", "bury"])
async def test_after_a_flush_every_end_of_a_lease_keeps_the_sums(redis_server, end):
    async with worker(redis_server) as spool:
        await spool.append(PREVIEW, plays(4))
        lease = await sent(spool)
        redis_server.ask("FLUSHALL")
        if end == "abandon":
            await spool.abandon(lease, InDoubtPolicy.HOLD)
            expected = Counts(put=4, held=4, in_doubt=4)
        elif end == "intent":
            await spool.intent(lease, lease.records[:2], "request-2")
            await spool.ack(lease, lease.records[:2], RECEIPT)
            await spool.release(lease, lease.records[2:])
            expected = Counts(put=4, delivered=2, waiting=2)
        elif end == "hold":
            await spool.mark_in_doubt(lease, lease.records, InDoubtPolicy.HOLD)
            expected = Counts(put=4, held=4, in_doubt=4)
        else:
            letters = [(r, DeadLetter(PREVIEW, r.body, "bad", None, NOW, in_doubt=False)) for r in lease.records]
            await spool.bury(lease, letters)
            expected = Counts(put=4, buried=4)
        assert await spool.counts(PREVIEW) == expected


async def test_a_watermark_that_is_passed_stays_so_however_it_is_asked(redis_server):
    async with worker(redis_server) as spool:
        await spool.append(PREVIEW, plays(2))
        lease = await sent(spool)
        watermark = spool.watermark(PREVIEW)
        assert await watermark.left() == 2
        await spool.ack(lease, lease.records, RECEIPT)
        assert [await watermark.left(max_delay=40.0), await watermark.left()] == [0, 0]
        await spool.append(LogKind.CATALOGUE, plays(1, "ann"))
        lease, watermark = await sent(spool, LogKind.CATALOGUE), spool.watermark(LogKind.CATALOGUE)
        assert await watermark.left() == 1
        await spool.release(lease, lease.records, delay=60.0)
        assert [await watermark.left(max_delay=40.0), await watermark.left()] == [0, 1]


# -- several workers --


async def test_a_user_has_one_lease_at_a_time_among_all_workers_and_the_partner_several(redis_server):
    async with worker(redis_server) as one, worker(redis_server) as other:
        await one.append(LogKind.CATALOGUE, plays(25, "ann"))
        await other.append(PREVIEW, plays(25))
        first = await one.lease(LogKind.CATALOGUE, flush=True)
        assert await other.lease(LogKind.CATALOGUE, flush=True) is None
        await one.ack(first, first.records, RECEIPT)
        second = await other.lease(LogKind.CATALOGUE, flush=True)
        bodies = [record.body for lease in (first, second) for record in lease.records]
        assert bodies == [record.body for record in plays(20, "ann")]
        assert None not in [await spool.lease(PREVIEW, flush=True) for spool in (one, other, one)]


async def test_heartbeats_keep_the_lease_of_a_long_request(redis_server):
    async with worker(redis_server, lease_seconds=1.0) as busy, worker(redis_server, lease_seconds=1.0) as other:
        await busy.append(PREVIEW, plays(2))
        lease = await sent(busy)
        await asyncio.sleep(2.2)
        assert (await other.counts(PREVIEW)).in_flight == 2
        await busy.ack(lease, lease.records, RECEIPT)
        assert await other.counts(PREVIEW) == Counts(put=2, delivered=2)


@pytest.mark.parametrize("policy", [InDoubtPolicy.RESEND, InDoubtPolicy.HOLD])
async def test_a_frozen_worker_is_fenced_and_its_late_answer_journalled(redis_server, policy, caplog):
    async with (
        worker(redis_server, lease_seconds=0.3) as frozen,
        worker(redis_server, policy, lease_seconds=0.3) as other,
    ):
        await frozen.append(PREVIEW, plays(3))
        await frozen.append(LogKind.CATALOGUE, plays(1, "ann"))
        answered, unsent = await sent(frozen), await frozen.lease(LogKind.CATALOGUE, flush=True)
        for task in frozen._tasks:
            task.cancel()
        async with asyncio.timeout(60):
            while (await other.counts(PREVIEW)).in_flight or (await other.counts(LogKind.CATALOGUE)).in_flight:
                await asyncio.sleep(0.02)
        with pytest.raises(LeaseLostError):
            await frozen.intent(unsent, unsent.records, "request-2")
        with pytest.raises(LeaseLostError):
            await frozen.release(unsent, unsent.records)
        await frozen.ack(answered, answered.records, RECEIPT)  # written into the journal, and no error
        await frozen.abandon(answered, InDoubtPolicy.RESEND)
        place = "waiting" if policy is InDoubtPolicy.RESEND else "held"
        assert await other.counts(PREVIEW) == Counts(**{"put": 3, "in_doubt": 3, place: 3})
        assert await other.counts(LogKind.CATALOGUE) == Counts(put=1, waiting=1)
    async with inspector_of(redis_server) as inspector:
        entries = [entry async for entry in inspector.journal()]
    assert {entry.outcome for entry in entries} == {JournalOutcome.IN_DOUBT}
    assert [entry.answer for entry in entries] == [""] * 3 + [
        "201 Created (after another worker had taken the batch over)"
    ] * 3


async def test_a_suspect_batch_of_a_dead_worker_is_in_doubt_as_a_whole(redis_server):
    async with worker(redis_server) as dying:
        await dying.append(PREVIEW, plays(4))
        lease = await dying.lease(PREVIEW, flush=True)
        lease.suspect = True
        await dying.intent(lease, lease.records[:2], "request-1")
        await dying.abandon(lease, InDoubtPolicy.HOLD)
        assert await dying.counts(PREVIEW) == Counts(put=4, held=2, waiting=2, in_doubt=4)


# -- full --


async def test_a_full_redis_makes_put_wait_and_still_acknowledges(redis_server):
    reports = Reports()
    async with worker(redis_server, reports=reports) as spool:
        await spool.append(PREVIEW, plays(2))
        lease = await sent(spool)
        redis_server.ask("CONFIG", "SET", "maxmemory", "1")
        try:
            waiting = asyncio.create_task(spool.append(PREVIEW, plays(1, start=9)))
            await until(lambda: reports)
            assert "refuses" in reports[0]
            await spool.ack(lease, lease.records, RECEIPT)
            assert not waiting.done()
        finally:
            redis_server.ask("CONFIG", "SET", "maxmemory", "0")
        await waiting
        assert await spool.counts(PREVIEW) == Counts(put=3, delivered=2, waiting=1)


async def test_space_that_another_worker_frees_is_noticed(redis_server):
    async with worker(redis_server, max_logs=2) as one, worker(redis_server) as other:
        await one.append(PREVIEW, plays(2))
        waiting = asyncio.create_task(one.append(PREVIEW, plays(1)))
        await asyncio.sleep(0.05)
        with pytest.raises(SpoolFullError):
            one.append_nowait(PREVIEW, plays(1))
        lease = await other.lease(PREVIEW, flush=True)
        await other.ack(lease, lease.records, RECEIPT)
        async with asyncio.timeout(60):
            await waiting


async def test_checkpoints_and_plays_outlive_their_worker(redis_server):
    async with worker(redis_server) as spool:
        await spool.append(PREVIEW, plays(2), Checkpoint("plays.jsonl", "line 2"))
        spool.append_nowait(PREVIEW, plays(1))
    async with worker(redis_server) as spool:
        assert await spool.checkpoint("plays.jsonl") == "line 2"
        assert await spool.checkpoint("other") is None
        assert await spool.counts(PREVIEW) == Counts(put=3, waiting=3)


# -- inspector --


async def test_the_inspector_shows_where_plays_are_and_moves_dead_letters(redis_server):
    async with worker(redis_server) as spool, inspector_of(redis_server) as inspector:
        await spool.append(PREVIEW, plays(5))
        await spool.append(LogKind.SUBSCRIBER, plays(1, "ann", start=5))
        lease = await sent(spool)
        good, bad, lost, dropped = lease.records[:2], lease.records[2], lease.records[3], lease.records[4]
        await spool.ack(lease, good, RECEIPT)
        await spool.bury(lease, [(bad, DeadLetter(PREVIEW, bad.body, "no such track", 1002, NOW, in_doubt=False))])
        await spool.mark_in_doubt(lease, [lost, dropped], InDoubtPolicy.HOLD)

        status = await inspector.status()
        assert status.in_use
        assert status.counts[PREVIEW] == Counts(put=5, delivered=2, buried=1, held=2, in_doubt=2)
        assert status.oldest[PREVIEW] is None
        assert abs(status.oldest[LogKind.SUBSCRIBER] - datetime.now(UTC)) < timedelta(minutes=1)
        assert status.size == sum(len(r.body) for r in (bad, lost, dropped)) + len(plays(1, start=5)[0].body)
        assert status.durability == NOT_DURABLE

        [letter] = [letter async for letter in inspector.dead_letters(state=DeadLetterState.BURIED)]
        assert (letter.body, letter.reason, letter.code, letter.at, letter.in_doubt) == (
            bad.body, "no such track", 1002, NOW, False,
        )  # fmt: skip
        held = [letter async for letter in inspector.dead_letters(kind=PREVIEW, state=DeadLetterState.HELD)]
        assert [(letter.log.track_id, letter.code, letter.in_doubt) for letter in held] == [
            ("3", None, True),
            ("4", None, True),
        ]
        assert [letter async for letter in inspector.dead_letters(kind=LogKind.CATALOGUE)] == []

        assert await inspector.replay([letter.id, held[0].id, "1-1"]) == 2
        assert await inspector.discard([held[1].id, held[1].id]) == 1
        assert await spool.counts(PREVIEW) == Counts(put=5, delivered=2, waiting=2, buried=1, in_doubt=2)
        again = await spool.lease(PREVIEW, flush=True)
        assert [(record.body, record.in_doubt) for record in again.records] == [(bad.body, False), (lost.body, True)]
        await spool.ack(again, again.records, Receipt("request-2", NOW + timedelta(hours=1), "201"))

        entries = [entry async for entry in inspector.journal(kind=PREVIEW)]
        assert [(e.log.track_id, e.outcome.value, e.request_id, e.answer, e.in_doubt) for e in entries] == [
            ("0", "delivered", "request-1", "201 Created", False),
            ("1", "delivered", "request-1", "201 Created", False),
            ("3", "in-doubt", "request-1", "", True),
            ("4", "in-doubt", "request-1", "", True),
            ("4", "discarded", "", "the answer of the service was lost; check whether it has this play", True),
            ("2", "delivered", "request-2", "201", False),
            ("3", "delivered", "request-2", "201", True),
        ]
        late = [entry async for entry in inspector.journal(since=NOW + timedelta(hours=1))]
        assert [entry.log.track_id for entry in late] == ["2", "3"]
        early = [entry async for entry in inspector.journal(until=NOW + timedelta(seconds=1))]
        assert [entry.log.track_id for entry in early][:2] == ["0", "1"]
    async with inspector_of(redis_server) as inspector:
        assert not (await inspector.status()).in_use


async def test_an_inspector_without_redis_is_an_error(own_server):
    server = own_server()
    server.stop()
    async with inspector_of(server) as inspector:
        with pytest.raises(SpoolUnavailableError, match="does not answer"):
            await inspector.status()
        with pytest.raises(SpoolUnavailableError):
            await inspector.replay(["1-1"])
        with pytest.raises(SpoolUnavailableError):
            [entry async for entry in inspector.journal()]


# -- opening --


async def test_open_logs_whether_redis_is_durable(own_server, caplog):
    caplog.set_level(logging.INFO)
    server = own_server()
    async with worker(server) as spool:
        assert "survives a crash of Redis and of its machine" in caplog.text
        for policy in ("everysec", "no"):
            server.ask("CONFIG", "SET", "appendfsync", policy)
            assert await durability(spool._client.connection) == DURABLE["yes", policy]
    server.ask("CONFIG", "SET", "maxmemory-policy", "allkeys-lru")
    async with worker(server):
        assert "may evict plays" in caplog.text


async def test_a_redis_that_does_not_show_its_settings_is_of_unknown_durability(redis_server, caplog):
    redis_server.ask("ACL", "SETUSER", "plain", "on", ">hush", "allkeys", "allcommands", "-config", "-info")
    spool = RedisSpool(redis_server.url.replace("//", "//plain:hush@"))
    await spool.open(SpoolContext(RULES, VirtualClock(), lambda _: None))
    assert await durability(spool._client.connection) == UNKNOWN
    assert UNKNOWN in caplog.text
    await spool.append(PREVIEW, plays(2))
    lease = await sent(spool)
    await spool.ack(lease, lease.records, RECEIPT)
    assert await spool.counts(PREVIEW) == Counts(put=2, delivered=2)
    await spool.aclose()
    assert "hush" not in caplog.text + repr(spool)
    redis_server.ask("ACL", "DELUSER", "plain")


async def test_a_spool_that_does_not_open_leaves_no_connection(redis_server, monkeypatch):
    async def fail(_):
        raise RedisUnavailableError("Redis stopped")

    monkeypatch.setattr(RedisSpool, "_give_heartbeat", fail)
    spool = RedisSpool(redis_server.url)
    with pytest.raises(SpoolUnavailableError, match="Redis stopped"):
        await spool.open(SpoolContext(RULES, VirtualClock(), lambda _: None))
    assert not spool._client.connection.is_open


async def test_an_argument_of_another_type_is_refused_and_redis_does_not_count_as_unavailable(redis_server):
    connection = RedisConnection(redis_server.url)
    with pytest.raises(Exception, match="neither text nor bytes nor a number"):
        await connection.read("GET", object())
    await connection.aclose()


async def test_without_redis_a_spool_does_not_open(own_server):
    server = own_server()
    server.stop()
    with pytest.raises(SpoolUnavailableError, match="start it, or correct the URL"):
        async with worker(server):
            pass


def test_a_spool_needs_a_redis_url():
    with pytest.raises(ConfigurationError):
        RedisSpool("http://localhost")
