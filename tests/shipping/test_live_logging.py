"""Plays in the live dialect: required fields, batches and outcomes."""

import logging as stdlib_logging
import re
from collections import Counter
from datetime import UTC, datetime
from pathlib import Path

import orjson
import pytest
from attrs import evolve
from support.live import client_of, counted, play, ship
from support.rawserver import HANG_UP, answer, raw_server

import sevendigital_async
from sevendigital_async import (
    NO_RETRY,
    APIError,
    Dialect,
    InvalidLogError,
    LogKind,
    SevenDigital,
    ShortCountError,
    StreamLog,
    StreamLogShipper,
    TransportError,
)
from sevendigital_async.models.stream_log import Window, batch_key, user_key, user_of
from sevendigital_async.sandbox import Faults, Sandbox

SOURCES = Path(sevendigital_async.__file__).parent
KINDS = list(LogKind)


def refused(code, message, status="400 Bad Request"):
    body = {"status": "error", "version": "1.2", "error": {"code": code, "message": message}}
    return answer(orjson.dumps(body).decode(), status)


def of_sandbox(sandbox):
    key, secret = sandbox.credentials.consumer_key, sandbox.credentials.consumer_secret
    return SevenDigital(key, secret, base_url=sandbox.base_url, dialect=Dialect.LIVE)


# --- required fields, checked by put


@pytest.mark.parametrize("kind", KINDS)
async def test_each_required_field_of_a_kind_is_checked(kind):
    async with client_of("http://127.0.0.1:9") as client:
        encode = client.play_logs.encoder(kind)
        valid = play(kind)
        assert encode(valid, Window.at(valid.timestamp)) == valid.encode()
        assert StreamLog.decode(valid.encode()) == valid
        required = [
            name for name in StreamLog.__slots__ if not name.startswith("__") and getattr(play(kind), name) is not None
        ]
        for name in required:
            if name not in {"track_id", "timestamp"}:
                with pytest.raises(InvalidLogError, match=f"{kind} plays need {name}") as caught:
                    encode(evolve(play(kind), **{name: None}), Window.at(valid.timestamp))
                assert caught.value.field == name


@pytest.mark.parametrize(
    ("kind", "changes", "field"),
    [
        (LogKind.PREVIEW, {"release_id": "1"}, "release_id"),
        (LogKind.PREVIEW, {"end_reason": "other"}, "end_reason"),
        (LogKind.CATALOGUE, {"play_mode": "online"}, "play_mode"),
        (LogKind.SUBSCRIBER, {"play_type": "view"}, "play_type"),
        (LogKind.SUBSCRIBER, {"play_mode": "on air"}, "play_mode"),
        (LogKind.CATALOGUE, {"end_reason": "bored"}, "end_reason"),
        (LogKind.PREVIEW, {"play_type": "remix"}, "play_type"),
        (LogKind.CATALOGUE, {"format_id": "mp3"}, "format_id"),
        (LogKind.SUBSCRIBER, {"track_id": "t-1"}, "track_id"),
    ],
)
async def test_a_field_that_a_kind_does_not_have_is_refused(kind, changes, field):
    async with client_of("http://127.0.0.1:9") as client, StreamLogShipper(client, close_timeout=0.0) as shipper:
        with pytest.raises(InvalidLogError) as caught:
            await shipper.put(kind, play(kind, **changes))
        assert caught.value.field == field
        with pytest.raises(InvalidLogError, match="log 1: ") as caught:
            await shipper.put_many(kind, [play(kind), play(kind, **changes)])
        assert caught.value.index == 1
        assert (await shipper.statistics()).put == 0


async def test_fields_of_the_live_dialect_are_refused_in_the_openapi_dialect():
    client = SevenDigital("key", "secret", base_url="http://127.0.0.1:9")
    async with client, StreamLogShipper(client, close_timeout=0.0) as shipper:
        for kind in KINDS:
            with pytest.raises(InvalidLogError, match="exists in the live dialect only"):
                await shipper.put(kind, play(kind))


async def test_a_device_is_kept_and_not_sent():
    async with raw_server(counted(1)) as server, client_of(server.base_url) as client:
        _, _, [delivery] = await ship(client, LogKind.CATALOGUE, [play(LogKind.CATALOGUE, client_id="phone")])
        assert StreamLog.decode(delivery.logs[0]).client_id == "phone"
        assert b"phone" not in server.requests[0].partition(b"\r\n\r\n")[2]


async def test_the_cut_of_a_long_user_agent_is_logged_once(caplog):
    async with client_of("http://127.0.0.1:9") as client:
        window = Window.at(datetime.now(UTC))
        with caplog.at_level(stdlib_logging.WARNING):
            for number in range(3):
                client.play_logs.encoder(LogKind.PREVIEW)(play(LogKind.PREVIEW, number, user_agent="x" * 257), window)
                client.play_logs.encoder(LogKind.PREVIEW)(play(LogKind.PREVIEW, number, user_agent="x" * 256), window)
    assert [record.getMessage() for record in caplog.records] == [
        "a user_agent has 257 characters, of which the service keeps 256"
    ]


# --- partition keys


def test_partition_keys_can_be_read_back_whatever_the_user_id():
    for user in ("7", "a\x1fb", "\x1f", "a\x1fGB", " "):
        for country in ("", "GB"):
            assert user_of(batch_key(user, country)) == user
    assert len({batch_key("a", "GB"), batch_key("a\x1fGB"), batch_key("a\x1fGB", "SE"), batch_key("a")}) == 4
    assert user_of(batch_key("")) == ""
    for user in (None, "7", "a\x1fGB"):
        assert user_of(user_key(StreamLog("1", datetime.now(UTC), user))) == (user or "")


@pytest.mark.parametrize("with_tokens", [False, True])
async def test_a_request_holds_one_user_and_one_country(with_tokens):
    async with Sandbox() as sandbox, of_sandbox(sandbox) as client:
        users, countries = [f"u{n}" for n in range(4)], ["GB", "US", "DE"]
        tokens = {user: sandbox.token_for(user) for user in users[:2]} if with_tokens else None
        for kind in (LogKind.CATALOGUE, LogKind.SUBSCRIBER):
            logs = [play(kind, number, user=users[number % 4], country=countries[number % 3]) for number in range(300)]
            statistics, _, deliveries = await ship(client, kind, logs, user_tokens=tokens)
            assert statistics.delivered >= 300
            assert {delivery.user_id for delivery in deliveries} == set(users)
            batches = {}
            for row in sandbox.received(kind):
                batches.setdefault(row.batch, set()).add((row.log["userId"], row.log["country"]))
                assert row.user == (row.log["userId"] if with_tokens and row.log["userId"] in tokens else None)
            assert all(len(owners) == 1 for owners in batches.values())
            assert received(sandbox, kind) == Counter(map(canonical, logs))
        assert sandbox.stats()["kinds"]["subscriber"]["largest_batch"] <= 20


async def test_a_preview_request_holds_any_users_and_countries():
    async with Sandbox() as sandbox, of_sandbox(sandbox) as client:
        logs = [play(LogKind.PREVIEW, n, user=f"u{n}", country=["GB", "US"][n % 2]) for n in range(700)]
        statistics, _, _ = await ship(client, LogKind.PREVIEW, logs)
        assert statistics.delivered == 700
        assert len(sandbox.requests(LogKind.PREVIEW)) == 2
        assert received(sandbox, LogKind.PREVIEW) == Counter(map(canonical, logs))


def canonical(log):
    return orjson.dumps(log.as_wire(), option=orjson.OPT_SORT_KEYS)


def received(sandbox, kind):
    return Counter(orjson.dumps(row.log, option=orjson.OPT_SORT_KEYS) for row in sandbox.received(kind))


# --- outcomes


@pytest.mark.parametrize("policy", ["resend", "hold"])
async def test_a_count_that_falls_short_leaves_the_batch_in_doubt(policy):
    logs = [play(LogKind.SUBSCRIBER, number) for number in range(20)]
    async with raw_server(counted(17), counted(20)) as server, client_of(server.base_url) as client:
        statistics, _, deliveries = await ship(client, LogKind.SUBSCRIBER, logs, in_doubt=policy)
        assert statistics.in_doubt == 20
        if policy == "hold":
            assert (statistics.held, statistics.delivered, deliveries, len(server.requests)) == (20, 0, [], 1)
        else:
            assert (statistics.delivered, len(server.requests)) == (20, 2)
            assert deliveries[0].in_doubt == 20


async def test_a_direct_report_raises_it_too():
    async with raw_server(counted(1)) as server, client_of(server.base_url) as client:
        with pytest.raises(ShortCountError, match="acknowledged 1 of 2 items") as caught:
            await client.platform.logging.catalogue([play(LogKind.CATALOGUE, n) for n in range(2)])
        assert caught.value.maybe_sent
        assert len(server.requests) == 1


@pytest.mark.parametrize("status", ["200 OK", "400 Bad Request"])
async def test_a_user_who_never_subscribed_is_buried_at_once_with_a_reason(status):
    never = refused(1003, "User has never had a subscription", status)
    logs = [play(LogKind.SUBSCRIBER, number) for number in range(20)]
    async with raw_server(never) as server, client_of(server.base_url) as client:
        statistics, dead_letters, _ = await ship(client, LogKind.SUBSCRIBER, logs)
        assert (statistics.buried, statistics.in_doubt, len(server.requests)) == (20, 0, 1)
        assert {dead_letter.code for dead_letter in dead_letters} == {1003}
        assert all(
            "this user has never had a subscription, so that" in dead_letter.reason for dead_letter in dead_letters
        )


async def test_a_user_who_never_subscribed_does_not_delay_others():
    async with Sandbox() as sandbox, of_sandbox(sandbox) as client:
        logs = [play(LogKind.SUBSCRIBER, n, user=["nosub-1", "u1"][n % 2]) for n in range(40)]
        statistics, dead_letters, _ = await ship(client, LogKind.SUBSCRIBER, logs)
        assert (statistics.delivered, statistics.buried) == (20, 20)
        assert {dead_letter.log.user_id for dead_letter in dead_letters} == {"nosub-1"}


@pytest.mark.parametrize("status", ["200 OK", "400 Bad Request"])
async def test_a_play_outside_the_window_is_buried_with_a_reason(status):
    outside = refused(1002, "DateTimePlayed is not within the two month window", status)
    async with raw_server(outside) as server, client_of(server.base_url) as client:
        statistics, [dead_letter], _ = await ship(client, LogKind.SUBSCRIBER, [play(LogKind.SUBSCRIBER)])
        assert (statistics.buried, dead_letter.code) == (1, 1002)
        assert "played 61 days ago or more, or in the future" in dead_letter.reason


@pytest.mark.parametrize("kind", KINDS)
async def test_poison_is_buried_alone(kind):
    async with Sandbox(faults=Faults.parse(["poison:7"])) as sandbox, of_sandbox(sandbox) as client:
        statistics, [dead_letter], _ = await ship(client, kind, [play(kind, number) for number in range(18)])
        assert (statistics.delivered, statistics.buried, dead_letter.log.track_id) == (17, 1, "7")
        assert "poison" in dead_letter.reason
        assert len(sandbox.received(kind)) == 17
        # Only previews are known to be saved all or not at all.
        assert (statistics.in_doubt == 0) is (kind is LogKind.PREVIEW)


@pytest.mark.parametrize("kind", KINDS)
async def test_faults_lose_and_double_nothing(kind):
    faults = Faults.parse(["500:10%", "429:5%", "disconnect-before:5%"], seed=4)
    async with Sandbox(faults=faults) as sandbox, of_sandbox(sandbox) as client:
        logs = [play(kind, number, country=["GB", "US"][number % 2]) for number in range(200)]
        shipper = StreamLogShipper(client, close_timeout=30)
        async with shipper:
            await shipper.put_many(kind, logs)
        assert (await shipper.statistics()).delivered == 200
        assert received(sandbox, kind) == Counter(map(canonical, logs))


async def test_plays_encoded_for_another_dialect_are_not_sent():
    old = StreamLog("1", datetime.now(UTC), "u1", country="GB").encode()
    async with raw_server(counted(1)) as server, client_of(server.base_url) as client:
        async with client.play_logs.permit(LogKind.SUBSCRIBER) as permit:
            with pytest.raises(InvalidLogError, match="plays need "):
                await permit.post([old], None, request_id="r")
            mixed = [play(LogKind.SUBSCRIBER, user=user).encode() for user in ("a", "b")]
            with pytest.raises(InvalidLogError, match="must have the same user and country"):
                await permit.post(mixed, None, request_id="r")
        assert server.requests == []


# --- traces and advice


async def test_requests_can_be_named_and_errors_carry_the_name():
    refusal = answer("{}", "404 Not Found", **{"x-7d-traceid": "theirs"})
    async with (
        raw_server(HANG_UP, answer("{}", "404 Not Found"), refusal) as server,
        client_of(server.base_url) as client,
    ):
        named = client.with_options(trace_id="run-7")
        for wanted, error in (("run-7", TransportError), ("run-7", APIError), ("theirs", APIError)):
            with pytest.raises(error) as caught:
                await named.platform.users.create(user_id="u", country="GB")
            assert caught.value.trace_id == wanted
        assert all(b"\r\nx-7d-traceid: run-7\r\n" in request for request in server.requests)
        for wrong in ("", "two\r\nlines", "é", " x", "x" * 256):
            with pytest.raises(ValueError, match="trace_id"):
                await client.with_options(trace_id=wrong).classic.service.status()


async def test_the_request_id_of_a_batch_is_the_one_in_the_journal():
    async with raw_server(counted(1)) as server, client_of(server.base_url) as client:
        _, _, [delivery] = await ship(client, LogKind.CATALOGUE, [play(LogKind.CATALOGUE)])
        assert f"\r\nx-7d-traceid: {delivery.receipt.request_id}\r\n".encode() in server.requests[0]


@pytest.mark.parametrize("dialect", Dialect)
async def test_a_sale_whose_answer_is_lost_is_sent_once_and_its_error_has_advice(dialect):
    sale = {"user_id": "7", "currency": "GBP", "price": 1, "release_id": "2"}
    live = {"country": "GB", "transaction_id": "t-1"} if dialect is Dialect.LIVE else {}
    async with (
        raw_server(HANG_UP) as server,
        SevenDigital("key", "secret", base_url=server.base_url, dialect=dialect) as client,
    ):
        with pytest.raises(TransportError, match="must not be sent again") as caught:
            await client.platform.sales.credit_item(**sale, **live)
        assert "purchase id" in caught.value.advice
        assert len(server.requests) == 1
        with pytest.raises(TransportError, match="must not be sent again"):
            await client.classic.user.deliver_item(release_id="2")
    client = SevenDigital("key", "secret", base_url="http://127.0.0.1:9", dialect=dialect)
    async with client:
        with pytest.raises(TransportError) as caught:
            await client.with_options(retry=NO_RETRY).platform.sales.credit_item(**sale, **live)
        assert caught.value.advice is None  # it surely was not sent


# --- who may know of dialects


def test_no_resource_and_no_shipper_depends_on_the_dialect():
    files = [path for layer in ("resources", "shipping") for path in (SOURCES / layer).rglob("*.py")]
    assert len(files) > 30
    for path in files:
        text = path.read_text()
        assert "Dialect" not in text, path
        # The shipper only hands the name of its transport's dialect to the spool.
        assert set(re.findall(r"(\w+)\.dialect\b", text)) <= {"_transport", "LogTransport", "context", "owner"}, path
