"""The user's functions raise, hang and are cancelled: none ends or blocks a lane, and all are logged."""

import asyncio
import logging
from collections import ChainMap
from collections.abc import Mapping
from datetime import UTC, datetime
from types import MappingProxyType

import pytest
from support.clock import EPOCH, VirtualClock, settle
from support.service import Service, refuse_bad

from sevendigital_async import (
    AuthenticationError,
    ConfigurationError,
    LogKind,
    MemorySpool,
    ServerError,
    ShipperFailedError,
    StreamLog,
    StreamLogShipper,
    UserToken,
)

NOW = datetime.fromtimestamp(EPOCH, UTC)
TOKEN = UserToken("token", "secret")
BROKEN = [f"broken{number}" for number in range(40)]
"""More users than a lane has workers."""


def plays(user, number=1):
    return [StreamLog(f"{user}-{index}", NOW, user_id=user) for index in range(number)]


@pytest.fixture
def clock():
    return VirtualClock()


@pytest.fixture
def service(clock):
    return Service(clock)


def shipping(clock, service, scenario, **options):
    async def play():
        shipper = StreamLogShipper(service, clock=clock, **options)
        async with shipper:
            result = await scenario(shipper)
        return result, await shipper.statistics()

    return clock.run(play())


async def cancelled():
    task = asyncio.create_task(asyncio.Event().wait())
    task.cancel()
    await task


async def raising(error):
    raise error


async def self_cancelling():
    asyncio.current_task().cancel()
    await asyncio.sleep(1)


async def elsewhere():
    return TOKEN


def thrown(error):
    raise error


def _failed_future():
    future = asyncio.get_running_loop().create_future()
    future.set_exception(LookupError("later"))
    return future


# What a lookup or a hook may do instead of its work: itself, and what is said about it.
FAILURES = {
    "an error": (lambda: raising(LookupError("no such shard")), "raised LookupError('no such shard')"),
    "a cancelled task": (cancelled, "was cancelled"),
    "CancelledError": (lambda: raising(asyncio.CancelledError()), "was cancelled"),
    "cancels itself": (self_cancelling, "was cancelled"),
    "a plain CancelledError": (lambda: thrown(asyncio.CancelledError("x")), "raised CancelledError('x')"),
    "TimeoutError": (lambda: raising(TimeoutError("slow")), "raised TimeoutError('slow')"),
    "GeneratorExit": (lambda: raising(GeneratorExit()), "raised GeneratorExit()"),
    "a plain GeneratorExit": (lambda: thrown(GeneratorExit()), "raised GeneratorExit()"),
    "StopIteration": (lambda: thrown(StopIteration()), "raised StopIteration()"),
    "a group": (lambda: raising(BaseExceptionGroup("x", [asyncio.CancelledError()])), "raised BaseExceptionGroup("),
    "a custom exception": (lambda: raising(type("Odd", (BaseException,), {})("odd")), "raised Odd('odd')"),
    "a future": (_failed_future, "raised LookupError('later')"),
    "hangs": (lambda: asyncio.Event().wait(), "took longer than 30 s"),
}
WRONG_TYPES = {
    "text": (lambda: "secret-token", "returned an object of type str; it must return a UserToken or None"),
    "a pair": (lambda: ("t", "s"), "returned an object of type tuple"),
    "an empty text": (lambda: "", "returned an object of type str"),
    "a missing await": (lambda: asyncio.sleep(0, elsewhere()), "returned an object of type coroutine"),
    "the class": (lambda: UserToken, "returned an object of type type"),
}


@pytest.mark.parametrize("failure", FAILURES | WRONG_TYPES)
async def test_a_failed_lookup_delays_only_its_user(clock, service, failure):
    act, words = (FAILURES | WRONG_TYPES)[failure]
    works = False
    alerts = []

    def token_of(user_id):
        return act() if user_id in BROKEN and not works else TOKEN

    async def scenario(shipper):
        nonlocal works
        for user in BROKEN:
            await shipper.put_many(LogKind.CATALOGUE, plays(user, 2))
        for number in range(100):
            await shipper.put_many(LogKind.CATALOGUE, plays(f"good{number}"))
        first = await shipper.flush(120)
        works = True
        await clock.sleep(200)
        return first, await shipper.flush()

    (first, last), _ = await shipping(
        clock, service, scenario, user_tokens=token_of, on_alert=lambda kind, alert: alerts.append(alert)
    )
    assert (first.delivered, first.waiting + first.in_flight, first.failure) == (100, 80, None)
    assert not first.alerts  # the lane itself is well
    assert {alert.user_id for alert in alerts} == set(BROKEN)
    assert all(words in alert.message and "secret-token" not in alert.message for alert in alerts)
    assert (last.delivered, last.in_doubt) == (180, 0)


async def test_a_lookup_has_as_long_as_the_shipper_allows(clock, service):
    async def token_of(user_id):
        await clock.sleep(5 if user_id == "slow" else 3)
        return TOKEN

    async def scenario(shipper):
        for user in ("slow", "quick"):
            await shipper.put_many(LogKind.CATALOGUE, plays(user))
        return await shipper.flush()

    statistics, _ = await shipping(clock, service, scenario, user_tokens=token_of, lookup_timeout=4, close_timeout=0)
    assert (statistics.delivered, statistics.waiting) == (1, 1)
    assert [post.users for post in service.posts] == [{"quick"}]


async def test_a_failed_lookup_does_not_change_the_circuit_breaker(clock, service):
    """The circuit stays open while lookups fail, and the partner's key is not suspected."""

    def behave(post):
        raise ServerError("down", status=503)

    service.behave = behave

    def token_of(user_id):
        return thrown(LookupError("x")) if user_id in BROKEN else TOKEN

    async def scenario(shipper):
        for number in range(30):
            await shipper.put_many(LogKind.CATALOGUE, plays(f"good{number}"))
        await clock.sleep(20)
        breaker = shipper._lanes[LogKind.CATALOGUE].breaker
        assert breaker.circuit_open
        for user in BROKEN:
            await shipper.put_many(LogKind.CATALOGUE, plays(user))
        for _ in range(300):
            await clock.sleep(1)
            assert breaker.circuit_open

    await shipping(clock, service, scenario, user_tokens=token_of, close_timeout=0)


async def test_lookups_that_all_fail_are_reported_a_hundred_times(clock, service):
    alerts = []
    works = False

    def token_of(user_id):
        return TOKEN if works else thrown(ConnectionError("the store is down"))

    async def scenario(shipper):
        nonlocal works
        for number in range(1000):
            await shipper.put_many(LogKind.CATALOGUE, plays(f"u{number}"))
        await shipper.flush(50)
        assert len(alerts) == 100
        assert "100 lookups in a row failed" in alerts[-1].message
        works = True
        await clock.sleep(120)
        return await shipper.flush()

    statistics, _ = await shipping(
        clock, service, scenario, user_tokens=token_of, on_alert=lambda _, alert: alerts.append(alert)
    )
    assert statistics.delivered == 1000


@pytest.mark.parametrize("source", [dict, MappingProxyType, ChainMap, lambda tokens: tokens.get])
async def test_tokens_come_from_mappings_and_functions_plain_or_async(clock, service, source):
    tokens = source({"ann": TOKEN, "bob": None})

    async def scenario(shipper):
        for user in ("ann", "bob", "eve"):
            await shipper.put_many(LogKind.CATALOGUE, plays(user))
        return await shipper.flush()

    statistics, _ = await shipping(clock, service, scenario, user_tokens=tokens)
    assert statistics.delivered == 3
    assert {next(iter(post.users)): post.token for post in service.posts} == {"ann": TOKEN, "bob": None, "eve": None}


@pytest.mark.parametrize(
    ("tokens", "words"),
    [
        ({7: TOKEN}, "user ids as text, such as '7'; one is 7"),
        ({"1": TOKEN, None: TOKEN}, "one is None"),
        ({b"7": TOKEN}, "one is b'7'"),
        (MappingProxyType({7: TOKEN}), "one is 7"),
        (ChainMap({}, {7: TOKEN}), "one is 7"),
        ({"7": ("t", "hidden")}, r"user_tokens\['7'\] must be a UserToken or None, not an object of type tuple"),
        ({"7": "hidden"}, "type str"),
        ([("7", TOKEN)], "a mapping or a function, not an object of type list"),
        (TOKEN, "type UserToken"),
        ("tokens.json", "type str"),
    ],
)
def test_tokens_of_the_wrong_type_are_refused_at_once(service, tokens, words):
    with pytest.raises(ConfigurationError, match=words) as caught:
        StreamLogShipper(service, user_tokens=tokens)
    assert "hidden" not in str(caught.value)


class Lazy(Mapping):
    """A mapping that can't be iterated cheaply."""

    def __init__(self, tokens):
        self.tokens = tokens

    def __getitem__(self, user_id):
        return self.tokens[user_id]

    def __iter__(self):
        raise AssertionError("iterated")

    def __len__(self):
        raise AssertionError("counted")


class Strict(Lazy):
    """A mapping that accepts only text."""

    def __getitem__(self, user_id):
        return self.tokens[user_id.lower()]


@pytest.mark.parametrize(
    ("tokens", "reason"),
    [
        (Lazy({7: TOKEN}), "user_tokens has the key 7, a number; keys must be text, such as '7'"),
        (Lazy({"7": "hidden"}), "user_tokens returned an object of type str"),
        (Lazy({"7": TOKEN}), None),
        (Lazy({}), None),
        (Strict({}), None),
        ("later", "user_tokens has the key 7, a number"),
    ],
)
async def test_a_mapping_is_checked_at_the_lookup_too(clock, service, tokens, reason):
    alerts = []
    changing = {}

    async def scenario(shipper):
        changing[7] = TOKEN
        await shipper.put_many(LogKind.CATALOGUE, [*plays("7"), *plays("007"), *plays("\u0667")])
        return await shipper.flush()

    statistics, _ = await shipping(
        clock,
        service,
        scenario,
        user_tokens=changing if tokens == "later" else tokens,
        on_alert=lambda _, alert: alerts.append(alert.message),
    )
    assert statistics.delivered == (3 if reason is None else 2)
    assert [reason in message and "hidden" not in message for message in alerts] == [True] * (reason is not None)


# -- hooks --


@pytest.mark.parametrize("failure", FAILURES)
async def test_a_hook_that_fails_is_logged_and_the_lane_continues(clock, service, failure, caplog):
    act, words = FAILURES[failure]
    service.behave = lambda post: refuse_bad(post, indexed=True)
    spool = MemorySpool()

    async def scenario(shipper):
        for _ in range(20):  # more batches than the lane has workers
            await shipper.put_many(LogKind.PREVIEW, plays("good", 5) + plays("bad"))
            await shipper.flush()
        return await shipper.statistics()

    hook = lambda _: act()  # noqa: E731
    statistics, _ = await shipping(clock, service, scenario, on_delivered=hook, on_dead_letter=hook, spool=spool)
    assert (statistics.delivered, statistics.buried, statistics.failure) == (100, 20, None)
    assert len(list(spool.dead_letters())) == 20  # the hook has taken none
    messages = [record.getMessage() for record in caplog.records]
    for name in ("on_delivered", "on_dead_letter"):
        assert sum(message.startswith(f"{name} {words}") for message in messages) == 20


@pytest.mark.parametrize("failure", FAILURES)
async def test_a_failing_alert_changes_nothing(clock, service, failure, caplog):
    act, words = FAILURES[failure]

    def behave(post):
        if clock.monotonic() < 1:
            raise AuthenticationError("no", status=401)

    service.behave = behave

    async def scenario(shipper):
        await shipper.put_many(LogKind.PREVIEW, plays("ann"))
        await shipper.flush()
        await clock.sleep(100)
        return await shipper.flush()

    statistics, last = await shipping(clock, service, scenario, on_alert=lambda kind, alert: act())
    assert (statistics.delivered, last.failure) == (1, None)
    assert f"on_alert {words}" in caplog.text


async def test_an_alert_may_be_async_and_is_waited_for(clock, service):
    heard = []

    def behave(post):
        raise AuthenticationError("no", status=401)

    async def on_alert(kind, alert):
        await clock.sleep(3)
        heard.append((kind, alert.kind.value))

    service.behave = behave

    async def scenario(shipper):
        await shipper.put_many(LogKind.PREVIEW, plays("ann"))

    await shipping(clock, service, scenario, on_alert=on_alert)
    assert heard == [(LogKind.PREVIEW, "authentication")]


async def test_a_hook_that_hangs_gives_up_the_rest_of_its_batch(clock, service, caplog):
    service.behave = lambda post: refuse_bad(post, indexed=True)
    heard = []

    async def on_dead_letter(dead_letter):
        heard.append(dead_letter)
        await asyncio.Event().wait()

    spool = MemorySpool()

    async def scenario(shipper):
        await shipper.put_many(LogKind.PREVIEW, plays("bad", 50))
        return await shipper.flush()

    statistics, _ = await shipping(
        clock, service, scenario, on_dead_letter=on_dead_letter, hook_timeout=10, spool=spool
    )
    assert (statistics.buried, len(heard), len(list(spool.dead_letters()))) == (50, 3, 50)
    assert "47 dead letters were not passed to the function" in caplog.text
    assert clock.monotonic() < 40


async def test_a_dead_letter_that_a_hook_took_stays_dropped_if_the_shipper_stops_at_the_next(clock, service):
    service.behave = lambda post: refuse_bad(post, indexed=True)
    taken = []

    async def on_dead_letter(dead_letter):
        if len(taken) == 2:
            await asyncio.Event().wait()
        taken.append(dead_letter.body)

    spool = MemorySpool()

    async def scenario(shipper):
        await shipper.put_many(LogKind.PREVIEW, plays("bad", 5))
        await shipper.flush(1)

    await shipping(clock, service, scenario, on_dead_letter=on_dead_letter, spool=spool, close_timeout=1)
    left = [dead_letter.body for dead_letter in spool.dead_letters()]
    assert sorted(taken + left) == sorted(play.encode() for play in plays("bad", 5))
    assert len(taken) == 2


@pytest.mark.parametrize("ends", ["late", "with an error"])
async def test_a_callback_that_ignores_its_cancellation_is_not_waited_for(clock, service, caplog, ends):
    release = asyncio.Event()

    async def stubborn(_):
        while not release.is_set():
            try:
                await release.wait()
            except asyncio.CancelledError:
                continue
        if ends == "with an error":
            raise ValueError("too late")

    async def scenario(shipper):
        await shipper.put_many(LogKind.PREVIEW, plays("ann", 5))
        return await shipper.flush()

    statistics, _ = await shipping(clock, service, scenario, on_delivered=stubborn, hook_timeout=1)
    assert statistics.delivered == 5
    assert "on_delivered was cancelled and is still running" in caplog.text
    release.set()
    async with asyncio.timeout(60):
        while any(task.get_name() == "on_delivered" for task in asyncio.all_tasks()):
            await asyncio.sleep(0)
    await settle()
    assert ("on_delivered raised an exception while it was cancelled" in caplog.text) == (ends == "with an error")


async def test_metrics_that_fail_change_nothing(clock, service, caplog):
    class Broken:
        def record(self, event):
            raise asyncio.CancelledError

    async def scenario(shipper):
        await shipper.put_many(LogKind.PREVIEW, plays("ann", 5))
        return await shipper.flush()

    statistics, last = await shipping(clock, service, scenario, metrics=Broken())
    assert (statistics.delivered, last.failure) == (5, None)
    assert caplog.text.count("metrics.record raised") == 1


class AsyncMetrics:
    async def record(self, event):
        pass


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"on_delivered": "print"}, "on_delivered must be a function, not an object of type str"),
        ({"on_dead_letter": []}, "on_dead_letter"),
        ({"on_alert": True}, "on_alert"),
        ({"metrics": object()}, "record"),
        ({"metrics": AsyncMetrics()}, "must not be async"),
        ({"lookup_timeout": 0}, "lookup_timeout must be a number of seconds above zero"),
        ({"lookup_timeout": None}, "lookup_timeout"),
        ({"hook_timeout": float("nan")}, "hook_timeout"),
        ({"hook_timeout": float("inf")}, "hook_timeout"),
        ({"close_timeout": -1}, "close_timeout must be a number of seconds"),
        ({"close_timeout": "30"}, "close_timeout"),
        ({"in_doubt": "keep"}, "in_doubt"),
        ({"in_doubt": []}, "in_doubt"),
        ({"spool": 7}, "spool must be a path, a URL or a spool, not an object of type int"),
        ({"spool": b"plays.db"}, "as text"),
        ({"lanes": {"nonsense": {}}}, "preview, catalogue, subscriber, not 'nonsense'"),
        ({"lanes": [LogKind.PREVIEW]}, "lanes must be a mapping"),
        ({"lanes": {LogKind.PREVIEW: {"linger": float("nan")}}}, "linger must be seconds"),
        ({"lanes": {LogKind.PREVIEW: {"linger": "5"}}}, "linger"),
        ({"lanes": {LogKind.PREVIEW: {"concurrency": 2.5}}}, "concurrency must be a whole number"),
        ({"lanes": {LogKind.PREVIEW: {"max_count": True}}}, "max_count"),
        ({"lanes": {LogKind.PREVIEW: {"poison_share": 50}}}, "poison_share"),
        ({"lanes": {LogKind.PREVIEW: {"atomicity": "unknown"}}}, "atomicity"),
        ({"lanes": {LogKind.PREVIEW: {"signed_by_user": "no"}}}, "signed_by_user"),
        ({"lanes": {LogKind.PREVIEW: 5}}, "lane rules of preview"),
    ],
)
def test_settings_of_the_wrong_type_are_refused_at_once(service, options, words):
    with pytest.raises(ConfigurationError, match=words):
        StreamLogShipper(service, **options)


def test_a_shipper_needs_a_client():
    with pytest.raises(ConfigurationError, match="needs a SevenDigital client, not an object of type NoneType"):
        StreamLogShipper(None)


# -- the end of the process --


@pytest.mark.parametrize("error", [SystemExit(3), KeyboardInterrupt()])
@pytest.mark.parametrize("plain", [True, False])
@pytest.mark.parametrize("which", ["user_tokens", "on_delivered", "on_alert"])
def test_an_exit_in_a_callback_ends_the_process_and_fails_the_shipper(error, plain, which, caplog):
    """It is raised once, out of the event loop, and the shipper closes as usual."""
    caplog.set_level(logging.CRITICAL, "sevendigital_async.shipping")
    seen = []

    def leave(*_):
        return thrown(error) if plain else raising(error)

    async def main():
        clock = VirtualClock()
        service = Service(clock)
        if which == "on_alert":
            service.behave = lambda post: thrown(AuthenticationError("no", status=401))
        lanes = {LogKind.CATALOGUE: {"linger": 0.0}}
        shipper = StreamLogShipper(service, clock=clock, lanes=lanes, close_timeout=0.1, **{which: leave})
        try:
            async with shipper:
                await shipper.put_many(LogKind.CATALOGUE, plays("ann"))
                await asyncio.Event().wait()
        finally:
            with pytest.raises(ShipperFailedError):
                await shipper.put(LogKind.CATALOGUE, plays("ann")[0])
            seen.append(await shipper.statistics())

    runner = asyncio.Runner()
    with pytest.raises(type(error)):
        runner.run(main())
    runner.close()
    [statistics] = seen
    failure = statistics.failure
    assert error in (failure, failure.__cause__)
    assert statistics.in_flight == 0
    assert "the shipper has failed" in caplog.text
