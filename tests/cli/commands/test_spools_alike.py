"""The commands on spools print the same of a spool in Redis as of one in a file."""

import asyncio
import re

import pytest
from support.cli_process import KEY, SECRET, open_sandbox, plays

from sevendigital_async import LogKind, SevenDigital, StreamLogShipper
from sevendigital_async.cli import main

MADE = plays(6, users=2)


async def fill(spool):
    """Leave four delivered plays, one buried and one waiting."""
    async with open_sandbox("poison:3") as sandbox:
        async with SevenDigital(KEY, SECRET, base_url=sandbox.base_url) as client:
            async with StreamLogShipper(client, spool=spool) as shipper:
                await shipper.put_many(LogKind.CATALOGUE, MADE[:5])
                await shipper.flush()
        async with SevenDigital(KEY, SECRET, base_url="http://127.0.0.1:9") as client:
            async with StreamLogShipper(client, spool=spool, user_tokens=no_answer, close_timeout=0) as shipper:
                await shipper.put(LogKind.SUBSCRIBER, MADE[5])


async def no_answer(_user_id):
    """Never return, so that the play is not in a request when the shipper closes."""
    await asyncio.Event().wait()


def without_places(text):
    """Return what was printed without what must differ: places, sizes, numbers of dead letters, times and ids."""
    text = re.sub(r"^.*(plays\.db|redis|Redis|an accepted play).*$", "", text, flags=re.MULTILINE)
    text = re.sub(r"\d{4}-\d\d-\d\dT[\d:.]+(Z|\+00:00)", "TIME", text)
    text = re.sub(r"\b\d{13}-\d+\b|^ +1\b|\b[0-9a-f]{32}\b", "ID", text, flags=re.MULTILINE)
    return [" ".join(line.split()) for line in re.sub(r"\b\d+ [smh]\b", "AGE", text).splitlines() if line.strip()]


def test_they_print_the_same(redis_server, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    printed = {}
    for spool in ("plays.db", redis_server.url):
        asyncio.run(fill(spool))
        printed[spool] = []
        for arguments in (
            ["spool", "status"],
            ["dead-letters", "list"],
            ["dead-letters", "list", "--state", "held"],
            ["journal", "export", "--out", "-"],
            ["dead-letters", "show", "99"],
            ["dead-letters", "discard", "--all", "--yes"],
            ["dead-letters", "list"],
            ["journal", "export", "--outcome", "discarded", "--out", "-"],
            ["spool", "status"],
        ):
            code = main([*arguments, "--spool", spool])
            out = capsys.readouterr()
            printed[spool].append((arguments, code, without_places(out.out), without_places(out.err)))
    file, redis = printed.values()
    assert file == redis
    assert any("catalogue 5 4 0 1 0" in line for line in file[0][2])


@pytest.mark.parametrize("columns", ["40", "80"])
def test_they_fit_a_narrow_terminal(columns, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", columns)
    asyncio.run(fill("plays.db"))
    for arguments in (["spool", "status"], ["dead-letters", "list"], ["dead-letters", "show", "1"]):
        assert main([*arguments, "--spool", "plays.db"]) == 0
        lines = capsys.readouterr().out.splitlines()
        assert not [line for line in lines if len(line) > int(columns) and " " in line.strip()]
