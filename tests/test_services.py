"""The web services and the worker of examples/: what they are sent arrives at a sandbox."""

import asyncio
import json
import os
import signal
import sys
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from importlib.util import find_spec

import pytest
from aiohttp.test_utils import TestClient, TestServer
from support.asgi import Answer, serve
from support.paths import ROOT

from sevendigital_async import LogKind, SevenDigital, StreamLog, StreamLogShipper
from sevendigital_async.sandbox import Sandbox

EXAMPLES = ROOT / "examples"


def needs(package):
    return pytest.mark.skipif(find_spec(package) is None, reason=f"{package} is not installed")


class AiohttpService:
    def __init__(self, client):
        self._client = client

    async def request(self, method, path, body=b""):
        async with self._client.request(method, path, data=body) as response:
            headers = {name.lower(): value for name, value in response.headers.items()}
            return Answer(response.status, headers, await response.read())


@asynccontextmanager
async def serve_aiohttp(app):
    async with TestClient(TestServer(app)) as client:
        yield AiohttpService(client)


SERVICES = {
    "aiohttp_service": lambda example: serve_aiohttp(example["make_app"]()),
    "fastapi_service": lambda example: serve(example["app"]),
    "django_service": lambda example: serve(example["application"]),
}
PARAMETERS = [
    "aiohttp_service",
    pytest.param("fastapi_service", marks=needs("fastapi")),
    pytest.param("django_service", marks=needs("django")),
]


@pytest.fixture
async def sandbox(monkeypatch, tmp_path):
    async with Sandbox(managed_users=True) as sandbox:
        monkeypatch.setenv("SEVENDIGITAL_CONSUMER_KEY", sandbox.credentials.consumer_key)
        monkeypatch.setenv("SEVENDIGITAL_CONSUMER_SECRET", sandbox.credentials.consumer_secret)
        monkeypatch.setenv("SEVENDIGITAL_BASE_URL", sandbox.base_url)
        monkeypatch.chdir(tmp_path)
        yield sandbox


@pytest.fixture(scope="module")
def example_of():
    """Import an example once: Django can be configured once in a process."""
    loaded = {}

    def load(name):
        if name not in loaded:
            sys.path.insert(0, str(EXAMPLES))
            try:
                loaded[name] = vars(__import__(name))
            finally:
                sys.path.remove(str(EXAMPLES))
        return loaded[name]

    return load


def play(**changes):
    fields = {"trackId": "5500001", "timestamp": datetime.now(UTC).isoformat(), "userId": "7", "durationPlayed": 30}
    return json.dumps({**fields, **changes}).encode()


@pytest.mark.parametrize("name", PARAMETERS)
async def test_a_service_delivers_what_it_has_accepted_and_refuses_what_is_no_play(
    name, sandbox, example_of, monkeypatch
):
    example = example_of(name)
    monkeypatch.setitem(example, "PUT_TIMEOUT", 60)  # for a busy machine
    async with SERVICES[name](example) as service:
        answers = await asyncio.gather(*(service.request("POST", "/plays", play()) for _ in range(20)))
        assert {answer.status for answer in answers} == {202}
        future = await service.request("POST", "/plays", play(timestamp="2999-01-01T00:00:00Z"))
        assert (future.status, "in the future" in json.loads(future.body)["error"]) == (422, True)
        assert (await service.request("POST", "/plays", b"{")).status == 422
        assert json.loads((await service.request("GET", "/health")).body)["waiting"] == 20
        assert not sandbox.received()
    assert len(sandbox.received(LogKind.CATALOGUE)) == 20


@pytest.mark.parametrize("name", PARAMETERS)
async def test_a_service_answers_503_while_the_spool_accepts_nothing(name, sandbox, example_of, monkeypatch):
    async def put(self, kind, log):
        await asyncio.Event().wait()

    example = example_of(name)
    monkeypatch.setitem(example, "PUT_TIMEOUT", 0.01)
    async with SERVICES[name](example) as service:
        monkeypatch.setattr(StreamLogShipper, "put", put)
        answer = await service.request("POST", "/plays", play())
        assert (answer.status, answer.headers["retry-after"]) == (503, "1")
    assert not sandbox.received()


async def test_the_worker_delivers_what_a_service_left_and_stops_at_sigterm(sandbox, tmp_path):
    async with SevenDigital.from_env() as client:
        async with StreamLogShipper(client, spool="plays.db", close_timeout=0) as shipper:
            for number in range(30):
                await shipper.put(LogKind.CATALOGUE, StreamLog(str(5_500_000 + number), datetime.now(UTC), user_id="7"))
    assert not sandbox.received()
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        str(EXAMPLES / "worker.py"),
        env={**os.environ, "PYTHONPATH": str(ROOT), "PYTHONWARNINGS": "error"},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    assert await process.stdout.readline() == b"delivering\n"
    process.send_signal(signal.SIGTERM)
    output, _ = await process.communicate()
    assert (process.returncode, output) == (0, b"30 delivered, 0 waiting\n")
    assert len(sandbox.received()) == 30
