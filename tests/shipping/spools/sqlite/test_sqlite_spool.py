"""What every spool must do; each implementation goes through the same tests."""

import asyncio
import os
import shutil
import tempfile
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, consumes, invariant, precondition, rule
from support.clock import VirtualClock
from support.redis_server import NOT_INSTALLED, PROGRAM, shared_server
from support.spool_events import callback
from support.steps import at_step

from sevendigital_async import (
    Checkpoint,
    DeadLetter,
    LogKind,
    MemorySpool,
    ShipperClosedError,
    SpoolFullError,
    SpoolInUseError,
)
from sevendigital_async.shipping.records import InDoubtPolicy, Receipt, Record
from sevendigital_async.shipping.rules import lane_rules
from sevendigital_async.shipping.spools.base import SpoolContext
from sevendigital_async.shipping.spools.redis import RedisSpool
from sevendigital_async.shipping.spools.sqlite import SqliteSpool

RULES = lane_rules({kind: {"max_count": 3, "max_bytes": 100, "linger": 5.0} for kind in LogKind})
NOW = datetime(2026, 1, 1, tzinfo=UTC)
RECEIPT = Receipt("request", NOW)
KINDS = st.sampled_from(LogKind)
IS_LONG = "LONG_TESTS" in os.environ
"""Whether the state machines take their time: ``nox -s soak -- states``."""


def steps_of(examples, steps):
    return settings(max_examples=50 * examples if IS_LONG else examples, stateful_step_count=steps, deadline=None)


class Memory:
    """How to make, crash and reopen a spool; one object for each file or server."""

    name = "memory"
    survives = False
    steps = steps_of(20, 40)
    clock = None

    def make(self, **options):
        return MemorySpool(**options)

    def out(self, spool):
        """Return the leases."""
        raise NotImplementedError

    async def crash(self, spool):
        raise NotImplementedError

    async def settled(self, spool):
        """Wait until withdrawn plays are removed."""

    def discard(self):
        pass


class Sqlite(Memory):
    name = "sqlite"
    survives = True
    steps = steps_of(8, 30)

    def __init__(self):
        self.directory = Path(tempfile.mkdtemp())

    def make(self, **options):
        return SqliteSpool(self.directory / "plays.db", **options)

    def out(self, spool):
        return list(spool._leases)

    async def crash(self, spool):
        """Stop without settling anything, like a killed process."""
        spool._opened = False
        spool._group_commit._task.cancel()
        await spool._writer.aclose()

    async def settled(self, spool):
        while spool._appender.hidden or spool._group_commit._writing:
            await asyncio.sleep(0.001)

    def discard(self):
        shutil.rmtree(self.directory)


class LateComer(RedisSpool):
    """Takes over expired leases at once, as if it had been open for a long time."""

    async def open(self, owner):
        await super().open(owner)
        self._client.available_since -= 1000.0
        await self._give_heartbeat()


class Redis(Memory):
    name = "redis"
    survives = True
    steps = steps_of(8, 30)

    def __init__(self):
        if PROGRAM is None:
            pytest.skip(NOT_INSTALLED)
        self.server = shared_server()
        self.server.ask("FLUSHALL")
        self.waited = 0.0

    def make(self, **options):
        return LateComer(self.server.url, offset=lambda: self.waited + self.clock.monotonic(), **options)

    def out(self, spool):
        return list(spool._leases._leases.values())

    async def crash(self, spool):
        """Stop the heartbeats; others notice when the leases expire."""
        for task in spool._tasks:
            task.cancel()
        await spool._client.aclose()
        self.waited += 16.0

    async def settled(self, spool):
        await spool._writer.drain()


PLACES = (Memory, Sqlite, Redis)


@pytest.fixture(params=PLACES, ids=[place.name for place in PLACES])
def place(request):
    place = request.param()
    yield place
    place.discard()


def letter(kind, record):
    return DeadLetter(kind, record.body, "bad", 1002, NOW, record.in_doubt)


class SpoolMachine(RuleBasedStateMachine):
    """Runs random histories on a spool and compares it with a simple model."""

    DeadLetterState = Memory
    leases = Bundle("leases")

    def __init__(self):
        super().__init__()
        self.loop = asyncio.new_event_loop()
        self.clock = VirtualClock()
        self.kept = self.DeadLetterState()
        self.kept.clock = self.clock
        self.woken = set()
        self.policy = InDoubtPolicy.RESEND
        self.open()
        self.place = {}  # body -> (kind, queue, where)
        self.order = {}  # (kind, queue) -> bodies waiting or leased, in order of acceptance
        self.doubted = set()
        self.serial = 0
        self.generation = 0

    def run(self, coroutine):
        return self.loop.run_until_complete(coroutine)

    def open(self):
        self.spool = self.kept.make()
        self.run(self.spool.open(SpoolContext(RULES, self.clock, callback(wake=self.woken.add), self.policy)))

    def teardown(self):
        self.run(self.spool.aclose())
        self.loop.close()
        self.kept.discard()

    @rule(kind=KINDS, queue=st.sampled_from(["", "ann", "bob"]), number=st.integers(1, 4), size=st.integers(8, 60))
    def append(self, kind, queue, number, size):
        records = []
        for _ in range(number):
            self.serial += 1
            records.append(Record(f"{self.serial:08}".encode().ljust(size, b"."), queue, NOW))
        self.woken.discard(kind)
        before = self.run(self.spool.due_in(kind, flush=False))
        self.run(self.spool.append(kind, records))
        after = self.run(self.spool.due_in(kind, flush=False))
        assert after is None or (before is not None and before <= after) or kind in self.woken
        for record in records:
            self.place[record.body] = (kind, queue, "waiting")
            self.order.setdefault((kind, queue), []).append(record.body)

    @rule(
        kind=KINDS,
        queue=st.sampled_from(["", "ann", "bob"]),
        numbers=st.tuples(st.integers(1, 4), st.integers(0, 2)),
        step=st.integers(0, 30),
    )
    def append_beside_one_that_is_cancelled(self, kind, queue, numbers, step):
        """Nothing of it remains, even if the other one shares its transaction."""
        records = []
        for number in numbers:
            bodies = [f"{self.serial + place:08}".encode().ljust(20, b".") for place in range(1, number + 1)]
            records.append([Record(body, queue, NOW) for body in bodies])
            self.serial += number

        async def put():
            puts = [asyncio.create_task(self.spool.append(kind, part)) for part in records]
            with at_step(step, puts[0].cancel):
                await asyncio.wait(puts)
            await self.kept.settled(self.spool)
            return [part for part, task in zip(records, puts, strict=True) if not task.cancelled()]

        for record in [record for part in self.run(put()) for record in part]:
            self.place[record.body] = (kind, queue, "waiting")
            self.order.setdefault((kind, queue), []).append(record.body)

    @rule(target=leases, kind=KINDS, flush=st.booleans())
    def lease(self, kind, flush):
        lease = self.take(kind, flush=flush)
        return None if lease is None else (self.generation, lease)

    def take(self, kind, *, flush):
        due_in = self.run(self.spool.due_in(kind, flush=flush))
        lease = self.run(self.spool.lease(kind, flush=flush))
        assert (lease is not None) == (due_in == 0)
        if lease is None:
            return None
        bodies = [record.body for record in lease.records]
        assert 1 <= len(bodies) <= 3
        assert len(bodies) == 1 or sum(map(len, bodies)) <= 100
        queued = self.order[kind, lease.queue]
        waiting = [body for body in queued if self.place[body][2] == "waiting"]
        if lease.queue:
            # A user's plays leave strictly first in, first out, one batch at a time.
            assert bodies == queued[: len(bodies)]
        else:
            assert bodies == [body for body in waiting if body in bodies]
        for body in bodies:
            assert self.place[body] == (kind, lease.queue, "waiting")
            self.place[body] = (kind, lease.queue, "in_flight")
        return lease

    def settle(self, records, where):
        for record in records:
            kind, queue, was = self.place[record.body]
            assert was == "in_flight"
            self.place[record.body] = (kind, queue, where)
            if where != "waiting":
                self.order[kind, queue].remove(record.body)

    @rule(lease=consumes(leases), data=st.data(), delay=st.sampled_from([0.0, 3.0, 100.0]))
    def finish(self, lease, data, delay):
        if lease is None or lease[0] != self.generation:
            return
        lease = lease[1]
        left = list(lease.records)
        while left:
            cut = data.draw(st.integers(1, len(left)))
            part, left = left[:cut], left[cut:]
            how = data.draw(st.sampled_from(["ack", "release", "bury", "resend", "hold", "keep", "abandon"]))
            self.run(self.spool.intent(lease, part, "request"))
            if how == "ack":
                self.run(self.spool.ack(lease, part, RECEIPT))
                self.settle(part, "delivered")
            elif how == "release":
                self.run(self.spool.release(lease, part, delay=delay))
                self.settle(part, "waiting")
            elif how == "bury":
                letters = [(record, letter(lease.kind, record)) for record in part]
                self.run(self.spool.bury(lease, letters))
                self.settle(part, "buried")
                if data.draw(st.booleans()):
                    self.spool.forget_dead_letters([dead for _, dead in letters])
            elif how in ("resend", "hold"):
                self.run(self.spool.mark_in_doubt(lease, part, InDoubtPolicy(how), delay=delay))
                self.settle(part, "waiting" if how == "resend" else "held")
                self.doubted |= {record.body for record in part}
            elif how == "keep":
                self.run(self.spool.mark_in_doubt(lease, part, InDoubtPolicy.KEEP))
                self.doubted |= {record.body for record in part}
                left = part + left
                self.run(self.spool.ack(lease, left, RECEIPT))
                self.settle(left, "delivered")
                left = []
            else:
                policy = data.draw(st.sampled_from([InDoubtPolicy.RESEND, InDoubtPolicy.HOLD]))
                self.run(self.spool.abandon(lease, policy))
                self.doubted |= {record.body for record in part}
                self.settle(part, "waiting" if policy is InDoubtPolicy.RESEND else "held")
                self.settle(left, "waiting")
                left = []
        self.run(self.spool.abandon(lease, InDoubtPolicy.RESEND))  # of a settled lease: nothing

    @rule(seconds=st.sampled_from([0.5, 5.0, 120.0]))
    def time_passes(self, seconds):
        self.clock.elapsed += seconds

    @invariant()
    def everything_is_somewhere(self):
        for kind in LogKind:
            counts = self.run(self.spool.counts(kind))
            mine = [where for place_kind, _, where in self.place.values() if place_kind is kind]
            assert counts.put == len(mine)
            for where in ("waiting", "in_flight", "delivered", "buried", "held"):
                assert getattr(counts, where) == mine.count(where)
            assert counts.in_doubt == sum(self.place[body][0] is kind for body in self.doubted)
            if not self.kept.survives:
                undelivered = sorted(record.body for record in self.spool.undelivered(kind))
                here = [
                    body for body, (k, _, where) in self.place.items() if k is kind and where in ("waiting", "held")
                ]
                assert undelivered == sorted(here)

    @precondition(lambda self: self.kept.survives)
    @rule(policy=st.sampled_from([InDoubtPolicy.RESEND, InDoubtPolicy.HOLD]), data=st.data())
    def crash_and_reopen(self, policy, data):
        """Plays that were being sent are in doubt; other leased plays wait again."""
        self.policy = policy
        out = {}
        for lease in self.kept.out(self.spool):
            sending = (
                data.draw(st.lists(st.sampled_from(lease.records), unique=True)) if data.draw(st.booleans()) else []
            )
            if sending:
                self.run(self.spool.intent(lease, sending, "request"))
            out[lease] = {record.body for record in sending}
        bodies = {body for body, (_, _, where) in self.place.items() if where == "in_flight"}
        self.run(self.kept.crash(self.spool))
        self.generation += 1
        for body in bodies:
            kind, queue, _ = self.place[body]
            sent = any(body in sending for sending in out.values())
            if sent:
                self.doubted.add(body)
            where = "held" if sent and policy is InDoubtPolicy.HOLD else "waiting"
            self.place[body] = (kind, queue, where)
            if where == "held":
                self.order[kind, queue].remove(body)
        self.open()

    @precondition(lambda self: self.kept.survives)
    @rule()
    def close_and_reopen(self):
        if not any(where == "in_flight" for _, _, where in self.place.values()):
            self.run(self.spool.aclose())
            self.generation += 1
            self.open()

    @precondition(lambda self: all(where != "in_flight" for _, _, where in self.place.values()))
    @rule()
    def what_waits_can_be_had(self):
        """With time and a flush, every waiting play is leased: nothing is stuck."""
        self.clock.elapsed += 1000.0
        for kind in LogKind:
            while lease := self.take(kind, flush=True):
                self.run(self.spool.ack(lease, lease.records, RECEIPT))
                self.settle(lease.records, "delivered")
        assert all(where != "waiting" for _, _, where in self.place.values())


class SqliteMachine(SpoolMachine):
    DeadLetterState = Sqlite


class RedisMachine(SpoolMachine):
    DeadLetterState = Redis


TestMemorySpool = SpoolMachine.TestCase
TestMemorySpool.settings = Memory.steps
TestSqliteSpool = SqliteMachine.TestCase
TestSqliteSpool.settings = Sqlite.steps
TestRedisSpool = RedisMachine.TestCase
TestRedisSpool.settings = Redis.steps
TestRedisSpool.pytestmark = [pytest.mark.skipif(PROGRAM is None, reason=NOT_INSTALLED)]


@pytest.fixture
def clock():
    return VirtualClock()


@pytest.fixture
async def open_spool(place, clock):
    spools = []
    place.clock = clock

    async def make(**options):
        spool = place.make(**options)
        await spool.open(SpoolContext(RULES, clock, lambda _: None))
        spools.append(spool)
        return spool

    yield make
    for spool in spools:
        await spool.aclose()


def records(number, queue="", size=10):
    return [Record(b"x" * size, queue, NOW) for _ in range(number)]


async def test_a_full_spool_makes_appends_wait_in_line(open_spool, clock):
    spool = await open_spool(max_logs=5, max_bytes=1000)
    await spool.append(LogKind.PREVIEW, records(5))
    with pytest.raises(SpoolFullError):
        spool.append_nowait(LogKind.PREVIEW, records(1))
    big = asyncio.create_task(spool.append(LogKind.PREVIEW, records(3)))
    small = asyncio.create_task(spool.append(LogKind.PREVIEW, records(1)))
    await asyncio.sleep(0)
    lease = await spool.lease(LogKind.PREVIEW, flush=True)
    await spool.ack(lease, lease.records[:2], RECEIPT)
    await asyncio.sleep(0)
    assert not big.done()
    assert not small.done()  # though there is room for it: first come, first served
    await spool.ack(lease, lease.records[2:], RECEIPT)
    await asyncio.gather(big)
    assert not small.done()
    big_one = await spool.lease(LogKind.PREVIEW, flush=True)
    await spool.ack(big_one, big_one.records, RECEIPT)
    await small
    assert (await spool.counts(LogKind.PREVIEW)).put == 9


async def test_bytes_count_as_well(open_spool, clock):
    spool = await open_spool(max_logs=100, max_bytes=100)
    await spool.append(LogKind.PREVIEW, records(9))
    with pytest.raises(SpoolFullError):
        spool.append_nowait(LogKind.PREVIEW, records(1, size=11))
    with pytest.raises(SpoolFullError):
        await spool.append(LogKind.PREVIEW, records(1, size=101))
    spool.append_nowait(LogKind.PREVIEW, records(1))


async def test_refusing_wakes_who_waits(open_spool, clock):
    spool = await open_spool(max_logs=1, max_bytes=1000)
    await spool.append(LogKind.PREVIEW, records(1))
    waiting = asyncio.create_task(spool.append(LogKind.PREVIEW, records(1)))
    await asyncio.sleep(0)
    spool.refuse(ShipperClosedError("closed"))
    with pytest.raises(ShipperClosedError):
        await waiting
    with pytest.raises(ShipperClosedError):
        spool.append_nowait(LogKind.PREVIEW, records(1))
    assert (await spool.counts(LogKind.PREVIEW)).put == 1


async def test_a_cancelled_append_gives_its_room_back(open_spool, place, monkeypatch):
    # A full spool in Redis is tried again at intervals; on a slow machine that could come before the cancellation.
    monkeypatch.setattr("sevendigital_async.shipping.spools.redis.writer.FULL_RETRY_INTERVAL", 600.0)
    spool = await open_spool(max_logs=2, max_bytes=1000)
    await spool.append(LogKind.PREVIEW, records(2))
    waiting = asyncio.create_task(spool.append(LogKind.PREVIEW, records(2)))
    await asyncio.sleep(0)
    lease = await spool.lease(LogKind.PREVIEW, flush=True)
    await spool.ack(lease, lease.records, RECEIPT)
    waiting.cancel()  # in the same moment as its room was granted
    with pytest.raises(asyncio.CancelledError):
        await waiting
    await place.settled(spool)
    assert (await spool.counts(LogKind.PREVIEW)).put == 2
    spool.append_nowait(LogKind.PREVIEW, records(2))


async def test_a_checkpoint_that_does_not_follow_the_one_before_is_refused_with_its_plays(open_spool):
    spool = await open_spool()
    for after, accepted in (("", True), ("", False), ("1", False), ("0", True), (None, True), ("0", True)):
        kept = await spool.checkpoint("source")
        if accepted:
            await spool.append(LogKind.PREVIEW, records(1), Checkpoint("source", "0", after))
        else:
            with pytest.raises(SpoolInUseError, match="source"):
                await spool.append(LogKind.PREVIEW, records(1), Checkpoint("source", "9", after))
            assert await spool.checkpoint("source") == kept
    assert (await spool.counts(LogKind.PREVIEW)).put == 4


async def test_of_two_puts_that_follow_the_same_checkpoint_one_is_accepted(open_spool):
    spool = await open_spool()
    for number in (1, 2):
        mark = Checkpoint("source", str(number), "" if number == 1 else str(number - 1))
        puts = [spool.append(LogKind.PREVIEW, records(1), mark) for _ in range(3)]
        results = await asyncio.gather(*puts, return_exceptions=True)
        assert sorted(map(str, map(type, results))) == sorted(map(str, [type(None), SpoolInUseError, SpoolInUseError]))
        assert (await spool.counts(LogKind.PREVIEW)).put == number
    others = [spool.append(LogKind.PREVIEW, records(1), Checkpoint(f"other {n}", "1", "")) for n in range(3)]
    await asyncio.gather(*others)
    assert (await spool.counts(LogKind.PREVIEW)).put == 5


async def test_buried_plays_keep_their_room(open_spool, place):
    spool = await open_spool(max_logs=1, max_bytes=1000)
    await spool.append(LogKind.PREVIEW, records(1))
    lease = await spool.lease(LogKind.PREVIEW, flush=True)
    dead = letter(LogKind.PREVIEW, lease.records[0])
    await spool.bury(lease, [(lease.records[0], dead)])
    with pytest.raises(SpoolFullError):
        spool.append_nowait(LogKind.PREVIEW, records(1))
    assert (await spool.counts(LogKind.PREVIEW)).buried == 1
    if not place.survives:  # what a hook has taken need not be kept where it would be gone with the process
        assert list(spool.dead_letters()) == [dead]
        spool.forget_dead_letters([dead, dead])
        spool.append_nowait(LogKind.PREVIEW, records(1))
        assert list(spool.dead_letters()) == []


async def test_queues_are_leased_in_rotation(open_spool, clock):
    spool = await open_spool()
    await spool.append(LogKind.CATALOGUE, records(30, "heavy"))
    await spool.append(LogKind.CATALOGUE, records(1, "light"))
    clock.elapsed += 6
    names = []
    for _ in range(3):
        lease = await spool.lease(LogKind.CATALOGUE, flush=False)
        names.append(lease.queue)
        await spool.ack(lease, lease.records, RECEIPT)
    assert "light" in names[:2]


@pytest.mark.parametrize("flush", [False, True])
async def test_a_user_with_very_many_plays_starves_nobody(open_spool, clock, flush):
    spool = await open_spool()
    users = {f"light {number}" for number in range(40)}
    await spool.append(LogKind.CATALOGUE, records(300, "heavy"))
    for user in users:
        await spool.append(LogKind.CATALOGUE, records(1, user))
    clock.elapsed += 0.1 if flush else 6
    served = []
    while users - set(served):
        lease = await spool.lease(LogKind.CATALOGUE, flush=flush)
        await spool.ack(lease, lease.records, RECEIPT)
        served.append(lease.queue)
        clock.elapsed += 0.01
    assert len(served) <= len(users) + 2


async def test_users_and_the_partner_queue_are_leased_in_rotation(open_spool, clock):
    spool = await open_spool()
    for queue in ("", "ann", "bob"):
        await spool.append(LogKind.CATALOGUE, records(30, queue))
        await spool.append(LogKind.CATALOGUE, records(1, f"light {queue}"))
        clock.elapsed += 0.01
    served = []
    for _ in range(12):
        lease = await spool.lease(LogKind.CATALOGUE, flush=True)
        await spool.ack(lease, lease.records, RECEIPT)
        served.append(lease.queue)
        clock.elapsed += 0.01
    assert set(served[:8]) == {"", "ann", "bob", "light ", "light ann", "light bob"}
    assert {served.count(queue) for queue in ("", "ann", "bob")} == {3}


async def test_a_lease_knows_how_often_its_queue_has_failed(open_spool, clock):
    spool = await open_spool()
    await spool.append(LogKind.CATALOGUE, records(1, "ann"))
    attempts = []
    for count_attempt in (True, False, True):
        lease = await spool.lease(LogKind.CATALOGUE, flush=True)
        attempts.append(lease.attempt)
        await spool.release(lease, lease.records, count_attempt=count_attempt)
    lease = await spool.lease(LogKind.CATALOGUE, flush=True)
    await spool.ack(lease, lease.records, RECEIPT)
    await spool.append(LogKind.CATALOGUE, records(1, "ann"))
    lease = await spool.lease(LogKind.CATALOGUE, flush=True)
    assert [*attempts, lease.attempt] == [0, 1, 1, 0]


async def test_a_flood_of_due_queues_is_moved_on_in_portions(open_spool, clock):
    spool = await open_spool()
    for index in range(500):
        await spool.append(LogKind.CATALOGUE, records(1, f"u{index}"))
    served = []
    while lease := await spool.lease(LogKind.CATALOGUE, flush=True):
        served.append(lease.queue)
        await spool.ack(lease, lease.records, RECEIPT)
    assert served == [f"u{index}" for index in range(500)]


async def test_the_oldest_age_is_that_of_what_waits(open_spool, clock):
    spool = await open_spool()

    async def put(queue, *bodies):
        await spool.append(LogKind.PREVIEW, [Record(body, queue, NOW) for body in bodies])

    async def age():
        return await spool.oldest_age(LogKind.PREVIEW)

    assert await age() is None
    await put("ann", b"1", b"2", b"3", b"4")
    clock.elapsed = 10.0
    await put("bob", b"5")
    await put("", b"6", b"7", b"8", b"9")
    assert await age() == pytest.approx(10, abs=0.5)
    assert await spool.oldest_age(LogKind.CATALOGUE) is None
    anns = await spool.lease(LogKind.PREVIEW, flush=False)
    shared = await spool.lease(LogKind.PREVIEW, flush=False)
    assert (anns.queue, shared.queue) == ("ann", "")
    clock.elapsed = 12.0
    assert await age() == pytest.approx(12, abs=0.5)  # ann's fourth
    await spool.ack(anns, anns.records, RECEIPT)
    rest = await spool.lease(LogKind.PREVIEW, flush=True)
    assert [record.body for record in rest.records] == [b"4"]
    assert await age() == pytest.approx(2, abs=0.5)
    await spool.release(rest, rest.records, delay=100.0)
    assert await age() == pytest.approx(12, abs=0.5)  # what rests waits, too
    await spool.release(shared, shared.records, delay=5.0)
    clock.elapsed = 112.0
    while lease := await spool.lease(LogKind.PREVIEW, flush=True):
        await spool.ack(lease, lease.records, RECEIPT)
    assert await age() is None
