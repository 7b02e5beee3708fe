"""A file of version 2 is read as it is, and migrated when a shipper opens it: nothing is lost, doubled or refused.

``data/version-2.db.gz`` was written by the release before, which was killed while batches of every kind were being
sent: it has waiting, leased, delivered, held, buried and discarded plays.
"""

import asyncio
import gzip
import shutil
import sqlite3
import sys
import time
import zlib
from collections import Counter
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

import orjson
import pytest
from support import power_cut
from support.service import Service
from support.spool_events import callback

from sevendigital_async import LogKind, SpoolCorruptionError, SpoolError, StreamLogShipper
from sevendigital_async.clock import SystemClock
from sevendigital_async.shipping.records import Counts, InDoubtPolicy
from sevendigital_async.shipping.rules import lane_rules
from sevendigital_async.shipping.spools.base import SpoolContext
from sevendigital_async.shipping.spools.inspector import DeadLetterState, JournalOutcome
from sevendigital_async.shipping.spools.sqlite import SqliteSpool, SqliteSpoolInspector, schema
from sevendigital_async.shipping.spools.sqlite.file import SpoolFile, commit_marker_of, read_only

VERSION_2 = gzip.decompress((Path(__file__).parent / "data" / "version-2.db.gz").read_bytes())
PREVIEW, CATALOGUE, SUBSCRIBER = LogKind.PREVIEW, LogKind.CATALOGUE, LogKind.SUBSCRIBER
BURIED, HELD = DeadLetterState.BURIED, DeadLetterState.HELD
DELIVERED, IN_DOUBT, DISCARDED = JournalOutcome.DELIVERED, JournalOutcome.IN_DOUBT, JournalOutcome.DISCARDED
COUNTS = {
    PREVIEW: Counts(put=1600, delivered=997, waiting=350, buried=3, held=250, in_doubt=500),
    CATALOGUE: Counts(put=1600, delivered=637, waiting=800, buried=3, held=160, in_doubt=320),
    SUBSCRIBER: Counts(put=1600, delivered=37, waiting=1551, buried=2, held=10, in_doubt=20),
}
JOURNAL = {
    (PREVIEW, DELIVERED): 997,
    (PREVIEW, IN_DOUBT): 500,
    (CATALOGUE, DELIVERED): 637,
    (CATALOGUE, IN_DOUBT): 320,
    (SUBSCRIBER, DELIVERED): 37,
    (SUBSCRIBER, IN_DOUBT): 20,
    (SUBSCRIBER, DISCARDED): 2,
}
DEAD_LETTERS = {
    (PREVIEW, BURIED): 3,
    (PREVIEW, HELD): 250,
    (CATALOGUE, BURIED): 3,
    (CATALOGUE, HELD): 160,
    (SUBSCRIBER, HELD): 10,
}
MIGRATION = schema.MIGRATIONS[2]


@pytest.fixture
def path(tmp_path):
    path = tmp_path / "live" / "plays.db"
    path.parent.mkdir()
    path.write_bytes(VERSION_2)
    return path


class LaterClock(SystemClock):
    """The system's clock, moved to the day after the plays: they expire after 61 days."""

    offset = datetime(2026, 11, 21, 12, tzinfo=UTC).timestamp() - time.time()

    def time(self):
        return super().time() + self.offset


@pytest.fixture
def clock():
    return LaterClock()


async def contents(path):
    """Read everything that an inspector returns."""
    inspector = SqliteSpoolInspector(path)
    try:
        status = await inspector.status()
        journal = [entry async for entry in inspector.journal()]
        letters = [letter async for letter in inspector.dead_letters()]
        return status.counts, status.oldest, journal, letters, await inspector.checkpoint("plays.jsonl")
    finally:
        await inspector.aclose()


def check_contents(found):
    counts, _, journal, letters, checkpoint = found
    assert counts == COUNTS
    assert Counter((entry.kind, entry.outcome) for entry in journal) == JOURNAL
    assert Counter((letter.kind, letter.state) for letter in letters) == DEAD_LETTERS
    assert checkpoint == "3000"


def version(path):
    with closing(sqlite3.connect(path)) as db:
        return db.execute("PRAGMA user_version").fetchone()[0]


def migrate(path, **options):
    """Open the file as a shipper does, and close it, without the recovery that follows."""
    file = SpoolFile(path, **options)
    file.open("openapi").close()
    file.release()


async def open_spool(path, clock, policy=InDoubtPolicy.RESEND):
    spool = SqliteSpool(path)
    await spool.open(SpoolContext(lane_rules(), clock, callback(), policy, dialect="openapi"))
    return spool


# -- reading --


async def test_an_inspector_reads_a_file_of_version_2_and_leaves_it_as_it_is(path):
    check_contents(await contents(path))
    assert path.read_bytes() == VERSION_2


async def test_an_inspector_of_a_read_only_copy_reads_it_too(path):
    path.parent.chmod(0o500)
    check_contents(await contents(path))
    path.parent.chmod(0o700)


async def test_an_inspector_reads_on_when_a_shipper_migrates_the_file(path):
    inspector = SqliteSpoolInspector(path)
    journal = inspector.journal()
    entries = [await anext(journal)]
    before = await inspector.status()
    migrate(path)
    assert (await inspector.status()).counts == before.counts
    entries += [entry async for entry in journal]
    assert Counter((entry.kind, entry.outcome) for entry in entries) == JOURNAL
    await inspector.aclose()


# -- migration --


@pytest.mark.parametrize("synchronous", ["FULL", "NORMAL"])
async def test_a_migrated_file_shows_what_the_old_one_did(path, synchronous):
    before = await contents(path)
    migrate(path, synchronous=synchronous)
    assert version(path) == schema.VERSION
    after = await contents(path)
    check_contents(after)
    assert after == before
    migrate(path)  # checks it from end to end
    assert await contents(path) == before


def test_a_migrated_file_has_the_tables_of_a_new_one(path):
    migrate(path)
    with closing(sqlite3.connect(path)) as old, closing(sqlite3.connect(":memory:")) as new:
        new.executescript(schema.TABLES)
        assert schema.layout_of(old) == schema.layout_of(new)
        for (table,) in new.execute("SELECT name FROM sqlite_schema WHERE type = 'table'"):
            columns = f"SELECT name, type, pk FROM pragma_table_info('{table}')"  # noqa: S608
            assert old.execute(columns).fetchall() == new.execute(columns).fetchall()


@pytest.mark.parametrize("policy", [InDoubtPolicy.RESEND, InDoubtPolicy.HOLD])
async def test_recovery_puts_what_was_being_sent_in_doubt(path, clock, policy):
    """At death one batch of each kind had an intent."""
    with closing(read_only(path, timeout=1.0)) as db:
        found = db.execute("SELECT request_id, leased, sending FROM intent").fetchall()
    sending = {name: sum(count for _, count in orjson.loads(runs)) for name, _, runs in found}
    assert sending.keys() == {"preview-cut-off", "catalogue-cut-off", "subscriber-cut-off"}
    spool = await open_spool(path, clock, policy)
    after = {kind: await spool.counts(kind) for kind in LogKind}
    await spool.aclose()
    _, _, journal, letters, _ = await contents(path)
    for kind in LogKind:
        number = sending[f"{kind.value}-cut-off"]
        cut_off = [entry for entry in journal if entry.request_id == f"{kind.value}-cut-off"]
        assert [entry.outcome for entry in cut_off] == [IN_DOUBT] * number
        held = number if policy is InDoubtPolicy.HOLD else 0
        assert after[kind].held == COUNTS[kind].held + held
        assert after[kind].waiting == COUNTS[kind].waiting - held
        in_doubt = {entry.body for entry in journal if entry.kind is kind and entry.outcome is IN_DOUBT}
        assert after[kind].in_doubt == len(in_doubt)
        assert sum(letter.kind is kind for letter in letters if letter.state is HELD) == after[kind].held


async def test_everything_that_waits_is_delivered_once(path, clock):
    before = await contents(path)
    service = Service(clock)

    lanes = {kind: {"linger": 0.0} for kind in LogKind}
    async with StreamLogShipper(service, spool=path, clock=clock, lanes=lanes) as shipper:
        statistics = await shipper.flush(50)
    assert (statistics.waiting, statistics.in_flight) == (0, 0)
    counts, _, journal, letters, checkpoint = await contents(path)
    for kind in LogKind:
        waiting, posted = COUNTS[kind].waiting, [post for post in service.posts if post.kind is kind]
        assert sum(len(post.tracks) for post in posted) == waiting
        assert {number for (of, _), number in service.saved.items() if of is kind} == {1}
        assert counts[kind].delivered == COUNTS[kind].delivered + waiting
        assert (counts[kind].waiting, counts[kind].put) == (0, COUNTS[kind].put)
        assert (counts[kind].buried, counts[kind].held) == (COUNTS[kind].buried, COUNTS[kind].held)
        delivered = [entry.log.track_id for entry in journal if entry.kind is kind and entry.outcome is DELIVERED]
        dead = [letter.log.track_id for letter in letters if letter.kind is kind]
        discarded = [entry.log.track_id for entry in journal if entry.kind is kind and entry.outcome is DISCARDED]
        assert len({*delivered, *dead, *discarded}) == len([*delivered, *dead, *discarded]) == COUNTS[kind].put
    assert journal[: len(before[2])] == before[2]
    assert (letters, checkpoint) == (before[3], "3000")


async def test_dead_letters_of_version_2_are_replayed_and_discarded(path):
    inspector = SqliteSpoolInspector(path)
    ids = [letter.id async for letter in inspector.dead_letters(kind=CATALOGUE)]
    assert await inspector.replay(ids[:3]) == 3
    assert await inspector.discard(ids[3:5]) == 2
    counts = (await inspector.status()).counts[CATALOGUE]
    await inspector.aclose()
    assert (counts.buried, counts.held, counts.waiting) == (2, 158, 803)
    assert version(path) == schema.VERSION
    migrate(path)


# -- what goes wrong --


class Interrupted(sqlite3.Connection):
    """Calls ``before`` with the number of each statement of a transaction; a small cache makes it write early."""

    before = None
    number = 0

    def execute(self, sql, *arguments):
        if sql == "BEGIN IMMEDIATE":
            super().execute("PRAGMA cache_size = 1")
            self.number = 1
        elif self.number and self.before is not None:
            type(self).before(self.number)
            self.number = 0 if sql == "COMMIT" else self.number + 1
        return super().execute(sql, *arguments)


STEPS = len(MIGRATION.statements) + 3
"""Statements between the beginning and the end of the transaction: the version is read and written, and COMMIT."""


@pytest.fixture
def interrupt(monkeypatch):
    connect = sqlite3.connect
    monkeypatch.setattr(sqlite3, "connect", lambda *args, **more: connect(*args, **{"factory": Interrupted, **more}))

    def before(function):
        monkeypatch.setattr(Interrupted, "before", staticmethod(function) if function else None)

    return before


async def test_a_crash_in_a_migration_leaves_version_2(path, tmp_path, interrupt):
    """The files are copied as they are before each statement, which is what ``kill -9`` leaves."""
    before, copies = await contents(path), []

    def copy(number):
        copies.append(tmp_path / f"killed-{number}" / "plays.db")
        shutil.copytree(path.parent, copies[-1].parent)

    interrupt(copy)
    migrate(path)
    interrupt(None)
    assert len(copies) == STEPS
    for killed in copies:
        assert version(killed) == 2
        migrate(killed)
        assert await contents(killed) == before
    assert version(path) == schema.VERSION


async def test_a_failed_migration_changes_nothing(path, interrupt):
    before = await contents(path)

    def fail_at(failing):
        def fail(number):
            if number == failing:
                error = sqlite3.OperationalError("database or disk is full")
                error.sqlite_errorcode = sqlite3.SQLITE_FULL
                raise error

        return fail

    for number in range(1, STEPS + 1):
        interrupt(fail_at(number))
        with pytest.raises(SpoolError, match="the disk is full"):
            migrate(path)
        interrupt(None)
        assert version(path) == 2
        assert path.read_bytes() == VERSION_2
    migrate(path)
    assert await contents(path) == before


@pytest.mark.skipif(power_cut.missing() is not None, reason=f"{power_cut.missing()}")
async def test_a_power_cut_in_a_migration_loses_nothing(path, tmp_path):
    before = await contents(path)
    cuts = power_cut.PowerCuts(tmp_path, seed=5)
    cuts.disk.directory = str(path.parent)
    cuts.disk.names = {"plays.db": power_cut.File(bytearray(VERSION_2))}
    cuts.disk.safe_names = dict(cuts.disk.names)
    work = (
        f"from pathlib import Path; from {SpoolFile.__module__} import SpoolFile;"
        f" file = SpoolFile(Path({str(path)!r})); file.open('openapi').close(); file.release()"
    )
    calls = await asyncio.to_thread(power_cut.recorded, [sys.executable, "-c", work], path.parent)
    assert any(call.name == "sync" and call.path.endswith("-wal") for call in calls)
    versions = Counter()
    moments = {*cuts.rng.sample(range(len(calls)), 12), len(calls)}
    for moment in range(len(calls) + 1):
        if moment in moments:
            left = tmp_path / f"cut-{moment}" / "plays.db"
            power_cut.placed(cuts.disk.left(cuts.rng), left.parent)
            assert await contents(left) == before
            versions[version(left)] += 1
            migrate(left)
            assert await contents(left) == before
        if moment < len(calls):
            cuts.disk.apply(calls[moment])
    assert versions.keys() == {2, schema.VERSION}


async def test_the_commit_marker_counts_across_a_migration(path, clock):
    with closing(read_only(path, timeout=1.0)) as db:
        flushed, spool_id = db.execute("SELECT flushed, name FROM progress").fetchone()
    marker = commit_marker_of(path)
    marker.open(spool_id)
    marker.write(flushed)
    marker.close()
    spool = await open_spool(path, clock)
    await spool.aclose()
    assert commit_marker_of(path).read().flushed > flushed
    path.write_bytes(VERSION_2)  # an older copy
    with pytest.raises(SpoolCorruptionError, match="the last transactions are missing"):
        await open_spool(path, clock)
    with pytest.raises(SpoolCorruptionError, match="the last transactions are missing"):
        await contents(path)
    assert path.read_bytes() == VERSION_2


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (
            "UPDATE parcel SET body = zeroblob(length(body)) WHERE first = (SELECT max(first) FROM parcel)",
            "are damaged",
        ),
        (
            "UPDATE set_aside SET reason = 'another' WHERE id = (SELECT max(id) FROM set_aside)",
            "dead letter 429 is damaged",
        ),
        ("UPDATE lane SET waiting = waiting + 1", "its counters do not match its rows"),
        ("DELETE FROM parcel WHERE first = (SELECT max(first) FROM parcel)", "some plays are missing"),
        ("ALTER TABLE parcel ADD COLUMN more TEXT", "its tables do not match version 2"),
        ("PRAGMA user_version = 1", "has version 1; this release reads version 2 and later"),
        ("PRAGMA user_version = 4", "has version 4; this release reads up to version 3"),
    ],
)
async def test_a_damaged_file_of_version_2_is_not_migrated(path, clock, change, words):
    with closing(sqlite3.connect(path, isolation_level=None)) as db:
        db.execute(change)
    before = path.read_bytes()
    with pytest.raises(SpoolError, match=words):
        await open_spool(path, clock)
    assert path.read_bytes() == before


async def test_damage_in_the_journal_is_neither_hidden_nor_in_the_way(path):
    """A row that is damaged stays so: its checksum is renewed only if it was right."""
    with closing(sqlite3.connect(path, isolation_level=None)) as db:
        db.execute("UPDATE journal SET answer = CAST(x'ff' AS TEXT) WHERE outcome = 'dropped'")
        db.execute("UPDATE journal SET at = at + 1 WHERE id = 1")
    migrate(path)
    with closing(sqlite3.connect(path)) as db:
        assert db.execute("SELECT count(*) FROM journal WHERE outcome = 'discarded'").fetchone() == (1,)
        db.execute("DELETE FROM journal WHERE id = 1")
        db.commit()
    with pytest.raises(SpoolCorruptionError):
        await contents(path)


async def test_a_compressed_row_of_the_journal_keeps_its_checksum(path):
    """``dropped`` became ``discarded``, which the checksum covers."""
    with closing(sqlite3.connect(path, isolation_level=None)) as db:
        db.create_function("compressed", 1, zlib.compress)
        db.execute("UPDATE journal SET body = compressed(body), compressed = 1 WHERE outcome = 'dropped'")
    before = await contents(path)
    migrate(path)
    assert await contents(path) == before
    assert sum(entry.outcome is DISCARDED for entry in before[2]) == 2
