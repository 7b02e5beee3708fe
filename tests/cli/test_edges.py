"""The command and its environment: no traceback, no silent end, and no file that others can read."""

import asyncio
import contextlib
import io
import json
import logging
import os
import re
import signal
import socket
import stat
import subprocess
import sys
from datetime import timedelta
from pathlib import Path

import pytest
import typer
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from support.cli_process import (
    COMMAND,
    PATIENT,
    copy_spool,
    environment,
    open_sandbox,
    plays,
    running,
    sevendigital,
    until,
    write_plays,
)
from support.rawserver import answer, raw_server

from sevendigital_async import LogKind, SevenDigital, StreamLogShipper
from sevendigital_async.cli import main, process
from sevendigital_async.cli.atomic_file import AtomicFile
from sevendigital_async.cli.options import check_finite, parse_duration
from sevendigital_async.cli.output import as_json, echo, escape_control_characters
from sevendigital_async.cli.ship.reject_file import RejectFile
from sevendigital_async.cli.tables import Table
from sevendigital_async.errors import ConfigurationError

NOWHERE = "http://127.0.0.1:9"
NO_NAME = os.fsdecode(b"plays-\xff\xfe.jsonl")
CODES = {0, 1, 3, 4, 130}


class Ended:
    def __init__(self, code, out, err):
        self.code, self.out, self.err = code, out, err

    @property
    def reason(self):
        return self.err.splitlines()[-1] if self.err else ""


def run(*arguments, stdin="", stdout=None):
    """Run the command in this process; returns how it ended."""
    out, err = io.StringIO() if stdout is None else stdout, io.StringIO()
    reading = io.StringIO(stdin)
    before = sys.stdin
    sys.stdin = reading
    try:
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
            code = main([os.fspath(argument) for argument in arguments])
    finally:
        sys.stdin = before
    return Ended(code, out.getvalue() if stdout is None else "", err.getvalue())


def check(ended):
    printed = ended.out + ended.err
    assert ended.code in CODES
    assert "Traceback" not in printed
    assert all(line.isprintable() for line in ended.err.split("\n")), ended.err
    if ended.code:
        assert ended.reason.startswith("sevendigital: ")
        assert "ended with exit code" not in ended.reason
        assert "unexpected" not in ended.reason, ended.reason


@pytest.fixture(autouse=True)
def place(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name in [name for name in os.environ if name.startswith("SEVENDIGITAL_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("SEVENDIGITAL_CONSUMER_KEY", "key-of-a-test")
    monkeypatch.setenv("SEVENDIGITAL_CONSUMER_SECRET", "top-secret-of-a-test")
    return tmp_path


async def deliver(spool="x.db", number=6):
    async with open_sandbox() as sandbox:
        url, keys = sandbox.base_url, sandbox.credentials
        async with (
            SevenDigital(keys.consumer_key, keys.consumer_secret, base_url=url) as client,
            StreamLogShipper(client, spool=str(spool)) as shipper,
        ):
            await shipper.put_many(LogKind.PREVIEW, plays(number))
            await shipper.flush()


@pytest.fixture(scope="module")
def delivered(tmp_path_factory):
    """A directory with a spool that has delivered some plays."""
    directory = tmp_path_factory.mktemp("delivered")
    asyncio.run(deliver(directory / "x.db"))
    return directory


@pytest.fixture
def spool(place, delivered):
    copy_spool(delivered, place)


# -- invalid arguments --


def make_odd_files(place):
    (place / "empty").write_bytes(b"")
    (place / "binary").write_bytes(bytes(range(256)))
    (place / "list.csv").write_text("TRACKID,DATETIMEPLAYED\n1,0001-01-01T00:00+14:00\n2,9999-12-31T23:59-14:00\n3,x\n")
    (place / "deep.json").write_text("[" * 100_000)
    (place / "huge.json").write_text('{"a": ' + "9" * 10_000 + "}")
    (place / "tokens.json").write_text('{"a": {"token": "\\ud800", "secret": 5}}')
    (place / NO_NAME).write_bytes(b"no play\n")
    (place / "folder").mkdir(exist_ok=True)
    for name, target in (("dangling", "gone"), ("loop", "loop")):
        with contextlib.suppress(FileExistsError):
            (place / name).symlink_to(target)


FILES = (
    *("empty", "binary", "list.csv", "deep.json", "huge.json", "tokens.json", NO_NAME, "folder", "dangling", "loop"),
    *("x.db", "", "/", ".", "..", "nowhere", "no/where", "a\0b", "\ud800", "x" * 300, "\x1b[31mred", "/dev/null", "-"),
)
NUMBERS = ("0", "1", "-1", "nan", "inf", "-inf", "1e308", "1e999", "9" * 400, "", "x", "\x9b1", "1_0")
TIMES = (
    *("0000-01-01", "10000-01-01", "0001-01-01T00:00+14:00", "9999-12-31T23:59-14:00", "2026-01-31t24:00z", "999999w"),
    *("7d", "", "\ud800", "nan"),
)
URLS = (NOWHERE, "http://[", "http://127.0.0.1:99999", "x", "", "http://\ud800", "http://a:b@127.0.0.1:9", "\x1b]0;x")
SPOOLS = (*FILES, "memory", "redis://", "redis://127.0.0.1:9/0", "redis://:hush@", "unix://")
WORDS = ("preview", "radio", "\x1b[31m[red]", "held", "in-doubt", "live", "\ud800")

VALUES = {
    **dict.fromkeys(("--tokens", "--against", "--out", "--rejected", "--unsent"), FILES),
    **dict.fromkeys(("--patience", "--drain", "--linger", "--journal-days", "--tolerance"), NUMBERS),
    **dict.fromkeys(("--from-line", "--limit", "--code", "--plays", "--seed", "--port"), NUMBERS),
    **dict.fromkeys(("--since", "--until"), TIMES),
    **dict.fromkeys(("--kind", "--state", "--outcome", "--dialect", "--reason", "--synchronous", "--in-doubt"), WORDS),
    **dict.fromkeys(("--key", "--secret", "--user-token", "--user-secret"), ("", "k", "\ud800", "a\nb")),
    "--base-url": URLS,
    "--spool": SPOOLS,
}
SWITCHES = ("--json", "--force", "--all", "--yes", "--xml", "--raw", "--certain", "--help", "--nonsense")
COMMANDS = (
    # No waiting, and nothing that leaves this machine.
    *[("ship", file, "--kind", "preview", "--patience", "0", "--drain", "0", "--base-url", NOWHERE) for file in FILES],
    *[("spool", "status", "--spool", file) for file in SPOOLS],
    *[("dead-letters", step, "1", "--spool", "x.db") for step in ("show", "replay", "discard")],
    ("dead-letters", "list", "--spool", "x.db"),
    ("journal", "export", "--spool", "x.db", "--out", "out.csv"),
    *[("journal", "reconcile", "--spool", "x.db", "--against", file) for file in FILES if file != "-"],
    *[("call", "classic.releases.details", f"release_id=@{file}", "--base-url", NOWHERE) for file in FILES],
    ("call", "platform.streaming.preview", "track_id=1", "--base-url", NOWHERE, "--out", "clip.mp3"),
    ("operations", "\ud800"),
    ("sign-url", "platform.streaming.preview", "track_id=\ud800"),
    ("nonsense",),
    (),
)
HARMLESS = {"--plays", "--port"}


@given(
    st.sampled_from(COMMANDS),
    st.lists(
        st.sampled_from(sorted(VALUES)).flatmap(lambda name: st.tuples(st.just(name), st.sampled_from(VALUES[name]))),
        max_size=3,
    ),
    st.lists(st.sampled_from(SWITCHES), max_size=2),
)
@settings(
    max_examples=150,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
def test_whatever_is_typed_the_end_is_a_reason(place, spool, command, options, switches):
    make_odd_files(place)
    values = [text for option in options for text in option if option[0] not in {"--base-url", "--patience", "--drain"}]
    check(run(*command, *values, *switches))


@pytest.mark.parametrize("command", COMMANDS, ids=ascii)
def test_every_command_survives_every_file(place, spool, command):
    make_odd_files(place)
    check(run(*command))


@pytest.mark.parametrize("name", ["KEY", "SECRET"])
@pytest.mark.parametrize("value", ["", "\udcff", "a\nb", "x" * 100_000])
def test_odd_credentials_in_the_environment(place, monkeypatch, name, value):
    monkeypatch.setenv(f"SEVENDIGITAL_CONSUMER_{name}", value)
    check(run("sign-url", "platform.streaming.preview", "track_id=1"))


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("SEVENDIGITAL_BASE_URL", "http://["),
        ("SEVENDIGITAL_DIALECT", "klingon"),
        ("SEVENDIGITAL_USER_TOKEN", "\udcff"),
        ("COLUMNS", "-1"),
        ("COLUMNS", "9" * 30),
        ("TERM", "\x1b[31m"),
        ("NO_COLOR", ""),
    ],
)
@pytest.mark.parametrize("command", [("operations",), ("sign-url", "platform.streaming.preview", "track_id=1")])
def test_odd_variables_in_the_environment(place, monkeypatch, command, name, value):
    monkeypatch.setenv(name, value)
    check(run(*command))


def test_errors_of_every_sort_end_with_their_reason(place, monkeypatch):
    from sevendigital_async.cli.commands import operations  # noqa: PLC0415 - what is patched

    for error, code, words in [
        (OSError(28, "No space left on device", "some\x1bwhere"), 1, "some\\x1bwhere: No space left on device"),
        (OSError(5, "I/O error", b"a\xff", None, "b"), 1, "a\\xff -> b: I/O error"),
        (OSError("odd"), 1, "odd"),
        (OverflowError("date value out of range"), 1, "unexpected OverflowError: date value out of range"),
        (RecursionError("too deep"), 1, "unexpected RecursionError: too deep"),
        (MemoryError(), 1, "out of memory"),
        (ExceptionGroup("two", [ConfigurationError("the first"), ValueError("x")]), 1, "the first"),
        (KeyboardInterrupt(), 130, "interrupted"),
        (asyncio.CancelledError(), 1, "unexpected CancelledError: "),
        (process.SignalExit("SIGTERM", 15), 143, "ended by SIGTERM"),
        (SystemExit(7), 7, "ended with exit code 7"),
        (SystemExit("words"), 1, "words"),
        (ModuleNotFoundError("No module named 'x'", name="x"), 1, "No module named 'x'"),
        (EOFError(), 1, "aborted; nothing was changed"),
    ]:

        def fail(*_, error=error):
            raise error

        monkeypatch.setattr(operations, "describe", fail)
        ended = run("operations")
        assert (ended.code, ended.reason) == (code, f"sevendigital: {words}")
    assert run("operations", "--version").code == 1


def test_what_is_not_a_number_is_refused():
    assert check_finite(1.5) == 1.5
    for value in (float("nan"), float("inf")):
        with pytest.raises(typer.BadParameter, match="not a finite number"):
            check_finite(value)


# -- why it did not end well --


def test_every_exit_that_is_not_zero_says_why(place, spool):
    make_odd_files(place)
    write_plays(place / "plays.jsonl", plays(3))
    (place / "theirs.csv").write_text("TRACKID\n1\n")
    quick = ("--patience", "0", "--drain", "0", "--base-url", NOWHERE)
    for code, words, *arguments in [
        (4, "nothing was delivered for 0 s", "ship", "plays.jsonl", "--kind", "preview", *quick),
        (3, "lines rejected: 1", "ship", NO_NAME, "--kind", "preview", *quick),
        (3, "not equal: 5 missing, 0 extra", "journal", "reconcile", "--spool", "x.db", "--against", "theirs.csv"),
        (1, "no dead letter 9", "dead-letters", "show", "9", "--spool", "x.db"),
        (1, "give the numbers of dead letters", "dead-letters", "replay", "--spool", "x.db"),
        (1, "--kind", "ship", "plays.jsonl"),
        (1, "there is no command x\\x1b[31m", "x\x1b[31m"),
        (1, "arguments are missing", "ship"),
        (1, "arguments are missing"),
        (1, "--patience", "ship", "plays.jsonl", "--kind", "preview", "--patience", "nan"),
        (1, "--linger", "ship", "plays.jsonl", "--kind", "preview", "--linger", "1e300"),
        (1, "not a duration", "journal", "reconcile", "--spool", "x.db", "--against", "x", "--tolerance", "2d"),
        (1, "/ is a directory", "ship", "plays.jsonl", "--kind", "preview", "--spool", "/", *quick),
        (1, "127.0.0.1", "call", "classic.service.status", "--base-url", NOWHERE),
    ]:
        ended = run(*arguments)
        assert ended.code == code, (arguments, ended.err)
        assert words in ended.reason, arguments
        assert ended.reason.startswith("sevendigital: ")


def test_what_happens_in_the_background_is_printed_in_one_line(capsys):
    process.report_background_errors(logging.getLogger("asyncio"))
    logging.getLogger("asyncio").error(
        "Task exception was never retrieved\nfuture: <Task>", exc_info=ValueError("deep\ninside")
    )
    assert capsys.readouterr().err == "sevendigital: Task exception was never retrieved: ValueError: deep\\ninside\n"


def test_a_name_that_is_not_utf_8_is_shown_with_escapes(place):
    make_odd_files(place)
    ended = run("ship", NO_NAME, "--kind", "preview", "--json", "--base-url", NOWHERE)
    assert ended.code == 3
    assert json.loads(ended.out)["input"] == "plays-\\xff\\xfe.jsonl"
    assert "plays-\\xff\\xfe.jsonl:1: not valid JSON" in ended.err


# -- standard output --

LOOKS = (
    ("--help",),
    ("--version",),
    ("ship", "--help"),
    ("--show-completion", "bash"),
    ("operations",),
    ("operations", "--json"),
    ("sign-url", "platform.streaming.preview", "track_id=1"),
    ("spool", "status", "--spool", "x.db"),
    ("spool", "status", "--spool", "x.db", "--json"),
    ("dead-letters", "replay", "--all", "--spool", "x.db", "--json"),
    ("journal", "export", "--spool", "x.db", "--out", "-"),
    ("journal", "reconcile", "--spool", "x.db", "--against", "export.csv"),
    ("journal", "reconcile", "--spool", "x.db", "--against", "export.csv", "--json"),
    ("ship", "empty", "--kind", "preview"),
    ("ship", "empty", "--kind", "preview", "--json"),
    ("demo", "--plays", "0"),
)


@pytest.mark.parametrize("command", LOOKS, ids=" ".join)
def test_a_full_disk_and_a_closed_output_are_failures_and_a_reader_that_left_is_not(place, spool, command):
    assert run("journal", "export", "--spool", "x.db", "--out", "export.csv").code == 0
    (place / "empty").write_bytes(b"")
    for buffering in (1, 8_192):
        with contextlib.suppress(OSError), open("/dev/full", "w", buffering=buffering) as full:  # noqa: PTH123
            ended = run(*command, stdout=full)
            assert ended.code == 1
            assert ended.reason == "sevendigital: cannot write to standard output: No space left on device"
    reading, writing = os.pipe()
    os.close(reading)
    with os.fdopen(writing, "w") as left:
        ended = run(*command, stdout=left)
        assert ended.code == 0
        assert "standard output" not in ended.err
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "stdout", None)
        err = io.StringIO()
        with contextlib.redirect_stderr(err):
            assert main(list(command)) == 1
    assert err.getvalue().splitlines()[-1] == "sevendigital: cannot write to standard output: it is closed"


async def test_a_call_whose_answer_is_lost_has_failed(place):
    async with open_sandbox() as sandbox:
        for form in ((), ("--raw",), ("--xml",)):
            with open("/dev/full", "wb") as full:  # noqa: ASYNC230, PTH123
                ended = await sevendigital(
                    *("call", "classic.service.status", *form), cwd=place, base_url=sandbox.base_url, stdout=full
                )
            assert ended.code == 1
            assert ended.err == "sevendigital: cannot write to standard output: No space left on device\n"


@pytest.mark.parametrize("closed", ["0<&-", "1>&-", "2>&-", "0<&- 1>&- 2>&-"])
async def test_streams_that_are_closed_are_never_mistaken_for_files(place, closed):
    write_plays(place / "plays.jsonl", plays(5))
    async with open_sandbox() as sandbox:
        command = "exec " + " ".join([*COMMAND, "ship", "plays.jsonl", "--kind", "preview", closed])
        process_ = await asyncio.create_subprocess_shell(
            command, cwd=place, env=environment(sandbox.base_url), stdout=-1, stderr=-1
        )
        _, err = await asyncio.wait_for(process_.communicate(), PATIENT)
        assert len(sandbox.received()) == 5
    assert process_.returncode == (1 if "1>&-" in closed else 0)
    assert b"Traceback" not in err
    assert (place / "plays.jsonl.spool").read_bytes()[:6] == b"SQLite"
    assert b"sevendigital:" not in (place / "plays.jsonl.spool").read_bytes()


# -- signals --


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
async def test_a_signal_ends_any_command_with_a_word_and_leaves_no_half_file(place, number):
    os.mkfifo(place / "theirs")
    await deliver()
    async with running("journal", "reconcile", "--spool", "x.db", "--against", "theirs", cwd=place) as command:
        # It opens the pipe, and then waits for a line of headers.
        writing = await asyncio.to_thread(os.open, place / "theirs", os.O_WRONLY)
        command.process.send_signal(number)
        ended = await command.end()
        os.close(writing)
    assert ended.code == 128 + number
    word = "interrupted" if number is signal.SIGINT else f"ended by {number.name}"
    assert ended.err.splitlines()[-1] == f"sevendigital: {word}"


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_within_a_destructor_is_not_lost(number):
    """Python drops what a destructor raises."""
    code = f"""
import os, sys, time
from sevendigital_async.cli.commands import operations

class Dropped:
    def __del__(self):
        os.kill(os.getpid(), {int(number)})
        time.sleep(0.01)

def wait(*_):
    Dropped()
    time.sleep(60)

operations.describe = wait
sys.argv = ["sevendigital", "operations"]
from sevendigital_async.cli import main
sys.exit(main())
"""
    ended = subprocess.run(
        [sys.executable, "-c", code], env=environment(), capture_output=True, text=True, timeout=PATIENT, check=False
    )
    assert ended.returncode == 128 + number
    assert "interrupted" in ended.stderr or "ended by SIGTERM" in ended.stderr


@pytest.mark.parametrize("seconds", [0.0, 0.1, 0.2, 0.4, 0.8])
async def test_ctrl_c_shows_no_traceback_however_early_it_comes(place, seconds):
    """Once the command has begun; not during the interpreter's own start."""
    start = "import os, sys; from sevendigital_async.cli import main; sys.argv = ['/bin/sevendigital', 'operations']; "
    code = start + "os.write(1, b'.'); main()"
    watched = await asyncio.create_subprocess_exec(
        *(sys.executable, "-c", code), cwd=place, env=environment(), stdout=-1, stderr=-1
    )
    await watched.stdout.readexactly(1)
    await asyncio.sleep(0.05 + seconds)
    with contextlib.suppress(ProcessLookupError):
        watched.send_signal(signal.SIGINT)
    _, err = await asyncio.wait_for(watched.communicate(), PATIENT)
    assert b"Traceback" not in err
    assert watched.returncode in {0, 130, -signal.SIGINT}


def test_importing_the_package_leaves_the_interrupt_handler_alone():
    code = "import signal, sevendigital_async.cli.app; print(signal.getsignal(2) is signal.default_int_handler)"
    done = subprocess.run([sys.executable, "-c", code], env=environment(), capture_output=True, check=True)
    assert done.stdout == b"True\n"


async def test_an_interrupted_call_says_so(place):
    with socket.create_server(("127.0.0.1", 0)) as server:
        url = f"http://127.0.0.1:{server.getsockname()[1]}"
        async with running("call", "classic.service.status", cwd=place, base_url=url) as command:
            connection, _ = await asyncio.to_thread(server.accept)
            with connection:
                command.process.send_signal(signal.SIGTERM)
                ended = await command.end()
    assert (ended.code, ended.err) == (143, "sevendigital: ended by SIGTERM\n")


async def test_a_signal_that_is_ignored_stays_ignored(place):
    (place / "empty").write_bytes(b"")
    async with running("sandbox", "--port", "0", cwd=place, wrapper=["nohup"]) as command:
        await command.process.stdout.readline()
        command.process.send_signal(signal.SIGHUP)
        await asyncio.sleep(0.2)
        assert command.process.returncode is None
        command.process.send_signal(signal.SIGTERM)
        ended = await command.end()
    assert ended.code == 0


def test_a_process_of_its_own_is_set_up_and_let_go(monkeypatch, capsys):
    hooks = {"excepthook": sys.excepthook, "unraisablehook": sys.unraisablehook}
    handlers = {number: signal.getsignal(number) for number in (signal.SIGINT, *process.SIGNALS)}
    monkeypatch.setattr(sys, "argv", ["sevendigital", "--version"])
    try:
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(process.threading, "excepthook", process.threading.excepthook)
            assert main() == 0
            assert signal.getsignal(signal.SIGTERM) is signal.SIG_IGN
            sys.excepthook(ValueError, ValueError("lost"), None)
            sys.excepthook(BrokenPipeError, BrokenPipeError(), None)
        with pytest.raises(process.SignalExit):
            process._terminate(signal.SIGTERM, None)
    finally:
        for name, hook in hooks.items():
            setattr(sys, name, hook)
        for number, handler in handlers.items():
            signal.signal(number, handler)
    assert capsys.readouterr().err == "sevendigital: ValueError: lost\n"


# -- files --


@pytest.mark.parametrize("umask", [0o000, 0o022, 0o077, 0o777])
def test_files_of_plays_are_for_their_owner_alone_whatever_the_umask(place, umask):
    before = os.umask(umask)
    try:
        with RejectFile(place / "plays.rejected") as leftovers:
            leftovers.write(b"a play")
            assert stat.S_IMODE(leftovers.target_path.stat().st_mode) == 0o600
        with AtomicFile("plays.csv", force=False) as out:
            out.write(b"a play")
            (unfinished,) = place.glob(".*.part")
            assert stat.S_IMODE(unfinished.stat().st_mode) == 0o600
        assert stat.S_IMODE((place / "plays.csv").stat().st_mode) == 0o600
        (place / "plays.csv").chmod(0o644)
        with AtomicFile("plays.csv", force=True) as out:
            out.write(b"another play")
    finally:
        os.umask(before)
    assert stat.S_IMODE((place / "plays.csv").stat().st_mode) == 0o600


def test_a_link_is_never_written_through(place):
    (place / "target").write_bytes(b"precious")
    for name, target in (("plays.rejected", "target"), ("plays.rejected.1", "gone"), ("plays.csv", "target")):
        (place / name).symlink_to(target)
    with RejectFile(place / "plays.rejected") as leftovers:
        leftovers.write(b"x")
    assert leftovers.target_path.name == "plays.rejected.2"
    with pytest.raises(ConfigurationError, match="exists already"):
        AtomicFile("plays.csv", force=False)
    with pytest.raises(ConfigurationError, match="symbolic link"):
        AtomicFile("plays.csv", force=True)
    with pytest.raises(ConfigurationError, match="not a regular file"):
        AtomicFile("/dev/null", force=True)
    assert (place / "target").read_bytes() == b"precious"
    assert not (place / "gone").exists()


@pytest.mark.parametrize("name", ["x.db", "x.db-mark", "x.db-owner", "x.db-wal", "x.db-journal", "link"])
def test_no_command_writes_a_spool_or_a_file_beside_it(place, spool, name):
    (place / "link").symlink_to("x.db")
    (place / "empty").write_bytes(b"")
    before = {path.name: path.read_bytes() for path in place.iterdir()}
    for command in (
        ("journal", "export", "--spool", "x.db", "--force", "--out", name),
        ("call", "platform.streaming.preview", "track_id=1", "--base-url", NOWHERE, "--out", name),
        ("ship", "empty", "--kind", "preview", "--spool", "memory", "--base-url", NOWHERE, "--rejected", name),
        ("ship", "empty", "--kind", "preview", "--spool", "memory", "--base-url", NOWHERE, "--unsent", name),
    ):
        ended = run(*command)
        assert ended.code == 1
        assert f"cannot write {name}: it " in ended.reason
        assert "a spool or another database; name another file" in ended.reason
    assert {path.name: path.read_bytes() for path in place.iterdir()} == before


@pytest.mark.parametrize("option", ["--rejected", "--unsent"])
def test_lines_are_not_written_to_what_is_not_a_file(place, option):
    (place / "empty").write_bytes(b"")
    (place / "folder").mkdir()
    for name in ("folder", "/dev/null"):
        ended = run("ship", "empty", "--kind", "preview", "--base-url", NOWHERE, option, name)
        assert (ended.code, ended.reason) == (1, f"sevendigital: cannot write {name}: it is not a regular file")
    assert {path.name for path in place.iterdir()} == {"empty", "folder"}


@pytest.mark.parametrize("name", ["", "a\0b", "x" * 300, "..", "loop/x"])
def test_names_that_no_file_can_have_are_refused(place, name):
    make_odd_files(place)
    with pytest.raises(ConfigurationError, match="cannot write"), AtomicFile(name, force=False):
        pass
    check(run("ship", "empty", "--kind", "preview", "--rejected", name))


def test_the_name_of_a_new_file_is_forced_to_the_disk(place, monkeypatch):
    forced, fsync = [], os.fsync

    def record(descriptor):
        forced.append(Path(f"/proc/self/fd/{descriptor}").readlink())
        fsync(descriptor)

    monkeypatch.setattr(os, "fsync", record)
    with RejectFile(place / "plays.rejected") as leftovers:
        leftovers.write(b"1")
        leftovers.sync()
        leftovers.write(b"2")
        leftovers.sync()
    assert forced == [place / "plays.rejected", place, place / "plays.rejected", place / "plays.rejected"]
    forced.clear()
    with AtomicFile("plays.csv", force=False) as out:
        out.write(b"1")
    assert forced[-1] == place


def test_a_part_that_a_killed_run_has_left_is_ignored(place):
    (place / f".plays.csv.{os.getpid()}.part").write_bytes(b"old")
    with AtomicFile("plays.csv", force=False) as out:
        out.write(b"new")
    assert (place / "plays.csv").read_bytes() == b"new"


# -- terminals --

HOSTILE = "a\x1b[31m\x07\x9b2J\u202e\u2066\x7f\r\b[bold]x[red]:smile:"
SHOWN = "a\\x1b[31m\\x07\\x9b2J\\u202e\\u2066\\x7f\\r\\x08[bold]x[red]:smile:"


def test_what_comes_from_outside_cannot_steer_a_terminal(capsys):
    assert escape_control_characters(f"{HOSTILE}\nnext\t") == f"{SHOWN}\nnext\\t"
    echo(HOSTILE)
    assert capsys.readouterr().out == f"{SHOWN}\n"
    for stream in (None, sys.stderr):
        assert SHOWN in Table(["name", HOSTILE], [[HOSTILE, HOSTILE]], has_numbers=False).render(stream)
    assert json.loads(as_json({HOSTILE: HOSTILE})) == {HOSTILE: HOSTILE}
    for indent in (False, True):
        assert all(map(str.isprintable, as_json({"x": [HOSTILE, "\U000e0001é"]}, indent=indent).split("\n")))
    assert json.loads(as_json({"x": "\udcff\ud800", "n": 10**30})) == {"x": "\\xff\\ud800", "n": 10**30}


async def test_names_and_the_words_of_a_service_are_shown_with_escapes(place):
    write_plays(place / HOSTILE, plays(2))

    async def answer(reader, writer):
        await reader.readuntil(b"\r\n\r\n")
        body = json.dumps({"status": "error", "error": {"code": 2001, "message": HOSTILE}}, ensure_ascii=False).encode()
        head = f"HTTP/1.1 404 Not Found\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n"
        writer.write(head.encode() + b"Connection: close\r\n\r\n" + body)
        await writer.drain()
        writer.close()

    async with await asyncio.start_server(answer, "127.0.0.1", 0) as server:
        url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        ended = [
            await sevendigital(*arguments, cwd=place, base_url=url)
            for arguments in (
                ("call", "classic.releases.details", "release_id=1"),
                ("call", "classic.releases.details", "release_id=1", "--raw"),
                ("ship", HOSTILE, "--kind", "preview", "--patience", "1", "--drain", "0"),
                ("ship", HOSTILE, "--kind", "preview", "--patience", "1", "--drain", "0", "--json"),
            )
        ]
        server.close()
    for one in ended:
        assert one.code != 0
        assert all(map(str.isprintable, (one.out + one.err).split("\n"))), one
    assert "[bold]x[red]:smile: (code 2001" in ended[0].err
    assert SHOWN in ended[2].out + ended[2].err


# -- how long it takes --


@pytest.mark.parametrize(("linger", "most"), [("5", 4.5), ("0", 4.5)])
async def test_patience_and_one_drain_are_all_that_is_waited(place, unused_tcp_port, linger, most):
    write_plays(place / "plays.jsonl", plays(700))
    ended = await sevendigital(
        *("ship", "plays.jsonl", "--kind", "preview", "--patience", "1", "--drain", "1", "--linger", linger, "--json"),
        cwd=place,
        base_url=f"http://127.0.0.1:{unused_tcp_port}",
    )
    assert ended.code == 4
    assert 1 <= ended.summary["seconds"] < most
    assert "nothing was delivered for 1 s" in ended.err.splitlines()[-1]


async def test_a_run_that_stops_without_a_delivery_says_why_nothing_was_delivered(place, unused_tcp_port):
    write_plays(place / "plays.jsonl", plays(3))
    quick = ("ship", "plays.jsonl", "--kind", "preview", "--patience", "2", "--drain", "0")
    async with open_sandbox("503:1.0") as failing, raw_server(answer("<html>", "502 Bad Gateway")) as gateway:
        *ended, limited = await asyncio.gather(
            sevendigital(*quick, "--spool", "1.db", cwd=place, base_url=f"http://127.0.0.1:{unused_tcp_port}"),
            sevendigital(*quick, "--spool", "2.db", cwd=place, base_url=failing.base_url.replace("http:", "https:")),
            sevendigital(*quick, "--spool", "3.db", cwd=place, base_url=failing.base_url),
            sevendigital(*quick, "--spool", "4.db", cwd=place, base_url=gateway.base_url),
            sevendigital(
                *(*quick, "--spool", "5.db", "--limits", f"redis://127.0.0.1:{unused_tcp_port}/0"),
                cwd=place,
                base_url=failing.base_url,
            ),
        )
    assert {one.code for one in (*ended, limited)} == {4}
    causes = ("Connect call failed", "SSL", "HTTP 503", "HTTP 502")
    for cause, one in zip(causes, ended, strict=True):
        assert re.search(f"nothing was delivered for 2 s; stopped: .*{cause}", one.err.splitlines()[-1]), one.err
    [alert] = [line for line in limited.err.splitlines() if "Redis" in line]
    assert "sevendigital: the shared rate limit: Redis at" in alert


async def test_a_batch_that_waits_for_company_in_a_pipe_is_not_a_stall(place):
    async with (
        open_sandbox() as sandbox,
        running(
            *("ship", "-", "--kind", "preview", "--patience", "3", "--linger", "4", "--json"),
            cwd=place,
            base_url=sandbox.base_url,
        ) as command,
    ):
        command.process.stdin.write(plays(1)[0].encode() + b"\n")
        await until(lambda: len(sandbox.received()) == 1)
        ended = await command.end(b"")
    assert (ended.code, ended.summary["delivered"]) == (0, 1)


def test_tolerances_are_read(place):

    assert [parse_duration(text, "-").total_seconds() for text in ("0", "500ms", "1.5s", "2m", "0.25")] == [
        *(0.0, 0.5, 1.5, 120.0, 0.25)
    ]
    assert parse_duration("1440m", "-") == timedelta(days=1)
    for text in ("", "-1s", "1h", "nan", "1441m", "9" * 20):
        with pytest.raises(ConfigurationError, match="not a duration"):
            parse_duration(text, "--tolerance")
