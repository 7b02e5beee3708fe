"""Signals: reading ends, what was read is delivered or kept, and the report says which."""

import signal

import pytest
from support.cli_process import as_counted, lines_in, open_sandbox, plays, received, running, until, write_plays


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
async def test_a_signal_lets_what_was_read_be_delivered(tmp_path, number):
    logs = plays(100)
    write_plays(tmp_path / "plays.jsonl", logs)
    async with (
        # Long enough for the command to notice the end of the file meanwhile, also on a busy machine.
        open_sandbox(latency="3s") as sandbox,
        running("ship", "plays.jsonl", "--kind", "subscriber", cwd=tmp_path, base_url=sandbox.base_url) as command,
    ):
        await until(lambda: received(sandbox))
        command.process.send_signal(number)
        ended = await command.end()
    assert ended.code == 0, ended.err
    assert signal.Signals(number).name in ended.err
    assert received(sandbox) == as_counted(logs)


async def test_when_the_time_to_drain_is_over_every_line_is_somewhere(tmp_path):
    logs = plays(30_000)
    write_plays(tmp_path / "plays.jsonl", logs)
    async with (
        open_sandbox() as sandbox,
        running(
            *("ship", "plays.jsonl", "--kind", "preview", "--spool", "memory", "--drain", "0.2", "--json"),
            cwd=tmp_path,
            base_url=sandbox.base_url,
        ) as command,
    ):
        await until(lambda: sandbox.stats()["kinds"]["preview"]["requests"] > 5)
        command.process.send_signal(signal.SIGTERM)
        ended = await command.end()
    assert ended.code == 4
    summary = ended.summary
    unsent = lines_in(tmp_path / "plays.jsonl.unsent")
    unread = logs[summary["continue_at"] - 1 :] if summary["continue_at"] else []
    assert len(unsent) == summary["unsent"] == summary["waiting"]
    doubtful = as_counted(unsent[: summary["unsent_in_doubt"]])
    certain = as_counted(unsent[summary["unsent_in_doubt"] :])
    # What is in doubt may have arrived; everything else is in exactly one place.
    arrived = received(sandbox)
    assert arrived - doubtful + doubtful + certain + as_counted(unread) == as_counted(logs)


async def test_a_second_signal_stops_at_once(tmp_path):
    logs = plays(100)
    write_plays(tmp_path / "plays.jsonl", logs)
    async with (
        open_sandbox(latency="300s") as sandbox,
        running(
            *("ship", "plays.jsonl", "--kind", "subscriber", "--spool", "memory", "--linger", "0"),
            cwd=tmp_path,
            base_url=sandbox.base_url,
        ) as command,
    ):
        await until(lambda: sandbox.stats()["kinds"]["subscriber"]["requests"] == 5)
        command.process.send_signal(signal.SIGINT)
        assert b"SIGINT" in await command.process.stderr.readline()
        command.process.send_signal(signal.SIGINT)
        ended = await command.end()
    assert ended.code == 4
    assert "plays.jsonl.unsent has 100 undelivered plays" in ended.out
    assert "the first 100 of them are in doubt" in ended.out
    assert as_counted(lines_in(tmp_path / "plays.jsonl.unsent")) == as_counted(logs)


async def test_a_quiet_pipe_does_not_keep_the_command_from_stopping(tmp_path):
    logs = plays(3)
    async with (
        open_sandbox() as sandbox,
        running("ship", "-", "--kind", "preview", "--linger", "0", cwd=tmp_path, base_url=sandbox.base_url) as command,
    ):
        command.process.stdin.write(b"".join(log.encode() + b"\n" for log in logs) + b'{"trackId": "half a li')
        await until(lambda: received(sandbox) == as_counted(logs))
        command.process.send_signal(signal.SIGTERM)
        assert b"stopped reading" in await command.process.stderr.readline()
        ended = await command.end()
    # More could have come.
    assert ended.code == 4
    assert "stopped after line 3" in ended.out
    assert received(sandbox) == as_counted(logs)


async def test_what_a_pipe_has_given_away_is_kept(tmp_path):
    logs = plays(20_000)
    async with (
        open_sandbox(latency="300s") as sandbox,
        running(
            *("ship", "-", "--kind", "preview", "--spool", "memory", "--drain", "0", "--json"),
            cwd=tmp_path,
            base_url=sandbox.base_url,
        ) as command,
    ):
        command.process.stdin.write(b"".join(log.encode() + b"\n" for log in logs))
        await until(lambda: sandbox.stats()["kinds"]["preview"]["requests"])
        command.process.send_signal(signal.SIGTERM)
        ended = await command.end()
    assert ended.code == 4
    summary = ended.summary
    assert summary["unsent"] == summary["continue_at"] - 1 >= summary["put"] > 0
    kept = as_counted(lines_in(tmp_path / "stdin.unsent"))
    assert kept == as_counted(logs[: summary["unsent"]])
