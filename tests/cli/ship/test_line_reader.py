"""The line splitter and the feed, without a process and without a network."""

import asyncio
import itertools
import os
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.cli_process import plays

from sevendigital_async import ConfigurationError, InvalidLogError
from sevendigital_async.cli.ship.line_reader import BYTE_ORDER_MARK, LineReader, LineSplitter
from sevendigital_async.cli.ship.source import Source

SOME_BYTES = st.lists(st.sampled_from([b"a", b"bcd", b"\n", b"\r\n", b" ", b"\x00", b"\xff", b"\xef\xbb\xbf"])).map(
    b"".join
)


def split(chunks, longest=1_000):
    splitter = LineSplitter(longest)
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
    assert not any(line.truncated for line in lines)


@given(SOME_BYTES, st.integers(1, 5), st.integers(1, 7))
def test_of_a_long_line_only_the_beginning_is_held(data, longest, step):
    data = data.replace(BYTE_ORDER_MARK, b"")
    chunks = [data[low : low + step] for low in range(0, len(data), step)]
    whole = split([data])
    lines = split(chunks, longest)
    assert len(lines) == len(whole)
    for line, entire in zip(lines[1:], whole[1:], strict=True):
        assert line.data == entire.data[:longest]
        assert line.truncated == (len(entire.data) > longest)


def test_a_line_without_end_takes_no_memory():
    splitter = LineSplitter(1_000)
    for _ in range(1_000):
        assert list(splitter.feed(b"x" * 65_536)) == []
    (line,) = splitter.close()
    assert line.truncated
    assert len(line.data) == 1_000


class Taker:
    """Stands in for a shipper."""

    def __init__(self):
        self.groups = []
        self.refuse = set()
        self.room = asyncio.Event()
        self.room.set()

    async def put(self, logs, _mark):
        for index, log in enumerate(logs):
            if log.client_id in self.refuse:
                raise InvalidLogError(f"log {index}: too old by now", field="timestamp", index=index)
        await self.room.wait()
        self.groups.append([log.client_id for log in logs])
        await asyncio.sleep(0)
        return len(logs)

    @property
    def taken(self):
        return [client_id for group in self.groups for client_id in group]


def feed_of(tmp_path, content, taker, rejected, **options):
    path = tmp_path / "plays.jsonl"
    path.write_bytes(content)
    return LineReader(
        Source(str(path)), taker.put, lambda line, reason: rejected.append((line.number, reason)), **options
    )


def lines_of(logs):
    return b"".join(log.encode() + b"\n" for log in logs)


async def test_puts_in_groups_and_in_order(tmp_path):
    logs, taker = plays(2_345), Taker()
    feed = feed_of(tmp_path, lines_of(logs), taker, [])
    await feed.run()
    assert taker.taken == [log.client_id for log in logs]
    assert max(map(len, taker.groups)) == 500
    assert (feed.put, feed.read, feed.lines, feed.finished) == (2_345, 2_345, 2_345, True)


async def test_a_play_that_grows_too_old_while_it_waits_is_rejected_alone(tmp_path):
    logs, taker, rejected = plays(10), Taker(), []
    taker.refuse = {"device-0", "device-4", "device-5", "device-9"}
    feed = feed_of(tmp_path, lines_of(logs), taker, rejected)
    await feed.run()
    assert rejected == [(number, "too old by now") for number in (1, 5, 6, 10)]
    assert taker.taken == [f"device-{number}" for number in (1, 2, 3, 6, 7, 8)]
    assert (feed.put, feed.rejected, feed.read) == (6, 4, 10)


async def test_a_put_that_is_cancelled_while_it_waits_was_not_done(tmp_path):
    logs, taker = plays(700), Taker()
    taker.room.clear()
    feed = feed_of(tmp_path, b"\n\n" + lines_of(logs), taker, [])
    running = asyncio.create_task(feed.run())
    while not feed._putting:
        await asyncio.sleep(0.001)
    running.cancel()
    await asyncio.wait([running])
    feed.settle(accepted=0)
    assert (feed.put, feed.read, feed.next_line) == (0, 0, 1)
    # The lines of the first chunk, which a pipe would not give again.
    left = feed.take_rest()
    assert [line.number for line in left] == list(range(3, left[-1].number + 1))
    assert feed.next_line == left[-1].number + 1


async def test_a_put_that_is_cancelled_in_its_last_step_was_done(tmp_path):
    logs, taker = plays(20), Taker()
    feed = feed_of(tmp_path, lines_of(logs), taker, [])
    running = asyncio.create_task(feed.run())
    while not taker.groups:
        await asyncio.sleep(0)
    running.cancel()
    await asyncio.wait([running])
    feed.settle(accepted=20)
    assert (feed.put, feed.read, feed.next_line) == (20, 20, 21)
    assert feed.take_rest() == []


async def test_a_line_that_cannot_be_kept_stops_the_feed_right_there(tmp_path):
    logs, taker = plays(3), Taker()

    def refuse(line, _reason):
        raise OSError(28, f"No space left for line {line.number}")

    path = tmp_path / "plays.jsonl"
    path.write_bytes(lines_of(logs) + b"nonsense\n" + lines_of(logs))
    feed = LineReader(Source(str(path)), taker.put, refuse)
    with pytest.raises(OSError, match="line 4"):
        await feed.run()
    assert (feed.put, feed.read, feed.next_line) == (3, 3, 4)


async def test_a_chunk_of_nothing_but_bad_lines_lets_others_have_their_turn(tmp_path):
    rejected, turns = [], 0
    feed = feed_of(tmp_path, b"x\n" * 10_000, Taker(), rejected)
    running = asyncio.create_task(feed.run())
    while not running.done():
        await asyncio.sleep(0)
        turns += bool(rejected)
    assert len(rejected) == 10_000
    assert turns >= 10_000 / 500


async def test_a_future_play_is_rejected_where_it_stands(tmp_path):
    rejected = []
    later = datetime.now(UTC).replace(year=datetime.now(UTC).year + 1, day=1).isoformat()
    feed = feed_of(tmp_path, b'{"trackId":"1","timestamp":"%s"}\n' % later.encode(), Taker(), rejected)
    await feed.run()
    ((number, reason),) = rejected
    assert number == 1
    assert "in the future" in reason


async def test_a_named_pipe_is_read_as_it_is_written(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    taker = Taker()
    source = Source(str(tmp_path / "pipe"))
    assert not source.regular
    assert source.size is None
    feed = LineReader(source, taker.put, lambda *_: None)
    running = asyncio.create_task(feed.run())
    (log,) = plays(1)
    writing = await asyncio.to_thread(os.open, tmp_path / "pipe", os.O_WRONLY)
    os.write(writing, log.encode() + b"\n")
    while not taker.taken:
        await asyncio.sleep(0.001)
    os.close(writing)
    await running
    assert feed.finished


def test_what_cannot_be_read_is_said_at_once(tmp_path):
    with pytest.raises(ConfigurationError, match="No such file"):
        Source(str(tmp_path / "nowhere"))
    with pytest.raises(ConfigurationError, match="directory"):
        Source(str(tmp_path))
    with pytest.raises(ConfigurationError, match="null"):
        Source("a\0b")


async def test_a_file_that_goes_away_before_it_is_opened_is_said(tmp_path):
    path = tmp_path / "plays.jsonl"
    path.write_bytes(b"")
    source = Source(str(path))
    path.unlink()
    with pytest.raises(ConfigurationError, match="No such file"):
        await source.read()
