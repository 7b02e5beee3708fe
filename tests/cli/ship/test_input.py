"""How the command reads lines: unfinished ones, duplicate keys, byte order marks, unusual times."""

import contextlib
import json
from datetime import UTC, datetime, timedelta

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.cli_process import as_counted, open_sandbox, plays, received, sevendigital
from support.rows import each_row

from sevendigital_async import InvalidLogError, StreamLog
from sevendigital_async.cli import main
from sevendigital_async.models.readers import parse_datetime

MARK = b"\xef\xbb\xbf"
SHIP = ("ship", "plays.jsonl", "--kind", "catalogue", "--json")


def encoded(logs):
    return b"".join(log.encode() + b"\n" for log in logs)


async def ship(tmp_path, sandbox, *more, **options):
    return await sevendigital(*SHIP, *more, cwd=tmp_path, base_url=sandbox.base_url, **options)


# -- a last line without its line feed --


async def test_a_half_written_line_is_left_for_the_next_run_and_sent_once(tmp_path):
    logs = plays(3)
    whole = encoded(logs)
    file = tmp_path / "plays.jsonl"
    file.write_bytes(whole[:-40])
    async with open_sandbox() as sandbox:
        first = await ship(tmp_path, sandbox)
        again = await ship(tmp_path, sandbox)
        file.write_bytes(whole)
        last = await ship(tmp_path, sandbox)
        assert received(sandbox) == as_counted(logs)
    assert [first.code, again.code, last.code] == [4, 4, 0]
    assert [run.summary["put"] for run in (first, again, last)] == [2, 0, 1]
    assert [run.summary["unfinished_line"] for run in (first, again, last)] == [3, 3, None]
    assert [run.summary["rejected"] for run in (first, again, last)] == [0, 0, 0]
    assert "plays.jsonl:3: the last line has no line feed and is not a play; left for the next run" in first.err
    assert first.err.splitlines()[-1] == "sevendigital: line 3 is incomplete"
    assert not list(tmp_path.glob("*.rejected*"))


async def test_a_whole_play_without_a_line_feed_is_sent_at_once(tmp_path):
    logs = plays(2)
    (tmp_path / "plays.jsonl").write_bytes(encoded(logs)[:-1])
    async with open_sandbox() as sandbox:
        ended = await ship(tmp_path, sandbox)
        assert received(sandbox) == as_counted(logs)
    assert ended.code == 0


async def test_a_half_written_line_stays_behind_without_a_spool_too(tmp_path):
    logs = plays(2)
    (tmp_path / "plays.jsonl").write_bytes(encoded(logs)[:-9])
    async with open_sandbox() as sandbox:
        first = await ship(tmp_path, sandbox, "--spool", "memory")
        (tmp_path / "plays.jsonl").write_bytes(encoded(logs))
        second = await ship(tmp_path, sandbox, "--spool", "memory", "--from-line", "2")
        assert received(sandbox) == as_counted(logs)
    assert (first.code, first.summary["continue_at"], second.code) == (4, 2, 0)


@pytest.mark.parametrize("ending", [b"", b"\n"])
async def test_the_last_line_of_a_pipe_is_final(tmp_path, ending):
    logs = plays(2)
    async with open_sandbox() as sandbox:
        ended = await sevendigital(
            *("ship", "-", "--kind", "catalogue", "--json"),
            cwd=tmp_path,
            base_url=sandbox.base_url,
            stdin=encoded(logs) + b'{"trackId": "1", "times' + ending,
        )
    assert (ended.code, ended.summary["rejected"], ended.summary["unfinished_line"]) == (3, 1, None)
    assert (tmp_path / "stdin.rejected").read_bytes() == b'{"trackId": "1", "times\n'


def test_the_summary_for_people_says_what_to_do(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("SEVENDIGITAL_CONSUMER_KEY", "k")
    monkeypatch.setenv("SEVENDIGITAL_CONSUMER_SECRET", "s")
    (tmp_path / "plays.jsonl").write_bytes(b'{"trackId')
    assert main(["ship", "plays.jsonl", "--kind", "preview"]) == 4
    assert "line 1, the last one, has no line feed and is not a play; run the same command" in capsys.readouterr().out
    assert main(["ship", "plays.jsonl", "--kind", "preview", "--spool", "memory"]) == 4
    assert "continue with --from-line 1 when it is complete" in capsys.readouterr().out


# -- keys that come twice --

NOW = datetime.now(UTC).isoformat()


@each_row(
    ("line", "key"),
    [
        ('{"trackId":"1","trackId":"2","timestamp":"%s"}', "trackId"),
        ('{"trackId":"1","trackId":"1","timestamp":"%s"}', "trackId"),
        ('{"trackId":"1","timestamp":"%s","durationPlayed":1,"durationPlayed":200}', "durationPlayed"),
        ('{"trackId":"1","timestamp":"%s","userId":null,"userId":null}', "userId"),
        ('{"trackId":"1","timestamp":"%s","user\\u0049d":"7","userId":"8"}', "userId"),
        ('{"trackId":"a\\"b","timestamp":"%s","country":"GB","country":"US"}', "country"),
        ('{ "trackId" : "1" , "timestamp" : "%s" , "trackId" : 1 }', "trackId"),
        ('{"trackId":"1","timestamp":"%s","colour":"red","colour":"blue"}', "colour"),
        ('{"trackId":"1","timestamp":"%s","country":1e400,"country":' + "9" * 5_000 + "}", None),
    ],
)
def test_a_key_that_comes_twice_rejects_the_line_and_is_named(line, key):
    line = line.replace("%s", NOW)
    for form in (line, line.encode()):
        with pytest.raises(InvalidLogError, match="not valid JSON" if key is None else f"'{key}' is given twice"):
            StreamLog.decode(form)


@given(
    st.text(st.characters(codec="utf-8"), min_size=1, max_size=20),
    st.integers(0, 10**6),
    st.booleans(),
    st.booleans(),
)
def test_a_play_without_doubled_keys_is_never_refused_for_them(text, seconds, ascii_only, spaced):
    wire = {"trackId": text, "timestamp": NOW, "durationPlayed": seconds, "userId": text[::-1]}
    line = json.dumps(wire, ensure_ascii=ascii_only, separators=None if spaced else (",", ":"))
    assert StreamLog.decode(line).as_wire()["trackId"] == text
    assert StreamLog.decode(line.encode()).user_id == text[::-1]


def test_tokens_that_come_twice_are_refused(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("SEVENDIGITAL_CONSUMER_KEY", "k")
    monkeypatch.setenv("SEVENDIGITAL_CONSUMER_SECRET", "s")
    (tmp_path / "plays.jsonl").write_bytes(b"")
    token = '{"token": "hush", "secret": "hush"}'
    (tmp_path / "tokens.json").write_text(f'{{"anna": {token}, "anna": {token}}}')
    assert main(["ship", "plays.jsonl", "--kind", "catalogue", "--tokens", "tokens.json"]) == 1
    printed = capsys.readouterr().err
    assert "'anna' twice" in printed
    assert "hush" not in printed


# -- marks and times --


async def test_joined_files_may_each_begin_with_a_mark(tmp_path):
    logs = plays(4)
    parts = [encoded(logs[:2]), encoded(logs[2:3]), b"", encoded(logs[3:])]
    (tmp_path / "plays.jsonl").write_bytes(b"".join(MARK + part for part in parts))
    async with open_sandbox() as sandbox:
        ended = await ship(tmp_path, sandbox)
        assert received(sandbox) == as_counted(logs)
    assert (ended.code, ended.summary["rejected"]) == (0, 0)


@each_row(
    ("text", "means"),
    [
        ("2026-01-31t20:15:00z", "2026-01-31T20:15:00+00:00"),
        ("2026-01-31T20:15:00z", "2026-01-31T20:15:00+00:00"),
        ("2026-01-31t20:15:00.5+01:00", "2026-01-31T20:15:00.500000+01:00"),
        ("2026-01-31 20:15:00Z", "2026-01-31T20:15:00+00:00"),
        (" 2026-01-31T20:15:00Z\t", "2026-01-31T20:15:00+00:00"),
        ("2026-01-31T24:00:00Z", "2026-02-01T00:00:00+00:00"),
        ("2026-01-31T24:00Z", "2026-02-01T00:00:00+00:00"),
        ("2026-12-31t24:00:00.000-05:00", "2027-01-01T00:00:00-05:00"),
        ("20260131T2400Z", "2026-02-01T00:00:00+00:00"),
        ("2016-12-31T23:59:60Z", "2017-01-01T00:00:00+00:00"),
        ("2016-12-31T23:59:60.25z", "2017-01-01T00:00:00.250000+00:00"),
        ("20260131T201500Z", "2026-01-31T20:15:00+00:00"),
        ("20260131t201500,5z", "2026-01-31T20:15:00.500000+00:00"),
        ("2026-W05-6T20:15:00Z", "2026-01-31T20:15:00+00:00"),
        ("2026w056t201500z", "2026-01-31T20:15:00+00:00"),
        ("2026-031T20:15:00Z", "2026-01-31T20:15:00+00:00"),
        ("2024366t24:00z", "2025-01-01T00:00:00+00:00"),
        ("2026-01-31T20:15:00.123456789Z", "2026-01-31T20:15:00.123456+00:00"),
        ("2026-01-31T20:15:00+0100", "2026-01-31T20:15:00+01:00"),
        ("2026-01-31", "2026-01-31T00:00:00"),
    ],
)
def test_times_may_be_spelled_in_any_form_of_iso_8601(text, means):
    assert parse_datetime(text).isoformat() == means
    line = orjson.dumps({"trackId": "1", "timestamp": text})
    assert StreamLog.decode(line).timestamp == datetime.fromisoformat(means)


@each_row(
    "text",
    [
        *("", "now", "2026-01-31T24:01Z", "2026-01-31T24:00:01Z", "2026-01-31T25:00Z", "2026-01-31T12:59:60Z"),
        *("2026-366T00:00Z", "2026-000", "2026-02-30T00:00Z", "0000-001", "0000-01-01T00:00Z", "9999-12-31T24:00Z"),
        *("10000-01-01T00:00Z", "1769890500", "31/01/2026 20:15", "2026-01-31T20:15:00+25:00", "NaN"),
    ],
)
def test_what_is_not_a_time_is_refused_plainly(text):
    with pytest.raises(ValueError):
        parse_datetime(text)
    with pytest.raises(InvalidLogError, match="ISO 8601"):
        StreamLog.decode(json.dumps({"trackId": "1", "timestamp": text}))


@given(st.text(max_size=30) | st.from_regex(r"\A[0-9WwTtZz:+., -]{0,30}\Z"))
def test_a_time_is_read_or_refused_whatever_it_is(text):
    with contextlib.suppress(ValueError):
        parse_datetime(text)


async def test_plays_with_odd_times_arrive_in_the_usual_form(tmp_path):
    moment = (datetime.now(UTC) - timedelta(days=1)).replace(microsecond=0)
    line = orjson.dumps({"trackId": "1", "timestamp": f"{moment:%Y-%m-%dt%H:%M:%Sz}"})
    midnight = orjson.dumps({"trackId": "2", "timestamp": f"{moment - timedelta(days=2):%Y-%m-%d}T24:00z"})
    (tmp_path / "plays.jsonl").write_bytes(line + b"\n" + midnight + b"\n")
    async with open_sandbox() as sandbox:
        ended = await ship(tmp_path, sandbox)
        arrived = sorted((log.log["trackId"], log.log["timestamp"]) for log in sandbox.received())
    assert ended.code == 0
    assert arrived == [
        ("1", f"{moment:%Y-%m-%dT%H:%M:%SZ}"),
        ("2", f"{moment - timedelta(days=1):%Y-%m-%d}T00:00:00Z"),
    ]
