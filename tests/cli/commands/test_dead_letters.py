"""``sevendigital dead-letters``: list, show, replay and discard; nothing changes by mistake."""

import asyncio
import csv
import io
import json
import sys
from datetime import UTC, datetime, timedelta

import pytest
from support.cli_process import KEY, SECRET, deliver, open_sandbox, plays, run_command, sevendigital
from support.rows import each_row

from sevendigital_async import ConfigurationError, LogKind, SevenDigital, StreamLogShipper
from sevendigital_async.cli import main
from sevendigital_async.cli.commands.dead_letters import as_json
from sevendigital_async.cli.options import parse_time_or_age
from sevendigital_async.shipping.spools.inspector import DeadLetterState, StoredDeadLetter

NOW = datetime(2026, 11, 1, 12, tzinfo=UTC)


async def fill(spool):
    """Two buried catalogue plays, tracks 3 and 5, and four held previews, tracks 11 to 14."""
    async with open_sandbox("poison:3", "poison:5") as sandbox:
        await deliver(sandbox, plays(10), spool=spool)
    async with open_sandbox("disconnect-after:100%") as sandbox:
        await deliver(sandbox, plays(4, start=10), LogKind.PREVIEW, spool, in_doubt="hold")


async def deliver_rest():
    """Deliver what waits in the spool; return the counts and the tracks that arrived."""
    async with open_sandbox() as sandbox:
        counts = await deliver(sandbox)
        return counts, sorted(int(log.log["trackId"]) for log in sandbox.received())


def run(capsys, *arguments, code=0):
    return run_command(capsys, "dead-letters", *arguments, code=code)


def tracks(capsys, *filters):
    printed = run(capsys, "list", "--spool", "x.db", "--json", *filters)
    return [int(json.loads(line)["log"]["trackId"]) for line in printed.out.splitlines()]


def test_filters_can_be_combined(spool, capsys):
    assert tracks(capsys) == [3, 5, 11, 12, 13, 14]
    assert tracks(capsys, "--kind", "preview") == tracks(capsys, "--state", "held") == [11, 12, 13, 14]
    assert tracks(capsys, "--kind", "preview", "--state", "buried") == []
    assert tracks(capsys, "--reason", "WAS LOST", "--limit", "2") == [11, 12]
    codes = {json.loads(line)["code"] for line in run(capsys, "list", "--spool", "x.db", "--json").out.splitlines()}
    (code,) = codes - {None}
    assert tracks(capsys, "--code", str(code)) == tracks(capsys, "--state", "buried") == [3, 5]
    assert tracks(capsys, "--code", "4711") == []
    assert tracks(capsys, "--since", "1h") == tracks(capsys)
    assert tracks(capsys, "--until", "1h") == tracks(capsys, "--since", "2100-01-01") == []
    held = tracks(capsys, "--in-doubt", "--kind", "preview")
    assert held == [11, 12, 13, 14]
    assert not set(tracks(capsys, "--certain")) & set(held)


def test_a_line_and_a_page_show_kind_state_and_track(spool, capsys):
    first, *rest = run(capsys, "list", "--spool", "x.db").out.splitlines()
    assert len(rest) == 5
    number = first.split()[0]
    assert "catalogue" in first
    assert "buried" in first
    assert "track 3" in first
    page = run(capsys, "show", number, "--spool", "x.db").out
    assert '"trackId":"3"' in page
    assert "buried" in page
    assert json.loads(run(capsys, "show", number, "--spool", "x.db", "--json").out)["log"]["trackId"] == "3"
    assert "no dead letter 77 in x.db" in run(capsys, "show", "77", "--spool", "x.db", code=1).err
    assert "no dead letters match in x.db" in run(capsys, "list", "--spool", "x.db", "--code", "1").err


def test_replayed_plays_are_delivered_by_the_next_run(spool, capsys):
    numbers = [line.split()[0] for line in run(capsys, "list", "--spool", "x.db").out.splitlines()]
    printed = run(capsys, "replay", numbers[0], numbers[2], "--spool", "x.db", "--yes")
    assert "waiting for delivery again: 2 plays (" in printed.out
    assert tracks(capsys) == [5, 12, 13, 14]
    printed = run(capsys, "replay", "--all", "--state", "held", "--spool", "x.db", "--yes", "--json")
    assert json.loads(printed.out) == {"replayed": 3, "in_doubt": 3}
    counts, sent = asyncio.run(deliver_rest())
    assert sent == [3, 11, 12, 13, 14]
    assert (counts.put, counts.delivered, counts.buried, counts.held) == (14, 13, 1, 0)


def test_discarded_plays_are_gone_and_still_counted(spool, capsys):
    printed = run(capsys, "discard", "--all", "--kind", "preview", "--spool", "x.db", "--yes")
    assert "discarded: 4 plays" in printed.out
    assert tracks(capsys) == [3, 5]
    assert main(["spool", "status", "--spool", "x.db", "--json"]) == 0
    kinds = json.loads(capsys.readouterr().out)["kinds"]
    assert (kinds["preview"]["held"], kinds["preview"]["buried"], kinds["preview"]["put"]) == (0, 4, 4)
    assert json.loads(run(capsys, "discard", "--all", "--spool", "x.db", "--yes", "--json").out) == {"discarded": 2}
    assert json.loads(run(capsys, "discard", "--all", "--spool", "x.db", "--json").out) == {"discarded": 0}


@pytest.mark.parametrize("command", ["list", "replay", "discard"])
def test_no_match_is_reported(spool, capsys, command):
    selection = [] if command == "list" else ["--all"]
    assert main(["dead-letters", command, *selection, "--spool", "x.db", "--reason", "no such reason"]) == 0
    assert capsys.readouterr() == ("", "sevendigital: no dead letters match in x.db\n")


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["replay"], "give the numbers of dead letters, or --all"),
        (["replay", "1", "--all"], "give the numbers of dead letters, or --all"),
        (["replay", "1", "--kind", "preview"], "filters apply with --all"),
        (["discard", "1", "99", "nonsense", "--yes"], "no dead letter 99, nonsense in x.db; nothing was changed"),
        (["discard", "1"], "this discards 1 play for good; pass --yes to confirm"),
        (["replay", "--all"], "this resends 6 plays (4 may have been delivered); pass --yes to confirm"),
        (["discard", "--all", "--since", "yesterday"], "not a date or an age: 'yesterday' (use 2026-11-01"),
        (["list", "--limit", "0"], "--limit"),
    ],
)
def test_wrong_usage_changes_nothing(spool, capsys, arguments, words):
    printed = run(capsys, *arguments, "--spool", "x.db", code=1)
    assert words in printed.err
    assert tracks(capsys) == [3, 5, 11, 12, 13, 14]


@pytest.mark.parametrize("answer", ["y", "n"])
def test_on_a_terminal_it_asks(spool, capsys, monkeypatch, answer):
    monkeypatch.setattr(sys, "stdin", io.StringIO(f"{answer}\n"))
    monkeypatch.setattr(sys.stdin, "isatty", lambda: True)
    meant = answer == "y"
    printed = run(capsys, "discard", "--all", "--state", "buried", "--spool", "x.db", code=0 if meant else 1)
    assert "This discards 2 plays for good. Continue?" in printed.err
    assert tracks(capsys) == ([11, 12, 13, 14] if meant else [3, 5, 11, 12, 13, 14])


async def test_dead_letters_of_a_spool_in_use_are_not_changed(spool, capsys):
    async with (
        open_sandbox() as sandbox,
        SevenDigital(KEY, SECRET, base_url=sandbox.base_url) as client,
        StreamLogShipper(client, spool="x.db", close_timeout=0.0),
    ):
        printed = await sevendigital("dead-letters", "discard", "--all", "--yes", "--spool", "x.db", cwd=".")
        listed = await sevendigital("dead-letters", "list", "--spool", "x.db", cwd=".")
    assert printed.code == 1
    assert "in use" in printed.err
    assert len(listed.out.splitlines()) == 6


@each_row(
    ("text", "expected"),
    [
        ("2026-10-31", datetime(2026, 10, 31, tzinfo=UTC)),
        ("2026-10-31T08:30", datetime(2026, 10, 31, 8, 30, tzinfo=UTC)),
        ("2026-10-31T08:30+01:00", datetime(2026, 10, 31, 7, 30, tzinfo=UTC)),
        ("2026-10-31T08:30:00.1234567Z", datetime(2026, 10, 31, 8, 30, 0, 123456, tzinfo=UTC)),
        ("90m", NOW - timedelta(minutes=90)),
        ("36h", NOW - timedelta(hours=36)),
        ("7d", NOW - timedelta(days=7)),
        ("2w", NOW - timedelta(weeks=2)),
        (None, None),
    ],
)
def test_dates_and_ages_are_read(text, expected):
    assert parse_time_or_age(text, "--since", NOW) == expected


@each_row("text", ["", "yesterday", "7", "d", "-1d", "7x", "999999w", "2026-13-01", "0001-01-01T00:00+23:00"])
def test_what_is_not_a_date_or_an_age_is_refused(text):
    with pytest.raises(ConfigurationError, match="--until"):
        parse_time_or_age(text, "--until", NOW)


def test_a_body_that_is_not_json_is_shown_as_text():
    letter = StoredDeadLetter("1", LogKind.PREVIEW, b"\xff{", DeadLetterState.HELD, "why", None, NOW, in_doubt=True)
    assert as_json(letter)["log"] == "\\xff{"


def test_what_was_held_and_replayed_is_a_possible_double_in_the_export(spool, capsys):
    run(capsys, "replay", "--all", "--state", "held", "--spool", "x.db", "--yes")
    asyncio.run(deliver_rest())
    assert main(["journal", "export", "--spool", "x.db", "--kind", "preview", "--out", "-"]) == 0
    rows = list(csv.DictReader(capsys.readouterr().out.splitlines()))
    assert [row["TRACKID"] for row in rows] == ["11", "12", "13", "14"]
    assert {row["INDOUBT"] for row in rows} == {"true"}
