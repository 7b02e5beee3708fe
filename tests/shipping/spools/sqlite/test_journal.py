"""Delivered plays stay in their chunk until there is time to move them; the journal has them all the time."""

import asyncio
import sqlite3
from contextlib import closing
from datetime import UTC, datetime, timedelta

import pytest
from support.clock import VirtualClock

from sevendigital_async import LogKind, SpoolCorruptionError, StreamLog
from sevendigital_async.shipping.records import InDoubtPolicy, Receipt, Record
from sevendigital_async.shipping.rules import lane_rules
from sevendigital_async.shipping.spools.base import SpoolContext
from sevendigital_async.shipping.spools.sqlite import SqliteSpool, SqliteSpoolInspector, file, journal, leases, writer

NOW = datetime(2026, 1, 1, tzinfo=UTC)
KIND = LogKind.CATALOGUE
WHOLE = 20
"""Plays in a batch, and in a chunk."""


@pytest.fixture
def path(tmp_path):
    return tmp_path / "plays.db"


@pytest.fixture
def idle(monkeypatch):
    """Disable the pruning of the journal; returns the function, which a test calls itself."""
    prune = journal.prune
    monkeypatch.setattr(journal, "prune", lambda db, before: False)
    return prune


def plays(first, number, queue=""):
    return [Record(StreamLog(str(n), NOW).encode(), queue, NOW) for n in range(first, first + number)]


async def open_spool(path, **settings):
    spool = SqliteSpool(path, **settings)
    rules = lane_rules({kind: {"max_count": WHOLE} for kind in LogKind})
    await spool.open(SpoolContext(rules, VirtualClock(), lambda _: None, InDoubtPolicy.HOLD))
    return spool


async def delivered(path, *chunks, queue=""):
    """Put plays chunk by chunk, and deliver them batch by batch; returns the journal then."""
    spool, first = await open_spool(path), 0
    for number in chunks:
        await spool.append(KIND, plays(first, number, queue))
        first += number
    request = 0
    while lease := await spool.lease(KIND, flush=True):
        request += 1
        await spool.intent(lease, lease.records, f"r{request}")
        await spool.ack(lease, lease.records, Receipt(f"r{request}", NOW, "202"))
    await spool.aclose()
    return [(str(n), f"r{n // WHOLE + 1}") for n in range(first)]


async def journal_of(path):
    inspector = SqliteSpoolInspector(path)
    try:
        return [(entry.log.track_id, entry.request_id) async for entry in inspector.journal()]
    finally:
        await inspector.aclose()


def places(path):
    """Return where the plays of each row of the journal are, and how many chunks there are."""
    with closing(sqlite3.connect(path)) as db:
        rows = db.execute("SELECT chunk IS NOT NULL, compressed, length(body) > 0 FROM journal ORDER BY id").fetchall()
        return rows, db.execute("SELECT count(*) FROM chunk").fetchone()[0]


def pruned(path, prune, before=0.0):
    with closing(sqlite3.connect(path, isolation_level=None)) as db:
        while prune(db, before):
            pass


@pytest.mark.parametrize("queue", ["", "ann"])
async def test_a_delivered_chunk_is_in_the_journal_before_and_after_it_is_moved(path, idle, queue):
    expected = await delivered(path, WHOLE, WHOLE, queue=queue)
    assert places(path) == ([(1, 0, 0)] * 2, 2)
    assert await journal_of(path) == expected
    pruned(path, idle)
    assert places(path) == ([(0, 1, 1)] * 2, 0)
    assert await journal_of(path) == expected
    assert await delivered(path, WHOLE)  # the numbers of what is gone may come again
    assert len(await journal_of(path)) == 3 * WHOLE


async def test_batches_that_are_not_whole_chunks_are_in_the_journal_as_well(path, idle):
    expected = await delivered(path, 3 * WHOLE, 5, 30)  # chunks of 60, 5 and 30, batches of 20
    rows, chunks = places(path)
    assert (0, 0, 1) in rows
    assert chunks == sum(stays for stays, _, _ in rows)
    assert await journal_of(path) == expected
    pruned(path, idle)
    assert await journal_of(path) == expected


async def test_what_is_forgotten_leaves_nothing_behind(path, idle):
    await delivered(path, WHOLE, WHOLE)
    pruned(path, idle, before=(NOW + timedelta(days=1)).timestamp())
    assert places(path) == ([], 0)
    assert await journal_of(path) == []


@pytest.mark.parametrize(
    "harm",
    [
        "UPDATE chunk SET body = zeroblob(length(body)) WHERE first = 1",
        "UPDATE chunk SET logs = logs - 1 WHERE first = 1",
        "DELETE FROM chunk WHERE first = 1",
        "UPDATE journal SET chunk = 21 WHERE id = 1",
        "UPDATE journal SET chunk = NULL WHERE id = 1",
        "UPDATE journal SET at = at + 1 WHERE id = 1",
    ],
)
async def test_damage_to_delivered_plays_is_reported_to_readers_and_does_not_stop_shipping(path, idle, harm):
    await delivered(path, WHOLE, WHOLE)
    with closing(sqlite3.connect(path)) as db, db:
        db.execute(harm)
    with pytest.raises(SpoolCorruptionError, match="row 1 of the journal is damaged"):
        await journal_of(path)
    pruned(path, idle)
    assert places(path)[0] == [(harm != "UPDATE journal SET chunk = NULL WHERE id = 1", 2, 0), (0, 1, 1)]
    with pytest.raises(SpoolCorruptionError, match="row 1 of the journal is damaged"):
        await journal_of(path)
    await delivered(path, WHOLE)


@pytest.mark.parametrize("thoroughly", [True, False])
async def test_a_delivered_chunk_that_looks_undelivered_is_never_sent_again(path, idle, monkeypatch, thoroughly):
    await delivered(path, WHOLE, WHOLE)
    with closing(sqlite3.connect(path)) as db, db:
        db.execute("UPDATE chunk SET queue = -queue WHERE first = 1")
        db.execute(
            "UPDATE lane SET waiting = 20, delivered = 20, stored_logs = 20, partner_logs = 20 WHERE kind = 'catalogue'"
        )
    if not thoroughly:
        monkeypatch.setattr(file, "THOROUGH_CHECK_BYTES", 0)
    with pytest.raises(SpoolCorruptionError):
        await delivered(path)


async def test_a_backlog_is_read_back_in_order_several_batches_at_a_time(path, idle, monkeypatch):
    spool, number = await open_spool(path), 20 * WHOLE + 7
    await spool.append(KIND, plays(0, number))
    await spool.aclose()
    reads = []
    read_from = leases.read_from
    monkeypatch.setattr(leases, "READ_AHEAD", 5 * WHOLE)
    monkeypatch.setattr(leases, "read_from", lambda *arguments: reads.append(1) or read_from(*arguments))
    spool, sent = await open_spool(path), []
    while lease := await spool.lease(KIND, flush=True):
        sent += [StreamLog.decode(record.body).track_id for record in lease.records]
        await spool.ack(lease, lease.records, Receipt("r", NOW))
        if len(sent) == 8 * WHOLE:
            await spool.append(KIND, plays(number, WHOLE))
    await spool.aclose()
    assert sent == [str(n) for n in range(number + WHOLE)]
    assert len(reads) < 21


async def test_plays_before_a_damaged_chunk_are_still_delivered(path, idle, monkeypatch):
    monkeypatch.setattr(file, "THOROUGH_CHECK_BYTES", 0)
    spool = await open_spool(path)
    for first in range(0, 4 * WHOLE, WHOLE):
        await spool.append(KIND, plays(first, WHOLE))
    await spool.aclose()
    with closing(sqlite3.connect(path)) as db, db:
        db.execute("UPDATE chunk SET body = zeroblob(length(body)) WHERE first = ?", (2 * WHOLE + 1,))
    spool = await open_spool(path)
    for _ in range(2):
        lease = await spool.lease(KIND, flush=True)
        await spool.ack(lease, lease.records, Receipt("r", NOW))
    with pytest.raises(SpoolCorruptionError, match="plays 41 to 60 are damaged"):
        await spool.lease(KIND, flush=True)
    await spool.aclose()
    assert len(await journal_of(path)) == 2 * WHOLE


async def test_deleting_old_journal_rows_keeps_undelivered_chunks(path, idle):
    await delivered(path, WHOLE)
    with closing(sqlite3.connect(path)) as db, db:
        db.execute("DELETE FROM chunk WHERE first = 1")
    spool = await open_spool(path)
    await spool.append(KIND, plays(1000, WHOLE))  # its number begins with 1 again
    await spool.aclose()
    pruned(path, idle, before=(NOW + timedelta(days=1)).timestamp())
    with closing(sqlite3.connect(path)) as db:
        assert db.execute("SELECT sum(logs) FROM chunk WHERE queue > 0").fetchone() == (WHOLE,)


async def test_a_row_without_its_chunk_never_shows_the_plays_of_another(path, idle):
    await delivered(path, WHOLE)
    with closing(sqlite3.connect(path)) as db, db:
        db.execute("DELETE FROM chunk WHERE first = 1")
    spool = await open_spool(path)
    await spool.append(KIND, plays(1000, WHOLE))
    lease = await spool.lease(KIND, flush=True)
    await spool.ack(lease, lease.records, Receipt("r9", NOW))
    await spool.aclose()
    for _ in range(2):
        with pytest.raises(SpoolCorruptionError, match="row 1 of the journal is damaged"):
            await journal_of(path)
        pruned(path, idle)


async def test_invalid_text_does_not_stop_pruning(path, idle):
    await delivered(path, WHOLE, WHOLE)
    with closing(sqlite3.connect(path)) as db, db:
        db.execute("UPDATE journal SET answer = CAST(x'ff' AS TEXT) WHERE id = 1")
    pruned(path, idle)
    assert places(path) == ([(1, 2, 0), (0, 1, 1)], 1)


@pytest.mark.parametrize("queue", [-(2**63), -(2**62)])
async def test_pruning_survives_damaged_rows(path, monkeypatch, queue):
    with monkeypatch.context() as patched:
        patched.setattr(journal, "prune", lambda db, before: False)
        await delivered(path, WHOLE)
    with closing(sqlite3.connect(path)) as db, db:
        db.execute("UPDATE chunk SET queue = ? WHERE first = 1", (queue,))
    spool = await open_spool(path)
    while places(path)[0] != [(1, 2, 0)]:
        await asyncio.sleep(0.01)
    async with asyncio.timeout(60):
        await spool.append(KIND, plays(100, 1))
    await spool.aclose()


@pytest.mark.parametrize("policy", [InDoubtPolicy.RESEND, InDoubtPolicy.HOLD])
@pytest.mark.parametrize("sent", [False, True])
async def test_what_was_being_given_back_when_its_lane_died_is_at_one_place(path, monkeypatch, policy, sent):
    spool = await open_spool(path)
    await spool.append(KIND, plays(0, WHOLE))
    lease = await spool.lease(KIND, flush=True)
    if sent:
        await spool.intent(lease, lease.records, "r1")
    transact, refused = writer.SqliteWriter._transact, asyncio.Event()

    def busy(*_):
        refused.set()
        error = sqlite3.OperationalError("database is locked")
        error.sqlite_errorcode = sqlite3.SQLITE_BUSY
        raise error

    monkeypatch.setattr(writer.SqliteWriter, "_transact", busy)
    releasing = asyncio.create_task(spool.release(lease, lease.records))
    while not refused.is_set():
        await asyncio.sleep(0)
    releasing.cancel()
    await asyncio.wait([releasing])
    monkeypatch.setattr(writer.SqliteWriter, "_transact", transact)
    await spool.abandon(lease, policy)
    again = await spool.lease(KIND, flush=True)
    if sent and policy is InDoubtPolicy.HOLD:
        assert again is None
    else:
        assert [record.sequence for record in again.records] == list(range(1, WHOLE + 1))
    counts = await spool.counts(KIND)
    assert (counts.held, counts.in_flight) == ((WHOLE, 0) if again is None else (0, WHOLE))
    await spool.aclose()
