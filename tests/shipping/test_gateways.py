"""A gateway refuses requests: the plays wait, and the requests that the server gets are counted."""

import itertools
import re
from datetime import UTC, datetime

import pytest
from support.clock import VirtualClock
from support.rawserver import answer, raw_server

from sevendigital_async import LogKind, SevenDigital, StreamLog, StreamLogShipper
from sevendigital_async.shipping import AlertKind

PAGE = "<html><head><title>400 Bad Request</title></head><body>nginx</body></html>"
FOREIGN_FORMATS = [
    PAGE,
    "",
    "Bad Request",
    '{"message":"Bad Request"}',
    '{"timestamp":1,"status":400,"error":"Bad Request","path":"/logging/preview"}',
    '{"error":{"code":400,"message":"invalid"}}',
    '{"error":{"code":1002',
    "<Error><Code>BadRequest</Code></Error>",
]
BAD_TRACK = '{"error":{"code":1008,"message":"bad","errors":[{"index":%d,"code":1002,"message":"no such track"}]}}'


def tracks(request):
    return [track.decode() for track in re.findall(rb'"trackId":"(\w+)"', request)]


class Gateway:
    """Refuses everything for a while; then it is the service, which refuses bad tracks."""

    def __init__(self, clock, until, body, status):
        self.clock, self.until = clock, until
        self.refusal = answer(body, f"{status} Bad Request", Connection="close")
        self.refused, self.taken = [], []

    async def __call__(self, _reader, writer, request):
        plays = tracks(request)
        if self.clock.monotonic() < self.until:
            self.refused.append(len(plays))
            writer.write(self.refusal)
        elif bad := [index for index, track in enumerate(plays) if track.startswith("bad")]:
            writer.write(answer(BAD_TRACK % bad[0], "400 Bad Request", Connection="close"))
        else:
            self.taken += plays
            writer.write(answer("", "202 Accepted", Connection="close"))
        await writer.drain()


def ship(clock, raw, names, kind=LogKind.PREVIEW, look_at=None, **options):
    """Put plays and flush; ``look_at`` is when to look at the statistics in between."""
    alerts = []

    async def run():
        played_at = datetime.fromtimestamp(clock.time() - 60, UTC)
        async with (
            SevenDigital("key", "secret", base_url=raw.base_url, clock=clock) as client,
            StreamLogShipper(client, clock=clock, on_alert=lambda _, alert: alerts.append(alert), **options) as shipper,
        ):
            await shipper.put_many(kind, [StreamLog(name, played_at, country="GB", user_id="7") for name in names])
            before = None
            if look_at is not None:
                await clock.sleep(look_at)
                before = await shipper.statistics()
            return before, await shipper.flush(), alerts

    return clock.run(run())


@pytest.mark.parametrize(
    ("body", "status", "kind"),
    [*((body, 400, LogKind.PREVIEW) for body in FOREIGN_FORMATS), *((PAGE, 422, kind) for kind in LogKind)],
)
async def test_a_gateways_refusal_buries_nothing_and_gets_few_requests(body, status, kind):
    clock = VirtualClock()
    gateway = Gateway(clock, 200.0, body, status)
    names = [f"t{index}" for index in range(2000)]
    async with raw_server(gateway) as raw:
        before, after, alerts = await ship(clock, raw, names, kind, look_at=190.0)
    assert (before.buried, before.held, before.in_doubt, before.delivered) == (0, 0, 0, 0)
    assert before.alerts[kind].kind is AlertKind.UNAVAILABLE
    assert len(alerts) == 1
    assert "gateway" in alerts[0].message
    # As many as may be on their way at once, then one probe at a time with a back-off of five seconds on average.
    assert len(gateway.refused) <= 16 + 200 / 2.5
    assert min(gateway.refused) >= min(20, len(names) % 500 or 500)
    assert sorted(gateway.taken) == sorted(names)
    assert (after.delivered, after.buried, after.in_doubt, after.alerts) == (2000, 0, 0, {})


async def test_only_one_probe_at_a_time_goes_out():
    clock = VirtualClock()
    gateway, under_way = Gateway(clock, 300.0, PAGE, 400), []

    async def watched(reader, writer, request):
        under_way.append(clock.monotonic())
        await clock.sleep(5.0)
        await gateway(reader, writer, request)

    async with raw_server(watched) as raw:
        await ship(clock, raw, [f"t{index}" for index in range(2000)], LogKind.SUBSCRIBER)
    probes = [at for at in under_way if 30.0 < at < 300.0]
    assert len(probes) > 5
    assert all(later - earlier >= 5.0 for earlier, later in itertools.pairwise(probes))


@pytest.mark.parametrize("kind", [LogKind.PREVIEW, LogKind.CATALOGUE])
async def test_after_a_gateway_error_the_service_s_refusals_bury_plays_again(kind):
    clock = VirtualClock()
    gateway = Gateway(clock, 60.0, PAGE, 400)
    names = [f"bad{index}" if index % 400 == 7 else f"t{index}" for index in range(2000)]
    async with raw_server(gateway) as raw:
        _, after, _ = await ship(clock, raw, names, kind)
    assert (after.delivered, after.buried) == (1995, 5)
    assert sorted(gateway.taken) == sorted(name for name in names if not name.startswith("bad"))


async def test_a_gateway_error_during_halving_buries_nothing():
    clock, seen, taken = VirtualClock(), [], []

    async def service(_reader, writer, request):
        plays = tracks(request)
        seen.append(len(plays))
        if len(seen) == 3:
            writer.write(answer(PAGE, "400 Bad Request", Connection="close"))
        elif "bad" in plays:
            writer.write(answer('{"error":{"code":1002,"message":"no"}}', "400 Bad Request", Connection="close"))
        else:
            taken.extend(plays)
            writer.write(answer("", "202 Accepted", Connection="close"))
        await writer.drain()

    names = [f"t{index}" for index in range(99)] + ["bad"]
    async with raw_server(service) as raw:
        _, after, _ = await ship(clock, raw, names)
    assert (after.delivered, after.buried, after.in_doubt) == (99, 1, 0)
    assert sorted(taken) == sorted(names[:-1])


@pytest.mark.parametrize(
    ("body", "status"),
    [(PAGE, "404 Not Found"), ("404 page not found", "404 Not Found"), ("", "405 X"), (PAGE, "403 X"), (PAGE, "301 X")],
)
async def test_another_server_at_the_base_url_gets_few_requests_and_no_play_is_lost(body, status):
    clock = VirtualClock()
    async with raw_server(answer(body, status, Location="https://elsewhere.example/")) as raw:
        before, after, alerts = await ship(clock, raw, [f"t{index}" for index in range(2000)], look_at=3600.0)
    assert len(raw.requests) <= 40
    assert (after.waiting, after.buried) == (2000, 0)
    assert before.alerts
    assert alerts


async def test_a_retry_after_of_a_gateway_is_kept():
    clock = VirtualClock()
    refusal, ok = answer(PAGE, "400 Bad Request", Retry_After="120"), answer("", "202 Accepted")
    async with raw_server(refusal, ok) as raw:
        _, after, _ = await ship(clock, raw, ["t1"])
    assert (after.delivered, len(raw.requests)) == (1, 2)
    assert clock.elapsed >= 120
