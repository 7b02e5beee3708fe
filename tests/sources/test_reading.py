"""Chunks of bytes become records, and what an interrupted run has read is neither lost nor doubled."""

import asyncio
import itertools
import os
import subprocess
import sys
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.cli_process import plays

from sevendigital_async import ConfigurationError, LogKind, StreamLog, sources
from sevendigital_async.sources import FileSource, Ingestion, ReadOptions
from sevendigital_async.sources.files import open_reader
from sevendigital_async.sources.formats import TextReader
from sevendigital_async.sources.positions import Position
from sevendigital_async.sources.splitting import BYTE_ORDER_MARK, MAX_RECORD_BYTES, RecordSplitter

KIND = LogKind.PREVIEW
SOME_BYTES = st.lists(st.sampled_from([b"a", b"bcd", b"\n", b"\r\n", b" ", b"\x00", b"\xff", b"\xef\xbb\xbf"])).map(
    b"".join
)


def split(chunks, longest=1_000):
    splitter = RecordSplitter(longest=longest)
    lines = [line for chunk in chunks for line in splitter.feed(chunk)]
    return [*lines, *splitter.close()]


def without_marks(line):
    while line.startswith(BYTE_ORDER_MARK):
        line = line.removeprefix(BYTE_ORDER_MARK)
    return line


@given(SOME_BYTES, st.lists(st.integers(0, 40)))
def test_lines_are_the_same_whatever_the_chunks(data, cuts):
    bounds = [0, *sorted(min(cut, len(data)) for cut in cuts), len(data)]
    chunks = [data[low:high] for low, high in itertools.pairwise(bounds)]
    expected = data.split(b"\n")
    if not expected[-1]:
        expected.pop()
    lines = split(chunks)
    assert [line.data for line in lines] == [without_marks(line) for line in expected]
    assert [line.number for line in lines] == list(range(1, len(expected) + 1))
    assert [data[line.start : line.end].removesuffix(b"\n") for line in lines] == expected


@given(SOME_BYTES, st.integers(1, 5), st.integers(1, 7))
def test_of_a_long_line_only_the_beginning_is_held(data, longest, step):
    data = data.replace(BYTE_ORDER_MARK, b"")
    chunks = [data[low : low + step] for low in range(0, len(data), step)]
    whole = split([data])
    lines = split(chunks, longest)
    assert len(lines) == len(whole)
    for line, entire in zip(lines[1:], whole[1:], strict=True):
        assert line.data == entire.data[: longest + 1]


def test_a_line_without_end_takes_no_memory():
    splitter = RecordSplitter(longest=1_000)
    for _ in range(1_000):
        assert list(splitter.feed(b"x" * 65_536)) == []
    (line,) = splitter.close()
    assert len(line.data) == 1_001


@pytest.mark.parametrize("mark", [b"", BYTE_ORDER_MARK])
@pytest.mark.parametrize("size", [1_000, 1_000_000])
@pytest.mark.parametrize("is_csv", [False, True])
def test_a_record_that_is_too_long_is_rejected_however_it_is_cut(mark, size, is_csv):
    moment = f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ}"
    plays = [f'{{"trackId":"{number}","timestamp":"{moment}"}}' for number in (1, 2)]
    if is_csv:
        plays = [f"{number},{moment}" for number in (1, 2)]
    data = mark + f"{plays[0]}{' ' * MAX_RECORD_BYTES}\n{plays[1]}\n".encode()
    reader = TextReader("plays", is_csv=is_csv, header=b"trackId,timestamp" if is_csv else None)
    ahead, logs, bad = b"", [], []
    while data or ahead:
        chunk, data = ahead + data[:size], data[size:]
        parsed = reader.feed(chunk)
        ahead = chunk[parsed.size :]
        logs += parsed.logs
        bad += parsed.bad
    assert [log.encode()[:14] for log in logs] == [b'{"trackId":"2"']
    assert [record.place for record in bad] == ["plays:1"]
    assert bad[0].data.startswith(plays[0].encode())
    assert len(bad[0].data) <= MAX_RECORD_BYTES


def read_whole(path, position):
    reader = open_reader(str(path), ReadOptions(kind=KIND))
    try:
        if position is not None:
            reader.resume(position)
        taken, bad = [], []
        while (parsed := reader.read()) is not None:
            taken += parsed.logs
            bad += parsed.bad
        parsed = reader.finish()
        return (
            [StreamLog.decode(log.encode()).client_id for log in taken + list(parsed.logs)],
            bad + list(parsed.bad),
            reader,
        )
    finally:
        reader.close()


def test_a_file_that_grows_byte_by_byte_gives_each_play_once_wherever_it_was_cut(tmp_path):
    clients = ["plain", "\N{SNOWMAN}é"]
    logs = [StreamLog(track_id="1", timestamp=datetime.now(UTC), client_id=client) for client in clients]
    whole = BYTE_ORDER_MARK + logs[0].encode() + b"\r\n" + BYTE_ORDER_MARK + logs[1].encode() + b"\r\n"
    path = tmp_path / "plays.jsonl"
    for cut in range(len(whole) + 1):
        path.write_bytes(whole[:cut])
        taken, bad, first = read_whole(path, None)
        kept = Position.decode(first.position.encode(), "plays.jsonl")
        path.write_bytes(whole)
        more, also_bad, second = read_whole(path, kept)
        assert taken + more == clients, cut
        assert bad == also_bad == [], cut
        assert second.unread_record is None


class Sink:
    """A fake shipper that is full until it is released."""

    def __init__(self):
        self.taken, self.room, self.putting = [], asyncio.Event(), asyncio.Event()
        self.is_slow_to_return = False

    async def put_many(self, kind, logs, *, checkpoint=None):
        self.putting.set()
        await self.room.wait()
        self.taken += logs
        await asyncio.sleep(60 if self.is_slow_to_return else 0)
        return len(logs)

    async def position(self, source):
        return None


async def interrupted(source, sink):
    ingestion = Ingestion(source, sink, kind=KIND)
    running = asyncio.create_task(ingestion.run())
    await sink.putting.wait()
    await asyncio.sleep(0)
    running.cancel()
    await asyncio.wait([running])
    return ingestion


def source_of(tmp_path, number):
    path = tmp_path / "plays.jsonl"
    path.write_bytes(b"\n\n" + b"".join(log.encode() + b"\n" for log in plays(number)))
    return FileSource(path)


async def test_a_put_that_is_cancelled_while_it_waits_was_not_done(tmp_path):
    ingestion = await interrupted(source_of(tmp_path, 20), Sink())
    ingestion.settle({KIND: 0})
    [counts] = ingestion.streams.values()
    assert (counts.put, counts.end) == (0, 1)
    rest = ingestion.abandon()
    assert [StreamLog.decode(log.encode()).track_id for _, log in rest.plays()] == [
        str(number) for number in range(1, 21)
    ]
    assert counts.end == 23
    assert ingestion.abandon() is None


async def test_a_put_that_is_cancelled_in_its_last_step_was_done(tmp_path):
    sink = Sink()
    sink.room.set()
    sink.is_slow_to_return = True
    ingestion = await interrupted(source_of(tmp_path, 20), sink)
    assert ingestion.put == 0
    ingestion.settle({KIND: 20})
    [counts] = ingestion.streams.values()
    assert (counts.put, counts.end) == (20, 23)
    assert ingestion.abandon() is None
    ingestion.settle({KIND: 20})
    assert counts.put == 20


async def test_a_named_pipe_is_read_as_it_is_written(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    sink = Sink()
    sink.room.set()
    source = FileSource(tmp_path / "pipe")
    looking = asyncio.create_task(source.check())
    (log,) = plays(1)
    writing = await asyncio.to_thread(os.open, tmp_path / "pipe", os.O_WRONLY)
    os.write(writing, log.encode() + b"\n")
    await looking
    running = asyncio.create_task(Ingestion(source, sink, kind=KIND).run())
    while not sink.taken:
        await asyncio.sleep(0.001)
    os.close(writing)
    await running
    [progress] = source.progress()
    assert (progress.total, progress.is_finished) == (None, True)


async def test_a_pipe_that_is_not_read_is_closed(tmp_path):
    reading, writing = os.pipe()
    os.write(writing, plays(1)[0].encode() + b"\n")
    source = FileSource(f"/dev/fd/{reading}")
    await source.check()
    os.close(reading)
    await source.aclose()
    with pytest.raises(BrokenPipeError):
        os.write(writing, b"x")
    os.close(writing)


async def test_what_cannot_be_read_is_said(tmp_path):
    for name, words in [("nowhere", "No such file"), (".", "directory"), ("a\0b", "null"), ("\ud800", "surrogate")]:
        with pytest.raises(ConfigurationError, match=words):
            await FileSource(f"{tmp_path}/{name}" if name.isascii() else name).check()


async def test_a_line_beyond_the_end_is_an_error_before_anything_is_put(tmp_path):
    sink = Sink()
    sink.room.set()
    path = tmp_path / "plays.jsonl"
    path.write_bytes(b"".join(log.encode() + b"\n" for log in plays(3)))
    with pytest.raises(ConfigurationError, match="has 3 lines; there is no line 5"):
        await Ingestion(FileSource(path, options=ReadOptions(first_line=5)), sink, kind=KIND).run()
    await Ingestion(FileSource(path, options=ReadOptions(first_line=4)), sink, kind=KIND).run()
    assert not sink.taken


async def test_a_file_that_is_named_twice_is_read_once(tmp_path):
    sink = Sink()
    sink.room.set()
    source_of(tmp_path, 5)
    (tmp_path / "link.jsonl").symlink_to("plays.jsonl")
    source = FileSource(tmp_path / "plays.jsonl", tmp_path / "*.jsonl", options=ReadOptions(first_line=1))
    await Ingestion(source, sink, kind=KIND).run()
    assert len(sink.taken) == 5


async def test_plays_without_a_kind_are_noticed_before_they_are_read(tmp_path):
    path = tmp_path / "plays"
    stamp = datetime.now(UTC).isoformat()
    for content, is_enough in [
        (f'{{"trackId":"1","timestamp":"{stamp}"}}\n', False),
        (f'\n{{"trackId":"1","timestamp":"{stamp}","kind":"preview"}}\n', True),
        (f"trackId,timestamp\n1,{stamp}\n", False),
        (f"trackId,timestamp,kind\n1,{stamp},\n", True),
        ("nonsense\n", True),
        ("", True),
    ]:
        path.write_text(content)
        if is_enough:
            await FileSource(path).check(needs_kind=True)
        else:
            with pytest.raises(ConfigurationError, match=r"--kind preview\|catalogue\|subscriber"):
                await FileSource(path).check(needs_kind=True)
        await FileSource(path).check()


def test_what_needs_an_extra_is_imported_when_it_is_used():
    code = (
        "import sys, sevendigital_async.sources as s; print(*{'aiokafka', 'pyarrow', 'watchfiles'} & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == ""
    assert sources.KafkaSource.__name__ == "KafkaSource"
    assert not hasattr(sources, "NothingOfTheSort")


@pytest.mark.parametrize(
    ("change", "tracks"),
    [
        (lambda path: path.unlink(), 3_000),
        (lambda path: append(path, plays(10, start=3_000)), 3_010),
        (lambda path: os.truncate(path, 10), None),
        (lambda path: path.write_bytes(b""), None),
    ],
    ids=["it vanishes", "it grows", "it is truncated", "it is emptied"],
)
async def test_a_file_that_changes_while_it_is_read(tmp_path, change, tracks):
    path = tmp_path / "plays.jsonl"
    append(path, plays(3_000))
    sink = Sink()
    source = FileSource(path)
    running = asyncio.create_task(Ingestion(source, sink, kind=KIND).run())
    await sink.putting.wait()  # the first portion, which is not put before the file has changed
    change(path)
    sink.room.set()
    await running
    taken = [int(StreamLog.decode(log.encode()).track_id) for log in sink.taken]
    assert taken == list(range(1, (tracks or len(taken)) + 1))
    assert 0 < len(taken) <= 3_010


def append(path, logs):
    with path.open("ab") as file:
        file.writelines(log.encode() + b"\n" for log in logs)
