"""What a worker answers over HTTP."""

import asyncio
import shutil
import subprocess
import sys
from datetime import UTC, datetime

import orjson
import pytest
from support.clock import VirtualClock
from support.http_get import get
from support.service import Service, refuse_bad

from sevendigital_async import AuthenticationError, ConfigurationError, LogKind, StreamLog, StreamLogShipper
from sevendigital_async.clock import SystemClock
from sevendigital_async.monitoring import WorkerMonitor, worker
from sevendigital_async.shipping import metrics

KIND = LogKind.CATALOGUE
PROMTOOL = shutil.which("promtool")
PATHS = ("/healthz", "/readyz", "/metrics", "/statistics")


@pytest.fixture
async def monitor(monkeypatch):
    monkeypatch.setattr(metrics, "GAUGE_INTERVAL", 0.02)
    async with WorkerMonitor(http="0") as monitor:
        yield monitor


def shipper_of(monitor, behave=None):
    return StreamLogShipper(Service(SystemClock(), behave), metrics=monitor.metrics, lanes={KIND: {"linger": 0.0}})


def plays(*tracks):
    return [StreamLog(track, datetime.now(UTC)) for track in tracks]


async def statuses(monitor):
    return [(await get(f"{monitor.url}{path}")).status for path in PATHS]


async def test_before_the_spool_is_open_a_worker_is_alive_and_not_ready(monitor):
    assert monitor.url.startswith("http://127.0.0.1:")
    assert await statuses(monitor) == [200, 503, 200, 503]
    assert (await get(f"{monitor.url}/readyz")).text == "the spool is not open yet\n"


async def test_a_worker_is_ready_until_it_stops(monitor):
    async with shipper_of(monitor) as shipper:
        monitor.watch(shipper)
        assert await statuses(monitor) == [200] * 4
        assert (await get(f"{monitor.url}/readyz")).text == "ready\n"
        await shipper.put_many(KIND, plays("1"))
        await shipper.flush()
        assert (await get(f"{monitor.url}/readyz")).text == "ready, and the service has accepted the key\n"
        monitor.stopping()
        assert await statuses(monitor) == [200, 503, 200, 200]
    assert await statuses(monitor) == [200, 503, 200, 200]
    assert orjson.loads((await get(f"{monitor.url}/statistics")).text)["stopping"] is True


async def test_a_refused_key_makes_it_unready_and_is_in_metrics_and_statistics(monitor):
    def refuse(post):
        raise AuthenticationError("bad signature", status=401)

    async with shipper_of(monitor, refuse) as shipper:
        monitor.watch(shipper)
        await shipper.put_many(KIND, plays("1"))
        await shipper.flush(50)
        answer = await get(f"{monitor.url}/readyz")
        assert answer.status == 503
        assert "the partner's credentials are refused" in answer.text
        alert = orjson.loads((await get(f"{monitor.url}/statistics")).text)["kinds"]["catalogue"]["alert"]
        assert alert["kind"] == "authentication"
        wanted = 'sevendigital_shipper_lane_alert{alert="authentication",kind="catalogue"} 1.0'
        async with asyncio.timeout(60):
            while wanted not in (await get(f"{monitor.url}/metrics")).text.splitlines():
                await asyncio.sleep(0.01)
        await shipper.aclose(0)


async def test_statistics_and_metrics_add_up(monitor):
    async with shipper_of(monitor, refuse_indexed) as shipper:
        monitor.watch(shipper)
        await shipper.put_many(KIND, plays("1", "2", "bad1"))
        await shipper.flush()
        found = orjson.loads((await get(f"{monitor.url}/statistics")).text)
        lines = (await get(f"{monitor.url}/metrics")).text.splitlines()
    assert (found["put"], found["delivered"], found["buried"], found["waiting"]) == (3, 2, 1, 0)
    assert found["kinds"]["catalogue"]["delivered"] == 2
    assert found["kinds"]["preview"]["put"] == 0
    assert (found["failure"], found["spool_alert"], found["current"]) == (None, None, True)
    assert 'sevendigital_shipper_delivered_total{kind="catalogue"} 2.0' in lines
    assert 'sevendigital_shipper_buried_total{kind="catalogue",outcome="refused"} 1.0' in lines


def refuse_indexed(post):
    refuse_bad(post, indexed=True)


async def test_promtool_accepts_the_metrics(monitor):
    if PROMTOOL is None:
        pytest.skip("promtool is not installed")
    async with shipper_of(monitor) as shipper:
        monitor.watch(shipper)
        await shipper.put_many(KIND, plays("1"))
        await shipper.flush()
        answer = await get(f"{monitor.url}/metrics")
    assert answer.headers["Content-Type"].startswith("text/plain")
    command, options = [PROMTOOL, "check", "metrics"], {"text": True, "capture_output": True, "check": False}
    checked = await asyncio.to_thread(subprocess.run, command, input=answer.text, **options)
    assert (checked.returncode, checked.stdout + checked.stderr) == (0, "")


async def test_a_spool_that_does_not_count_is_a_standstill(monitor, monkeypatch):
    monkeypatch.setattr(worker, "STATISTICS_TIMEOUT", 0.05)

    async def never():
        await asyncio.Event().wait()

    async with shipper_of(monitor) as shipper:
        monitor.watch(shipper)
        monkeypatch.setattr(shipper, "statistics", never)
        assert await statuses(monitor) == [503, 503, 200, 503]
        assert "the spool is stalled" in (await get(f"{monitor.url}/healthz")).text
        monkeypatch.undo()


async def test_a_worker_that_serves_nothing_measures_nothing():
    clock = VirtualClock()
    async with WorkerMonitor(clock=clock) as monitor:
        assert (monitor.is_active, monitor.url, monitor.metrics) == (False, None, None)
        monitor.record(None)


def test_without_the_extra_the_error_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "prometheus_client", None)
    with pytest.raises(ConfigurationError, match=r'pip install "sevendigital_async\[prometheus\]"'):
        WorkerMonitor(http="9464")
