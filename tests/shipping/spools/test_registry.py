"""Spools are found by their URL scheme, also those that another package adds."""

import asyncio
from datetime import UTC, datetime
from importlib.metadata import EntryPoint

import pytest
from support.clock import VirtualClock
from support.service import Service
from typer.testing import CliRunner

from sevendigital_async import ConfigurationError, LogKind, MemorySpool, StreamLog, StreamLogShipper
from sevendigital_async.cli.app import app
from sevendigital_async.shipping.records import Counts
from sevendigital_async.shipping.spools import registry
from sevendigital_async.shipping.spools.inspector import SpoolStatus
from sevendigital_async.shipping.spools.registry import (
    ENTRY_POINTS,
    SpoolScheme,
    open_inspector,
    open_spool,
    register_scheme,
    safe_location,
)
from sevendigital_async.shipping.spools.sqlite import SqliteSpool


class DummyInspector:
    """Inspects a memory spool."""

    def __init__(self, spool):
        self.spool = spool

    async def status(self):
        counts = {kind: Counts(put=2, waiting=2) if kind is LogKind.PREVIEW else Counts() for kind in LogKind}
        return SpoolStatus(
            "dummy:shop", in_use=False, counts=counts, oldest=dict.fromkeys(LogKind), size=7, durability="no"
        )

    async def aclose(self):
        pass


SPOOL = MemorySpool()
DUMMY = SpoolScheme(lambda _: SPOOL, lambda _: DummyInspector(SPOOL), lambda _: "dummy:shop")


@pytest.fixture(autouse=True)
def schemes(monkeypatch):
    monkeypatch.setattr(registry, "_schemes", dict(registry._schemes))
    monkeypatch.setitem(globals(), "SPOOL", MemorySpool())


async def test_a_shipper_opens_a_spool_of_a_registered_scheme():
    register_scheme("dummy", DUMMY)
    clock = VirtualClock()
    service = Service(clock)

    async def ship():
        async with StreamLogShipper(service, spool="dummy://user:hunter2@shop", clock=clock) as shipper:
            await shipper.put(LogKind.PREVIEW, StreamLog("1", datetime.fromtimestamp(clock.time(), UTC)))
            await shipper.flush()
            return await shipper.statistics()

    statistics = await clock.run(ship())
    assert statistics.delivered == 1
    assert (await SPOOL.counts(LogKind.PREVIEW)).delivered == 1


def test_the_command_line_inspects_a_spool_of_a_registered_scheme():
    register_scheme("dummy", DUMMY)
    result = CliRunner().invoke(app, ["spool", "status", "--spool", "dummy://user:hunter2@shop"])
    assert result.exit_code == 0, result.output
    assert "dummy:shop" in result.output
    assert "hunter2" not in result.output


def test_an_entry_point_of_another_package_registers_its_scheme(monkeypatch):
    entry_point = EntryPoint("dummy", f"{__name__}:DUMMY", ENTRY_POINTS)
    asked = []

    def entry_points(*, group, name):
        asked.append((group, name))
        return [entry_point] if name == "dummy" else []

    monkeypatch.setattr("importlib.metadata.entry_points", entry_points)
    assert open_spool("Dummy:shop") is SPOOL
    assert open_spool("dummy:shop") is SPOOL
    assert safe_location("dummy:hunter2") == "dummy:shop"
    assert asked == [(ENTRY_POINTS, "dummy")]


@pytest.mark.parametrize("use", [open_spool, open_inspector, safe_location])
def test_an_unknown_scheme_is_an_error_that_names_the_known_ones_and_no_password(use):
    with pytest.raises(ConfigurationError) as refused:
        use("postgresql://user:hunter2@db/plays")
    message = str(refused.value)
    assert all(f"{scheme}:" in message for scheme in ("file", "redis", "rediss", "unix", "memory"))
    assert "hunter2" not in message
    register_scheme("dummy", DUMMY)
    with pytest.raises(ConfigurationError, match=r"\bdummy:"):
        use("postgresql://user:hunter2@db/plays")


def test_memory_and_file_are_schemes_like_any_other(tmp_path):
    assert isinstance(open_spool("memory:"), MemorySpool)
    assert isinstance(open_spool(None), MemorySpool)
    for location in (f"file:{tmp_path}/plays.db", f"file://{tmp_path}/plays.db", tmp_path / "plays.db"):
        assert isinstance(open_spool(location), SqliteSpool)
    with pytest.raises(ConfigurationError, match="can't be inspected"):
        open_inspector("memory:")


def test_a_scheme_is_registered_once():
    register_scheme("dummy", DUMMY)
    with pytest.raises(ConfigurationError, match="already registered"):
        register_scheme("dummy", DUMMY)
    for name in ("Dummy", "x", "a b", ""):
        with pytest.raises(ConfigurationError, match="not a URL scheme"):
            register_scheme(name, DUMMY)


def test_a_spool_object_is_used_as_it_is():
    assert open_spool(SPOOL) is SPOOL
    with pytest.raises(ConfigurationError, match="spool must be"):
        StreamLogShipper(Service(VirtualClock()), spool=asyncio)
