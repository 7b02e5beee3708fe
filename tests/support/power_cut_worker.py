"""A process that uses an SQLite spool in every way, and notes what it was promised and what it has sent.

``python power_cut_worker.py SPOOL EVENTS SEED FIRST STEPS SYNCHRONOUS``: each line of EVENTS is a word and numbers of
plays: ``put`` (accepted, with a checkpoint at the last of them), ``sent`` (about to leave, the intent is durable),
``delivered`` and ``dead_letters`` (the step is durable), ``back`` (the service has not taken them).
"""

import asyncio
import os
import random
import sys
from datetime import UTC, datetime

from sevendigital_async import DeadLetter, LogKind, StreamLog
from sevendigital_async.clock import SystemClock
from sevendigital_async.shipping.records import Checkpoint, InDoubtPolicy, Receipt, Record
from sevendigital_async.shipping.rules import lane_rules
from sevendigital_async.shipping.spools.base import SpoolContext
from sevendigital_async.shipping.spools.sqlite import SqliteSpool, file

KINDS = (LogKind.CATALOGUE, LogKind.SUBSCRIBER)
QUEUES = ("", "ann", "bob")
RULES = lane_rules({kind: {"max_count": 10, "linger": 0.0} for kind in LogKind})
SOURCE = "source"

file.CHECKPOINT_PAGES = 40


def number_of(record):
    return int(record.body.split(b'"n', 1)[1].split(b'"', 1)[0])


def note(events, word, numbers):
    os.write(events, f"{word} {' '.join(map(str, numbers))}\n".encode())


async def put(spool, events, rng, first, steps):
    for _ in range(steps):
        queue, count = rng.choice(QUEUES), rng.choice((1, 3, 25))
        numbers = range(first, first + count)
        played = datetime.now(UTC)
        logs = [StreamLog(f"n{number}", played, user_id=queue or None, country="GB") for number in numbers]
        records = [Record(log.encode(), queue, played) for log in logs]
        await spool.append(rng.choice(KINDS), records, Checkpoint(SOURCE, str(numbers[-1])))
        note(events, "put", numbers)
        first += count
        if rng.random() < 0.2:
            await asyncio.sleep(0.06)  # time for tidying


async def deliver(spool, events, rng, putting):
    while True:
        lease = await spool.lease(rng.choice(KINDS), flush=True)
        if lease is not None:
            await settle(spool, events, rng, lease)
        elif putting.done():
            return
        await asyncio.sleep(0)


async def settle(spool, events, rng, lease):
    """Send a batch, and let it end in one of the ways in which batches end."""
    records, request_id = lease.records, f"{rng.getrandbits(64):x}"
    some, others = records[: len(records) // 2], records[len(records) // 2 :]
    numbers = [number_of(record) for record in records]
    now = datetime.now(UTC)
    await spool.intent(lease, records, request_id)
    note(events, "sent", numbers)
    match rng.choice(("ack", "ack", "split", "bury", "back", "resend", "hold")):
        case "ack":
            await deliver_all(spool, events, lease, records, request_id)
        case "split":
            await deliver_all(spool, events, lease, some, request_id)
            note(events, "back", map(number_of, others))
            await spool.release(lease, others)
        case "bury":
            letters = [
                (record, DeadLetter(lease.kind, record.body, "bad", 1, now, in_doubt=False)) for record in others
            ]
            await spool.bury(lease, letters)
            note(events, "dead_letters", map(number_of, others))
            await deliver_all(spool, events, lease, some, request_id)
        case "back":
            note(events, "back", numbers)
            await spool.release(lease, records)
        case "resend":
            await spool.mark_in_doubt(lease, records, InDoubtPolicy.RESEND)
        case "hold":
            await spool.mark_in_doubt(lease, records, InDoubtPolicy.HOLD)
            note(events, "dead_letters", numbers)


async def deliver_all(spool, events, lease, records, request_id):
    if records:
        await spool.ack(lease, records, Receipt(request_id, datetime.now(UTC)))
        note(events, "delivered", map(number_of, records))


async def work(path, log, seed, *, first, steps, synchronous):
    rng = random.Random(seed)
    spool = SqliteSpool(path, synchronous=synchronous, min_free=rng.choice((0, 0, 0, 2**60)))
    events = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    await spool.open(SpoolContext(RULES, SystemClock(), lambda _: None))
    try:
        putting = asyncio.create_task(put(spool, events, rng, first, steps))
        await asyncio.gather(putting, deliver(spool, events, rng, putting))
    finally:
        await spool.aclose()


if __name__ == "__main__":
    path, log, seed, first, steps, synchronous = sys.argv[1:]
    asyncio.run(work(path, log, int(seed), first=int(first), steps=int(steps), synchronous=synchronous))
