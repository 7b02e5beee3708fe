"""`call`, `operations` and `sign-url`: any operation from the shell."""

import asyncio
import json
import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import aiohttp
import pytest
from support.cli_process import KEY, SECRET, environment, open_sandbox, running, sevendigital
from yarl import URL

from sevendigital_async.cli import main
from sevendigital_async.cli.arguments import (
    STRUCTURES,
    _types_of,
    complete_argument,
    complete_operation,
    find_operation,
    known_values,
    parameters_of,
    read_arguments,
)
from sevendigital_async.cli.commands.call import CALL_HELP, SIGN_URL_HELP
from sevendigital_async.config import Dialect
from sevendigital_async.errors import InvalidArgumentError
from sevendigital_async.operations import REGISTRY


async def call(sandbox, *arguments, cwd, **options):
    return await sevendigital("call", *arguments, base_url=sandbox.base_url, cwd=cwd, **options)


async def test_an_answer_is_json(tmp_path):
    async with open_sandbox() as sandbox:
        ended = await call(sandbox, "classic.releases.search", "q=a", "page_size=2", cwd=tmp_path)
        wired = await call(sandbox, "classic.releases.search", "q=a", "pageSize=2", cwd=tmp_path)
        by_id = await call(sandbox, "getStatus", cwd=tmp_path)
    page = json.loads(ended.out)
    assert (ended.code, ended.err, len(page["items"]), page["page_size"]) == (0, "", 2, 2)
    assert {"id", "title", "artist"} <= page["items"][0].keys()
    assert wired.out == ended.out
    assert set(json.loads(by_id.out)) == {"server_time"}


async def test_the_answer_can_be_had_as_it_comes(tmp_path):
    async with open_sandbox() as sandbox:
        found = json.loads((await call(sandbox, "classic.releases.search", "q=a", cwd=tmp_path)).out)
        release = ("classic.releases.details", f"release_id={found['items'][0]['id']}")
        raw = await call(sandbox, *release, "--raw", cwd=tmp_path)
        xml = await call(sandbox, *release, "--xml", cwd=tmp_path)
    assert json.loads(raw.out)["status"] == "ok"
    assert xml.out.lstrip().startswith("<")
    assert f'id="{found["items"][0]["id"]}"' in xml.out


async def test_bodies_and_files_are_arguments_too(tmp_path):
    (tmp_path / "tracks.json").write_text('[{"trackId":"1","title":"One","artist":"Somebody"}]')
    async with open_sandbox() as sandbox:
        made = await call(sandbox, "platform.playlists.create", "name=Run", "tracks=@tracks.json", cwd=tmp_path)
    assert (made.code, made.err) == (0, "")
    playlist = json.loads(made.out)
    assert (playlist["name"], playlist["tracks"][0]["title"]) == ("Run", "One")


async def test_the_examples_of_the_help_work_in_a_sandbox(tmp_path):
    examples = re.findall(r"^  sevendigital (.*)$", f"{CALL_HELP}{SIGN_URL_HELP}", re.MULTILINE)
    assert len(examples) == 5
    async with open_sandbox() as sandbox:
        for example in examples:
            ended = await sevendigital(*shlex.split(example), base_url=sandbox.base_url, cwd=tmp_path)
            assert (ended.code, ended.err) == (0, ""), example


async def test_refused_items_are_reported_with_their_reasons(tmp_path):
    tracks = json.dumps([{"trackId": str(number)} for number in range(5)])
    async with open_sandbox() as sandbox:
        ended = await call(sandbox, "platform.playlists.create", "name=Run", f"tracks={tracks}", cwd=tmp_path)
    items = "".join(f"; item {number}: title is missing" for number in range(3))
    assert ended.code == 1
    assert ended.err.endswith(f"(code 1008, HTTP 400){items}; 2 more\n")


async def test_media_go_to_a_file(tmp_path):
    async with open_sandbox() as sandbox:
        track = json.loads((await call(sandbox, "platform.catalogue.search_tracks", "q=a", cwd=tmp_path)).out)["items"][
            0
        ]
        clip = ("platform.streaming.preview", f"track_id={track['id']}")
        ended = await call(sandbox, *clip, "--out", "clip.mp3", cwd=tmp_path)
        without = await call(sandbox, *clip, cwd=tmp_path)
        words = await call(sandbox, "classic.service.status", "--out", "x", cwd=tmp_path)
        with (tmp_path / "piped.mp3").open("wb") as pipe:
            piped = await call(sandbox, *clip, "--out", "-", cwd=tmp_path, stdout=pipe)
        assert (piped.code, piped.err) == (0, "")
        assert (tmp_path / "piped.mp3").read_bytes() == (tmp_path / "clip.mp3").read_bytes()
        assert ended.code == 0
        assert json.loads(ended.out) == {"file": "clip.mp3", "bytes": (tmp_path / "clip.mp3").stat().st_size}
        assert (without.code, words.code) == (1, 1)
        assert "--out" in without.err
        assert {path.name for path in tmp_path.iterdir()} == {"clip.mp3", "piped.mp3"}


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["nope.nope"], "no such operation: nope.nope"),
        (["searchReleases"], "ambiguous"),
        (["classic.releases.search"], "needs the argument 'q'"),
        (["classic.releases.search", "q"], "key=value"),
        (["classic.releases.search", "=x"], "key=value"),
        (["classic.releases.search", "q=a", "q=b"], "twice"),
        (["classic.releases.search", "q=a", "colour=red"], "has no argument 'colour'; its arguments are q, "),
        (["classic.releases.search", "q=@nowhere.txt"], "cannot read nowhere.txt: No such file"),
        (["classic.releases.search", "q=@"], "q: @ must be followed by the name of a file"),
        (["platform.catalogue.releases_batch", "release_ids=1,2"], "release_ids: '1,2' is not valid JSON"),
        (["platform.playlists.create", "name=x", "tracks=[1"], "tracks: '[1' is not valid JSON"),
        (["classic.releases.details", "release_id=999999999"], "code 2001"),
        (["classic.service.status", "--user-token", "t"], "--user-secret"),
    ],
)
async def test_what_goes_wrong_is_one_line(tmp_path, arguments, words):
    async with open_sandbox() as sandbox:
        ended = await call(sandbox, *arguments, cwd=tmp_path)
    assert (ended.code, ended.out) == (1, "")
    assert words in ended.err
    assert ended.err.count("\n") == 1


async def test_a_user_can_be_acted_for(tmp_path):
    async with open_sandbox(managed_users=False) as sandbox:
        token = sandbox.token_for("7")
        env = {"SEVENDIGITAL_USER_TOKEN": token.token, "SEVENDIGITAL_USER_SECRET": token.secret}
        ended = await call(sandbox, "classic.user.locker", cwd=tmp_path, env=env, secrets=[token.secret])
        refused = await call(sandbox, "classic.user.locker", cwd=tmp_path)
    assert (ended.code, json.loads(ended.out).get("total_items", 0)) == (0, 0)
    assert (refused.code, "OAuth" in refused.err) == (1, True)


async def test_a_signed_url_can_be_fetched_by_anybody(tmp_path):
    async with open_sandbox() as sandbox:
        ended = await sevendigital(
            "sign-url", "classic.releases.search", "q=AC/DC (it's) 1,2 é", base_url=sandbox.base_url, cwd=tmp_path
        )
        url = ended.out.strip()
        assert parse_qs(urlsplit(url).query)["q"] == ["AC/DC (it's) 1,2 é"]
        async with aiohttp.ClientSession() as session, session.get(URL(url, encoded=True)) as response:
            assert response.status == 200
        posted = await sevendigital(
            "sign-url", "reportPreviewStream", "logs=[]", base_url=sandbox.base_url, cwd=tmp_path
        )
    assert (posted.code, "only GET requests" in posted.err) == (1, True)


def test_text_that_is_not_json_is_refused_for_every_list_and_object():
    refused = set()
    for operation in REGISTRY:
        for dialect in operation.bindings:
            for name, parameter in parameters_of(operation, dialect).items():
                if STRUCTURES.intersection(_types_of(operation, parameter)) and parameter.location.name == "JSON":
                    with pytest.raises(InvalidArgumentError, match=f"{name}: 'a,b' is not valid JSON"):
                        read_arguments(operation, [f"{name}=a,b"], dialect)
                    refused.add(name)
    assert {"tracks", "logs", "release_ids", "annotations"} <= refused


def test_a_word_that_no_operation_has_is_named(capsys):
    assert main(["operations", "nothing-like-it"]) == 0
    assert capsys.readouterr() == ("", "sevendigital: no operation has 'nothing-like-it' in its name or id\n")
    assert main(["operations", "nothing-like-it", "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == []


def test_operations_are_listed(capsys):
    assert main(["operations"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == len(REGISTRY) + 1
    assert lines[0].split() == ["name", "endpoint", "signed", "repeating"]
    assert main(["operations", "basket", "--json"]) == 0
    described = json.loads(capsys.readouterr().out)
    assert {"classic.basket.create", "classic.basket.add_item"} <= {operation["name"] for operation in described}
    assert all(operation["safety"] in {"read", "idempotent", "unsafe"} for operation in described)


def test_the_shell_completes_operations():
    assert complete_operation("platform.logging.") == [
        f"platform.logging.{kind}" for kind in ("preview", "catalogue", "subscriber")
    ] or set(complete_operation("platform.logging.")) == {
        "platform.logging.catalogue",
        "platform.logging.preview",
        "platform.logging.subscriber",
    }


@pytest.mark.parametrize("name", ["call", "operations", "sign-url"])
def test_help_is_worth_reading(name, capsys, monkeypatch):
    monkeypatch.setenv("SEVENDIGITAL_CONSUMER_SECRET", SECRET)
    monkeypatch.setenv("SEVENDIGITAL_CONSUMER_KEY", KEY)
    assert main([name, "--help"]) == 0
    printed = capsys.readouterr().out
    assert "Example" in printed
    assert SECRET not in printed


@pytest.mark.parametrize(("text", "value"), [("12", "12"), ("true", True), ("[1]", [1]), ('"x"', "x"), ("x y", "x y")])
def test_what_travels_as_json_is_read_as_json(text, value):
    operation = find_operation("platform.playlists.create")
    assert read_arguments(operation, [f"name={text}"], Dialect.OPENAPI) == {"name": value}


def test_a_file_that_is_not_text_is_refused(tmp_path):
    Path(tmp_path / "x").write_bytes(b"\xff\xfe")
    with pytest.raises(InvalidArgumentError, match="not UTF-8"):
        read_arguments(find_operation("classic.releases.search"), [f"q=@{tmp_path / 'x'}"], Dialect.OPENAPI)


async def test_a_reader_that_leaves_is_not_an_error(tmp_path):
    async with (
        open_sandbox() as sandbox,
        running("call", "classic.releases.search", "q=a", base_url=sandbox.base_url, cwd=tmp_path) as started,
    ):
        started.process.stdout._transport.close()
        assert await started.process.wait() == 0
        assert b"Traceback" not in await asyncio.wait_for(started.process.stderr.read(), 20)


# -- completion --


@pytest.mark.parametrize(
    ("given", "incomplete", "expected"),
    [
        ([], "", ["q=", "type=", "country=", "page=", "page_size="]),
        (["q=abbey"], "p", ["page=", "page_size="]),
        (["q=abbey"], "type=s", ["type=single"]),
        (["q=abbey"], "country=G", ["country=GA", "country=GB", "country=GD"]),
        (["q=abbey"], "weight=1", []),
        # bash takes the sign for a word of its own.
        (["type"], "=", ["album", "single", "ep", "compilation", "video"]),
        (["type", "="], "al", ["album"]),
    ],
)
def test_the_shell_completes_arguments_and_their_values(given, incomplete, expected):
    completed = complete_argument("classic.releases.search", given, incomplete, Dialect.OPENAPI)
    assert completed[: len(expected)] == expected
    assert len(completed) == len(expected) or incomplete.startswith("country=")


def test_nothing_completes_what_does_not_exist():
    assert complete_argument("classic.weather", [], "", Dialect.OPENAPI) == []


def test_every_operation_has_a_method_to_take_values_from():
    with_values = {
        f"{operation.name} {name}"
        for operation in REGISTRY
        for dialect in operation.bindings
        for name, parameter in parameters_of(operation, dialect).items()
        if known_values(operation, parameter)
    }
    assert {
        "platform.radio.create_session ruleset",
        "classic.tracks.chart period",
        "platform.playlists.create visibility",
        "platform.catalogue.tracks_batch show_errors",
    } <= with_values


def run_in_shell(shell, script, directory, capsys):
    """Run a script beside the completion script of a shell; return its standard output and error."""
    assert main(["--show-completion", shell]) == 0
    (directory / "completion").write_text(capsys.readouterr().out)
    command = directory / "sevendigital"
    command.write_text(f"#!/bin/sh\nexec {sys.executable} -m sevendigital_async.cli\n")
    command.chmod(0o755)
    environ = environment(PATH=f"{directory}:{os.environ['PATH']}", HOME=str(directory), TERM="dumb")
    done = subprocess.run(
        [shutil.which(shell), "-c", script], cwd=directory, env=environ, capture_output=True, text=True, check=False
    )
    return done.stdout, done.stderr


def needs(shell):
    return pytest.mark.skipif(shutil.which(shell) is None, reason=f"{shell} is not installed")


@needs("bash")
def test_bash_completes_a_line(tmp_path, capsys):
    script = """
        source ./completion
        COMP_WORDS=(sevendigital call classic.releases.search q = abbey type = comp) COMP_CWORD=8
        _sevendigital_completion sevendigital
        echo "${COMPREPLY[@]}"
    """
    assert run_in_shell("bash", script, tmp_path, capsys) == ("compilation\n", "")


@needs("zsh")
@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("sevendigital call classic.releases.search q=a:b pa", ["key -S  page= page_size="]),
        ("sevendigital call classic.releases.search q=a type=comp", ["word type=compilation"]),
        ("sevendigital operations --js", ["word --json:Print a JSON array, arguments included."]),
        ("sevendigital ship pla", ["files"]),
    ],
)
def test_zsh_completes_a_line(line, expected, tmp_path, capsys):
    script = f"""
        compdef() {{ completer=$1 }}
        _describe() {{ print -r -- $1 "${{@[3,-1]}}" ${{(P)2}} }}
        _files() {{ print files }}
        source ./completion
        words=({line}); CURRENT=$#words
        $completer
        unfunction $completer; mv completion _sevendigital; fpath=($PWD)
        autoload -Uz _sevendigital; _sevendigital  # as installed: the first time in a shell
        $completer
    """
    assert run_in_shell("zsh", script, tmp_path, capsys) == (3 * "".join(f"{each}\n" for each in expected), "")


@needs("fish")
def test_fish_completes_a_line_and_prints_nothing_else(tmp_path, capsys):
    (tmp_path / "plays.jsonl").touch()
    script = """
        source ./completion
        complete -C 'sevendigital call classic.releases.search q=a pa'
        complete -C 'sevendigital ship pla'
    """
    assert run_in_shell("fish", script, tmp_path, capsys) == ("page=\npage_size=\nplays.jsonl\n", "")
