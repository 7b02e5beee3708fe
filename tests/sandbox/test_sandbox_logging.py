"""Play logs: what is accepted, what is refused, what is remembered."""

from __future__ import annotations

import asyncio
import io
import json
import statistics
import time

import orjson
import pytest
from support.probe import FORM, Probe, open_session, until

from sevendigital_async.models.stream_log import LogKind
from sevendigital_async.sandbox import Sandbox
from sevendigital_async.sandbox.request_log import RequestLog
from sevendigital_async.sandbox.server import MAX_BODY_BYTES

DAY = 86_400
MOST = {"preview": 500, "catalogue": 500, "subscriber": 20}


@pytest.fixture
async def managed():
    async with Sandbox(managed_users=True, preview_rate=1_000) as sandbox, open_session() as session:
        yield Probe(sandbox, session)


async def test_accepted_logs_are_kept_as_received(sandbox, probe, clock):
    first = [probe.play("1", userId="a", clientId="d"), probe.play("2", durationPlayed=0)]
    async with probe.post("preview", first) as answer:
        assert answer.status == 202
        assert await answer.read() == b""
    clock.advance(10)
    async with probe.post("subscriber", [probe.play("3")], user="user-1") as answer:
        assert answer.status == 202
    assert [
        (got.kind, got.batch, got.position, got.arrived_at, got.arrived_monotonic, got.user, got.log)
        for got in sandbox.received()
    ] == [
        (LogKind.PREVIEW, 1, 0, clock.time() - 10, clock.monotonic() - 10, None, first[0]),
        (LogKind.PREVIEW, 1, 1, clock.time() - 10, clock.monotonic() - 10, None, first[1]),
        (LogKind.SUBSCRIBER, 2, 0, clock.time(), clock.monotonic(), "user-1", {**probe.play("3"), **_at(clock, -70)}),
    ]
    assert [got.log["trackId"] for got in sandbox.received(LogKind.SUBSCRIBER)] == ["3"]


def _at(clock, seconds):
    return {"timestamp": Probe(None, None, clock).play(ago=-seconds - 10)["timestamp"]}


@pytest.mark.parametrize("kind", list(MOST))
async def test_batch_sizes(managed, kind):
    most = MOST[kind]
    for size, status in ((0, 400), (1, 202), (most, 202), (most + 1, 400)):
        async with managed.post(kind, [managed.play(str(size))] * size) as answer:
            assert answer.status == status, size
            if status == 400:
                body = await answer.json()
                assert body["error"]["code"] == 1003
                assert ("status" in body) == (kind != "preview")
    assert len(managed.sandbox.received()) == most + 1
    figures = managed.sandbox.stats()["kinds"][kind]
    assert (figures["largest_batch"], figures["duplicates"]) == (most + 1, most - 1)


@pytest.mark.parametrize(
    "change",
    [
        {},
        {"durationPlayed": 0},
        {"durationPlayed": None, "country": None},
        {"country": "us"},
        {"timestamp": "2027-01-15T09:00:00+02:00"},
        {"timestamp": "2027-01-15T07:00:00.1234567Z"},
        {"trackId": "é/ü"},
    ],
)
async def test_sound_logs(probe, change):
    # A key whose value is None is left out here.
    log = {name: value for name, value in {**probe.play(), **change}.items() if value is not None}
    async with probe.post("preview", [log]) as answer:
        assert answer.status == 202, await answer.text()


@pytest.mark.parametrize(
    ("log", "word"),
    [
        ("x", "object"),
        (None, "object"),
        ([], "object"),
        ({}, "trackId is missing"),
        ({"trackId": "1"}, "timestamp is missing"),
        ({"timestamp": "2027-01-15T07:00:00Z"}, "trackId is missing"),
    ],
)
async def test_what_is_no_log_at_all(probe, log, word):
    async with probe.post("preview", [probe.play(), log]) as answer:
        [item] = (await answer.json())["error"]["errors"]
        assert (item["index"], item["code"]) == (1, 1002)
        assert word in item["message"]


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("trackId", ""),
        ("trackId", " "),
        ("trackId", 12),
        ("trackId", None),
        ("userId", 5),
        ("userId", ""),
        ("clientId", None),
        ("country", "GBR"),
        ("country", "G1"),
        ("country", "éé"),
        ("country", 44),
        ("durationPlayed", -1),
        ("durationPlayed", 1.0),
        ("durationPlayed", "30"),
        ("durationPlayed", True),
        ("durationPlayed", 2**70),
        ("timestamp", 1_800_000_000),
        ("timestamp", ""),
        ("timestamp", "2027-01-15"),
        ("timestamp", "2027-01-15T07:00:00"),
        ("timestamp", "2027-02-30T07:00:00Z"),
        ("timestamp", "20270115T070000Z"),
        ("timestamp", "0001-01-01T00:00:00+23:59"),
        ("timestamp", "9999-12-31T23:59:59-23:59"),
        ("track_id", "1"),
        ("playMode", "online"),
    ],
)
async def test_a_log_at_fault_is_named(probe, sandbox, field, value):
    # The standard library writes what orjson would not, such as integers of any size.
    bad = {**probe.play(), field: value}
    body = json.dumps({"logs": [probe.play(), bad, probe.play()]}).encode()
    async with probe.post_raw("preview", body) as answer:
        assert answer.status == 400
        tree = await answer.json()
    assert tree.keys() == {"error"}
    assert tree["error"]["code"] == 1008
    [item] = tree["error"]["errors"]
    assert item.keys() == {"code", "message", "index"}
    assert (item["code"], item["index"]) == (1002, 1)
    assert item["message"].startswith(field)
    assert sandbox.received() == []


@pytest.mark.parametrize(
    ("ago", "accepted"), [(61 * DAY, True), (61 * DAY + 1, False), (-300, True), (-301, False), (0, True)]
)
async def test_the_window_of_61_days(probe, ago, accepted):
    async with probe.post("preview", [probe.play(ago=ago)]) as answer:
        assert answer.status == (202 if accepted else 400)
        if not accepted:
            assert "timestamp" in (await answer.json())["error"]["errors"][0]["message"]


@pytest.mark.parametrize("kind", ["catalogue", "subscriber"])
async def test_refusals_of_the_other_kinds_are_enveloped(probe, sandbox, kind):
    async with probe.post(kind, [probe.play(), {}, probe.play(), 5], user="user-1") as answer:
        assert answer.status == 400
        tree = await answer.json()
    assert (tree["status"], tree["error"]["code"]) == ("error", 1008)
    assert [item["index"] for item in tree["error"]["errors"]] == [1, 3]
    assert sandbox.stats()["kinds"][kind]["refused_logs"] == 2
    assert sandbox.received() == []


async def test_a_users_signature_covers_no_other_users_plays(probe, sandbox):
    own, other = probe.play(userId="user-1"), probe.play(userId="user-2")
    async with probe.post("catalogue", [own, probe.play(), other], user="user-1") as answer:
        assert answer.status == 400
        assert [item["index"] for item in (await answer.json())["error"]["errors"]] == [2]
    async with probe.post("catalogue", [own, probe.play()], user="user-1") as answer:
        assert answer.status == 202
    assert {got.user for got in sandbox.received()} == {"user-1"}


@pytest.mark.parametrize(
    ("body", "content_type", "status", "code"),
    [
        (b"", "application/json", 400, 1002),
        (b"{", "application/json", 400, 1002),
        (b'{"logs": [\xff]}', "application/json", 400, 1002),
        (b"[]", "application/json", 400, 1002),
        (b"{}", "application/json", 400, 1001),
        (b'{"logs": null}', "application/json", 400, 1001),
        (b'{"logs": {}}', "application/json", 400, 1003),
        (b'{"logs": [], "more": 1}', "application/json", 400, 1002),
        (b'{"playLogItem": []}', "application/json", 400, 1002),
        (b"logs=1", FORM, 415, 1002),
        (b'{"logs": []}', "text/plain", 415, 1002),
    ],
)
async def test_bodies_that_are_no_batch(probe, body, content_type, status, code):
    async with probe.post_raw("preview", body.decode("latin-1"), content_type=content_type) as answer:
        assert answer.status == status
        assert (await answer.json()) == {"error": {"code": code, "message": (await answer.json())["error"]["message"]}}


async def test_a_body_may_be_large_but_not_endless(managed):
    long_id = "x" * 3_000
    large = orjson.dumps({"logs": [managed.play(clientId=long_id)] * 500})
    async with managed.post_raw("preview", io.BytesIO(large)) as answer:
        assert answer.status == 202
    async with managed.post_raw("preview", io.BytesIO(b" " * (MAX_BODY_BYTES + 1))) as answer:
        assert answer.status == 413
        assert (await answer.json())["error"]["code"] == 1003
    assert [entry["status"] for entry in managed.sandbox.requests()] == [202, 413]


async def test_the_record_of_logs_and_requests(probe, sandbox, clock):
    plays = [probe.play("1"), probe.play("2")]
    async with probe.post("preview", plays):
        pass
    async with probe.post("subscriber", [{}], user="user-1"):
        pass
    async with probe.post("subscriber", [plays[0]], user="user-1"):
        pass
    async with probe.post("catalogue", [plays[0]]):
        pass
    moment = {"arrived_at": clock.time(), "arrived_monotonic": clock.monotonic()}
    logs = await probe.lines("/_sandbox/logs")
    assert logs == [
        {"kind": "preview", "batch": 1, "position": 0, **moment, "user": None, "log": plays[0]},
        {"kind": "preview", "batch": 1, "position": 1, **moment, "user": None, "log": plays[1]},
        {"kind": "subscriber", "batch": 2, "position": 0, **moment, "user": "user-1", "log": plays[0]},
    ]
    assert await probe.lines("/_sandbox/logs?kind=preview") == logs[:2]
    requests = await probe.lines("/_sandbox/requests")
    assert requests == sandbox.requests()
    assert [(entry["kind"], entry["batch"], entry["logs"], entry["status"], entry["user"]) for entry in requests] == [
        ("preview", 1, 2, 202, None),
        ("subscriber", None, 1, 400, "user-1"),
        ("subscriber", 2, 1, 202, "user-1"),
        ("catalogue", None, None, 401, None),
    ]
    assert await probe.lines("/_sandbox/requests?kind=catalogue") == requests[3:]
    assert await probe.stats() == sandbox.stats()
    assert sandbox.stats()["answers"] == {"202": 2, "400": 1, "401": 1}
    async with probe.session.get(f"{sandbox.base_url}/_sandbox/logs?kind=radio") as answer:
        assert answer.status == 400


async def test_doubles_are_counted_whatever_the_order_of_their_fields(probe, sandbox):
    play = probe.play()
    turned = dict(reversed(play.items()))
    for log in (play, turned, {**play, "country": "DE"}):
        async with probe.post("preview", [log]) as answer:
            assert answer.status == 202
    async with probe.post("catalogue", [play], user="u") as answer:
        assert answer.status == 202
    assert {kind: figures["duplicates"] for kind, figures in sandbox.stats()["kinds"].items()} == {
        "preview": 1,
        "catalogue": 0,
        "subscriber": 0,
    }


async def test_a_client_that_leaves_in_the_middle_of_a_body(sandbox):
    port = int(sandbox.base_url.rsplit(":", 1)[1])
    _, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(b"POST /logging/preview HTTP/1.1\r\nHost: h\r\nContent-Length: 100\r\n\r\n{")
    await writer.drain()
    await until(sandbox.requests)
    writer.transport.abort()
    await until(lambda: sandbox.requests()[0]["status"] is not None)
    assert sandbox.stats()["answers"] == {"disconnected": 1}


async def test_a_hundred_thousand_logs_are_quick_to_keep_and_to_read(managed):
    request_log = managed.sandbox._request_log
    logs = [orjson.dumps(managed.play(str(number))) for number in range(100_000)]
    taken = []
    for start in range(0, len(logs), 500):
        begun = time.thread_time()
        entry = request_log.record_arrival(LogKind.PREVIEW, 1.0, start / 1000)
        request_log.record_logs(entry, logs=500, accepted=tuple(logs[start : start + 500]))
        taken.append(time.thread_time() - begun)
    assert statistics.median(taken[-50:]) < 3 * statistics.median(taken[:50])
    breaths = 0

    async def pulse():
        nonlocal breaths
        while True:
            await asyncio.sleep(0)
            breaths += 1

    # Reading in pieces on the other side keeps the parsing out of what is measured.
    pulsing = asyncio.create_task(pulse())
    size = 0
    async with managed.session.get(f"{managed.sandbox.base_url}/_sandbox/logs") as answer:
        async for chunk in answer.content.iter_any():
            size += chunk.count(b"\n")
    pulsing.cancel()
    assert size == 100_000
    assert breaths > 50  # the sandbox answers others meanwhile
    assert request_log.stats()["kinds"]["preview"]["duplicates"] == 0


def test_chunks_are_neither_tiny_nor_huge():
    request_log = RequestLog()
    logs = tuple(b'{"trackId":"%d"}' % n for n in range(5_000))
    request_log.record_logs(request_log.record_arrival(LogKind.PREVIEW, 1.0, 1.0), logs=5_000, accepted=logs)
    chunks = list(request_log.log_lines())
    assert len(chunks) > 5
    assert all(65_536 <= len(chunk) < 70_000 for chunk in chunks[:-1])
    assert [orjson.loads(line)["position"] for line in b"".join(chunks).splitlines()] == list(range(5_000))


async def test_five_hundred_logs_cost_little_more_than_one(managed):
    def body(round_, logs):
        plays = [managed.play(f"{round_}-{n}", userId=f"u{n}", clientId="d") for n in range(logs)]
        return orjson.dumps({"logs": plays})

    taken = {1: [], 500: []}
    for round_ in range(11):
        for logs, times in taken.items():
            sent = body(round_ if logs == 1 else round_ + 100, logs)
            begun = time.perf_counter()
            async with managed.post_raw("preview", sent) as answer:
                assert answer.status == 202
            times.append(time.perf_counter() - begun)
    # The best of several says what the work costs; the rest says how busy the machine was.
    assert min(taken[500]) < 30 * min(taken[1])
