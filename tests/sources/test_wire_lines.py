"""Lines and rows that are taken together become the same plays as one by one, or are not taken together."""

from datetime import UTC, datetime, timedelta
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.rows import each_row

from sevendigital_async import InvalidLogError, LogKind, StreamLog
from sevendigital_async.models.encoded_log import encoded_logs
from sevendigital_async.models.stream_log import Window
from sevendigital_async.sources import FileSource, ReadOptions
from sevendigital_async.sources.formats import BATCH, TextReader
from sevendigital_async.sources.rows import play_of_row, wire_lines

NOW = datetime.now(UTC)
WINDOW = Window.at(NOW)
NAMES = ("country", None, "userId", "timestamp", "trackId", "durationPlayed", "clientId")
TEXTS = st.sampled_from(
    ["", "1", "007", "a b", " a", "a ", "é", "\x7f", "\x00", '"', "\\", "\n", "\r", "x" * 250, '","x":"']
)
MOMENTS = st.integers(-200, 70 * 86_400).map(lambda seconds: NOW - timedelta(seconds=seconds))
TIMES = st.one_of(
    MOMENTS.map(lambda moment: moment.isoformat()),
    MOMENTS.map(lambda moment: moment.isoformat(timespec="milliseconds")),
    MOMENTS.map(lambda moment: moment.isoformat(" ", "seconds").replace("+00:00", "Z")),
    MOMENTS.map(lambda moment: moment.astimezone(tz=None).isoformat()),
    st.sampled_from(["", "yesterday", "2026-02-30T00:00:00Z", f"{NOW:%Y-%m-%d}", f"{NOW:%Y-%m-%dT%H:%M:%S}"]),
)
ROWS = st.tuples(
    st.sampled_from(["", "GB", "gb", "G1", "GBR"]),
    TEXTS,
    TEXTS,
    TIMES,
    TEXTS,
    st.sampled_from(["", "0", "12", "012", "-1", "1.5", "2147483647", "2147483648"]),
    TEXTS,
)
GOOD = st.tuples(
    st.sampled_from(["", "GB"]),
    TEXTS,
    st.sampled_from(["", "u1"]),
    st.integers(1, 60 * 86_400_000).map(
        lambda number: str(NOW.replace(microsecond=0) - timedelta(milliseconds=number))
    ),
    st.just("12"),
    st.sampled_from(["", "0", "12"]),
    st.sampled_from(["", "d1"]),
)


def one_by_one(rows):
    try:
        return [play_of_row(NAMES, row, WINDOW).log.encode() for row in rows]
    except InvalidLogError:
        return None


def together(rows):
    lines = wire_lines(NAMES, list(zip(*rows, strict=True)))
    logs = lines and encoded_logs(lines, WINDOW)
    return logs and [log.encode() for log in logs]


@settings(max_examples=60, deadline=None)
@given(st.lists(st.one_of(ROWS, GOOD), min_size=1, max_size=3))
def test_rows_that_are_taken_together_are_the_same_plays(rows):
    taken = together(rows)
    assert taken is None or taken == one_by_one(rows)


@settings(max_examples=60, deadline=None)
@given(st.lists(GOOD, min_size=1, max_size=5))
def test_ordinary_rows_are_taken_together(rows):
    assert together(rows) == one_by_one(rows) is not None


@pytest.mark.parametrize("user", ['x","clientId":"y', 'x"}\n{"trackId":"666', "x\ny", 'x"', "x\\"])
def test_a_value_can_not_pass_for_another_field_or_another_play(user):
    row = ("GB", "", user, NOW.isoformat(), "1", "5", "")
    assert together([row]) is None
    forged = f'{user}","timestamp":"{NOW:%Y-%m-%dT%H:%M:%SZ}"}}\n{{"trackId":"2","userId":"x'
    assert together([("GB", "", forged, NOW.isoformat(), "1", "5", "")]) is None


def test_typed_values_of_other_types_are_not_taken_together():
    for row in (("GB", "", True, NOW, "1", 5, ""), ("GB", "", "u", NOW, "1", 5.0, ""), ("GB", "", "u", 5, "1", 5, "")):
        assert together([row]) is None
    assert together([("GB", "", 77, NOW, 1, 5, None)]) == one_by_one([("GB", "", 77, NOW, 1, 5, None)])


@each_row("line_end", ["\n", "\r\n"])
@each_row("is_csv", [False, True])
@each_row("size", [40, 333, 100_000])
def test_chunks_that_are_fed_in_any_size_give_the_same_plays(is_csv, line_end, size):
    logs = [StreamLog(str(number), NOW - timedelta(seconds=number), f"u{number}") for number in range(1, 1_300)]
    rows = [f"{log.track_id},{log.user_id},{log.timestamp.isoformat()}" for log in logs]
    lines = rows if is_csv else [log.encode().decode() for log in logs]
    lines[700] += " "  # not in the wire form, and a play all the same
    data = line_end.join([*lines, ""]).encode()
    header = b"trackId,userId,timestamp" if is_csv else None
    reader = TextReader("plays", is_csv=is_csv, header=header)
    found, numbers, ahead = [], [], b""
    while data or ahead:
        chunk, data = ahead + data[:size], data[size:]
        parsed = reader.feed(chunk)
        ahead = chunk[parsed.size :]
        found += [log.encode() for log in parsed.logs]
        numbers += parsed.numbers
        assert not parsed.bad
    assert found == [log.encode() for log in logs]
    assert numbers == list(range(1, 1_300))
    assert reader.line == 1_300


@pytest.mark.parametrize("form", ["jsonl", "csv"])
async def test_the_portions_of_a_file_are_whole_requests(tmp_path, form):
    moment = NOW.isoformat()
    logs = [StreamLog(str(number), NOW, "user") for number in range(1, 10_001)]
    rows = [f"{log.track_id},user,{moment}" for log in logs]
    lines = [log.encode().decode() for log in logs] if form == "jsonl" else ["trackId,userId,timestamp", *rows]
    path = tmp_path / f"plays.{form}"
    path.write_text("\n".join([*lines, ""]))

    async def anew(_stream):
        return None

    source = FileSource(path, options=ReadOptions(kind=LogKind.PREVIEW))
    portions = [portion async for portion in source.portions(anew)]
    assert [log.encode() for portion in portions for log in portion.logs] == [log.encode() for log in logs]
    whole = [portion for portion in portions if portion.logs][form == "csv" : -1]
    assert whole
    assert all(len(portion.logs) % BATCH == 0 for portion in whole)
    assert all(first.position == second.start for first, second in pairwise(portions))
