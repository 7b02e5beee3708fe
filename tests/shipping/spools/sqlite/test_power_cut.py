"""The power goes at any moment: every accepted play is there, nothing doubles silently, and no spool is refused.

The long form is ``nox -s soak -- power_cuts``.
"""

import asyncio
import shutil
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import pytest
from support import power_cut
from support.clock import VirtualClock

import sevendigital_async
from sevendigital_async import LogKind, failpoints
from sevendigital_async.shipping.records import Record
from sevendigital_async.shipping.rules import lane_rules
from sevendigital_async.shipping.spools.base import SpoolContext
from sevendigital_async.shipping.spools.sqlite import SqliteSpool
from sevendigital_async.shipping.spools.sqlite.file import commit_marker_of

NOW = datetime(2026, 1, 1, tzinfo=UTC)
OWNER = SpoolContext(lane_rules(), VirtualClock(), lambda _: None)

needs_strace = pytest.mark.skipif(power_cut.missing() is not None, reason=f"{power_cut.missing()}")


@needs_strace
async def test_a_power_cut_takes_nothing_that_was_promised(tmp_path):
    cuts = power_cut.PowerCuts(tmp_path, seed=1)
    calls = await asyncio.to_thread(cuts.live, 12)
    await cuts.cut(calls, 25)


@needs_strace
async def test_a_power_cut_after_a_kill_in_a_commit_takes_nothing(tmp_path):
    """The next process finds a transaction that was never forced to the disk, and must not rely on it."""
    cuts = power_cut.PowerCuts(tmp_path, seed=2)
    calls = await asyncio.to_thread(cuts.live, 8)
    cuts.kill_in_a_commit(calls)
    opening = await asyncio.to_thread(cuts.live, 1)
    [*_, forced] = [index for index, call in enumerate(opening) if call.name == "sync"][:3]
    await cuts.cut(opening[: forced + 1], 25)


def under_strace(trace, path, end, *options):
    command = ("strace", "-f", "-qq", "-o", str(trace), "-e", "trace=fdatasync,openat", *options)
    subprocess.run(
        [*command, sys.executable, power_cut.WORKER.with_name("failing_sync_worker.py"), str(path), end], check=True,
        env={"PYTHONPATH": str(Path(sevendigital_async.__file__).parent.parent)},
    )  # fmt: skip


@needs_strace
@pytest.mark.parametrize("end", ["kill", "close"])
async def test_a_put_that_the_disk_could_not_force_does_not_come_back(tmp_path, end):
    """What a failed commit has left in the -wal file looks whole to the next process."""
    trace = tmp_path / "trace"
    await asyncio.to_thread(under_strace, trace, tmp_path / "first.db", end)
    before = trace.read_text().partition("first.db.begun")[0].count("fdatasync(")
    path, fails = tmp_path / "plays.db", f"inject=fdatasync:error=EIO:when={before + 1}+"
    await asyncio.to_thread(under_strace, trace, path, end, "-e", fails)
    assert "INJECTED" in trace.read_text()
    spool = SqliteSpool(path)
    await spool.open(OWNER)
    assert (await spool.counts(LogKind.PREVIEW)).put == 1
    await spool.aclose()


@pytest.mark.parametrize("synchronous", ["FULL", "NORMAL"])
async def test_the_commit_marker_counts_only_what_was_forced_to_the_disk(tmp_path, monkeypatch, synchronous):
    """A transaction that ``kill -9`` has kept from being forced must not count. Needs no strace."""
    path = tmp_path / "plays.db"
    spool = SqliteSpool(path)
    await spool.open(OWNER)
    copies = []

    def copy(point):
        if point == "after commit":  # the mark has not been written yet
            copies.append(shutil.copytree(tmp_path, tmp_path.with_name(f"{tmp_path.name}-{len(copies)}")))

    monkeypatch.setattr(failpoints, "on_hit", copy)
    await spool.append(LogKind.CATALOGUE, [Record(b"x", "", NOW)])
    monkeypatch.setattr(failpoints, "on_hit", None)
    await spool.aclose()
    killed = copies[0] / "plays.db"
    before, seen = commit_marker_of(killed).read(), []
    monkeypatch.setattr(failpoints, "on_hit", lambda point: seen.append((point, commit_marker_of(killed).read())))
    spool = SqliteSpool(killed, synchronous=synchronous)
    await spool.open(OWNER)
    after = commit_marker_of(killed).read()
    await spool.aclose()
    assert seen[0] == ("before commit", before)
    assert after.flushed == (before.flushed + 2 if synchronous == "FULL" else before.flushed)


def test_a_call_that_strace_shows_in_two_parts_is_one():
    lines = [
        r'7  pwrite64(9</a/b>, "\x61\x62", 2, 5 <unfinished ...>',
        r"8  fsync(3</a/c>) = 0",
        r"7  <... pwrite64 resumed>) = 2",
        r'7  unlink("\x2f\x61\x2f\x62") = -1 ENOENT (No such file or directory)',
    ]  # fmt: skip
    calls = [power_cut.parsed(line, "/a") for line in power_cut.whole(lines)]
    assert calls == [power_cut.Call("sync", "/a/c"), power_cut.Call("write", "/a/b", b"ab", 5), None]
