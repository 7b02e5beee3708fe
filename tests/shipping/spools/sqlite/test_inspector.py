"""An inspector reads a file while a shipper writes it, and changes it when none does."""

import asyncio
import sqlite3
import subprocess
import sys
from collections import Counter
from datetime import UTC, datetime, timedelta

import pytest
from support.cli_process import KEY, SECRET, as_counted, canonical, open_sandbox, plays, received
from support.spool_events import callback

from sevendigital_async import (
    ConfigurationError,
    DeadLetter,
    LogKind,
    SevenDigital,
    SpoolCorruptionError,
    SpoolError,
    SpoolInUseError,
    StreamLogShipper,
)
from sevendigital_async.clock import SystemClock
from sevendigital_async.shipping.records import Counts, Receipt, Record
from sevendigital_async.shipping.rules import lane_rules
from sevendigital_async.shipping.spools.base import SpoolContext
from sevendigital_async.shipping.spools.inspector import DeadLetterState, JournalOutcome
from sevendigital_async.shipping.spools.registry import open_inspector
from sevendigital_async.shipping.spools.sqlite import SqliteSpool, SqliteSpoolInspector, integrity

QUICK = {kind: {"linger": 0.0} for kind in LogKind}


async def put(path, sandbox, logs, kind=LogKind.CATALOGUE, **options):
    """Put plays and flush; returns the statistics."""
    async with (
        SevenDigital(KEY, SECRET, base_url=sandbox.base_url) as client,
        StreamLogShipper(client, spool=path, lanes=QUICK, close_timeout=0.0, **options) as shipper,
    ):
        await shipper.put_many(kind, logs)
        return await shipper.flush(50)


async def dead_letters(path, **wanted):
    inspector = SqliteSpoolInspector(path)
    try:
        return [play async for play in inspector.dead_letters(**wanted)]
    finally:
        await inspector.aclose()


async def journal(path, **wanted):
    inspector = SqliteSpoolInspector(path)
    try:
        return [entry async for entry in inspector.journal(**wanted)]
    finally:
        await inspector.aclose()


async def changed(path, step, ids):
    inspector = SqliteSpoolInspector(path)
    try:
        return await getattr(inspector, step)(ids)
    finally:
        await inspector.aclose()


async def status(path):
    inspector = SqliteSpoolInspector(path)
    try:
        return await inspector.status()
    finally:
        await inspector.aclose()


def check(path):
    """Everything adds up, page by page and play by play."""
    db = sqlite3.connect(path)
    try:
        integrity.check(db, None, thoroughly=True)
    finally:
        db.close()


def as_bodies(entries):
    return Counter(canonical(entry.log.as_wire()) for entry in entries)


def close_as_another_program(path):
    """Read a database and close it, as other programs do: the last one that closes it deletes its -wal file."""
    code = "import sqlite3, sys; db = sqlite3.connect(sys.argv[1]); db.execute('PRAGMA user_version'); db.close()"
    subprocess.run([sys.executable, "-c", code, path], check=True)


@pytest.mark.skipif(sys.platform == "win32", reason="locks belong to processes on POSIX systems only")
@pytest.mark.parametrize("marker", ["with a marker", "without"])
async def test_inspecting_takes_no_lock_from_a_spool_of_the_same_process(tmp_path, marker):
    path = tmp_path / "plays.db"
    spool = SqliteSpool(path)
    await spool.open(SpoolContext(lane_rules(), SystemClock(), lambda _: None))
    await spool.append(LogKind.PREVIEW, [Record(b"a", "", datetime.now(UTC))])
    if marker == "without":
        (tmp_path / "plays.db-mark").unlink()
    await status(path)
    close_as_another_program(path)
    assert (tmp_path / "plays.db-wal").exists()
    await spool.append(LogKind.PREVIEW, [Record(b"b", "", datetime.now(UTC))])
    await spool.aclose()
    assert (await status(path)).counts[LogKind.PREVIEW].put == 2


@pytest.mark.skipif(sys.platform == "win32", reason="locks belong to processes on POSIX systems only")
async def test_nothing_is_accepted_after_another_program_has_deleted_the_wal_file(tmp_path):
    path, failures = tmp_path / "plays.db", []
    spool = SqliteSpool(path)
    await spool.open(SpoolContext(lane_rules(), SystemClock(), callback(others=failures.append)))
    await spool.append(LogKind.PREVIEW, [Record(b"a", "", datetime.now(UTC))])
    path.read_bytes()  # as a backup in the same process does; closing the file drops the locks
    close_as_another_program(path)
    if (tmp_path / "plays.db-wal").exists():
        await spool.aclose()
        pytest.skip(f"SQLite {sqlite3.sqlite_version} finds the spool open and leaves the -wal file")
    with pytest.raises(SpoolInUseError, match=r"plays\.db-wal was removed"):
        await spool.append(LogKind.PREVIEW, [Record(b"b", "", datetime.now(UTC))])
    await spool.aclose()
    again = SqliteSpool(path)
    await again.open(SpoolContext(lane_rules(), SystemClock(), lambda _: None))
    assert (await again.counts(LogKind.PREVIEW)).put == 1
    await again.aclose()


async def test_the_journal_has_every_delivered_play(tmp_path):
    path, logs = tmp_path / "plays of ünïon #1?.db", plays(1_234, users=3)
    async with open_sandbox() as sandbox:
        await put(path, sandbox, logs)
    entries = await journal(path)
    assert as_bodies(entries) == as_counted(logs)
    assert {entry.kind for entry in entries} == {LogKind.CATALOGUE}
    assert {entry.outcome for entry in entries} == {JournalOutcome.DELIVERED}
    assert not any(entry.in_doubt for entry in entries)
    assert all(entry.answer.startswith("202") for entry in entries)
    assert len({entry.request_id for entry in entries}) == 3
    assert await journal(path, kind=LogKind.PREVIEW) == []
    first, last = entries[0].at, entries[-1].at
    assert len(await journal(path, since=first, until=last + timedelta(seconds=1))) == 1_234
    assert await journal(path, since=last + timedelta(seconds=1)) == []
    assert await journal(path, until=first) == []


async def test_an_inspector_reads_while_a_shipper_writes(tmp_path):
    path, logs = tmp_path / "plays.db", plays(12_000)
    inspector = open_inspector(path)
    async with (
        open_sandbox() as sandbox,
        SevenDigital(KEY, SECRET, base_url=sandbox.base_url) as client,
        StreamLogShipper(client, spool=path, lanes=QUICK) as shipper,
    ):
        assert (await inspector.status()).in_use
        for start in range(0, 12_000, 500):
            await shipper.put_many(LogKind.CATALOGUE, logs[start : start + 500])
        seen = [entry async for entry in inspector.journal()]
        await shipper.flush()
        before = await inspector.status()
        with pytest.raises(SpoolInUseError):
            await inspector.replay(["1"])
        with pytest.raises(SpoolInUseError):
            await inspector.discard(["1"])
        assert (await shipper.flush()).delivered == 12_000
    assert not as_bodies(seen) - as_counted(logs)
    assert as_bodies([entry async for entry in inspector.journal()]) == as_counted(logs)
    assert before.counts[LogKind.CATALOGUE] == Counts(put=12_000, delivered=12_000)
    after = await inspector.status()
    assert not after.in_use
    assert after.size > 0
    assert after.location == str(path)
    await inspector.aclose()


async def test_a_shipper_starts_while_an_inspector_tests_the_lock(tmp_path):
    path = tmp_path / "plays.db"
    async with open_sandbox() as sandbox:
        await put(path, sandbox, [])
        looking = [asyncio.create_task(status(path)) for _ in range(20)]
        await put(path, sandbox, plays(1))
        await asyncio.gather(*looking)


async def test_a_buried_play_is_replayed_and_delivered(tmp_path):
    path, logs = tmp_path / "plays.db", plays(60, users=2)
    async with open_sandbox("poison:7", "poison:9") as sandbox:
        assert (await put(path, sandbox, logs)).buried == 2
    buried = await dead_letters(path, kind=LogKind.CATALOGUE, state=DeadLetterState.BURIED)
    assert [play.log.track_id for play in buried] == ["7", "9"]
    assert all(play.code == 1008 or play.reason for play in buried)
    assert await dead_letters(path, state=DeadLetterState.HELD) == await dead_letters(path, kind=LogKind.PREVIEW) == []
    assert await changed(path, "replay", [buried[0].id, "no such", "-1", "9" * 30, "999", buried[0].id]) == 1
    check(path)
    counts = (await status(path)).counts[LogKind.CATALOGUE]
    assert (counts.put, counts.delivered, counts.waiting, counts.buried) == (60, 58, 1, 1)
    assert (await status(path)).oldest[LogKind.CATALOGUE] is not None
    async with open_sandbox() as sandbox:
        figures = await put(path, sandbox, [])
        assert received(sandbox) == as_counted([buried[0].log])
    assert (figures.put, figures.delivered, figures.buried) == (60, 59, 1)
    assert [play.id for play in await dead_letters(path)] == [buried[1].id]
    check(path)


@pytest.mark.parametrize("signed", [False, True])
async def test_a_held_play_is_replayed_as_a_possible_double(tmp_path, signed):
    path, logs = tmp_path / "plays.db", plays(30, users=3)

    def tokens_of(sandbox):
        return {f"user-{number}": sandbox.token_for(f"user-{number}") for number in range(3)} if signed else None

    async with open_sandbox("disconnect-after:100%") as sandbox:
        assert (await put(path, sandbox, logs, in_doubt="hold", user_tokens=tokens_of(sandbox))).held == 30
        arrived = received(sandbox)
    assert arrived == as_counted(logs)
    held = await dead_letters(path, state=DeadLetterState.HELD)
    assert all(play.in_doubt and "lost" in play.reason for play in held)
    assert await changed(path, "replay", [play.id for play in held[:20]]) == 20
    check(path)
    async with open_sandbox() as sandbox:
        figures = await put(path, sandbox, [], user_tokens=tokens_of(sandbox))
        again = received(sandbox)
    assert again == as_counted([play.log for play in held[:20]])
    assert (figures.put, figures.delivered, figures.held, figures.in_doubt) == (30, 20, 10, 30)
    delivered = [entry for entry in await journal(path) if entry.outcome is JournalOutcome.DELIVERED]
    assert len(delivered) == 20
    assert all(entry.in_doubt for entry in delivered)
    check(path)


async def test_dropped_plays_stay_counted_and_are_written_down(tmp_path):
    path, logs = tmp_path / "plays.db", plays(40)
    async with open_sandbox("disconnect-after:100%") as sandbox:
        await put(path, sandbox, logs[:20], in_doubt="hold")
    async with open_sandbox("poison:21") as sandbox:
        await put(path, sandbox, logs[20:])
    letters = await dead_letters(path)
    assert await changed(path, "discard", [play.id for play in letters]) == 21
    assert await changed(path, "discard", [play.id for play in letters]) == 0
    check(path)
    counts = (await status(path)).counts[LogKind.CATALOGUE]
    assert (counts.put, counts.delivered, counts.held, counts.buried) == (40, 19, 0, 21)
    assert await dead_letters(path) == []
    dropped = [entry for entry in await journal(path) if entry.outcome is JournalOutcome.DISCARDED]
    assert as_bodies(dropped) == as_counted(logs[:21])
    assert sum(entry.in_doubt for entry in dropped) == 20
    assert all(entry.answer for entry in dropped)


async def test_very_many_are_moved_in_portions(tmp_path):
    path, logs = tmp_path / "plays.db", plays(1_300)
    async with open_sandbox("disconnect-after:100%") as sandbox:
        await put(path, sandbox, logs, in_doubt="hold")
    held = await dead_letters(path)
    assert await changed(path, "replay", [play.id for play in held]) == 1_300
    check(path)
    assert (await status(path)).counts[LogKind.CATALOGUE].waiting == 1_300
    async with open_sandbox() as sandbox:
        await put(path, sandbox, [])
        assert received(sandbox) == as_counted(logs)


async def test_a_file_that_is_not_a_spool_is_refused_and_left_alone(tmp_path):
    database = tmp_path / "other.db"
    db = sqlite3.connect(database)
    db.execute("CREATE TABLE cats (name)")
    db.close()
    (tmp_path / "text.db").write_bytes(b"not a database at all, but long enough to look like one" * 20)
    (tmp_path / "empty.db").write_bytes(b"")
    before = {path: path.read_bytes() for path in tmp_path.iterdir()}
    for name, words, kind in [
        ("nowhere.db", "does not exist", SpoolError),
        ("other.db", "not a spool", SpoolError),
        ("text.db", "not a spool", SpoolError),
        ("empty.db", "empty", SpoolError),
        (".", "directory", SpoolError),
    ]:
        for act in (journal, dead_letters, status, lambda path: changed(path, "replay", ["1"])):
            with pytest.raises(kind, match=words):
                await act(tmp_path / name)
    assert {path: path.read_bytes() for path in tmp_path.iterdir()} == before


async def test_a_spool_of_another_version_is_left_as_it_is(tmp_path):
    path = tmp_path / "plays.db"
    async with open_sandbox() as sandbox:
        await put(path, sandbox, plays(1))
    db = sqlite3.connect(path, isolation_level=None)
    db.execute("PRAGMA user_version = 77")
    db.close()
    with pytest.raises(SpoolError, match="version 77"):
        await journal(path)


@pytest.mark.parametrize(
    ("table", "change"),
    [
        ("journal", "body = x'00'"),
        ("journal", "body = substr(body, 1, length(body) - 9)"),
        ("journal", "kind = 'karaoke'"),
        ("journal", "in_doubt = '['"),
        ("journal", "at = 1e300"),
        ("dead_letter", "state = 'attic'"),
        ("dead_letter", "at = at + 1"),
    ],
)
async def test_a_damaged_row_is_reported(tmp_path, table, change):
    path = tmp_path / "plays.db"
    async with open_sandbox("poison:2") as sandbox:
        await put(path, sandbox, plays(3))
    db = sqlite3.connect(path, isolation_level=None)
    db.execute(f"UPDATE {table} SET {change}")  # noqa: S608
    db.close()
    with pytest.raises(SpoolCorruptionError, match=r"is damaged: (row|dead letter) 1 "):
        await (journal if table == "journal" else dead_letters)(path)


def test_an_inspector_needs_a_spool():
    for place in ("", "redis://"):
        with pytest.raises(ConfigurationError):
            open_inspector(place)


async def test_the_status_has_the_age_of_the_oldest_waiting_play(tmp_path, unused_tcp_port):
    path, started = tmp_path / "plays.db", datetime.now(UTC)
    async with (
        SevenDigital(KEY, SECRET, base_url=f"http://127.0.0.1:{unused_tcp_port}") as client,
        StreamLogShipper(client, spool=path, close_timeout=0.0) as shipper,
    ):
        await shipper.put_many(LogKind.SUBSCRIBER, plays(3))
        oldest = (await status(path)).oldest
    assert started <= oldest[LogKind.SUBSCRIBER] <= datetime.now(UTC)
    assert oldest[LogKind.PREVIEW] is None


async def test_what_is_replayed_after_a_crash_is_not_taken_for_what_was_being_sent(tmp_path):
    def records(number):
        return [Record(b"{}", "", datetime.now(UTC)) for _ in range(number)]

    async def sent(number):
        await spool.append(LogKind.CATALOGUE, records(number))
        lease = await spool.lease(LogKind.CATALOGUE, flush=True)
        await spool.intent(lease, lease.records, "first")
        return lease

    context = SpoolContext(lane_rules(), SystemClock(), lambda _: None)
    spool = SqliteSpool(tmp_path / "plays.db")
    await spool.open(context)
    lease, now = await sent(1), datetime.now(UTC)
    letter = DeadLetter(LogKind.CATALOGUE, b"{}", "bad", None, now, in_doubt=False)
    await spool.bury(lease, [(lease.records[0], letter)])
    lease = await sent(4)
    lease.sending, lease.suspect = (), True
    await spool.intent(lease, lease.records[2:], "second")
    await spool.ack(lease, lease.records[2:], Receipt("second", now))
    crashed = tmp_path / "crashed.db"
    with sqlite3.connect(tmp_path / "plays.db") as db, sqlite3.connect(crashed) as copy:
        db.backup(copy)
    db.close()
    copy.close()
    await spool.aclose()
    assert await changed(crashed, "replay", [play.id for play in await dead_letters(crashed)]) == 1
    spool = SqliteSpool(crashed)
    await spool.open(context)
    counts = await spool.counts(LogKind.CATALOGUE)
    await spool.aclose()
    assert counts == Counts(put=5, delivered=2, waiting=3, in_doubt=2)
