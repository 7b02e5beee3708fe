"""A journal and a list with other formats of numbers and times."""

import asyncio
import csv
import json
from collections import Counter
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.cli_process import copy_spool, open_sandbox, plays

from sevendigital_async import LogKind, SevenDigital, StreamLogShipper
from sevendigital_async.cli import main
from sevendigital_async.cli.reports.export import PLAY_COLUMNS, parse_time
from sevendigital_async.cli.reports.reconciliation import Comparison, Verdict

COLUMNS = [column for column in PLAY_COLUMNS if column.header in {"TRACKID", "DATETIMEPLAYED", "TOTALTIMEPLAYED"}]


async def deliver(spool):
    async with open_sandbox() as sandbox:
        keys = sandbox.credentials
        async with (
            SevenDigital(keys.consumer_key, keys.consumer_secret, base_url=sandbox.base_url) as client,
            StreamLogShipper(client, spool=spool) as shipper,
        ):
            await shipper.put_many(LogKind.PREVIEW, plays(8, start=10))
            await shipper.flush()


@pytest.fixture(scope="module")
def delivered(tmp_path_factory):
    directory = tmp_path_factory.mktemp("delivered")
    asyncio.run(deliver(str(directory / "x.db")))
    return directory


@pytest.fixture
def rows(delivered, tmp_path, monkeypatch, capsys):
    """Return the rows of an export."""
    monkeypatch.chdir(tmp_path)
    copy_spool(delivered, tmp_path)
    assert main(["journal", "export", "--spool", "x.db", "--out", "ours.csv"]) == 0
    capsys.readouterr()
    with Path("ours.csv").open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def reconciled(capsys, rows, *options, code):
    with Path("theirs.csv").open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, rows[0])
        writer.writeheader()
        writer.writerows(rows)
    command = ["journal", "reconcile", "--spool", "x.db", "--against", "theirs.csv", *options]
    assert main([*command, "--json"]) == code
    *findings, summary = map(json.loads, capsys.readouterr().out.splitlines())
    main(command)
    return findings, summary, capsys.readouterr().out


def moved(row, **by):
    moment = datetime.fromisoformat(row["DATETIMEPLAYED"]) + timedelta(**by)
    return row | {"DATETIMEPLAYED": moment.isoformat()}


@pytest.mark.parametrize("spelling", ["{}.0", "{}.", "0{}.000", "+{}", " {} ", "{}e0", "{}.00E+0"])
def test_numbers_are_equal_however_they_are_spelled(rows, capsys, spelling):
    theirs = [row | {"TOTALTIMEPLAYED": spelling.format(row["TOTALTIMEPLAYED"])} for row in rows]
    assert reconciled(capsys, theirs, code=0)[0] == []


@pytest.mark.parametrize("value", ["10.5", "ten", "NaN", "Infinity", "1,0", "9" * 400, "1e999999999", "٣"])
def test_other_numbers_are_differences(rows, capsys, value):
    findings, *_ = reconciled(capsys, [rows[0] | {"TOTALTIMEPLAYED": value}, *rows[1:]], code=3)
    assert [(found["finding"], found["file"]["TOTALTIMEPLAYED"]) for found in findings] == [("different", value)]


def test_times_may_differ_by_as_much_as_is_said(rows, capsys):
    theirs = [moved(row, milliseconds=number * 100) for number, row in enumerate(rows)]
    _, summary, _ = reconciled(capsys, theirs, code=3)
    assert (summary["missing"], summary["extra"]) == (7, 7)
    _, summary, _ = reconciled(capsys, theirs, "--tolerance", "250ms", code=3)
    assert (summary["missing"], summary["extra"], summary["different"]) == (5, 5, 0)
    assert reconciled(capsys, theirs, "--tolerance", "0.7s", code=0)[0] == []
    assert reconciled(capsys, [moved(row, hours=-5) for row in rows], "--tolerance", "300m", code=0)[0] == []


def test_a_play_with_other_values_is_found_within_the_tolerance(rows, capsys):
    theirs = [moved(rows[0], milliseconds=300) | {"COUNTRY": "DE"}, *rows[1:]]
    findings, _, printed = reconciled(capsys, theirs, "--tolerance", "1s", code=3)
    assert [found["finding"] for found in findings] == ["different"]
    assert "has COUNTRY DE, not GB (row 2 of the journal)" in printed


def test_odd_spellings_of_iso_8601_are_read(rows, capsys):
    theirs = [row | {"DATETIMEPLAYED": row["DATETIMEPLAYED"].lower()} for row in rows]
    assert reconciled(capsys, theirs, code=0)[0] == []


@pytest.mark.parametrize("value", ["31/01/2026 20:15", "", "1769890500", "soon\x1b[31m", "10000-01-01T00:00Z"])
def test_a_time_that_cannot_be_read_is_named_and_not_counted_as_missing(rows, capsys, value):
    theirs = [*rows[:2], rows[2] | {"DATETIMEPLAYED": value}, *rows[3:], rows[0] | {"DATETIMEPLAYED": "x", "USERID": 9}]
    findings, summary, printed = reconciled(capsys, theirs, code=3)
    assert [(found["finding"], found["file_row"], found["journal_row"]) for found in findings] == [
        ("unreadable", 4, 4),
        ("unreadable", 10, None),
    ]
    assert [found["file"]["DATETIMEPLAYED"] for found in findings] == [value, "x"]
    assert [summary[verdict] for verdict in Verdict] == [0, 0, 0, 2]
    assert "row 4 of theirs.csv has DATETIMEPLAYED" in printed
    assert "it may be row 4 of the journal" in printed
    assert "\x1b" not in printed


@pytest.mark.parametrize("value", ["0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-14:00"])
def test_times_at_the_ends_of_the_calendar_are_only_different(rows, capsys, value):
    theirs = [rows[0] | {"DATETIMEPLAYED": value}, *rows[1:]]
    _, summary, _ = reconciled(capsys, theirs, "--tolerance", "1s", code=3)
    assert [summary[verdict] for verdict in Verdict] == [1, 1, 0, 0]
    assert parse_time(value) is not None


def test_a_play_that_one_side_has_more_often_is_not_called_absent_from_the_other(rows, capsys):
    findings, _, printed = reconciled(capsys, [*rows, rows[2]], code=3)
    assert [(found["finding"], found["file_row"], found["repeats"]) for found in findings] == [("extra", 10, 4)]
    assert "extra: row 10 of theirs.csv has the play of row 4 of the journal again: KIND" in printed
    findings, _, printed = reconciled(capsys, [*rows, rows[2] | {"TRACKID": "other"}], code=3)
    assert [(found["finding"], found["file_row"], found["repeats"]) for found in findings] == [("extra", 10, None)]
    assert "row 10 of theirs.csv is not in the journal: KIND" in printed


@pytest.mark.parametrize("value", ['"a', '"a"b'])
def test_a_list_with_wrong_quotes_is_refused_with_the_row(rows, capsys, value):
    lines = ["TRACKID,USERID", *(f"{row['TRACKID']},{row['USERID']}" for row in rows)]
    lines[3] = f"{rows[2]['TRACKID']},{value}"
    Path("theirs.csv").write_text("\n".join(lines) + "\n", encoding="utf-8")
    assert main(["journal", "reconcile", "--spool", "x.db", "--against", "theirs.csv"]) == 1
    assert "cannot read theirs.csv, row 4: " in capsys.readouterr().err


def test_a_header_may_contain_a_line_break(rows, capsys):
    theirs = [row | {'a "note"\nin two lines': "x"} for row in rows]
    assert reconciled(capsys, theirs, code=0)[0] == []


START = datetime(2026, 1, 1, tzinfo=UTC)
HEAP = st.lists(st.tuples(st.sampled_from("ab"), st.integers(0, 6), st.sampled_from("12")), max_size=7)


def most_pairs(ours, theirs, tolerance):
    """Find the largest number of pairs by brute force."""
    if not ours:
        return 0
    (first, *rest), best = ours, most_pairs(ours[1:], theirs, tolerance)
    for index, other in enumerate(theirs):
        if (first[0], first[2]) == (other[0], other[2]) and abs(first[1] - other[1]) <= tolerance:
            best = max(best, 1 + most_pairs(rest, theirs[:index] + theirs[index + 1 :], tolerance))
    return best


@given(HEAP, HEAP, st.integers(0, 3))
@settings(deadline=None, max_examples=60)
def test_as_many_plays_are_paired_as_can_be_and_none_twice(ours, theirs, tolerance):
    comparison = Comparison(COLUMNS, timedelta(seconds=tolerance))
    order = {"TRACKID": 0, "DATETIMEPLAYED": 1, "TOTALTIMEPLAYED": 2}

    def rows_of(heap):
        for number, (track, second, seconds) in enumerate(heap):
            values = (track, (START + timedelta(seconds=second)).isoformat(), seconds)
            yield number, [values[order[column.header]] for column in COLUMNS]

    try:
        comparison.add_rows("ours", rows_of(ours))
        comparison.add_rows("theirs", rows_of(theirs))
        assert comparison.match() == (len(ours), len(theirs))
        found = {verdict: list(comparison.findings(verdict)) for verdict in Verdict}
    finally:
        comparison.close()
    different = len(found["different"])
    equal = len(ours) - len(found["missing"]) - different
    assert equal == len(theirs) - len(found["extra"]) - different == most_pairs(ours, theirs, tolerance)
    for verdict, row, others in (("missing", "our_row", theirs), ("extra", "their_row", ours)):
        for finding in found[verdict]:
            track, second, _ = (ours if others is theirs else theirs)[getattr(finding, row)]
            alike = [
                number for number, one in enumerate(others) if one[0] == track and abs(one[1] - second) <= tolerance
            ]
            assert finding.repeats in (alike or [None])
    for side in ("our_row", "their_row"):
        rows = Counter(getattr(finding, side) for verdict in found.values() for finding in verdict)
        assert all(number == 1 for row, number in rows.items() if row is not None)
