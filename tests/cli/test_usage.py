"""Wrong arguments: one sentence in our own English, with what was probably meant."""

import re

import pytest
import typer

from sevendigital_async.cli import main
from sevendigital_async.cli.app import command as root

SHIP = ("ship", "plays.jsonl")
SEARCH = ("call", "classic.releases.search")
NOT_OURS = (
    "Value error",
    "Input should",
    "Invalid value",
    "No such",
    "Got unexpected",
    "requires an",
    "<class",
    "list[",
)


@pytest.fixture(autouse=True)
def _credentials(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("SEVENDIGITAL_CONSUMER_KEY", "key")
    monkeypatch.setenv("SEVENDIGITAL_CONSUMER_SECRET", "secret")


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["shipp"], "there is no command shipp; did you mean ship?"),
        (["spool", "stat"], "there is no command stat; did you mean status?"),
        (["weather"], "there is no command weather"),
        ([*SHIP, "--kidn", "preview"], "there is no option --kidn; did you mean --kind?"),
        (
            [*SHIP, "--dead_letter_topic", "x"],
            "there is no option --dead_letter_topic; did you mean --dead-letter-topic?",
        ),
        (["-x"], "there is no option -x"),
        (
            [*SEARCH, "q=1", "--page-size", "2"],
            "no option --page-size; arguments of the operation are written key=value",
        ),
        ([*SHIP, "--kind"], "--kind needs a value"),
        ([*SHIP, "--follow=yes"], "--follow takes no value"),
        ([*SHIP, "--kind", ""], "--kind: '' is not one of preview, catalogue, subscriber"),
        ([*SHIP, "--kind", "preveiw"], "'preveiw' is not one of preview, catalogue, subscriber; did you mean preview?"),
        ([*SHIP, "--in-doubt", "maybe"], "--in-doubt: 'maybe' is not one of resend, hold"),
        ([*SHIP, "--patience", "soon"], "--patience: 'soon' is not a number"),
        ([*SHIP, "--patience", "-1"], "--patience: must be 0 or more, not -1"),
        ([*SHIP, "--patience", "inf"], "--patience: must be 1,000,000,000 or less, not inf"),
        ([*SHIP, "--from-line", "1.5"], "--from-line: '1.5' is not a whole number"),
        ([*SHIP, "--from-line", "0"], "--from-line: must be 1 or more, not 0"),
        (["ship", ""], "the name of a FILE is empty; use - for standard input"),
        (["demo", "--plays", "9" * 5000], "--plays: '"),
        (["demo", "extra"], "too many arguments: extra"),
        (["sandbox", "--port", "99999"], "--port: must be 65,535 or less, not 99999"),
        (["journal", "export", "--out", "-"], "--spool is missing"),
        (["dead-letters", "show", "--spool", "x"], "NUMBER is missing"),
        (["dead-letters", "list", "--spool", "x", "--state", "burried"], "did you mean buried?"),
        (["spool", "status", "--spool", ""], "spool must be a file name or a URL"),
        (
            ["call", "classic.release.search"],
            "no such operation: classic.release.search; did you mean classic.releases.search?",
        ),
        (["call", "searchRelease"], "no such operation: searchRelease; did you mean searchReleases?"),
        (["call", "weather"], "no such operation: weather; `sevendigital operations` lists all"),
        (
            [*SEARCH, "pagesize=2"],
            "no argument 'pagesize'; its arguments are q, type, country, page, page_size; did you mean page_size?",
        ),
        ([*SEARCH, "q"], "'q' must be key=value"),
        ([*SEARCH, "q=1", "q=2"], "'q' is given twice"),
        ([*SEARCH, "q=1", "page=one"], "page: 'one' is not a whole number"),
        ([*SEARCH, "q=1", "page_size=0"], "page_size must be a whole number from 1 to 100"),
        (["call", "--", "classic.releases.search", "--xml"], "'--xml' must be key=value"),
        (
            [*SHIP, "--spool", "a", "--kind", "preview", "--spool", "b"],
            "sevendigital: --spool is given more than once",
        ),
        (["dead-letters", "list", "--in-doubt", "--certain"], "--in-doubt/--certain is given more than once"),
        (["--show-completion", "bash", "--show-completion", "zsh"], "--show-completion is given more than once"),
        (["--show-completion", "tcsh"], "--show-completion: 'tcsh' is not one of bash, zsh, fish, powershell"),
    ],
)
def test_it_says_what_is_wrong(arguments, sentence, capsys):
    assert main(arguments) == 1
    printed = capsys.readouterr()
    reason = printed.err.splitlines()[-1]
    assert sentence in reason
    assert len(reason) < 250
    assert not [words for words in NOT_OURS if words in printed.err]
    assert printed.out == ""


def test_a_wrong_variable_is_named(capsys, monkeypatch):
    monkeypatch.setenv("SEVENDIGITAL_DIALECT", "latin")
    assert main([*SHIP, "--kind", "preview"]) == 1
    assert "SEVENDIGITAL_DIALECT: 'latin' is not one of openapi, live" in capsys.readouterr().err


def options_of(command, *names):
    """Yield the name of each option of a command and its subcommands, with its command and the option itself."""
    for option in command.params:
        if option.param_type_name == "option":
            yield f"{' '.join(names)} {option.opts[-1]}", command, option
    for name in getattr(command, "commands", {}):
        yield from options_of(command.get_command(None, name), *names, name)


def test_every_option_with_one_value_is_refused_when_it_is_given_twice():
    single = [each for each in options_of(root) if not each[2].is_flag and not each[2].multiple]
    assert len(single) > 80
    for name, command, option in single:
        spelling = option.opts[-1]
        with pytest.raises(typer.BadParameter) as caught:
            command.make_context(name, [spelling, "a", f"{spelling}=b"])
        assert caught.value.message == f"{spelling} is given more than once"


def test_options_that_may_be_repeated(capsys):
    assert main(["operations", "--json", "--json", "oauth"]) == 0
    assert main(["sandbox", "--fault", "500:1%", "--fault", "200:1%"]) == 1
    assert "not a fault: '200:1%'" in capsys.readouterr().err


@pytest.mark.parametrize(
    "command",
    [
        [],
        ["ship"],
        ["call"],
        ["operations"],
        ["spool"],
        ["journal"],
        ["dead-letters"],
        ["dead-letters", "show"],
        ["sandbox"],
    ],
)
def test_help_has_no_python_types_and_no_cut_summaries(command, capsys):
    assert main([*command, "--help"]) == 0
    printed = capsys.readouterr().out
    assert not re.search(r"^  \S+ +\S.*\w\.\.\.$", printed.partition("Commands:")[2], re.MULTILINE)
    assert not [words for words in ("<str", "<int", "<float", "<path", "list[", "[[") if words in printed]


def test_help_is_as_wide_as_the_terminal(capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "40")
    assert main(["spool", "status", "--help"]) == 0
    wide = [line for line in capsys.readouterr().out.splitlines() if len(line) > 40]
    assert all("sevendigital spool status" in line or "wrong usage" in line for line in wide)  # examples, exit codes
