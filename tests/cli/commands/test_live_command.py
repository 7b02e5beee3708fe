"""The command in the live dialect: the same accounting, with one user and one country a request."""

import orjson
import pytest
from support.cli_process import as_counted, open_sandbox, received, sevendigital, write_plays
from support.live import play

from sevendigital_async import LogKind


def of_some_users(kind, number):
    return [
        play(kind, index + 1, user=f"user-{index % 5}", country=("GB", "US", "DE")[index % 3])
        for index in range(number)
    ]


async def test_the_demo_ends_with_the_same_accounting(tmp_path):
    ended = await sevendigital("demo", "--dialect", "live", "--plays", "2000", "--seed", "3", "--json", cwd=tmp_path)
    account = orjson.loads(ended.out)
    assert (ended.code, account["equal"], account["missing"], account["surplus"]) == (0, True, 0, 0)
    assert account["kinds"]["preview"]["busiest_second"] <= 5
    assert account["kinds"]["subscriber"]["largest_batch"] <= 20


@pytest.mark.parametrize("kind", LogKind)
@pytest.mark.parametrize("spool", ["memory", "plays.db"])
async def test_ship_delivers_every_line_once(tmp_path, kind, spool):
    logs = of_some_users(kind, 600)
    file = write_plays(tmp_path / "plays.jsonl", logs)
    async with open_sandbox(managed_users=False) as sandbox:
        ended = await sevendigital(
            *("ship", file, "--kind", kind, "--spool", spool),
            cwd=tmp_path,
            base_url=sandbox.base_url,
            env={"SEVENDIGITAL_DIALECT": "live", "SEVENDIGITAL_LIVE_PREVIEW_LOG_PATH": "/user/preview/log"},
        )
        assert ended.code == 0, ended.err
        assert received(sandbox) == received(sandbox, kind) == as_counted(logs)
        owners = {}
        for row in sandbox.received():
            owners.setdefault(row.batch, set()).add((row.log["userId"], row.log["country"]))
        assert all(len(each) == 1 for each in owners.values()) is (kind is not LogKind.PREVIEW)


async def test_lines_that_tell_too_little_are_rejected_with_a_reason(tmp_path):
    sound, short = play(LogKind.CATALOGUE, 1), play(LogKind.CATALOGUE, 2, end_reason=None)
    file = write_plays(tmp_path / "plays.jsonl", [sound, short, play(LogKind.CATALOGUE, 3)])
    async with open_sandbox() as sandbox:
        ended = await sevendigital(
            *("ship", file, "--kind", "catalogue", "--dialect", "live", "--spool", "memory"),
            cwd=tmp_path,
            base_url=sandbox.base_url,
        )
        assert ended.code == 3
        assert "plays.jsonl:2: catalogue plays need end_reason in the live dialect" in ended.err
        assert len(sandbox.received()) == 2


async def test_any_operation_can_be_called(tmp_path):
    async with open_sandbox(managed_users=False) as sandbox:

        async def call(*arguments):
            live = ("--dialect", "live")
            return await sevendigital("call", *arguments, *live, cwd=tmp_path, base_url=sandbox.base_url)

        made = await call(
            "platform.playlists.create", "name=Run", "country=GB", "user_id=7", 'tracks=[{"trackId":"1"}]'
        )
        assert orjson.loads(made.out)["tracks"][0]["track_id"] == "1"
        mine = await call("platform.playlists.list", "userId=7", "country=GB")
        assert orjson.loads(mine.out)["items"][0]["name"] == "Run"
        logs = orjson.dumps([play(LogKind.PREVIEW).as_wire()]).decode()
        assert (await call("platform.logging.preview", f"logs={logs}")).code == 0
        assert len(sandbox.received(LogKind.PREVIEW)) == 1
        gone = await call("platform.catalogue.usage_types")
        assert gone.code == 1
        assert "platform.catalogue.usage_types does not exist in the live dialect" in gone.err
        assert "usage_types" in gone.err
    listed = await sevendigital("operations", "deliveritem", "--dialect", "live", cwd=tmp_path)
    assert listed.code == 0
    listed = await sevendigital("operations", "credit_item", "--dialect", "live", cwd=tmp_path)
    assert "GET /1.2/user/deliveritem" in listed.out
    wrong = await sevendigital("demo", "--dialect", "latin", cwd=tmp_path)
    assert wrong.code == 1
