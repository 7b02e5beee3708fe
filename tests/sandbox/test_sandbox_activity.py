"""The figures behind the page: the last minutes, refused plays, doubles, and the faults in force."""

from __future__ import annotations

import aiohttp
import pytest
from support.probe import JSON, Probe, open_session

from sevendigital_async.models.stream_log import LogKind
from sevendigital_async.sandbox import Faults, Sandbox
from sevendigital_async.sandbox.request_log import RequestLog
from sevendigital_async.sandbox.traffic import BATCH_SIZE_BOUNDS, LATENCY_BOUNDS, WINDOW_SECONDS, Traffic


@pytest.fixture
async def probe(clock):
    async with Sandbox(clock=clock, managed_users=True) as sandbox, open_session() as session:
        yield Probe(sandbox, session, clock)


async def activity(probe):
    async with probe.session.get(f"{probe.sandbox.base_url}/_sandbox/activity") as answer:
        assert answer.status == 200
        assert answer.content_type == "application/json"
        return await answer.json()


async def post(probe, kind, *plays):
    async with probe.post(kind, list(plays)) as answer:
        return answer.status


async def test_each_second_is_counted(probe, clock):
    for _ in range(6):
        await post(probe, "preview", probe.play("1"), probe.play("2"))
    clock.advance(2)
    await post(probe, "subscriber", probe.play("3"))
    traffic = (await activity(probe))["traffic"]
    now = int(clock.monotonic())
    assert (traffic["now"], traffic["window"]) == (now, WINDOW_SECONDS)
    assert traffic["seconds"] == [
        {
            "second": now - 2,
            "requests": {"preview": 6},
            "busiest_second": {"preview": 6},
            "logs": {"preview": 10},
            "answers": {"202": 5, "429": 1},
        },
        {
            "second": now,
            "requests": {"subscriber": 1},
            "busiest_second": {"subscriber": 1},
            "logs": {"subscriber": 1},
            "answers": {"202": 1},
        },
    ]


async def test_seconds_older_than_the_window_are_left_out(probe, clock):
    await post(probe, "preview", probe.play())
    clock.advance(WINDOW_SECONDS - 1)
    assert len((await activity(probe))["traffic"]["seconds"]) == 1
    clock.advance(1)
    traffic = (await activity(probe))["traffic"]
    assert traffic["seconds"] == []
    assert sum(traffic["latencies"]["requests"]) == 0


async def test_the_window_does_not_grow():
    traffic = Traffic()
    for second in range(3 * WINDOW_SECONDS):
        traffic.record_arrival(LogKind.PREVIEW, float(second), 1)
    traffic.record_logs(LogKind.PREVIEW, 5.0, logs=1, saved=1)  # of a request that took longer than the window
    assert len(traffic._seconds) == WINDOW_SECONDS
    assert sum(traffic.tree(3.0 * WINDOW_SECONDS)["batch_sizes"]["requests"]["preview"]) == 0


async def test_a_burst_across_two_seconds_shows_in_the_second_that_it_ended_in(probe, clock):
    clock.advance(0.75)
    for _ in range(3):
        await post(probe, "preview", probe.play())
    clock.advance(0.5)
    for _ in range(4):
        await post(probe, "preview", probe.play())
    assert [second["busiest_second"] for second in (await activity(probe))["traffic"]["seconds"]] == [
        {"preview": 3},
        {"preview": 7},
    ]


async def test_batch_sizes(probe):
    for kind, size in (
        ("catalogue", 1),
        ("catalogue", 500),
        ("catalogue", 500),
        ("catalogue", 501),
        ("subscriber", 20),
    ):
        await post(probe, kind, *(probe.play(str(number)) for number in range(size)))
    sizes = (await activity(probe))["traffic"]["batch_sizes"]
    assert sizes["up_to"] == [*BATCH_SIZE_BOUNDS, None]
    shown = {kind: dict(zip(sizes["up_to"], counts, strict=True)) for kind, counts in sizes["requests"].items()}
    assert {bound: count for bound, count in shown["catalogue"].items() if count} == {1: 1, 500: 2, None: 1}
    assert {bound: count for bound, count in shown["subscriber"].items() if count} == {20: 1}
    assert not any(shown["preview"].values())


async def test_latencies(probe):
    for latency in ("0ms", "40ms", "50ms", "7s"):
        probe.sandbox.faults = Faults.parse(latency=latency)
        await post(probe, "catalogue", probe.play())
    latencies = (await activity(probe))["traffic"]["latencies"]
    assert latencies["up_to"] == [*LATENCY_BOUNDS, None]
    shown = dict(zip(latencies["up_to"], latencies["requests"], strict=True))
    assert {bound: count for bound, count in shown.items() if count} == {0.001: 1, 0.05: 2, None: 1}


async def test_other_calls_are_not_traffic(probe):
    async with probe.get("/1.2/status") as answer:
        assert answer.status == 200
    async with probe.get("/1.2/status", key="unknown") as answer:
        assert answer.status == 401
    playlist = b'{"name": "x", "tracks": [{}]}'
    async with probe.request("POST", "/playlists", body=playlist, headers={"Content-Type": JSON}) as answer:
        assert (await answer.json())["error"]["errors"][0]["index"] == 0
    figures = await activity(probe)
    assert (figures["traffic"]["seconds"], figures["refused"]) == ([], [])
    assert figures["stats"] == probe.sandbox.stats()


async def test_refused_plays_and_their_reasons(probe, clock):
    probe.sandbox.faults = Faults.parse(["poison:666", "poison-unindexed:667"])
    await post(probe, "catalogue", probe.play("1"), probe.play("2", ago=62 * 86_400), {"timestamp": "now"}, 7)
    clock.advance(1)
    await post(probe, "catalogue", probe.play("666"))
    await post(probe, "subscriber", probe.play("1"), probe.play("667"))
    await post(probe, "subscriber")
    async with probe.post("catalogue", [probe.play("1")], key="unknown") as answer:
        assert answer.status == 401
    refused = (await activity(probe))["refused"]
    assert [
        (each["kind"], each["status"], each["code"], each["position"], each["track_id"], each["reason"])
        for each in refused
    ] == [
        ("catalogue", 401, None, None, None, refused[0]["reason"]),
        ("subscriber", 400, 1003, None, None, "logs is out of range: a list of 1 to 20 expected"),
        ("subscriber", 400, 1002, None, None, "The batch holds an invalid log"),
        ("catalogue", 400, 1002, 0, "666", "trackId is poison"),
        ("catalogue", 400, 1002, 3, None, "A log must be a JSON object"),
        ("catalogue", 400, 1002, 2, None, "trackId is missing"),
        ("catalogue", 400, 1002, 1, "2", "timestamp is too far in the past"),
    ]
    assert refused[0]["reason"].startswith("OAuth authentication error")
    assert [each["arrived_at"] for each in refused] == [clock.time()] * 4 + [clock.time() - 1] * 3


async def test_refused_plays_are_few_and_short(probe):
    for start in (0, 100):
        plays = [probe.play("9" * 300, ago=100 * 86_400 + start + number) for number in range(60)]
        await post(probe, "catalogue", *plays, {"x" * 1_000: 1, **probe.play()})
    refused = (await activity(probe))["refused"]
    assert len(refused) == 50
    assert {len(each["track_id"]) for each in refused} == {200}


async def test_a_rate_limited_request_is_not_a_refused_play(probe):
    for _ in range(7):
        await post(probe, "preview", probe.play())
    probe.sandbox.faults = Faults.parse(["429:100%"])
    await post(probe, "catalogue", probe.play())
    figures = await activity(probe)
    assert figures["refused"] == []
    assert figures["traffic"]["seconds"][0]["answers"] == {"202": 5, "429": 3}


async def test_doubles_name_the_batches_that_they_came_with(probe, clock):
    again, thrice = probe.play("42", userId="u1"), probe.play("43")
    probe.sandbox.faults = Faults.parse(["disconnect-after:100%"])
    with pytest.raises(aiohttp.ClientError):
        await post(probe, "catalogue", again, probe.play("1"))
    probe.sandbox.faults = Faults()
    first = clock.time()
    clock.advance(5)
    await post(probe, "catalogue", thrice, again, thrice)
    await post(probe, "subscriber", thrice)
    await post(probe, "catalogue", thrice)
    figures = await activity(probe)
    accepted = {"status": 202, "fault": None, "arrived_at": clock.time()}
    lost = {"status": "disconnected", "fault": "disconnect-after", "arrived_at": first}
    assert figures["doubles"] == [
        {
            "kind": "catalogue",
            "log": thrice,
            "times": 3,
            "first": {"batch": 2, **accepted},
            "last": {"batch": 4, **accepted},
        },
        {
            "kind": "catalogue",
            "log": again,
            "times": 2,
            "first": {"batch": 1, **lost},
            "last": {"batch": 2, **accepted},
        },
    ]
    assert figures["stats"]["kinds"]["catalogue"]["duplicates"] == 3


def test_the_newest_doubles_are_kept_whatever_their_kind():
    request_log = RequestLog()
    for number in range(80):
        kind = LogKind.PREVIEW if number < 60 else LogKind.SUBSCRIBER
        log = b'{"trackId":"%d"}' % number
        request_log.record_logs(request_log.record_arrival(kind, 1.0, 1.0), logs=2, accepted=(log, log))
    tracks = [int(double["log"]["trackId"]) for double in request_log.activity(1.0)["doubles"]]
    assert tracks == list(range(79, 29, -1))


@pytest.mark.parametrize(
    ("specs", "latency"),
    [
        ([], "0ms"),
        (["503:10%", "disconnect-after:0.5%", "slow-body:33.3%", "poison:5500001", "poison-unindexed:7"], "2ms-1500ms"),
        (["429:100%"], "2500000ms"),
    ],
)
async def test_faults_in_force(probe, specs, latency):
    written = {"faults": specs, "latency": latency, "seed": 7}
    async with probe.session.put(f"{probe.sandbox.base_url}/_sandbox/faults", json=written) as answer:
        assert answer.status == 200
        in_force = await answer.json()
    assert (await activity(probe))["faults"] == in_force == {**written, "version": 2}
    assert Faults.parse(written["faults"], latency=latency, seed=7) == probe.sandbox.faults
