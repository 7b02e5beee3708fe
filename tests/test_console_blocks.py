"""The commands in the console blocks of README.md and of the site's pages work as they are printed.

Each block runs in a directory of its own, with the files that its commands read, against a sandbox.
"""

import asyncio
import gzip
import json
import re
import shlex
import shutil
import signal
from datetime import UTC, datetime, timedelta

import pytest
from support.cli_process import open_sandbox, plays, running, sevendigital, until, write_plays
from support.paths import ROOT

PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
BLOCK = re.compile(r"^```(?:console|sh)\n(.*?)^```$", re.DOTALL | re.MULTILINE)
UNKNOWN_TRACK = "900000"


def commands_in(block):
    """Return the commands of a block, without prompts, comments and line continuations."""
    lines = re.sub(r"\\\n\s*", "", block).splitlines()
    return [re.sub(r"\s{2,}#.*", "", re.sub(r"^[$#] ", "", line)) for line in lines if line.strip()]


def is_ours(command):
    return command.rpartition("| ")[2].startswith("sevendigital ") and not ELSEWHERE.search(command)


ELSEWHERE = re.compile(r"kafka://|--http")
"""What needs a broker, or is an excerpt; tests/test_deploy.py looks at the commands of supervisors."""

BLOCKS = [
    pytest.param([command for command in commands if is_ours(command)], id=f"{page.relative_to(ROOT)}-{number}")
    for page in PAGES
    for number, commands in enumerate(map(commands_in, BLOCK.findall(page.read_text())))
    if any(map(is_ours, commands))
]
FOR_EVER = ("sevendigital sandbox", "sevendigital ship --follow")


@pytest.fixture
async def sandbox():
    async with open_sandbox(f"poison:{UNKNOWN_TRACK}") as sandbox:
        yield sandbox


def prepare(folder):
    """Write the files that commands read."""
    write_plays(folder / "plays.jsonl", plays(5))
    write_plays(folder / "streams.jsonl", plays(5))
    (folder / "plays.gz").write_bytes(gzip.compress(b"".join(log.encode() + b"\n" for log in plays(3, users=2))))
    tokens = {f"user-{n}": {"token": f"sandbox-token-user-{n}", "secret": f"sandbox-secret-user-{n}"} for n in (0, 1)}
    (folder / "tokens.json").write_text(json.dumps(tokens))
    (folder / "log").mkdir()
    write_plays(folder / "log" / "plays.jsonl", plays(5))
    (folder / "logs").mkdir()
    row = f"5500011,{datetime.now(UTC) - timedelta(hours=1):%FT%TZ},preview\n"
    (folder / "logs" / "1.csv.gz").write_bytes(gzip.compress(f"track,timestamp,type\n{row}".encode()))


async def fill_spools(folder, sandbox):
    """Leave spools with delivered plays and eighteen buried ones, and a vendor's list that equals the journal."""
    made = [json.loads(log.encode()) for log in plays(20)]
    lines = [json.dumps(play | ({"trackId": UNKNOWN_TRACK} if n > 1 else {})) for n, play in enumerate(made)]
    (folder / "plays.jsonl").write_text("\n".join(lines) + "\n")
    options = {"cwd": folder, "base_url": sandbox.base_url}
    ended = await sevendigital("ship", "plays.jsonl", "--kind", "preview", **options)
    assert ended.code == 3, ended.err
    for ending in ("", "-mark"):
        shutil.copy(folder / f"plays.jsonl.spool{ending}", folder / f"plays.db{ending}")
    exported = ("journal", "export", "--spool", "plays.jsonl.spool", "--out", "theirs.csv")
    assert (await sevendigital(*exported, **options)).code == 0


@pytest.mark.parametrize("commands", BLOCKS)
async def test_the_commands_work_as_printed(commands, sandbox, tmp_path):
    if any(word in command for command in commands for word in ("dead-letters", "journal", "spool status")):
        await fill_spools(tmp_path, sandbox)
    else:
        prepare(tmp_path)
    for command in commands:
        await run(command, tmp_path, sandbox.base_url)


async def run(command, folder, base_url):
    """Run one line; what runs until a signal gets one when it works, and questions are answered with yes."""
    feed, _, rest = command.rpartition("| ")
    words, _, target = rest.partition(" > ")
    arguments = [word.replace("/var/log", str(folder / "log")) for word in shlex.split(words)]
    assert arguments[0] == "sevendigital", command
    if command.startswith("sevendigital sandbox"):
        arguments += ["--port", "0"]  # several tests run at the same time
    if arguments[2:3] in (["replay"], ["discard"]):
        arguments.append("--yes")
    options = {"cwd": folder, "base_url": base_url}
    if command.startswith(FOR_EVER):
        async with running(*arguments[1:], **options) as started:
            await has_begun(started, folder)
            started.process.send_signal(signal.SIGTERM)
            ended = await started.end()
    else:
        stdin = gzip.decompress((folder / feed.split()[1]).read_bytes()) if feed else None
        ended = await sevendigital(*arguments[1:], stdin=stdin, **options)
    assert ended.code == 0, (command, ended.err)
    assert not target or json.loads(ended.out)


async def has_begun(started, folder):
    """Wait until the sandbox has printed its address, or the spool of a file that is followed exists."""
    printed = asyncio.create_task(started.process.stdout.readline())
    await until(lambda: printed.done() or (folder / "log" / "plays.jsonl.spool").exists())
    if not printed.done():
        printed.cancel()
        await asyncio.wait([printed])


def test_the_blocks_are_found():
    assert len(BLOCKS) >= 9
