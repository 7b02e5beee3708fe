"""A disk that is full, broken or read-only: puts wait or are refused with a reason, deliveries continue."""

import asyncio
import os
import shutil
import sqlite3
import subprocess
import sys
from datetime import UTC, datetime

import pytest
from support.cli_process import as_counted, open_sandbox, plays, received, sevendigital, write_plays
from support.clock import VirtualClock
from support.spool_events import callback

from sevendigital_async import LogKind, SpoolError, SpoolUnavailableError, failpoints
from sevendigital_async.clock import SystemClock
from sevendigital_async.shipping.records import Receipt, Record
from sevendigital_async.shipping.rules import lane_rules
from sevendigital_async.shipping.spools.base import SpoolContext
from sevendigital_async.shipping.spools.sqlite import SqliteSpool, SqliteSpoolInspector, writer

NOW = datetime(2026, 1, 1, tzinfo=UTC)
RECEIPT = Receipt("request", NOW)
KIND = LogKind.SUBSCRIBER
SMALL = "1536k"
NOBODY = 65534


@pytest.fixture
def small_disk(tmp_path):
    """A separate disk of 1.5 megabytes."""
    place = tmp_path / "disk"
    place.mkdir()
    mount, unmount = shutil.which("mount"), shutil.which("umount")
    order = [mount, "-t", "tmpfs", "-o", f"size={SMALL},mode=777", "plays", place]
    if mount is None or subprocess.run(order, capture_output=True, check=False).returncode:
        pytest.skip("no small disk can be mounted here; root can")
    yield place
    subprocess.run([unmount, "-l", place], check=True)


def records(number, start=0, queue=""):
    return [Record(f'{{"trackId":"{start + index}"}}'.encode().ljust(120), queue, NOW) for index in range(number)]


async def open_spool(path, clock=None, report=lambda _: None, **options):
    spool = SqliteSpool(path, **options)
    await spool.open(SpoolContext(lane_rules(), clock or SystemClock(), callback(alerts=report)))
    return spool


async def drained(spool, kind=KIND):
    """Deliver everything that waits."""
    number = 0
    while lease := await spool.lease(kind, flush=True):
        await spool.intent(lease, lease.records, "request")
        await spool.ack(lease, lease.records, RECEIPT)
        number += len(lease.records)
    return number


def fill(directory):
    """Fill the rest of a disk, as another process may."""
    with (directory / "ballast").open("wb", buffering=0) as file:
        try:
            while True:
                file.write(bytes(4096))
        except OSError:
            return


async def test_a_full_disk_makes_puts_wait_and_deliveries_make_room(small_disk):
    alerts = []
    spool = await open_spool(small_disk / "plays.db", report=alerts.append)
    accepted = asyncio.Event()
    number = 0

    async def put():
        nonlocal number
        for start in range(0, 12_000, 500):
            await spool.append(KIND, records(500, start, queue=f"user-{start % 3}"))
            number += 500
        accepted.set()

    async with asyncio.timeout(60):
        putting = asyncio.create_task(put())
        while not alerts:
            await asyncio.sleep(0.01)
        assert "the disk is full" in alerts[0]
        assert 1_000 < number < 12_000
        with pytest.raises(SpoolUnavailableError, match="the disk is full"):
            spool.append_nowait(KIND, records(1))
        assert (await spool.counts(KIND)).put == number
        delivered = 0
        while not (accepted.is_set() and delivered == 12_000):
            delivered += await drained(spool)
            await asyncio.sleep(0.01)
        await putting
    assert alerts[-1] is None
    counts = await spool.counts(KIND)
    assert (counts.put, counts.delivered, counts.waiting, counts.in_flight) == (12_000, 12_000, 0, 0)
    await spool.aclose()
    spool = await open_spool(small_disk / "plays.db")  # checks every page
    await spool.aclose()


async def test_another_process_fills_the_disk_and_frees_it_again(small_disk):
    spool = await open_spool(small_disk / "plays.db")
    for start in range(0, 3_000, 500):
        await spool.append(KIND, records(500, start))
    fill(small_disk)
    put = asyncio.create_task(spool.append(KIND, records(500, 3_000)))
    draining = asyncio.create_task(drained(spool))
    await asyncio.sleep(0.3)
    assert not put.done()
    (small_disk / "ballast").unlink()
    async with asyncio.timeout(60):
        await put
        delivered = await draining + await drained(spool)
    assert delivered == 3_500
    await spool.aclose()


async def test_a_spool_is_not_created_on_a_full_disk_and_is_later(small_disk):
    fill(small_disk)
    with pytest.raises(SpoolError, match="the disk has space"):
        await open_spool(small_disk / "plays.db")
    assert not (small_disk / "plays.db").exists()
    (small_disk / "ballast").unlink()
    await (await open_spool(small_disk / "plays.db")).aclose()


async def test_the_command_delivers_more_than_the_disk_holds(small_disk, tmp_path):
    logs = plays(12_000, users=3)
    write_plays(tmp_path / "plays.jsonl", logs)
    command = ("ship", "plays.jsonl", "--kind", "catalogue", "--spool", small_disk / "plays.db", "--json")
    async with open_sandbox(latency="20ms") as sandbox:
        ended = await sevendigital(*command, cwd=tmp_path, base_url=sandbox.base_url)
        assert received(sandbox) == as_counted(logs)
    assert ended.code == 0, ended.err
    assert (ended.summary["put"], ended.summary["delivered"], ended.summary["in_doubt"]) == (12_000, 12_000, 0)
    assert all("the disk is full" in line or "delivered" in line for line in ended.err.splitlines())


async def test_on_a_tight_disk_every_step_is_in_the_file_before_the_next(tmp_path, monkeypatch):
    spool = await open_spool(tmp_path / "plays.db", min_free=2**60)  # puts leave an eighth of any disk free
    for start in range(0, 600, 100):
        await asyncio.gather(*(spool.append(KIND, records(10, start + number * 10, "ann")) for number in range(10)))
    assert (tmp_path / "plays.db-wal").stat().st_size < 200_000
    assert await drained(spool) == 600
    monkeypatch.setattr(writer, "MIN_FREE_SHARE", 1)
    put = asyncio.create_task(spool.append(KIND, records(1)))
    await asyncio.sleep(0.1)
    assert not put.done()
    monkeypatch.setattr(writer, "MIN_FREE_SHARE", 1_000_000)
    async with asyncio.timeout(60):
        await put
    await spool.aclose()


# -- disk errors --


class Failing:
    """Makes a number of commits fail."""

    def __init__(self, monkeypatch):
        self.times = 0
        self.name = "SQLITE_IOERR_FSYNC"
        monkeypatch.setattr(failpoints, "on_hit", self)

    def __call__(self, point):
        if point == "before commit" and self.times > 0:
            self.times -= 1
            error = sqlite3.OperationalError("disk I/O error")
            error.sqlite_errorcode = getattr(sqlite3, self.name)
            raise error


@pytest.mark.parametrize("name", ["SQLITE_IOERR_FSYNC", "SQLITE_IOERR_WRITE", "SQLITE_FULL", "SQLITE_READONLY"])
async def test_errors_of_the_disk_are_waited_out(tmp_path, monkeypatch, name):
    clock, alerts, failing = VirtualClock(), [], Failing(monkeypatch)
    failing.name = name
    spool = await open_spool(tmp_path / "plays.db", clock, alerts.append)
    for times in range(1, 5):
        failing.times = times
        await clock.run(spool.append(KIND, records(5, times * 5)))
    lease = await spool.lease(KIND, flush=True)
    for step in (spool.intent(lease, lease.records, "request"), spool.ack(lease, lease.records, RECEIPT)):
        failing.times = 3
        await clock.run(step)
    counts = await spool.counts(KIND)
    assert (counts.put, counts.delivered, counts.in_doubt) == (20, 20, 0)
    assert {line is None for line in alerts} == {True, False}
    assert all(str(tmp_path / "plays.db") in line for line in alerts if line)
    await spool.aclose()


async def test_what_may_not_be_on_the_disk_is_written_once_more(tmp_path, monkeypatch):
    clock, failing = VirtualClock(), Failing(monkeypatch)
    spool = await open_spool(tmp_path / "plays.db", clock)
    await spool.append(KIND, records(100))
    before = (tmp_path / "plays.db").stat().st_size
    failing.times = 1
    await clock.run(spool.append(KIND, records(5)))
    assert (tmp_path / "plays.db").stat().st_size > before  # all of the -wal file is in the file, and forced to it
    await spool.aclose()


# -- what may not be written to --


UNMEASURED = {"COVERAGE_PROCESS_CONFIG": None, "COVERAGE_PROCESS_START": None}
"""The user nobody can't write coverage data."""


def as_nobody():
    if os.geteuid() != 0 or shutil.which("setpriv") is None:
        pytest.skip("only root can run a command as another user, with setpriv")
    command = ("setpriv", f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups")
    if subprocess.run([*command, sys.executable, "-c", "import typer"], capture_output=True, check=False).returncode:
        pytest.skip("the other user may not run this Python")
    return command


async def test_a_spool_in_a_read_only_directory_is_refused_and_can_be_inspected(tmp_path, unused_tcp_port):
    wrapper = as_nobody()
    for directory in list(tmp_path.parents)[:3]:
        directory.chmod(0o755)
    tmp_path.chmod(0o777)
    (tmp_path / "kept").mkdir()
    write_plays(tmp_path / "plays.jsonl", plays(20))
    ship = ("ship", "plays.jsonl", "--kind", "catalogue", "--patience", "0.2", "--linger", "0", "--drain", "0")
    elsewhere = {"cwd": tmp_path, "base_url": f"http://127.0.0.1:{unused_tcp_port}"}
    refused = await sevendigital(*ship, "--spool", "kept/new.db", wrapper=wrapper, env=UNMEASURED, **elsewhere)
    assert refused.code == 1
    assert "check that the directory is writable" in refused.err
    assert list((tmp_path / "kept").iterdir()) == []
    assert (await sevendigital(*ship, "--spool", "kept/plays.db", **elsewhere)).code == 4
    for path in (tmp_path / "kept").iterdir():
        path.chmod(0o644)  # the operator lets other users read it
    before = {path.name: path.read_bytes() for path in (tmp_path / "kept").iterdir()}
    refused = await sevendigital(*ship, "--spool", "kept/plays.db", wrapper=wrapper, env=UNMEASURED, **elsewhere)
    assert refused.code == 1
    assert "check that the directory is writable" in refused.err.splitlines()[-1]
    status = await sevendigital(
        "spool", "status", "--spool", "kept/plays.db", cwd=tmp_path, wrapper=wrapper, env=UNMEASURED
    )
    assert (status.code, status.err) == (0, "")
    assert "20" in status.out
    for command in (("replay", "--all", "--yes"), ("discard", "1", "--yes")):
        ended = await sevendigital(
            "dead-letters", *command, "--spool", "kept/plays.db", cwd=tmp_path, wrapper=wrapper, env=UNMEASURED
        )
        assert len(ended.err.splitlines()) == 1
    assert {path.name: path.read_bytes() for path in (tmp_path / "kept").iterdir()} == before
    inspector = SqliteSpoolInspector(tmp_path / "kept" / "plays.db")
    assert (await inspector.status()).counts[LogKind.CATALOGUE].waiting == 20
    await inspector.aclose()
