"""``ship`` with a spool in a file continues where it stopped, however it stopped; and ``spool status``."""

import asyncio
import hashlib
import os
import signal
import sqlite3
from collections import Counter

import orjson
import pytest
from support.cli_process import (
    PATIENT,
    as_counted,
    canonical,
    lines_in,
    open_sandbox,
    plays,
    received,
    running,
    sevendigital,
    until,
    write_plays,
)

from sevendigital_async import SevenDigital, StreamLogShipper
from sevendigital_async.cli import main
from sevendigital_async.cli.ship.inputs import Input
from sevendigital_async.cli.ship.options import choose_spool
from sevendigital_async.cli.ship.report import run_counts
from sevendigital_async.models import LogKind
from sevendigital_async.shipping import Checkpoint, Counts
from sevendigital_async.shipping.spools.inspector import JournalOutcome
from sevendigital_async.shipping.spools.sqlite import SqliteSpoolInspector

SHIP = ("ship", "plays.jsonl", "--kind", "catalogue", "--json")


async def journal(path, outcome):
    archive = SqliteSpoolInspector(path)
    try:
        found = [entry async for entry in archive.journal() if entry.outcome is outcome]
    finally:
        await archive.aclose()
    return Counter(canonical(entry.log.as_wire()) for entry in found)


def adds_up(summary):
    ends = summary["delivered"] + summary["waiting"] + summary["buried"] + summary["held"]
    return summary["put"] + summary["from_earlier_runs"] == ends


async def test_killed_again_and_again_it_delivers_every_line_and_doubles_only_what_is_in_doubt(tmp_path):
    logs = plays(5_000, users=20)
    write_plays(tmp_path / "plays.jsonl", logs)
    command = ("ship", "plays.jsonl", "--kind", "subscriber", "--json")
    async with open_sandbox(latency="2ms-60ms") as sandbox:
        for share in (0.1, 0.4, 0.7):
            async with running(*command, cwd=tmp_path, base_url=sandbox.base_url) as started:
                await until(lambda share=share: len(sandbox.received()) >= share * len(logs))
                started.process.send_signal(signal.SIGKILL)
                await asyncio.wait_for(started.process.communicate(), PATIENT)
        ended = await sevendigital(*command, cwd=tmp_path, base_url=sandbox.base_url)
        status = await sevendigital("spool", "status", "--spool", "plays.jsonl.spool", "--json", cwd=tmp_path)
        again = await sevendigital(*command, cwd=tmp_path, base_url=sandbox.base_url)
    assert (ended.code, again.code) == (0, 0), ended.err
    assert adds_up(ended.summary)
    arrived, sent = received(sandbox), as_counted(logs)
    assert not sent - arrived  # every line was delivered
    doubles = arrived - sent
    doubtful = await journal(tmp_path / "plays.jsonl.spool", JournalOutcome.IN_DOUBT)
    assert not doubles - doubtful
    assert await journal(tmp_path / "plays.jsonl.spool", JournalOutcome.DELIVERED) == sent  # and put once
    counts = orjson.loads(status.out)["kinds"]["subscriber"]
    assert (counts["put"], counts["delivered"], counts["waiting"]) == (5_000, 5_000, 0)
    assert counts["in_doubt"] == len(doubtful)
    assert again.summary["lines"] == again.summary["put"] == 0


async def test_killed_while_nothing_can_be_delivered_it_continues_from_the_spool(tmp_path):
    logs = plays(3_000)
    write_plays(tmp_path / "plays.jsonl", logs[:2_000])
    async with open_sandbox(latency="300s") as sandbox, running(*SHIP, cwd=tmp_path, base_url=sandbox.base_url) as one:
        await until(lambda: sandbox.stats()["kinds"]["catalogue"]["requests"] >= 4)
        one.process.kill()
        await one.process.communicate()
    with (tmp_path / "plays.jsonl").open("ab") as file:
        file.write(b"".join(log.encode() + b"\n" for log in logs[2_000:]))
    async with open_sandbox() as sandbox:
        ended = await sevendigital(*SHIP, cwd=tmp_path, base_url=sandbox.base_url)
        assert received(sandbox) == as_counted(logs)
    assert ended.code == 0
    assert "continuing at line 2001" in ended.err
    summary = ended.summary
    assert (summary["from_earlier_runs"], summary["put"], summary["delivered"], summary["in_doubt"]) == (
        2_000,
        1_000,
        3_000,
        2_000,
    )


async def test_what_waits_is_delivered_by_the_same_command(tmp_path, unused_tcp_port):
    logs = plays(700)
    write_plays(tmp_path / "plays.jsonl", logs)
    unreachable = await sevendigital(
        *("ship", "plays.jsonl", "--kind", "preview", "--patience", "0.3", "--linger", "0", "--drain", "0"),
        cwd=tmp_path,
        base_url=f"http://127.0.0.1:{unused_tcp_port}",
    )
    assert unreachable.code == 4
    assert "waiting in plays.jsonl.spool: 700 plays" in unreachable.out
    assert "run the same command again" in unreachable.out
    assert not (tmp_path / "plays.jsonl.unsent").exists()
    async with open_sandbox() as sandbox:
        back = await sevendigital("ship", "plays.jsonl", "--kind", "preview", cwd=tmp_path, base_url=sandbox.base_url)
        assert received(sandbox) == as_counted(logs)
    assert back.code == 0
    facts = dict(line.rsplit(None, 1) for line in back.out.splitlines()[1:14])
    assert (facts["lines read"], facts["put"], facts["left by earlier runs"], facts["delivered"]) == (
        *("0", "0", "700", "700"),
    )
    assert "everything was delivered; the journal is in plays.jsonl.spool" in back.out


async def test_a_signal_leaves_the_rest_for_the_next_run(tmp_path):
    logs = plays(20_000)
    write_plays(tmp_path / "plays.jsonl", logs)
    async with open_sandbox(latency="50ms") as sandbox:
        async with running(*SHIP, "--drain", "0", cwd=tmp_path, base_url=sandbox.base_url) as command:
            await until(sandbox.received)
            command.process.send_signal(signal.SIGTERM)
            ended = await command.end()
        assert ended.code == 4
        assert adds_up(ended.summary)
        back = await sevendigital(*SHIP, cwd=tmp_path, base_url=sandbox.base_url)
    assert back.code == 0, back.err
    assert adds_up(back.summary)
    assert ended.summary["put"] + back.summary["put"] == 20_000
    doubtful = await journal(tmp_path / "plays.jsonl.spool", JournalOutcome.IN_DOUBT)
    assert not as_counted(logs) - received(sandbox)
    assert not received(sandbox) - as_counted(logs) - doubtful


async def test_bad_lines_are_rejected_once_however_often_it_runs(tmp_path):
    logs = plays(6)
    good = [log.encode() for log in logs]
    (tmp_path / "plays.jsonl").write_bytes(b"\n".join([b"bad 1", *good[:3], b"", b"bad 2", *good[3:5], b"bad 3", b""]))
    async with open_sandbox() as sandbox:
        ended = [await sevendigital(*SHIP, cwd=tmp_path, base_url=sandbox.base_url) for _ in range(2)]
        with (tmp_path / "plays.jsonl").open("ab") as file:
            file.write(good[5] + b"\nbad 4\n")
        ended += [await sevendigital(*SHIP, cwd=tmp_path, base_url=sandbox.base_url) for _ in range(2)]
        assert received(sandbox) == as_counted(logs)
    assert [run.code for run in ended] == [3, 0, 3, 0]
    assert "plays.jsonl:11: " in ended[2].err
    assert (tmp_path / "plays.jsonl.rejected").read_bytes() == b"bad 1\nbad 2\nbad 3\n"
    assert (tmp_path / "plays.jsonl.rejected.1").read_bytes() == b"bad 4\n"
    assert not (tmp_path / "plays.jsonl.rejected.2").exists()


async def test_buried_plays_stay_in_the_spool(tmp_path):
    write_plays(tmp_path / "plays.jsonl", plays(100))
    async with open_sandbox("poison:50") as sandbox:
        ended = await sevendigital(*SHIP[:-1], cwd=tmp_path, base_url=sandbox.base_url)
    assert ended.code == 3
    assert "plays.jsonl: buried: " in ended.err
    assert "sevendigital dead-letters list --spool plays.jsonl.spool" in ended.out
    assert not (tmp_path / "plays.jsonl.rejected").exists()


async def test_lost_answers_can_be_held(tmp_path):
    logs = plays(40)
    write_plays(tmp_path / "plays.jsonl", logs)
    async with open_sandbox("disconnect-after:100%") as sandbox:
        ended = await sevendigital(*SHIP, "--in-doubt", "hold", cwd=tmp_path, base_url=sandbox.base_url)
        again = await sevendigital(*SHIP, "--in-doubt", "hold", cwd=tmp_path, base_url=sandbox.base_url)
        assert received(sandbox) == as_counted(logs)
    assert (ended.code, again.code) == (4, 4)
    assert (ended.summary["held"], ended.summary["in_doubt"]) == (40, 40)
    assert (again.summary["from_earlier_runs"], again.summary["held"], again.summary["in_doubt"]) == (40, 40, 0)


async def test_plays_of_another_kind_from_earlier_runs_are_delivered_and_reported(tmp_path, unused_tcp_port):
    logs = plays(8)
    write_plays(tmp_path / "one.jsonl", logs[:5])
    write_plays(tmp_path / "two.jsonl", logs[5:])
    shared = ("--spool", "all.db", "--patience", "0.2", "--linger", "0", "--drain", "0")
    away = f"http://127.0.0.1:{unused_tcp_port}"
    await sevendigital("ship", "one.jsonl", "--kind", "preview", *shared, cwd=tmp_path, base_url=away)
    async with open_sandbox() as sandbox:
        ended = await sevendigital(
            "ship", "two.jsonl", "--kind", "catalogue", "--spool", "all.db", cwd=tmp_path, base_url=sandbox.base_url
        )
        assert received(sandbox) == as_counted(logs)
        assert sum(received(sandbox, LogKind.PREVIEW).values()) == 5
    assert ended.code == 0
    assert "preview plays from earlier runs: 5, of which 5 delivered" in ended.out


async def test_a_pipe_has_a_spool_and_no_checkpoint(tmp_path):
    logs = plays(1_000)
    async with (
        open_sandbox(latency="300s") as sandbox,
        running(
            *("ship", "-", "--kind", "preview", "--drain", "0", "--json"), cwd=tmp_path, base_url=sandbox.base_url
        ) as command,
    ):
        command.process.stdin.write(b"".join(log.encode() + b"\n" for log in logs))
        await until(lambda: sandbox.stats()["kinds"]["preview"]["requests"])
        command.process.send_signal(signal.SIGTERM)
        assert b"stopped reading" in await command.process.stderr.readline()
        ended = await command.end()
    assert ended.code == 4
    summary = ended.summary
    assert summary["spool"] == "stdin.spool"
    assert adds_up(summary)
    unread = lines_in(tmp_path / "stdin.unsent")
    assert summary["put"] + len(unread) == summary["continue_at"] - 1
    async with open_sandbox() as sandbox:
        rest = b"".join(log.encode() + b"\n" for log in unread + logs[summary["continue_at"] - 1 :])
        ended = await sevendigital(
            "ship", "-", "--kind", "preview", "--json", cwd=tmp_path, base_url=sandbox.base_url, stdin=rest
        )
        assert received(sandbox) == as_counted(logs)
    assert ended.code == 0


# -- inputs that have changed --


async def shipped(tmp_path, sandbox, *arguments):
    return await sevendigital(*SHIP, *arguments, cwd=tmp_path, base_url=sandbox.base_url)


async def test_an_input_that_has_changed_is_refused_and_can_be_begun_anew(tmp_path):
    logs, others = plays(30), plays(30, start=30)
    write_plays(tmp_path / "plays.jsonl", logs)
    async with open_sandbox() as sandbox:
        assert (await shipped(tmp_path, sandbox)).code == 0
        write_plays(tmp_path / "plays.jsonl", others)
        refused = await shipped(tmp_path, sandbox)
        assert refused.code == 1
        assert refused.out == ""
        assert len(refused.err.splitlines()) == 1
        assert "shipped up to line 30, and the lines before it have changed" in refused.err
        assert "--from-line 1" in refused.err
        (tmp_path / "plays.jsonl").write_bytes(b"")
        assert (await shipped(tmp_path, sandbox)).code == 1
        assert received(sandbox) == as_counted(logs)
        write_plays(tmp_path / "plays.jsonl", others)
        assert (await shipped(tmp_path, sandbox, "--from-line", "1")).code == 0
        assert (await shipped(tmp_path, sandbox)).summary["put"] == 0
        assert received(sandbox) == as_counted(logs + others)


async def test_the_same_plays_as_another_kind_are_refused(tmp_path):
    write_plays(tmp_path / "plays.jsonl", plays(3))
    async with open_sandbox() as sandbox:
        assert (await shipped(tmp_path, sandbox)).code == 0
        other = await sevendigital("ship", "plays.jsonl", "--kind", "preview", cwd=tmp_path, base_url=sandbox.base_url)
    assert other.code == 1
    assert "as catalogue plays" in other.err


async def test_file_and_spool_may_move_together(tmp_path):
    logs = plays(10)
    (tmp_path / "a").mkdir()
    write_plays(tmp_path / "a" / "plays.jsonl", logs)
    async with open_sandbox() as sandbox:
        assert (await shipped(tmp_path / "a", sandbox)).code == 0
        (tmp_path / "a").rename(tmp_path / "b")
        moved = await sevendigital(
            *("ship", "b/plays.jsonl", "--kind", "catalogue", "--json"), cwd=tmp_path, base_url=sandbox.base_url
        )
        assert moved.summary["put"] == 0
        assert received(sandbox) == as_counted(logs)


async def test_the_end_of_a_half_written_line_belongs_to_that_line(tmp_path):
    logs = plays(3)
    encoded = [log.encode() for log in logs]
    (tmp_path / "plays.jsonl").write_bytes(encoded[0] + b"\n" + encoded[1])
    async with open_sandbox() as sandbox:
        assert (await shipped(tmp_path, sandbox)).summary["put"] == 2
        with (tmp_path / "plays.jsonl").open("ab") as file:
            file.write(b"\n" + encoded[2] + b"\nbad\n")
        ended = await shipped(tmp_path, sandbox)
        assert received(sandbox) == as_counted(logs)
    assert ended.code == 3
    assert "plays.jsonl:4: " in ended.err


async def test_a_checkpoint_of_an_earlier_release_is_resumed(tmp_path):
    """Its position and its name in the spool are as the first release wrote them."""
    logs = plays(2_000)
    (tmp_path / "logs").mkdir()
    file = write_plays(tmp_path / "logs" / "plays.jsonl", logs)
    offset = len(b"".join(log.encode() + b"\n" for log in logs[:900]))
    data = file.read_bytes()
    digest = hashlib.blake2b(data[:1024] + data[offset - 1024 : offset], digest_size=16).hexdigest()
    position = {"kind": "catalogue", "line": 901, "offset": offset, "fingerprint": digest}
    async with open_sandbox() as sandbox:
        keys = sandbox.credentials
        async with (
            SevenDigital(keys.consumer_key, keys.consumer_secret, base_url=sandbox.base_url) as client,
            StreamLogShipper(client, spool=str(tmp_path / "x.db")) as shipper,
        ):
            checkpoint = Checkpoint("logs/plays.jsonl", orjson.dumps(position).decode())
            await shipper.put_many(LogKind.CATALOGUE, logs[:900], checkpoint=checkpoint)
            await shipper.flush()
        ended = await sevendigital(
            *("ship", "logs/plays.jsonl", "--kind", "catalogue", "--spool", "x.db", "--json"),
            cwd=tmp_path,
            base_url=sandbox.base_url,
        )
        assert received(sandbox) == as_counted(logs)
    assert (ended.code, ended.summary["put"], ended.summary["lines"]) == (0, 1_100, 1_100)
    assert "plays.jsonl: continuing at line 901, where an earlier run stopped" in ended.err


# -- spools that can't be used --


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda path: path.write_bytes(b"x" * 5_000), "not a spool"),
        (lambda path: path.write_bytes(b""), "empty"),
        (lambda path: path.mkdir(), "directory"),
        (lambda path: sqlite3.connect(path).execute("CREATE TABLE cats (name)").connection.close(), "not a spool"),
    ],
)
def test_what_is_not_a_spool_is_refused_in_one_line(tmp_path, make, words, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("SEVENDIGITAL_CONSUMER_KEY", "key")
    monkeypatch.setenv("SEVENDIGITAL_CONSUMER_SECRET", "secret")
    write_plays(tmp_path / "plays.jsonl", plays(1))
    make(tmp_path / "x.db")
    for arguments in (
        ["ship", "plays.jsonl", "--kind", "preview", "--spool", "x.db"],
        ["spool", "status", "--spool", "x.db"],
        ["dead-letters", "list", "--spool", "x.db"],
        ["dead-letters", "discard", "1", "--yes", "--spool", "x.db"],
        ["journal", "export", "--spool", "x.db", "--out", "out.csv"],
    ):
        assert main(arguments) == 1
        printed = capsys.readouterr()
        assert words in printed.err
        assert len(printed.err.splitlines()) == 1
        assert printed.out == ""
    assert not (tmp_path / "out.csv").exists()


async def test_a_spool_in_use_is_said_and_not_disturbed(tmp_path):
    write_plays(tmp_path / "plays.jsonl", plays(100))
    async with open_sandbox(latency="300s") as sandbox, running(*SHIP, cwd=tmp_path, base_url=sandbox.base_url) as one:
        await until(lambda: sandbox.stats()["kinds"]["catalogue"]["requests"])
        other = await sevendigital(*SHIP, cwd=tmp_path, base_url=sandbox.base_url)
        status = await sevendigital("spool", "status", "--spool", "plays.jsonl.spool", cwd=tmp_path)
        one.process.kill()
        await one.process.communicate()
    assert other.code == 1
    assert "in use by another shipper" in other.err
    assert status.code == 0
    assert ": in use by a shipper" in status.out
    assert "100" in status.out


@pytest.mark.skipif(os.geteuid() == 0, reason="nothing is read-only for root")
async def test_a_read_only_directory_is_reported(tmp_path):
    (tmp_path / "locked").mkdir(mode=0o500)
    write_plays(tmp_path / "plays.jsonl", plays(1))
    async with open_sandbox() as sandbox:
        ended = await shipped(tmp_path, sandbox, "--spool", "locked/x.db")
    assert ended.code == 1
    assert len(ended.err.splitlines()) == 1


async def test_the_status_shows_counts_and_use(tmp_path, unused_tcp_port):
    write_plays(tmp_path / "plays.jsonl", plays(12))
    await sevendigital(
        *("ship", "plays.jsonl", "--kind", "preview", "--patience", "0.2", "--linger", "0", "--drain", "0"),
        *("--synchronous", "normal"),
        cwd=tmp_path,
        base_url=f"http://127.0.0.1:{unused_tcp_port}",
    )
    text = await sevendigital("spool", "status", "--spool", "plays.jsonl.spool", cwd=tmp_path)
    printed = await sevendigital("spool", "status", "--spool", "plays.jsonl.spool", "--json", cwd=tmp_path)
    status = orjson.loads(printed.out)
    assert status["kinds"]["preview"]["waiting"] == status["kinds"]["preview"]["put"] == 12
    assert status["kinds"]["preview"]["oldest_waiting"]
    assert status["kinds"]["catalogue"]["oldest_waiting"] is None
    assert not status["in_use"]
    assert status["size"] > 4_096
    assert ": not in use" in text.out
    assert "synchronous" in text.out


def test_counts_of_a_run_add_up():
    before = Counts(put=10, delivered=3, waiting=2, in_flight=1, buried=1, held=3, in_doubt=4)
    now = Counts(put=15, delivered=9, waiting=1, in_flight=0, buried=2, held=3, in_doubt=6)
    run = run_counts(before, now)
    assert (run.put, run.from_earlier_runs, run.delivered, run.waiting, run.buried, run.held, run.in_doubt) == (
        5,
        6,
        6,
        1,
        1,
        3,
        2,
    )
    assert run.put + run.from_earlier_runs == run.delivered + run.waiting + run.buried + run.held


@pytest.mark.parametrize(
    ("wanted", "file", "expected"),
    [
        (None, "plays.jsonl", "plays.jsonl.spool"),
        (None, "plays.jsonl.unsent.1", "plays.jsonl.spool"),
        (None, "/dev/null", "stdin.spool"),
        ("memory", "plays.jsonl", None),
        ("./memory", "plays.jsonl", "./memory"),
        ("x.db", "plays.jsonl", "x.db"),
    ],
)
def test_the_spool_is_beside_the_input(tmp_path, monkeypatch, wanted, file, expected):
    monkeypatch.chdir(tmp_path)
    if not file.startswith("/"):
        (tmp_path / file).write_bytes(b"")
    assert choose_spool(wanted, Input([file])) == expected
