"""``sevendigital ship``: what is delivered, what is left over, what the exit code says."""

import codecs
import os

import orjson
import pytest
from support.cli_process import (
    as_counted,
    lines_in,
    open_sandbox,
    plays,
    received,
    running,
    sevendigital,
    until,
    write_plays,
)

from sevendigital_async import LogKind


@pytest.mark.parametrize("kind", LogKind)
@pytest.mark.parametrize("spool", ["memory", "plays.db"])
async def test_delivers_every_line_once_and_says_so(tmp_path, kind, spool):
    logs = plays(1_100, users=7)
    file = write_plays(tmp_path / "plays.jsonl", logs)
    async with open_sandbox() as sandbox:
        ended = await sevendigital(
            "ship", file, "--kind", kind, "--spool", spool, cwd=tmp_path, base_url=sandbox.base_url
        )
        figures = sandbox.stats()["kinds"][kind.value]
    assert ended.code == 0, ended.err
    assert received(sandbox) == received(sandbox, kind) == as_counted(logs)
    assert figures["largest_batch"] == (20 if kind is LogKind.SUBSCRIBER else 500)
    assert figures["rate_limited"] == 0
    facts = dict(line.rsplit(None, 1) for line in ended.out.splitlines()[1:13])
    assert facts["lines read"] == facts["put"] == facts["delivered"] == "1,100"
    assert facts["waiting"] == facts["held"] == facts["buried"] == facts["rejected lines"] == "0"
    assert "\x1b" not in ended.out + ended.err
    assert "\r" not in ended.out + ended.err
    kept = {path.name for path in tmp_path.iterdir()}
    assert kept == (
        {"plays.jsonl"} if spool == "memory" else {"plays.jsonl", "plays.db", "plays.db-owner", "plays.db-mark"}
    )


async def test_users_sign_where_there_are_tokens(tmp_path):
    logs = plays(200, users=5)
    file = write_plays(tmp_path / "plays.jsonl", logs)
    async with open_sandbox(managed_users=False) as sandbox:
        held = {user: sandbox.token_for(user) for user in {log.user_id for log in logs}}
        tokens = tmp_path / "tokens.json"
        tree = {user: {"token": token.token, "secret": token.secret} for user, token in held.items()}
        tokens.write_bytes(codecs.BOM_UTF8 + orjson.dumps(tree))
        ended = await sevendigital(
            *("ship", file, "--kind", "subscriber", "--tokens", tokens),
            cwd=tmp_path,
            base_url=sandbox.base_url,
            secrets=[token.secret for token in held.values()],
        )
    assert ended.code == 0, ended.err
    assert received(sandbox) == as_counted(logs)
    assert all(log.user == log.log["userId"] for log in sandbox.received())


async def test_a_user_whose_token_is_refused_waits_alone(tmp_path):
    logs = plays(100, users=5)
    file = write_plays(tmp_path / "plays.jsonl", logs)
    async with open_sandbox(managed_users=False) as sandbox:
        held = {f"user-{number}": sandbox.token_for(f"user-{number}") for number in range(5)}
        tree = {user: {"token": token.token, "secret": token.secret} for user, token in held.items()}
        tree["user-3"]["secret"] = "wrong-secret-of-user-3"
        (tmp_path / "tokens.json").write_bytes(orjson.dumps(tree))
        ended = await sevendigital(
            *("ship", file, "--kind", "catalogue", "--spool", "memory", "--tokens", "tokens.json"),
            cwd=tmp_path,
            base_url=sandbox.base_url,
            secrets=["wrong-secret-of-user-3"],
        )
    assert ended.code == 4
    assert "user-3" in ended.err
    unsent = lines_in(tmp_path / "plays.jsonl.unsent")
    assert {log.user_id for log in unsent} == {"user-3"}
    assert received(sandbox) + as_counted(unsent) == as_counted(logs)


async def test_a_bad_line_rejects_only_itself(tmp_path):
    logs = plays(6)
    good = [log.encode() for log in logs]
    bad = {
        2: (b"{nonsense", "not valid JSON"),
        4: (b'{"trackId":"1"}', "timestamp is missing"),
        6: (b'{"trackId":"1","timestamp":"2001-01-01T00:00:00Z"}\r', "days old; the limit is 61"),
        8: (b"\xff\xfe\x00", "not valid JSON"),
        9: (b"[1]", "not a JSON object"),
        11: (b'{"trackId":"1","colour":"red"}', "unknown field 'colour'"),
    }
    lines = [
        *(b"\xef\xbb\xbf" + good[0], bad[2][0], good[1] + b"\r", bad[4][0], good[2], bad[6][0], b"\r"),
        *(bad[8][0], bad[9][0], good[3], bad[11][0], b"", b"x" * 200_000, good[4], good[5]),
    ]
    file = tmp_path / "plays.jsonl"
    file.write_bytes(b"\n".join(lines))
    async with open_sandbox() as sandbox:
        ended = await sevendigital(
            *("ship", file.name, "--kind", "catalogue", "--json"), cwd=tmp_path, base_url=sandbox.base_url
        )
    assert ended.code == 3
    assert received(sandbox) == as_counted(logs)
    printed = dict(line.split(": ", 1) for line in ended.err.splitlines())
    for number, (_, reason) in bad.items():
        assert reason in printed[f"plays.jsonl:{number}"]
    assert "longer than" in printed["plays.jsonl:13"]
    assert printed["sevendigital"] == "lines rejected: 7"
    assert len(printed) == len(bad) + 2
    assert (tmp_path / "plays.jsonl.rejected").read_bytes().split(b"\n") == [
        *(line for line, _ in bad.values()),
        b"x" * 65_536,
        b"",
    ]
    assert ended.summary["rejected"] == 7
    assert ended.summary["lines"] == 15
    assert ended.summary["rejected_file"] == "plays.jsonl.rejected"


async def test_standard_input_that_trickles_is_not_kept_waiting(tmp_path):
    first, second = plays(2), plays(1, start=2)
    async with (
        open_sandbox() as sandbox,
        running(
            *("ship", "-", "--kind", "preview", "--linger", "0.05", "--json"), cwd=tmp_path, base_url=sandbox.base_url
        ) as command,
    ):
        for log in first:
            command.process.stdin.write(log.encode() + b"\n")
        await until(lambda: received(sandbox) == as_counted(first))
        ended = await command.end(second[0].encode() + b"\nnonsense")
    assert ended.code == 3
    assert received(sandbox) == as_counted(first + second)
    assert "stdin:4: not valid JSON" in ended.err
    assert (tmp_path / "stdin.rejected").read_bytes() == b"nonsense\n"


async def test_a_wrong_secret_ends_the_run_with_one_message_and_everything_kept(tmp_path):
    logs = plays(5_000)
    file = write_plays(tmp_path / "plays.jsonl", logs)
    async with open_sandbox() as sandbox:
        ended = await sevendigital(
            *("ship", file, "--kind", "preview", "--spool", "memory", "--json"),
            cwd=tmp_path,
            base_url=sandbox.base_url,
            secret="another-secret-altogether",
        )
        requests = sandbox.stats()["kinds"]["preview"]["requests"]
    assert ended.code == 1
    at_once, last = ended.err.splitlines()
    assert "check the key and the secret" in at_once
    assert last.startswith(at_once)
    assert 1 <= requests <= 5
    assert not sandbox.received()
    assert ended.summary["seconds"] < 20
    resume_at = ended.summary["continue_at"]
    unread = [] if resume_at is None else logs[resume_at - 1 :]
    assert as_counted(lines_in(tmp_path / "plays.jsonl.unsent")) + as_counted(unread) == as_counted(logs)


async def test_an_unreachable_service_ends_the_run_after_the_patience(tmp_path, unused_tcp_port):
    logs = plays(700)
    write_plays(tmp_path / "plays.jsonl", logs)
    ended = await sevendigital(
        *(
            "ship",
            "plays.jsonl",
            "--kind",
            "preview",
            "--spool",
            "memory",
            "--patience",
            "0.5",
            "--linger",
            "0",
            "--drain",
            "0.1",
        ),
        cwd=tmp_path,
        base_url=f"http://127.0.0.1:{unused_tcp_port}",
    )
    assert ended.code == 4
    assert "nothing was delivered for 0.5 s" in ended.err
    assert "plays.jsonl.unsent has 700 undelivered plays; ship it to send them" in ended.out
    assert as_counted(lines_in(tmp_path / "plays.jsonl.unsent")) == as_counted(logs)


async def test_what_was_left_can_be_shipped_again(tmp_path, unused_tcp_port):
    logs = plays(30)
    write_plays(tmp_path / "plays.jsonl.unsent", logs)
    unreachable = await sevendigital(
        *(
            "ship",
            "plays.jsonl.unsent",
            "--kind",
            "preview",
            "--spool",
            "memory",
            "--patience",
            "0.2",
            "--linger",
            "0",
            "--drain",
            "0",
        ),
        cwd=tmp_path,
        base_url=f"http://127.0.0.1:{unused_tcp_port}",
    )
    assert unreachable.code == 4
    async with open_sandbox() as sandbox:
        back = await sevendigital(
            "ship",
            "plays.jsonl.unsent.1",
            "--kind",
            "preview",
            "--spool",
            "memory",
            cwd=tmp_path,
            base_url=sandbox.base_url,
        )
    assert back.code == 0
    assert received(sandbox) == as_counted(logs)


async def test_a_path_the_service_does_not_know_ends_the_run(tmp_path):
    write_plays(tmp_path / "plays.jsonl", plays(10))
    async with open_sandbox() as sandbox:
        ended = await sevendigital(
            *("ship", "plays.jsonl", "--kind", "preview", "--spool", "memory"),
            cwd=tmp_path,
            base_url=f"{sandbox.base_url}/nowhere",
        )
    assert ended.code == 4
    assert "suspended" in ended.err
    assert len(lines_in(tmp_path / "plays.jsonl.unsent")) == 10


@pytest.mark.parametrize(
    ("kind", "poison"),
    [(LogKind.PREVIEW, "poison"), (LogKind.CATALOGUE, "poison"), (LogKind.CATALOGUE, "poison-unindexed")],
)
async def test_one_poisoned_play_is_buried_alone(tmp_path, kind, poison):
    logs = plays(500)
    write_plays(tmp_path / "plays.jsonl", logs)
    async with open_sandbox(f"{poison}:250") as sandbox:
        ended = await sevendigital(
            *("ship", "plays.jsonl", "--kind", kind, "--spool", "memory", "--json"),
            cwd=tmp_path,
            base_url=sandbox.base_url,
        )
    assert ended.code == 3
    assert ended.summary["buried"] == 1
    assert "plays.jsonl: buried: " in ended.err
    (buried,) = lines_in(tmp_path / "plays.jsonl.rejected")
    assert buried.track_id == "250"
    assert received(sandbox) + as_counted([buried]) == as_counted(logs)


async def test_faults_delay_and_lose_nothing(tmp_path):
    logs = plays(2_000)
    write_plays(tmp_path / "plays.jsonl", logs)
    async with open_sandbox("500:10%", "429:5%", "disconnect-before:5%", latency="20ms") as sandbox:
        ended = await sevendigital(
            *("ship", "plays.jsonl", "--kind", "subscriber", "--json"), cwd=tmp_path, base_url=sandbox.base_url
        )
    assert ended.code == 0, ended.err
    assert ended.summary["buried"] == 0
    assert received(sandbox) == as_counted(logs)


async def test_lost_answers_can_be_held_in_memory(tmp_path):
    logs = plays(40)
    write_plays(tmp_path / "plays.jsonl", logs)
    async with open_sandbox("disconnect-after:100%") as sandbox:
        ended = await sevendigital(
            *("ship", "plays.jsonl", "--kind", "catalogue", "--spool", "memory", "--in-doubt", "hold", "--json"),
            cwd=tmp_path,
            base_url=sandbox.base_url,
        )
    assert ended.code == 4
    assert ended.summary["held"] == ended.summary["in_doubt"] == ended.summary["unsent_in_doubt"] == 40
    assert as_counted(lines_in(tmp_path / "plays.jsonl.unsent")) == received(sandbox) == as_counted(logs)


async def test_starts_at_a_given_line(tmp_path):
    logs = plays(20)
    write_plays(tmp_path / "plays.jsonl", logs)
    async with open_sandbox() as sandbox:
        ended = await sevendigital(
            *("ship", "plays.jsonl", "--kind", "preview", "--from-line", "16", "--json"),
            cwd=tmp_path,
            base_url=sandbox.base_url,
        )
    assert ended.code == 0
    assert ended.summary["lines"] == 5
    assert received(sandbox) == as_counted(logs[15:])


async def test_stops_before_it_loses_what_it_cannot_write_down(tmp_path):
    logs = plays(1)
    rejects = [b'{"number":%d,"filling":"%s"}' % (number, b"-" * 200) for number in range(10)]
    (tmp_path / "plays.jsonl").write_bytes(b"\n".join([logs[0].encode(), *rejects, b""]))
    async with open_sandbox() as sandbox:
        # The shell's limit on the size of files simulates a full disk.
        ended = await sevendigital(
            *("ship", "plays.jsonl", "--kind", "preview", "--spool", "memory", "--json"),
            cwd=tmp_path,
            base_url=sandbox.base_url,
            wrapper=["sh", "-c", 'ulimit -f 1; exec "$0" "$@"'],
            # The limit would hit coverage's own file, too, and cut bytecode that Python writes.
            env={"COVERAGE_PROCESS_CONFIG": None, "COVERAGE_PROCESS_START": None, "PYTHONDONTWRITEBYTECODE": "1"},
        )
        assert ended.code == 1
        assert "cannot write plays.jsonl.rejected" in ended.err
        # What was read together is kept together or not at all.
        assert (tmp_path / "plays.jsonl.rejected").read_bytes() == b""
        assert ended.summary["continue_at"] == 1
        assert not sandbox.received()
        again = await sevendigital(
            *("ship", "plays.jsonl", "--kind", "preview", "--spool", "memory", "--json"),
            cwd=tmp_path,
            base_url=sandbox.base_url,
        )
        assert received(sandbox) == as_counted(logs)
    assert (again.code, again.summary["put"], again.summary["rejected"]) == (3, 1, 10)
    assert (tmp_path / "plays.jsonl.rejected.1").read_bytes().splitlines() == rejects


async def test_a_reader_that_leaves_changes_nothing(tmp_path):
    logs = plays(50)
    write_plays(tmp_path / "plays.jsonl", logs)
    reading, writing = os.pipe()
    os.close(reading)
    try:
        async with open_sandbox() as sandbox:
            ended = await sevendigital(
                "ship", "plays.jsonl", "--kind", "preview", cwd=tmp_path, base_url=sandbox.base_url, stdout=writing
            )
    finally:
        os.close(writing)
    assert ended.code == 0
    assert ended.err == ""
    assert received(sandbox) == as_counted(logs)
