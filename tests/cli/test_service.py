"""`sevendigital ship` as a service: HTTP, systemd and signals, in separate processes."""

import asyncio
import re
import shutil
import signal
import socket

import orjson
import pytest
from support.cli_process import open_sandbox, plays, received, running, sevendigital, until, write_plays
from support.http_get import get
from support.service_manager import NotifySocket

SHIP = ("ship", "-", "--kind", "preview", "--linger", "0", "--drain", "20")


async def url_of(command):
    """Read the address that a worker prints."""
    while line := await command.process.stderr.readline():
        if found := re.search(rb"http://\S+:\d+$", line.strip()):
            return found.group().decode()
    raise AssertionError("the worker has ended")


def encoded(logs):
    return b"".join(log.encode() + b"\n" for log in logs)


async def test_a_worker_serves_its_health_and_its_counts_and_drains_at_sigterm(tmp_path):
    logs = plays(40)
    async with (
        open_sandbox() as sandbox,
        running(*SHIP, "--http", "0", cwd=tmp_path, base_url=sandbox.base_url) as command,
    ):
        url = await url_of(command)
        assert url.startswith("http://127.0.0.1:")
        command.process.stdin.write(encoded(logs))
        await until(lambda: received(sandbox).total() == 40)
        assert [(await get(f"{url}/{path}")).status for path in ("healthz", "readyz", "metrics")] == [200, 200, 200]
        assert orjson.loads((await get(f"{url}/statistics")).text)["put"] == 40
        assert b"sevendigital_shipper_delivered_total" in (await get(f"{url}/metrics")).text.encode()
        command.process.send_signal(signal.SIGTERM)
        assert b"SIGTERM: stopped reading" in await command.process.stderr.readline()
        ended = await command.end()
    assert ended.code == 4  # the pipe was open: more could have come
    assert received(sandbox).total() == 40


async def test_a_worker_whose_service_never_answers_is_unhealthy_and_says_what_is_left(tmp_path):
    async with (
        open_sandbox(latency="300s") as sandbox,
        running(
            *("ship", "-", "--kind", "preview", "--linger", "0", "--drain", "0.1"),
            *("--http", "0", "--stalled-after", "0.1"),
            cwd=tmp_path,
            base_url=sandbox.base_url,
        ) as command,
    ):
        url = await url_of(command)
        assert (await get(f"{url}/healthz")).status == 200
        command.process.stdin.write(encoded(plays(3)))
        await until(lambda: sandbox.stats()["kinds"]["preview"]["requests"])
        answer = await get(f"{url}/healthz")
        async with asyncio.timeout(60):
            while answer.status == 200:
                answer = await get(f"{url}/healthz")
        assert answer.status == 503
        assert answer.text.startswith("the preview lane is stalled: no request was answered for ")
        command.process.send_signal(signal.SIGTERM)
        ended = await command.end()
    assert ended.code == 4
    assert re.search(r"waiting\s+3\b", ended.out)


async def test_systemd_learns_that_a_worker_is_ready_alive_and_stopping(tmp_path):
    with NotifySocket(str(tmp_path / "notify")) as manager:
        async with (
            open_sandbox() as sandbox,
            running(
                *SHIP,
                cwd=tmp_path,
                base_url=sandbox.base_url,
                env={"NOTIFY_SOCKET": manager.address, "WATCHDOG_USEC": "200000"},
            ) as command,
        ):
            command.process.stdin.write(encoded(plays(1)))
            await manager.has("READY=1")
            await manager.has("WATCHDOG=1", times=3)
            command.process.send_signal(signal.SIGHUP)  # a service is not stopped by it
            await manager.has("WATCHDOG=1", times=5)
            assert "STOPPING=1" not in manager.messages
            command.process.send_signal(signal.SIGTERM)
            ended = await command.end()
        assert manager.read().count("READY=1") == manager.messages.count("STOPPING=1") == 1
    assert "SIGTERM" in ended.err


async def test_sighup_reopens_the_rejected_lines_of_a_service(tmp_path):
    path, moved = tmp_path / "plays.rejected", tmp_path / "plays.rejected.old"
    async with (
        open_sandbox() as sandbox,
        running(*SHIP, "--http", "0", "--rejected", path, "--json", cwd=tmp_path, base_url=sandbox.base_url) as command,
    ):
        url = await url_of(command)
        command.process.stdin.write(b"first\n")
        await until(lambda: path.exists() and path.read_bytes() == b"first\n")
        command.process.send_signal(signal.SIGHUP)  # the file is where it was, so it stays in use
        command.process.stdin.write(b"second\n")
        await until(lambda: path.read_bytes() == b"first\nsecond\n")
        shutil.move(path, moved)
        command.process.send_signal(signal.SIGHUP)
        await get(f"{url}/healthz")  # the loop has seen the signal before this request
        command.process.stdin.write(b"third\n")
        await until(lambda: path.exists() and path.read_bytes() == b"third\n")
        command.process.stdin.close()
        ended = await command.end()
    assert moved.read_bytes() == b"first\nsecond\n"
    assert path.stat().st_mode & 0o777 == 0o600
    assert (ended.code, ended.summary["rejected"]) == (3, 3)


async def test_a_worker_that_follows_a_log_shows_how_far_it_is_behind_and_drains_at_sigterm(tmp_path):
    log = tmp_path / "plays.jsonl"
    log.write_bytes(encoded(plays(10)))
    async with (
        open_sandbox() as sandbox,
        running(
            *("ship", "--follow", "plays.jsonl", "--kind", "preview", "--linger", "0", "--poll", "0.05"),
            *("--http", "0", "--json"),
            cwd=tmp_path,
            base_url=sandbox.base_url,
        ) as command,
    ):
        url = await url_of(command)
        await until(lambda: received(sandbox).total() == 10)
        with log.open("ab") as file:
            file.write(encoded(plays(5, start=10)) + b'{"half a li')
        await until(lambda: received(sandbox).total() == 15)
        found = orjson.loads((await get(f"{url}/statistics")).text)["ingestion"]
        assert (found["put"], found["rejected"], found["open_files"]) == (15, 0, 1)
        assert found["read_bytes"] > 0
        command.process.send_signal(signal.SIGTERM)
        ended = await command.end()
    assert "SIGTERM" in ended.err
    assert (ended.summary["put"], ended.summary["delivered"], ended.summary["waiting"]) == (15, 15, 0)
    assert received(sandbox).total() == 15


@pytest.mark.parametrize(
    ("address", "words"),
    [
        ("IN_USE", "address already in use; choose another address"),
        ("nonsense", "'nonsense' is not an address to listen on; use PORT or HOST:PORT"),
    ],
)
async def test_an_address_that_cannot_be_used_is_an_error_before_anything_is_read(tmp_path, address, words):
    write_plays(tmp_path / "plays.jsonl", plays(1))
    with socket.create_server(("127.0.0.1", 0)) as other:
        given = address.replace("IN_USE", str(other.getsockname()[1]))
        ended = await sevendigital(
            *("ship", "plays.jsonl", "--kind", "preview", "--http", given), cwd=tmp_path, base_url="http://127.0.0.1:9"
        )
    assert ended.code == 1
    assert words in ended.err.splitlines()[-1]
    assert [path.name for path in tmp_path.iterdir()] == ["plays.jsonl"]
