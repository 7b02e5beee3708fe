"""What is done to the file, step by step: functions of a connection, run inside a transaction by the writer's thread.

Statements take many rows at once where they can: between any two of them the thread lets go of the interpreter, and
a busy loop may be slow to give it back.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Mapping, Sequence

import orjson
from attrs import frozen

from ...errors import SpoolDamagedError
from ...models import LogKind
from ..records import SHARED, Bookmark, Record
from ..rules import LaneRules
from .parcel import COLUMNS, MAX_LOGS, Row, Written, records_of, rows

ROWS_PER_STATEMENT = 1000


@frozen
class Due:
    """When batches of signers may be taken, by the spool's clock; None if there are none.

    Attributes:
        company: The first of those that wait for company, or have it already.
        rested: The first of those that rest after a failure.
    """

    company: float | None
    rested: float | None

    def at(self, now: float, *, flush: bool) -> float | None:
        """Say since when, or from when on, a batch can be taken; None if there is none."""
        company = min(self.company, now) if flush and self.company is not None else self.company
        if company is None or self.rested is None:
            return self.rested if company is None else company
        return min(company, self.rested)


@frozen
class Taken:
    """The batch of a signer.

    Attributes:
        queue: Id of the queue.
        name: Of the queue.
        attempt: How often it has failed in a row.
        records: The plays.
    """

    queue: int
    name: str
    attempt: int
    records: list[Record]


@frozen
class Return:
    """How a queue comes back from a lease.

    Attributes:
        at: Now, by the spool's clock.
        attempt: How often it has failed in a row.
        delay: Seconds for which it rests.
        returned: It brings plays back.
    """

    at: float
    attempt: int
    delay: float
    returned: bool


def due_of(db: sqlite3.Connection, kind: LogKind) -> Due:
    """Say when the next batch of a signer is due."""
    return Due(
        *db.execute(
            "SELECT (SELECT min(due) FROM queue WHERE kind = ?1 AND resting = 0),"
            " (SELECT min(due) FROM queue WHERE kind = ?1 AND resting = 1)",
            (kind.value,),
        ).fetchone()
    )


def count(db: sqlite3.Connection, kind: LogKind, **changes: int) -> None:
    """Add to the counters of a kind."""
    sums = ", ".join(f"{column} = {column} + {change}" for column, change in changes.items() if change)
    if sums:
        db.execute(f"UPDATE lane SET {sums} WHERE kind = ?", (kind.value,))  # noqa: S608 - names and numbers of ours


def tick(db: sqlite3.Connection, now: float) -> None:
    """Note how late it is by the spool's clock."""
    db.execute("UPDATE progress SET clock = ?", (now,))


# -- in --


def append(
    db: sqlite3.Connection,
    kind: LogKind,
    queues: Mapping[str, Sequence[Record]],
    rules: LaneRules,
    written: Written,
) -> int:
    """Write plays, by queue; numbers them in place. Returns the number of the first."""
    number = sum(map(len, queues.values()))
    first: int = db.execute("SELECT next FROM progress").fetchone()[0]
    db.execute("UPDATE progress SET next = ?, clock = ?", (first + number, written.put_at))
    sizes = {name: sum([len(record.body) for record in records]) for name, records in queues.items()}
    ids = _enter(db, kind, [(name, len(queues[name]), sizes[name]) for name in queues], rules, written.put_at)
    parcels: list[Row] = []
    sequence = first
    for name, records in queues.items():
        for record in records:
            record.sequence = sequence
            sequence += 1
        parcels.extend(rows(ids[name], records, written))
    insert_parcels(db, parcels)
    count(db, kind, put=number, waiting=number, kept=number, size=sum(sizes.values()))
    return first


def _enter(
    db: sqlite3.Connection, kind: LogKind, arrivals: Sequence[tuple[str, int, int]], rules: LaneRules, now: float
) -> dict[str, int]:
    """Count plays into their queues, and say when a batch of each is due; returns the queues' ids."""
    known = {"kind": kind.value, "now": now, "linger": rules.linger, "logs": rules.max_count, "size": rules.max_bytes}
    listed = orjson.dumps(arrivals).decode()
    if any(name != SHARED for name, _, _ in arrivals):
        db.execute(
            "INSERT INTO queue (kind, name, logs, size, due)"
            " SELECT :kind, value ->> 0, value ->> 1, value ->> 2,"
            "  iif(value ->> 1 >= :logs OR value ->> 2 >= :size, :now, :now + :linger) FROM json_each(:arrivals)"
            " WHERE true ON CONFLICT (kind, name) DO UPDATE SET"
            "  logs = logs + excluded.logs, size = size + excluded.size,"
            "  due = iif(resting = 0 AND (logs + excluded.logs >= :logs OR size + excluded.size >= :size),"
            "   min(due, :now), due)",
            {**known, "arrivals": listed},
        )
    else:
        [(_, number, size)] = arrivals
        db.execute(
            "UPDATE queue SET logs = logs + ?, size = size + ? WHERE kind = ? AND name = ''", (number, size, kind.value)
        )
    found = db.execute(
        "SELECT json_group_object(name, id) FROM queue WHERE kind = :kind"
        " AND name IN (SELECT value ->> 0 FROM json_each(:arrivals))",
        {"kind": kind.value, "arrivals": listed},
    ).fetchone()[0]
    ids: dict[str, int] = orjson.loads(found)
    return ids


def insert_parcels(db: sqlite3.Connection, parcels: Sequence[Row]) -> None:
    """Write parcels, many in a statement."""
    for start in range(0, len(parcels), ROWS_PER_STATEMENT):
        part = parcels[start : start + ROWS_PER_STATEMENT]
        places = ", ".join(["(?, ?, ?, ?, ?, ?, ?, ?, ?)"] * len(part))
        db.execute(
            f"INSERT INTO parcel ({COLUMNS}) VALUES {places}",  # noqa: S608 - names of ours
            [value for row in part for value in row],
        )


def set_bookmark(db: sqlite3.Connection, bookmark: Bookmark) -> None:
    """Keep how far a source has been read."""
    db.execute("INSERT OR REPLACE INTO bookmark VALUES (?, ?)", (bookmark.source, bookmark.position))


# -- out --


def read(db: sqlite3.Connection, queue: int, name: str, start: int, rules: LaneRules, place: str) -> list[Record]:
    """Read the batch of a queue that begins with the first play not before number ``start``.

    Raises:
        SpoolDamagedError: A parcel is not as it was written.
    """
    batch: list[Record] = []
    size = 0
    parcels = db.execute(
        f"SELECT {COLUMNS} FROM parcel WHERE queue = ?1 AND first >= coalesce("  # noqa: S608 - names of ours
        "(SELECT max(first) FROM parcel WHERE queue = ?1 AND first <= ?2), 0) ORDER BY first",
        (queue, start),
    )
    for row in parcels:
        for record in _opened(row, name, place):
            if record.sequence < start:
                continue
            size += len(record.body)
            if batch and (len(batch) >= rules.max_count or size > rules.max_bytes):
                parcels.close()
                return batch
            batch.append(record)
    return batch


def records_between(db: sqlite3.Connection, queue: int, name: str, first: int, last: int, place: str) -> list[Record]:
    """Read the plays of a queue with numbers from first to last.

    Raises:
        SpoolDamagedError: A parcel is not as it was written.
    """
    touched = _touched(db, queue, first, last)
    return [record for row in touched for record in _opened(row, name, place) if first <= record.sequence <= last]


def _touched(db: sqlite3.Connection, queue: int, first: int, last: int) -> list[Row]:
    return db.execute(
        f"SELECT {COLUMNS} FROM parcel WHERE queue = ? AND first > ? AND first <= ? AND first + logs > ?"  # noqa: S608
        " ORDER BY first",
        (queue, first - MAX_LOGS, last, first),
    ).fetchall()


def _opened(row: Row, name: str, place: str) -> list[Record]:
    records = records_of(row, name)
    if records is None:
        raise SpoolDamagedError(
            f"{place} is damaged: plays {row[0]} to {row[0] + row[2] - 1} are not as they were written;"
            " it was left as it is, and nothing more is sent from it"
        )
    return records


def take(
    db: sqlite3.Connection, kind: LogKind, rules: LaneRules, now: float, place: str, *, flush: bool
) -> Taken | None:
    """Take the batch of the signer who has been due for longest."""
    found = db.execute(
        "SELECT id, name, attempt, due FROM (SELECT * FROM queue WHERE kind = :kind AND resting = 0"
        "  AND due <= :company ORDER BY due, id LIMIT 1)"
        " UNION ALL SELECT id, name, attempt, due FROM (SELECT * FROM queue WHERE kind = :kind AND resting = 1"
        "  AND due <= :now ORDER BY due, id LIMIT 1) ORDER BY due LIMIT 1",
        {"kind": kind.value, "now": now, "company": 9e999 if flush else now},
    ).fetchone()
    if found is None:
        return None
    queue, name, attempt, _ = found
    records = read(db, queue, name, 0, rules, place)
    db.execute("UPDATE queue SET due = NULL WHERE id = ?", (queue,))
    return Taken(queue, name, attempt, records)


def come_back(db: sqlite3.Connection, queue: int, rules: LaneRules, back: Return) -> None:
    """End the lease of a signer's queue: let it wait for its next turn, or forget it if it is empty."""
    db.execute(
        "UPDATE queue SET attempt = :attempt, resting = :delay > 0, due = CASE"
        "  WHEN :delay > 0 THEN :now + :delay"
        "  WHEN :returned OR logs >= :logs OR size >= :size THEN :now"
        "  ELSE (SELECT put_at FROM parcel WHERE queue = :queue ORDER BY first LIMIT 1) + :linger END"
        " WHERE id = :queue",
        {
            "queue": queue,
            "attempt": back.attempt,
            "delay": back.delay,
            "returned": back.returned,
            "now": back.at,
            "linger": rules.linger,
            "logs": rules.max_count,
            "size": rules.max_bytes,
        },
    )
    db.execute("DELETE FROM queue WHERE id = ? AND logs = 0", (queue,))


def remove(db: sqlite3.Connection, queue: int, name: str, records: Sequence[Record], place: str) -> None:
    """Take plays out of their parcels."""
    first, last = records[0].sequence, records[-1].sequence
    span = last - first + 1
    if span == len(records):
        # Nearly always: parcels that hold nothing else.
        removed = db.execute(
            "DELETE FROM parcel WHERE queue = ?1 AND first >= ?2 AND first < ?3 AND first + logs <= ?3 RETURNING logs",
            (queue, first, last + 1),
        )
        whole = sum([logs for (logs,) in removed])
    else:
        whole = 0
    if whole < len(records):
        gone = {record.sequence for record in records}
        _rewrite(db, queue, name, (first, last), lambda record: None if record.sequence in gone else record, place)
    db.execute(
        "UPDATE queue SET logs = logs - ?, size = size - ? WHERE id = ?",
        (len(records), sum([len(record.body) for record in records]), queue),
    )


def mark(db: sqlite3.Connection, queue: int, name: str, records: Sequence[Record], place: str) -> int:
    """Mark plays as possibly delivered; returns how many were not yet."""
    fresh = {record.sequence for record in records if not record.in_doubt}
    if not fresh:
        return 0

    def marked(record: Record) -> Record:
        record.in_doubt = record.in_doubt or record.sequence in fresh
        return record

    _rewrite(db, queue, name, (min(fresh), max(fresh)), marked, place)
    return len(fresh)


def _rewrite(
    db: sqlite3.Connection,
    queue: int,
    name: str,
    between: tuple[int, int],
    change: Callable[[Record], Record | None],
    place: str,
) -> None:
    """Replace the parcels that hold any of the numbers from first to last."""
    touched = _touched(db, queue, *between)
    replaced: list[Row] = []
    for row in touched:
        left = [kept for record in _opened(row, name, place) if (kept := change(record)) is not None]
        replaced.extend(rows(queue, left, Written(row[5], row[6])))
    db.execute(
        "DELETE FROM parcel WHERE first IN (SELECT value FROM json_each(?))",
        (orjson.dumps([row[0] for row in touched]).decode(),),
    )
    insert_parcels(db, replaced)
