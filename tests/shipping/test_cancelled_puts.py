"""A put that is cancelled at any step has accepted nothing; putting the play again doubles nothing."""

import asyncio
from collections import Counter
from contextlib import asynccontextmanager, suppress
from datetime import UTC, datetime

import pytest
from support.redis_server import NOT_INSTALLED, PROGRAM, shared_server
from support.steps import Proxy, at_step, slow_disk

from sevendigital_async import Checkpoint, LogKind, MemorySpool, SevenDigital, StreamLog, StreamLogShipper, failpoints
from sevendigital_async.sandbox import Sandbox
from sevendigital_async.shipping.spools.inspector import JournalOutcome
from sevendigital_async.shipping.spools.redis import RedisSpool
from sevendigital_async.shipping.spools.registry import open_inspector
from sevendigital_async.shipping.spools.sqlite import SqliteSpool

KIND = LogKind.CATALOGUE
SOURCE = "plays.jsonl"
SPOOLS = ("memory", "file", "slow file", "redis", "slow redis")


def play(track, user=None):
    return StreamLog(track, datetime.now(UTC), user_id=user, client_id="d", duration_played=30, country="GB")


class SpoolUnderTest:
    """A spool, and what its journal says."""

    def __init__(self, spool, journalled=None, *, is_shared=False, is_slow=False):
        self.spool = spool
        self.is_slow = is_slow
        self.journalled = journalled
        self.is_shared = is_shared

    async def in_doubt(self):
        if self.journalled is None:
            return Counter()
        inspector = open_inspector(self.journalled)
        found = [entry async for entry in inspector.journal() if entry.outcome is JournalOutcome.IN_DOUBT]
        await inspector.aclose()
        return Counter(entry.log.track_id for entry in found)


@asynccontextmanager
async def open_spool_under_test(name, tmp_path, monkeypatch, **options):
    match name.split():
        case ["memory"]:
            yield SpoolUnderTest(MemorySpool(**options))
        case [*slow, "file"]:
            if slow:
                monkeypatch.setattr(failpoints, "on_hit", slow_disk(0.003))
            path = tmp_path / "plays.db"
            yield SpoolUnderTest(SqliteSpool(path, **options), path, is_slow=bool(slow))
        case [*slow, "redis"]:
            if PROGRAM is None:
                pytest.skip(NOT_INSTALLED)
            shared_server().ask("FLUSHALL")
            async with Proxy(shared_server().port, 0.003) as proxy:
                url = proxy.url if slow else shared_server().url
                yield SpoolUnderTest(
                    RedisSpool(url, **options), shared_server().url, is_shared=True, is_slow=bool(slow)
                )


@pytest.fixture
async def sandbox():
    async with Sandbox(managed_users=True) as sandbox:
        yield sandbox


@pytest.fixture(params=SPOOLS)
async def subject(request, tmp_path, monkeypatch):
    async with open_spool_under_test(request.param, tmp_path, monkeypatch) as subject:
        yield subject


@asynccontextmanager
async def shipping(sandbox, subject, *, separate=False, **options):
    key = sandbox.credentials
    client = SevenDigital(key.consumer_key, key.consumer_secret, base_url=sandbox.base_url)
    lanes = {KIND: {"linger": 0.0, "initial_delay": 0.0, **options}}

    async def tokens(user):
        return sandbox.token_for(user)

    async with (
        client,
        StreamLogShipper(client, spool=subject.spool, lanes=lanes, user_tokens=tokens if separate else None) as shipper,
    ):
        yield shipper


async def check(sandbox, subject, tracks, statistics):
    """Everything has arrived, once; or the journal of a shared spool has the reason."""
    received = Counter(log.log["trackId"] for log in sandbox.received())
    in_doubt = await subject.in_doubt()
    assert set(received) == set(tracks)
    assert all(times <= 1 + in_doubt[track] for track, times in received.items())
    assert statistics.settled
    assert statistics.put == statistics.delivered == received.total()
    assert statistics.in_doubt == in_doubt.total()
    if not subject.is_shared:
        assert not in_doubt


# -- ways to cancel a put --


async def cancelled(put, number):
    task = asyncio.create_task(put())
    with at_step(number, task.cancel):
        await asyncio.wait([task])
    return task.cancelled()


async def cancelled_twice(put, number):
    task = asyncio.create_task(put())

    def cancel():
        task.cancel()
        task.cancel()

    with at_step(number, cancel):
        await asyncio.wait([task])
    return task.cancelled()


async def timed_out(put, number):
    async def limited():
        async with asyncio.timeout(None) as limit:
            loop = asyncio.get_running_loop()
            with at_step(number, lambda: limit.when() is None and limit.reschedule(loop.time())):
                await put()
            limit.reschedule(None)

    try:
        await limited()
    except TimeoutError:
        return True
    return False


async def cancelled_by_its_group(put, number):
    accepted, failing = False, asyncio.get_running_loop().create_future()

    async def member():
        nonlocal accepted
        await put()
        accepted = True

    with suppress(ExceptionGroup):
        async with asyncio.TaskGroup() as group:
            putting = group.create_task(member())
            group.create_task(fails(failing))
            with at_step(number, lambda: failing.set_exception(LookupError("another task"))):
                await asyncio.wait([putting])
            if not failing.done():
                failing.set_exception(LookupError("the end"))
    return not accepted


async def fails(failing):
    await failing


@pytest.mark.parametrize(
    ("cancel_put", "separate"),
    [
        (cancelled, False),
        (cancelled_twice, True),
        (timed_out, False),
        (timed_out, True),
        (cancelled_by_its_group, True),
    ],
)
async def test_a_put_that_is_cancelled_at_any_step_of_the_loop_can_be_repeated(sandbox, subject, separate, cancel_put):
    tracks, stopped = [], 0
    async with shipping(sandbox, subject, separate=separate) as shipper:
        for number in range(1_000):
            log = play(f"t{number}", f"u{number % 3}")
            tracks.append(log.track_id)
            if await cancel_put(lambda log=log: shipper.put(KIND, log), number):
                stopped += 1
                await shipper.put(KIND, log)
            elif number > stopped + 3:  # it was faster several times
                break
        assert stopped >= (0 if subject.journalled is None else 3)
        statistics = await shipper.flush(50)
    await check(sandbox, subject, tracks, statistics)


@pytest.mark.parametrize("separate", [False, True])
async def test_put_many_that_is_cancelled_at_any_step_withdraws_its_checkpoint(sandbox, subject, separate):
    tracks, position, stopped = [], "", 0
    async with shipping(sandbox, subject, separate=separate) as shipper:
        for number in range(1_000):
            logs = [play(f"t{number}-{index}", f"u{index % 3}") for index in range(4)]
            checkpoint = Checkpoint(SOURCE, f"{number}", after=position)
            tracks += [log.track_id for log in logs]

            def put(logs=logs, checkpoint=checkpoint):
                return shipper.put_many(KIND, logs, checkpoint=checkpoint)

            if await cancelled(put, number):
                stopped += 1
                assert (await shipper.position(SOURCE) or "") == position
                assert await put() == len(logs)
            position = checkpoint.position
            assert await shipper.position(SOURCE) == position
            if number > stopped + 3:
                break
        statistics = await shipper.flush(50)
        assert await shipper.position(SOURCE) == f"{number}"
    await check(sandbox, subject, tracks, statistics)


async def test_the_counts_are_of_acknowledged_plays(sandbox, subject):
    async with shipping(sandbox, subject, linger=60.0) as shipper:
        acknowledged = 0
        for number in range(1_000):
            if await cancelled(lambda: shipper.put(KIND, play("t")), number):
                statistics = await shipper.statistics()
                assert (statistics.put, statistics.waiting) == (acknowledged, acknowledged)
                await shipper.put(KIND, play("t"))
                acknowledged += 1
            else:
                break
            assert (await shipper.statistics()).put == acknowledged
    assert number > 0


@pytest.mark.parametrize("name", SPOOLS)
async def test_capacity_is_freed(sandbox, tmp_path, monkeypatch, name):
    async with (
        open_spool_under_test(name, tmp_path, monkeypatch, max_logs=10) as subject,
        shipping(sandbox, subject, linger=60.0) as shipper,
    ):
        for number in range(1_000):
            if not await cancelled(lambda: shipper.put_many(KIND, [play("t")] * 10), number):
                break
            await settled(shipper)
        assert (await shipper.statistics()).put == 10
        await shipper.flush(50)


async def settled(shipper):
    async with asyncio.timeout(60):
        while (await shipper.statistics()).put:
            await asyncio.sleep(0.001)


async def test_a_web_handler_with_a_time_limit_and_a_retry_doubles_nothing(sandbox, subject):
    """Each play is put again until it is accepted within a time that is often too short."""
    number = 40 if subject.is_slow else 100
    async with shipping(sandbox, subject) as shipper:

        async def handle(index):
            seconds = 0.0015
            while True:
                try:
                    return await asyncio.wait_for(shipper.put(KIND, play(f"t{index}")), seconds)
                except TimeoutError:
                    seconds *= 1.5  # a slow disk may never be that fast

        await asyncio.gather(*map(handle, range(number // 2)))
        for index in range(number // 2, number):
            await handle(index)
        statistics = await shipper.flush(50)
    await check(sandbox, subject, [f"t{index}" for index in range(number)], statistics)
