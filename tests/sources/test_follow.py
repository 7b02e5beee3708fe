"""Growing files: every complete line is put exactly once, however the files rotate and the reader is killed."""

import asyncio
import contextlib
import gzip
import os
import random
import shutil
import sys
import time
from collections import Counter
from datetime import UTC, datetime
from pathlib import Path

import orjson
import pytest
from support.memory import follow_through_rotations

from sevendigital_async import ConfigurationError, LogKind
from sevendigital_async.clock import SystemClock
from sevendigital_async.sources import FollowSource, Ingestion, ReadOptions, follow

KIND = LogKind.PREVIEW
NOW = datetime.now(UTC).isoformat()


def line(number, **more):
    return orjson.dumps({"trackId": str(number), "timestamp": NOW, **more}) + b"\n"


def lines(*numbers):
    return b"".join(map(line, numbers))


async def until(condition):
    async with asyncio.timeout(60):
        while not condition():
            await asyncio.sleep(0.005)


class Sink:
    """Keeps track ids and checkpoints, as a spool does that outlives the process."""

    def __init__(self):
        self.tracks, self.positions = [], {}

    async def put_many(self, kind, logs, *, checkpoint=None):
        checkpoint.check(self.positions.get(checkpoint.source))
        self.tracks += [int(orjson.loads(log.encode())["trackId"]) for log in logs]
        self.positions[checkpoint.source] = checkpoint.position
        return len(logs)

    async def position(self, source):
        return self.positions.get(source)

    async def has(self, *numbers):
        await until(lambda: set(numbers) <= set(self.tracks))


@contextlib.asynccontextmanager
async def following(*patterns, sink, bad=None, **options):
    async def keep(records):
        if bad is not None:
            bad.extend(records)

    source = FollowSource(*patterns, **{"poll": 0.005, "rotate_wait": 0.05} | options)
    task = asyncio.create_task(Ingestion(source, sink, kind=KIND, on_bad_records=keep).run())
    try:
        yield source
        await asyncio.sleep(0.03)
    finally:
        if task.done():
            task.result()  # an error of the task explains what a test did not find
        task.cancel()
        await asyncio.wait([task])


@pytest.fixture
def sink():
    return Sink()


@pytest.fixture
def log(tmp_path):
    return tmp_path / "plays.jsonl"


class HandClock(SystemClock):
    """A clock that moves only where the test moves it; waits are real."""

    now = 0.0

    def monotonic(self):
        return self.now


def append(path, data):
    with path.open("ab") as file:
        file.write(data)


async def test_lines_are_put_when_they_are_complete(log, sink):
    async with following(log, sink=sink) as source:
        await asyncio.sleep(0.02)
        append(log, lines(1, 2) + line(3)[:10])
        await sink.has(1, 2)
        assert source.lag().files == 1
        append(log, line(3)[10:-1])
        await asyncio.sleep(0.03)
        assert sink.tracks == [1, 2]
        append(log, b"\n")
        await sink.has(1, 2, 3)


async def test_the_lag_of_a_closed_source_is_the_last_one_whatever_its_descriptors_are_now(log, tmp_path, sink):
    append(log, lines(1) + line(2)[:10])
    async with following(log, sink=sink) as source:
        await sink.has(1)
    lag = source.lag()
    assert (lag.files, lag.size) == (1, 0)
    (tmp_path / "other").write_bytes(b"x" * 1000)
    with (tmp_path / "other").open("rb"):  # takes the number of the descriptor that was closed
        assert source.lag().size == 0


async def test_a_restart_resumes_behind_the_last_line(log, sink):
    append(log, lines(1, 2) + line(3)[:20])
    async with following(log, sink=sink):
        await sink.has(1, 2)
    append(log, line(3)[20:] + line(4))
    async with following(log, sink=sink):
        await sink.has(1, 2, 3, 4)
    async with following(log, sink=sink):
        pass
    assert sink.tracks == [1, 2, 3, 4]


@pytest.mark.parametrize("is_down", [False, True])
async def test_a_renamed_file_is_read_to_its_end_and_the_new_one_from_its_beginning(log, sink, is_down):
    append(log, lines(1, 2))
    async with following(log, sink=sink):
        await sink.has(1, 2)
        if not is_down:
            log.rename(log.with_suffix(".jsonl.1"))
            append(log.with_suffix(".jsonl.1"), line(3))
            append(log, line(4))
            await sink.has(3, 4)
    if is_down:
        log.rename(log.with_suffix(".jsonl.1"))
        append(log.with_suffix(".jsonl.1"), line(3))
        append(log, line(4))
    async with following(log, sink=sink):
        append(log, line(5))
        await sink.has(5)
    assert sorted(sink.tracks) == [1, 2, 3, 4, 5]


async def test_a_line_that_is_written_while_a_rotated_file_is_closed_is_read(log, sink, monkeypatch):
    finish, late, rotated = follow.FileReader.finish, [line(3)], log.with_suffix(".jsonl.1")

    def finish_late(reader, **options):
        if late:
            append(rotated, late.pop())
        return finish(reader, **options)

    monkeypatch.setattr(follow.FileReader, "finish", finish_late)
    append(log, lines(1, 2))
    async with following(log, sink=sink):
        await sink.has(1, 2)
        log.rename(rotated)
        await sink.has(3)
    assert sink.tracks == [1, 2, 3]


async def test_the_last_line_of_a_rotated_file_has_time_from_the_rotation_on(log, sink):
    bad, clock, rotated = [], HandClock(), log.with_suffix(".jsonl.1")
    append(log, line(1) + line(2)[:20])
    async with following(log, sink=sink, bad=bad, clock=clock) as source:
        await sink.has(1)
        clock.now = 100.0  # nothing is written for long
        log.rename(rotated)
        append(log, line(3))
        await sink.has(3)
        append(rotated, line(2)[20:])  # its writer has noticed the rotation
        await sink.has(2)
        clock.now = 101.0
        await until(lambda: source.lag().files == 1)
    assert (sorted(sink.tracks), bad) == ([1, 2, 3], [])


async def test_an_idle_file_that_is_truncated_and_written_as_it_would_be_closed_is_read(log, sink, monkeypatch):
    clock, late, drop = HandClock(), [line(3)], follow.FollowSource._drop_rewritten

    async def rewrite_after(source):
        await drop(source)
        if sink.tracks == [1, 2] and late:
            os.truncate(log, 0)
            append(log, late.pop())
            clock.now = follow.IDLE_CLOSE_TIME

    monkeypatch.setattr(follow.FollowSource, "_drop_rewritten", rewrite_after)
    append(log, lines(1, 2))
    async with following(log, sink=sink, clock=clock):
        await sink.has(1, 2, 3)
    assert sink.tracks == [1, 2, 3]


@pytest.mark.parametrize("is_down", [False, True])
async def test_copytruncate(log, sink, is_down):
    append(log, lines(1, 2))
    copy = log.with_suffix(".jsonl.1")

    async def rotate():
        append(log, line(3))
        shutil.copyfile(log, copy)
        if not is_down:
            await asyncio.sleep(0.03)
        os.truncate(log, 0)
        append(log, line(4))

    async with following(log, sink=sink):
        await sink.has(1, 2)
        if not is_down:
            await rotate()
    if is_down:
        await rotate()
    async with following(log, sink=sink):
        append(log, line(5))
        await sink.has(3, 4, 5)
        await asyncio.sleep(0.05)
    assert sorted(sink.tracks) == [1, 2, 3, 4, 5]


async def test_a_rotated_file_that_was_compressed_meanwhile(log, sink):
    append(log, lines(1, 2))
    async with following(log, sink=sink):
        await sink.has(1, 2)
    log.with_suffix(".jsonl.1.gz").write_bytes(gzip.compress(log.read_bytes() + lines(3, 4)))
    log.with_suffix(".jsonl.2.gz").write_bytes(gzip.compress(lines(5)))
    log.write_bytes(line(6))
    async with following(log, sink=sink):
        await sink.has(3, 4, 5, 6)
    assert sorted(sink.tracks) == [1, 2, 3, 4, 5, 6]


async def test_files_that_were_rotated_before_the_first_run_are_not_read(log, sink):
    old = log.with_suffix(".jsonl.1")
    append(old, lines(1, 2))
    os.utime(old, (time.time() - 100, time.time() - 100))
    append(log, line(3))
    for _ in range(2):
        async with following(log, sink=sink):
            await sink.has(3)
    assert sink.tracks == [3]


async def test_patterns_find_files_as_they_appear(tmp_path, sink):
    async with following(tmp_path / "*.jsonl", sink=sink):
        for number in range(3):
            append(tmp_path / f"{number}.jsonl", line(number))
            await sink.has(number)
        (tmp_path / "1.jsonl").unlink()
        append(tmp_path / "2.jsonl", line(9))
        await sink.has(9)


async def test_two_files_that_begin_alike_are_two_files(tmp_path, sink):
    append(tmp_path / "a.jsonl", lines(1, 2))
    append(tmp_path / "b.jsonl", lines(1, 3))
    async with following(tmp_path / "?.jsonl", sink=sink):
        async with asyncio.timeout(60):
            while len(sink.tracks) < 4:
                await asyncio.sleep(0.005)
    assert sorted(sink.tracks) == [1, 1, 2, 3]
    append(tmp_path / "b.jsonl", line(4))
    async with following(tmp_path / "?.jsonl", sink=sink):
        await sink.has(4)
    assert sorted(sink.tracks) == [1, 1, 2, 3, 4]


async def test_a_csv_file_grows_and_rotates(tmp_path, sink):
    log = tmp_path / "plays.csv"
    header = b"trackId,timestamp\n"
    append(log, header + f"1,{NOW}\n".encode())
    async with following(log, sink=sink):
        await sink.has(1)
        append(log, f"2,{NOW}\n".encode())
        await sink.has(1, 2)
        log.rename(tmp_path / "plays.csv.1")
        append(log, header + f"3,{NOW}\n".encode())
        await sink.has(3)
    async with following(log, sink=sink):
        append(log, f"4,{NOW}\n".encode())
        await sink.has(4)
    assert sink.tracks == [1, 2, 3, 4]


async def test_the_unfinished_end_of_a_rotated_file_is_rejected_once(log, sink):
    bad = []
    append(log, line(1) + b'{"trackId":"2"')
    async with following(log, sink=sink, bad=bad):
        await sink.has(1)
        log.rename(log.with_suffix(".jsonl.1"))
        async with asyncio.timeout(60):
            while not bad:
                await asyncio.sleep(0.005)
    async with following(log, sink=sink, bad=bad):
        await asyncio.sleep(0.1)
    assert [record.data for record in bad] == [b'{"trackId":"2"']


async def test_what_can_not_be_read_is_logged_once_and_the_rest_goes_on(tmp_path, sink, caplog):
    (tmp_path / "a.jsonl").write_bytes(b"[1, 2]\n")
    append(tmp_path / "b.jsonl", line(1))
    async with following(tmp_path / "*.jsonl", sink=sink):
        await sink.has(1)
        await asyncio.sleep(0.05)
    assert [record.event for record in caplog.records] == ["file-refused"]


async def test_idle_files_are_closed_and_opened_again(log, sink, monkeypatch):
    monkeypatch.setattr(follow, "IDLE_CLOSE_TIME", 0.0)
    append(log, line(1))
    async with following(log, sink=sink) as source:
        await sink.has(1)
        await until(lambda: source.lag().files == 0)
        append(log, line(2))
        await sink.has(1, 2)


@pytest.mark.parametrize("seed", range(3))
async def test_every_line_once_through_rotations_and_kills(tmp_path, sink, seed):
    rng = random.Random(seed)
    log = tmp_path / "plays.jsonl"
    written = 0

    async def write():
        nonlocal written
        for rotation in range(1, 16):
            for _ in range(rng.randrange(1, 8)):
                count = rng.randrange(1, 60)
                data = lines(*range(written, written + count))
                cut = rng.randrange(len(data))
                append(log, data[:cut])
                await asyncio.sleep(rng.random() * 0.01)
                append(log, data[cut:])
                written += count
            rotated = tmp_path / f"plays.jsonl.{rotation}"
            match rng.choice(["rename", "copytruncate", "compress"]):
                case "rename":
                    log.rename(rotated)
                case "copytruncate":
                    shutil.copyfile(log, rotated)
                    await asyncio.sleep(rng.random() * 0.01)
                    os.truncate(log, 0)
                case "compress":
                    log.rename(rotated)
                    await asyncio.sleep(rng.random() * 0.05)
                    packed = rotated.with_name(f"{rotated.name}.gz")
                    packed.write_bytes(gzip.compress(rotated.read_bytes()))
                    rotated.unlink()
            await asyncio.sleep(rng.random() * 0.02)

    writer = asyncio.create_task(write())
    while not writer.done():
        async with following(log, sink=sink):
            await asyncio.sleep(rng.random() * 0.15)
    await writer
    async with following(log, sink=sink):
        async with asyncio.timeout(60):
            while len(sink.tracks) < written:
                await asyncio.sleep(0.01)
        await asyncio.sleep(0.1)
    assert Counter(sink.tracks) == Counter(range(written))


async def test_a_change_is_noticed_at_once_where_the_system_reports_it(tmp_path, sink):
    log = tmp_path / "plays.jsonl"
    append(log, line(1))
    async with following(log, sink=sink, poll=60.0):
        await sink.has(1)
        await asyncio.sleep(0.3)
        append(log, line(2))
        await sink.has(2)
        log.rename(tmp_path / "plays.jsonl.1")
        append(log, line(3))
        await sink.has(3)


async def test_without_watchfiles_files_are_looked_at_now_and_then(tmp_path, sink, monkeypatch):
    monkeypatch.setitem(sys.modules, "watchfiles", None)
    log = tmp_path / "plays.jsonl"
    append(log, line(1))
    async with following(log, sink=sink):
        await sink.has(1)
        append(log, line(2))
        await sink.has(2)


async def test_a_system_that_can_not_watch_more_is_polled(tmp_path, sink, monkeypatch, caplog):
    def fail(*_, **__):
        raise OSError(28, "OS file watch limit reached")

    caplog.set_level("INFO")
    monkeypatch.setattr("watchfiles.awatch", fail)
    log = tmp_path / "plays.jsonl"
    append(log, line(1))
    async with following(log, sink=sink):
        await sink.has(1)
        append(log, line(2))
        await sink.has(2)
        async with asyncio.timeout(60):
            while not caplog.records:
                await asyncio.sleep(0.005)
    assert [record.event for record in caplog.records] == ["watch-failed"]


async def test_an_error_of_the_system_is_reported_once_and_the_file_is_read_when_it_has_passed(
    log, sink, monkeypatch, caplog
):
    opened, errors = follow._open_reader, [PermissionError(13, "Permission denied")] * 3

    def fail_first(path, options):
        if errors:
            raise errors.pop()
        return opened(path, options)

    monkeypatch.setattr(follow, "_open_reader", fail_first)
    append(log, lines(1, 2))
    async with following(log, sink=sink):
        await sink.has(1, 2)
    assert not errors
    assert [record.event for record in caplog.records] == ["file-refused"]


async def test_a_file_whose_reads_fail_is_reported_once_and_read_when_they_succeed(log, sink, monkeypatch, caplog):
    read, errors = follow.FileReader.read, [OSError(5, "Input/output error")] * 4

    def fail_first(reader):
        if errors:
            raise errors.pop()
        return read(reader)

    monkeypatch.setattr(follow.FileReader, "read", fail_first)
    append(log, lines(1, 2))
    async with following(log, sink=sink):
        await sink.has(1, 2)
    assert not errors
    assert [record.event for record in caplog.records] == ["file-refused"]


async def test_files_of_the_run_itself_are_not_read(tmp_path, sink):
    log = tmp_path / "plays.jsonl"
    append(log, line(1))
    append(tmp_path / "plays.jsonl.rejected", line(9))
    async with following(log, sink=sink, exclude=["*.rejected*"]):
        await sink.has(1)
        append(tmp_path / "plays.jsonl.rejected", line(9))
        append(tmp_path / "plays.jsonl.1", line(2))
        await sink.has(2)
        await asyncio.sleep(0.05)
    assert sorted(sink.tracks) == [1, 2]


async def test_a_file_is_not_read_on_as_plays_of_another_kind(log, sink):
    append(log, lines(1, 2))
    async with following(log, sink=sink, options=ReadOptions(kind=KIND)):
        await sink.has(1, 2)
    append(log, line(3))
    for kind, named in ((LogKind.CATALOGUE, "catalogue"), (None, "mixed")):
        ended = FollowSource(log, options=ReadOptions(kind=kind), poll=0.005)
        with pytest.raises(ConfigurationError, match="up to line 2 as preview plays; pass --kind preview") as caught:
            await Ingestion(ended, sink, kind=kind).run()
        assert f"another --spool to ship all of it as {named} plays" in str(caught.value)
    async with following(log, sink=sink, options=ReadOptions(kind=KIND)):
        await sink.has(3)
    assert sink.tracks == [1, 2, 3]


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="memory is read from /proc")
async def test_memory_stays_flat_while_a_log_rotates(tmp_path):
    outcome = await follow_through_rotations(tmp_path, lines=20_000, rotations=10)
    assert (outcome.missing, outcome.doubles) == (0, 0)
    assert outcome.resident[-1] - outcome.resident[2] < 20
