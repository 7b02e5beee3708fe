"""Batches with bad logs, with and without positions, saved in part or not."""

import asyncio
import math
import random
from datetime import UTC, datetime

from hypothesis import example, given, settings
from hypothesis import strategies as st
from support.clock import VirtualClock
from support.service import Service

from sevendigital_async import APIError, BatchError, ItemError, LogKind, MemorySpool, StreamLog, StreamLogShipper

SIZES = st.integers(1, 20)


class Journalling(MemorySpool):
    """Remembers which plays were marked as possible doubles, as a durable spool writes them down."""

    def __init__(self):
        super().__init__()
        self.doubted = set()

    async def mark_in_doubt(self, lease, records, policy, *, delay=0.0):
        await super().mark_in_doubt(lease, records, policy, delay=delay)
        self.doubted.update(StreamLog.decode(record.body).track_id for record in records)


def unindexed(tracks, bad, rng):
    return APIError("something is wrong in there", code=1002, status=400)


def indexed(tracks, bad, rng):
    items = [ItemError(index, 1002, "bad") for index, track in enumerate(tracks) if track in bad]
    return BatchError("invalid items", code=1008, status=400, errors=items)


def wrongly_indexed(tracks, bad, rng):
    """Name good logs in place of bad ones; or invalid positions."""
    good = [index for index, track in enumerate(tracks) if track not in bad]
    named = rng.sample(good, rng.randint(0, len(good)))
    nonsense = rng.choice([[], [-1], [len(tracks)], [None], named[:1]])
    items = [ItemError(index, 1002, "bad") for index in named + nonsense] or [ItemError(-1, 1002, "bad")]
    return BatchError("invalid items", code=1008, status=400, errors=items)


def isolate(kind, tracks, bad, refusal, *, seed=0, saves_parts=False):
    """Ship one batch; returns service, spool, statistics and dead letters."""
    clock, rng, spool, dead_letters = VirtualClock(), random.Random(seed), Journalling(), []
    service = Service(clock)
    sent = set()

    def behave(post):
        if kind is not LogKind.PREVIEW:
            assert sent & set(post.tracks) <= spool.doubted, "sent again before that was written down"
        sent.update(post.tracks)
        if bad.intersection(post.tracks):
            if saves_parts:
                good = [track for track in post.tracks if track not in bad]
                service.saved.update((kind, track) for track in rng.sample(good, rng.randint(0, len(good))))
            raise refusal(post.tracks, bad, rng)

    service.behave = behave

    async def play():
        async with StreamLogShipper(service, clock=clock, spool=spool, on_dead_letter=dead_letters.append) as shipper:
            now = datetime.fromtimestamp(clock.time(), UTC)
            await shipper.put_many(kind, [StreamLog(track, now) for track in tracks])
            return await shipper.flush()

    statistics = asyncio.run(clock.run(play(), until=3600))
    assert statistics.failure is None
    return service, spool, statistics, [dead_letter.log.track_id for dead_letter in dead_letters]


@st.composite
def batches(draw, size=SIZES):
    tracks = [f"t{index}" for index in range(draw(size))]
    return tracks, set(draw(st.lists(st.sampled_from(tracks), min_size=1, unique=True)))


@settings(max_examples=60)
@given(
    st.sampled_from([LogKind.CATALOGUE, LogKind.SUBSCRIBER]),
    batches(),
    st.sampled_from([unindexed, indexed, wrongly_indexed]),
    st.integers(0, 999),
)
def test_a_service_that_saves_a_part_and_then_refuses(kind, batch, refusal, seed):
    tracks, bad = batch
    service, spool, statistics, buried = isolate(kind, tracks, bad, refusal, seed=seed, saves_parts=True)
    assert sorted(buried) == sorted(bad)
    assert statistics.delivered == len(tracks) - len(bad)
    assert {track for _, track in service.saved} == set(tracks) - bad
    doubles = {track for (_, track), times in service.saved.items() if times > 1}
    assert doubles <= spool.doubted
    assert statistics.in_doubt == len(spool.doubted)


@settings(max_examples=60)
@given(batches(), st.sampled_from([indexed, wrongly_indexed, unindexed]), st.integers(0, 999))
def test_atomic_batches_leave_no_doubt_and_no_double(batch, refusal, seed):
    tracks, bad = batch
    service, spool, statistics, buried = isolate(LogKind.PREVIEW, tracks, bad, refusal, seed=seed)
    assert sorted(buried) == sorted(bad)
    assert set(service.saved.values()) <= {1}
    assert {track for _, track in service.saved} == set(tracks) - bad
    assert (statistics.in_doubt, spool.doubted) == (0, set())


@settings(max_examples=60)
@given(batches(st.integers(1, 500)))
@example(([f"t{index}" for index in range(500)], {f"t{index}" for index in range(17)}))
def test_halving_needs_a_bounded_number_of_requests(batch):
    tracks, bad = batch
    service, _, _, buried = isolate(LogKind.PREVIEW, tracks, bad, unindexed)
    assert sorted(buried) == sorted(bad)
    n, k = len(tracks), len(bad)
    assert len(service.posts) <= 2 * k * math.ceil(math.log2(n / k)) + 2 * k + 1
