"""A damaged file is reported and kept, and nothing is sent from it."""

import asyncio
import random
import shutil
import sqlite3
from collections import Counter
from contextlib import closing
from datetime import UTC, datetime

import pytest
from support.clock import VirtualClock

from sevendigital_async import DeadLetter, LogKind, SpoolCorruptionError, SpoolError, StreamLog
from sevendigital_async.cli import main
from sevendigital_async.shipping.records import Checkpoint, InDoubtPolicy, Receipt, Record
from sevendigital_async.shipping.rules import lane_rules
from sevendigital_async.shipping.spools.base import SpoolContext
from sevendigital_async.shipping.spools.sqlite import SqliteSpool, SqliteSpoolInspector, writer
from sevendigital_async.shipping.spools.sqlite.errors import IO_CORRUPTION_CODES, translate_error

RULES = lane_rules({kind: {"max_count": 20} for kind in LogKind})
NOW = datetime(2026, 1, 1, tzinfo=UTC)
RECEIPT = Receipt("request", NOW, "202 accepted")
KIND = LogKind.CATALOGUE
PARTS = ("", "-wal", "-mark")
ADVICE = ("put an intact copy in its place", "put the right files back")


def records(number, queue):
    return [
        Record(StreamLog(f"{queue}-{index}", NOW, user_id=queue or None).encode(), queue, NOW)
        for index in range(number)
    ]


async def open_spool(path):
    spool = SqliteSpool(path)
    await spool.open(SpoolContext(RULES, VirtualClock(), lambda _: None, InDoubtPolicy.HOLD))
    return spool


def copied(path, target):
    target.mkdir()
    for part in PARTS:
        if (source := path.with_name(path.name + part)).exists():
            shutil.copy(source, target / ("plays.db" + part))
    return target / "plays.db"


@pytest.fixture(autouse=True)
def never_idle(monkeypatch):
    """On a slow machine, the idle thread would commit while the files are copied."""
    monkeypatch.setattr(writer, "IDLE_TIME", 600.0)


async def filled(directory):
    """Make a spool with something in each of its tables, as it is after ``kill -9``, and as it is after closing."""
    spool = await open_spool(directory / "live.db")
    for queue in ("", "ann", "bob"):
        await spool.append(KIND, records(60, queue), Checkpoint("source", f"behind {queue}"))
    lease = await spool.lease(KIND, flush=True)
    await spool.intent(lease, lease.records, "r1")
    await spool.ack(lease, lease.records, RECEIPT)
    lease = await spool.lease(KIND, flush=True)
    await spool.intent(lease, lease.records, "r2")
    letters = [(record, DeadLetter(KIND, record.body, "bad", 1002, NOW, in_doubt=False)) for record in lease.records]
    await spool.bury(lease, letters[:5])
    await spool.mark_in_doubt(lease, lease.records[5:10], InDoubtPolicy.HOLD)
    await spool.mark_in_doubt(lease, lease.records[10:], InDoubtPolicy.RESEND)
    lease = await spool.lease(KIND, flush=True)
    await spool.intent(lease, lease.records, "r3")
    killed = copied(directory / "live.db", directory / "killed")
    await spool.aclose()
    return killed, copied(directory / "live.db", directory / "closed")


async def life(path):
    """Open a spool, deliver the waiting plays, and return everything that was recorded."""
    spool = await open_spool(path)
    sent = Counter()
    try:
        position = await spool.checkpoint("source")
        while lease := await spool.lease(KIND, flush=True):
            sent.update((lease.queue, record.body, record.in_doubt) for record in lease.records)
            await spool.ack(lease, lease.records, RECEIPT)
        counts = await spool.counts(KIND)
    finally:
        await spool.aclose()
    inspector = SqliteSpoolInspector(path)
    try:
        dead_letters = Counter(
            [(play.state, play.body, play.reason, play.in_doubt) async for play in inspector.dead_letters()]
        )
        journal = [(e.outcome, e.log.encode(), e.request_id, e.answer, e.in_doubt) async for e in inspector.journal()]
    finally:
        await inspector.aclose()
    return position, sent, counts, dead_letters, Counter(journal)


async def opening_and_closing(path):
    await (await open_spool(path)).aclose()


async def living_as(path, expected):
    assert await life(path) == expected  # the damaged bytes held no data


async def damage_found(step):
    try:
        await step
    except SpoolCorruptionError as error:
        return str(error)
    return None


def flipped(data, rng):
    at = rng.choice([index for index in rng.sample(range(len(data)), 200) if data[index]])
    return data[:at] + bytes([data[at] ^ 1 << rng.randrange(8)]) + data[at + 1 :]


def cut(data, rng):
    return data[: rng.randrange(1, len(data))]


def overwritten(data, rng):
    at = rng.randrange(0, len(data), 512)
    return data[:at] + rng.randbytes(512) + data[at + 512 :]


@pytest.mark.parametrize("harm", [flipped, cut, overwritten])
@pytest.mark.parametrize("part", ["", "-wal"])
async def test_harm_is_noticed_before_it_matters(tmp_path, harm, part):
    killed, closed = await filled(tmp_path)
    whole, rng = (killed if part else closed), random.Random(f"{harm.__name__}{part}")
    expected = await life(copied(whole, tmp_path / "intact"))
    assert expected[2].put == 180 == expected[2].delivered + expected[2].buried + expected[2].held
    noticed = 0
    for number in range(30):
        path = copied(whole, tmp_path / f"{number}")
        harmed = path.with_name(path.name + part)
        harmed.write_bytes(harm(harmed.read_bytes(), rng))
        before = {name: path.with_name(path.name + name).read_bytes() for name in ("", part)}
        refusal = await damage_found(opening_and_closing(path))
        if refusal is not None:
            noticed += 1
            assert any(words in refusal for words in ADVICE), refusal
            assert str(path) in refusal
            assert {name: path.with_name(path.name + name).read_bytes() for name in before} == before
        elif (found := await damage_found(living_as(path, expected))) is not None:
            assert "of the journal" in found, found  # the rest was intact, and was delivered
    assert noticed >= 10


@pytest.mark.parametrize("what", ["gone", "garbage", "of an older time"])
async def test_what_was_accepted_is_missed_when_it_is_gone(tmp_path, what):
    killed, _ = await filled(tmp_path)
    whole = await open_spool(copied(killed, tmp_path / "whole"))
    complete = await whole.counts(KIND)
    await whole.aclose()
    wal = killed.with_name("plays.db-wal")
    if what == "gone":
        wal.unlink()
    elif what == "garbage":
        wal.write_bytes(random.Random(1).randbytes(50_000))
    else:
        wal.write_bytes(wal.read_bytes()[: wal.stat().st_size // 8])
    for act in (open_spool, lambda path: SqliteSpoolInspector(path).status()):
        with pytest.raises(SpoolCorruptionError, match="the last transactions are missing"):
            await act(killed)
    killed.with_name("plays.db-mark").unlink()  # as advised
    spool = await open_spool(killed)
    # A part of the -wal file may have been brought into the file itself by then, plays included.
    assert await spool.counts(KIND) != complete
    await spool.aclose()


@pytest.mark.parametrize("mark", [b"", b"x", b"x" * 20, b"x" * 5_000])
async def test_a_damaged_commit_marker_is_ignored(tmp_path, mark):
    _, closed = await filled(tmp_path)
    closed.with_name("plays.db-mark").write_bytes(mark)
    spool = await open_spool(closed)
    await spool.append(KIND, records(1, "carl"))
    await spool.aclose()
    assert closed.with_name("plays.db-mark").stat().st_size == 20
    older = copied(closed, tmp_path / "older")
    spool = await open_spool(closed)
    await spool.append(KIND, records(1, "carl"))
    await spool.aclose()
    shutil.copy(older, closed)
    with pytest.raises(SpoolCorruptionError, match="an older copy"):
        await open_spool(closed)


async def test_the_commit_marker_of_another_spool_is_ignored(tmp_path):
    _, closed = await filled(tmp_path)
    closed.unlink()  # a new spool, beside the commit marker of the old one
    spool = await open_spool(closed)
    await spool.append(KIND, records(1, ""))
    await spool.aclose()
    spool = await open_spool(closed)
    assert (await spool.counts(KIND)).waiting == 1
    await spool.aclose()


async def test_a_damaged_lock_is_not_reported_as_a_damaged_spool(tmp_path):
    _, closed = await filled(tmp_path)
    closed.with_name("plays.db-owner").write_bytes(b"garbage" * 1000)
    inspector = SqliteSpoolInspector(closed)
    for act in (lambda: open_spool(closed), inspector.status):
        with pytest.raises(SpoolError, match="-owner is not a lock file") as caught:
            await act()
        assert not isinstance(caught.value, SpoolCorruptionError)
    await inspector.aclose()
    closed.with_name("plays.db-owner").unlink()  # as advised
    await (await open_spool(closed)).aclose()


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda path: path.write_bytes(path.read_bytes()[:9_000]), "damaged"),
        (lambda path: path.write_bytes(path.read_bytes()[:30_000] + b"x" * 70_000), "damaged"),
        (lambda path: _execute(path, "PRAGMA user_version = 1"), "version 1; this release reads version 2 and later"),
        (lambda path: _execute(path, "UPDATE progress SET flushed = 0"), "the last transactions are missing"),
    ],
    ids=["truncated", "overwritten", "version", "older"],
)
def test_the_commands_say_it_in_one_line_and_leave_the_file_alone(tmp_path, monkeypatch, capsys, change, words):
    _, closed = asyncio.run(filled(tmp_path))
    change(closed)
    before = closed.read_bytes()
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("SEVENDIGITAL_CONSUMER_KEY", "key")
    monkeypatch.setenv("SEVENDIGITAL_CONSUMER_SECRET", "secret")
    (tmp_path / "plays.jsonl").write_bytes(StreamLog("1", datetime.now(UTC)).encode() + b"\n")
    for arguments in (
        ["ship", "plays.jsonl", "--kind", "preview"],
        ["spool", "status"],
        ["dead-letters", "list"],
        ["dead-letters", "replay", "--all", "--yes"],
        ["dead-letters", "discard", "1", "--yes"],
        ["journal", "export", "--out", "out.csv"],
    ):
        code = main([*arguments, "--spool", str(closed)])
        shown = capsys.readouterr()
        assert (code, shown.out) == (1, ""), shown
        assert words in shown.err
        assert len(shown.err.splitlines()) == 1
    assert not (tmp_path / "out.csv").exists()
    assert closed.read_bytes() == before


def _execute(path, statement):
    with closing(sqlite3.connect(path, isolation_level=None)) as db:
        db.execute(statement)


@pytest.mark.parametrize("code", sorted(IO_CORRUPTION_CODES))
def test_a_cut_file_is_damaged_whatever_the_release_of_sqlite_calls_it(code):
    error = sqlite3.OperationalError("disk I/O error")
    error.sqlite_errorcode = code
    assert isinstance(translate_error(error, "plays.db"), SpoolCorruptionError)
