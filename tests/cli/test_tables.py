"""Tables and long lines on narrow terminals."""

import io

import pytest

from sevendigital_async.cli import main
from sevendigital_async.cli.tables import Table, width_of, wrap

WIDE = Table(("", "put", "delivered"), [("preview", "1,000", "999"), ("catalogue", "1", "")])


class Terminal(io.StringIO):
    def isatty(self):
        return True


@pytest.fixture(autouse=True)
def _terminal(monkeypatch):
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.delenv("NO_COLOR", raising=False)


def test_a_table_that_fits_has_columns():
    assert WIDE.render(io.StringIO()).splitlines() == [
        "             put  delivered",
        "preview    1,000        999",
        "catalogue      1",
    ]


def test_a_table_that_does_not_fit_has_lines(monkeypatch):
    monkeypatch.setenv("COLUMNS", "20")
    assert WIDE.render(io.StringIO()).splitlines() == [
        "preview",
        "  put: 1,000",
        "  delivered: 999",
        "catalogue",
        "  put: 1",
    ]
    two = Table(("", "preview plays"), [("left by earlier runs", "12"), ("put", "3")])
    assert two.render(io.StringIO()).splitlines() == ["left by earlier", "  runs: 12", "put: 3"]


def test_wide_characters_take_two_columns():
    table = Table(("track", "n"), [("ねこ", "1"), ("cat", "2")])
    assert table.render(None).splitlines() == ["track  n", "ねこ   1", "cat    2"]


@pytest.mark.parametrize(
    ("stream", "variables", "is_bold"),
    [
        (Terminal(), {}, True),
        (Terminal(), {"NO_COLOR": "1"}, False),
        (Terminal(), {"TERM": "dumb"}, False),
        (io.StringIO(), {}, False),
        (None, {}, False),
    ],
)
def test_only_a_terminal_gets_bold_text(stream, variables, is_bold, monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    assert ("\x1b" in WIDE.render(stream)) is is_bold


@pytest.mark.parametrize(("columns", "width"), [("40", 40), ("0", None), ("-1", None), ("wide", None), ("", None)])
def test_the_width_is_that_of_the_variable(columns, width, monkeypatch):
    monkeypatch.setenv("COLUMNS", columns)
    assert width_of(io.StringIO()) == width


def test_lines_are_broken_between_words(monkeypatch):
    monkeypatch.setenv("COLUMNS", "20")
    assert wrap("waiting in plays.jsonl.spool-of-november: 1 play", None).splitlines() == [
        "waiting in",
        "  plays.jsonl.spool-of-november:",
        "  1 play",
    ]


@pytest.mark.parametrize("command", [["demo", "--plays", "5"], ["operations", "basket"]])
def test_commands_fit_into_40_columns(command, capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "40")
    assert main(command) == 0
    lines = capsys.readouterr().out.splitlines()
    assert not [line for line in lines if len(line) > 40 and " " in line.strip().partition(": ")[2]]
