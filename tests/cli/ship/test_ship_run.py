"""A run with a fake client, for cases that a sandbox cannot produce."""

import asyncio
import contextlib
import os
from collections import Counter

import pytest
from support.cli_process import as_counted, lines_in, plays, write_plays

from sevendigital_async import ConfigurationError, InvalidRequestError, LogKind, SpoolInUseError, StreamLogShipper
from sevendigital_async.cli.process import SignalWatcher
from sevendigital_async.cli.ship import run
from sevendigital_async.cli.ship.display import PlainDisplay
from sevendigital_async.cli.ship.inputs import Input
from sevendigital_async.cli.ship.options import ShipOptions, read_spool_contents, spool_directory
from sevendigital_async.cli.ship.reject_file import RejectFile
from sevendigital_async.cli.ship.run import ShipRun
from sevendigital_async.clock import SystemClock
from sevendigital_async.models.encoded_log import EncodedLog
from sevendigital_async.models.stream_log import checked_and_encoded
from sevendigital_async.shipping.records import Counts, Record
from sevendigital_async.shipping.rules import lane_rules
from sevendigital_async.shipping.spools.base import SpoolContext
from sevendigital_async.shipping.spools.redis import RedisSpool
from sevendigital_async.shipping.spools.registry import open_inspector
from sevendigital_async.sources import FileSource, ReadOptions, file_reader


class LogTransport:
    """A fake client: ``post`` handles each batch."""

    dialect = "openapi"

    def __init__(self, post):
        self.play_logs = self
        self.post = post

    def encoder(self, _kind):
        return checked_and_encoded

    def wire_form_encoder(self, _kind):
        return EncodedLog.checked_body

    def partition_key(self, _kind, *, signed_by_user):
        return lambda log: ""

    @contextlib.asynccontextmanager
    async def permit(self, _kind):
        yield self


class RecordingDisplay(PlainDisplay):
    """Records its lines."""

    def __init__(self):
        super().__init__(None, interval=0.0)
        self.lines = []

    def echo(self, text):
        self.lines.append(text)


async def accept(_logs, _user, *, request_id):
    pass


async def refuse(_logs, _user, *, request_id):
    raise InvalidRequestError("no good\nat all", code=1001, status=400)


async def ship(tmp_path, post, *, number=10, source=None, follow=False, stop_when=None, **options):
    file = tmp_path / "plays.jsonl"
    if not file.exists():
        write_plays(file, plays(number))
    printed = RecordingDisplay()
    with (
        RejectFile(tmp_path / "rejected") as rejected,
        RejectFile(tmp_path / "unsent") as unsent,
        SignalWatcher() as signals,
    ):
        options = ShipOptions(**{"kind": LogKind.PREVIEW, **options})
        inputs = Input([str(source or file)], follow)
        shipping = ShipRun(
            options,
            LogTransport(post),
            inputs,
            inputs.open(ReadOptions(kind=options.kind), directory=spool_directory(options.spool or "")),
            rejected=rejected,
            unsent=unsent,
            display=printed,
            signals=signals,
        )
        async with asyncio.timeout(60):
            running = asyncio.create_task(shipping.run())
            while stop_when is not None and not stop_when():
                await asyncio.sleep(0.01)
            if stop_when is not None:
                signals.signal_name = "SIGTERM"
                signals.first_signal.set()
            return await running, printed.lines


async def test_everything_delivered(tmp_path):
    report, printed = await ship(tmp_path, accept, number=1_234)
    assert (report.exit_code, report.put, report.delivered, report.requests) == (0, 1_234, 1_234, 3)
    assert all(line.startswith(str(tmp_path)) for line in printed)  # progress only


async def test_a_shipper_that_dies_is_reported_and_loses_nothing(tmp_path):
    async def die(_logs, _user, *, request_id):
        raise RuntimeError("out of order")

    report, printed = await ship(tmp_path, die)
    assert report.exit_code == 4
    assert any("out of order" in line for line in printed)
    assert as_counted(lines_in(tmp_path / "unsent")) == as_counted(plays_of(tmp_path))


async def test_a_shipper_that_dies_is_noticed_while_a_pipe_is_quiet(tmp_path):
    async def die(_logs, _user, *, request_id):
        raise RuntimeError("out of order")

    reading, writing = os.pipe()
    os.write(writing, plays(3)[0].encode() + b"\n")
    report, _ = await ship(tmp_path, die, source=f"/dev/fd/{reading}", linger=0.0)
    os.close(reading)
    os.close(writing)
    assert report.exit_code == 4
    assert report.unsent == 1
    assert report.continue_at == 2


async def test_an_input_that_breaks_off_is_reported(tmp_path, monkeypatch):
    reading = file_reader.FileReader.read

    def read_once(reader):
        monkeypatch.setattr(file_reader.FileReader, "read", fail)
        return reading(reader)

    def fail(_):
        raise OSError(5, "Input/output error")

    monkeypatch.setattr(file_reader.FileReader, "read", read_once)
    report, printed = await ship(tmp_path, accept)
    assert report.exit_code == 4
    assert report.delivered == 10
    assert report.continue_at == 11
    assert any(": Input/output error" in line for line in printed)


async def test_buried_plays_that_cannot_be_kept_at_first_are_kept_at_the_end(tmp_path, monkeypatch):
    writing = RejectFile.write
    tries = []

    def write(self, line):
        tries.append(line)
        if len(tries) == 1:
            raise OSError(28, "No space left on device")
        writing(self, line)

    monkeypatch.setattr(RejectFile, "write", write)
    report, printed = await ship(tmp_path, refuse, number=1)
    assert report.exit_code == 1
    assert report.buried == 1
    assert any("No space left" in line for line in printed)
    assert as_counted(lines_in(tmp_path / "rejected")) == as_counted(plays_of(tmp_path))


async def test_very_many_buried_plays_suspend_the_lane(tmp_path):
    report, printed = await ship(tmp_path, refuse, number=2_000)
    assert report.exit_code == 4
    assert any("suspended" in line for line in printed)
    buried = [line for line in printed if ": buried: " in line]
    assert len(buried) == 50
    assert "no good\\nat all" in buried[0]
    unread = plays_of(tmp_path)[report.continue_at - 1 :] if report.continue_at else []
    kept = lines_in(tmp_path / "rejected") + lines_in(tmp_path / "unsent")
    assert as_counted(kept + unread) == as_counted(plays_of(tmp_path))


async def test_a_source_that_cannot_be_opened_is_a_matter_of_configuration(tmp_path):
    file = write_plays(tmp_path / "plays.jsonl", plays(1))

    async def remove(*_, **__):
        file.unlink()

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(FileSource, "check", remove)
        with pytest.raises(ConfigurationError, match=r"cannot read .*: No such file"):
            await ship(tmp_path, accept)


def plays_of(tmp_path):
    return lines_in(tmp_path / "plays.jsonl")


def saving(saved):
    async def save(logs, _user, *, request_id):
        await asyncio.sleep(0.02)
        saved.update(logs)
        return "202"

    return save


async def test_a_run_that_begins_in_the_moment_in_which_another_ends_puts_nothing_twice(tmp_path, monkeypatch):
    saved, spool, earlier = Counter(), str(tmp_path / "plays.db"), []

    @contextlib.asynccontextmanager
    async def read_late(name):
        async with read_spool_contents(name) as found:
            yield found
        if not earlier:
            earlier.append(found)
            await ship(tmp_path, saving(saved), number=1_200, spool=spool)

    monkeypatch.setattr(run, "read_spool_contents", read_late)
    report, _ = await ship(tmp_path, saving(saved), number=1_200, spool=spool)
    # It reads on where the other one has stopped, and does not count what that has put.
    assert (report.exit_code, report.put, report.delivered, report.lines) == (0, 0, 0, 0)
    assert Counter(saved.values()) == {1: 1_200}


async def test_two_runs_that_read_one_file_into_one_redis_put_nothing_twice(tmp_path, redis_server):
    saved = Counter()
    runs = [ship(tmp_path, saving(saved), number=1_200, spool=redis_server.url, linger=0.0) for _ in range(2)]
    (one, _), (other, _) = await asyncio.gather(*runs)
    # The second is refused, or finds that all was put before it began.
    assert sorted([one.exit_code, other.exit_code]) in ([0, 4], [0, 0])
    assert Counter(saved.values()) == {1: 1_200}


async def test_what_others_put_into_a_shared_spool_when_all_is_delivered_is_not_of_this_run(
    tmp_path, redis_server, monkeypatch
):
    """The requests that this run has begun are completed: nothing is in doubt."""
    flush, saved, others, begun = StreamLogShipper.flush, Counter(), [], asyncio.Event()

    async def save(logs, _user, *, request_id):
        if others:
            begun.set()
            await asyncio.sleep(0.2)
        saved.update(logs)
        return "202"

    async def flush_before_others_put(shipper, *arguments):
        statistics = await flush(shipper, *arguments)
        if statistics.settled and not others:
            others.append(RedisSpool(redis_server.url))
            await others[0].open(SpoolContext(lane_rules(None), SystemClock(), lambda _: None, dialect="openapi"))
            await others[0].append(LogKind.PREVIEW, [Record(log.encode(), "", log.timestamp) for log in plays(7)])
            await others[0].aclose()
            await begun.wait()
        return statistics

    monkeypatch.setattr(StreamLogShipper, "flush", flush_before_others_put)
    report, _ = await ship(tmp_path, save, number=300, spool=redis_server.url, linger=0.0)
    assert (report.exit_code, report.put, report.delivered, report.waiting) == (0, 300, 300, 0)
    archive = open_inspector(redis_server.url)
    counts = (await archive.status()).counts[LogKind.PREVIEW]
    await archive.aclose()
    assert counts == Counts(put=307, delivered=307)


async def test_a_run_that_stops_finishes_a_request_with_plays_of_others(tmp_path, redis_server, monkeypatch):
    """Another run of the same file stops this one; what it was sending for that run must not be sent twice."""
    flush, saved, others, begun = StreamLogShipper.flush, Counter(), [], asyncio.Event()

    async def save(logs, _user, *, request_id):
        if others:
            begun.set()
            await asyncio.sleep(0.2)
        saved.update(logs)
        return "202"

    async def put_conflict(*_, **__):
        raise SpoolInUseError("another shipper reads this file")

    async def flush_before_others_put(shipper, *arguments):
        statistics = await flush(shipper, *arguments)
        if not others:
            others.append(RedisSpool(redis_server.url))
            await others[0].open(SpoolContext(lane_rules(None), SystemClock(), lambda _: None, dialect="openapi"))
            await others[0].append(LogKind.PREVIEW, [Record(log.encode(), "", log.timestamp) for log in plays(7)])
            await others[0].aclose()
            await begun.wait()
        return statistics

    monkeypatch.setattr(StreamLogShipper, "flush", flush_before_others_put)
    monkeypatch.setattr(StreamLogShipper, "put_many", put_conflict)
    report, _ = await ship(tmp_path, save, number=300, spool=redis_server.url, linger=0.0)
    inspector = open_inspector(redis_server.url)
    counts = (await inspector.status()).counts[LogKind.PREVIEW]
    await inspector.aclose()
    assert report.exit_code == 4
    assert counts == Counts(put=7, delivered=7)
    assert Counter(saved.values()) == {1: 7}


async def test_a_shipper_that_closes_finishes_a_request_that_began_after_its_flush(redis_server, monkeypatch):
    flush, begun = StreamLogShipper.flush, asyncio.Event()

    async def post(_logs, _user, *, request_id):
        begun.set()
        await asyncio.sleep(0.2)
        return "202"

    other = RedisSpool(redis_server.url)
    await other.open(SpoolContext(lane_rules(None), SystemClock(), lambda _: None, dialect="openapi"))
    async with StreamLogShipper(
        LogTransport(post), spool=redis_server.url, lanes={LogKind.PREVIEW: {"linger": 0.0}}
    ) as shipper:

        async def flush_before_others_put(*arguments):
            statistics = await flush(shipper, *arguments)
            await other.append(LogKind.PREVIEW, [Record(log.encode(), "", log.timestamp) for log in plays(7)])
            await begun.wait()
            return statistics

        monkeypatch.setattr(shipper, "flush", flush_before_others_put)
    assert await other.counts(LogKind.PREVIEW) == Counts(put=7, delivered=7)
    await other.aclose()


async def test_a_growing_file_is_read_until_a_signal(tmp_path):
    saved, spool = Counter(), str(tmp_path / "x.db")
    options = {"follow": True, "spool": spool, "linger": 0.0, "stop_when": lambda: len(saved) == 10}
    report, printed = await ship(tmp_path, saving(saved), **options)
    assert (report.exit_code, report.delivered, report.continue_at, report.resumes) == (0, 10, None, True)
    assert (report.lag.size, report.lines) == (0, 10)
    assert any("SIGTERM: stopped reading" in line for line in printed)
    assert not report.sources
    await asyncio.to_thread((tmp_path / "plays.jsonl").unlink)


async def test_a_signal_while_a_pipe_is_silent_ends_the_run_before_a_spool_is_made(tmp_path):
    reading, writing = os.pipe()
    report, printed = await ship(
        tmp_path, accept, source=f"/dev/fd/{reading}", spool=str(tmp_path / "x.db"), stop_when=lambda: True
    )
    os.close(reading)
    os.close(writing)
    assert (report.put, report.lines) == (0, 0)
    assert any("SIGTERM" in line for line in printed)
    assert not list(tmp_path.glob("x.db*"))


async def test_what_a_pipe_has_given_is_kept_with_its_kinds(tmp_path):
    async def never(_logs, _user, *, request_id):
        await asyncio.get_running_loop().create_future()

    reading, writing = os.pipe()
    kinds = list(LogKind)
    lines = [
        log.encode()[:-1] + b',"kind":"%s"}\n' % kinds[index % 3].value.encode() for index, log in enumerate(plays(30))
    ]
    os.write(writing, b"".join(lines))
    report, _ = await ship(
        tmp_path,
        never,
        source=f"/dev/fd/{reading}",
        kind=None,
        linger=0.0,
        drain=0.0,
        patience=0.2,
    )
    os.close(reading)
    os.close(writing)
    assert report.exit_code == 4
    assert {kind: counts.put for kind, counts in report.kinds.items()} == dict.fromkeys(kinds, 10)
    kept = (tmp_path / "unsent").read_bytes().splitlines(keepends=True)
    assert sorted(kept) == sorted(lines)
