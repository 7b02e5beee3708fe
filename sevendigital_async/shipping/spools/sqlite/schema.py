"""The file's form: its tables and its version."""

from __future__ import annotations

import sqlite3

from ....errors import SpoolError
from ....models import LogKind

APPLICATION_ID = 0x37446C67
"""Marks the file as ours ("7Dlg")."""

VERSION = 2

FIRST_QUEUE = 2
"""The smallest id of a queue; 1 takes less room than -1."""

TABLES = """
-- How many plays of a kind are where; what is in flight still waits here, for that is what it does after a crash.
-- size and kept: bytes and number of those that take room. shared_size and shared: those of the partner's own queue.
-- Whatever is asked when the file is opened stands here, so that no backlog makes that slow.
CREATE TABLE lane (
    kind TEXT PRIMARY KEY,
    put INTEGER NOT NULL DEFAULT 0,
    delivered INTEGER NOT NULL DEFAULT 0,
    waiting INTEGER NOT NULL DEFAULT 0,
    buried INTEGER NOT NULL DEFAULT 0,
    held INTEGER NOT NULL DEFAULT 0,
    in_doubt INTEGER NOT NULL DEFAULT 0,
    kept INTEGER NOT NULL DEFAULT 0,
    size INTEGER NOT NULL DEFAULT 0,
    shared INTEGER NOT NULL DEFAULT 0,
    shared_size INTEGER NOT NULL DEFAULT 0
) STRICT, WITHOUT ROWID;

-- One row. clock: the spool's own, which stands still while nobody has it open, when it was last of importance.
-- flushed: how many transactions have been forced to the disk. name: tells this spool from any other. form: what its
-- plays are made for.
CREATE TABLE progress (
    clock REAL NOT NULL, flushed INTEGER NOT NULL, name INTEGER NOT NULL, form TEXT NOT NULL
) STRICT;

-- Signers with undelivered plays. due: when a batch may be taken, by the spool's clock; NULL while one is out.
-- oldest: when its first play that is not out was accepted, by the wall clock.
-- The queue without a name is the partner's; all but its id is kept in memory.
CREATE TABLE queue (
    id INTEGER PRIMARY KEY,
    kind TEXT NOT NULL,
    name TEXT NOT NULL,
    logs INTEGER NOT NULL,
    size INTEGER NOT NULL,
    due REAL,
    resting INTEGER NOT NULL DEFAULT 0,
    attempt INTEGER NOT NULL DEFAULT 0,
    oldest REAL,
    UNIQUE (kind, name)
) STRICT;
CREATE INDEX queue_by_due ON queue (kind, resting, due);
CREATE INDEX queue_by_age ON queue (kind, oldest);

-- Plays of one queue with consecutive numbers, in one piece: undelivered ones, and, until there is time to move them
-- into the journal, delivered ones. Of those the queue is negative and the checksum inverted, which takes as much room
-- as before, so that SQLite need not write the plays once more.
CREATE TABLE parcel (
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
CREATE INDEX parcel_by_queue ON parcel (queue, first);

-- Requests that were about to leave and whose outcome is not known yet; numbers as JSON runs [first, count].
CREATE TABLE intent (
    lease INTEGER PRIMARY KEY,
    queue INTEGER NOT NULL,
    request_id TEXT NOT NULL,
    leased TEXT NOT NULL,
    sending TEXT NOT NULL,
    suspect INTEGER NOT NULL,
    checksum INTEGER NOT NULL
) STRICT;

CREATE TABLE set_aside (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    kind TEXT NOT NULL,
    queue TEXT NOT NULL,
    place TEXT NOT NULL,
    played_at REAL NOT NULL,
    reason TEXT NOT NULL,
    code INTEGER,
    at REAL NOT NULL,
    in_doubt INTEGER NOT NULL,
    checksum INTEGER NOT NULL,
    body BLOB NOT NULL
) STRICT;

-- One row for the plays of one request; doubted: positions, as JSON, of those that may have arrived before.
-- parcel: where the plays are, if they aren't in the body. compressed: 1 if the body is, 2 if it never will be, because
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
    doubted TEXT NOT NULL,
    compressed INTEGER NOT NULL,
    parcel INTEGER,
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


def create(db: sqlite3.Connection, dialect: str) -> None:
    """Make the tables of an empty spool for plays of one form."""
    db.execute("PRAGMA auto_vacuum = INCREMENTAL")  # so that a full disk gets back what deliveries have left free
    db.executescript(f"BEGIN IMMEDIATE; {TABLES}")
    db.execute("INSERT INTO progress VALUES (0, 0, random(), ?)", (dialect,))
    for number, kind in enumerate(LogKind, FIRST_QUEUE):
        db.execute("INSERT INTO lane (kind) VALUES (?)", (kind.value,))
        db.execute("INSERT INTO queue (id, kind, name, logs, size) VALUES (?, ?, '', 0, 0)", (number, kind.value))
    db.execute(f"PRAGMA application_id = {APPLICATION_ID}")
    db.execute(f"PRAGMA user_version = {VERSION}")
    db.execute("COMMIT")
    # Last, for everything is in the file itself by now: what closing leaves in a -wal file, it does not tell.
    db.execute("PRAGMA journal_mode = WAL")


def check_version(db: sqlite3.Connection, place: str) -> None:
    """Refuse a file that is not a spool, or not one that this release can read.

    Raises:
        SpoolError: Says which.
    """
    [(application,), (version,)] = [
        db.execute(f"PRAGMA {name}").fetchone() for name in ("application_id", "user_version")
    ]
    if application != APPLICATION_ID:
        raise SpoolError(f"{place} is a database, but not a spool of plays; it was left as it is")
    if version != VERSION:
        raise SpoolError(
            f"{place} has the form of version {version}, this release reads version {VERSION}; it was left as it is"
        )


def dialect_of(db: sqlite3.Connection) -> str:
    """Return what the plays of a spool are made for."""
    [dialect] = db.execute("SELECT form FROM progress").fetchone()
    return str(dialect)
