"""The Python code of README.md and of the site's pages runs as printed, against a sandbox.

A block without a mark is a complete program. One after ``<!-- file: PATH -->`` is a file; if the repository has that
file, the block is its text (``python -m tools.snippets``). One after ``<!-- fragment -->`` is a part of a program, and
runs in a context that is made here. tests/test_tracing_pages.py runs those of docs/tracing.md and docs/logging.md,
tests/test_console_blocks.py the commands of all pages.
"""

import asyncio
import gzip
import logging
import os
import re
import runpy
import sys
from ast import PyCF_ALLOW_TOP_LEVEL_AWAIT
from contextlib import asynccontextmanager, suppress
from datetime import UTC, datetime, timedelta
from importlib.util import find_spec
from types import SimpleNamespace
from typing import NamedTuple

import aiohttp
import pytest
from support.paths import ROOT

import sevendigital_async
from sevendigital_async import LogKind, SevenDigital, StreamLog, StreamLogShipper, UserToken, shipping, sources
from sevendigital_async.sandbox import DEMO_KEY, DEMO_SECRET, Sandbox
from sevendigital_async.shipping.spools.inspector import DeadLetterState
from sevendigital_async.shipping.spools.redis import RedisSpool
from sevendigital_async.shipping.spools.registry import open_inspector

DOCS = ROOT / "docs"
PAGES = [
    ROOT / "README.md",
    *sorted(page for page in DOCS.rglob("*.md") if page.name not in {"tracing.md", "logging.md"}),
]
BLOCK = re.compile(r"(?:^<!-- (fragment|file: \S+) -->\n)?^```(\w+)\n(.*?)^```$", re.DOTALL | re.MULTILINE)
DAY = re.compile(r"\d{4}-\d\d-\d\d(?=T)")


class Block(NamedTuple):
    page: str
    mark: str
    language: str
    code: str


BLOCKS = [
    Block(page.relative_to(ROOT).as_posix(), *found.groups(default=""))
    for page in PAGES
    for found in BLOCK.finditer(page.read_text())
]
PROGRAMS = [block for block in BLOCKS if block.language == "python" and not block.mark]
WORKERS = [block for block in PROGRAMS if "add_signal_handler" in block.code]
"""Programs that run until a signal."""

FRAGMENTS = [block for block in BLOCKS if block.mark == "fragment"]
FILES = {(block.page, block.mark.removeprefix("file: ")): block.code for block in BLOCKS if block.mark[:4] == "file"}

OUTPUT = {
    "README.md": ["1 of 1 delivered"],
    "docs/quickstart.md": ["Harbour", "30 of 30 plays delivered"],
    "docs/shipping.md": ["1 delivered"],
    "docs/media.md": ["bytes"],
    "docs/howto/sources.md": ["2 delivered, 0 waiting"],
    "docs/howto/alerts.md": ['"event": "delivered"', "sevendigital.shipper.delivered"],
    "docs/reference/settings.md": [" on "],
    "docs/live.md": ["Borrowed Orchards"],
    "docs/watching.md": ["1 delivered", "1 counted"],
    "docs/sources.md": ["2 delivered"],
    "docs/sandbox.md": ["1 received"],
}
"""What the programs of each page print, in their order."""

EXPECTED = [
    pytest.param(program, OUTPUT[program.page][number], id=f"{program.page}-{number}")
    for page in OUTPUT
    for number, program in enumerate(block for block in PROGRAMS if block.page == page and block not in WORKERS)
]


def fragment(page, beginning):
    [block] = [block for block in FRAGMENTS if block.page == page and beginning in block.code]
    return block


@pytest.fixture
async def sandbox(monkeypatch, tmp_path):
    """A sandbox that the environment names, and an empty current directory."""
    async with Sandbox(managed_users=True) as sandbox:
        monkeypatch.setenv("SEVENDIGITAL_CONSUMER_KEY", sandbox.credentials.consumer_key)
        monkeypatch.setenv("SEVENDIGITAL_CONSUMER_SECRET", sandbox.credentials.consumer_secret)
        monkeypatch.setenv("SEVENDIGITAL_BASE_URL", sandbox.base_url)
        monkeypatch.chdir(tmp_path)
        yield sandbox


@pytest.fixture
def logging_restored():
    loggers = [logging.getLogger(name) for name in ("sevendigital_async", "sevendigital_async.shipping")]
    before = [(logger.level, logger.handlers[:]) for logger in loggers]
    yield
    for logger, (level, handlers) in zip(loggers, before, strict=True):
        logger.setLevel(level)
        logger.handlers[:] = handlers


def write_logs(folder):
    """Write the files that programs read from ``logs/``: one that is complete, and one that grows."""
    folder.mkdir()
    rows = "".join(f"550001{number},{datetime.now(UTC):%FT%TZ},GB\n" for number in (1, 2))
    (folder / "yesterday.csv.gz").write_bytes(gzip.compress(f"trackId,timestamp,country\n{rows}".encode()))
    (folder / "today.jsonl").write_bytes(play().encode() + b"\n")


def run_program(path):
    runpy.run_path(str(path), run_name="__main__")


@pytest.mark.parametrize(("program", "output"), EXPECTED)
@pytest.mark.usefixtures("sandbox", "logging_restored")
async def test_a_program_runs_as_it_is_printed(program, output, tmp_path, capfd):
    yesterday = (datetime.now(UTC) - timedelta(days=1)).date().isoformat()
    for (page, name), text in FILES.items():
        if page == program.page and not name.endswith(".py"):
            (tmp_path / name).write_text(DAY.sub(yesterday, text))
    write_logs(tmp_path / "logs")
    (tmp_path / "program.py").write_text(program.code)
    if "Provider(" in program.code:
        # The exporter writes to what was sys.stdout when OpenTelemetry was imported.
        process = await asyncio.create_subprocess_exec(sys.executable, tmp_path / "program.py")
        assert await process.wait() == 0
    else:
        # In a thread, where the program has its own event loop.
        await asyncio.to_thread(run_program, tmp_path / "program.py")
    assert output in "".join(capfd.readouterr())


@pytest.mark.parametrize("program", WORKERS, ids=lambda program: program.page)
async def test_a_worker_runs_as_it_is_printed_until_a_signal(program, sandbox, tmp_path):
    write_logs(tmp_path / "logs")
    (tmp_path / "program.py").write_text(program.code.replace('http="9464"', 'http="0"'))
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-W", "error", "program.py"),
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdout=asyncio.subprocess.PIPE,
    )
    async with asyncio.timeout(60):
        while not sandbox.received(LogKind.PREVIEW):
            await asyncio.sleep(0.02)
        process.terminate()
        output, _ = await process.communicate()
    assert (process.returncode, output) == (0, b"1 delivered\n")


def test_the_quickstart_exports_what_the_sandbox_prints():
    lines = "\n".join(
        [
            "export SEVENDIGITAL_BASE_URL=http://127.0.0.1:7700",
            f"export SEVENDIGITAL_CONSUMER_KEY={DEMO_KEY}",
            f"export SEVENDIGITAL_CONSUMER_SECRET={DEMO_SECRET}",
        ]
    )
    assert lines in (DOCS / "quickstart.md").read_text()


def test_every_program_is_run():
    assert len(EXPECTED) == len(PROGRAMS) - len(WORKERS) == sum(map(len, OUTPUT.values())) >= 14
    assert [worker.page for worker in WORKERS] == ["docs/deployment.md"]
    fences = [line for page in PAGES for line in page.read_text().splitlines() if line.strip() == "```python"]
    assert len(fences) == sum(block.language == "python" for block in BLOCKS)


@pytest.mark.parametrize(("page", "path"), [key for key in FILES if (ROOT / key[1]).exists()])
def test_a_file_of_the_repository_is_printed_as_it_is(page, path):
    assert FILES[page, path] == (ROOT / path).read_text(), "run python -m tools.snippets"


async def test_the_pytest_fixture_works_as_it_is_printed(tmp_path):
    for name in ("conftest.py", "pytest.ini", "test_reporting.py"):
        (tmp_path / name).write_text(FILES["README.md", name])
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "."),
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    output, _ = await process.communicate()
    assert b"1 passed" in output, output.decode()
    assert b"warn" not in output.lower(), output.decode()


# -- fragments --


NAMES = {
    **{name: getattr(sevendigital_async, name) for name in sevendigital_async.__all__},
    **{name: getattr(shipping, name) for name in shipping.__all__},
    **{name: getattr(sources, name) for name in sources.__all__},
    "asyncio": asyncio,
    "web": aiohttp.web,
    "datetime": datetime,
    "UTC": UTC,
    "open_inspector": open_inspector,
    "DeadLetterState": DeadLetterState,
    "RedisSpool": RedisSpool,
}


@asynccontextmanager
async def context(**more):
    """Give the names that fragments use: a client and a shipper, and what they import."""
    async with SevenDigital.from_env() as client, StreamLogShipper(client) as shipper:
        yield {**NAMES, "client": client, "shipper": shipper, **more}


async def run(block, names, *, code=None):
    """Run a fragment, which may await, with the names of a context; it adds its own to them."""
    compiled = compile(code or block.code, block.page, "exec", flags=PyCF_ALLOW_TOP_LEVEL_AWAIT)
    if (result := eval(compiled, names)) is not None:  # noqa: S307 - our own pages
        await result


def play(number=0):
    return StreamLog(str(5_500_000 + number), datetime.now(UTC), user_id="7", duration_played=30)


async def fill_spool():
    """Leave a spool with a waiting play."""
    async with SevenDigital.from_env() as client:
        async with StreamLogShipper(client, spool="plays.db", close_timeout=0) as shipper:
            await shipper.put(LogKind.PREVIEW, play())


async def test_put_with_a_time_limit(sandbox):
    async with context() as names:
        await run(fragment("docs/shipping.md", "async def played"), names)

        async def read():
            return play().encode()

        assert (await names["played"](SimpleNamespace(read=read))).status == 202
        assert (await names["shipper"].flush(50)).delivered == 1


async def test_a_checkpoint(sandbox):
    async with context(logs=[play(), play(1)]) as names:
        await run(fragment("docs/shipping.md", "checkpoint=Checkpoint"), names)
        await run(fragment("docs/shipping.md", "checkpoint=Checkpoint"), names)
    assert len(sandbox.received(LogKind.PREVIEW)) == 4


async def test_the_inspector(sandbox):
    await fill_spool()
    async with context(monday=datetime.now(UTC) - timedelta(days=7)) as names:
        await run(fragment("docs/shipping.md", "inspector.status"), names)
        assert sum(counts.waiting for counts in names["status"].counts.values()) == 1
        await run(fragment("docs/howto/reconcile.md", "inspector.journal"), names)


async def test_the_oauth_flow(sandbox):
    async def approve(page):
        async with aiohttp.ClientSession() as session, session.get(page, allow_redirects=False) as response:
            assert response.status in {200, 302, 303}

    block = fragment("docs/media.md", "request_token")
    async with context(approve=approve) as names:
        await run(block, names, code=block.code.replace("access =", "await approve(page)\naccess ="))
        await names["mine"].classic.user.locker()


async def test_tokens_of_users(sandbox):
    async def fetchrow(_, user_id):
        return {"token": f"sandbox-token-{user_id}", "secret": f"sandbox-secret-{user_id}"}

    alerts = []
    async with context(
        database=SimpleNamespace(fetchrow=fetchrow), report=lambda *alert: alerts.append(alert), UserToken=UserToken
    ) as names:
        await run(fragment("docs/howto/authenticate.md", "token_of"), names)
    assert [log.user for log in sandbox.received(LogKind.CATALOGUE)] == ["7"]
    assert not alerts


async def test_alerts_and_health(sandbox):
    sent = []

    async def send(title, *, body, since):
        sent.append(title)

    async with context(pager=SimpleNamespace(send=send)) as names:
        shipper = names["shipper"]
        await run(fragment("docs/howto/alerts.md", "page_operator"), names)
        alert = shipping.Alert(shipping.AlertKind.THROTTLED, "", None, datetime.now(UTC))
        await names["page_operator"](LogKind.PREVIEW, alert)
        await run(fragment("docs/howto/alerts.md", "async def health"), scope := names | {"shipper": shipper})
        assert await scope["health"]() == (200, "0 waiting")
    assert sent == ["preview plays: throttled"]


async def run_until(names, block, put, *, code=None):
    """Run a fragment that has no end until its shipper has been given some plays."""
    task = asyncio.create_task(run(block, names, code=code))
    while (await names["shipper"].statistics()).put < put:
        await asyncio.wait([task], timeout=0.02)
        assert not task.done() or await task
    task.cancel()
    with suppress(asyncio.CancelledError):
        await task


@pytest.mark.skipif(find_spec("pyarrow") is None, reason="pyarrow is not installed")
async def test_parquet(sandbox, tmp_path):
    from pyarrow import parquet, table  # noqa: PLC0415 - may be missing

    (tmp_path / "exports").mkdir()
    plays = table({"track": ["5500011", "5500012"], "played_at": [datetime.now(UTC)] * 2})
    parquet.write_table(plays, tmp_path / "exports" / "1.parquet")
    async with context() as names:
        await run(fragment("docs/howto/sources.md", "*.parquet"), names)
    assert len(sandbox.received(LogKind.CATALOGUE)) == 2


async def test_files_that_grow(sandbox, tmp_path):
    (tmp_path / "logs").mkdir()
    (tmp_path / "logs" / "plays.jsonl").write_bytes(play().encode() + b"\n")
    async with context() as names:
        await run_until(names, fragment("docs/howto/sources.md", "FollowSource"), 1)
    assert len(sandbox.received(LogKind.PREVIEW)) == 1


@pytest.mark.skipif(find_spec("aiokafka") is None, reason="aiokafka is not installed")
async def test_kafka(sandbox):
    pytest.importorskip("confluent_kafka")
    from support.kafka_cluster import open_cluster  # noqa: PLC0415 - not everybody has it

    with open_cluster(brokers=1) as cluster:
        cluster.create("plays", 1)
        for data in (play().encode(), b"not a play", play(1).encode()):
            cluster.produce("plays", data, partition=0)
        cluster.producer.flush(50)
        block = fragment("docs/howto/sources.md", "KafkaSource")
        code = block.code.replace("broker-1:9092,broker-2:9092", cluster.servers)
        async with context() as names:
            await run_until(names, block, 2, code=code)
        assert len(sandbox.received(LogKind.CATALOGUE)) == 2


async def test_redis(sandbox, redis_server):
    key, secret = sandbox.credentials.consumer_key, sandbox.credentials.consumer_secret
    async with context(key=key, secret=secret, url=redis_server.url) as names:
        for block in (block for block in FRAGMENTS if block.page == "docs/scaling.md"):
            code = block.code.replace("redis://redis.internal:6379/0", redis_server.url)
            await run(block, names, code=code)


async def test_parameters_of_any_call(sandbox):
    key, secret = sandbox.credentials.consumer_key, sandbox.credentials.consumer_secret
    names = {**NAMES, "key": key, "secret": secret}
    await run(fragment("docs/reference/settings.md", "shop_id=34"), names)
    assert isinstance(names["german"], sevendigital_async.ApiClient)
    assert isinstance(names["ann"], sevendigital_async.ApiClient)


def test_every_fragment_is_run():
    source = (ROOT / "tests" / "test_snippets.py").read_text()
    named = re.findall(r'fragment\("(docs/[\w/]+\.md)", "([^"]+)"\)', source)
    run = {fragment(page, beginning) for page, beginning in named}
    assert run == {block for block in FRAGMENTS if block.page != "docs/scaling.md"}
