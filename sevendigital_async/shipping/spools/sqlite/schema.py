"""The tables of a spool's file, their version, and how a file of an older version is read and migrated."""

from __future__ import annotations

import hashlib
import sqlite3
import zlib
from collections.abc import Mapping
from contextlib import closing, suppress
from functools import cache
from typing import Any

from attrs import field, frozen

from ....errors import SpoolError
from ....models import LogKind
from .chunk_table import checksum

APPLICATION_ID = 0x37446C67
"""Marks the file as a spool ("7Dlg")."""

VERSION = 3

FIRST_QUEUE = 2
"""The smallest id of a queue; 1 takes less space than -1."""

TABLES = """
-- How many plays of a kind are in which state; leased plays count as waiting, which is what they do after a crash.
-- stored: plays that take space. partner: plays in the partner queue.
-- Everything that is asked when the file is opened is here, so that no backlog makes opening slow.
CREATE TABLE lane (
    kind TEXT PRIMARY KEY,
    put INTEGER NOT NULL DEFAULT 0,
    delivered INTEGER NOT NULL DEFAULT 0,
    waiting INTEGER NOT NULL DEFAULT 0,
    buried INTEGER NOT NULL DEFAULT 0,
    held INTEGER NOT NULL DEFAULT 0,
    in_doubt INTEGER NOT NULL DEFAULT 0,
    stored_logs INTEGER NOT NULL DEFAULT 0,
    stored_size INTEGER NOT NULL DEFAULT 0,
    partner_logs INTEGER NOT NULL DEFAULT 0,
    partner_size INTEGER NOT NULL DEFAULT 0
) STRICT, WITHOUT ROWID;

-- One row. clock: the spool's own clock, which stops while the spool is closed, when it was last needed.
-- flushed: how many transactions have been forced to the disk. spool_id: random. dialect: of the plays.
CREATE TABLE progress (
    clock REAL NOT NULL, flushed INTEGER NOT NULL, spool_id INTEGER NOT NULL, dialect TEXT NOT NULL
) STRICT;

-- Signers with undelivered plays. due: when a batch may be leased, by the spool's clock; NULL while one is leased.
-- delayed: the queue was released with a delay. oldest: when its first play that is not leased was accepted, by the
-- wall clock. The queue without a name is the partner queue; of that one only the id is used, the rest is in memory.
CREATE TABLE queue (
    id INTEGER PRIMARY KEY,
    kind TEXT NOT NULL,
    name TEXT NOT NULL,
    logs INTEGER NOT NULL,
    size INTEGER NOT NULL,
    due REAL,
    delayed INTEGER NOT NULL DEFAULT 0,
    attempt INTEGER NOT NULL DEFAULT 0,
    oldest REAL,
    UNIQUE (kind, name)
) STRICT;
CREATE INDEX queue_by_due ON queue (kind, delayed, due);
CREATE INDEX queue_by_age ON queue (kind, oldest);

-- Plays of one queue with consecutive sequence numbers, in one piece: undelivered ones, and delivered ones until there
-- is time to move them into the journal. In a delivered chunk the queue is negative and the checksum inverted, which
-- takes as much space as before, so that SQLite need not write the plays again.
CREATE TABLE chunk (
    first INTEGER PRIMARY KEY,
    queue INTEGER NOT NULL,
    logs INTEGER NOT NULL,
    size INTEGER NOT NULL,
    in_doubt INTEGER NOT NULL,
    put_at REAL NOT NULL,
    accepted_at REAL NOT NULL,
    checksum INTEGER NOT NULL,
    body BLOB NOT NULL
) STRICT;
CREATE INDEX chunk_by_queue ON chunk (queue, first);

-- Requests whose outcome is not known yet. leased and sending: sequence numbers as JSON runs [first, count].
CREATE TABLE intent (
    lease INTEGER PRIMARY KEY,
    queue INTEGER NOT NULL,
    request_id TEXT NOT NULL,
    leased TEXT NOT NULL,
    sending TEXT NOT NULL,
    suspect INTEGER NOT NULL,
    checksum INTEGER NOT NULL
) STRICT;

CREATE TABLE dead_letter (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    kind TEXT NOT NULL,
    queue TEXT NOT NULL,
    state TEXT NOT NULL,
    played_at REAL NOT NULL,
    reason TEXT NOT NULL,
    code INTEGER,
    at REAL NOT NULL,
    in_doubt INTEGER NOT NULL,
    checksum INTEGER NOT NULL,
    body BLOB NOT NULL
) STRICT;

-- One row for the plays of one request. in_doubt: JSON positions of those that may have arrived before.
-- chunk: where the plays are, if they aren't in the body. compressed: 1 if the body is, 2 if it never will be, because
-- the row is damaged. checksum: of the row before its body was compressed.
CREATE TABLE journal (
    id INTEGER PRIMARY KEY,
    kind TEXT NOT NULL,
    queue TEXT NOT NULL,
    outcome TEXT NOT NULL,
    at REAL NOT NULL,
    request_id TEXT NOT NULL,
    answer TEXT NOT NULL,
    logs INTEGER NOT NULL,
    in_doubt TEXT NOT NULL,
    compressed INTEGER NOT NULL,
    chunk INTEGER,
    checksum INTEGER NOT NULL,
    body BLOB NOT NULL
) STRICT;
CREATE INDEX journal_plain ON journal (id) WHERE compressed = 0;

CREATE TABLE checkpoint (
    source TEXT PRIMARY KEY,
    position TEXT NOT NULL,
    checksum INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
"""


@frozen
class Migration:
    """How a file of one version is read, and how it becomes one of the next version.

    Attributes:
        layout: Digest of its tables (see :func:`layout_of`).
        views: Temporary views with the names and columns of ``TABLES``, for reading the file without changing it.
        statements: The changes, all in one transaction; they must not copy stored plays, which may fill half a disk.
    """

    layout: str
    views: str = field(repr=False)
    statements: tuple[str, ...] = field(repr=False)


RENAMED_CHECKSUM = (
    "checksum_of_renamed(checksum, body, compressed, 'discarded', kind, CAST(queue AS BLOB), outcome, at,"
    " CAST(request_id AS BLOB), CAST(answer AS BLOB), logs, CAST({positions} AS BLOB))"
)
"""The checksum of a row of the journal whose outcome changes its name: it covers the outcome.

As blobs, for damaged text would end the migration.
"""

MIGRATIONS: Mapping[int, Migration] = {
    2: Migration(
        layout="e1ef45286a15c0516fa57fa49aa9d7b8015089d19cd4efac45e74128e9c997b2",
        views="""
        CREATE TEMP VIEW lane AS SELECT kind, put, delivered, waiting, buried, held, in_doubt, kept AS stored_logs,
            size AS stored_size, shared AS partner_logs, shared_size AS partner_size FROM main.lane;
        CREATE TEMP VIEW progress AS SELECT clock, flushed, name AS spool_id, form AS dialect FROM main.progress;
        CREATE TEMP VIEW queue AS SELECT id, kind, name, logs, size, due, resting AS delayed, attempt, oldest
            FROM main.queue;
        CREATE TEMP VIEW chunk AS SELECT * FROM main.parcel;
        CREATE TEMP VIEW dead_letter AS SELECT id, kind, queue, place AS state, played_at, reason, code, at, in_doubt,
            checksum, body FROM main.set_aside;
        CREATE TEMP VIEW journal AS SELECT id, kind, queue, iif(outcome = 'dropped', 'discarded', outcome) AS outcome,
            at, request_id, answer, logs, doubted AS in_doubt, compressed, parcel AS chunk,
            iif(outcome = 'dropped', @checksum, checksum) AS checksum, body
            FROM main.journal;
        CREATE TEMP VIEW checkpoint AS SELECT * FROM main.bookmark;
        """.replace("@checksum", RENAMED_CHECKSUM.format(positions="doubted")),
        statements=(
            "ALTER TABLE lane RENAME COLUMN kept TO stored_logs",
            "ALTER TABLE lane RENAME COLUMN size TO stored_size",
            "ALTER TABLE lane RENAME COLUMN shared TO partner_logs",
            "ALTER TABLE lane RENAME COLUMN shared_size TO partner_size",
            "ALTER TABLE progress RENAME COLUMN name TO spool_id",
            "ALTER TABLE progress RENAME COLUMN form TO dialect",
            "ALTER TABLE queue RENAME COLUMN resting TO delayed",
            "ALTER TABLE parcel RENAME TO chunk",
            "DROP INDEX parcel_by_queue",
            "CREATE INDEX chunk_by_queue ON chunk (queue, first)",
            "ALTER TABLE set_aside RENAME TO dead_letter",
            "ALTER TABLE dead_letter RENAME COLUMN place TO state",
            "ALTER TABLE bookmark RENAME TO checkpoint",
            "ALTER TABLE journal RENAME COLUMN doubted TO in_doubt",
            "ALTER TABLE journal RENAME COLUMN parcel TO chunk",
            "UPDATE journal SET checksum = "  # noqa: S608 - words of ours
            + RENAMED_CHECKSUM.format(positions="in_doubt")
            + ", outcome = 'discarded' WHERE outcome = 'dropped'",
        ),
    ),
}
"""By the version that is migrated. Every release reads the version before its own: a new version adds an entry here.

An entry's ``views`` show the tables of this release. So a release that adds an entry for its predecessor rewrites the
views of older entries, or removes these entries.
"""


def create(db: sqlite3.Connection, dialect: str) -> None:
    """Create the tables of an empty spool for plays of one dialect."""
    db.execute("PRAGMA auto_vacuum = INCREMENTAL")  # so that a full disk gets back the space of delivered plays
    db.executescript(f"BEGIN IMMEDIATE; {TABLES}")
    db.execute("INSERT INTO progress VALUES (0, 0, random(), ?)", (dialect,))
    for queue, kind in enumerate(LogKind, FIRST_QUEUE):
        db.execute("INSERT INTO lane (kind) VALUES (?)", (kind.value,))
        db.execute("INSERT INTO queue (id, kind, name, logs, size) VALUES (?, ?, '', 0, 0)", (queue, kind.value))
    db.execute(f"PRAGMA application_id = {APPLICATION_ID}")
    db.execute(f"PRAGMA user_version = {VERSION}")
    db.execute("COMMIT")
    # Last, for everything is in the file itself by now: SQLite does not report what closing leaves in a -wal file.
    db.execute("PRAGMA journal_mode = WAL")


def version_of(db: sqlite3.Connection, shown: str) -> int:
    """Return the version of a file.

    Raises:
        SpoolError: The file is not a spool, or this release can't read its version.
    """
    [(application,), (version,)] = [
        db.execute(f"PRAGMA {name}").fetchone() for name in ("application_id", "user_version")
    ]
    if application != APPLICATION_ID:
        raise SpoolError(f"{shown} is a database, but not a spool; it was left as it is")
    if version > VERSION:
        raise SpoolError(
            f"{shown} has version {version}; this release reads up to version {VERSION}; open it with the release"
            " that wrote it; it was left as it is"
        )
    if version != VERSION and version not in MIGRATIONS:
        raise SpoolError(
            f"{shown} has version {version}; this release reads version {min(MIGRATIONS)} and later; deliver its"
            " plays with the release that wrote it; it was left as it is"
        )
    return int(version)


def adapt(db: sqlite3.Connection, shown: str) -> int:
    """Let a connection that only reads see a file of any known version with the tables of this release.

    Returns:
        The version of the file.

    Raises:
        SpoolError: The file is not a spool, or this release can't read its version.
    """
    version = version_of(db, shown)
    if version != VERSION and has_expected_layout(db, version):
        db.execute("PRAGMA temp_store = MEMORY")
        db.create_function("checksum_of_renamed", -1, checksum_of_renamed, deterministic=True)
        db.executescript(MIGRATIONS[version].views)
    return version


def migrate(db: sqlite3.Connection) -> None:
    """Change the tables of a file to those of this release, version by version, within a transaction of the caller."""
    (version,) = db.execute("PRAGMA user_version").fetchone()
    db.create_function("checksum_of_renamed", -1, checksum_of_renamed, deterministic=True)
    for step in range(version, VERSION):
        for statement in MIGRATIONS[step].statements:
            db.execute(statement)
    db.execute(f"PRAGMA user_version = {VERSION}")


def checksum_of_renamed(kept: int, body: bytes, compressed: int, new_outcome: str, *facts: Any) -> int:
    """Return the checksum of a row of the journal after its outcome has changed its name; a damaged row stays so."""
    with suppress(zlib.error, UnicodeDecodeError):
        plain = zlib.decompress(body) if compressed == 1 else body
        kind, queue, outcome, *others = [fact.decode() if isinstance(fact, bytes) else fact for fact in facts]
        if checksum(plain, kind, queue, outcome, *others) == kept:
            return checksum(plain, kind, queue, new_outcome, *others)
    return kept


def has_expected_layout(db: sqlite3.Connection, version: int = VERSION) -> bool:
    """Whether the tables of a file are those of its version."""
    return layout_of(db) == (_current_layout() if version == VERSION else MIGRATIONS[version].layout)


def layout_of(db: sqlite3.Connection) -> str:
    """Return a digest of the tables of a file."""
    found = db.execute("SELECT sql FROM main.sqlite_schema WHERE sql IS NOT NULL").fetchall()
    tables = sorted(sql.replace('"', "") for (sql,) in found)  # SQLite quotes the names of renamed tables
    return hashlib.sha256("\n".join(tables).encode()).hexdigest()


@cache
def _current_layout() -> str:
    with closing(sqlite3.connect(":memory:")) as db:
        db.executescript(TABLES)
        return layout_of(db)


def dialect_of(db: sqlite3.Connection) -> str:
    """Return the dialect of the plays of a spool."""
    [dialect] = db.execute("SELECT dialect FROM progress").fetchone()
    return str(dialect)
