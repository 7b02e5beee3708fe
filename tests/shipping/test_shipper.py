import asyncio
import itertools
import math
from datetime import UTC, datetime, timedelta

import pytest
from support.clock import EPOCH, VirtualClock, settle
from support.service import Service, refuse_bad

from sevendigital_async import (
    APIError,
    AuthenticationError,
    BatchError,
    ConfigurationError,
    ConnectError,
    DisconnectedError,
    GatewayError,
    InvalidLogError,
    ItemError,
    LogKind,
    MemorySpool,
    NotFoundError,
    RateLimitError,
    ServerError,
    ShipperClosedError,
    ShipperFailedError,
    SpoolFullError,
    StreamLog,
    StreamLogShipper,
    UserToken,
)

NOW = datetime.fromtimestamp(EPOCH, UTC)


def plays(number, *, track="t", user=None, start=0):
    return [StreamLog(f"{track}{index}", NOW, user_id=user) for index in range(start, start + number)]


def every_record_is_somewhere(statistics):
    for lane in statistics.lanes.values():
        counts = lane.counts
        assert counts.put == counts.delivered + counts.waiting + counts.in_flight + counts.buried + counts.held
        assert min(counts.waiting, counts.in_flight, counts.buried, counts.held) >= 0


@pytest.fixture
def clock():
    return VirtualClock()


@pytest.fixture
def service(clock):
    return Service(clock)


def shipping(clock, service, scenario, **options):
    """Run ``scenario(shipper)`` inside a shipper on virtual time; returns its result and the final statistics."""

    async def play():
        shipper = StreamLogShipper(service, clock=clock, **options)
        async with shipper:
            result = await scenario(shipper)
        statistics = await shipper.statistics()
        every_record_is_somewhere(statistics)
        return result, statistics

    return clock.run(play())


async def put_and_flush(shipper, kind, logs):
    await shipper.put_many(kind, logs)
    return await shipper.flush()


# -- batches --


@pytest.mark.parametrize(
    ("kind", "sizes"),
    [
        (LogKind.PREVIEW, [500, 500, 100]),
        (LogKind.CATALOGUE, [500, 500, 100]),
        (LogKind.SUBSCRIBER, [20] * 55),
    ],
)
async def test_batches_hold_as_many_plays_as_documented(clock, service, kind, sizes):
    _, statistics = await shipping(clock, service, lambda s: put_and_flush(s, kind, plays(1100)))
    assert sorted((len(post.tracks) for post in service.posts), reverse=True) == sizes
    assert service.saved == {(kind, f"t{index}"): 1 for index in range(1100)}
    assert statistics.delivered == 1100
    assert statistics.lanes[kind].largest_batch == sizes[0]
    assert statistics.lanes[kind].requests == len(sizes)


async def test_an_incomplete_batch_is_sent_after_the_linger_time(clock, service):
    async def scenario(shipper):
        await shipper.put(LogKind.PREVIEW, plays(1)[0])
        await clock.sleep(2)
        await shipper.put(LogKind.PREVIEW, plays(1, start=1)[0])
        await clock.sleep(20)

    await shipping(clock, service, scenario, lanes={LogKind.PREVIEW: {"linger": 5.0}})
    assert [(post.at, post.tracks) for post in service.posts] == [(5.0, ["t0", "t1"])]


async def test_a_full_batch_does_not_linger(clock, service):
    async def scenario(shipper):
        await shipper.put_many(LogKind.PREVIEW, plays(501))
        await clock.sleep(1)
        return [len(post.tracks) for post in service.posts]

    sizes, _ = await shipping(clock, service, scenario)
    assert sizes == [500]


async def test_a_batch_closes_on_bytes(clock, service):
    size = len(plays(1)[0].encode())
    lanes = {LogKind.CATALOGUE: {"max_bytes": 3 * size}}
    await shipping(clock, service, lambda s: put_and_flush(s, LogKind.CATALOGUE, plays(10)), lanes=lanes)
    assert [len(post.tracks) for post in service.posts] == [3, 3, 3, 1]


async def test_plays_are_sent_first_in_first_out(clock, service):
    await shipping(clock, service, lambda s: put_and_flush(s, LogKind.PREVIEW, plays(1200)))
    assert [track for post in service.posts for track in post.tracks] == [f"t{index}" for index in range(1200)]


async def test_a_lane_keeps_within_its_concurrency(clock, service):
    service.latency = 1.0
    lanes = {LogKind.SUBSCRIBER: {"concurrency": 3}}
    await shipping(clock, service, lambda s: put_and_flush(s, LogKind.SUBSCRIBER, plays(400)), lanes=lanes)
    assert service.most_under_way == 3


def test_documented_limits_can_not_be_exceeded(service):
    with pytest.raises(ConfigurationError, match="at most 20"):
        StreamLogShipper(service, lanes={LogKind.SUBSCRIBER: {"max_count": 21}})
    with pytest.raises(ConfigurationError):
        StreamLogShipper(service, lanes={LogKind.SUBSCRIBER: {"no_such_rule": 1}})


# -- users --


async def test_a_request_signed_by_a_user_holds_one_user(clock, service):
    tokens = {f"u{index}": UserToken(f"token{index}", "secret") for index in range(3)}

    async def scenario(shipper):
        for index in range(60):
            await shipper.put(LogKind.CATALOGUE, StreamLog(f"t{index}", NOW, user_id=f"u{index % 4}"))
        await shipper.put(LogKind.CATALOGUE, StreamLog("nobody", NOW))
        await shipper.put(LogKind.PREVIEW, StreamLog("p1", NOW, user_id="u1"))
        await shipper.put(LogKind.PREVIEW, StreamLog("p2", NOW, user_id="u2"))
        await shipper.flush()

    await shipping(clock, service, scenario, user_tokens=tokens)
    signed = {tuple(post.users): post.token for post in service.posts if post.kind is LogKind.CATALOGUE}
    assert signed == {("u0",): tokens["u0"], ("u1",): tokens["u1"], ("u2",): tokens["u2"], ("u3",): None, (None,): None}
    [preview] = [post for post in service.posts if post.kind is LogKind.PREVIEW]
    assert preview.users == {"u1", "u2"}
    assert preview.token is None


async def test_without_tokens_a_request_holds_many_users(clock, service):
    logs = [StreamLog(f"t{index}", NOW, user_id=f"u{index}") for index in range(20)]
    await shipping(clock, service, lambda s: put_and_flush(s, LogKind.SUBSCRIBER, logs))
    assert [len(post.users) for post in service.posts] == [20]


async def test_tokens_may_come_from_an_async_function(clock, service):
    async def token_of(user_id):
        await asyncio.sleep(0)
        return UserToken(f"token-{user_id}", "s")

    await shipping(
        clock, service, lambda s: put_and_flush(s, LogKind.CATALOGUE, plays(1, user="ann")), user_tokens=token_of
    )
    assert service.posts[0].token == UserToken("token-ann", "s")


async def test_a_user_with_many_plays_does_not_delay_one_with_few(clock, service):
    service.latency = 0.1

    async def scenario(shipper):
        await shipper.put_many(LogKind.SUBSCRIBER, plays(2000, user="heavy"))
        await shipper.put_many(LogKind.SUBSCRIBER, plays(20, track="light", user="light"))
        await shipper.flush()

    await shipping(clock, service, scenario, user_tokens={})
    assert next(index for index, post in enumerate(service.posts) if post.users == {"light"}) <= 2


async def test_one_users_requests_never_overlap(clock, service):
    service.latency = 0.1
    await shipping(
        clock, service, lambda s: put_and_flush(s, LogKind.SUBSCRIBER, plays(200, user="ann")), user_tokens={}
    )
    assert service.most_under_way == 1
    assert [track for post in service.posts for track in post.tracks] == [f"t{index}" for index in range(200)]


async def test_a_refused_user_waits_alone(clock, service):
    refused = {"ann"}

    def behave(post):
        if post.users & refused:
            raise AuthenticationError("token revoked", status=401)

    service.behave = behave
    alerts = []

    async def scenario(shipper):
        await shipper.put_many(LogKind.CATALOGUE, plays(5, track="a", user="ann"))
        for index in range(50):
            await shipper.put_many(LogKind.CATALOGUE, plays(5, track=f"b{index}-", user=f"bob{index}"))
        first = await shipper.flush()
        refused.clear()
        await clock.sleep(61)
        return first, await shipper.flush()

    (first, last), _ = await shipping(
        clock, service, scenario, user_tokens={}, on_alert=lambda kind, alert: alerts.append((kind, alert))
    )
    assert (first.delivered, first.waiting) == (250, 5)
    assert (last.delivered, last.waiting, last.buried) == (255, 0, 0)
    assert sum("ann" in post.users for post in service.posts) == 2
    assert [(kind, alert.user_id) for kind, alert in alerts] == [(LogKind.CATALOGUE, "ann")]


async def test_a_token_lookup_that_raises_parks_the_user_and_raises_an_alert(clock, service):
    async def token_of(user_id):
        raise LookupError("the token store is down")

    alerts = []
    statistics, _ = await shipping(
        clock,
        service,
        lambda s: put_and_flush(s, LogKind.CATALOGUE, plays(1, user="ann")),
        user_tokens=token_of,
        on_alert=lambda kind, alert: alerts.append(alert.message),
    )
    assert statistics.waiting == 1
    assert service.posts == []
    assert "the token store is down" in alerts[0]


# -- every row of the outcome table --


async def test_refused_connections_cause_few_requests(clock, service):
    up_at = 30.0

    def behave(post):
        if clock.monotonic() < up_at:
            raise ConnectError("no connection could be made")

    service.behave = behave
    statistics, _ = await shipping(
        clock, service, lambda s: put_and_flush(s, LogKind.CATALOGUE, plays(20_000)), close_timeout=120
    )
    assert statistics.delivered == 20_000
    assert statistics.in_doubt == 0
    assert set(service.saved.values()) == {1}
    assert sum(post.at < up_at for post in service.posts) < 30
    assert sum(post.at >= up_at for post in service.posts) == 40


async def test_a_closed_circuit_reopens_through_one_probe(clock, service):
    service.latency = 1.0

    def behave(post):
        if clock.monotonic() < 60:
            raise ServerError("down", status=503)

    service.behave = behave
    statistics, _ = await shipping(clock, service, lambda s: put_and_flush(s, LogKind.PREVIEW, plays(5000)))
    assert statistics.delivered == 5000
    times = [post.at for post in service.posts]
    assert sum(at < 3 for at in times) <= 12
    probes = [at for at in times if 3 <= at < 59]
    assert 2 <= len(probes) <= 40
    assert all(later - earlier >= 1.0 for earlier, later in itertools.pairwise(probes))
    success = next(at for at in times if at >= 59)
    assert all(at >= success + 1.0 for at in times if at > success)


async def test_429_pauses_the_lane_for_as_long_as_the_service_says(clock, service):
    def behave(post):
        if len(service.posts) == 1:
            raise RateLimitError("slow down", status=429, retry_after=17.0)

    service.behave = behave
    lanes = {LogKind.PREVIEW: {"concurrency": 1}}
    statistics, _ = await shipping(
        clock, service, lambda s: put_and_flush(s, LogKind.PREVIEW, plays(1000)), lanes=lanes
    )
    assert [post.at for post in service.posts] == [0.0, 17.0, 17.0]
    assert statistics.in_doubt == 0
    assert service.saved == {(LogKind.PREVIEW, f"t{index}"): 1 for index in range(1000)}


async def test_resuming_keeps_a_wait_that_the_service_has_asked_for(clock, service):
    def behave(post):
        if len(service.posts) == 1:
            raise RateLimitError("slow down", status=429, retry_after=17.0)

    async def impatient(shipper):
        await shipper.put_many(LogKind.PREVIEW, plays(500))
        await clock.sleep(1.0)
        shipper.resume()
        return await shipper.flush()

    service.behave = behave
    await shipping(clock, service, impatient)
    assert [post.at for post in service.posts] == [0.0, 17.0]


async def test_a_spent_quota_pauses_the_lane_before_anything_is_leased(clock, service):
    def admit(_):
        if clock.monotonic() < 3600:
            raise RateLimitError("the request quota is spent", retry_after=3600 - clock.monotonic())

    service.admit = admit
    statistics, _ = await shipping(clock, service, lambda s: put_and_flush(s, LogKind.PREVIEW, plays(1000)))
    assert [post.at for post in service.posts] == [3600.0, 3600.0]
    assert (statistics.delivered, statistics.in_doubt) == (1000, 0)


async def test_a_client_that_is_closed_too_early_suspends_the_lane(clock, service):
    def admit(_):
        raise ConfigurationError("the client is closed")

    service.admit = admit
    statistics, _ = await shipping(clock, service, lambda s: put_and_flush(s, LogKind.PREVIEW, plays(1000)))
    assert (statistics.waiting, service.posts) == (1000, [])
    assert "the client is closed" in statistics.alerts[LogKind.PREVIEW].message


@pytest.mark.parametrize("kind", [LogKind.PREVIEW, LogKind.CATALOGUE])
@pytest.mark.parametrize("bad", [1, 2, 17, 250, 499, 500])
async def test_with_positions_the_good_logs_arrive_in_two_requests(clock, service, kind, bad):
    service.behave = lambda post: refuse_bad(post, indexed=True)
    dead_letters = []
    logs = plays(500 - bad) + plays(bad, track="bad")
    logs = logs[1::2] + logs[::2]
    statistics, _ = await shipping(
        clock, service, lambda s: put_and_flush(s, kind, logs), on_dead_letter=dead_letters.append
    )
    assert len(service.posts) == (2 if bad < 500 else 1)
    assert (statistics.delivered, statistics.buried) == (500 - bad, bad)
    assert {dead_letter.log.track_id for dead_letter in dead_letters} == {f"bad{index}" for index in range(bad)}
    assert all(dead_letter.reason == f"track {dead_letter.log.track_id} is bad" for dead_letter in dead_letters)


@pytest.mark.parametrize("bad", [1, 2, 17, 250, 499, 500])
async def test_without_positions_the_batch_is_halved(clock, service, bad):
    service.behave = lambda post: refuse_bad(post, indexed=False)
    dead_letters = []
    logs = plays(500 - bad) + plays(bad, track="bad")
    logs = logs[::3] + logs[1::3] + logs[2::3]
    statistics, _ = await shipping(
        clock, service, lambda s: put_and_flush(s, LogKind.PREVIEW, logs), on_dead_letter=dead_letters.append
    )
    assert (statistics.delivered, statistics.buried) == (500 - bad, bad)
    assert len(service.posts) <= 2 * bad * math.ceil(math.log2(500 / bad)) + 2 * bad + 1
    assert {dead_letter.log.track_id for dead_letter in dead_letters} == {f"bad{index}" for index in range(bad)}
    assert {dead_letter.reason for dead_letter in dead_letters} == {"something is wrong in there (code 1002, HTTP 400)"}


@pytest.mark.parametrize("positions", [[3], [0, 0], [-1], [500], [None], [7, 9999], list(range(499))])
async def test_positions_that_are_wrong_bury_no_good_log(clock, service, positions):
    def behave(post):
        if "bad0" in post.tracks:
            wrong = [ItemError(position, 1002, "bad") for position in positions]
            raise BatchError("invalid items", code=1008, status=400, errors=wrong)

    service.behave = behave
    dead_letters = []
    logs = plays(499) + plays(1, track="bad")
    statistics, _ = await shipping(
        clock, service, lambda s: put_and_flush(s, LogKind.PREVIEW, logs), on_dead_letter=dead_letters.append
    )
    assert (statistics.delivered, statistics.buried) == (499, 1)
    assert [dead_letter.log.track_id for dead_letter in dead_letters] == ["bad0"]


async def test_plays_sent_again_after_a_refusal_are_possible_doubles_unless_batches_are_atomic(clock, service):
    service.behave = lambda post: refuse_bad(post, indexed=True)
    deliveries = []

    async def scenario(shipper):
        await shipper.put_many(LogKind.CATALOGUE, [*plays(9), *plays(1, track="bad")])
        await shipper.put_many(LogKind.PREVIEW, [*plays(9), *plays(1, track="bad")])
        return await shipper.flush()

    statistics, _ = await shipping(clock, service, scenario, on_delivered=deliveries.append)
    assert statistics.lanes[LogKind.CATALOGUE].counts.in_doubt == 9
    assert statistics.lanes[LogKind.PREVIEW].counts.in_doubt == 0
    assert {delivery.kind: delivery.in_doubt for delivery in deliveries} == {LogKind.CATALOGUE: 9, LogKind.PREVIEW: 0}


async def test_a_refusal_whose_rest_fails_buries_nothing_yet(clock, service):
    def behave(post):
        if len(service.posts) == 2:
            raise ServerError("oops", status=500)
        refuse_bad(post, indexed=True)

    service.behave = behave
    statistics, _ = await shipping(
        clock, service, lambda s: put_and_flush(s, LogKind.PREVIEW, [*plays(9), *plays(1, track="bad")])
    )
    assert (statistics.delivered, statistics.buried) == (9, 1)
    assert len(service.posts) == 4


async def test_a_lane_that_only_buries_suspends_itself(clock, service):
    service.behave = lambda post: refuse_bad(post, indexed=True, bad="t")
    statistics, _ = await shipping(clock, service, lambda s: put_and_flush(s, LogKind.PREVIEW, plays(5000)))
    assert statistics.buried <= 1500
    assert statistics.waiting == 5000 - statistics.buried
    assert "suspended" in statistics.lanes[LogKind.PREVIEW].alert.message


@pytest.mark.parametrize("status", [404, 405, 410])
async def test_a_wrong_address_suspends_the_lane_and_buries_nothing(clock, service, status):
    wrong = True

    def behave(post):
        if wrong:
            raise (NotFoundError if status == 404 else APIError)("nothing here", status=status)

    service.behave = behave

    async def scenario(shipper):
        nonlocal wrong
        first = await put_and_flush(shipper, LogKind.CATALOGUE, plays(600))
        await clock.sleep(3600)
        posts = len(service.posts)
        wrong = False
        shipper.resume(LogKind.CATALOGUE)
        return first, posts, await shipper.flush()

    (first, posts, last), _ = await shipping(clock, service, scenario)
    assert (first.waiting, first.buried) == (600, 0)
    assert f"HTTP {status}" in first.alerts[LogKind.CATALOGUE].message
    assert posts <= 16
    assert last.delivered == 600


async def test_a_refused_key_stops_the_lane_and_keeps_everything(clock, service):
    def behave(post):
        raise AuthenticationError("OAuth authentication error: Invalid signature", status=401)

    service.behave = behave

    async def scenario(shipper):
        first = await put_and_flush(shipper, LogKind.PREVIEW, plays(5000))
        posts = len(service.posts)
        await clock.sleep(3600)
        return first, posts

    (first, posts), last = await shipping(clock, service, scenario)
    assert posts <= 5
    assert len(service.posts) <= posts + 20
    assert (first.waiting, last.waiting, last.buried, last.in_doubt) == (5000, 5000, 0, 0)
    assert "secret" in first.alerts[LogKind.PREVIEW].message


async def test_a_wrong_secret_is_noticed_even_if_every_user_signs(clock, service):
    def behave(post):
        raise AuthenticationError("Invalid signature", status=401)

    service.behave = behave

    async def scenario(shipper):
        for index in range(1000):
            await shipper.put(LogKind.CATALOGUE, StreamLog("t", NOW, user_id=f"u{index}"))
        return await shipper.flush()

    statistics, _ = await shipping(clock, service, scenario, user_tokens={})
    assert len(service.posts) <= 21
    assert statistics.waiting == 1000
    assert statistics.alerts


@pytest.mark.parametrize(
    "error",
    [ServerError("no", status=500), ServerError("timed out", code=7003, status=200), ServerError("x", code=9001)],
)
async def test_a_failing_service_gets_the_batch_again(clock, service, error):
    def behave(post):
        if len(service.posts) % 3:
            raise error

    service.behave = behave
    statistics, _ = await shipping(clock, service, lambda s: put_and_flush(s, LogKind.PREVIEW, plays(2000)))
    assert statistics.delivered == 2000
    assert statistics.in_doubt == 0
    assert set(service.saved.values()) == {1}


async def test_a_lost_answer_is_sent_again_and_counted(clock, service):
    def behave(post):
        if post is service.posts[0]:
            service.saved.update((post.kind, track) for track in post.tracks)
            raise DisconnectedError("the server closed the connection")

    service.behave = behave
    deliveries = []
    statistics, _ = await shipping(
        clock, service, lambda s: put_and_flush(s, LogKind.CATALOGUE, plays(700)), on_delivered=deliveries.append
    )
    assert statistics.in_doubt == 500
    assert sum(count == 2 for count in service.saved.values()) == 500
    assert sum(delivery.in_doubt for delivery in deliveries) == 500


async def test_held_plays_are_never_sent_again(clock, service):
    def behave(post):
        if post is service.posts[0]:
            service.saved.update((post.kind, track) for track in post.tracks)
            raise DisconnectedError("the server closed the connection")

    service.behave = behave
    spool = MemorySpool()
    statistics, _ = await shipping(
        clock,
        service,
        lambda s: put_and_flush(s, LogKind.CATALOGUE, plays(700)),
        in_doubt="hold",
        spool=spool,
    )
    assert (statistics.held, statistics.delivered, statistics.in_doubt) == (500, 200, 500)
    assert set(service.saved.values()) == {1}
    assert sum(record.in_doubt for record in spool.undelivered(LogKind.CATALOGUE)) == 500


async def test_plays_that_become_too_old_are_buried_as_expired(clock, service):
    down = True

    def behave(post):
        if down:
            raise ConnectError("down")

    service.behave = behave
    dead_letters = []

    async def scenario(shipper):
        nonlocal down
        await shipper.put(LogKind.PREVIEW, StreamLog("old", NOW - timedelta(days=61, hours=-1)))
        await shipper.put(LogKind.PREVIEW, StreamLog("new", NOW))
        await clock.sleep(2 * 3600)
        down = False
        return await shipper.flush()

    statistics, _ = await shipping(clock, service, scenario, on_dead_letter=dead_letters.append)
    assert (statistics.delivered, statistics.buried) == (1, 1)
    assert dead_letters[0].log.track_id == "old"
    assert dead_letters[0].reason.startswith("expired")


# -- putting --


async def test_put_waits_for_capacity_and_memory_stays_bounded(clock, service):
    up_at = 10.0

    def behave(post):
        if clock.monotonic() < up_at:
            raise ConnectError("down")

    service.behave = behave
    spool = MemorySpool(max_logs=1000)
    most = 0

    async def scenario(shipper):
        nonlocal most
        for play in plays(5000):
            await shipper.put(LogKind.PREVIEW, play)
            counts = await spool.counts(LogKind.PREVIEW)
            most = max(most, counts.waiting + counts.in_flight)
        return await shipper.flush()

    statistics, _ = await shipping(clock, service, scenario, spool=spool)
    assert most <= 1000
    assert statistics.delivered == 5000
    assert set(service.saved.values()) == {1}


async def test_a_spool_full_of_incomplete_batches_does_not_linger(clock, service):
    async def scenario(shipper):
        for index in range(1000):
            await shipper.put(LogKind.CATALOGUE, StreamLog(f"t{index}", NOW, user_id=f"u{index % 50}"))
        return clock.monotonic()

    spool = MemorySpool(max_logs=100)
    elapsed, statistics = await shipping(clock, service, scenario, user_tokens={}, spool=spool)
    assert elapsed == 0
    assert statistics.delivered == 1000


async def test_a_lane_that_is_behind_does_not_end_the_linger_of_others(clock, service):
    service.latency = 1.0

    async def scenario(shipper):
        await shipper.put_many(LogKind.SUBSCRIBER, plays(3))
        await shipper.put_many(LogKind.PREVIEW, plays(6000))
        await shipper.put_many(LogKind.PREVIEW, plays(6000))
        return [post.kind for post in service.posts]

    lanes = {LogKind.SUBSCRIBER: {"linger": 600.0}, LogKind.PREVIEW: {"concurrency": 1}}
    kinds, _ = await shipping(clock, service, scenario, spool=MemorySpool(max_logs=7000), lanes=lanes)
    assert set(kinds) == {LogKind.PREVIEW}


async def test_put_nowait_raises_when_the_spool_is_full(clock, service):
    async def scenario(shipper):
        for play in plays(10):
            shipper.put_nowait(LogKind.PREVIEW, play)
        with pytest.raises(SpoolFullError):
            shipper.put_nowait(LogKind.PREVIEW, plays(1)[0])
        await shipper.flush()
        shipper.put_nowait(LogKind.PREVIEW, plays(1, track="later")[0])

    _, statistics = await shipping(clock, service, scenario, spool=MemorySpool(max_logs=10))
    assert statistics.delivered == 11


async def test_a_cancelled_put_accepts_nothing(clock, service):
    spool = MemorySpool(max_logs=10)
    service.latency = 5.0

    async def scenario(shipper):
        await shipper.put_many(LogKind.PREVIEW, plays(10))
        blocked = asyncio.create_task(shipper.put_many(LogKind.PREVIEW, plays(5, track="never")))
        behind = asyncio.create_task(shipper.put(LogKind.PREVIEW, plays(1, track="behind")[0]))
        await settle()
        blocked.cancel()
        await settle()
        assert blocked.cancelled()
        flushed = await shipper.flush()
        await behind
        return flushed

    _, statistics = await shipping(clock, service, scenario, spool=spool)
    assert statistics.put == statistics.delivered == 11
    assert (LogKind.PREVIEW, "never0") not in service.saved


@pytest.mark.parametrize("many", [False, True])
@pytest.mark.parametrize("hops", range(12))
async def test_a_put_that_is_cancelled_anywhere_has_accepted_nothing(clock, service, many, hops):
    """After the cancellation the play may be put again, so the spool must not have it."""

    async def scenario(shipper):
        shipper._puts = 498  # the next but one is due to let others run
        logs = plays(2)
        put = shipper.put_many(LogKind.PREVIEW, logs) if many else put_each(shipper, logs)
        task = asyncio.create_task(put)
        for _ in range(hops):
            await asyncio.sleep(0)
        task.cancel()
        await asyncio.wait([task])
        accepted = (await shipper.statistics()).put
        if many:
            assert accepted == (0 if task.cancelled() else 2)
        else:
            assert accepted == returned
        await shipper.flush()

    returned = 0

    async def put_each(shipper, logs):
        nonlocal returned
        for log in logs:
            await shipper.put(LogKind.PREVIEW, log)
            returned += 1

    await shipping(clock, service, scenario)


async def test_more_than_the_spool_can_ever_hold_is_an_error(clock, service):
    async def scenario(shipper):
        with pytest.raises(SpoolFullError):
            await shipper.put_many(LogKind.PREVIEW, plays(11))

    _, statistics = await shipping(clock, service, scenario, spool=MemorySpool(max_logs=10))
    assert statistics.put == 0


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"track_id": ""}, "track_id"),
        ({"track_id": 12}, "track_id"),
        ({"track_id": None}, "track_id"),
        ({"track_id": "x" * 256}, "track_id"),
        ({"track_id": "\ud800"}, "track_id"),
        ({"timestamp": NOW.replace(tzinfo=None)}, "timestamp"),
        ({"timestamp": "2026-01-01T00:00:00Z"}, "timestamp"),
        ({"timestamp": NOW + timedelta(minutes=2, seconds=1)}, "timestamp"),
        ({"timestamp": NOW - timedelta(days=61)}, "timestamp"),
        ({"user_id": " "}, "user_id"),
        ({"client_id": ""}, "client_id"),
        ({"duration_played": -1}, "duration_played"),
        ({"duration_played": 1.5}, "duration_played"),
        ({"duration_played": True}, "duration_played"),
        ({"duration_played": "12"}, "duration_played"),
        ({"country": "GBR"}, "country"),
        ({"country": ""}, "country"),
        ({"country": "G1"}, "country"),
        ({"country": "ÄÖ"}, "country"),
    ],
)
async def test_an_invalid_play_is_refused_by_put(clock, service, changes, field):
    log = StreamLog(**{"track_id": "t", "timestamp": NOW, **changes})

    async def scenario(shipper):
        with pytest.raises(InvalidLogError) as caught:
            await shipper.put(LogKind.PREVIEW, log)
        assert caught.value.field == field
        with pytest.raises(InvalidLogError) as caught:
            await shipper.put_many(LogKind.PREVIEW, [*plays(3), log])
        assert (caught.value.field, caught.value.index) == (field, 3)

    _, statistics = await shipping(clock, service, scenario)
    assert statistics.put == 0


@pytest.mark.parametrize(
    "changes",
    [
        {"duration_played": 0},
        {"timestamp": NOW + timedelta(minutes=2)},
        {"timestamp": NOW - timedelta(days=60, hours=23)},
        {"country": "gb"},
        {"user_id": "ü" * 255},
    ],
)
async def test_a_valid_play_is_accepted(clock, service, changes):
    log = StreamLog(**{"track_id": "t", "timestamp": NOW, **changes})
    _, statistics = await shipping(clock, service, lambda s: s.put(LogKind.PREVIEW, log))
    assert statistics.delivered == 1


# -- life --


async def test_leaving_the_block_delivers_everything(clock, service):
    _, statistics = await shipping(clock, service, lambda s: s.put_many(LogKind.SUBSCRIBER, plays(33)))
    assert statistics.delivered == 33


async def test_put_after_close_raises(clock, service):
    async def play():
        async with StreamLogShipper(service, clock=clock) as shipper:
            pass
        with pytest.raises(ShipperClosedError):
            await shipper.put(LogKind.PREVIEW, plays(1)[0])
        with pytest.raises(ShipperClosedError):
            shipper.put_nowait(LogKind.PREVIEW, plays(1)[0])
        return await shipper.aclose()

    assert (await clock.run(play())).put == 0


async def test_put_before_start_raises(service):
    with pytest.raises(ConfigurationError, match="not started"):
        await StreamLogShipper(service).put(LogKind.PREVIEW, StreamLog("t", datetime.now(UTC)))


async def test_close_returns_in_time_and_deletes_nothing(clock, service):
    def behave(post):
        raise ConnectError("down")

    service.behave = behave
    spool = MemorySpool()

    async def play():
        shipper = StreamLogShipper(service, clock=clock, spool=spool)
        async with shipper:
            await shipper.put_many(LogKind.PREVIEW, plays(700))
            started = clock.monotonic()
            statistics = await shipper.aclose(10)
            assert clock.monotonic() - started <= 10.01
        return statistics

    statistics = await clock.run(play())
    every_record_is_somewhere(statistics)
    assert (statistics.waiting, statistics.in_flight) == (700, 0)
    assert len({id(record) for record in spool.undelivered(LogKind.PREVIEW)}) == 700


async def test_plays_in_flight_when_the_close_timeout_ends_are_in_doubt(clock, service):
    service.latency = 1000.0
    spool = MemorySpool()

    async def play():
        shipper = StreamLogShipper(service, clock=clock, spool=spool)
        async with shipper:
            await shipper.put_many(LogKind.CATALOGUE, plays(700))
            return await shipper.aclose(5)

    statistics = await clock.run(play())
    every_record_is_somewhere(statistics)
    assert (statistics.waiting, statistics.in_flight, statistics.in_doubt) == (700, 0, 700)


async def test_flush_keeps_to_its_timeout(clock, service):
    service.latency = 50.0

    async def scenario(shipper):
        await shipper.put_many(LogKind.CATALOGUE, plays(10))
        statistics = await shipper.flush(timeout=3)
        assert clock.monotonic() == pytest.approx(3)
        return statistics

    first, last = await shipping(clock, service, scenario, close_timeout=60)
    assert (first.in_flight, first.settled) == (10, False)
    assert last.delivered == 10


async def test_a_failed_background_task_fails_the_shipper(clock, service):
    def behave(post):
        raise ZeroDivisionError("a bug")

    service.behave = behave
    spool = MemorySpool(max_logs=500)

    async def play():
        shipper = StreamLogShipper(service, clock=clock, spool=spool)
        with pytest.raises(ShipperFailedError, match="a bug"):
            async with shipper:
                await shipper.put_many(LogKind.PREVIEW, plays(500))
                with pytest.raises(ShipperFailedError) as caught:
                    await shipper.put(LogKind.PREVIEW, plays(1)[0])  # waits for capacity, and must not wait for ever
                assert isinstance(caught.value.__cause__, ZeroDivisionError)
                with pytest.raises(ShipperFailedError):
                    await shipper.put(LogKind.PREVIEW, plays(1)[0])
        return await shipper.aclose()

    statistics = await clock.run(play())
    assert isinstance(statistics.failure, ZeroDivisionError)
    every_record_is_somewhere(statistics)
    assert (statistics.waiting, statistics.in_doubt) == (500, 500)


async def test_hooks_that_raise_change_nothing(clock, service, caplog):
    service.behave = lambda post: refuse_bad(post, indexed=True)

    def broken(_):
        raise RuntimeError("my hook is broken")

    spool = MemorySpool()
    statistics, _ = await shipping(
        clock,
        service,
        lambda s: put_and_flush(s, LogKind.PREVIEW, [*plays(5), *plays(1, track="bad")]),
        on_delivered=broken,
        on_dead_letter=broken,
        spool=spool,
    )
    assert (statistics.delivered, statistics.buried) == (5, 1)
    assert caplog.text.count("my hook is broken") >= 2
    assert [dead_letter.log.track_id for dead_letter in spool.dead_letters()] == ["bad0"]


async def test_hooks_may_be_async(clock, service):
    heard = []

    async def on_delivered(delivery):
        await asyncio.sleep(0)
        heard.extend(delivery.logs)

    await shipping(clock, service, lambda s: put_and_flush(s, LogKind.PREVIEW, plays(5)), on_delivered=on_delivered)
    assert heard == [play.encode() for play in plays(5)]


async def test_users_cost_no_memory_once_their_plays_are_delivered(clock, service):
    spool = MemorySpool()

    async def scenario(shipper):
        for index in range(3000):
            await shipper.put(LogKind.CATALOGUE, StreamLog("t", NOW, user_id=f"u{index}"))
        await shipper.flush()
        waiting = spool._accumulators[LogKind.CATALOGUE]
        assert not waiting._queues
        assert not waiting._ready
        assert len(asyncio.all_tasks()) < 60

    _, statistics = await shipping(clock, service, scenario, user_tokens={}, spool=spool)
    assert statistics.delivered == statistics.requests == 3000


# -- what a second pair of eyes found --


async def test_an_interrupted_isolation_marks_released_plays_as_possible_doubles(clock, service):
    """A batch is saved in part and refused; the parts that were not sent again meanwhile may be doubled, too."""

    def behave(post):
        if len(service.posts) == 1:
            raise APIError("something is wrong in there", code=1002, status=400)
        if len(service.posts) == 2:
            raise RateLimitError("slow down", status=429, retry_after=5.0)

    service.behave = behave
    deliveries = []
    statistics, _ = await shipping(
        clock, service, lambda s: put_and_flush(s, LogKind.SUBSCRIBER, plays(20)), on_delivered=deliveries.append
    )
    assert [len(post.tracks) for post in service.posts] == [20, 10, 20]
    assert statistics.in_doubt == 20
    assert [delivery.in_doubt for delivery in deliveries] == [20]


async def test_a_refused_batch_is_not_in_doubt_at_close(clock, service):
    closing = asyncio.Event()

    async def stall(post):
        if len(service.posts) == 1:
            raise APIError("something is wrong in there", code=1002, status=400)

    service.behave = stall
    turns = 0

    def admit(_):
        nonlocal turns
        turns += 1

    service.admit = admit
    spool = MemorySpool()

    async def play():
        shipper = StreamLogShipper(service, clock=clock, spool=spool, in_doubt="hold")
        async with shipper:
            lane = shipper._lanes[LogKind.PREVIEW]

            async def never(lease, records):
                closing.set()
                await asyncio.Event().wait()

            lane._settlement._post_again = never
            await shipper.put_many(LogKind.PREVIEW, plays(500))
            await closing.wait()
            return await shipper.aclose(1)

    statistics = await clock.run(play())
    assert (statistics.held, statistics.in_doubt, statistics.waiting) == (0, 0, 500)


@pytest.mark.parametrize(
    ("error", "doubted"),
    [
        (ServerError("x", status=500), 0),
        (ServerError("x", status=503), 0),
        (ServerError("x", status=504, code=7003), 0),
        (ServerError("x", status=502), 10),
        (ServerError("x", status=504), 10),
        (ServerError("x", status=520), 10),
        (ServerError("x", status=524), 10),
        (GatewayError("an HTML page", status=503), 10),
        (GatewayError("an HTML page", status=200), 10),
    ],
)
async def test_an_answer_of_a_gateway_leaves_plays_in_doubt(clock, service, error, doubted):
    def behave(post):
        if post is service.posts[0]:
            raise error

    service.behave = behave
    statistics, _ = await shipping(clock, service, lambda s: put_and_flush(s, LogKind.PREVIEW, plays(10)))
    assert (statistics.delivered, statistics.in_doubt) == (10, doubted)
    holding = Service(clock)
    holding.behave = lambda post: behave_once(holding, post, error)
    statistics, _ = await shipping(
        clock, holding, lambda s: put_and_flush(s, LogKind.PREVIEW, plays(10)), in_doubt="hold"
    )
    assert (statistics.delivered, statistics.held) == (10 - doubted, doubted)


def behave_once(service, post, error):
    if post is service.posts[0]:
        raise error


async def test_after_a_429_without_a_wait_the_lane_pauses(clock, service):
    def behave(post):
        if clock.monotonic() < 10:
            raise RateLimitError("slow down", status=429, retry_after=0.0)

    service.behave = behave
    await shipping(clock, service, lambda s: put_and_flush(s, LogKind.CATALOGUE, plays(8000)))
    assert sum(post.at < 10 for post in service.posts) <= 200


async def test_a_flush_under_way_ends_with_the_shipper(clock, service):
    def behave(post):
        raise ConnectError("down")

    service.behave = behave

    async def play():
        async with StreamLogShipper(service, clock=clock, close_timeout=3) as shipper:
            await shipper.put(LogKind.PREVIEW, plays(1)[0])
            flush = asyncio.create_task(shipper.flush())
            await settle()
        return await flush, await shipper.flush(), clock.monotonic()

    during, after, elapsed = await clock.run(play(), until=100)
    assert during.waiting == after.waiting == 1
    assert elapsed <= 3.1


async def test_closing_waits_for_hooks(clock, service):
    heard = 0

    async def on_delivered(delivery):
        nonlocal heard
        await clock.sleep(2)
        heard += len(delivery.logs)

    await shipping(clock, service, lambda s: s.put_many(LogKind.CATALOGUE, plays(1001)), on_delivered=on_delivered)
    assert heard == 1001


@pytest.mark.parametrize("bad", [0, 1, 499, 500, 501, 1000])
async def test_a_play_that_the_source_itself_refuses_is_named_by_its_index(clock, service, bad):
    def lines():
        for number in range(1200):
            yield StreamLog.decode(b"{" if number == bad else StreamLog(str(number), NOW).encode())

    async def play():
        async with StreamLogShipper(service, clock=clock) as shipper:
            with pytest.raises(InvalidLogError, match=f"^log {bad}: not valid JSON") as caught:
                await shipper.put_many(LogKind.CATALOGUE, lines())
            assert caught.value.index == bad
            return await shipper.statistics()

    assert (await clock.run(play())).put == 0
