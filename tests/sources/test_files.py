"""Files are read record by record, in every format, and resumed where an earlier run stopped."""

import asyncio
import bz2
import csv
import decimal
import gzip
import io
import lzma
import os
from datetime import UTC, datetime, timedelta

import orjson
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import zstandard
from hypothesis import given
from hypothesis import strategies as st

from sevendigital_async import ConfigurationError, LogKind, StreamLog
from sevendigital_async.sources import FileSource, Format, Ingestion, ReadOptions, file_reader
from sevendigital_async.sources.formats import TextReader
from sevendigital_async.sources.splitting import RecordSplitter

NOW = datetime.now(UTC).replace(microsecond=0)
KIND = LogKind.CATALOGUE
COMPRESSIONS = {
    "plain": lambda data: data,
    "gzip": gzip.compress,
    "bz2": bz2.compress,
    "xz": lzma.compress,
    "zstd": zstandard.compress,
    "two gzip members": lambda data: gzip.compress(data[:50]) + gzip.compress(data[50:]),
}


class Sink:
    """Keeps bodies and checkpoints."""

    def __init__(self):
        self.bodies, self.positions, self.kinds = [], {}, []

    async def put_many(self, kind, logs, *, checkpoint=None):
        self.bodies += [log.encode() for log in logs]
        self.kinds += [kind] * len(logs)
        if checkpoint is not None:
            checkpoint.check(self.positions.get(checkpoint.source))
            self.positions[checkpoint.source] = checkpoint.position
        return len(logs)

    async def position(self, source):
        return self.positions.get(source)


def plays(number, start=0):
    return [
        StreamLog(
            track_id=str(index),
            timestamp=NOW - timedelta(seconds=index % 5000),
            user_id=f'user "{index % 7}", é',
            client_id="phone\nand more" if index % 5 == 0 else "phone",
            duration_played=index % 3,
            country="GB",
        )
        for index in range(start, start + number)
    ]


def as_json_lines(logs):
    return b"".join(log.encode() + b"\n" for log in logs)


def as_csv(logs, columns=None, delimiter=",", line_end="\r\n"):
    columns = columns or {name: name for name in logs[0].as_wire()}
    text = io.StringIO()
    writer = csv.writer(text, delimiter=delimiter, lineterminator=line_end)
    writer.writerow(columns.values())
    writer.writerows([log.as_wire()[name] for name in columns] for log in logs)
    return text.getvalue().encode()


def as_parquet(logs, **options):
    rows = [log.as_wire() for log in logs]
    table = pa.table(
        {name: [row[name] for row in rows] for name in rows[0] if name != "timestamp"}
        | {"timestamp": pa.array([log.timestamp for log in logs], pa.timestamp("us", tz="UTC"))}
    )
    file = io.BytesIO()
    pq.write_table(table, file, **options)
    return file.getvalue()


async def read(*paths, sink=None, kind=KIND, directory=None, **options):
    sink = sink or Sink()
    bad = []

    async def keep(records):
        bad.extend(records)

    source = FileSource(*paths, options=ReadOptions(kind=kind, **options), directory=directory)
    ingestion = Ingestion(source, sink, kind=kind, on_bad_records=keep)
    await ingestion.run()
    return sink, bad, source


@pytest.mark.parametrize("compression", COMPRESSIONS)
@pytest.mark.parametrize("form", [as_json_lines, as_csv])
async def test_the_same_plays_in_any_form_are_the_same_bytes(tmp_path, form, compression):
    logs = plays(2000)
    path = tmp_path / "plays"
    path.write_bytes(COMPRESSIONS[compression](form(logs)))
    sink, bad, _ = await read(path)
    assert bad == []
    assert sink.bodies == [log.encode() for log in logs]


@pytest.mark.parametrize("options", [{}, {"row_group_size": 300}, {"compression": "zstd"}])
async def test_parquet_gives_the_same_bytes(tmp_path, options):
    logs = plays(2000)
    path = tmp_path / "plays.parquet"
    path.write_bytes(as_parquet(logs, **options))
    sink, bad, _ = await read(path)
    assert bad == []
    assert sink.bodies == [log.encode() for log in logs]


@pytest.mark.parametrize(
    "columns",
    [
        {"trackId": "TRACKID", "timestamp": "DATETIMEPLAYED", "durationPlayed": "TOTALTIMEPLAYED"},
        {"timestamp": "timestamp", "trackId": "track_id", "userId": "User-Id"},
    ],
)
@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
async def test_columns_are_found_by_the_names_of_the_wire_of_python_and_of_the_journal(tmp_path, columns, delimiter):
    path = tmp_path / "plays.csv"
    logs = plays(3)
    path.write_bytes(as_csv(logs, columns, delimiter, "\n"))
    sink, bad, _ = await read(path)
    assert bad == []
    wanted = [{name: value for name, value in log.as_wire().items() if name in columns} for log in logs]
    assert [orjson.loads(body) for body in sink.bodies] == wanted


async def test_columns_are_mapped(tmp_path):
    path = tmp_path / "plays.csv"
    path.write_text(f"track,played_at,note\n1,{NOW.isoformat()},x\n")
    for form in (Format.CSV, None):
        sink, _, _ = await read(path, format=form, columns={"trackId": "track", "timestamp": "played_at"})
        assert orjson.loads(sink.bodies[0])["trackId"] == "1"
    path = tmp_path / "plays.jsonl"
    path.write_text(f'{{"track":"7","played_at":"{NOW.isoformat()}","note":1}}\n')
    sink, bad, _ = await read(path, columns={"trackId": "track", "timestamp": "played_at"})
    assert bad == []
    assert orjson.loads(sink.bodies[0])["trackId"] == "7"


@pytest.mark.parametrize(
    "columns", [{"trackId": "track", "userId": "track"}, {"trackId": "track", "track_id": "other"}], ids=str
)
async def test_a_mapping_that_would_leave_out_a_column_or_a_field_is_refused(tmp_path, columns):
    path = tmp_path / "plays.jsonl"
    path.write_text(f'{{"track":"7","timestamp":"{NOW.isoformat()}"}}\n')
    with pytest.raises(ConfigurationError, match="mapped to two"):
        await read(path, columns=columns)


@pytest.mark.parametrize("seconds", ["30", "30.0", "30.", "030", " 30 ", 30, 30.0, decimal.Decimal("30.00")])
async def test_whole_seconds_of_a_table_are_read_however_they_are_written(tmp_path, seconds):
    paths = [tmp_path / "plays.parquet"]
    pq.write_table(pa.table({"trackId": ["1"], "timestamp": [NOW.isoformat()], "durationPlayed": [seconds]}), paths[0])
    if isinstance(seconds, str):
        paths.append(tmp_path / "plays.csv")
        paths[1].write_text(f"trackId,timestamp,durationPlayed\n1,{NOW.isoformat()},{seconds}\n")
    sink, bad, _ = await read(*paths)
    assert bad == []
    assert [orjson.loads(body)["durationPlayed"] for body in sink.bodies] == [30] * len(paths)


async def test_a_record_may_give_its_kind(tmp_path):
    line = f'{{"trackId":"1","timestamp":"{NOW.isoformat()}","kind":"%s"}}\n'
    (tmp_path / "a.jsonl").write_text(line % "preview" + line % "Subscriber" + line % "radio")
    (tmp_path / "b.csv").write_text(f"kind,trackId,timestamp\ncatalogue,2,{NOW.isoformat()}\n,3,{NOW.isoformat()}\n")
    sink, bad, _ = await read(tmp_path / "a.jsonl", tmp_path / "b.csv", kind=None)
    assert sink.kinds == ["preview", "subscriber", "catalogue"]
    assert [record.place.rpartition("/")[2] for record in bad] == ["a.jsonl:3", "b.csv:3"]


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b'[{"trackId": "1"}]', "JSON array"),
        ('{"trackId":"1"}\n'.encode("utf-16"), "UTF-16"),
        ('{"trackId":"1"}\n'.encode("utf-16-le"), "UTF-16"),
        ('{"trackId":"1"}\n'.encode("utf-16-be"), "UTF-16"),
        (b'{\n  "trackId": "1"\n}\n', r"over several lines.*jq -c \."),
        (bytes(range(1, 256)) + bytes(9), "binary"),
        (b"SQLite format 3\0", "binary"),
        (b"trackId,timestamp\n1,2\n", "--format csv"),
        (b"PAR1xxxx", "--format parquet"),
        (b"track_id;speed;timestamp\n", "'speed'.*--map"),
        (b"trackId,country\n1,GB\n", "no column for timestamp"),
        (gzip.compress(b'{"trackId":"1"}\n' * 9000, mtime=0)[:-40], "gzip data is cut short or damaged"),
        (zstandard.compress(b'{"trackId":"1"}\n')[:9] + b"xxxx", "zstd data is cut short or damaged"),
        (bz2.compress(b'{"trackId":"1"}\n')[:20] + b"x" * 30, "bz2 data is cut short or damaged"),
        (lzma.compress(b'{"trackId":"1"}\n')[:-9], "xz data is cut short or damaged"),
    ],
)
async def test_what_is_not_a_file_of_plays_is_one_clear_error(tmp_path, data, message):
    path = tmp_path / "plays"
    path.write_bytes(data)
    wanted = Format.JSON_LINES if "--format" in message else None
    with pytest.raises(ConfigurationError, match=message):
        await read(path, format=wanted)


@pytest.mark.parametrize("data", [b'{"a":1}\n', b"PAR1"])
async def test_the_wrong_format_option_is_a_clear_error(tmp_path, data):
    path = tmp_path / "plays"
    path.write_bytes(data)
    with pytest.raises(ConfigurationError, match=r"looks like|not a whole Parquet file"):
        await read(path, format=Format.PARQUET)
    with pytest.raises(ConfigurationError, match=r"looks like|not a whole Parquet file"):
        await read(path, format=Format.CSV)


async def test_files_that_can_not_be_read(tmp_path):
    (tmp_path / "loop").symlink_to("loop")
    for path in ("absent", "loop", "."):
        with pytest.raises(ConfigurationError, match=f"cannot read .*{path}"):
            await read(tmp_path / path)
    with pytest.raises(ConfigurationError, match=r"no file matches .*\*\.x"):
        await read(tmp_path / "*.x")


async def test_several_files_and_patterns(tmp_path):
    for number in range(3):
        (tmp_path / f"part-{number}.jsonl").write_bytes(as_json_lines(plays(2, 10 * number)))
    sink, _, source = await read(tmp_path / "part-2.jsonl", tmp_path / "part-[01].jsonl", directory=tmp_path)
    assert [orjson.loads(body)["trackId"] for body in sink.bodies] == ["20", "21", "0", "1", "10", "11"]
    assert source.finished == {"part-0.jsonl", "part-1.jsonl", "part-2.jsonl"}
    await read(tmp_path / "part-*.jsonl", sink=sink, directory=tmp_path)
    assert len(sink.bodies) == 6


class StopError(Exception):
    """Ends a run."""


@pytest.mark.parametrize("form", [as_json_lines, as_csv, as_parquet])
@pytest.mark.parametrize("compression", ["plain", "gzip", "zstd"])
async def test_a_run_resumes_where_the_one_before_stopped(tmp_path, form, compression, monkeypatch):
    if form is as_parquet and compression != "plain":
        pytest.skip("Parquet compresses its pages itself")
    monkeypatch.setattr(file_reader, "READ_BYTES", 700)
    logs = plays(2000)
    path = tmp_path / "plays"
    path.write_bytes(COMPRESSIONS[compression](form(logs)))

    class Failing(Sink):
        async def put_many(self, kind, logs, *, checkpoint=None):
            if logs and len(self.bodies) >= self.most:
                raise StopError
            return await super().put_many(kind, logs, checkpoint=checkpoint)

    sink, runs = Failing(), 0
    while True:
        sink.most = 600 * (runs + 1)
        runs += 1
        try:
            await read(path, sink=sink)
        except StopError:
            continue
        break
    assert runs >= 3
    assert sink.bodies == [log.encode() for log in logs]


@pytest.mark.parametrize("form", [as_json_lines, as_csv, as_parquet])
async def test_another_file_in_the_place_of_one_is_a_clear_error(tmp_path, form):
    path = tmp_path / "plays"
    path.write_bytes(form(plays(100)))
    sink, _, _ = await read(path)
    path.write_bytes(form(plays(101, 5)))
    with pytest.raises(ConfigurationError, match="--from-line"):
        await read(path, sink=sink)
    with pytest.raises(ConfigurationError, match="as catalogue plays"):
        await read(path, sink=sink, kind=LogKind.PREVIEW)


async def test_a_file_that_has_grown_is_read_on(tmp_path):
    path = tmp_path / "plays.csv"
    logs = plays(100)
    whole = as_csv(logs)
    half = whole.index(b"\r\n", len(whole) // 2) + 2
    path.write_bytes(whole[:half])
    sink, _, _ = await read(path)
    path.write_bytes(whole)
    await read(path, sink=sink)
    assert sink.bodies == [log.encode() for log in logs]


@pytest.mark.parametrize("cut", [1, 5, 30, 60])
async def test_a_half_written_last_line_stays_unread(tmp_path, cut):
    path = tmp_path / "plays.jsonl"
    logs = plays(3)
    whole = as_json_lines(logs)
    path.write_bytes(whole[:-cut])
    sink, bad, source = await read(path, directory=tmp_path)
    assert bad == []
    assert len(sink.bodies) == (3 if cut == 1 else 2)
    assert ("plays.jsonl" in source.unread_records) == (cut > 1)
    path.write_bytes(whole + as_json_lines(plays(1, 3)))
    await read(path, sink=sink, directory=tmp_path)
    assert sink.bodies == [log.encode() for log in plays(4)]


async def test_bad_lines_are_rejected_alone(tmp_path):
    good = plays(1)[0].encode()
    lines = [
        good,
        b"",
        b"nonsense",
        b"\xef\xbb\xbf" + good,
        b'{"trackId":"1"}',
        b"[]",
        b"x" * 100_000,
        good + b"\r",
        good,
    ]
    path = tmp_path / "plays.jsonl"
    path.write_bytes(b"\n".join(lines) + b"\n")
    sink, bad, _ = await read(path)
    assert len(sink.bodies) == 4
    assert [int(record.place.rpartition(":")[2]) for record in bad] == [3, 5, 6, 7]
    assert bad[0].data == b"nonsense"
    assert len(bad[3].data) == 64 * 1024


async def test_a_bad_row_of_csv_is_rejected_alone(tmp_path):
    path = tmp_path / "plays.csv"
    stamp = NOW.isoformat()
    path.write_text(
        f'trackId,timestamp,durationPlayed\n1,{stamp},3\n2,{stamp}\n3,yesterday,4\n4,{stamp},NaN\n5,{stamp},\n"6\n",{stamp},1\n'
    )
    sink, bad, _ = await read(path)
    assert [orjson.loads(body)["trackId"] for body in sink.bodies] == ["1", "5", "6\n"]
    assert [int(record.place.rpartition(":")[2]) for record in bad] == [3, 4, 5]


async def test_a_pipe_is_read_as_it_comes():
    reading, writing = os.pipe()
    sink = Sink()
    source = FileSource(f"/dev/fd/{reading}", options=ReadOptions(kind=KIND))
    run = asyncio.create_task(Ingestion(source, sink, kind=KIND).run())
    try:
        for count, log in enumerate(plays(3), 1):
            os.write(writing, log.encode() + b"\n")
            async with asyncio.timeout(60):
                while len(sink.bodies) < count:
                    await asyncio.sleep(0.005)
        os.write(writing, b'{"trackId"')
    finally:
        os.close(writing)
    await run
    os.close(reading)
    assert source.unread_records == {}


async def test_from_line_skips_what_is_before(tmp_path):
    path = tmp_path / "plays.jsonl"
    path.write_bytes(as_json_lines(plays(10)))
    sink, _, _ = await read(path)
    assert len(sink.bodies) == 10
    await read(path, sink=sink, first_line=9)
    assert [orjson.loads(body)["trackId"] for body in sink.bodies[10:]] == ["8", "9"]


@given(st.lists(st.text(alphabet='ab,"\n\ré'), max_size=30), st.integers(1, 9))
def test_a_splitter_finds_the_rows_of_csv_in_any_chunks(values, size):
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows([value, "x"] for value in values)
    data = text.getvalue().encode()
    splitter = RecordSplitter(is_row=lambda data: len(list(csv.reader(io.StringIO(data.decode(), newline="")))) == 1)
    raws = [raw for at in range(0, len(data), size) for raw in splitter.feed(data[at : at + size])]
    assert not list(splitter.close())
    assert b"".join(raw.data + b"\n" for raw in raws) == data
    assert len(raws) == len(values)
    assert [raw.start for raw in raws[1:]] == [raw.end for raw in raws[:-1]]


ROWS = {
    "plain": ("{n},{at},u", True),
    "quoted": ('{n},"{at}","a ""b"", c"', True),
    "over lines": ('{n},{at},"a\nb,\n""c"', True),
    "a quote within a value": ('{n},{at},a"b', True),
    "a quote that is not closed": ('{n},{at},"a', False),
    "a value that goes on behind its quotes": ('{n},{at},"a"b', False),
}
"""Rows of CSV, and whether they are plays."""


@given(st.lists(st.sampled_from(sorted(ROWS)), max_size=12), st.integers(1, 90))
def test_a_row_whose_quotes_are_wrong_costs_no_other_row(names, size):
    at = f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ}"
    texts = ["trackId,timestamp,userId", *(ROWS[name][0].format(n=n, at=at) for n, name in enumerate(names))]
    data = "".join(f"{text}\n" for text in texts).encode()
    reader = TextReader("plays", is_csv=True)
    parts = []
    while data:
        parts.append(reader.feed(data[:size]))
        data = data[parts[-1].size :]
    parts.append(reader.close()[0])
    tracks = [log.encode() for part in parts for log in part.logs]
    assert [orjson.loads(body)["trackId"] for body in tracks] == [str(n) for n, x in enumerate(names) if ROWS[x][1]]
    bad = [record.data.decode() for part in parts for record in part.bad]
    assert bad == [text for text, name in zip(texts[1:], names, strict=True) if not ROWS[name][1]]


@pytest.mark.parametrize("number", [3, 3_000])
async def test_a_quote_that_is_not_closed_leaves_the_plays_after_it(tmp_path, number):
    at = f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ}"
    rows = [f'1,{at},"a', *(f"{n},{at},b" for n in range(2, number))]
    path = tmp_path / "plays.csv"
    path.write_text("\n".join(["trackId,timestamp,userId", *rows, f'{number},{at},"half']))
    sink, rejected, source = await read(path)
    assert [orjson.loads(body)["trackId"] for body in sink.bodies] == [str(n) for n in range(2, number)]
    assert [(bad.place, bad.reason) for bad in rejected] == [(f"{path}:2", "not valid CSV: a quote is not closed")]
    [unread] = source.unread_records.values()
    assert unread.place == f"{path}:{number + 1}"
    with path.open("a") as file:
        file.write('way"\n')
    sink, rejected, source = await read(path, sink=sink)
    last = orjson.loads(sink.bodies[-1])
    assert (last["trackId"], last["userId"]) == (str(number), "halfway")
    assert (rejected, source.unread_records, len(sink.bodies)) == ([], {}, number - 1)
