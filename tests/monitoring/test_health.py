"""Stalls of a lane and of the spool, on a virtual clock."""

import asyncio
import operator
from datetime import UTC, datetime

import pytest
from support.clock import VirtualClock, settle
from support.service import Service

from sevendigital_async import (
    AuthenticationError,
    DisconnectedError,
    LogKind,
    NotFoundError,
    RateLimitError,
    StreamLog,
    StreamLogShipper,
)
from sevendigital_async.clock import SystemClock
from sevendigital_async.monitoring import HealthMonitor
from sevendigital_async.shipping import LaneStatistics, Statistics, metrics
from sevendigital_async.shipping.events import SpoolAlertChanged
from sevendigital_async.shipping.records import StaleCounts
from sevendigital_async.shipping.spools.sqlite import SqliteSpool

KIND = LogKind.PREVIEW
STALLED_AFTER = 60.0


class Watched:
    """A shipper and its health, on a virtual clock."""

    def __init__(self, behave=None, *, latency=0.25, spool=None, clock=None, **options):
        self.clock = clock or VirtualClock()
        self.service = Service(self.clock, behave, latency=latency)
        self.health = HealthMonitor(STALLED_AFTER, self.clock)
        self.shipper = StreamLogShipper(
            self.service, clock=self.clock, metrics=self.health, spool=spool, close_timeout=0.0, **options
        )

    async def put(self, number=3):
        now = datetime.fromtimestamp(self.clock.time(), UTC)
        await self.shipper.put_many(KIND, [StreamLog(f"t{index}", now) for index in range(number)])

    async def liveness_problems(self):
        return self.health.liveness_problems(await self.shipper.statistics())

    async def readiness_problems(self):
        return self.health.readiness_problems(await self.shipper.statistics())

    async def after(self, seconds, *, put=True):
        """Return what is stalled, and what keeps the shipper from being ready, some time after a put."""

        async def play():
            async with self.shipper:
                self.health.start()
                if put:
                    await self.put()
                await self.clock.sleep(seconds)
                return await self.liveness_problems(), await self.readiness_problems()

        return await self.clock.run(play())


def raising(error):
    def behave(post):
        raise error

    return behave


async def test_a_lane_without_plays_is_alive_for_any_time():
    watched = Watched()
    assert await watched.after(1e4, put=False) == ([], [])
    assert not watched.health.is_key_accepted


async def test_a_lane_that_delivers_is_alive_and_the_key_is_accepted():
    watched = Watched()
    assert await watched.after(1e3) == ([], [])
    assert watched.health.is_key_accepted
    assert sum(watched.service.saved.values()) == 3


@pytest.mark.parametrize(("seconds", "is_alive"), [(30, True), (90, False)])
async def test_a_service_that_never_answers_makes_the_lane_stand_still(seconds, is_alive):
    liveness_problems, readiness_problems = await Watched(latency=1e6).after(seconds)
    assert readiness_problems == []
    if is_alive:
        assert liveness_problems == []
    else:
        [line] = liveness_problems
        assert line.startswith("the preview lane is stalled: no request was answered for ")


async def test_lost_answers_and_a_circuit_that_is_open_are_a_standstill():
    watched = Watched(raising(DisconnectedError("hung up")))
    liveness_problems, _ = await watched.after(300)
    assert len(watched.service.posts) > 5
    assert ["preview" in line for line in liveness_problems] == [True]


async def test_a_lane_that_moves_again_is_alive_again():
    watched = Watched(raising(DisconnectedError("hung up")))

    async def play():
        async with watched.shipper:
            await watched.put()
            await watched.clock.sleep(300)
            before = await watched.liveness_problems()
            watched.service.behave = None
            await watched.clock.sleep(30)
            return before, await watched.liveness_problems()

    before, after = await watched.clock.run(play())
    assert before
    assert after == []


async def test_a_lane_that_waits_because_the_service_asks_for_it_is_alive():
    watched = Watched(raising(RateLimitError("slow down", status=429, retry_after=1800.0)))
    assert await watched.after(1500) == ([], [])


async def test_a_refused_key_is_no_standstill_but_the_shipper_is_not_ready():
    watched = Watched(raising(AuthenticationError("bad signature", status=401)))
    liveness_problems, readiness_problems = await watched.after(600)
    assert liveness_problems == []
    [line] = readiness_problems
    assert line.startswith("preview: the partner's credentials are refused")
    assert not watched.health.is_key_accepted


async def test_a_suspended_lane_is_no_standstill_because_a_restart_would_not_help():
    watched = Watched(raising(NotFoundError("no such path", status=404)))
    liveness_problems, _ = await watched.after(600)
    assert liveness_problems == []


async def test_incomplete_batches_that_linger_are_no_standstill():
    watched = Watched(lanes={KIND: {"linger": 1000.0}})
    assert await watched.after(900) == ([], [])
    assert not watched.service.posts


async def test_a_shipper_that_has_failed_is_neither_alive_nor_ready():
    watched = Watched()

    async def play():
        await watched.shipper.__aenter__()
        next(task for task in asyncio.all_tasks() if task.get_name().endswith("worker 1")).cancel()
        await watched.clock.sleep(1)
        lines = await watched.liveness_problems(), await watched.readiness_problems()
        await watched.shipper.aclose(0)
        return lines

    for [line] in await watched.clock.run(play()):
        assert line.startswith("the shipper has failed: ")


class ManualClock(SystemClock):
    """Real time that a test can add to."""

    def __init__(self):
        self.added = 0.0

    def monotonic(self):
        return super().monotonic() + self.added


@pytest.fixture
def watched_file(tmp_path, monkeypatch):
    """A shipper with a spool on the failing disk; a thread writes to it, so time is real, and measured often."""
    monkeypatch.setattr(metrics, "GAUGE_INTERVAL", 0.02)
    return Watched(spool=SqliteSpool(tmp_path / "plays.db"), clock=ManualClock(), latency=0.0)


async def until(condition, problems):
    """Wait until a condition holds for the list of problems; return that."""
    async with asyncio.timeout(60):
        while not condition(found := await problems()):
            await asyncio.sleep(0.01)
    return found


@pytest.mark.parametrize("error", ["SQLITE_IOERR", "SQLITE_FULL"])
async def test_a_disk_that_refuses_writes_is_reported_until_it_takes_them_again(tmp_path, disk, watched_file, error):
    watched = watched_file
    async with watched.shipper:
        watched.health.start()
        disk.error = error
        putting = asyncio.create_task(watched.put())
        for problems in (watched.liveness_problems, watched.readiness_problems):
            [line] = await until(len, problems)
            assert line.startswith("the spool accepts no plays: ")
            assert str(tmp_path / "plays.db") in line
        disk.error = None
        await putting
        assert await until(operator.not_, watched.liveness_problems) == []
        statistics = await watched.shipper.flush(50)
    assert statistics.delivered == sum(watched.service.saved.values()) == 3


async def test_a_disk_that_stands_still_is_a_standstill_though_no_play_waits(disk, watched_file):
    watched = watched_file
    async with watched.shipper:
        watched.health.start()
        disk.stop()
        await disk.has_stopped()
        await settle()
        assert await watched.liveness_problems() == []
        watched.clock.added += STALLED_AFTER
        [line] = await watched.liveness_problems()
        assert line.startswith("the spool is stalled: it has not answered for 6")
        disk.go_on.set()
        assert await until(operator.not_, watched.liveness_problems) == []


def test_a_spool_whose_counts_are_not_current_is_not_ready():
    lanes = {KIND: LaneStatistics(StaleCounts(), 0, 0, None)}
    health = HealthMonitor(STALLED_AFTER, VirtualClock())
    assert health.readiness_problems(Statistics(lanes)) == ["the spool does not answer"]
    assert health.liveness_problems(Statistics(lanes)) == []


async def test_lost_plays_of_a_spool_that_works_are_no_standstill():
    watched = Watched()

    async def play():
        async with watched.shipper:
            watched.shipper._sink.emit(SpoolAlertChanged("the spool has lost 3 plays", is_blocking=False))
            await watched.clock.sleep(20)
            return await watched.liveness_problems()

    assert await watched.clock.run(play()) == []
