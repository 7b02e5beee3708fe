"""Faults: how they are written, how often they strike, what they do."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from random import Random

import aiohttp
import pytest
from support.probe import XML
from support.rows import each_row

from sevendigital_async.errors import ConfigurationError
from sevendigital_async.models.stream_log import LogKind
from sevendigital_async.sandbox import Faults
from sevendigital_async.sandbox.faults import Chance
from sevendigital_async.sandbox.response_writer import SLOW_BODY_SECONDS


@each_row(
    ("specs", "expected"),
    [
        ([], {}),
        (["500:10%"], {"chances": (Chance("500", 0.1),)}),
        (["503:0.02", " 429 : 5% "], {"chances": (Chance("503", 0.02), Chance("429", 0.05))}),
        (["disconnect-before:.5%"], {"chances": (Chance("disconnect-before", 0.005),)}),
        (["disconnect-after:100%"], {"chances": (Chance("disconnect-after", 1.0),)}),
        (["slow-body:1"], {"chances": (Chance("slow-body", 1.0),)}),
        (["poison:12", "poison:a:b"], {"poison": frozenset({"12", "a:b"})}),
        (["poison-unindexed:12"], {"poison_unindexed": frozenset({"12"})}),
    ],
)
def test_faults_are_read(specs, expected):
    specs = [spec.replace(" : ", ":") for spec in specs]
    assert Faults.parse(specs) == Faults(**expected)


@pytest.mark.parametrize(
    ("latency", "expected"),
    [
        (None, (0.0, 0.0)),
        ("", (0.0, 0.0)),
        ("200ms", (0.2, 0.2)),
        ("1.5s", (1.5, 1.5)),
        ("2ms-1500ms", (0.002, 1.5)),
        ("2ms - 1.5s", (0.002, 1.5)),
    ],
)
def test_latency_is_read(latency, expected):
    assert Faults.parse(latency=latency).latency == expected


@each_row(
    ("specs", "latency", "words"),
    [
        (["500"], None, "503:10%"),
        (["500:"], None, "503:10%"),
        (["200:10%"], None, "not a fault: '200:10%'"),
        (["600:10%"], None, "not a fault: '600:10%'"),
        (["disconect-before:10%"], None, "disconnect-before:RATE"),
        (["500:ten"], None, "not a rate: 'ten'"),
        (["500:-1%"], None, "not a rate: "),
        (["500:101%"], None, "not a rate: "),
        (["500:10"], None, "10% or 0.1"),
        (["500:nan"], None, "not a rate: "),
        (["500:60%", "503:50%"], None, "more than 100 %"),
        (["poison:"], None, "poison:TRACK_ID"),
        ("500:10%", None, "list"),
        ([], "200", "200ms"),
        ([], "-5ms", "not a latency: '-5ms'"),
        ([], "5ms-", "not a latency: '5ms-'"),
        ([], "1s-5ms", "is reversed"),
        ([], "infs", "not a latency: "),
    ],
)
def test_nonsense_is_refused_with_help(specs, latency, words):
    with pytest.raises(ConfigurationError) as caught:
        Faults.parse(specs, latency=latency)
    assert words in str(caught.value)


def test_faults_strike_as_often_as_they_should_and_repeatably():
    faults = Faults.parse(["500:10%", "disconnect-before:5%"], latency="2ms-1500ms")
    random, again = Random(1), Random(1)
    drawn = [faults.draw(random) for _ in range(20_000)]
    assert drawn == [faults.draw(again) for _ in range(20_000)]
    counted = Counter(drawn)
    assert counted.keys() == {None, "500", "disconnect-before"}
    assert 0.09 < counted["500"] / 20_000 < 0.11
    assert 0.04 < counted["disconnect-before"] / 20_000 < 0.06
    delays = [faults.delay(random) for _ in range(2_000)]
    assert 0.002 <= min(delays) < 0.1
    assert 1.4 < max(delays) <= 1.5


def test_rates_that_add_up_to_all_leave_nothing():
    faults = Faults.parse([f"50{digit}:10%" for digit in range(10)])
    random = Random(3)
    assert None not in {faults.draw(random) for _ in range(5_000)}


@pytest.mark.parametrize(
    ("status", "code"), [(500, 9001), (502, 9001), (503, 9001), (504, 7003), (400, 1002), (404, 2001), (418, 1002)]
)
async def test_a_status_on_demand(sandbox, probe, status, code):
    sandbox.faults = Faults.parse([f"{status}:100%"])
    async with probe.post("preview", [probe.play()]) as answer:
        assert answer.status == status
        assert (await answer.json())["error"]["code"] == code
        assert "X-RateLimit-Limit" in answer.headers
    async with probe.get("/1.2/status", accept=XML) as answer:
        assert answer.status == status
        assert f'<error code="{code}">' in await answer.text()
    assert sandbox.received() == []
    stats = sandbox.stats()
    assert stats["faults"] == {str(status): 2}
    assert stats["answers"] == {str(status): 2}
    assert stats["kinds"]["preview"]["requests"] == 1
    assert sandbox.requests() == [
        {
            "kind": "preview",
            "arrived_at": probe.clock.time(),
            "arrived_monotonic": probe.clock.monotonic(),
            "user": None,
            "logs": None,
            "batch": None,
            "fault": str(status),
            "status": status,
        }
    ]


async def test_429_on_demand_asks_for_a_short_wait_and_takes_no_place(sandbox, probe):
    sandbox.faults = Faults.parse(["429:100%"])
    for _ in range(5):
        async with probe.post("preview", [probe.play()]) as answer:
            assert answer.status == 429
            assert answer.headers["Retry-After"] == "0.2"
    sandbox.faults = Faults()
    async with probe.post("preview", [probe.play()]) as answer:
        assert answer.status == 202
    assert sandbox.stats()["kinds"]["preview"]["rate_limited"] == 5


@pytest.mark.parametrize("status", [401, 403])
async def test_refusals_of_identity_on_demand_are_plain_text(sandbox, probe, status):
    sandbox.faults = Faults.parse([f"{status}:100%"])
    async with probe.post("preview", [probe.play()]) as answer:
        assert answer.status == status
        assert (await answer.text()).startswith("OAuth authentication error: ")


@pytest.mark.parametrize(("fault", "saved"), [("disconnect-before", 0), ("disconnect-after", 2)])
async def test_disconnects(sandbox, probe, fault, saved):
    sandbox.faults = Faults.parse([f"{fault}:100%"])
    for _ in range(2):
        with pytest.raises((aiohttp.ServerDisconnectedError, aiohttp.ClientOSError)):
            await probe.post("catalogue", [probe.play(), probe.play("2")], user="user-1")
    # Two requests of two logs, of which the second is a repetition of the first.
    assert len(sandbox.received(LogKind.CATALOGUE)) == 2 * saved
    assert [entry["status"] for entry in sandbox.requests()] == ["disconnected"] * 2
    assert [entry["user"] for entry in sandbox.requests()] == ["user-1"] * 2
    assert sandbox.stats()["answers"] == {"disconnected": 2}
    assert sandbox.stats()["faults"] == {fault: 2}
    assert sandbox.stats()["kinds"]["catalogue"]["duplicates"] == saved
    sandbox.faults = Faults()
    async with probe.post("catalogue", [probe.play("3")], user="user-1") as answer:
        assert answer.status == 202


async def test_a_slow_body_sends_the_headers_at_once(sandbox, probe, clock):
    sandbox.faults = Faults.parse(["slow-body:100%"])
    begun = clock.time()
    async with probe.post("preview", [probe.play()]) as answer:
        assert answer.status == 202
        assert answer.headers["Transfer-Encoding"] == "chunked"
        assert await answer.read() == b""
    assert clock.time() - begun == pytest.approx(SLOW_BODY_SECONDS)
    async with probe.get("/1.2/release/search", {"q": "velvet"}) as answer:
        assert (await answer.json())["status"] == "ok"
    assert len(sandbox.received(LogKind.PREVIEW)) == 1
    assert sandbox.stats()["faults"] == {"slow-body": 2}


async def test_a_slow_body_really_trickles(probe, sandbox, monkeypatch):
    monkeypatch.setattr("sevendigital_async.sandbox.response_writer.SLOW_BODY_SECONDS", 60.0)
    sandbox.faults = Faults.parse(["slow-body:100%"])

    async def never(_):
        await aiohttp.web.asyncio.sleep(60)

    monkeypatch.setattr(probe.clock, "sleep", never)
    async with probe.post("preview", [probe.play()]) as answer:
        assert answer.status == 202
        with pytest.raises(TimeoutError):
            async with aiohttp.web.asyncio.timeout(0.05):
                await answer.read()


async def test_poison_is_refused_with_its_index(sandbox, probe):
    sandbox.faults = Faults.parse(["poison:666"])
    async with probe.post("preview", [probe.play(), probe.play("666"), probe.play()]) as answer:
        assert answer.status == 400
        error = (await answer.json())["error"]
        assert (error["code"], [item["index"] for item in error["errors"]]) == (1008, [1])
    assert sandbox.received() == []
    assert sandbox.stats()["kinds"]["preview"]["refused_logs"] == 1
    async with probe.post("preview", [probe.play(), probe.play()]) as answer:
        assert answer.status == 202


async def test_poison_may_be_refused_without_an_index(sandbox, probe):
    sandbox.faults = Faults.parse(["poison-unindexed:666"])
    async with probe.post("preview", [probe.play("666")]) as answer:
        assert answer.status == 400
        assert (await answer.json())["error"].keys() == {"code", "message"}
    assert sandbox.received() == []


async def test_latency_comes_after_the_arrival_was_noted(sandbox, probe, clock):
    sandbox.faults = Faults.parse(latency="1.5s")
    arrived = clock.time()
    async with probe.post("preview", [probe.play()]) as answer:
        assert answer.status == 202
    assert clock.slept == [1.5]
    [received] = sandbox.received()
    assert received.arrived_at == arrived


async def test_faults_change_while_it_runs_and_start_their_numbers_anew(sandbox, probe):
    url = f"{sandbox.base_url}/_sandbox/faults"

    async def statuses():
        seen = []
        for _ in range(12):
            async with probe.get("/1.2/status") as answer:
                seen.append(answer.status)
        return seen

    wanted = {"faults": ["500:50%"], "latency": "1ms-2ms", "seed": 5}
    runs = []
    for _ in range(2):
        async with probe.session.put(url, json=wanted) as answer:
            assert answer.status == 200
        runs.append(await statuses())
    assert runs[0] == runs[1]
    assert set(runs[0]) == {200, 500}
    assert sandbox.faults == Faults.parse(["500:50%"], latency="1ms-2ms", seed=5)
    async with probe.session.put(url, json={}) as answer:
        assert answer.status == 200
    assert sandbox.faults == Faults()


async def test_a_change_of_faults_that_have_changed_since_is_refused(sandbox, probe):
    url = f"{sandbox.base_url}/_sandbox/faults"

    async def put(*faults, **members):
        async with probe.session.put(url, json={"faults": faults, "seed": 3, **members}) as answer:
            return answer.status, await answer.json()

    async with probe.session.get(f"{sandbox.base_url}/_sandbox/activity") as answer:
        read = (await answer.json())["faults"]["version"]
    sandbox.faults = Faults.parse(["poison:666"])  # another program
    status, refusal = await put("500:10%", version=read)
    assert status == 409
    assert refusal.pop("error") == f"the faults have changed since version {read}"
    assert refusal == {"faults": ["poison:666"], "latency": "0ms", "seed": 0, "version": read + 1}
    assert sandbox.faults == Faults.parse(["poison:666"])
    status, in_force = await put("poison:666", "500:10%", version=refusal["version"])
    assert status == 200
    assert in_force == {"faults": ["500:10%", "poison:666"], "latency": "0ms", "seed": 3, "version": read + 2}
    assert (await put("503:1%"))[0] == 200  # without a version it replaces whatever is in force
    assert sandbox.faults == Faults.parse(["503:1%"], seed=3)


async def test_changes_at_the_same_time_are_all_made(sandbox, probe):
    url = f"{sandbox.base_url}/_sandbox/faults"

    async def add(track_id):
        current = {"faults": [], "version": 0}
        while True:
            wanted = {"faults": [*current["faults"], f"poison:{track_id}"], "version": current["version"]}
            async with probe.session.put(url, json=wanted) as answer:
                current = await answer.json()
                if answer.status == 200:
                    return

    await asyncio.gather(*(add(track_id) for track_id in range(10)))
    assert sandbox.faults.poison == {str(track_id) for track_id in range(10)}


@pytest.mark.parametrize(
    "body",
    [
        b"rubbish",
        b"[]",
        b'{"fault": []}',
        b'{"faults": "500:10%"}',
        b'{"faults": [5]}',
        b'{"faults": ["500"]}',
        b'{"latency": 5}',
        b'{"latency": "5"}',
        b'{"seed": "x"}',
        b'{"seed": true}',
        b'{"version": "1"}',
        b'{"version": true}',
    ],
)
async def test_nonsense_over_http_changes_nothing(sandbox, probe, body):
    before = Faults.parse(["500:1%"])
    sandbox.faults = before
    async with probe.session.put(f"{sandbox.base_url}/_sandbox/faults", data=body) as answer:
        assert answer.status == 400
        assert (await answer.json())["error"]
    assert sandbox.faults is before


async def test_faults_spare_the_control_endpoints(sandbox, probe):
    sandbox.faults = Faults.parse(["disconnect-before:100%"], latency="60s")
    begun = time.monotonic()
    assert (await probe.stats())["faults"] == {}
    assert await probe.lines("/_sandbox/logs") == []
    assert time.monotonic() - begun < 30
