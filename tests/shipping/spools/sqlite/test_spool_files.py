"""The files of a spool: private from the start, never reached through a link, and refused with the package's errors."""

import asyncio
import os
import shutil
import socket
import sqlite3
import stat
import subprocess
import sys
import threading
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

import pytest
from support.clock import VirtualClock

from sevendigital_async import (
    InvalidArgumentError,
    LogKind,
    SevenDigital,
    SpoolError,
    SpoolInUseError,
    StreamLogShipper,
)
from sevendigital_async.cli import main
from sevendigital_async.private_files import ensure_private
from sevendigital_async.shipping.records import Checkpoint, Record
from sevendigital_async.shipping.rules import lane_rules
from sevendigital_async.shipping.spools.base import SpoolContext
from sevendigital_async.shipping.spools.sqlite import SqliteSpool, SqliteSpoolInspector, file

KIND = LogKind.CATALOGUE
NOW = datetime(2026, 1, 1, tzinfo=UTC)
OURS = ("", "-owner", "-mark", "-wal", "-shm")
WHILE_OPEN = (*OURS, "-owner-journal")
UMASKS = (0o000, 0o022, 0o077, 0o277, 0o777)


def records(number):
    return [Record(b"x" * 100, "", NOW) for _ in range(number)]


async def open_spool(path, **options):
    spool = SqliteSpool(path, **options)
    await spool.open(SpoolContext(lane_rules(), VirtualClock(), lambda _: None))
    return spool


async def used(path):
    """Open a spool, put something into it and close it."""
    spool = await open_spool(path)
    await spool.append(KIND, records(2))
    await spool.aclose()


async def read(path):
    inspector = SqliteSpoolInspector(path)
    try:
        return await inspector.status()
    finally:
        await inspector.aclose()


def modes(directory):
    return {path.name: stat.S_IMODE(path.lstat().st_mode) for path in directory.iterdir()}


@pytest.fixture(params=UMASKS, ids=oct)
def umask(request):
    before = os.umask(request.param)
    yield request.param
    os.umask(before)


# -- who may write them --

OPEN = """
import sys
from pathlib import Path
from sevendigital_async.shipping.spools.sqlite.file import SpoolFile
SpoolFile(Path(sys.argv[1])).open("")
"""


@pytest.mark.skipif(sys.platform == "win32", reason="locks belong to processes on POSIX systems only")
async def test_a_copy_that_the_same_process_makes_lets_no_second_process_in(tmp_path):
    """Closing a file drops all locks of the process on it, also those of SQLite."""
    spool = await open_spool(tmp_path / "plays.db")
    await spool.append(KIND, records(2))
    for file_of_spool in tmp_path.iterdir():
        file_of_spool.read_bytes()
    other = await asyncio.to_thread(
        subprocess.run, [sys.executable, "-c", OPEN, tmp_path / "plays.db"], capture_output=True, text=True, check=False
    )
    assert "SpoolInUseError" in other.stderr
    await spool.append(KIND, records(2))
    await spool.aclose()
    assert (await read(tmp_path / "plays.db")).counts[KIND].put == 4


@pytest.mark.skipif(sys.platform == "win32", reason="there is no fork")
async def test_a_child_that_outlives_its_parent_keeps_no_lock(tmp_path):
    spool = await open_spool(tmp_path / "plays.db")
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(writing)
        os.read(reading, 1)  # until the parent ends
        os._exit(0)
    await spool.aclose()
    again = await open_spool(tmp_path / "plays.db")
    await again.aclose()
    os.close(writing)
    os.close(reading)
    await asyncio.to_thread(os.waitpid, child, 0)


# -- who may read them --


async def test_nobody_else_may_read_a_file_of_a_spool(tmp_path, umask):
    spool = await open_spool(tmp_path / "plays.db")
    await spool.append(KIND, records(2))
    assert modes(tmp_path) == {f"plays.db{ending}": 0o600 for ending in WHILE_OPEN}
    await spool.aclose()
    assert await read(tmp_path / "plays.db")
    assert set(modes(tmp_path).values()) == {0o600}


async def test_not_even_for_the_moment_in_which_it_is_made(tmp_path, umask, monkeypatch):
    """A file has the right mode from its creation on, whichever function creates it."""
    seen = {}
    real = os.open

    def watched(path, flags, mode=0o777, **more):
        if flags & os.O_CREAT:
            seen[Path(path).name] = mode
        return real(path, flags, mode, **more)

    connect, empty = sqlite3.connect, []
    monkeypatch.setattr(os, "open", watched)
    monkeypatch.setattr(
        sqlite3, "connect", lambda path, *args, **more: empty.append(str(path)) or connect(path, *args, **more)
    )
    await used(tmp_path / "plays.db")
    assert seen == {"plays.db-owner": 0o600, "plays.db-new": 0o600, "plays.db-mark": 0o600}
    made_by_sqlite = {Path(path).name for path in empty if "?" not in path and path != ":memory:"}
    assert made_by_sqlite == {"plays.db-owner", "plays.db-new", "plays.db"}  # which existed: the last by renaming


async def test_a_spool_that_everybody_could_read_is_closed_to_them(tmp_path):
    path = tmp_path / "plays.db"
    spool = await open_spool(path)
    await spool.append(KIND, records(2))
    shutil.copytree(tmp_path, tmp_path / "killed")
    await spool.aclose()
    for kept in (tmp_path / "killed").iterdir():
        kept.chmod(0o664)
    spool = await open_spool(tmp_path / "killed" / "plays.db")
    assert set(modes(tmp_path / "killed").values()) == {0o600}
    assert (await spool.counts(KIND)).waiting == 2
    await spool.aclose()


async def test_reading_a_spool_changes_no_modes(tmp_path):
    await used(tmp_path / "plays.db")
    (tmp_path / "plays.db").chmod(0o644)
    await read(tmp_path / "plays.db")
    assert modes(tmp_path)["plays.db"] == 0o644


async def test_a_second_process_does_not_break_the_lock_of_the_first(tmp_path):
    """Closing a file drops all locks that the process has on it, so it must not be opened to check its mode."""
    spool = await open_spool(tmp_path / "plays.db")
    for _ in range(3):
        with pytest.raises(SpoolInUseError):
            await open_spool(tmp_path / "plays.db")
    command = ("import sqlite3, sys; sqlite3.connect(sys.argv[1], timeout=0).execute('BEGIN EXCLUSIVE')",)
    process = await asyncio.create_subprocess_exec(
        "python3", "-c", *command, tmp_path / "plays.db-owner", stderr=asyncio.subprocess.PIPE
    )
    _, output = await process.communicate()
    assert b"locked" in output
    await spool.aclose()


def test_many_threads_may_make_the_same_file(tmp_path):
    threads = [threading.Thread(target=ensure_private, args=(tmp_path / "file",)) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert modes(tmp_path) == {"file": 0o600}


# -- links and other things that are no files --


def directory(path):
    path.mkdir()


def link(path):
    path.symlink_to(path.with_name("precious"))


def dangling(path):
    path.symlink_to(path.with_name("nowhere"))


def device(path):
    path.symlink_to("/dev/null")


def listening(path):
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(os.path.relpath(path))


THINGS = (directory, link, dangling, device, os.mkfifo, listening)


@pytest.mark.parametrize("make", THINGS)
@pytest.mark.parametrize("ending", [ending for ending in file.COMPANIONS if "new" not in ending])
@pytest.mark.parametrize("exists", [False, True], ids=["new", "old"])
async def test_what_stands_in_the_place_of_a_file_of_ours_is_left_alone(tmp_path, monkeypatch, ending, make, exists):
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "plays.db"
    (tmp_path / "precious").write_bytes(b"precious")
    (tmp_path / "precious").chmod(0o644)
    if exists:
        await used(path)
    file.companion_path(path, ending).unlink(missing_ok=True)
    make(file.companion_path(path, ending))
    before = modes(tmp_path)
    for act in (used, read) if exists else (used,):
        async with asyncio.timeout(60):
            with pytest.raises(SpoolError) as caught:
                await act(path)
        assert f"{path}{ending} is a" in str(caught.value)
        assert "remove it" in str(caught.value)
    assert modes(tmp_path) == before
    assert (tmp_path / "precious").read_bytes() == b"precious"
    assert not (tmp_path / "nowhere").exists()


async def test_a_link_that_comes_between_look_and_use_is_not_followed(tmp_path, monkeypatch):
    monkeypatch.setattr("sevendigital_async.shipping.spools.sqlite.file.check_files", lambda path: None)
    path = tmp_path / "plays.db"
    (tmp_path / "precious").write_bytes(b"precious")
    for ending in ("-mark", "-owner"):
        file.companion_path(path, ending).unlink(missing_ok=True)
        link(file.companion_path(path, ending))
        with pytest.raises(SpoolError):
            await used(path)
        assert (tmp_path / "precious").read_bytes() == b"precious"


async def test_a_pipe_that_comes_between_look_and_use_is_not_waited_for(tmp_path, monkeypatch):
    monkeypatch.setattr("sevendigital_async.shipping.spools.sqlite.file.check_files", lambda path: None)
    os.mkfifo(tmp_path / "plays.db-mark")
    async with asyncio.timeout(60):
        with pytest.raises(SpoolError, match="-mark is not a regular file"):
            await used(tmp_path / "plays.db")


# -- places where no spool can be --


def garbage(path):
    path.write_bytes(b"{}\n" * 4000)


def short(path):
    path.write_bytes(b"x")


def foreign(path):
    with closing(sqlite3.connect(path)) as db:
        db.execute("CREATE TABLE plays (id)")


def locked_up(path):
    path.parent.joinpath("shut").mkdir(mode=0o000)


PLACES = {
    "root": ("/", None, "is a directory"),
    "dots": ("a/..", None, "is a directory"),
    "here": (".", None, "is a directory"),
    "empty": ("", None, "is a directory"),
    "directory": ("place", directory, "is a directory"),
    "missing directory": ("none/place", None, "a directory that does not exist"),
    "file as directory": ("place/x.db", garbage, "a directory that does not exist"),
    "pipe": ("place", os.mkfifo, "is a named pipe"),
    "socket": ("place", listening, "is a socket"),
    "device": ("/dev/null", None, "is a device"),
    "zero": ("/dev/zero", None, "is a device"),
    "device, linked": ("place", device, "is a device"),
    "linked to itself": ("place", lambda path: path.symlink_to(path), ""),
    "lines": ("place", garbage, "is not a spool"),
    "short": ("place", short, "not a spool"),
    "no bytes": ("place", lambda path: path.touch(), "is empty, not a spool"),
    "another database": ("place", foreign, "but not a spool"),
    "NUL": ("a\0b", None, "a\\x00b can't be the name of a spool"),
    "surrogate": ("\ud800", None, "\\ud800 can't be the name of a spool"),
    "long": ("x" * 300, None, "File name too long"),
    "almost too long": ("x" * 252, None, "File name too long"),
    "no room": ("/proc/place", None, ""),
    "read-only": ("/sys/place", None, ""),
}


@pytest.mark.parametrize("case", PLACES)
async def test_a_place_where_no_spool_can_be_is_refused_in_our_words(tmp_path, monkeypatch, case):
    monkeypatch.chdir(tmp_path)
    name, make, words = PLACES[case]
    if make is not None:
        make(tmp_path / "place")
    before = modes(tmp_path)
    for act in (used, read):
        async with asyncio.timeout(60):
            with pytest.raises(SpoolError) as caught:
                await act(name)
        assert str(caught.value).isprintable()
        assert words in str(caught.value) or (act is read and "does not exist" in str(caught.value))
    made = modes(tmp_path).keys() - before.keys()
    assert made <= {"place-owner", "place-shm"}, made
    assert not modes(Path("/dev")).keys() & {"null-owner", "zero-owner"}


@pytest.mark.parametrize("case", PLACES)
async def test_a_shipper_refuses_it_as_well(tmp_path, monkeypatch, case):
    monkeypatch.chdir(tmp_path)
    name, make, _ = PLACES[case]
    if not name:
        return  # which is not a name
    if make is not None:
        make(tmp_path / "place")
    async with SevenDigital("key", "secret", base_url="http://127.0.0.1:1") as client, asyncio.timeout(60):
        with pytest.raises(SpoolError):
            async with StreamLogShipper(client, spool=name):
                pass


@pytest.mark.parametrize("case", [case for case in PLACES if case not in {"NUL", "surrogate"}])
def test_the_commands_say_so_in_one_line(tmp_path, monkeypatch, capsys, case):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("SEVENDIGITAL_CONSUMER_KEY", "key")
    monkeypatch.setenv("SEVENDIGITAL_CONSUMER_SECRET", "secret")
    (tmp_path / "plays.jsonl").write_text("")
    name, make, _ = PLACES[case]
    if make is not None:
        make(tmp_path / "place")
    for command in (["ship", "plays.jsonl", "--kind", "preview"], ["spool", "status"], ["dead-letters", "list"]):
        code = main([*command, "--spool", name])
        shown = capsys.readouterr()
        assert code not in {0, None}
        assert shown.out == ""
        assert "Traceback" not in shown.err


@pytest.mark.parametrize("name", ["pläys.db", "a b.db", "%41?x#y.db", "q'uote\".db", "-x", os.fsdecode(b"pl\xe4ys.db")])
async def test_a_spool_may_have_any_name_that_a_file_may_have(tmp_path, name):
    await used(tmp_path / name)
    status = await read(tmp_path / name)
    assert status.counts[KIND].waiting == 2
    assert status.location.isprintable()
    assert {path.name.removeprefix(name) for path in tmp_path.iterdir()} == set(OURS)  # reading leaves two behind


async def test_errors_name_a_spool_in_text_that_any_terminal_takes(tmp_path):
    path = tmp_path / os.fsdecode(b"\x1b[2J\npl\xe4ys.db")
    path.touch()
    with pytest.raises(SpoolError, match="is empty") as caught:
        await used(path)
    assert "\\x1b[2J\\npl\\udce4ys.db is empty" in str(caught.value)


async def test_a_checkpoint_that_is_not_text_does_not_fail_other_puts(tmp_path):
    spool = await open_spool(tmp_path / "plays.db")
    with pytest.raises(SpoolError):
        await spool.checkpoint("\ud800")
    for source, position in (("\ud800", "1"), ("source", "\udce4")):
        with pytest.raises(InvalidArgumentError, match="checkpoint"):
            Checkpoint(source, position)
    await spool.append(KIND, records(1), Checkpoint("quellé\0", "1"))
    assert await spool.checkpoint("quellé\0") == "1"
    assert (await spool.counts(KIND)).waiting == 1
    await spool.aclose()
