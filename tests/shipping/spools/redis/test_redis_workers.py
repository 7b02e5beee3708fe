"""Worker processes that share a spool and the rate limit: one is killed, one is stalled for a while."""

import asyncio
import signal

from support.cli_process import KEY, as_counted, open_sandbox, plays, received, sevendigital, write_plays
from support.workers import FREE_SLOTS, Account, die_at_each_of, start_workers

from sevendigital_async import Credentials
from sevendigital_async.config import LIMITS_VARIABLE
from sevendigital_async.sandbox import Faults, Sandbox


async def test_a_killed_and_a_frozen_worker_lose_nothing_and_double_nothing_silently(redis_server):
    redis_server.ask("EVAL", FREE_SLOTS, "0")
    faults = Faults.parse(latency="50ms-250ms", seed=3)
    async with Sandbox(credentials=Credentials("key", "secret"), faults=faults) as sandbox:
        account = Account(sandbox, redis_server.url)
        options = {"redis": redis_server.url, "service": sandbox.base_url, "lease_seconds": 1.0, "timeout": 1.0}
        options |= {"plays": 72, "batch": 12, "in_doubt": "resend", "clock_step": 0.0}
        async with start_workers(3, **options) as (killed, frozen, survivor):
            async with asyncio.timeout(60):
                while len(account.arrivals()) < 6 or min(w.put for w in (killed, frozen, survivor)) < 72:
                    await asyncio.sleep(0.005)
            killed.signal(signal.SIGKILL)
            frozen.signal(signal.SIGSTOP)
            await asyncio.sleep(2.0)  # its leases are over
            frozen.signal(signal.SIGCONT)
            counts = await account.settled(within=30)
            await asyncio.gather(frozen.end(), survivor.end())
        received = account.received()
        assert set(received) == {f"w{worker}-{number}" for worker in range(3) for number in range(72)}
        assert {track for track, times in received.items() if times > 1} <= await account.in_doubt()
        assert counts.put == counts.delivered == 216
        assert account.busiest_second() <= 5


async def test_a_worker_may_die_at_any_failpoint_of_a_request(redis_server):
    points = ["after commit", "after intent", "body sent", "answer read", "after outcome", "after bury"]
    await die_at_each_of(points, redis_server, "resend")


async def test_the_command_ships_over_redis_beside_another(redis_server, tmp_path):
    redis_server.ask("EVAL", FREE_SLOTS.replace("{key}", "{" + KEY + "}"), "0")
    redis_server.ask("ACL", "SETUSER", "shipping", "on", ">hush", "allkeys", "allcommands")
    url = redis_server.url.replace("//", "//shipping:hush@")
    logs = plays(600)
    files = [write_plays(tmp_path / f"{n}.jsonl", logs[n::2]) for n in range(2)]
    async with open_sandbox() as sandbox:
        order = {"cwd": tmp_path, "base_url": sandbox.base_url, "secrets": ["hush"]}
        ended = await asyncio.gather(
            *(
                sevendigital("ship", file, "--kind", "preview", "--spool", url, env={LIMITS_VARIABLE: url}, **order)
                for file in files
            )
        )
        assert [one.code for one in ended] == [0, 0], [one.err for one in ended]
        assert received(sandbox) == as_counted(logs)
        assert sandbox.stats()["kinds"]["preview"]["rate_limited"] == 0
