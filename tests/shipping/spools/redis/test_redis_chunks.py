"""Chunks in Redis: plays of one put are one element of a list, and are cut only where a batch or an outcome ends."""

import asyncio
import os
import random
import struct
from collections import Counter, defaultdict
from contextlib import asynccontextmanager, closing
from datetime import UTC, datetime, timedelta

import pytest
import redis
from support.clock import VirtualClock

from sevendigital_async import DeadLetter, LogKind, SpoolCorruptionError
from sevendigital_async.shipping.records import Counts, InDoubtPolicy, Receipt, Record
from sevendigital_async.shipping.rules import lane_rules
from sevendigital_async.shipping.spools.base import SpoolContext
from sevendigital_async.shipping.spools.redis import RedisSpool, RedisSpoolInspector, scripts

KIND = LogKind.CATALOGUE
NOW = datetime(2026, 11, 1, 12, 0, 0, 654321, tzinfo=UTC)
BASE = "sevendigital:{spool}:"
HEAD = struct.Struct("<dIIBd")
LIMITS = {"max_count": 500, "max_bytes": 1_000_000, "linger": 0.0}


@pytest.fixture
def server(redis_server):
    with closing(redis.Redis(port=redis_server.port)) as client:
        client.url = redis_server.url
        yield client


@asynccontextmanager
async def worker(server, **limits):
    spool = RedisSpool(server.url)
    rules = lane_rules({KIND: LIMITS | limits})
    await spool.open(SpoolContext(rules, VirtualClock(), lambda _: None))
    try:
        yield spool
    finally:
        await spool.aclose()


def records(number, queue="", start=0, size=20):
    return [Record(b"%0*d" % (size, start + n), queue, NOW + timedelta(microseconds=start + n)) for n in range(number)]


def chunks_in(server, name):
    """Return sequence, plays, bytes and doubt of each chunk of a list."""
    return [HEAD.unpack_from(text)[:4] for text in server.lrange(BASE + name, 0, -1)]


async def lease_of(spool):
    lease = await spool.lease(KIND, flush=True)
    if lease is not None:
        await spool.intent(lease, lease.records, "request-1")
    return lease


async def ack(spool, lease, plays=None):
    await spool.ack(lease, lease.records if plays is None else plays, Receipt("request-1", NOW, "201"))


async def test_plays_of_one_put_are_one_chunk_for_each_user(server):
    async with worker(server) as spool:
        await spool.append(KIND, [*records(3, "ann"), *records(2, "bob", 10), *records(4, "ann", 20)])
        assert chunks_in(server, "plays:catalogue:u:ann") == [(1, 7, 140, 0)]
        assert chunks_in(server, "plays:catalogue:u:bob") == [(8, 2, 40, 0)]
        lease = await lease_of(spool)
        assert [record.body for record in lease.records] == [r.body for r in [*records(3), *records(4, "", 20)]]
        assert [record.played_at for record in lease.records] == [
            NOW + timedelta(microseconds=n) for n in (0, 1, 2, 20, 21, 22, 23)
        ]
        assert not server.exists(f"{BASE}plays:catalogue:u:ann")
        assert chunks_in(server, "batch:catalogue:u:ann") == [(1, 7, 140, 0)]
        await ack(spool, lease)
        assert not server.exists(f"{BASE}batch:catalogue:u:ann")


async def test_plays_put_one_at_a_time_share_chunks_if_they_are_written_together(server):
    async with worker(server) as spool:
        for record in records(400):
            spool.append_nowait(KIND, [record])
        await spool._drain(5)
        assert sum(chunk[1] for chunk in chunks_in(server, "plays:catalogue:p")) == 400
        assert len(chunks_in(server, "plays:catalogue:p")) <= 3
        assert [record.body for record in (await lease_of(spool)).records] == [record.body for record in records(400)]


async def test_joined_appends_that_do_not_fit_together_are_accepted_one_by_one(server):
    spool = RedisSpool(server.url, max_logs=5)
    await spool.open(SpoolContext(lane_rules({KIND: LIMITS}), VirtualClock(), lambda _: None))
    await spool.append(KIND, records(3))
    other = RedisSpool(server.url, max_logs=100)
    await other.open(SpoolContext(lane_rules({KIND: LIMITS}), VirtualClock(), lambda _: None))
    await other.append(KIND, records(1, start=3))
    for record in records(2, start=4):
        spool.append_nowait(KIND, [record])  # Redis has space for one of them
    async with asyncio.timeout(60):
        while (await other.counts(KIND)).put < 5:
            await asyncio.sleep(0.01)
    await ack(other, await lease_of(other))
    async with asyncio.timeout(60):
        while (await other.counts(KIND)).put < 6:
            await asyncio.sleep(0.01)
    assert [record.body for record in (await lease_of(other)).records] == [records(1, start=5)[0].body]
    await spool.aclose()
    await other.aclose()


@pytest.mark.parametrize("queue", ["", "ann"])
async def test_a_chunk_is_cut_where_a_batch_ends_and_where_plays_have_different_outcomes(server, queue):
    async with worker(server, max_bytes=100) as spool:
        await spool.append(KIND, records(12, queue))
        name = "p" if queue == "" else "u:ann"
        first = await lease_of(spool)
        assert len(first.records) == 5
        assert chunks_in(server, f"plays:catalogue:{name}") == [(6, 7, 140, 0)]
        one, two, three, four, five = first.records
        await ack(spool, first, [two])
        await spool.mark_in_doubt(first, [four], InDoubtPolicy.KEEP)
        batch = next(key.decode() for key in server.keys(f"{BASE.replace('{', '?').replace('}', '?')}batch:*"))
        start = int(one.sequence)
        assert chunks_in(server, batch.removeprefix(BASE)) == [
            (start, 1, 20, 0), (start + 2, 1, 20, 0), (start + 3, 1, 20, 1), (start + 4, 1, 20, 0),
        ]  # fmt: skip
        await spool.bury(first, [(three, DeadLetter(KIND, three.body, "bad", 1002, NOW, in_doubt=False))])
        await spool.release(first, [five])
        await spool.release(first, [one, four])
        again = await lease_of(spool)
        if queue:
            assert [r.body for r in again.records] == [r.body for r in (one, four, five, *records(2, queue, 5))]
        else:
            assert [r.body for r in again.records] == [one.body, four.body, five.body]
        assert [r.in_doubt for r in again.records[:3]] == [False, True, False]
        counts = await spool.counts(KIND)
        assert counts == Counts(
            put=12, delivered=1, buried=1, in_flight=len(again.records), waiting=10 - len(again.records), in_doubt=1
        )


async def test_a_chunk_that_is_not_as_it_was_written_is_an_error(server):
    async with worker(server) as spool:
        await spool.append(KIND, records(3))
        text = server.lindex(f"{BASE}plays:catalogue:p", 0)
        server.lset(f"{BASE}plays:catalogue:p", 0, text[:-1])
        with pytest.raises(SpoolCorruptionError, match="not as the spool wrote it"):
            await lease_of(spool)


async def test_leased_plays_of_a_queue_return_before_those_that_came_later(server):
    async with worker(server, max_count=3) as spool:
        await spool.append(KIND, records(8, "ann"))
        lease = await lease_of(spool)
        await spool.append(KIND, records(2, "ann", 8))
        await spool.release(lease, lease.records[2:])
        await spool.release(lease, lease.records[:2])
        order = []
        while (lease := await lease_of(spool)) is not None:
            order += [record.body for record in lease.records]
            await ack(spool, lease)
        assert order == [record.body for record in records(10)]


# -- any order of steps --


def check_keys(server):
    """Check that what is known of every queue is what its list holds, and that leases have what they say."""
    held = [0, 0]
    for queue, logs in server.hgetall(f"{BASE}logs:{KIND}").items():
        chunks = chunks_in(server, f"plays:{KIND}:{queue.decode()}")
        assert int(logs) == sum(chunk[1] for chunk in chunks), queue
        assert int(server.hget(f"{BASE}bytes:{KIND}", queue)) == sum(chunk[2] for chunk in chunks), queue
        starts = [chunk[0] for chunk in chunks]
        assert starts == sorted(starts), queue
        held = [held[0] + int(logs), held[1] + sum(chunk[2] for chunk in chunks)]
    for queue, token in server.hgetall(f"{BASE}leased:{KIND}").items():
        if queue:
            chunks = chunks_in(server, f"batch:{KIND}:{queue.decode()}")
            left, size = map(int, server.hmget(f"{BASE}lease:{token.decode()}", "left", "bytes"))
            assert (left, size) == (sum(chunk[1] for chunk in chunks), sum(chunk[2] for chunk in chunks)), queue
            held = [held[0] + left, held[1] + size]
    for _, letter in server.xrange(f"{BASE}dead-letters"):
        held = [held[0] + 1, held[1] + len(letter[b"b"])]
    assert held == [int(n or 0) for n in server.hmget(f"{BASE}usage", "logs", "bytes")]


class Steps:
    """Takes random steps of a spool, and knows where every play must be."""

    def __init__(self, rng, spool):
        self.rng, self.spool = rng, spool
        self.number = 0
        self.leases = []
        self.put, self.delivered, self.dead = Counter(), Counter(), Counter()
        self.order = defaultdict(list)

    async def append(self):
        queues = [self.rng.choice(["", "ann", "bob"]) for _ in range(self.rng.choice([1, 3, 12]))]
        plays = []
        for queue in queues:
            plays += records(1, queue, self.number, self.rng.choice([10, 40, 90]))
            self.number += 1
        self.put.update(play.body for play in plays)
        await self.spool.append(KIND, plays)

    async def lease(self):
        lease = await self.spool.lease(KIND, flush=True)
        if lease is not None:
            lease.suspect = self.rng.random() < 0.1
            await self.spool.intent(lease, self.some(lease.records), "request-1")
            self.leases.append((lease, list(lease.records)))

    def some(self, plays):
        return sorted(self.rng.sample(list(plays), self.rng.randint(1, len(plays))), key=lambda play: play.sequence)

    async def settle(self):
        if not self.leases:
            return
        lease, left = self.rng.choice(self.leases)
        plays = left[:] if self.rng.random() < 0.4 else self.some(left)
        match self.rng.choice(["ack", "ack", "release", "bury", "hold", "resend", "keep", "abandon"]):
            case "ack":
                await ack(self.spool, lease, plays)
                self.delivered.update(play.body for play in plays)
            case "release":
                await self.spool.release(lease, plays, delay=self.rng.choice([0.0, 0.001]))
            case "bury":
                letter = DeadLetter(KIND, b"", "bad", None, NOW, in_doubt=False)
                await self.spool.bury(lease, [(play, letter) for play in plays])
                self.dead.update(play.body for play in plays)
            case "hold":
                await self.spool.mark_in_doubt(lease, plays, InDoubtPolicy.HOLD)
                self.dead.update(play.body for play in plays)
            case "resend":
                await self.spool.mark_in_doubt(lease, plays, InDoubtPolicy.RESEND)
            case "keep":
                await self.spool.mark_in_doubt(lease, plays, InDoubtPolicy.KEEP)
                return
            case "abandon":
                await self.spool.abandon(lease, InDoubtPolicy.RESEND)
                plays = left[:]
        left[:] = [play for play in left if play not in plays]
        if not left:
            self.leases.remove((lease, left))

    async def withdraw(self):
        """Cancel a put at the moment when Redis has its plays."""
        plays = records(self.rng.choice([1, 4, 12]), self.rng.choice(["", "ann"]), self.number)
        self.number += len(plays)
        task = asyncio.create_task(self.spool.append(KIND, plays))
        run = self.spool._client.connection.run

        async def run_and_cancel(script, **arguments):
            answer = await run(script, **arguments)
            if script is scripts.APPEND:
                task.cancel()
            return answer

        self.spool._client.connection.run = run_and_cancel
        await asyncio.wait([task])
        self.spool._client.connection.run = run
        await self.spool._writer.settle_withdrawn()
        assert task.cancelled()

    async def end(self):
        for lease, _ in self.leases:
            await self.spool.abandon(lease, InDoubtPolicy.RESEND)
        await asyncio.sleep(0.005)
        while (lease := await self.spool.lease(KIND, flush=True)) is not None:
            self.order[lease.queue] += [play.sequence for play in lease.records]
            await self.spool.intent(lease, lease.records, "request-2")
            await ack(self.spool, lease)
            self.delivered.update(play.body for play in lease.records)


@pytest.mark.parametrize("seed", range(300 if "LONG_TESTS" in os.environ else 6))
async def test_any_order_of_steps_loses_and_doubles_nothing(server, seed):
    rng = random.Random(seed)
    async with worker(server, max_count=8, max_bytes=200) as spool:
        steps = Steps(rng, spool)
        for _ in range(60):
            await rng.choice([steps.append, steps.lease, steps.lease, steps.settle, steps.settle, steps.withdraw])()
            check_keys(server)
        await steps.end()
        check_keys(server)
        assert steps.delivered + steps.dead == steps.put
        for queue in ("ann", "bob"):
            assert steps.order[queue] == sorted(steps.order[queue])
        counts = await spool.counts(KIND)
        assert (counts.put, counts.delivered) == (steps.put.total(), steps.delivered.total())
        assert counts.buried + counts.held == steps.dead.total()
        inspector = RedisSpoolInspector(server.url)
        journal = [entry async for entry in inspector.journal()]
        letters = Counter([letter.body async for letter in inspector.dead_letters()])
        await inspector.aclose()
        assert Counter(entry.body for entry in journal if entry.outcome.value == "delivered") == steps.delivered
        assert letters == steps.dead
    assert not list(server.scan_iter(f"{BASE.replace('{', '?').replace('}', '?')}batch:*"))


# -- memory --

USERS = 300


async def test_a_waiting_play_takes_its_size_and_little_more(server):
    async with worker(server) as spool:
        bodies = 0
        for start in range(0, 20_000, 500):
            plays = records(500, "", start, 180)
            bodies += sum(len(play.body) for play in plays)
            await spool.append(KIND, plays)
        list_bytes = server.memory_usage(f"{BASE}plays:catalogue:p", samples=0)
        overhead = (list_bytes - bodies) / 20_000
        assert overhead < 20


async def test_a_user_takes_less_than_a_kilobyte_beside_the_plays(server):
    async with worker(server) as spool:
        await spool.append(KIND, [play for n in range(USERS) for play in records(1, f"user-{n:06}", n, 180)])
        before = server.info("memory")["used_memory"]
        await spool.append(KIND, [p for n in range(USERS, 11 * USERS) for p in records(1, f"user-{n:06}", n, 180)])
        used = (server.info("memory")["used_memory"] - before) / (10 * USERS)
        assert used - 180 < 1000
