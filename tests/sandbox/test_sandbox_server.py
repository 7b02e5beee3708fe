"""The sandbox's life: where it listens, what it serves, how it ends."""

from __future__ import annotations

import asyncio
import logging
import re
import time

import aiohttp
import pytest
from attrs import evolve
from support.probe import Probe, open_session, until

from sevendigital_async.config import Credentials
from sevendigital_async.errors import ConfigurationError
from sevendigital_async.operations import REGISTRY
from sevendigital_async.sandbox import Faults, Sandbox
from sevendigital_async.sandbox.handlers import HANDLERS, LIVE_HANDLERS
from sevendigital_async.sandbox.routes import endpoints

pytest_plugins = ["sevendigital_async.sandbox.pytest_plugin"]


def test_every_operation_has_a_handler_and_every_handler_an_operation():
    assert {operation.name for operation in REGISTRY} == {*HANDLERS, *LIVE_HANDLERS}


def test_every_form_of_every_operation_is_served():
    served = {(endpoint.binding.http_method, endpoint.binding.path) for endpoint in endpoints()}
    bindings = [binding for operation in REGISTRY for binding in operation.bindings.values()]
    forms = [form for binding in bindings for form in (binding, *binding.variants.values())]
    assert served == {*((form.http_method, form.path) for form in forms), ("POST", "/1.2/user/preview/log")}


def test_a_missing_handler_is_loud():
    operations = list(REGISTRY)
    stray = evolve(operations[0], name="classic.stray.call")
    with pytest.raises(ConfigurationError, match=r"no handler for classic\.stray\.call"):
        list(endpoints([*operations, stray]))


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.168.1.5", "example.com", ""])  # noqa: S104 - refused is the point
def test_no_other_machine_is_served(host):
    with pytest.raises(ConfigurationError, match="this machine only"):
        Sandbox(host=host)


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "127.0.0.2"])
async def test_loopback_hosts(host):
    async with Sandbox(host=host) as sandbox, open_session() as session:
        assert re.fullmatch(r"http://127\.0\.0\.[12]:\d+", sandbox.base_url)
        async with Probe(sandbox, session).get("/1.2/status") as answer:
            assert answer.status == 200


async def test_own_credentials():
    credentials = Credentials("my-key", "my-secret")
    async with Sandbox(credentials=credentials) as sandbox, open_session() as session:
        assert sandbox.credentials is credentials
        async with Probe(sandbox, session).get("/1.2/status") as answer:
            assert answer.status == 200
        async with Probe(sandbox, session).get("/1.2/status", key="sandbox-demo-key") as answer:
            assert answer.status == 401


async def test_a_taken_port_is_reported():
    async with Sandbox() as sandbox:
        port = int(sandbox.base_url.rsplit(":", 1)[1])
        with pytest.raises(
            ConfigurationError, match=f"on 127.0.0.1:{port}: Address already in use; choose another port"
        ):
            await Sandbox(port=port).start()


async def test_a_life_has_a_beginning_and_an_end():
    sandbox = Sandbox()
    with pytest.raises(ConfigurationError, match="not running"):
        _ = sandbox.base_url
    async with sandbox:
        with pytest.raises(ConfigurationError, match="running already"):
            await sandbox.start()
    with pytest.raises(ConfigurationError, match="not running"):
        _ = sandbox.base_url
    await sandbox.aclose()
    assert sandbox.received() == []
    assert sandbox.stats()["answers"] == {}


async def test_it_ends_promptly_whatever_is_still_open(caplog):
    sandbox = Sandbox(faults=Faults.parse(latency="60s"))
    async with open_session() as session:
        async with sandbox:
            probe = Probe(sandbox, session)
            assert await probe.stats()
            waiting = asyncio.create_task(_status(probe))
            await until(sandbox.requests)
            begun = time.monotonic()
        assert time.monotonic() - begun < 30
        with pytest.raises((aiohttp.ServerDisconnectedError, aiohttp.ClientOSError)):
            await waiting
    assert [record for record in caplog.records if record.levelno >= logging.WARNING] == []


async def _status(probe):
    async with probe.post("preview", [probe.play()]) as answer:
        return answer.status


async def test_it_leaves_nothing_in_the_log(caplog):
    caplog.set_level(logging.DEBUG)
    async with Sandbox(faults=Faults.parse(["disconnect-after:100%"])) as sandbox, open_session() as session:
        probe = Probe(sandbox, session)
        with pytest.raises(aiohttp.ClientError):
            await _status(probe)
        sandbox.faults = Faults()
        assert await _status(probe) == 202
    assert [record for record in caplog.records if record.name.startswith("aiohttp")] == []


async def test_unknown_paths_and_methods():
    async with Sandbox() as sandbox, open_session() as session:
        probe = Probe(sandbox, session)
        async with probe.get("/1.2/nothing") as answer:
            assert answer.status == 404
        async with probe.request("DELETE", "/logging/preview") as answer:
            assert answer.status == 405


async def test_the_fixture(sevendigital_sandbox):
    async with open_session() as session, Probe(sevendigital_sandbox, session).get("/1.2/status") as answer:
        assert answer.status == 200
