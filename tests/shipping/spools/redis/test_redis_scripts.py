"""The Lua files and the Python that calls them: same names, same order, and nothing undeclared."""

import ast
import re
from pathlib import Path

import pytest
from support.clock import VirtualClock
from support.rows import each_row
from test_redis_spool import PREVIEW, RULES, plays, worker

import sevendigital_async
from sevendigital_async import LogKind, SpoolError
from sevendigital_async.redis_connection import RedisScript
from sevendigital_async.session import redis_rate_limiter
from sevendigital_async.shipping.spools.base import SpoolContext
from sevendigital_async.shipping.spools.redis import RedisSpool, RedisSpoolInspector, scripts

PACKAGE = Path(sevendigital_async.__file__).parent
SCRIPTS = {
    name: script
    for module in (scripts, redis_rate_limiter)
    for name, script in vars(module).items()
    if isinstance(script, RedisScript)
}
ADDED = {"base", "clock_offset", "expected_spool"}
"""What SpoolClient adds to every call."""


def names_of(script):
    return {*script.keys, *script.arguments, *([script.rest_argument] if script.rest_argument else [])}


def test_each_lua_file_is_a_script_or_included_in_one():
    files = {path.relative_to(PACKAGE) for path in PACKAGE.rglob("*.lua")}
    called = {Path(*script.package.split(".")[1:], script.path) for script in SCRIPTS.values()}
    included = {
        (PACKAGE / path).parent.relative_to(PACKAGE) / f"{name}.lua"
        for path in called
        for line in re.findall(r"^-- include: (.+)$", (PACKAGE / path).read_text(), re.MULTILINE)
        for name in line.split()
    }
    assert files == called | included
    assert not called & included


@each_row("script", SCRIPTS.values(), ids=SCRIPTS)
def test_a_script_declares_every_key_and_argument_that_it_uses(script):
    code = "\n".join(line.partition("--")[0] for line in script.text.splitlines())
    for array, declared in (("KEYS", script.keys), ("ARGV", script.arguments)):
        numbers = [int(number) for number in re.findall(rf"{array}\[(\d+)\]", code)]
        assert numbers == list(range(1, len(declared) + 1)), "each is used once: where it gets its name"
    assert ("#ARGV" in code or "unpack(ARGV" in code or "ARGV[plays" in code) == bool(script.rest_argument)
    assert len(names_of(script)) == len(script.keys) + len(script.arguments) + bool(script.rest_argument)


def calls():
    """Find every call that names a script: the script's name, and the keywords of the call."""
    redis_files = (PACKAGE / "shipping/spools/redis").glob("*.py")
    for path in [*redis_files, PACKAGE / "session/redis_rate_limiter.py"]:
        for node in ast.walk(ast.parse(path.read_text())):
            if not isinstance(node, ast.Call) or not node.args:
                continue
            first = node.args[0]
            if isinstance(first, ast.Name) and path.stem != "redis_rate_limiter":
                continue
            name = first.attr if isinstance(first, ast.Attribute) else getattr(first, "id", "")
            if name in SCRIPTS:
                yield name, {keyword.arg for keyword in node.keywords} - ADDED - {"within"}


def test_every_call_names_the_arguments_that_its_script_declares():
    found, indirect = list(calls()), {"REPLAY", "DISCARD"}
    for name, keywords in found:
        if name in indirect or None in keywords:
            continue
        assert keywords == names_of(SCRIPTS[name]) - ADDED, name
    assert {name for name, _ in found} == set(SCRIPTS)
    assert all(SCRIPTS[name].rest_argument == "ids" for name in indirect)


def test_a_call_with_other_names_is_an_error():
    script = scripts.DUE_IN
    named = {"base": "b", "clock_offset": 0, "expected_spool": "", "kind": "preview", "flush": True}
    assert script.command(named) == [1, "b", 0, "", "preview", 1]
    with pytest.raises(TypeError, match=r"due_in.lua: missing arguments \['kind'\], unknown arguments \['lane'\]"):
        script.command({**{name: value for name, value in named.items() if name != "kind"}, "lane": "preview"})


def test_a_script_that_skips_an_argument_is_an_error(monkeypatch):
    texts = {
        "a.lua": "local one = ARGV[1]\nlocal three = ARGV[3]\n",
        "b.lua": "local one = ARGV[1]\nlocal rest = 3 -- ARGV[3] and on\n",
    }
    monkeypatch.setattr(RedisScript, "_read", lambda _, path: texts[path])
    with pytest.raises(ValueError, match="not declared from 1 on"):
        _ = RedisScript("package", "a.lua").arguments
    with pytest.raises(ValueError, match="does not begin after the last argument"):
        _ = RedisScript("package", "b.lua").rest_argument


def test_the_scripts_know_the_kinds_of_plays():
    [kinds] = re.findall(r"local KINDS = \{(.*)\}", scripts.OPEN.text)
    assert re.findall(r"\w+", kinds) == [kind.value for kind in LogKind]


@pytest.mark.parametrize("keys", [("spool", "room", "aside", "leases"), ("room", "leases"), ("aside",)])
async def test_a_spool_of_an_older_layout_is_an_error_and_stays_as_it_is(redis_server, keys):
    for key in keys:
        redis_server.ask("HSET", f"sevendigital:{{spool}}:{key}", "id", "0123")
    size = redis_server.ask("DBSIZE")
    spool, inspector = RedisSpool(redis_server.url), RedisSpoolInspector(redis_server.url)
    with pytest.raises(SpoolError, match="an older release wrote the spool"):
        await spool.open(SpoolContext(RULES, VirtualClock(), lambda _: None))
    if "spool" in keys:
        with pytest.raises(SpoolError, match="an older release wrote the spool"):
            await inspector.status()
    await inspector.aclose()
    assert redis_server.ask("DBSIZE") == size


async def test_a_spool_whose_layout_changes_under_a_worker_is_an_error(redis_server):
    async with worker(redis_server) as spool:
        redis_server.ask("HSET", "sevendigital:{spool}:spool", "layout", "1")
        with pytest.raises(SpoolError, match="an older release wrote the spool"):
            await spool.lease(PREVIEW, flush=True)
        redis_server.ask("HSET", "sevendigital:{spool}:spool", "layout", "3")
        await spool.append(PREVIEW, plays(1))
