"""A process that puts numbered plays into an SQLite spool and ships them, until it is done or dies at a named point.

``python crash_worker.py`` reads orders from its standard input, a line of JSON each: ``[OUTPUT, {"spool": ...}]``, see
:class:`Orders`. It forks a worker for each line, so that the package is imported only once, and writes the id of that
process and, after its end, its exit code. The output of a worker goes to the file OUTPUT.
"""

import asyncio
import os
import signal
import sys
from datetime import UTC, datetime
from itertools import islice

import orjson
from attrs import Factory, frozen

from sevendigital_async import LogKind, SevenDigital, StreamLog, StreamLogShipper, UserToken, failpoints
from sevendigital_async.sandbox.accounts import DEMO_KEY, DEMO_SECRET, SECRET_PREFIX, TOKEN_PREFIX
from sevendigital_async.shipping.spools.sqlite import SqliteSpool


@frozen
class Orders:
    """What a worker is to do.

    ``numbers`` are (first, count) of the plays to put; ``accepted`` is the file that gets the number of each play
    whose ``put`` has returned. A killed process leaves what it has written there. ``die_at`` is (point, nth time).
    """

    base_url: str
    spool: str
    accepted: str
    numbers: tuple[int, int] = (0, 0)
    kinds: tuple[str, ...] = ("catalogue",)
    users: int = 0
    in_doubt: str = "resend"
    die_at: tuple[str, int] | None = None
    linger: float = 0.02
    batch: int | None = None
    pause: float = 0.0
    patience: float = 60.0
    options: dict = Factory(dict)


def play(number, orders):
    """Make the play of a number, which determines the kind and the user."""
    kind = LogKind(orders.kinds[number % len(orders.kinds)])
    user = f"u{number % orders.users}" if orders.users else None
    return kind, StreamLog(
        f"n{number}", datetime.now(UTC), user_id=user, client_id="d", duration_played=30, country="GB"
    )


class Death:
    """Kills this process the nth time that a point is reached."""

    def __init__(self, point, times):
        self.point = point
        self.left = times

    def __call__(self, point):
        if point == self.point:
            self.left -= 1
            if self.left == 0:
                os.kill(os.getpid(), signal.SIGKILL)


async def token_of(user):
    return UserToken(TOKEN_PREFIX + user, SECRET_PREFIX + user)


async def put_all(shipper, orders, accepted):
    """Four producers, each with another size of puts."""
    first, count = orders.numbers
    numbers = iter(range(first, first + count))

    async def produce(size):
        while chunk := list(islice(numbers, size)):
            plays = {}
            for number in chunk:
                kind, log = play(number, orders)
                plays.setdefault(kind, []).append((number, log))
            for kind, numbered in plays.items():
                if size == 1:
                    await shipper.put(kind, numbered[0][1])
                else:
                    await shipper.put_many(kind, [log for _, log in numbered])
                os.write(accepted, b"".join(b"%d\n" % number for number, _ in numbered))
            await asyncio.sleep(orders.pause)

    async with asyncio.TaskGroup() as producers:
        for size in (1, 7, 60, 500):
            producers.create_task(produce(size))


async def work(orders):
    accepted = os.open(orders.accepted, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    tokens = token_of if orders.users else None
    rules = {"linger": orders.linger} | ({"max_count": orders.batch} if orders.batch else {})
    async with SevenDigital(DEMO_KEY, DEMO_SECRET, base_url=orders.base_url) as client:
        shipper = StreamLogShipper(
            client,
            spool=spool_of(orders),
            user_tokens=tokens,
            in_doubt=orders.in_doubt,
            lanes=dict.fromkeys(LogKind, rules),
            close_timeout=0,
        )
        async with shipper:
            await put_all(shipper, orders, accepted)
            return await shipper.flush(orders.patience)


def spool_of(orders):
    return SqliteSpool(orders.spool, **orders.options)


def forked():
    """Fork a worker for each line of orders; returns in the worker, with its orders."""
    for line in sys.stdin.buffer:
        output, orders = orjson.loads(line)
        worker = os.fork()
        if worker == 0:
            descriptor = os.open(output, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
            os.dup2(descriptor, 1)
            os.dup2(descriptor, 2)
            return Orders(**orders)
        os.write(1, b"%d\n" % worker)
        os.write(1, b"%d\n" % os.waitstatus_to_exitcode(os.waitpid(worker, 0)[1]))
    sys.exit()


if __name__ == "__main__":
    orders = forked()
    if orders.die_at:
        failpoints.on_hit = Death(*orders.die_at)
    asyncio.run(work(orders))
