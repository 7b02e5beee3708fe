"""Lines and rows that are read at once become the same plays as one by one, or are not read at once."""

import json
from datetime import UTC, datetime, timedelta
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sevendigital_async import InvalidLogError, LogKind, StreamLog
from sevendigital_async.models.stream_log import Window
from sevendigital_async.sources import FileSource, ReadOptions
from sevendigital_async.sources.bulk import plays_from_columns, plays_from_lines
from sevendigital_async.sources.formats import PLAYS_PER_REQUEST, TextReader
from sevendigital_async.sources.parsed_records import BLOCK_SIZES, in_blocks
from sevendigital_async.sources.rows import play_from_line, play_from_row

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
        return [play_from_row(NAMES, row, WINDOW).log.encode() for row in rows]
    except InvalidLogError:
        return None


def together(rows):
    columns = zip(NAMES, zip(*rows, strict=True), strict=True)
    plays = plays_from_columns({name: column for name, column in columns if name}, WINDOW)
    return plays and [log.encode() for log in plays.logs]


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


FIELD_VALUES = {
    "trackId": TEXTS | st.sampled_from([1, -1, 1.5, True, None, ["1"], {"a": 1}]),
    "timestamp": TIMES | st.sampled_from([5, None, "2026-01-01T00:00:00.237000Z"]),
    "userId": TEXTS | st.sampled_from([5, None, False]),
    "clientId": TEXTS,
    "durationPlayed": st.sampled_from([0, 12, -1, 2**31, 2**70, 1.5, "12", True, None]),
    "country": st.sampled_from(["GB", "gb", "UK", "", None, 5]),
    "kind": st.sampled_from(["preview", " Catalogue", "film", "", None, 5, True]),
    "releaseId": st.sampled_from(["1", None]),
    "colour": st.sampled_from(["red", None]),
}
GOOD_VALUES = {
    "trackId": st.sampled_from(["1", "é", 7]),
    "timestamp": st.integers(1, 60 * 86_400_000_000).map(
        lambda number: (NOW - timedelta(microseconds=number)).isoformat()
    ),
    "userId": st.sampled_from(["u", None]),
    "durationPlayed": st.sampled_from([0, 12, None]),
    "kind": st.sampled_from(["preview", "catalogue", None]),
}


@st.composite
def json_lines(draw, values=FIELD_VALUES):
    """A JSON object in some order and with some white space; now and then with a key twice, or no object."""
    names = draw(st.permutations(["trackId", "timestamp", *draw(st.sets(st.sampled_from(sorted(values))))]))
    comma, colon = draw(st.sampled_from([(",", ":"), (", ", ": "), (" ,\t", " : ")]))
    is_odd = values is FIELD_VALUES and draw(st.integers(0, 9)) == 0
    names = names if is_odd else [*dict.fromkeys(names)]
    pairs = [f"{json.dumps(name)}{colon}{json.dumps(draw(values[name]), ensure_ascii=False)}" for name in names]
    end = draw(st.sampled_from(["", " ", "\r", *([",", "{}", ',{"trackId":"2"}', "x"] if is_odd else [])]))
    return f"{{{comma.join(pairs)}}}{end}".encode()


def lines_one_by_one(lines, mapping):
    try:
        plays = [play_from_line(line, WINDOW, mapping) for line in lines]
    except InvalidLogError:
        return None
    return [(play.log.encode(), play.log.timestamp, play.log.user_id, play.log.country, play.kind) for play in plays]


def lines_together(lines, mapping):
    plays = plays_from_lines(lines, WINDOW, mapping)
    return plays and [
        (log.encode(), log.timestamp, log.user_id, log.country, kind)
        for log, kind in zip(plays.logs, plays.kinds, strict=True)
    ]


@settings(max_examples=150, deadline=None)
@given(
    st.lists(json_lines(), min_size=1, max_size=3),
    st.sampled_from([{}, {"userId": "clientId", "trackId": "trackId"}, {"country": "colour"}]),
)
def test_json_lines_that_are_read_at_once_are_the_same_plays(lines, mapping):
    taken = lines_together(lines, mapping)
    assert taken is None or taken == lines_one_by_one(lines, mapping)


@settings(max_examples=60, deadline=None)
@given(st.lists(json_lines(GOOD_VALUES), min_size=1, max_size=5))
def test_json_lines_in_any_order_and_spacing_are_read_at_once(lines):
    assert lines_together(lines, {}) == lines_one_by_one(lines, {}) is not None


@pytest.mark.parametrize(
    "lines",
    [
        [b'{"trackId":"1","timestamp":"%s"', b'"userId":"2"}', b'{"trackId":"1","timestamp":"%s"},{"trackId":"3"}'],
        [b'{"trackId":"1","timestamp":"%s","x":[{}', b"{}]}"],
        [b'{"trackId":"1","timestamp":"%s","userId":"a', b'{b"}'],
        [b'{"trackId":"1","timestamp":"%s"},{"trackId":"2","timestamp":"%s"}', b'{"trackId":"1","timestamp":"%s"'],
        [b'{"trackId":"1","timestamp":"%s"},5', b"{"],
    ],
)
def test_lines_that_are_plays_only_together_are_not_plays(lines):
    stamp = f"{NOW:%Y-%m-%dT%H:%M:%SZ}".encode()
    assert plays_from_lines([line.replace(b"%s", stamp) for line in lines], WINDOW, {}) is None


def test_a_record_that_can_not_be_read_at_once_does_not_slow_down_the_others():
    odd = {3, 700, 1_999}
    calls = []

    def read(block):
        calls.append(len(block))
        return None if odd & set(block) else block

    found = list(in_blocks(range(2_000), read))
    assert [index for start, stop, _ in found for index in range(start, stop)] == list(range(2_000))
    assert [plays is None for _, _, plays in found].count(True) == len(odd)
    assert sum(stop - start for start, stop, plays in found if plays is None) == len(odd) * BLOCK_SIZES[-1]
    assert sum(calls) < 2 * 2_000


@pytest.mark.parametrize("line_end", ["\n", "\r\n"])
@pytest.mark.parametrize("is_csv", [False, True])
@pytest.mark.parametrize("size", [40, 333, 100_000])
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
    assert all(len(portion.logs) % PLAYS_PER_REQUEST == 0 for portion in whole)
    assert all(first.position == second.start for first, second in pairwise(portions))
