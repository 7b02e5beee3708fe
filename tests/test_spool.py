"""What every spool must do; each implementation goes through the same tests."""

import asyncio
from datetime import UTC, datetime

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, consumes, invariant, precondition, rule
from support.clock import VirtualClock

from sevendigital_async import DeadLetter, LogKind, MemorySpool, ShipperClosedError, SpoolFullError
from sevendigital_async.shipping.records import Fate, Receipt, Record
from sevendigital_async.shipping.rules import lane_rules
from sevendigital_async.shipping.spool import Owner

RULES = lane_rules({kind: {"max_count": 3, "max_bytes": 100, "linger": 5.0} for kind in LogKind})
NOW = datetime(2026, 1, 1, tzinfo=UTC)
RECEIPT = Receipt("request", NOW)
KINDS = st.sampled_from(LogKind)
FACTORIES = {"memory": MemorySpool}

each_spool = pytest.mark.parametrize("make", list(FACTORIES.values()), ids=list(FACTORIES))


def letter(kind, record):
    return DeadLetter(kind, record.body, "bad", 1002, NOW, record.in_doubt)


class SpoolMachine(RuleBasedStateMachine):
    """Drives a spool through any history and compares it with a model that is obviously right."""

    make = MemorySpool
    leases = Bundle("leases")

    def __init__(self):
        super().__init__()
        self.loop = asyncio.new_event_loop()
        self.clock = VirtualClock()
        self.spool = type(self).make()
        self.woken = set()
        self.run(self.spool.open(Owner(RULES, self.clock, self.woken.add)))
        self.place = {}  # body -> (kind, queue, where)
        self.order = {}  # (kind, queue) -> bodies waiting or leased, in order of acceptance
        self.doubted = set()
        self.serial = 0

    def run(self, coroutine):
        return self.loop.run_until_complete(coroutine)

    def teardown(self):
        self.run(self.spool.aclose())
        self.loop.close()

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

    @rule(target=leases, kind=KINDS, flush=st.booleans())
    def lease(self, kind, flush):
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
        if lease is None:
            return
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
                    self.spool.handed_over([dead for _, dead in letters])
            elif how in ("resend", "hold"):
                self.run(self.spool.doubt(lease, part, Fate(how), delay=delay))
                self.settle(part, "waiting" if how == "resend" else "held")
                self.doubted |= {record.body for record in part}
            elif how == "keep":
                self.run(self.spool.doubt(lease, part, Fate.KEEP))
                self.doubted |= {record.body for record in part}
                left = part + left
                self.run(self.spool.ack(lease, left, RECEIPT))
                self.settle(left, "delivered")
                left = []
            else:
                fate = data.draw(st.sampled_from([Fate.RESEND, Fate.HOLD]))
                self.run(self.spool.abandon(lease, fate))
                self.doubted |= {record.body for record in part}
                self.settle(part, "waiting" if fate is Fate.RESEND else "held")
                self.settle(left, "waiting")
                left = []
        self.run(self.spool.abandon(lease, Fate.RESEND))  # of a settled lease: nothing

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
            undelivered = sorted(record.body for record in self.spool.undelivered(kind))
            here = [body for body, (k, _, where) in self.place.items() if k is kind and where in ("waiting", "held")]
            assert undelivered == sorted(here)

    @precondition(lambda self: all(where != "in_flight" for _, _, where in self.place.values()))
    @rule()
    def what_waits_can_be_had(self):
        """With time and a flush, everything that waits is handed out: nothing is stuck."""
        self.clock.elapsed += 1000.0
        for kind in LogKind:
            while lease := self.lease(kind, flush=True):
                self.run(self.spool.ack(lease, lease.records, RECEIPT))
                self.settle(lease.records, "delivered")
        assert all(where != "waiting" for _, _, where in self.place.values())


TestMemorySpoolMachine = SpoolMachine.TestCase
TestMemorySpoolMachine.settings = settings(max_examples=60, stateful_step_count=40, deadline=None)


@pytest.fixture
def clock():
    return VirtualClock()


async def opened(make, clock, **options):
    spool = make(**options)
    await spool.open(Owner(RULES, clock, lambda _: None))
    return spool


def records(number, queue="", size=10):
    return [Record(b"x" * size, queue, NOW) for _ in range(number)]


@each_spool
async def test_a_full_spool_makes_appends_wait_in_line(make, clock):
    spool = await opened(make, clock, max_logs=5, max_bytes=1000)
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


@each_spool
async def test_bytes_count_as_well(make, clock):
    spool = await opened(make, clock, max_logs=100, max_bytes=100)
    await spool.append(LogKind.PREVIEW, records(9))
    with pytest.raises(SpoolFullError):
        spool.append_nowait(LogKind.PREVIEW, records(1, size=11))
    with pytest.raises(SpoolFullError):
        await spool.append(LogKind.PREVIEW, records(1, size=101))
    spool.append_nowait(LogKind.PREVIEW, records(1))


@each_spool
async def test_refusing_wakes_who_waits(make, clock):
    spool = await opened(make, clock, max_logs=1, max_bytes=1000)
    await spool.append(LogKind.PREVIEW, records(1))
    waiting = asyncio.create_task(spool.append(LogKind.PREVIEW, records(1)))
    await asyncio.sleep(0)
    spool.refuse(ShipperClosedError("closed"))
    with pytest.raises(ShipperClosedError):
        await waiting
    with pytest.raises(ShipperClosedError):
        spool.append_nowait(LogKind.PREVIEW, records(1))
    assert (await spool.counts(LogKind.PREVIEW)).put == 1


@each_spool
async def test_a_cancelled_append_gives_its_room_back(make, clock):
    spool = await opened(make, clock, max_logs=2, max_bytes=1000)
    await spool.append(LogKind.PREVIEW, records(2))
    waiting = asyncio.create_task(spool.append(LogKind.PREVIEW, records(2)))
    await asyncio.sleep(0)
    lease = await spool.lease(LogKind.PREVIEW, flush=True)
    await spool.ack(lease, lease.records, RECEIPT)
    waiting.cancel()  # in the same moment as its room was granted
    with pytest.raises(asyncio.CancelledError):
        await waiting
    assert (await spool.counts(LogKind.PREVIEW)).put == 2
    spool.append_nowait(LogKind.PREVIEW, records(2))


@each_spool
async def test_buried_plays_keep_their_room_until_they_are_taken(make, clock):
    spool = await opened(make, clock, max_logs=1, max_bytes=1000)
    await spool.append(LogKind.PREVIEW, records(1))
    lease = await spool.lease(LogKind.PREVIEW, flush=True)
    dead = letter(LogKind.PREVIEW, lease.records[0])
    await spool.bury(lease, [(lease.records[0], dead)])
    assert list(spool.dead_letters()) == [dead]
    with pytest.raises(SpoolFullError):
        spool.append_nowait(LogKind.PREVIEW, records(1))
    spool.handed_over([dead, dead])
    spool.append_nowait(LogKind.PREVIEW, records(1))
    assert list(spool.dead_letters()) == []
    assert (await spool.counts(LogKind.PREVIEW)).buried == 1


@each_spool
async def test_queues_take_turns(make, clock):
    spool = await opened(make, clock)
    await spool.append(LogKind.CATALOGUE, records(30, "heavy"))
    await spool.append(LogKind.CATALOGUE, records(1, "light"))
    clock.elapsed += 6
    names = []
    for _ in range(3):
        lease = await spool.lease(LogKind.CATALOGUE, flush=False)
        names.append(lease.queue)
        await spool.ack(lease, lease.records, RECEIPT)
    assert "light" in names[:2]


@each_spool
async def test_a_lease_knows_how_often_its_queue_has_failed(make, clock):
    spool = await opened(make, clock)
    await spool.append(LogKind.CATALOGUE, records(1, "ann"))
    attempts = []
    for blame in (True, False, True):
        lease = await spool.lease(LogKind.CATALOGUE, flush=True)
        attempts.append(lease.attempt)
        await spool.release(lease, lease.records, blame=blame)
    lease = await spool.lease(LogKind.CATALOGUE, flush=True)
    await spool.ack(lease, lease.records, RECEIPT)
    await spool.append(LogKind.CATALOGUE, records(1, "ann"))
    lease = await spool.lease(LogKind.CATALOGUE, flush=True)
    assert [*attempts, lease.attempt] == [0, 1, 1, 0]


@each_spool
async def test_a_flood_of_due_queues_is_moved_on_in_portions(make, clock):
    spool = await opened(make, clock)
    for index in range(500):
        await spool.append(LogKind.CATALOGUE, records(1, f"u{index}"))
    served = []
    while lease := await spool.lease(LogKind.CATALOGUE, flush=True):
        served.append(lease.queue)
        await spool.ack(lease, lease.records, RECEIPT)
    assert served == [f"u{index}" for index in range(500)]


@each_spool
async def test_the_oldest_age_is_that_of_what_waits(make):
    clock, spool = VirtualClock(), make()
    await spool.open(Owner(RULES, clock, lambda _: None))

    async def put(queue, *bodies):
        await spool.append(LogKind.PREVIEW, [Record(body, queue, NOW) for body in bodies])

    async def age():
        return await spool.oldest_age(LogKind.PREVIEW)

    assert await age() is None
    await put("ann", b"1", b"2", b"3", b"4")
    clock.elapsed = 10.0
    await put("bob", b"5")
    await put("", b"6", b"7", b"8", b"9")
    assert await age() == pytest.approx(10)
    assert await spool.oldest_age(LogKind.CATALOGUE) is None
    anns = await spool.lease(LogKind.PREVIEW, flush=False)
    shared = await spool.lease(LogKind.PREVIEW, flush=False)
    assert (anns.queue, shared.queue) == ("ann", "")
    clock.elapsed = 12.0
    assert await age() == pytest.approx(12)  # ann's fourth
    await spool.ack(anns, anns.records, RECEIPT)
    rest = await spool.lease(LogKind.PREVIEW, flush=True)
    assert [record.body for record in rest.records] == [b"4"]
    assert await age() == pytest.approx(2)
    await spool.release(rest, rest.records, delay=100.0)
    assert await age() == pytest.approx(12)  # what rests waits, too
    await spool.release(shared, shared.records, delay=5.0)
    clock.elapsed = 112.0
    while lease := await spool.lease(LogKind.PREVIEW, flush=True):
        await spool.ack(lease, lease.records, RECEIPT)
    assert await age() is None
    await spool.aclose()
