"""``sevendigital journal``: export, and comparison with another list."""

import asyncio
import csv
import json
import os
import random
import tracemalloc
from collections import Counter
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from attrs import fields
from hypothesis import given
from hypothesis import strategies as st
from support.cli_process import deliver, open_sandbox, plays, run_command, sevendigital

from sevendigital_async import LogKind, StreamLog
from sevendigital_async.cli import main
from sevendigital_async.cli.atomic_file import AtomicFile
from sevendigital_async.cli.reports.export import HEADERS, PLAY_COLUMNS, Column
from sevendigital_async.cli.reports.reconciliation import Comparison, Verdict
from sevendigital_async.errors import ConfigurationError
from sevendigital_async.shipping.spools.inspector import JournalOutcome

SPOOL = ("--spool", "x.db")
DISCARDED = JournalOutcome.DISCARDED.value
QUICK = {kind: {"linger": 0.0} for kind in LogKind}
PLAYED_AT = datetime.now(UTC).replace(microsecond=0) - timedelta(hours=1)
NASTY = StreamLog(
    track_id='1,2";3',
    timestamp=PLAYED_AT + timedelta(microseconds=123_400),
    user_id="=HYPERLINK(1)",
    client_id="-1+2\né €\t",
    duration_played=0,
)


async def fill(spool):
    """Deliver seven catalogue plays and three previews."""
    async with open_sandbox() as sandbox:
        await deliver(sandbox, [*plays(6, users=2), NASTY], LogKind.CATALOGUE, spool)
        await deliver(sandbox, plays(3, start=6), LogKind.PREVIEW, spool)


async def fill_with_doubts():
    """Four held previews, one of which is discarded later."""
    async with open_sandbox("disconnect-after:100%") as sandbox:
        await deliver(sandbox, plays(4, start=20), LogKind.PREVIEW, in_doubt="hold")


def run(capsys, *arguments, code=0):
    return run_command(capsys, "journal", *arguments, code=code)


def exported(capsys, *filters):
    printed = run(capsys, "export", *SPOOL, "--out", "-", *filters).out
    return list(csv.DictReader(printed.splitlines(keepends=True)))


def tracks(rows):
    return [row["TRACKID"] for row in rows]


# -- export --


def test_every_field_of_a_play_has_a_column():
    assert len(PLAY_COLUMNS) == len(fields(StreamLog)) + 1
    assert len(set(HEADERS)) == len(HEADERS)
    everything = {column.wire_name for column in PLAY_COLUMNS}
    assert everything >= NASTY.as_wire().keys()
    assert set(HEADERS) >= {
        *("KIND", "USERID", "COUNTRY", "TRACKID", "CLIENTID", "DATETIMEPLAYED", "TOTALTIMEPLAYED"),
        *("REQUESTID", "DELIVEREDAT", "ANSWER", "INDOUBT", "OUTCOME"),
    }


def test_values_are_as_they_were_put(spool, capsys):
    rows = exported(capsys, "--kind", "catalogue")
    assert len(rows) == 7
    nasty = rows[-1]
    assert nasty["TRACKID"] == NASTY.track_id
    assert nasty["USERID"] == NASTY.user_id
    assert nasty["CLIENTID"] == NASTY.client_id
    assert nasty["DATETIMEPLAYED"] == NASTY.as_wire()["timestamp"]
    assert (nasty["TOTALTIMEPLAYED"], nasty["COUNTRY"]) == ("0", "")
    assert nasty["KIND"] == "catalogue"
    assert nasty["REQUESTID"]
    assert nasty["ANSWER"].startswith("202")
    assert (nasty["INDOUBT"], nasty["OUTCOME"]) == ("false", "delivered")
    assert abs(datetime.fromisoformat(nasty["DELIVEREDAT"]) - datetime.now(UTC)) < timedelta(minutes=5)


def test_filters(spool, capsys):
    asyncio.run(fill_with_doubts())
    assert main(["dead-letters", "discard", "--all", "--limit", "1", "--yes", *SPOOL]) == 0
    assert len(exported(capsys)) == 10
    assert tracks(exported(capsys, "--kind", "preview")) == ["7", "8", "9"]
    assert tracks(exported(capsys, "--outcome", "in-doubt")) == ["21", "22", "23", "24"]
    (discarded,) = exported(capsys, "--outcome", DISCARDED)
    assert (discarded["TRACKID"], discarded["INDOUBT"]) == ("21", "true")
    assert Counter(row["OUTCOME"] for row in exported(capsys, "--outcome", "all")) == {
        "delivered": 10,
        "in-doubt": 4,
        DISCARDED: 1,
    }
    assert len(exported(capsys, "--since", "1h", "--until", "2100-01-01")) == 10
    assert exported(capsys, "--until", "1h") == exported(capsys, "--kind", "subscriber") == []


def test_the_file_appears_whole_and_replaces_nothing_by_itself(spool, capsys, tmp_path):
    assert "10 plays written to plays.csv" in run(capsys, "export", *SPOOL, "--out", "plays.csv").out
    before = (tmp_path / "plays.csv").read_bytes()
    assert before.startswith(b"KIND,USERID,COUNTRY,TRACKID,")
    refused = run(capsys, "export", *SPOOL, "--kind", "preview", "--out", "plays.csv", code=1)
    assert "exists already; use --force to replace it" in refused.err
    assert (tmp_path / "plays.csv").read_bytes() == before
    run(capsys, "export", *SPOOL, "--kind", "preview", "--out", "plays.csv", "--force")
    assert len((tmp_path / "plays.csv").read_bytes().splitlines()) == 4
    for out, words in [("nowhere/plays.csv", "No such file"), (".", "is a directory")]:
        assert words in run(capsys, "export", *SPOOL, "--out", out, code=1).err
    assert {path.name for path in tmp_path.iterdir()} <= {
        "plays.csv",
        "x.db",
        "x.db-owner",
        "x.db-mark",
        "x.db-wal",
        "x.db-shm",
    }


def test_a_file_that_came_meanwhile_is_not_replaced(tmp_path):
    with pytest.raises(ConfigurationError, match="exists already"):
        with AtomicFile(str(tmp_path / "x.csv"), force=False) as out:
            out.write(b"ours")
            (tmp_path / "x.csv").write_bytes(b"theirs")
    assert [path.read_bytes() for path in tmp_path.iterdir()] == [b"theirs"]


def test_a_file_that_fails_leaves_nothing(tmp_path, monkeypatch):
    with pytest.raises(RuntimeError):
        with AtomicFile(str(tmp_path / "x.csv"), force=False) as out:
            out.write(b"half")
            raise RuntimeError
    assert list(tmp_path.iterdir()) == []

    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "write", full)
    with pytest.raises(ConfigurationError, match="No space left"):
        with AtomicFile(str(tmp_path / "x.csv"), force=False) as out:
            out.write(b"x")
    assert list(tmp_path.iterdir()) == []


async def test_a_reader_that_leaves_is_not_an_error(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    async with open_sandbox() as sandbox:
        await deliver(sandbox, plays(3_000), LogKind.CATALOGUE)
    reading, writing = os.pipe()
    os.close(reading)
    try:
        ended = await sevendigital("journal", "export", *SPOOL, "--out", "-", cwd=tmp_path, stdout=writing)
    finally:
        os.close(writing)
    assert (ended.code, ended.err) == (0, "")


# -- reconcile --


def reconciled(capsys, file, *filters, code):
    printed = run(capsys, "reconcile", *SPOOL, "--against", file, "--json", *filters, code=code)
    *findings, summary = map(json.loads, printed.out.splitlines())
    return findings, summary


def test_an_export_equals_its_journal(spool, capsys):
    run(capsys, "export", *SPOOL, "--out", "plays.csv")
    findings, summary = reconciled(capsys, "plays.csv", code=0)
    assert findings == []
    assert (summary["equal"], summary["journal"], summary["file"]) == (True, 10, 10)
    assert "REQUESTID" in summary["ignored"]
    assert ": equal" in run(capsys, "reconcile", *SPOOL, "--against", "plays.csv").out


def rewrite(change, *, headers=HEADERS, delimiter=",", name="theirs.csv"):
    """Make another list from an export."""
    with Path("plays.csv").open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    rows = change(rows) or rows
    with Path(name).open("w", newline="", encoding="utf-8-sig") as file:
        writer = csv.writer(file, delimiter=delimiter)
        writer.writerow(headers)
        writer.writerows([row[header] for header in HEADERS] for row in rows)


def test_missing_extra_and_different_rows_are_shown_with_their_numbers(spool, capsys):
    run(capsys, "export", *SPOOL, "--out", "plays.csv")

    def change(rows):
        rows[1]["COUNTRY"], rows[1]["TOTALTIMEPLAYED"] = "DE", ""
        extra = rows[0] | {"TRACKID": "4711"}
        return [*rows[:4], *rows[5:], extra]

    rewrite(change)
    findings, summary = reconciled(capsys, "theirs.csv", code=3)
    printed = {found["finding"]: found for found in findings}
    assert len(findings) == 3
    assert (printed["missing"]["journal_row"], printed["missing"]["journal"]["TRACKID"]) == (6, "5")
    assert (printed["extra"]["file_row"], printed["extra"]["file"]["TRACKID"]) == (11, "4711")
    assert (printed["different"]["journal_row"], printed["different"]["file_row"]) == (3, 3)
    assert (printed["different"]["journal"]["COUNTRY"], printed["different"]["file"]["COUNTRY"]) == ("GB", "DE")
    assert (summary["missing"], summary["extra"], summary["different"], summary["equal"]) == (1, 1, 1, False)
    lines = run(capsys, "reconcile", *SPOOL, "--against", "theirs.csv", code=3).out.splitlines()
    assert "row 6 of the journal is not in theirs.csv" in lines[0]
    assert "row 11 of theirs.csv is not in the journal" in lines[1]
    assert "row 3 of theirs.csv has COUNTRY DE, not GB" in lines[2]
    assert "TOTALTIMEPLAYED nothing, not 1" in lines[2]
    assert "NOT EQUAL, 1 missing, 1 extra, 1 different" in lines[3]


def test_a_double_counts(spool, capsys):
    run(capsys, "export", *SPOOL, "--out", "plays.csv")
    rewrite(lambda rows: [*rows, rows[2]])
    (found,), _ = reconciled(capsys, "theirs.csv", code=3)
    assert (found["finding"], found["file_row"], found["in_doubt"]) == ("extra", 12, False)


def test_plays_in_doubt_are_marked(spool, capsys):
    asyncio.run(fill_with_doubts())
    run(capsys, "export", *SPOOL, "--outcome", "all", "--out", "plays.csv")
    findings, summary = reconciled(capsys, "plays.csv", code=3)
    assert [(found["finding"], found["in_doubt"]) for found in findings] == [("extra", True)] * 4
    assert summary["extra_in_doubt"] == 4
    assert "may have been reported twice" in run(capsys, "reconcile", *SPOOL, "--against", "plays.csv", code=3).out


def test_spellings_do_not_matter(spool, capsys):
    """Other headers, another order, another delimiter, other time zones, more digits."""
    run(capsys, "export", *SPOOL, "--out", "plays.csv")

    def change(rows):
        for row in rows:
            played_at = datetime.fromisoformat(row["DATETIMEPLAYED"])
            row["DATETIMEPLAYED"] = f"{played_at:%Y-%m-%dT%H:%M:%S.%f}0Z"
            row["COUNTRY"] = row["COUNTRY"].lower()
            row["TOTALTIMEPLAYED"] = f" 00{row['TOTALTIMEPLAYED']}"
            row["ANSWER"] = "whatever"
        rows[0]["DATETIMEPLAYED"] = (
            datetime.fromisoformat(rows[0]["DATETIMEPLAYED"]).astimezone().isoformat().replace("T", " ")
        )
        return rows[::-1]

    headers = [{"TRACKID": "Track Id", "DATETIMEPLAYED": "timestamp"}.get(header, header.title()) for header in HEADERS]
    rewrite(change, headers=headers, delimiter=";")
    assert reconciled(capsys, "theirs.csv", code=0)[0] == []


def test_columns_that_one_side_lacks_are_not_compared(spool, capsys, tmp_path):
    rows = exported(capsys)
    lines = ["trackid,colour,datetimeplayed", *(f'"{row["TRACKID"]}",red,{row["DATETIMEPLAYED"]}' for row in rows)]
    (tmp_path / "theirs.csv").write_text("\n".join(line.replace('1,2";3', '1,2"";3') for line in lines))
    findings, summary = reconciled(capsys, "theirs.csv", code=0)
    assert findings == []
    assert (summary["compared"], summary["ignored"]) == (["TRACKID", "DATETIMEPLAYED"], ["colour"])


def test_only_the_kind_that_was_asked_for_is_compared(spool, capsys):
    run(capsys, "export", *SPOOL, "--kind", "preview", "--out", "plays.csv")
    assert reconciled(capsys, "plays.csv", "--kind", "preview", code=0)[1]["journal"] == 3
    assert reconciled(capsys, "plays.csv", code=3)[1]["missing"] == 7


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "needs a header line"),
        (b"colour,size\nred,1\n", "needs a header line"),
        (b"kind\npreview\n", "needs a header line"),
        (b"TRACKID,track_id\n1,1\n", "more than one column TRACKID"),
        (b"TRACKID\n\xff\xfe\n", "not UTF-8"),
        (b'TRACKID\n"' + b"x" * 200_000 + b'"\n', "row 2: field larger"),
    ],
)
def test_files_that_are_not_lists_are_refused(spool, capsys, tmp_path, content, words):
    (tmp_path / "theirs.csv").write_bytes(content)
    assert words in run(capsys, "reconcile", *SPOOL, "--against", "theirs.csv", code=1).err


def test_missing_files_are_named(spool, capsys):
    assert "cannot read no.csv: No such file" in run(capsys, "reconcile", *SPOOL, "--against", "no.csv", code=1).err
    assert "does not exist" in run(capsys, "reconcile", "--spool", "no.db", "--against", "no.csv", code=1).err


COLUMNS = [Column("TRACKID", "trackId"), Column("COUNTRY", "country")]
HEAPS = st.lists(st.tuples(st.sampled_from("abc"), st.sampled_from("xyz")), max_size=12)


@given(HEAPS, HEAPS)
def test_the_comparison_is_that_of_multisets(ours, theirs):
    comparison = Comparison(COLUMNS)
    comparison.add_rows("ours", enumerate(ours, 2))
    comparison.add_rows("theirs", enumerate(theirs, 2))
    assert comparison.match() == (len(ours), len(theirs))
    found = {verdict: list(comparison.findings(verdict)) for verdict in Verdict}
    comparison.close()
    different = found[Verdict.DIFFERENT]
    whole_ours, whole_theirs = Counter(ours), Counter(theirs)
    ours_left = Counter(tuple(f.ours.values()) for f in [*found[Verdict.MISSING], *different])
    theirs_left = Counter(tuple(f.theirs.values()) for f in [*found[Verdict.EXTRA], *different])
    assert ours_left == whole_ours - whole_theirs
    assert theirs_left == whole_theirs - whole_ours
    assert all(f.ours["TRACKID"] == f.theirs["TRACKID"] and f.ours != f.theirs for f in different)
    # As many pairs of the same play as there can be.
    keys_left = Counter(key for key, _ in ours_left.elements()), Counter(key for key, _ in theirs_left.elements())
    assert len(different) == sum((keys_left[0] & keys_left[1]).values())


def test_large_lists_are_kept_on_disk():
    rng = random.Random(1)
    comparison = Comparison(COLUMNS)
    tracemalloc.start()
    try:
        for side in ("ours", "theirs"):
            for start in range(0, 16_000, 2_000):
                comparison.add_rows(side, ((n, (f"{n}", f"{rng.random()}")) for n in range(start, start + 2_000)))
        comparison.match()
        assert len(list(zip(comparison.findings(Verdict.DIFFERENT), range(10), strict=False))) == 10
        assert tracemalloc.get_traced_memory()[1] < 5_000_000
    finally:
        tracemalloc.stop()
        comparison.close()
