"""The command as a whole: help, usage, the demo, the sandbox, terminals."""

import asyncio
import builtins
import json
import os
import pty
import signal
import subprocess
import sys

import aiohttp
import pytest
from support.cli_process import COMMAND, PATIENT, SECRET, environment, plays, running, sevendigital, write_plays

import sevendigital_async
from sevendigital_async.cli import main


@pytest.fixture(autouse=True)
def _credentials(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("SEVENDIGITAL_CONSUMER_KEY", "key-of-a-test")
    monkeypatch.setenv("SEVENDIGITAL_CONSUMER_SECRET", SECRET)
    monkeypatch.delenv("SEVENDIGITAL_BASE_URL", raising=False)


@pytest.mark.parametrize(
    "command",
    [
        *([], ["demo"], ["ship"], ["sandbox"], ["spool", "status"], ["journal", "export"], ["journal", "reconcile"]),
        *(["dead-letters", step] for step in ("list", "show", "replay", "discard")),
    ],
)
@pytest.mark.parametrize("flag", ["-h", "--help"])
def test_help_has_examples_and_exit_codes_and_no_secrets(command, flag, capsys):
    assert main([*command, flag]) == 0
    printed = capsys.readouterr()
    assert printed.err == ""
    assert SECRET not in printed.out
    assert "\x1b" not in printed.out
    assert max(map(len, printed.out.splitlines())) <= 85
    for word in (
        ["Examples:", "Exit codes"] if command else ["demo", "ship", "sandbox", "spool", "dead-letters", "journal"]
    ):
        assert word in printed.out


def test_version(capsys):
    assert main(["--version"]) == 0
    assert capsys.readouterr().out == f"sevendigital {sevendigital_async.__version__}\n"


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["nonsense"], "there is no command nonsense"),
        (["ship", "--nonsense"], "there is no option --nonsense"),
        (["ship", "plays.jsonl", "--kind", "preview", "--map", "trackId"], "--map trackId=track"),
        (["ship", "plays.jsonl", "--kind", "preview", "--map", "speed=x"], "a play has no field 'speed'"),
        (["ship", "plays.jsonl", "plays.jsonl", "--kind", "preview"], "name it with --spool"),
        (["ship", "*.jsonl", "--kind", "preview"], "name it with --spool"),
        (["ship", "*.csv", "--kind", "preview", "--spool", "x.db"], "no file matches *.csv"),
        (["ship", "plays.jsonl", "-", "--kind", "preview", "--spool", "x.db", "--from-line", "2"], "--from-line 1"),
        (["ship", "--follow", "-", "--kind", "preview"], "--follow does not apply to standard input"),
        (["ship", "--follow", "plays.jsonl", "--kind", "preview", "--spool", "memory"], "lose or double plays"),
        (["ship", "--follow", "plays.jsonl", "--kind", "preview", "--from-line", "1"], "--from-line"),
        (["ship", "--follow", "kafka://b/t?group=g", "--kind", "preview"], "always followed"),
        (["ship", "kafka://b/t?group=g", "plays.jsonl", "--kind", "preview"], "can't be combined with other inputs"),
        (["ship", "kafka://u:hush@b/t", "--kind", "preview"], "a topic and a group"),
        (["ship", "plays.jsonl", "--kind", "preview", "--dead-letter-topic", "bad"], "--rejected"),
        (["ship", "plays.jsonl", "--kind", "radio"], "radio"),
        (["ship", "nowhere.jsonl", "--kind", "preview"], "cannot read nowhere.jsonl: No such file"),
        (["ship", ".", "--kind", "preview"], "it is a directory"),
        (["ship", "plays.jsonl", "--kind", "preview", "--spool", "redis://"], "use redis://host:6379/0"),
        (["ship", "plays.jsonl", "--kind", "preview", "--limits", "here"], "use redis://host:6379/0"),
        (["ship", "plays.jsonl", "--kind", "preview", "--spool", "."], "is a directory"),
        (["ship", "plays.jsonl", "--kind", "preview", "--spool", "no/where.db"], "a directory that does not exist"),
        (["ship", "plays.jsonl", "--kind", "preview", "--spool", "plays.jsonl"], "empty"),
        (["ship", "plays.jsonl", "--kind", "preview", "--synchronous", "off"], "--synchronous"),
        (["ship", "plays.jsonl", "--kind", "preview", "--base-url", "ftp://x"], "base URL"),
        (
            ["ship", "plays.jsonl", "--kind", "preview", "--base-url", "http://example.com"],
            "http is allowed for this machine only",
        ),
        (["ship", "plays.jsonl", "--kind", "preview", "--from-line", "0"], "--from-line"),
        (["ship", "plays.jsonl", "--kind", "preview", "--patience", "-1"], "--patience"),
        (["ship", "plays.jsonl", "--kind", "preview", "--rejected", "no/where"], "cannot write no/where"),
        (["ship", "plays.jsonl", "--kind", "preview", "--unsent", "no/where"], "cannot write no/where"),
        (["ship", "plays.jsonl", "--kind", "preview", "--tokens", "nowhere.json"], "No such file"),
        (["ship", "plays.jsonl", "--kind", "preview", "--from-line", "9", "--spool", "memory"], "there is no line 9"),
        (["demo", "--plays", "-1"], "--plays"),
        (["demo", "--plays", "many"], "--plays"),
        (["sandbox", "--port", "99999"], "--port"),
        (["sandbox", "--host", "0.0.0.0"], "this machine only"),  # noqa: S104 - refused
        (["sandbox", "--fault", "thunder"], "not a fault: 'thunder'"),
        (["sandbox", "--latency", "soon"], "not a latency: 'soon'"),
    ],
)
def test_wrong_usage_has_exit_code_1_and_a_message(arguments, words, capsys, tmp_path):
    (tmp_path / "plays.jsonl").write_bytes(b"")
    assert main(arguments) == 1
    printed = capsys.readouterr()
    assert words in printed.err
    assert printed.out == ""
    assert SECRET not in printed.err
    assert "Traceback" not in printed.err
    assert [path.name for path in tmp_path.iterdir()] == ["plays.jsonl"]


def test_without_arguments_there_is_help(capsys):
    assert main([]) == 1
    printed = capsys.readouterr()
    assert "Usage: sevendigital" in printed.out + printed.err


@pytest.mark.parametrize("missing", ["SEVENDIGITAL_CONSUMER_KEY", "SEVENDIGITAL_CONSUMER_SECRET"])
def test_a_missing_credential_is_named(missing, capsys, monkeypatch, tmp_path):
    (tmp_path / "plays.jsonl").write_bytes(b"")
    monkeypatch.delenv(missing)
    assert main(["ship", "plays.jsonl", "--kind", "preview"]) == 1
    printed = capsys.readouterr()
    assert missing in printed.err
    assert SECRET not in printed.err


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ('{"anna": {"token": "hush-hush", "secret": ""}}', "'anna'"),
        ('{"anna": {"token": "t", "secret": "s"}, "bert": {"token": "hush-hush"}}', "'bert'"),
        ('{"anna": "hush-hush"}', "'anna'"),
        ('{"anna": {"token": "hush-hush", "secret": "hush-hush", "more": 1}}', "'anna'"),
        ('{"anna": {"token": 7, "secret": "hush-hush"}}', "'anna'"),
        ('["hush-hush"]', "JSON object"),
        ('{"anna": hush-hush}', "not valid JSON"),
    ],
)
@pytest.mark.parametrize("command", [["ship", "plays.jsonl", "--kind", "catalogue"], ["sandbox", "--port", "0"]])
def test_malformed_tokens_name_the_user_and_no_secret(command, content, words, capsys, tmp_path):
    (tmp_path / "plays.jsonl").write_bytes(b"")
    (tmp_path / "tokens.json").write_text(content)
    assert main([*command, "--tokens", "tokens.json"]) == 1
    printed = capsys.readouterr()
    assert words in printed.err
    assert "hush" not in printed.err
    assert len(printed.err.splitlines()) == 1


def test_an_empty_file_is_a_success(capsys, tmp_path):
    (tmp_path / "plays.jsonl").write_bytes(b"")
    assert main(["ship", "plays.jsonl", "--kind", "preview", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["lines"] == 0


def test_of_very_many_bad_lines_the_first_are_shown_and_all_are_kept(capsys, tmp_path):
    (tmp_path / "plays.jsonl").write_bytes(b"no play\n" * 5_000)
    assert main(["ship", "plays.jsonl", "--kind", "preview"]) == 3
    printed = capsys.readouterr().err.splitlines()
    assert len(printed) == 52
    assert printed[49].startswith("plays.jsonl:50: not valid JSON")
    assert "more bad lines are not shown" in printed[50]
    assert printed[51] == "sevendigital: lines rejected: 5,000"
    assert (tmp_path / "plays.jsonl.rejected").read_bytes() == b"no play\n" * 5_000


def test_leftovers_of_earlier_runs_are_never_overwritten(tmp_path):
    (tmp_path / "plays.jsonl").write_bytes(b"no play\n")
    for _ in range(3):
        assert main(["ship", "plays.jsonl", "--kind", "preview", "--spool", "memory"]) == 3
    kept = sorted(path.name for path in tmp_path.iterdir())
    assert kept == ["plays.jsonl", "plays.jsonl.rejected", "plays.jsonl.rejected.1", "plays.jsonl.rejected.2"]
    assert all(path.read_bytes() == b"no play\n" for path in tmp_path.iterdir())


def test_without_the_extra_it_says_what_to_install(capsys, monkeypatch):
    importing = builtins.__import__

    def without_typer(name, *rest, **named):
        if name == "typer":
            raise ModuleNotFoundError("No module named 'typer'", name="typer")
        return importing(name, *rest, **named)

    for name in ("app", "options"):
        monkeypatch.delitem(sys.modules, f"sevendigital_async.cli.{name}", raising=False)
    monkeypatch.setattr(builtins, "__import__", without_typer)
    assert main([]) == 1
    assert 'pip install "sevendigital_async[cli]"' in capsys.readouterr().err


def test_the_library_does_not_import_the_command():
    code = "import sys, sevendigital_async, sevendigital_async.sandbox; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], env=environment(), capture_output=True, text=True, check=True)
    assert not {"sevendigital_async.cli", "typer", "rich"} & set(done.stdout.split())


def test_the_completion_script_does_not_depend_on_the_parents_of_the_process(capsys, monkeypatch):
    monkeypatch.setattr("typer.completion._get_shell_name", lambda: None)
    assert main(["--show-completion", "bash"]) == 0
    assert "_SEVENDIGITAL_COMPLETE" in capsys.readouterr().out
    assert main(["--show-completion"]) == 1
    assert "--show-completion needs a value" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("shell", "file"),
    [
        ("bash", ".bash_completions/sevendigital.sh"),
        ("zsh", ".zfunc/_sevendigital"),
        ("fish", ".config/fish/completions/sevendigital.fish"),
    ],
)
def test_completion_can_be_installed(shell, file, capsys, monkeypatch, tmp_path):
    monkeypatch.setenv("HOME", str(tmp_path))
    assert main(["--show-completion", shell]) == 0
    script = capsys.readouterr().out
    assert "_SEVENDIGITAL_COMPLETE" in script
    assert main(["--install-completion", shell]) == 0
    assert f"completion for {shell} is installed in {tmp_path / file}" in capsys.readouterr().out
    assert (tmp_path / file).read_text().strip() == script.strip()


@pytest.mark.parametrize("module", ["sevendigital_async", "sevendigital_async.cli"])
def test_the_command_is_a_module_as_well(module):
    command = [sys.executable, "-W", "error", "-m", module, "--version"]
    done = subprocess.run(command, env=environment(), capture_output=True, text=True, check=True)
    assert done.stdout.startswith("sevendigital ")


@pytest.mark.parametrize(
    ("arguments", "unused"),
    [
        (["--version"], {"asyncio", "aiohttp", "sqlite3", "rich", "sevendigital_async.models"}),
        (["--help"], {"asyncio", "aiohttp", "sqlite3", "rich", "sevendigital_async.models"}),
        (["operations"], {"aiohttp", "sqlite3", "sevendigital_async.client"}),
        (["call", "--help"], {"sqlite3", "sevendigital_async.shipping.shipper"}),
        (["spool", "status", "--help"], {"aiohttp", "sevendigital_async.client"}),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_a_command_imports_only_what_it_needs(arguments, unused):
    code = f"import sys; from sevendigital_async.cli import main; main({arguments}); print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], env=environment(), capture_output=True, text=True, check=True)
    loaded = set(done.stdout.splitlines()[-1].split())
    assert not (unused | {"sevendigital_async.sandbox"}) & loaded


# -- demo --


def test_the_demo_accounts_for_every_play(capsys):
    assert main(["demo", "--plays", "300", "--seed", "1"]) == 0
    printed = capsys.readouterr()
    lines = printed.out.splitlines()
    assert lines[0].split() == [
        "kind",
        "sent",
        "delivered",
        "buried",
        "in",
        "doubt",
        "requests",
        "largest",
        "batch",
        "busiest",
        "second",
    ]
    assert [line.split()[:3] for line in lines[1:5]] == [
        ["preview", "180", "180"],
        ["catalogue", "75", "75"],
        ["subscriber", "45", "45"],
        ["total", "300", "300"],
    ]
    assert "1 of 5" in lines[1]
    assert "no limit" in lines[2]
    assert "The sandbox received exactly what was put, 300 plays, compared record by record" in printed.out
    assert "\x1b" not in printed.out + printed.err


def test_the_demo_speaks_json(capsys):
    assert main(["demo", "--plays", "40", "--json"]) == 0
    account = json.loads(capsys.readouterr().out)
    assert account["equal"] is True
    assert account["kinds"]["preview"]["delivered"] == 24


def test_a_demo_of_nothing_is_equal(capsys):
    assert main(["demo", "--plays", "0"]) == 0
    assert "exactly what was put, 0 plays" in capsys.readouterr().out


async def test_the_demo_keeps_to_the_limit_and_can_be_interrupted(tmp_path):
    async with running("demo", "--plays", "100000", cwd=tmp_path) as command:
        line = (await command.process.stderr.readline()).decode()
        command.process.send_signal(signal.SIGINT)
        ended = await command.end()
    assert "preview: " in line
    assert "of 60,000 delivered" in line
    assert ended.code == 130


# -- sandbox --


async def welcome_of(server):
    printed = ""
    while "Stop it" not in printed:
        line = (await server.process.stdout.readline()).decode()
        assert line, "it ended before it was ready"
        printed += line
    return printed


async def test_the_sandbox_prints_its_address_and_keys(tmp_path):
    (tmp_path / "tokens.json").write_text('{"anna": {"token": "hers", "secret": "hush-hush"}}')
    write_plays(tmp_path / "plays.jsonl", plays(5))
    async with running("sandbox", "--port", "0", "--tokens", "tokens.json", cwd=tmp_path) as server:
        printed = await welcome_of(server)
        exported = dict(line[7:].split("=", 1) for line in printed.splitlines() if line.startswith("export "))
        shipped = await sevendigital(
            "ship", "plays.jsonl", "--kind", "catalogue", cwd=tmp_path, secret=None, env=exported
        )
        url = exported["SEVENDIGITAL_BASE_URL"]
        async with aiohttp.ClientSession() as session, session.get(f"{url}/_sandbox/stats") as answer:
            stats = await answer.json()
        taken = await sevendigital("sandbox", "--port", url.rpartition(":")[2], cwd=tmp_path)
    assert shipped.code == 0
    assert stats["kinds"]["catalogue"]["logs"] == 5
    assert taken.code == 1
    assert "cannot listen" in taken.err
    assert "hush" not in printed


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
async def test_the_sandbox_ends_when_asked(tmp_path, number):
    async with running("sandbox", "--port", "0", cwd=tmp_path) as server:
        await welcome_of(server)
        server.process.send_signal(number)
        ended = await server.end()
    assert ended.code == 0
    assert ended.err == ""


# -- terminals --


async def on_terminal(*arguments, **more):
    """Run the command on a pseudo-terminal; returns its exit code and its output."""
    loop, closed = asyncio.get_running_loop(), asyncio.Event()
    ours, theirs = pty.openpty()
    written = bytearray()

    def collect():
        try:
            written.extend(os.read(ours, 65_536))
        except OSError:  # the other side is closed, and all of it was read
            loop.remove_reader(ours)
            closed.set()

    environ = environment(**{"TERM": "xterm", "COLUMNS": "100", **more})
    process = await asyncio.create_subprocess_exec(
        *COMMAND, *arguments, env=environ, stdin=theirs, stdout=theirs, stderr=theirs
    )
    os.close(theirs)
    loop.add_reader(ours, collect)
    try:
        async with asyncio.timeout(PATIENT):
            await closed.wait()
            return await process.wait(), written.decode()
    finally:
        loop.remove_reader(ours)
        os.close(ours)


async def test_a_terminal_gets_bars_that_move():
    code, written = await on_terminal("demo", "--plays", "500")
    assert code == 0
    assert "━" in written
    assert "300 of 300 delivered" in written
    assert "record by record" in written
    assert written.count("\x1b[?25l") == written.count("\x1b[?25h")


async def test_no_color_is_respected():
    code, written = await on_terminal("demo", "--plays", "50", NO_COLOR="1")
    assert code == 0
    assert "\x1b[3" not in written


async def test_a_dumb_terminal_gets_plain_lines():
    code, written = await on_terminal("demo", "--plays", "50", TERM="dumb")
    assert code == 0
    assert "\x1b" not in written
