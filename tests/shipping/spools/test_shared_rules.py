"""Memory, SQLite and Redis spools cut batches and settle abandoned leases by the same rules."""

import random
from collections import deque
from datetime import UTC, datetime

import pytest
from support.clock import VirtualClock

from sevendigital_async import LogKind, MemorySpool
from sevendigital_async.shipping.records import InDoubtPolicy, Receipt, Record
from sevendigital_async.shipping.rules import lane_rules
from sevendigital_async.shipping.spools.accumulator import cut_batch
from sevendigital_async.shipping.spools.base import SpoolContext
from sevendigital_async.shipping.spools.lease_state import AbandonedRecords
from sevendigital_async.shipping.spools.redis import RedisSpool
from sevendigital_async.shipping.spools.sqlite import SqliteSpool

KIND = LogKind.CATALOGUE
RULES = lane_rules({KIND: {"max_count": 8, "max_bytes": 200, "linger": 60.0}})


@pytest.fixture(params=["memory", "file", "redis"])
async def spool(request, tmp_path):
    match request.param:
        case "memory":
            spool = MemorySpool()
        case "file":
            spool = SqliteSpool(tmp_path / "plays.db")
        case _:
            spool = RedisSpool(request.getfixturevalue("redis_server").url)
    await spool.open(SpoolContext(RULES, VirtualClock(), lambda _: None))
    yield spool
    await spool.aclose()


def records(sizes, queue=""):
    now = datetime.now(UTC)
    return [Record(b"%0*d" % (size, index), queue, now) for index, size in enumerate(sizes)]


@pytest.mark.parametrize("queue", ["", "ann"])
@pytest.mark.parametrize("seed", range(4))
async def test_batches_are_cut_by_the_one_rule(spool, queue, seed):
    rng = random.Random(seed)
    sizes = [rng.choice([3, 25, 60, 150, 250]) for _ in range(40)]
    waiting, expected = deque(records(sizes, queue)), []
    while waiting:
        batch, size = cut_batch(waiting, RULES[KIND])
        assert size == sum(len(record.body) for record in batch)
        expected.append([record.body for record in batch])
    await spool.append(KIND, records(sizes, queue))
    leased = []
    while (lease := await spool.lease(KIND, flush=True)) is not None:
        leased.append([record.body for record in lease.records])
        await spool.intent(lease, lease.records, "request")
        await spool.ack(lease, lease.records, Receipt("request", datetime.now(UTC)))
    assert leased == expected


def test_a_batch_holds_at_least_one_play():
    waiting = deque(records([900, 3]))
    assert [len(record.body) for record in cut_batch(waiting, RULES[KIND])[0]] == [900]
    assert len(waiting) == 1


@pytest.mark.parametrize("queue", ["", "ann"])
@pytest.mark.parametrize("suspect", [False, True])
@pytest.mark.parametrize("policy", [InDoubtPolicy.RESEND, InDoubtPolicy.HOLD])
async def test_an_abandoned_lease_is_settled_by_the_one_rule(spool, queue, suspect, policy):
    await spool.append(KIND, records([10] * 6, queue))
    lease = await spool.lease(KIND, flush=True)
    lease.suspect = suspect
    await spool.intent(lease, lease.records[:4], "request")
    await spool.ack(lease, lease.records[:1], Receipt("request", datetime.now(UTC)))
    expected = AbandonedRecords.of(lease.records[1:], lease.records[1:4], suspect=suspect)
    await spool.abandon(lease, policy)
    counts = await spool.counts(KIND)
    held = len(expected.in_doubt) if policy is InDoubtPolicy.HOLD else 0
    assert (len(expected.in_doubt), len(expected.suspect) + len(expected.certain)) == (3, 2)
    assert counts.in_doubt == len(expected.in_doubt) + len(expected.suspect)
    assert (counts.delivered, counts.held, counts.waiting, counts.in_flight) == (1, held, 5 - held, 0)


@pytest.mark.parametrize("queue", ["", "ann"])
async def test_plays_that_are_being_sent_stay_so_when_as_many_others_are_settled(spool, queue):
    await spool.append(KIND, records([10] * 4, queue))
    lease = await spool.lease(KIND, flush=True)
    await spool.intent(lease, lease.records[:2], "request")
    await spool.release(lease, lease.records[2:])
    await spool.abandon(lease, InDoubtPolicy.HOLD)
    counts = await spool.counts(KIND)
    assert (counts.held, counts.in_doubt, counts.waiting, counts.in_flight) == (2, 2, 2, 0)
