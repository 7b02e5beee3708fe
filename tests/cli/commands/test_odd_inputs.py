"""``sevendigital ship`` of odd files: one clear message, or only the bad lines are rejected."""

import asyncio
import bz2
import datetime as dt
import decimal
import gzip
import io
import lzma
import os
import re
import socket
import tarfile
import zipfile
from collections import Counter

import orjson
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import zstandard
from attrs import field, frozen
from support.cli_process import open_sandbox, sevendigital

NOW = dt.datetime.now(dt.UTC).replace(microsecond=0)
STAMP = NOW.isoformat()
BOM = b"\xef\xbb\xbf"
LONG = 1 << (30 if "LONG_TESTS" in os.environ else 26)
"""Bytes of a long line; in the long form, 1 GB."""


def line(number, end=b"\n", **more):
    return orjson.dumps({"trackId": str(number), "timestamp": STAMP, **more}) + end


def raw(text):
    """Return a line of JSON as it is written, with ``T`` for a timestamp."""
    return text.replace('"T"', f'"{STAMP}"').encode() + b"\n"


THREE = line(1) + line(2) + line(3)
CSV = f"trackId,timestamp,userId\n1,{STAMP},a\n2,{STAMP},b\n"


def archived(name):
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr(name, THREE)
    return buffer.getvalue()


def tarred():
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        entry = tarfile.TarInfo("plays.jsonl")
        entry.size = len(THREE)
        archive.addfile(entry, io.BytesIO(THREE))
    return buffer.getvalue()


def parquet(columns, **options):
    buffer = io.BytesIO()
    pq.write_table(pa.table(columns), buffer, **options)
    return buffer.getvalue()


STAMPS = pa.array([NOW, NOW], pa.timestamp("ns", tz="Europe/Berlin"))


@frozen
class Odd:
    """A file, and what comes of it.

    Attributes:
        content: Bytes, or a function that makes a file at a path.
        put: Tracks that arrive, each once.
        rejected: By line, what the message about it has.
        refused: What the one message has with which the run ends before anything is made.
        code: The exit code.
        options: Of the command.
    """

    content: object
    put: tuple[int, ...] = ()
    rejected: dict[int, str] = field(factory=dict)
    refused: str | None = None
    code: int | None = None
    options: tuple[str, ...] = ()

    @property
    def exit_code(self):
        if self.code is not None:
            return self.code
        return 1 if self.refused else 3 if self.rejected else 0


def directory(path):
    path.mkdir()


def socket_file(path):
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(path))


def loop(path):
    path.symlink_to(path)


def dangling(path):
    path.symlink_to("nowhere")


def long_line(path):
    with path.open("wb") as file:
        file.write(line(1))
        file.seek(LONG, os.SEEK_CUR)
        file.write(b"\n" + line(3))


def device(name):
    return lambda path: path.symlink_to(name)


CUT = "data is cut short or damaged"
ODD = {
    # -- damaged or foreign content --
    "gzip that is cut short": Odd(gzip.compress(THREE)[:40], refused=f"gzip {CUT}"),
    "gzip of which there is only the beginning": Odd(gzip.compress(THREE)[:3], refused=f"gzip {CUT}"),
    "zstd that is cut short": Odd(zstandard.compress(THREE)[:30], refused=f"zstd {CUT}"),
    "bz2 that is cut short": Odd(bz2.compress(THREE)[:40], refused=f"bz2 {CUT}"),
    "xz that is cut short": Odd(lzma.compress(THREE)[:40], refused=f"xz {CUT}"),
    "gzip with a wrong byte": Odd(gzip.compress(THREE)[:-6] + b"xxxxxx", refused=f"gzip {CUT}"),
    "gzip members one after the other": Odd(gzip.compress(line(1)) + gzip.compress(line(2)), put=(1, 2)),
    "gzip with zeros behind it": Odd(gzip.compress(THREE) + bytes(512), put=(1, 2, 3)),
    "gzip with garbage behind it": Odd(gzip.compress(THREE) + b"garbage", refused=f"gzip {CUT}"),
    "an empty gzip": Odd(gzip.compress(b"")),
    "UTF-16 with a mark": Odd(CSV.encode("utf-16"), refused="looks like UTF-16"),
    "UTF-16 without a mark": Odd(THREE.decode().encode("utf-16-be"), refused="looks like UTF-16"),
    "a JSON array": Odd(b"[" + line(1) + b"," + line(2) + b"]", refused="looks like a JSON array"),
    "one JSON object over lines": Odd(orjson.dumps({"trackId": "1"}, option=orjson.OPT_INDENT_2), refused="jq -c ."),
    "zip": Odd(archived("plays.jsonl"), refused="looks like a zip archive"),
    "Excel": Odd(archived("xl/workbook.xml"), refused="looks like a zip archive or an Excel file"),
    "old Excel": Odd(b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(600), refused="looks like an Excel file"),
    "tar": Odd(tarred(), refused="looks like a tar archive"),
    "tar in gzip": Odd(gzip.compress(tarred()), refused="looks like a tar archive"),
    "HTML": Odd(b"<!DOCTYPE html>\n<html></html>\n", refused="looks like HTML or XML"),
    "XML": Odd(b'<?xml version="1.0"?>\n<plays/>\n', refused="looks like HTML or XML"),
    "UTF-32 with a mark": Odd(THREE.decode().encode("utf-32"), refused="looks like UTF-32 text"),
    "UTF-32 without a mark": Odd(THREE.decode().encode("utf-32-le"), refused="looks like UTF-32 text"),
    "the older form of xz": Odd(lzma.compress(THREE, lzma.FORMAT_ALONE), refused="looks like a binary file"),
    "NUL bytes": Odd(bytes(4_096) + THREE, refused="looks like a binary file"),
    "gzip within gzip": Odd(gzip.compress(gzip.compress(THREE)), refused="is compressed twice"),
    "Parquet within gzip": Odd(
        gzip.compress(parquet({"trackId": ["1"], "timestamp": [STAMP]})), refused="is Parquet within gzip"
    ),
    "SQLite": Odd(b"SQLite format 3\0" + bytes(600), refused="looks like a binary file"),
    "an image": Odd(b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR" + bytes(600), refused="looks like a binary file"),
    # -- not what the option says --
    "CSV read as JSON": Odd(CSV.encode(), refused="pass --format csv", options=("--format", "json-lines")),
    "JSON read as CSV": Odd(THREE, refused="pass --format json-lines", options=("--format", "csv")),
    "text read as Parquet": Odd(THREE, refused="pass --format json-lines", options=("--format", "parquet")),
    "Parquet read as CSV": Odd(
        parquet({"trackId": ["1"], "timestamp": [STAMP]}),
        refused="pass --format parquet",
        options=("--format", "csv"),
    ),
    # -- what is not a file that can be read --
    "a directory": Odd(directory, refused="it is a directory"),
    "a socket": Odd(socket_file, refused="cannot read plays"),
    "a link to itself": Odd(loop, refused="Too many levels of symbolic links"),
    "a link to nothing": Odd(dangling, refused="No such file"),
    "nothing": Odd(lambda _: None, refused="No such file"),
    "a device without content": Odd(device("/dev/null")),
    "a device without end": Odd(device("/dev/zero"), refused="looks like"),
    # -- ends and marks --
    "an empty file": Odd(b""),
    "blank lines": Odd(b"\n \n\t\r\n\n"),
    "only a mark": Odd(BOM),
    "a mark at the beginning": Odd(BOM + THREE, put=(1, 2, 3)),
    "a mark in the middle": Odd(line(1) + BOM + line(2), put=(1, 2)),
    "CRLF": Odd(line(1, b"\r\n") + line(2, b"\r\n"), put=(1, 2)),
    "CR alone": Odd(line(1) + line(2, b"\r") + line(3), put=(1,), rejected={2: "not valid JSON"}),
    "no line feed at the end": Odd(line(1) + line(2, b""), put=(1, 2)),
    "half a line at the end": Odd(
        line(1) + line(2)[:20], put=(1,), rejected={2: "no line feed .*; left for the next run"}, code=4
    ),
    "half a line at the end of gzip": Odd(
        gzip.compress(line(1) + line(2)[:20]), put=(1,), rejected={2: "not valid JSON"}
    ),
    "a line without end": Odd(long_line, put=(1, 3), rejected={2: "longer than"}),
    # -- CSV --
    "quotes over lines": Odd(f'trackId,timestamp,userId\n1,{STAMP},"a\n""b""\nc"\n2,{STAMP},d\n'.encode(), put=(1, 2)),
    "a quote that is not closed": Odd(
        CSV.encode() + f'3,{STAMP},"x\n'.encode(),
        put=(1, 2),
        rejected={4: "left for the next run"},
        code=4,
    ),
    "TSV": Odd(CSV.replace(",", "\t").encode(), put=(1, 2)),
    "semicolons": Odd(CSV.replace(",", ";").encode(), put=(1, 2)),
    "CSV with a mark and CRLF": Odd(BOM + CSV.replace("\n", "\r\n").encode(), put=(1, 2)),
    "rows of other lengths": Odd(
        CSV.encode() + f"3,{STAMP}\n4,{STAMP},a,b\n5,{STAMP},c\n".encode(),
        put=(1, 2, 5),
        rejected={4: "2 columns, the header 3", 5: "4 columns, the header 3"},
    ),
    "only a header": Odd(b"trackId,timestamp\n"),
    "a column twice": Odd(f"trackId,timestamp,trackId\n1,{STAMP},2\n".encode(), refused="several columns for trackId"),
    "unknown columns": Odd(f"trackId,timestamp,speed\n1,{STAMP},2\n".encode(), refused="--map"),
    "no header": Odd(f"1,{STAMP}\n2,{STAMP}\n".encode(), refused="nor like CSV, whose first line names the columns"),
    "a comment before the header": Odd(b"# plays\n" + CSV.encode(), refused="nor like CSV, whose first line"),
    "prose": Odd(b"plays of\nyesterday\n", refused="looks neither like JSON lines"),
    "JSON with record separators": Odd(b"\x1e" + line(1) + b"\x1e" + line(2), refused="neither like JSON lines"),
    "bad lines before JSON": Odd(b"a\nb\n" + line(3), put=(3,), rejected={1: "not valid JSON", 2: "not valid JSON"}),
    "very many columns": Odd(
        ",".join(["trackId", "timestamp", *map(str, range(5_000))]).encode() + b"\n", refused="'9' and 4,990 more"
    ),
    "Latin-1 in CSV": Odd(
        CSV.encode() + f"3,{STAMP},é\n".encode("latin-1"), put=(1, 2), rejected={4: "not valid UTF-8"}
    ),
    # -- Parquet --
    "Parquet that is cut short": Odd(parquet({"trackId": ["1"], "timestamp": [STAMP]})[:-20], refused="Parquet"),
    "Parquet without rows": Odd(
        parquet({"trackId": pa.array([], pa.string()), "timestamp": pa.array([], pa.string())})
    ),
    "Parquet with a time zone": Odd(parquet({"trackId": ["1", "2"], "timestamp": STAMPS}), put=(1, 2)),
    "Parquet with whole numbers for ids": Odd(parquet({"trackId": [1, 2], "timestamp": STAMPS}), put=(1, 2)),
    "Parquet with dictionaries": Odd(
        parquet({"trackId": pa.array(["1", "2"]).dictionary_encode(), "timestamp": STAMPS}), put=(1, 2)
    ),
    "Parquet with nulls": Odd(
        parquet({"trackId": ["1", None], "timestamp": STAMPS, "userId": pa.nulls(2)}),
        put=(1,),
        rejected={2: "trackId"},
    ),
    "Parquet with decimals": Odd(
        parquet({"trackId": [decimal.Decimal("1.5"), decimal.Decimal("2.5")], "timestamp": STAMPS}),
        rejected={1: "track_id", 2: "track_id"},
    ),
    "Parquet with nested values": Odd(
        parquet({"trackId": ["1"], "timestamp": STAMPS[:1], "userId": [{"id": 7}]}), rejected={1: "user_id"}
    ),
    "Parquet with unknown columns": Odd(
        parquet({"trackId": ["1"], "timestamp": STAMPS[:1], "speed": [1]}), refused="--map"
    ),
}


LINES = {
    "NUL": (b'{"trackId":"2\0"}\n', "not valid JSON"),
    "Latin-1": (raw('{"trackId":"2","timestamp":"T","userId":"é"}').replace(b"\xc3\xa9", b"\xe9"), "UTF-8"),
    "NaN": (raw('{"trackId":"2","timestamp":"T","durationPlayed":NaN}'), "not valid JSON"),
    "Infinity": (raw('{"trackId":"2","timestamp":"T","durationPlayed":-Infinity}'), "not valid JSON"),
    "a comma at the end": (raw('{"trackId":"2","timestamp":"T",}'), "not valid JSON"),
    "a comment": (b"// a comment\n", "not valid JSON"),
    "nesting": (b'{"trackId":' + b"[" * 20_000 + b"]" * 20_000 + b"}\n", "not valid JSON|track_id"),
    "a number": (b"42\n", "object"),
    "a string": (b'"2"\n', "object"),
    "an array in a line": (b"[]\n", "object"),
    "an integer that is too large": (raw(f'{{"trackId":"2","timestamp":"T","durationPlayed":{10**30}}}'), "."),
    "a float for an id": (raw('{"trackId":2.5,"timestamp":"T"}'), "track_id"),
    "true for an id": (raw('{"trackId":true,"timestamp":"T"}'), "track_id"),
    "null for an id": (raw('{"trackId":null,"timestamp":"T"}'), "trackId"),
    "no id": (raw('{"timestamp":"T"}'), "trackId"),
    "an unknown field": (raw('{"trackId":"2","timestamp":"T","speed":1}'), "speed"),
    "two objects in a line": (line(2, b"") + line(2), "not valid JSON"),
    "a time that is none": (b'{"trackId":"2","timestamp":"yesterday"}\n', "timestamp"),
    "a kind that is none": (raw('{"trackId":"2","timestamp":"T","kind":"radio"}'), "kind must be one of"),
    "a key twice": (raw('{"trackId":"2","trackId":"4","timestamp":"T"}'), "twice"),
    "a number as a string": (raw('{"trackId":"2","timestamp":"T","durationPlayed":"30"}'), "duration_played"),
    "CSV in a line": (b"2,2026-01-01,x\n", "not valid JSON"),
}
"""Lines that are rejected, and what the messages have."""


def made(odd, path):
    if callable(odd.content):
        odd.content(path)
    else:
        path.write_bytes(odd.content)


async def shipped(tmp_path, *options):
    """Run the command; returns how it ended, and how often each track arrived."""
    arguments = ("ship", "plays", "--kind", "preview", "--spool", "x.db", *options)
    async with open_sandbox() as sandbox:
        ended = await sevendigital(*arguments, cwd=tmp_path, base_url=sandbox.base_url)
        return ended, Counter(play.log["trackId"] for play in sandbox.received())


@pytest.mark.parametrize("name", ODD)
async def test_an_odd_file_is_one_clear_message_or_only_its_bad_lines_are_rejected(tmp_path, name):
    odd = ODD[name]
    made(odd, tmp_path / "plays")
    ended, arrived = await shipped(tmp_path, *odd.options)
    assert arrived == Counter(map(str, odd.put)), ended.err
    reported = dict(re.findall(r"^plays:(\d+): (.*)$", ended.err, re.MULTILINE))
    assert reported.keys() == {str(number) for number in odd.rejected}, ended.err
    for number, message in odd.rejected.items():
        assert re.search(message, reported[str(number)]), ended.err
    assert ended.code == odd.exit_code, ended.err
    if odd.refused is not None:
        [message] = ended.err.splitlines()
        assert odd.refused in message
        assert "plays" in message
        assert {path.name for path in tmp_path.iterdir()} <= {"plays"}


async def test_odd_lines_are_rejected_alone(tmp_path):
    texts = [text for text, _ in LINES.values()]
    goods = [line(number) for number in range(len(texts))]
    (tmp_path / "plays").write_bytes(b"".join(part for pair in zip(goods, texts, strict=True) for part in pair))
    ended, arrived = await shipped(tmp_path)
    assert arrived == Counter(map(str, range(len(texts))))
    reported = dict(re.findall(r"^plays:(\d+): (.*)$", ended.err, re.MULTILINE))
    assert len(reported) == len(texts)
    for index, (name, (_, message)) in enumerate(LINES.items()):
        assert re.search(message, reported[str(2 * index + 2)]), (name, reported[str(2 * index + 2)])
    assert ended.code == 3
    assert (tmp_path / "plays.rejected").read_bytes() == b"".join(texts)
    again, arrived = await shipped(tmp_path)
    assert (again.code, arrived) == (0, Counter())


@pytest.mark.skipif(os.geteuid() == 0, reason="root reads every file")
async def test_a_file_that_may_not_be_read_is_one_clear_message(tmp_path):
    (tmp_path / "plays").write_bytes(THREE)
    (tmp_path / "plays").chmod(0)
    ended, _ = await shipped(tmp_path)
    assert ended.err == "sevendigital: cannot read plays: Permission denied\n"


async def test_a_named_pipe_is_read_once(tmp_path):
    os.mkfifo(tmp_path / "plays")
    writing = asyncio.create_task(asyncio.to_thread((tmp_path / "plays").write_bytes, THREE + b"nonsense\n"))
    ended, arrived = await shipped(tmp_path)
    await writing
    assert (ended.code, arrived) == (3, Counter("123"))
    assert "plays:4: not valid JSON" in ended.err
