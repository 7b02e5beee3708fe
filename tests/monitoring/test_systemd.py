"""Messages to systemd, as they arrive at a socket."""

import os

import pytest
from support.clock import VirtualClock
from support.service import Service
from support.service_manager import NotifySocket

from sevendigital_async import StreamLogShipper
from sevendigital_async.monitoring import ServiceNotifier, WorkerMonitor


@pytest.fixture(params=["path", "abstract"])
def manager(request, tmp_path):
    address = str(tmp_path / "notify") if request.param == "path" else f"@sevendigital-test-{os.getpid()}"
    with NotifySocket(address) as manager:
        yield manager


@pytest.mark.parametrize(
    ("environment", "watchdog"),
    [
        ({}, None),
        ({"WATCHDOG_USEC": "3000000"}, 3.0),
        ({"WATCHDOG_USEC": "3000000", "WATCHDOG_PID": str(os.getpid())}, 3.0),
        ({"WATCHDOG_USEC": "3000000", "WATCHDOG_PID": "1"}, None),
        ({"WATCHDOG_USEC": "0"}, None),
        ({"WATCHDOG_USEC": "soon"}, None),
    ],
)
def test_the_environment_says_where_and_how_often(environment, watchdog):
    notifier = ServiceNotifier.from_environment({"NOTIFY_SOCKET": "/run/notify", **environment})
    assert notifier == ServiceNotifier("/run/notify", watchdog)


@pytest.mark.parametrize("address", ["", "vsock:2:1", "relative"])
def test_without_a_socket_that_can_be_used_nothing_is_sent(address):
    notifier = ServiceNotifier.from_environment({"NOTIFY_SOCKET": address, "WATCHDOG_USEC": "1000"})
    assert notifier == ServiceNotifier()
    assert not notifier.notify("READY=1")


def test_messages_arrive_as_one_datagram(manager):
    assert ServiceNotifier(manager.address).notify("READY=1", "STATUS=ready")
    assert manager.read() == ["READY=1\nSTATUS=ready"]


def test_a_service_manager_that_has_gone_is_a_warning(tmp_path, caplog):
    assert not ServiceNotifier(str(tmp_path / "gone")).notify("WATCHDOG=1")
    assert "WATCHDOG=1" in caplog.text


async def test_a_worker_is_ready_when_its_spool_is_open_and_notifies_in_half_the_watchdogs_time(manager):
    clock = VirtualClock()

    async def play():
        async with WorkerMonitor(notifier=ServiceNotifier(manager.address, 30.0), clock=clock) as monitor:
            assert monitor.is_active
            assert monitor.metrics is None
            await clock.sleep(1)
            assert manager.read() == ["WATCHDOG=1"]
            async with StreamLogShipper(Service(clock), clock=clock, metrics=monitor.metrics) as shipper:
                monitor.watch(shipper)
                assert manager.read() == ["WATCHDOG=1", "READY=1"]
                await clock.sleep(60)
                monitor.stopping()

    await clock.run(play())
    assert manager.read() == ["WATCHDOG=1", "READY=1", *["WATCHDOG=1"] * 4, "STOPPING=1"]
