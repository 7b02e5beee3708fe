"""Files of unsent plays, exit codes, the text of the report, and lines that are safe to print."""

import io
import os
import sys
from datetime import UTC, datetime
from pathlib import Path

import pytest
from attrs import evolve
from support.cli_process import plays
from support.rows import each_row

from sevendigital_async import ConfigurationError, DeadLetter, LogKind
from sevendigital_async.cli.commands.demo import USERS, DemoReport, plays_per_kind
from sevendigital_async.cli.output import (
    ExitCode,
    LineLimit,
    OutputError,
    StandardOutput,
    echo,
    echo_message,
    highest_precedence,
    one_line,
)
from sevendigital_async.cli.ship.reject_file import RejectFile, UnsentCounts, output_path, write_unsent
from sevendigital_async.cli.ship.report import Report, RunCounts, SourceReport, StopReason
from sevendigital_async.cli.ship.run import StallDetector
from sevendigital_async.shipping import Counts
from sevendigital_async.shipping.records import Record
from sevendigital_async.sources import BadRecord, Lag, PendingPortion, Portion


@each_row(
    ("name", "regular", "expected"),
    [
        ("plays.jsonl", True, "plays.jsonl.unsent"),
        ("some/where/plays.jsonl", True, "some/where/plays.jsonl.unsent"),
        ("plays.jsonl.unsent", True, "plays.jsonl.unsent"),
        ("plays.jsonl.unsent.12", True, "plays.jsonl.unsent"),
        ("plays.jsonl.rejected", True, "plays.jsonl.unsent"),
        ("unsent", True, "unsent.unsent"),
        ("stdin", False, "stdin.unsent"),
        ("/dev/fd/63", False, "63.unsent"),
    ],
)
def test_file_are_named_after_the_input(name, regular, expected):
    assert output_path(name, ".unsent", is_regular=regular) == Path(expected)


def test_no_file_no_file(tmp_path):
    with RejectFile(tmp_path / "plays.unsent"):
        pass
    assert list(tmp_path.iterdir()) == []


def test_an_existing_file_is_never_overwritten(tmp_path):
    for line in (b"one", b"two", b"three"):
        with RejectFile(tmp_path / "plays.unsent") as file:
            file.write(line)
    assert file.target_path == tmp_path / "plays.unsent.2"
    assert [path.read_bytes() for path in sorted(tmp_path.iterdir())] == [b"one\n", b"two\n", b"three\n"]


def test_a_place_that_cannot_be_written_to_is_refused_before_it_is_needed(tmp_path):
    with pytest.raises(ConfigurationError, match="cannot write"):
        RejectFile(tmp_path / "nowhere" / "plays.unsent")


def test_a_line_is_kept_whole_or_not_at_all(tmp_path, monkeypatch):
    written = os.write
    sizes = iter([4, 3, None])

    def nearly_full(descriptor, data):
        size = next(sizes, 1_000)
        if size is None:
            raise OSError(28, "No space left on device")
        return written(descriptor, bytes(data)[:size])

    monkeypatch.setattr(os, "write", nearly_full)
    with RejectFile(tmp_path / "plays.unsent") as file:
        file.write(b"123456")
        with pytest.raises(OSError, match="No space"):
            file.write(b"abcdef")
        file.write(b"again")
    assert (tmp_path / "plays.unsent").read_bytes() == b"123456\nagain\n"
    assert file.lines == 2


class Memory:
    """A fake memory spool at the end of a run."""

    def __init__(self, records=(), dead_letters=()):
        self._records, self._dead_letters = records, dead_letters

    def undelivered(self, kind):
        return iter(self._records if kind is LogKind.PREVIEW else ())

    def dead_letters(self):
        return iter(self._dead_letters)


def test_what_is_left_is_written_down_plays_in_doubt_first(tmp_path):
    records = [Record(b"1", "", 0.0), Record(b"2", "", 0.0, in_doubt=True), Record(b"3", "", 0.0)]
    letter = DeadLetter(LogKind.PREVIEW, b"buried", "no good", None, datetime.now(UTC), in_doubt=False)
    rejected, unsent = RejectFile(tmp_path / "rejected"), RejectFile(tmp_path / "unsent")
    [log] = plays(1)
    portion = Portion("stdin", "", None, [log], "stdin", [9])
    unread = PendingPortion(portion, [BadRecord("stdin:10", b"nonsense", "")], {LogKind.PREVIEW: [0]})
    with rejected, unsent:
        kept = write_unsent(Memory(records, [letter]), unread, rejected=rejected, unsent=unsent)
    assert kept == UnsentCounts(in_doubt=1)
    assert unsent.target_path.read_bytes() == b"2\n1\n3\n" + log.encode() + b"\nnonsense\n"
    assert rejected.target_path.read_bytes() == b"buried\n"


def test_what_cannot_be_written_down_is_counted(tmp_path, monkeypatch):
    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "write", full)
    rejected, unsent = RejectFile(tmp_path / "rejected"), RejectFile(tmp_path / "unsent")
    with rejected, unsent:
        memory = Memory([Record(b"1", "", 0.0), Record(b"2", "", 0.0)])
        kept = write_unsent(memory, None, rejected=rejected, unsent=unsent)
    assert kept.lost == 2
    assert "No space left" in kept.failure


def report(**facts):
    numbers = dict.fromkeys(
        ["lines", "put", "delivered", "rejected", "buried", "in_doubt", "held", "waiting", "requests", "largest_batch"],
        0,
    )
    return Report(input="plays.jsonl", kind=LogKind.PREVIEW, seconds=2.0, **{**numbers, **facts})


@each_row(
    ("facts", "code"),
    [
        ({"delivered": 5}, 0),
        ({"delivered": 5, "in_doubt": 5}, 0),
        ({"rejected": 1}, 3),
        ({"buried": 1}, 3),
        ({"buried": 1, "waiting": 1}, 4),
        ({"held": 1}, 4),
        ({"unsent": 1}, 4),
        ({"continue_at": 7, "rejected": 1}, 4),
        ({"stop": StopReason("SIGTERM", ExitCode.DONE)}, 0),
        ({"stop": StopReason("wrong secret", ExitCode.USAGE), "waiting": 1, "buried": 1}, 1),
        ({"lost": 1, "waiting": 1}, 1),
    ],
)
def test_the_exit_code_is_the_one_with_precedence(facts, code):
    assert report(**facts).exit_code == code


def test_no_codes_mean_success():
    assert highest_precedence([]) is ExitCode.DONE


def test_the_report_says_where_the_rest_is():
    text = report(
        delivered=3,
        rejected_file=Path("plays.jsonl.rejected"),
        unsent_file=Path("plays.jsonl.unsent"),
        unsent=1_234,
        unsent_in_doubt=20,
        lost=2,
        continue_at=8,
    ).as_text(None)
    assert text.splitlines()[-5:] == [
        "rejected lines and buried plays are in plays.jsonl.rejected",
        "plays.jsonl.unsent has 1,234 undelivered plays; ship it to send them",
        "the first 20 of them are in doubt: the service may already have them",
        "2 plays not delivered and not saved: only in plays.jsonl",
        "stopped after line 7; continue with --from-line 8",
    ]
    assert "logs/s" in text


def test_patience_ends_only_while_something_waits():
    stall = StallDetector(10.0, 0.0)
    assert not stall.is_stalled(Counts(put=5, waiting=5), 9.0)
    assert stall.is_stalled(Counts(put=5, waiting=5), 10.0)
    assert not stall.is_stalled(Counts(put=5, waiting=4, delivered=1), 11.0)
    assert stall.is_stalled(Counts(put=5, in_flight=4, delivered=1), 21.0)
    assert not stall.is_stalled(Counts(put=1, delivered=1), 100.0)
    assert not stall.is_stalled(Counts(put=2, waiting=1, delivered=1), 109.0)


def test_only_the_first_lines_are_printed():
    said = []
    few = LineLimit(said.append, "more", limit=2)
    for line in "abcd":
        few(line)
    assert said == ["a", "b", "more"]
    assert few.line_count == 4


def test_text_from_outside_cannot_steer_a_terminal():
    assert one_line("red \x1b[31m\r\nünïcode \u2028 \ud800") == "red \\x1b[31m\\r\\nünïcode \\u2028 \\ud800"


def test_a_full_disk_behind_standard_output_is_reported(monkeypatch):
    class Full(io.StringIO):
        def write(self, _):
            raise OSError(28, "No space left on device")

    monkeypatch.setattr(sys, "stdout", StandardOutput(Full()))
    with pytest.raises(OutputError, match="cannot write to standard output: No space left"):
        echo("summary")


def test_streams_that_were_never_there_are_not_errors(monkeypatch):
    monkeypatch.setattr(sys, "stdout", None)
    monkeypatch.setattr(sys, "stderr", None)
    echo("summary")
    echo_message("trouble")


@pytest.mark.parametrize("number", [0, 1, 2, 3, 10, 9_999])
def test_the_demo_divides_without_loss(number):
    assert sum(plays_per_kind(number).values()) == number
    assert min(plays_per_kind(number).values()) >= 0


def test_the_demo_reports_a_difference():
    report_ = DemoReport({}, missing=1, surplus=2, seconds=1.0)
    assert not report_.is_equal
    assert "NOT EQUAL: 1 play put but not received" in report_.as_text(None)
    assert len(USERS) > 24


def test_what_others_have_put_since_does_not_change_how_a_run_ends():
    numbers = {"rejected": 0, "buried": 0, "in_doubt": 0, "held": 0, "requests": 1, "largest_batch": 5, "seconds": 1.0}
    report = Report(
        input="plays.jsonl", kind=LogKind.PREVIEW, lines=5, put=5, delivered=5, waiting=3, **numbers, flushed=True
    )
    assert report.exit_code is ExitCode.DONE
    assert report.reason is None
    assert evolve(report, flushed=False).exit_code is ExitCode.WAITING
    assert evolve(report, flushed=False).reason == "plays waiting: 3"


def test_of_several_sources_the_report_names_those_that_were_not_read_to_their_ends():
    sources = [
        SourceReport("a", 5, 5, 0),
        SourceReport("b", 3, 3, 0, continue_at=4),
        SourceReport("c", 2, 2, 0, continue_at=3, unfinished_line=3),
        SourceReport("d", 0, 0, 0, continue_at=1),
    ]
    found = report(sources=sources, spool="x.db", resumes=True)
    assert found.exit_code is ExitCode.WAITING
    assert found.reason == "files not read to their ends: 3"
    assert found.notes() == [
        "b: stopped after line 3",
        "c: line 3, the last one, has no line feed and is not a play",
        "d: not read",
        "run the same command again to continue",
    ]
    assert [each["continue_at"] for each in found.as_json()["sources"]] == [None, 4, 3, 1]


def test_the_report_has_a_column_for_each_kind():
    one, other = RunCounts(3, 0, 2, 1, 0, 0, 0), RunCounts(4, 0, 4, 0, 0, 0, 0)
    numbers = {"put": 7, "delivered": 6, "waiting": 1, "kinds": {LogKind.PREVIEW: one, LogKind.CATALOGUE: other}}
    found = evolve(report(**numbers), kind=None)
    rows = {line[:14].strip(): line[14:].split() for line in found.as_text(None).splitlines()}
    assert rows[""] == ["preview", "catalogue", "all", "plays"]
    assert rows["put"] == ["3", "4", "7"]
    assert rows["waiting"] == ["1", "0", "1"]
    assert rows["lines read"] == ["0"]
    assert found.as_json()["kinds"]["catalogue"]["put"] == 4


def test_lag_and_moved_partitions_are_noted():
    found = report(lag=Lag(1, 1234, 2.0), moved_partitions=2, resumes=True, spool="x.db")
    assert "not read yet: 1,234 bytes of files that grow; run the same command again to continue" in found.notes()
    assert any(note.startswith("partitions that other workers had read before: 2") for note in found.notes())


def test_an_endless_run_says_more_after_a_while():
    said = []
    few = LineLimit(said.append, "more", limit=1, period=0.0)
    for line in "abc":
        few(line)
    assert said == ["a", "b", "c"]
