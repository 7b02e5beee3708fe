"""Deliveries and plays that are put share the writer's thread; neither keeps the other one waiting for long."""

import asyncio
import itertools
from datetime import UTC, datetime

import pytest
from support.clock import VirtualClock

from sevendigital_async import LogKind, failpoints
from sevendigital_async.shipping.records import Receipt, Record
from sevendigital_async.shipping.rules import lane_rules
from sevendigital_async.shipping.spools.base import SpoolContext
from sevendigital_async.shipping.spools.sqlite import SqliteSpool, SqliteSpoolInspector, writer
from sevendigital_async.shipping.spools.sqlite.file import SpoolFile
from sevendigital_async.shipping.spools.sqlite.writer import MAX_WEIGHT, SqliteWriter, WriterJob, WriterQueue

KIND = LogKind.CATALOGUE
NOW = datetime(2026, 1, 1, tzinfo=UTC)
RECEIPT = Receipt("request", NOW)


class Time:
    """Continues on request."""

    def __init__(self):
        self.now = 0.0

    def __call__(self):
        return self.now


@pytest.fixture
def time():
    return Time()


@pytest.fixture
def patient(monkeypatch):
    """Steps that are on their way always come in time, however slow this machine is."""
    monkeypatch.setattr(writer, "TRANSITION_GRACE_PERIOD", 20.0)


def job(weight=0):
    return WriterJob(lambda _: None, lambda _: None, weight)


def queued(queue, *weights):
    made = [job(weight) for weight in weights]
    for each in made:
        queue.put(each)
    return made


# -- who is next --


async def test_steps_go_first_and_plays_join_them(time):
    queue = WriterQueue(time)
    append, step, another = queued(queue, 10, 0, 0)
    assert queue.take_jobs(0) == [step, another, append]
    assert queue.take_jobs(0) == []


async def test_a_transaction_takes_in_so_many_plays_and_all_steps(time):
    queue = WriterQueue(time)
    first, second, third, step = queued(queue, MAX_WEIGHT - 1, 1, 1, 0)
    taken = queue.take_jobs(0)
    assert taken == [step, first, second]
    late = queued(queue, 0, 0)
    assert queue.take_more_jobs(taken) == late
    assert queue.take_jobs(0) == [third]


async def test_one_job_may_bring_more_than_fits(time):
    queue = WriterQueue(time)
    [large, _] = queued(queue, 3 * MAX_WEIGHT, 1)
    assert queue.take_jobs(0) == [large]


@pytest.mark.usefixtures("patient")
async def test_after_plays_steps_have_as_much_time(time):
    queue = WriterQueue(time)
    [append, step] = queued(queue, 500, 0)
    queue.take_jobs(0)
    time.now = 3.0
    queue.record_duration([append, step], 3.0)
    [more] = queued(queue, 500)
    taken = []
    while more not in taken:
        [step] = queued(queue, 0)
        taken = queue.take_jobs(0)
        assert taken[0] is step
        time.now += 0.5
        queue.record_duration(taken, 0.5)
    assert time.now == 3.0 + 3.0 + 0.5


async def test_plays_wait_for_no_steps_where_there_are_none(time):
    queue = WriterQueue(time)
    queue.record_duration(queued(queue, 500), 3.0)
    queue.take_jobs(0)
    queue.record_duration([job(500)], 3.0)
    appends = queued(queue, 500)
    assert queue.take_jobs(0) == appends


async def test_plays_do_not_wait_for_steps_that_do_not_come(time, monkeypatch):
    monkeypatch.setattr(writer, "TRANSITION_GRACE_PERIOD", 0.001)
    queue = WriterQueue(time)
    queue.record_duration([job(500), job()], 3.0)
    appends = queued(queue, 500, 500)
    assert queue.take_jobs(0) == appends


async def test_the_end_comes_after_everything(time):
    queue = WriterQueue(time)
    queue.record_duration([job(500), job()], 3.0)
    left = queued(queue, 500)
    queue.close()
    assert queue.take_jobs(10) == left
    assert queue.take_jobs(10) is None


# -- at work --


@pytest.mark.usefixtures("patient")
async def test_many_steps_are_done_for_each_transaction_with_plays(tmp_path, time):
    """A transaction with plays takes ten times as long as a step, so ten steps come before the next one."""
    writer = SqliteWriter(SpoolFile(tmp_path / "plays.db"), "", lambda _: False, "plays.db", clock=time)
    await writer.start()
    done, ends = {"appends": 0, "steps": 0}, asyncio.Event()

    async def producer():
        while not ends.is_set():
            await writer.submit(WriterJob(lambda _: setattr(time, "now", time.now + 1.0), lambda _: None, 500))
            done["appends"] += 1
            if done["appends"] >= 20:
                ends.set()

    async def consumer():
        while not ends.is_set():
            await writer.submit(WriterJob(lambda _: setattr(time, "now", time.now + 0.1), lambda _: None))
            done["steps"] += 1

    async with asyncio.timeout(60), asyncio.TaskGroup() as tasks:
        for work in (producer, producer, consumer):
            tasks.create_task(work())
    await writer.aclose()
    assert done["steps"] >= 5 * done["appends"]


async def open_spool(path, **options):
    spool = SqliteSpool(path, **options)
    await spool.open(SpoolContext(lane_rules({KIND: {"linger": 0.0}}), VirtualClock(), lambda _: None))
    return spool


def plays(numbers):
    return [Record(b'{"trackId":"n%d"}' % number, f"user-{number}", NOW) for number in numbers]


@pytest.mark.usefixtures("patient")
async def test_users_are_served_while_plays_of_many_users_keep_coming(tmp_path, monkeypatch):
    """One user a request: each delivery takes three steps, and each step a transaction at the most."""
    spool = await open_spool(tmp_path / "plays.db")
    numbers, done, ends = itertools.count(), {"appends": 0, "deliveries": 0}, asyncio.Event()

    def count(point):
        if point == "after append":
            done["appends"] += 1

    async def producer():
        while not ends.is_set():
            await spool.append(KIND, plays(itertools.islice(numbers, 500)))

    async def consumer():
        while not ends.is_set():
            async with leasing:  # as in a lane: one looks for the next batch
                lease = await spool.lease(KIND, flush=False)
            if lease is None:
                await asyncio.sleep(0)
                continue
            await spool.intent(lease, lease.records, "request")
            await spool.ack(lease, lease.records, RECEIPT)
            done["deliveries"] += 1
            if done["deliveries"] >= 150:
                ends.set()

    await spool.append(KIND, plays(itertools.islice(numbers, 500)))
    monkeypatch.setattr(failpoints, "on_hit", count)
    leasing = asyncio.Lock()
    async with asyncio.timeout(60), asyncio.TaskGroup() as tasks:
        for work in (producer,) * 4 + (consumer,) * 16:
            tasks.create_task(work())
    counts = await spool.counts(KIND)
    await spool.aclose()
    assert counts.delivered == done["deliveries"]
    assert counts.put == counts.delivered + counts.waiting + counts.in_flight
    assert done["deliveries"] >= 2 * done["appends"], done


# -- several batches are taken at once --


async def test_what_was_taken_and_not_handed_out_waits(tmp_path):
    clock = VirtualClock()
    spool = SqliteSpool(tmp_path / "plays.db")
    await spool.open(SpoolContext(lane_rules({KIND: {"linger": 60.0}}), clock, lambda _: None))
    for number in range(5):
        await spool.append(KIND, plays([number]))
        clock.elapsed += 10.0
    assert await spool.lease(KIND, flush=False) is None
    first = await spool.lease(KIND, flush=True)  # takes more than it hands out
    counts = await spool.counts(KIND)
    assert (counts.waiting, counts.in_flight) == (4, 1)
    assert await spool.oldest_age(KIND) == pytest.approx(40.0)
    assert await spool.due_in(KIND, flush=False) == 0
    inspector = SqliteSpoolInspector(tmp_path / "plays.db")
    status = await inspector.status()
    assert clock.time() - status.oldest[KIND].timestamp() == pytest.approx(50.0)  # in flight counts as waiting there
    await inspector.aclose()
    await spool.append(KIND, plays([1, 1]))  # their user's batch has been cut
    leases = [first]
    while lease := await spool.lease(KIND, flush=False):
        leases.append(lease)
    assert [lease.queue for lease in leases] == [f"user-{number}" for number in range(5)]
    assert [len(lease.records) for lease in leases] == [1] * 5
    for lease in leases:
        await spool.intent(lease, lease.records, "request")
        await spool.ack(lease, lease.records, RECEIPT)
    assert await spool.oldest_age(KIND) == pytest.approx(0.0, abs=1e-3)
    counts = await spool.counts(KIND)
    assert (counts.put, counts.delivered, counts.waiting) == (7, 5, 2)
    await spool.aclose()


async def test_batches_that_were_read_and_not_leased_wait_again_after_a_restart(tmp_path):
    spool = await open_spool(tmp_path / "plays.db")
    await spool.append(KIND, plays(range(40)))
    assert await spool.lease(KIND, flush=False) is not None
    await spool.aclose()
    spool = await open_spool(tmp_path / "plays.db")
    assert (await spool.counts(KIND)).waiting == 40
    taken = [lease.queue async for lease in leased(spool)]
    assert sorted(taken) == sorted({f"user-{number}" for number in range(40)})
    await spool.aclose()


async def test_what_was_taken_is_handed_out_though_the_linger_has_changed(tmp_path):
    path, clock = tmp_path / "plays.db", VirtualClock()
    for linger, number in ((600.0, 0), (1.0, 2)):
        spool = SqliteSpool(path)
        await spool.open(SpoolContext(lane_rules({KIND: {"linger": linger}}), clock, lambda _: None))
        await spool.append(KIND, plays([number, number + 1]))
        if number:
            for _ in range(4):
                assert await spool.due_in(KIND, flush=True) == 0
                assert await spool.lease(KIND, flush=True) is not None
        await spool.aclose()


async def leased(spool):
    while lease := await spool.lease(KIND, flush=False):
        yield lease
