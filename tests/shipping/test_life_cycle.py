"""A shipper is opened, used and closed in every wrong order, loop and state: it raises, and nothing hangs."""

import asyncio
import threading
from datetime import UTC, datetime

import pytest
from support.clock import VirtualClock, settle
from support.service import Service

from sevendigital_async import (
    ConfigurationError,
    ConnectError,
    LogKind,
    MemorySpool,
    SevenDigital,
    ShipperClosedError,
    ShipperFailedError,
    SpoolError,
    SpoolInUseError,
    StreamLog,
    StreamLogShipper,
)
from sevendigital_async.clock import SystemClock
from sevendigital_async.shipping import Counts
from sevendigital_async.shipping.lane import Lane
from sevendigital_async.shipping.spools.redis import RedisSpool
from sevendigital_async.shipping.spools.sqlite import SqliteSpool
from sevendigital_async.shipping.supervisor import Supervisor

TIME_LIMIT = 10.0
"""Seconds after which something hangs."""


def play(number=0):
    return StreamLog(f"t{number}", datetime.now(UTC))


class Metrics:
    def record(self, event):
        pass


def down(post):
    raise ConnectError("down")


@pytest.fixture
def service():
    return Service(SystemClock())


@pytest.fixture(params=["memory", "sqlite", "redis"])
def make_spool(request, tmp_path):
    if request.param == "redis":
        server = request.getfixturevalue("redis_server")
        return lambda: RedisSpool(server.url)
    return (lambda: SqliteSpool(tmp_path / "plays.db")) if request.param == "sqlite" else MemorySpool


def tasks_of(shipper):
    """Return the background tasks of a shipper: those that were started when it was opened."""
    return [task for task in asyncio.all_tasks() if task is not asyncio.current_task() and task not in shipper.before]


async def open_shipper(service, spool, **options):
    shipper = StreamLogShipper(service, spool=spool, metrics=Metrics(), close_timeout=1, **options)
    shipper.before = asyncio.all_tasks()
    await shipper.__aenter__()
    await asyncio.sleep(0.01)
    return shipper


async def failed(shipper):
    async with asyncio.timeout(TIME_LIMIT):
        while (await shipper.statistics()).failure is None:
            await asyncio.sleep(0)


def check_sum(statistics):
    total = statistics.total
    assert total.put == total.delivered + total.waiting + total.in_flight + total.buried + total.held


# -- tasks that end --


async def test_a_cancelled_background_task_fails_the_shipper(service, make_spool, caplog):
    shipper = await open_shipper(service, make_spool())
    names = sorted(task.get_name() for task in tasks_of(shipper))
    await shipper.aclose()
    assert len(names) >= 38
    for position in sorted({0, len(names) - 1, *(i for i, name in enumerate(names) if " worker " not in name)}):
        caplog.clear()
        shipper = await open_shipper(service, make_spool())
        task = sorted(tasks_of(shipper), key=lambda task: task.get_name())[position]
        task.cancel()
        await failed(shipper)
        for _ in range(2):
            with pytest.raises(ShipperFailedError, match=r"create a new one: .* was cancelled by code outside"):
                await shipper.put(LogKind.PREVIEW, play())
        with pytest.raises(ShipperFailedError):
            shipper.put_nowait(LogKind.PREVIEW, play())
        with pytest.raises(ShipperFailedError):
            await shipper.put_many(LogKind.PREVIEW, [play()])
        [record] = [record for record in caplog.records if getattr(record, "event", "") == "failed"]
        assert task.get_name() in record.getMessage()
        async with asyncio.timeout(TIME_LIMIT):
            statistics = await shipper.aclose()
        assert isinstance(statistics.failure, ShipperFailedError)
        assert statistics.in_flight == 0
        assert not tasks_of(shipper)


async def test_puts_under_way_raise_when_everything_is_cancelled(service, make_spool):
    service.behave = down
    spool = make_spool()
    with pytest.raises(ShipperFailedError):
        async with StreamLogShipper(service, spool=spool, close_timeout=1) as shipper:
            shipper.before = asyncio.all_tasks()
            mine = asyncio.current_task()
            puts = [asyncio.create_task(shipper.put(LogKind.PREVIEW, play(number))) for number in range(20)]
            await asyncio.sleep(0)
            for task in asyncio.all_tasks() - {mine, *puts}:
                task.cancel()
            async with asyncio.timeout(TIME_LIMIT):
                answers = await asyncio.gather(*puts, return_exceptions=True)
            assert all(answer is None or isinstance(answer, SpoolError | ShipperFailedError) for answer in answers)
            await shipper.put(LogKind.PREVIEW, play())
    check_sum(await shipper.statistics())


async def test_leaving_the_block_raises_if_a_task_was_cancelled(service):
    with pytest.raises(ShipperFailedError, match="'subscriber worker 7' was cancelled"):
        async with StreamLogShipper(service):
            [task] = [task for task in asyncio.all_tasks() if task.get_name() == "subscriber worker 7"]
            task.cancel()
            await settle()


async def test_an_error_of_the_block_is_not_hidden_by_a_failure(service):
    with pytest.raises(ZeroDivisionError):
        async with StreamLogShipper(service):
            for task in asyncio.all_tasks() - {asyncio.current_task()}:
                task.cancel()
            await settle()
            raise ZeroDivisionError


async def test_a_task_that_ends_by_itself_is_a_failure(service, monkeypatch):
    async def done(lane):
        return None

    clock = VirtualClock()
    monkeypatch.setattr(Lane, "_work", done)

    async def scenario():
        async with StreamLogShipper(service, clock=clock) as shipper:
            await settle()
            await shipper.put(LogKind.PREVIEW, play())

    with pytest.raises(ShipperFailedError, match="'preview worker 1' ended by itself"):
        await clock.run(scenario())


async def test_a_brief_task_may_end_but_not_fail():
    failures = []
    supervisor = Supervisor(failures.append, lambda: None)
    supervisor.start_finite(asyncio.sleep(0), "brief")
    await settle()
    assert not failures
    supervisor.start(asyncio.Event().wait(), "endless")
    error = ZeroDivisionError("alert")

    async def fail():
        raise error

    supervisor.start_finite(fail(), "alert")
    await settle()
    assert failures == [error]
    assert not supervisor.is_running
    supervisor.fail(ValueError("another"))
    assert failures == [error]
    await supervisor.stop()


async def test_an_error_of_another_task_while_closing_is_reported(service):
    class Failing(MemorySpool):
        async def abandon(self, lease, policy):
            await super().abandon(lease, policy)
            raise ZeroDivisionError("abandon")

    service.latency = 100
    shipper = StreamLogShipper(service, spool=Failing(), lanes={LogKind.PREVIEW: {"linger": 0.0}})
    with pytest.raises(ShipperFailedError, match="abandon"):
        async with shipper:
            await shipper.put(LogKind.PREVIEW, play())
            while not service.posts:
                await asyncio.sleep(0.001)
            statistics = await shipper.aclose(0.01)
            assert isinstance(statistics.failure, ZeroDivisionError)
            with pytest.raises(ShipperFailedError, match="abandon"):
                await shipper.put(LogKind.PREVIEW, play())


async def test_a_cancellation_raised_by_the_client_fails_the_shipper(service):
    async def cancel(post):
        raise asyncio.CancelledError

    service.behave = cancel
    with pytest.raises(ShipperFailedError, match="'preview worker"):
        async with StreamLogShipper(service, lanes={LogKind.PREVIEW: {"linger": 0.0}}) as shipper:
            await shipper.put(LogKind.PREVIEW, play())
            await failed(shipper)
            await shipper.put(LogKind.PREVIEW, play())
    statistics = await shipper.statistics()
    assert (statistics.put, statistics.waiting, statistics.in_doubt) == (1, 1, 1)


async def test_a_hook_may_close_the_shipper(service):
    closed = []

    async def on_delivered(delivery):
        closed.append(await shipper.aclose(0.05))

    shipper = StreamLogShipper(service, lanes={LogKind.PREVIEW: {"linger": 0.0}}, on_delivered=on_delivered)
    async with asyncio.timeout(TIME_LIMIT), shipper:
        await shipper.put(LogKind.PREVIEW, play())
        while not shipper._closed:
            await asyncio.sleep(0.001)
        assert (await shipper.aclose(0)).delivered == 1


# -- never opened, or not to be opened --


async def test_a_shipper_that_was_never_opened_closes_and_counts_zero(service, make_spool):
    shipper = StreamLogShipper(service, spool=make_spool())
    for _ in range(2):
        assert (await shipper.statistics()).total == Counts()
        assert (await shipper.flush(1)).settled
    with pytest.raises(ConfigurationError, match="not started"):
        await shipper.position("plays.jsonl")
    shipper.resume()
    for _ in range(2):
        assert (await shipper.aclose()).total == Counts()
    with pytest.raises(ConfigurationError, match="started only once"):
        await shipper.__aenter__()
    with pytest.raises(ShipperClosedError):
        await shipper.put(LogKind.PREVIEW, play())
    with pytest.raises(ShipperClosedError):
        await shipper.position("plays.jsonl")


async def test_a_shipper_that_could_not_be_opened_closes_and_raises_the_first_error(service, tmp_path):
    (tmp_path / "plays.db").write_bytes(b"no spool" * 1000)
    for spool in (tmp_path / "plays.db", tmp_path, "redis://127.0.0.1:1/0"):
        shipper = StreamLogShipper(service, spool=str(spool))
        with pytest.raises(SpoolError):
            async with shipper:
                pass
        assert (await shipper.statistics()).total == Counts()
        assert (await shipper.aclose()).total == Counts()
        with pytest.raises(ShipperClosedError):
            await shipper.put(LogKind.PREVIEW, play())


async def test_opening_may_be_tried_again(service, tmp_path):
    shipper = StreamLogShipper(service, spool=SqliteSpool(tmp_path / "plays.db"))
    async with StreamLogShipper(service, spool=tmp_path / "plays.db"):
        with pytest.raises(SpoolInUseError):
            await shipper.__aenter__()
    async with shipper:
        await shipper.put(LogKind.PREVIEW, play())
    assert (await shipper.statistics()).delivered == 1


async def test_a_shipper_is_started_once(service):
    async with StreamLogShipper(service) as shipper:
        with pytest.raises(ConfigurationError, match="started only once"):
            await shipper.__aenter__()
    with pytest.raises(ConfigurationError, match="started only once"):
        await shipper.__aenter__()


async def test_a_spool_serves_one_shipper(service, make_spool):
    service.behave = down
    spool = make_spool()
    async with StreamLogShipper(service, spool=spool, close_timeout=0.1) as shipper:
        await shipper.put(LogKind.PREVIEW, play())
        other = StreamLogShipper(service, spool=spool)
        with pytest.raises(SpoolInUseError):
            await other.__aenter__()
        assert (await other.aclose()).total == Counts()
        await shipper.put(LogKind.PREVIEW, play())
    assert (await shipper.statistics()).waiting == 2
    with pytest.raises(SpoolInUseError):
        await StreamLogShipper(service, spool=spool).__aenter__()


async def turns_of(work):
    """Return how many steps of the loop some work takes."""
    task, steps = asyncio.create_task(work), 0
    while not task.done():
        await asyncio.sleep(0)
        steps += 1
    await task
    return steps


async def test_opening_that_is_cancelled_at_any_step_leaves_no_task(service, tmp_path):
    async def measure():
        shipper = StreamLogShipper(service, spool=tmp_path / "plays.db")
        await shipper.__aenter__()
        await shipper.aclose(0)

    steps = min(80, await turns_of(measure()))
    for step in range(steps):
        shipper = StreamLogShipper(service, spool=tmp_path / "plays.db")
        before = asyncio.all_tasks()
        opening = asyncio.create_task(shipper.__aenter__())
        for _ in range(step):
            await asyncio.sleep(0)
        opening.cancel()
        await asyncio.wait([opening])
        statistics = await shipper.aclose(0)
        assert statistics.failure is None
        assert asyncio.all_tasks() <= before
    async with StreamLogShipper(service, spool=tmp_path / "plays.db") as shipper:
        await shipper.put(LogKind.PREVIEW, play())


@pytest.mark.parametrize("step", range(0, 30, 3))
async def test_closing_while_it_opens_ends_both(service, tmp_path, step):
    shipper = StreamLogShipper(service, spool=tmp_path / "plays.db")
    opening = asyncio.create_task(shipper.__aenter__())
    for _ in range(step):
        await asyncio.sleep(0)
    async with asyncio.timeout(TIME_LIMIT):
        await shipper.aclose(0)
        await asyncio.wait([opening])
    if not opening.exception():
        await shipper.aclose(0)
    else:
        assert isinstance(opening.exception(), ShipperClosedError | ConfigurationError)
    with pytest.raises(ShipperClosedError):
        await shipper.put(LogKind.PREVIEW, play())
    async with StreamLogShipper(service, spool=tmp_path / "plays.db"):
        pass


# -- other loops --


def elsewhere(work):
    """Run something in an event loop of another thread, with a time limit."""
    answers = []

    async def limited():
        async with asyncio.timeout(TIME_LIMIT):
            return await work()

    def run():
        try:
            answers.append(asyncio.run(limited()))
        except BaseException as error:  # noqa: BLE001 - looked at by the test
            answers.append(error)

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    thread.join(2 * TIME_LIMIT)
    return answers[0]


USES = {
    "put": lambda shipper: shipper.put(LogKind.PREVIEW, play()),
    "put_many": lambda shipper: shipper.put_many(LogKind.PREVIEW, [play()]),
    "flush": lambda shipper: shipper.flush(),
    "statistics": lambda shipper: shipper.statistics(),
    "aclose": lambda shipper: shipper.aclose(),
    "position": lambda shipper: shipper.position("plays.jsonl"),
}
PLAIN_USES = {
    "put_nowait": lambda shipper: shipper.put_nowait(LogKind.PREVIEW, play()),
    "resume": lambda shipper: shipper.resume(),
}


def wrapped(use):
    async def work(shipper):
        return use(shipper)

    return work


@pytest.mark.parametrize("use", USES | PLAIN_USES)
async def test_calls_from_another_loop_raise_at_once(service, make_spool, use):
    work = USES.get(use) or wrapped(PLAIN_USES[use])
    async with StreamLogShipper(service, spool=make_spool()) as shipper:
        error = await asyncio.to_thread(elsewhere, lambda: work(shipper))
        assert isinstance(error, ConfigurationError)
        assert "another event loop" in str(error)
        if use in PLAIN_USES:
            with pytest.raises(ConfigurationError, match="another event loop"):
                await asyncio.to_thread(PLAIN_USES[use], shipper)
        await shipper.put(LogKind.PREVIEW, play())
    assert (await shipper.statistics()).put == 1
    final = await asyncio.to_thread(elsewhere, shipper.statistics)
    assert final == await asyncio.to_thread(elsewhere, shipper.aclose) == await shipper.statistics()
    assert isinstance(await asyncio.to_thread(elsewhere, lambda: USES["put"](shipper)), ShipperClosedError)


@pytest.mark.parametrize("use", USES | PLAIN_USES)
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_a_closed_loop_accepts_nothing(use):
    loop = asyncio.new_event_loop()
    shipper = StreamLogShipper(Service(SystemClock()))
    loop.run_until_complete(shipper.__aenter__())
    tasks = asyncio.all_tasks(loop)
    for task in tasks:
        task.cancel()
    loop.run_until_complete(asyncio.wait(tasks))
    loop.close()
    shipper._failure = None  # as if the tasks had been left alone
    if use in PLAIN_USES:
        with pytest.raises(ConfigurationError, match="another event loop"):
            PLAIN_USES[use](shipper)
    else:
        with pytest.raises(ConfigurationError, match="another event loop"):
            asyncio.run(USES[use](shipper))


# -- closing --


async def test_closing_several_times_at_once_closes_once(service, make_spool):
    service.behave = down
    shipper = await open_shipper(service, make_spool())
    await shipper.put_many(LogKind.PREVIEW, [play(number) for number in range(5)])
    async with asyncio.timeout(TIME_LIMIT):
        flushing = asyncio.create_task(shipper.flush())
        statistics = await asyncio.gather(*(shipper.aclose(0.2) for _ in range(5)))
        check_sum(await flushing)
    assert {each.waiting for each in statistics} == {5}
    assert await shipper.aclose() == statistics[0]
    assert not tasks_of(shipper)


async def test_a_second_close_may_be_quicker_than_the_first(service):
    service.behave = down
    shipper = await open_shipper(service, None)
    await shipper.put(LogKind.PREVIEW, play())
    patient = asyncio.create_task(shipper.aclose(1000))
    await asyncio.sleep(0.01)
    async with asyncio.timeout(TIME_LIMIT):
        await shipper.aclose(0)
        assert (await patient).waiting == 1


async def test_closing_that_is_cancelled_at_any_step_still_closes(service, tmp_path):
    service.behave = down
    for step in range(1, 41):
        shipper = await open_shipper(service, tmp_path / "plays.db")
        await shipper.put(LogKind.PREVIEW, play())
        closing = asyncio.create_task(shipper.aclose(0.005))
        for _ in range(step):
            await asyncio.sleep(0)
        closing.cancel()
        await asyncio.wait([closing])
        with pytest.raises(ShipperClosedError):
            await shipper.put(LogKind.PREVIEW, play())
        async with asyncio.timeout(TIME_LIMIT):
            statistics = await shipper.aclose(0)
        assert (statistics.waiting, statistics.failure) == (step, None)
        assert not tasks_of(shipper)


async def test_everything_is_cancelled_while_it_closes(service, tmp_path):
    service.behave = down
    for step in range(0, 60, 2):
        shipper = await open_shipper(service, tmp_path / "plays.db")
        closing = asyncio.create_task(shipper.aclose(0.001))
        for _ in range(step):
            await asyncio.sleep(0)
        for task in tasks_of(shipper):
            task.cancel()
        await asyncio.wait([closing])
        async with asyncio.timeout(TIME_LIMIT):
            await asyncio.gather(shipper.aclose(0), return_exceptions=True)
            while tasks_of(shipper):
                await asyncio.sleep(0)


@pytest.mark.parametrize("leave", [ZeroDivisionError, asyncio.CancelledError])
async def test_an_error_under_way_passes_through_the_closing(service, leave):
    service.behave = down
    with pytest.raises(leave):
        async with StreamLogShipper(service, close_timeout=0.05) as shipper:
            await shipper.put(LogKind.PREVIEW, play())
            raise leave
    assert (await shipper.statistics()).waiting == 1


async def test_puts_that_wait_end_with_the_shipper_in_every_way(service, make_spool):
    service.behave = down
    spool = make_spool()
    if isinstance(spool, MemorySpool):
        spool = MemorySpool(max_logs=10)
    shipper = await open_shipper(service, spool)
    kind = LogKind.CATALOGUE
    puts = [asyncio.create_task(shipper.put(kind, play(number))) for number in range(600)]
    puts += [asyncio.create_task(shipper.put_many(kind, [play(number)] * 5)) for number in range(20)]
    await asyncio.sleep(0)
    async with asyncio.timeout(TIME_LIMIT):
        await shipper.aclose(0)
        answers = await asyncio.gather(*puts, return_exceptions=True)
    accepted = sum(answer or 1 for answer in answers if not isinstance(answer, Exception))
    assert all(isinstance(answer, ShipperClosedError) for answer in answers if isinstance(answer, Exception))
    assert (await shipper.statistics()).put == accepted


async def test_a_client_that_is_closed_first_raises_an_alert_and_loses_nothing(caplog):
    client = SevenDigital("key", "secret", base_url="http://127.0.0.1:1")
    alerts = []
    async with StreamLogShipper(client, on_alert=lambda kind, alert: alerts.append((kind, alert))) as shipper:
        await client.aclose()
        for kind in LogKind:
            await shipper.put(kind, play())
        statistics = await shipper.flush()
    assert (statistics.waiting, statistics.in_doubt, statistics.failure) == (3, 0, None)
    assert {kind for kind, _ in alerts} == set(LogKind)
    assert all("the client is closed" in alert.message for _, alert in alerts)
    assert caplog.text.count("the client is closed") == 3


# -- what is put --


async def test_a_kind_may_be_given_by_name(service, make_spool):
    async with StreamLogShipper(service, spool=make_spool()) as shipper:
        await shipper.put("preview", play(1))
        shipper.put_nowait("catalogue", play(2))
        await shipper.put_many("subscriber", [play(3)])
        statistics = await shipper.flush()
        shipper.resume("preview")
    assert statistics.delivered == 3
    assert {kind for kind, _ in service.saved} == set(LogKind)


@pytest.mark.parametrize("kind", ["Preview", "", None, 0, [], {}, b"preview", LogKind])
async def test_an_unknown_kind_is_refused(service, kind):
    async with StreamLogShipper(service) as shipper:
        for put in (
            lambda: shipper.put(kind, play()),
            lambda: shipper.put_many(kind, [play()]),
            lambda: wrapped(lambda shipper: shipper.put_nowait(kind, play()))(shipper),
        ):
            with pytest.raises(ValueError, match="kind must be one of preview, catalogue, subscriber") as caught:
                await put()
            assert caught.value.field == "kind"
        if kind is not None:
            with pytest.raises(ConfigurationError, match="kind must be one of"):
                shipper.resume(kind)


@pytest.mark.parametrize("log", [None, "t", {"track_id": "t"}, 7, StreamLog, ("t", None), b"{}"])
async def test_an_object_that_is_not_a_play_is_refused(service, log):
    async with StreamLogShipper(service) as shipper:
        for put in (
            lambda: shipper.put(LogKind.PREVIEW, log),
            lambda: shipper.put_many(LogKind.PREVIEW, [play(), log]),
            lambda: wrapped(lambda shipper: shipper.put_nowait(LogKind.PREVIEW, log))(shipper),
        ):
            with pytest.raises(ValueError, match=f"StreamLog, not an object of type {type(log).__name__}|must be"):
                await put()
        assert (await shipper.statistics()).put == 0


async def test_an_error_inside_a_play_is_not_taken_for_a_wrong_type(service):
    async with StreamLogShipper(service) as shipper:
        log = play()
        del log.client_id
        with pytest.raises(AttributeError, match="client_id"):
            await shipper.put(LogKind.PREVIEW, log)
        with pytest.raises(AttributeError, match="client_id"):
            await shipper.put_many(LogKind.PREVIEW, [log])


async def test_a_checkpoint_of_the_wrong_type_is_refused(service):
    async with StreamLogShipper(service, spool=MemorySpool(max_logs=1)) as shipper:
        for _ in range(2):
            with pytest.raises(ConfigurationError, match="must be a Checkpoint, not an object of type str"):
                await shipper.put_many(LogKind.PREVIEW, [play()], checkpoint="line 5")
        await shipper.put(LogKind.PREVIEW, play())
