"""Plays go from a source into the spool exactly once, wherever the run is interrupted."""

import asyncio
from collections import defaultdict
from datetime import UTC, datetime

import pytest
from attrs import evolve
from hypothesis import given
from hypothesis import strategies as st

from sevendigital_async import ConfigurationError, InvalidLogError, LogKind, SpoolInUseError, StreamLog
from sevendigital_async.sources import BadRecord, Ingestion, Portion, ship_from
from sevendigital_async.sources.base import RESTARTED_POSITION
from sevendigital_async.sources.ingestion import PARTIAL_CHECKPOINT_PREFIX, StreamCheckpoint

NOW = datetime.now(UTC)
KINDS = list(LogKind)


class CrashError(Exception):
    """The process is killed."""


class Sink:
    """Keeps plays and checkpoints, each put in one step, and may crash before or after one."""

    def __init__(self):
        self.plays = defaultdict(list)
        self.positions = {}
        self.puts_left = None
        self.crash_after_put = False
        self.unfit = set()

    async def put_many(self, kind, logs, *, checkpoint=None):
        for index, log in enumerate(logs):
            if log.track_id in self.unfit:
                raise InvalidLogError(f"log {index}: too old", index=index)
        self._step(before=True)
        if (kept := self.positions.get(checkpoint.source)) is not None:
            checkpoint.check(kept)
        self.plays[kind].extend(log.track_id for log in logs)
        self.positions[checkpoint.source] = checkpoint.position
        self._step(before=False)
        return len(logs)

    async def position(self, source):
        return self.positions.get(source)

    def _step(self, *, before):
        if self.puts_left is None or before == self.crash_after_put:
            return
        self.puts_left -= 1
        if self.puts_left < 0:
            raise CrashError


class ListSource:
    """A stream of numbered plays and bad records, in portions of given sizes."""

    def __init__(self, records, sizes, name="list"):
        self.records, self.sizes, self.name = records, sizes, name
        self.confirmed, self.closed = [], 0

    async def portions(self, checkpoint):
        kept = await checkpoint(self.name)
        at = int(kept or 0)
        sizes = iter(self.sizes * len(self.records))
        while at < len(self.records):
            until = min(len(self.records), at + next(sizes))
            chosen = [(number, *self.records[number]) for number in range(at, until)]
            good = [(number, kind) for number, kind, is_play in chosen if is_play]
            yield Portion(
                self.name,
                str(until),
                kept,
                [StreamLog(str(number), NOW) for number, _ in good],
                self.name,
                [number for number, _ in good],
                [kind for _, kind in good],
                [BadRecord(f"list:{number}", b"?", "not a play") for number, _, is_play in chosen if not is_play],
                until - at,
            )
            at, kept = until, str(until)

    async def confirm(self, portion):
        self.confirmed.append(portion.position)

    async def aclose(self):
        self.closed += 1


RECORDS = st.lists(st.tuples(st.sampled_from(KINDS), st.booleans()), min_size=1, max_size=30)
SIZES = st.lists(st.integers(1, 7), min_size=1, max_size=4)


@given(RECORDS, st.lists(st.tuples(st.integers(0, 6), st.booleans(), SIZES), max_size=6), SIZES)
def test_every_play_is_put_once_wherever_runs_are_killed(records, crashes, sizes):
    sink = Sink()
    for puts, after, sizes_of_run in crashes:
        sink.puts_left, sink.crash_after_put = puts, after
        try:
            asyncio.run(ship_from(ListSource(records, sizes_of_run), sink))
        except CrashError:
            pass
        else:
            break
    sink.puts_left = None
    asyncio.run(ship_from(ListSource(records, sizes), sink))
    for kind in KINDS:
        expected = [str(number) for number, (of, is_play) in enumerate(records) if is_play and of is kind]
        assert sink.plays[kind] == expected
    assert sink.positions["list"] == str(len(records))


async def test_bad_records_are_handed_over_before_the_checkpoint_passes_them():
    sink, seen = Sink(), []

    async def keep(bad):
        seen.extend((record.place, sink.positions.get("list")) for record in bad)

    source = ListSource([(KINDS[0], True), (KINDS[0], False), (KINDS[0], True)], [1])
    counts = await ship_from(source, sink, on_bad_records=keep)
    assert seen == [("list:1", "1")]
    assert (counts["list"].put, counts["list"].rejected, counts["list"].size) == (2, 1, 3)
    assert source.confirmed == ["1", "2", "3"]
    assert source.closed == 1


async def test_a_run_whose_bad_records_can_not_be_kept_stops_before_them():
    async def fail(_):
        raise OSError(28, "No space left on device")

    sink = Sink()
    source = ListSource([(KINDS[0], True), (KINDS[0], False), (KINDS[0], True)], [1])
    with pytest.raises(OSError, match="No space"):
        await ship_from(source, sink, on_bad_records=fail)
    assert sink.positions == {"list": "1"}
    assert source.closed == 1


async def test_a_play_that_has_become_too_old_is_rejected_alone():
    sink, seen = Sink(), []

    async def keep(bad):
        seen.extend((record.place, record.reason) for record in bad)

    sink.unfit = {"1", "3"}
    await ship_from(ListSource([(KINDS[0], True)] * 5, [5]), sink, on_bad_records=keep)
    assert sink.plays[KINDS[0]] == ["0", "2", "4"]
    assert seen == [("list:1", "too old"), ("list:3", "too old")]


async def test_the_kind_given_serves_where_the_source_has_none():
    sink = Sink()
    counts = await ship_from(ListSource([(None, True), (KINDS[1], True)], [2]), sink, kind=KINDS[2])
    assert (sink.plays[KINDS[2]], sink.plays[KINDS[1]]) == (["0"], ["1"])
    assert counts["list"].put == 2


async def test_a_play_without_a_kind_is_a_bad_record():
    sink, seen = Sink(), []

    async def keep(bad):
        seen.extend(record.place for record in bad)

    await ship_from(ListSource([(None, True), (KINDS[1], True)], [2]), sink, on_bad_records=keep)
    assert seen == ["list:0"]
    assert sink.plays == {KINDS[1]: ["1"]}


async def test_a_second_run_over_the_same_stream_is_refused():
    sink = Sink()
    source = ListSource([(KINDS[0], True)] * 2, [1])
    ingestion = Ingestion(source, sink)

    async def overtake(_):
        sink.positions["list"] = "2"

    source.confirm = overtake
    with pytest.raises(SpoolInUseError, match="another shipper reads list"):
        await ingestion.run()
    assert sink.plays[KINDS[0]] == ["0"]


async def test_a_stream_that_is_read_anew_is_put_whole_whatever_was_put_in_part():
    sink = Sink()
    sink.puts_left = 1
    records = [(KINDS[0], True), (KINDS[1], True), (KINDS[2], True)]
    with pytest.raises(CrashError):
        await ship_from(ListSource(records, [3]), sink)
    sink.puts_left = None

    class Anew(ListSource):
        async def portions(self, checkpoint):
            await checkpoint(self.name)
            async for portion in super().portions(self.nothing):
                yield evolve(portion, start=RESTARTED_POSITION)

        async def nothing(self, _):
            return None

    await ship_from(Anew(records, [3]), sink)
    assert [number for kind in KINDS for number in sink.plays[kind]] == ["0", "0", "1", "2"]


@given(
    st.one_of(st.none(), st.text(min_size=1).filter(lambda text: not text.startswith(PARTIAL_CHECKPOINT_PREFIX))),
    st.dictionaries(st.sampled_from(KINDS), st.integers(0, 2**62), max_size=3),
)
def test_progress_survives_its_encoding(position, put):
    progress = StreamCheckpoint(position, put)
    assert StreamCheckpoint.decode(progress.encode()) == progress


@pytest.mark.parametrize("text", ["{}", "[]", '{"position":1}', '{"position":null,"put":{"x":1}}', "?"])
def test_progress_of_another_version_is_a_clear_error(text):
    with pytest.raises(ConfigurationError, match="another version"):
        StreamCheckpoint.decode(PARTIAL_CHECKPOINT_PREFIX + text)
