"""Client, shipper and sandbox together, over real HTTP: what counts is what the sandbox says it received."""

import asyncio
from collections import Counter
from datetime import UTC, datetime

import orjson
import pytest
from support.oauth import is_signed
from support.rawserver import answer, raw_server

from sevendigital_async import (
    NO_RETRY,
    AuthenticationError,
    BatchError,
    InvalidArgumentError,
    InvalidLogError,
    LogKind,
    NotFoundError,
    RetryPolicy,
    Settings,
    SevenDigital,
    SignaturePlacement,
    StreamLog,
    StreamLogShipper,
    UserToken,
)
from sevendigital_async.sandbox import Faults, Sandbox

KINDS = list(LogKind)


def plays(number, *, users=0, track="t"):
    now = datetime.now(UTC)
    return [
        StreamLog(
            f"{track}{index}",
            now,
            user_id=f"u{index % users}" if users else None,
            client_id=f"device-{index}",
            duration_played=index % 300,
            country="GB",
        )
        for index in range(number)
    ]


def client_of(sandbox, **options):
    credentials = sandbox.credentials
    return SevenDigital(credentials.consumer_key, credentials.consumer_secret, base_url=sandbox.base_url, **options)


def received(sandbox, kind=None):
    return Counter(orjson.dumps(row.log, option=orjson.OPT_SORT_KEYS) for row in sandbox.received(kind))


def put(logs):
    return Counter(orjson.dumps(log.as_wire(), option=orjson.OPT_SORT_KEYS) for log in logs)


@pytest.mark.parametrize("placement", SignaturePlacement)
@pytest.mark.parametrize("prefer_xml", [False, True])
async def test_the_catalogue_reads_the_same_in_json_and_xml(sevendigital_sandbox, placement, prefer_xml):
    settings = Settings(signature=placement, prefer_xml=prefer_xml)
    async with client_of(sevendigital_sandbox, settings=settings) as client:
        status = await client.classic.service.status()
        assert status.server_time.utcoffset() is not None
        page = await client.classic.releases.search("a", country="GB", page_size=5)
        every = [release async for release in client.classic.releases.search("a", country="GB", page_size=50)]
        assert [release.id for release in page.items] == [release.id for release in every[:5]]
        assert len({release.id for release in every}) == len(every) == page.total_items > 50
        release = await client.classic.releases.details(page.items[0].id)
        assert (release.id, release.title) == (page.items[0].id, page.items[0].title)
        tracks = [track async for track in client.classic.releases.tracks(release.id)]
        assert tracks
        assert {track.release.id for track in tracks} == {release.id}
        artist = await client.classic.artists.details(release.artist.id)
        assert artist.name == release.artist.name
        with pytest.raises(NotFoundError) as caught:
            await client.classic.releases.details("999999999")
        assert caught.value.code == 2001
        assert client.rate_limit.used == client.rate_limit.limit - client.rate_limit.remaining > 5


async def test_one_request_reports(sevendigital_sandbox):
    async with client_of(sevendigital_sandbox) as client:
        ann = client.as_user(sevendigital_sandbox.token_for("u0"))
        logs = plays(3, users=1)
        await client.platform.logging.preview(logs)
        await ann.platform.logging.catalogue(logs)
        await ann.platform.logging.subscriber(iter(logs))
        with pytest.raises(AuthenticationError):
            await client.platform.logging.catalogue(logs)
        for method, limit in ((client.platform.logging.preview, 500), (ann.platform.logging.subscriber, 20)):
            for wrong in ([], plays(limit + 1)):
                with pytest.raises(InvalidArgumentError, match=f"1 to {limit}"):
                    await method(wrong)
        with pytest.raises(InvalidLogError, match=r"logs\[1\]") as caught:
            await client.platform.logging.preview([*plays(1), StreamLog("", datetime.now(UTC))])
        assert (caught.value.index, caught.value.field) == (1, "track_id")
        sevendigital_sandbox.faults = Faults.parse(["poison:t1"])
        with pytest.raises(BatchError) as caught:
            await client.platform.logging.preview(logs)
        assert [item.index for item in caught.value.errors] == [1]
    assert {kind: len(sevendigital_sandbox.received(kind)) for kind in KINDS} == dict.fromkeys(KINDS, 3)


async def test_many_tasks_send_at_most_five_requests_a_second(sevendigital_sandbox):
    sevendigital_sandbox.faults = Faults.parse(latency="2ms-900ms", seed=7)
    async with client_of(sevendigital_sandbox) as client, asyncio.TaskGroup() as tasks:
        for play in plays(12):
            tasks.create_task(client.platform.logging.preview([play]))
    preview = sevendigital_sandbox.stats()["kinds"]["preview"]
    assert preview["logs"] == 12
    assert preview["busiest_second"] <= 5
    assert preview["rate_limited"] == 0


async def ship(sandbox, work, **options):
    """Ship everything in ``work``, kinds to plays; returns the final statistics."""
    users = {log.user_id for logs in work.values() for log in logs if log.user_id}
    tokens = {user: sandbox.token_for(user) for user in users}
    async with client_of(sandbox) as client:
        shipper = StreamLogShipper(client, user_tokens=tokens, close_timeout=60, **options)
        async with shipper:
            for kind, logs in work.items():
                await shipper.put_many(kind, logs)
        return await shipper.statistics()


async def test_all_three_kinds_arrive_record_for_record(sevendigital_sandbox):
    work = {
        LogKind.PREVIEW: plays(3200),
        LogKind.CATALOGUE: plays(2500, users=7),
        LogKind.SUBSCRIBER: plays(500, users=7),
    }
    statistics = await ship(sevendigital_sandbox, work)
    assert (statistics.put, statistics.delivered, statistics.in_doubt) == (6200, 6200, 0)
    for kind, logs in work.items():
        assert received(sevendigital_sandbox, kind) == put(logs)
    kinds = sevendigital_sandbox.stats()["kinds"]
    assert kinds["preview"]["largest_batch"] == 500
    assert kinds["preview"]["busiest_second"] <= 5
    assert kinds["subscriber"]["largest_batch"] == 20
    assert all(kind["rate_limited"] == 0 for kind in kinds.values())
    for kind in (LogKind.CATALOGUE, LogKind.SUBSCRIBER):
        users = {}
        for row in sevendigital_sandbox.received(kind):
            users.setdefault(row.batch, set()).add(row.log["userId"])
            assert row.user == row.log["userId"]
        assert all(len(names) == 1 for names in users.values())


async def test_with_faults_everything_still_arrives_once(sevendigital_sandbox):
    sevendigital_sandbox.faults = Faults.parse(["500:10%", "429:5%", "disconnect-before:5%"], latency="20ms", seed=3)
    work = {
        LogKind.PREVIEW: plays(2000),
        LogKind.CATALOGUE: plays(6000, users=5),
        LogKind.SUBSCRIBER: plays(2000, users=9),
    }
    statistics = await ship(sevendigital_sandbox, work)
    assert (statistics.delivered, statistics.buried, statistics.held) == (10_000, 0, 0)
    for kind, logs in work.items():
        assert received(sevendigital_sandbox, kind) == put(logs)
    assert set(sevendigital_sandbox.stats()["faults"]) >= {"500", "429", "disconnect-before"}
    assert sevendigital_sandbox.stats()["kinds"]["preview"]["busiest_second"] <= 5


@pytest.mark.parametrize("policy", ["resend", "hold"])
async def test_doubles_are_exactly_what_is_in_doubt(sevendigital_sandbox, policy):
    sevendigital_sandbox.faults = Faults.parse(["disconnect-after:20%"], seed=5)
    deliveries = []
    work = {LogKind.SUBSCRIBER: plays(1000, users=3)}
    statistics = await ship(sevendigital_sandbox, work, in_doubt=policy, on_delivered=deliveries.append)
    counted = received(sevendigital_sandbox)
    assert set(counted) == set(put(work[LogKind.SUBSCRIBER]))
    assert statistics.in_doubt > 0
    if policy == "hold":
        assert set(counted.values()) == {1}
        assert (statistics.held, statistics.delivered) == (statistics.in_doubt, 1000 - statistics.in_doubt)
    else:
        assert statistics.delivered == 1000
        assert sum(times > 1 for times in counted.values()) == statistics.in_doubt
        assert sum(delivery.in_doubt for delivery in deliveries) == statistics.in_doubt


@pytest.mark.parametrize("fault", ["poison", "poison-unindexed"])
@pytest.mark.parametrize("kind", KINDS)
async def test_poison_is_buried_alone(sevendigital_sandbox, fault, kind):
    sevendigital_sandbox.faults = Faults.parse([f"{fault}:t32"])
    dead_letters = []
    statistics = await ship(sevendigital_sandbox, {kind: plays(60, users=1)}, on_dead_letter=dead_letters.append)
    assert (statistics.delivered, statistics.buried) == (59, 1)
    assert [dead_letter.log.track_id for dead_letter in dead_letters] == ["t32"]
    assert dead_letters[0].reason
    assert len(received(sevendigital_sandbox)) == 59


async def test_a_service_that_stops_and_starts_again():
    async with Sandbox(managed_users=True) as sandbox:
        port = sandbox.base_url.rpartition(":")[2]
        async with client_of(sandbox) as client:
            shipper = StreamLogShipper(client, close_timeout=60)
            async with shipper:
                await shipper.put_many(LogKind.CATALOGUE, plays(1500))
                await sandbox_of_logs(sandbox, 500)
                await sandbox.aclose()
                await shipper.put_many(LogKind.CATALOGUE, plays(1500, track="while-down"))
                await asyncio.sleep(0.5)
                down = await shipper.statistics()
                assert down.waiting + down.in_flight >= 1500
                async with Sandbox(port=int(port), managed_users=True) as second:
                    statistics = await shipper.flush(50)
                    later = received(second)
    assert statistics.delivered == 3000
    everything = received(sandbox) + later
    assert set(everything) == set(put(plays_again(plays(1500), plays(1500, track="while-down"), everything)))
    assert sum(everything.values()) - 3000 <= statistics.in_doubt


async def sandbox_of_logs(sandbox, number):
    while len(sandbox.received()) < number:
        await asyncio.sleep(0.01)


def plays_again(first, second, everything):
    """Identify plays by device and track, for their timestamps are made anew."""
    rows = {(row["trackId"], row["clientId"]): row for row in map(orjson.loads, everything)}
    assert set(rows) == {(log.track_id, log.client_id) for log in (*first, *second)}
    return [StreamLog.decode(orjson.dumps(row)) for row in rows.values()]


async def test_a_wrong_secret_is_one_clear_message_and_loses_nothing(sevendigital_sandbox):
    alerts = []
    async with SevenDigital("wrong", "secret", base_url=sevendigital_sandbox.base_url) as client:
        shipper = StreamLogShipper(client, on_alert=lambda kind, alert: alerts.append(alert.message))
        async with shipper:
            await shipper.put_many(LogKind.PREVIEW, plays(3000))
            statistics = await shipper.flush()
            assert statistics.waiting == 3000
        with pytest.raises(AuthenticationError):
            await client.with_options(retry=NO_RETRY).classic.service.status()
    assert len(alerts) == 1
    assert all("consumer key" in message for message in alerts)
    assert len(sevendigital_sandbox.requests(LogKind.PREVIEW)) <= 10


@pytest.mark.parametrize("placement", SignaturePlacement)
async def test_oauthlib_accepts_every_request(placement):
    token = UserToken("user-token", "user-secret")
    async with raw_server(answer("", "202 Accepted")) as raw:
        client = SevenDigital(
            "key", "s&cret/é", base_url=raw.base_url, signature=placement, retry=RetryPolicy(attempts=1)
        )
        async with client, StreamLogShipper(client, user_tokens={"u0": token}) as shipper:
            for kind in KINDS:
                await shipper.put_many(kind, plays(3, users=1))
            await shipper.flush()
    assert len(raw.requests) == 3
    for request in raw.requests:
        mine = "" if b"/logging/preview" in request else token.secret
        assert is_signed(request, raw.base_url, "s&cret/é", mine)
        assert not is_signed(request, raw.base_url, "another", mine)


@pytest.mark.parametrize("prefer_xml", [False, True])
async def test_a_clip_can_be_read_or_located(sevendigital_sandbox, prefer_xml):
    async with client_of(sevendigital_sandbox, settings=Settings(prefer_xml=prefer_xml)) as client:
        track = (await client.classic.tracks.search("a")).items[0]
        async with client.classic.tracks.preview(track.id) as clip:
            assert len(await clip.read()) > 1000
        assert (await client.classic.tracks.preview_url(track.id)).startswith("http")
