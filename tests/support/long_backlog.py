"""A long backlog in a file: how to make one, and what another play costs on top of it."""

import asyncio
import time
from datetime import UTC, datetime
from itertools import islice, repeat

from attrs import define, field

from sevendigital_async import LogKind
from sevendigital_async.clock import SystemClock
from sevendigital_async.shipping.records import PARTNER_QUEUE, Receipt, Record
from sevendigital_async.shipping.rules import lane_rules
from sevendigital_async.shipping.spools.base import SpoolContext
from sevendigital_async.shipping.spools.sqlite import SqliteSpool

NOW = datetime(2026, 1, 1, tzinfo=UTC)
BODY = b'{"trackId":"12345678","timestamp":"2026-01-01T00:00:00.000Z","userId":"listener-123456","country":"GB"}'
RULES = lane_rules({kind: {"linger": 0.0} for kind in LogKind})
TOGETHER, OF_EACH = 125, 4
"""Users whose plays are put together, and plays of each, so that a put is the same however many users there are."""

PUT = TOGETHER * OF_EACH


class Untidied(SqliteSpool):
    """Leaves the journal as it is, so that what is measured is not done in the background."""

    def _tidy(self, _db):
        return False


@define
class Accumulator:
    """A spool with previews of the partner and plays of subscribers, each of whom signs.

    Attributes:
        spool: Open.
        users: How many subscribers there are.
    """

    spool: SqliteSpool
    users: int
    _names: object = field(init=False)

    def __attrs_post_init__(self):
        self._names = signers(self.users)

    @classmethod
    async def open(cls, path, users, **options):
        spool = Untidied(path, **options)
        await spool.open(SpoolContext(RULES, SystemClock(), lambda _: None))
        return cls(spool, users)

    async def fill(self, kind, plays):
        """Put plays; those of subscribers come from all users in turn, in puts of many users each."""
        for start in range(0, plays, PUT):
            number = min(PUT, plays - start)
            queues = islice(self._names, number) if kind is LogKind.SUBSCRIBER else repeat(PARTNER_QUEUE, number)
            await self.put(kind, queues)

    async def put(self, kind, queues):
        """Put a play into each of these queues."""
        await self.spool.append(kind, [Record(BODY, queue, NOW) for queue in queues])

    async def drain(self, kind, plays):
        """Deliver at least so many plays; returns how many."""
        delivered = 0
        while delivered < plays and (lease := await self.spool.lease(kind, flush=True)):
            await self.spool.intent(lease, lease.records, "request")
            await self.spool.ack(lease, lease.records, Receipt("request", NOW))
            delivered += len(lease.records)
        return delivered

    async def turnover(self, kind, plays):
        """Put plays, and deliver as many; returns seconds of processor and seconds on the wall, for a play."""
        processor, wall = time.process_time(), time.perf_counter()
        await self.fill(kind, plays)
        delivered = await self.drain(kind, plays)
        return (time.process_time() - processor) / delivered, (time.perf_counter() - wall) / delivered

    async def aclose(self):
        await self.spool.aclose()


def signers(users):
    """Name the user of one play after the other, without end: some users, those again, then the next ones."""
    names = [f"listener-{number}" for number in range(users)]
    while True:
        for start in range(0, users, TOGETHER):
            for _ in range(OF_EACH):
                yield from names[start : start + TOGETHER]


async def served_while(spool, kind, wanted):
    """Deliver until nothing of the queues ``wanted`` waits; returns how many batches that took."""
    wanted = set(wanted)
    batches = 0
    while wanted:
        lease = await spool.lease(kind, flush=False)
        if lease is None:
            await asyncio.sleep(0.01)
            continue
        batches += 1
        await spool.ack(lease, lease.records, Receipt("request", NOW))
        wanted.discard(lease.queue)
    return batches
