"""Parcels in the file: written, read, and cut up when only some of their plays go."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Sequence

import orjson

from ..records import SHARED, Record
from ..rules import LaneRules
from .parcel import COLUMNS, MAX_LOGS, Row, Written, records_of, rows

ROWS_PER_STATEMENT = 1000


def insert_parcels(db: sqlite3.Connection, parcels: Sequence[Row]) -> None:
    """Write parcels, many in a statement."""
    for start in range(0, len(parcels), ROWS_PER_STATEMENT):
        part = parcels[start : start + ROWS_PER_STATEMENT]
        places = ", ".join(["(?, ?, ?, ?, ?, ?, ?, ?, ?)"] * len(part))
        db.execute(
            f"INSERT INTO parcel ({COLUMNS}) VALUES {places}",  # noqa: S608 - names of ours
            [value for row in part for value in row],
        )


def read(db: sqlite3.Connection, queue: int, name: str, start: int, rules: LaneRules) -> list[Record]:
    """Read the batch of a queue that begins with the first play not before number ``start``.

    Raises:
        UnsoundError: A parcel is not as it was written.
    """
    batch: list[Record] = []
    size = 0
    parcels = db.execute(
        f"SELECT {COLUMNS} FROM parcel WHERE queue = ?1 AND first >= coalesce("  # noqa: S608 - names of ours
        "(SELECT max(first) FROM parcel WHERE queue = ?1 AND first <= ?2), 0) ORDER BY first",
        (queue, start),
    )
    for row in parcels:
        for record in records_of(row, name):
            if record.sequence < start:
                continue
            size += len(record.body)
            if batch and (len(batch) >= rules.max_count or size > rules.max_bytes):
                parcels.close()
                return batch
            batch.append(record)
    return batch


def records_between(db: sqlite3.Connection, queue: int, name: str, first: int, last: int) -> list[Record]:
    """Read the plays of a queue with numbers from first to last.

    Raises:
        UnsoundError: A parcel is not as it was written.
    """
    touched = _touched(db, queue, first, last)
    return [record for row in touched for record in records_of(row, name) if first <= record.sequence <= last]


def _touched(db: sqlite3.Connection, queue: int, first: int, last: int) -> list[Row]:
    return db.execute(
        f"SELECT {COLUMNS} FROM parcel WHERE queue = ? AND first > ? AND first <= ? AND first + logs > ?"  # noqa: S608
        " ORDER BY first",
        (queue, first - MAX_LOGS, last, first),
    ).fetchall()


def remove(db: sqlite3.Connection, queue: int, name: str, records: Sequence[Record]) -> None:
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
        _rewrite(db, queue, name, (first, last), lambda record: None if record.sequence in gone else record)
    if name != SHARED:
        db.execute(
            "UPDATE queue SET logs = logs - ?, size = size - ? WHERE id = ?",
            (len(records), sum([len(record.body) for record in records]), queue),
        )


def mark(db: sqlite3.Connection, queue: int, name: str, records: Sequence[Record]) -> int:
    """Mark plays as possibly delivered; returns how many were not yet."""
    fresh = {record.sequence for record in records if not record.in_doubt}
    if not fresh:
        return 0

    def marked(record: Record) -> Record:
        record.in_doubt = record.in_doubt or record.sequence in fresh
        return record

    _rewrite(db, queue, name, (min(fresh), max(fresh)), marked)
    return len(fresh)


def _rewrite(
    db: sqlite3.Connection,
    queue: int,
    name: str,
    between: tuple[int, int],
    change: Callable[[Record], Record | None],
) -> None:
    """Replace the parcels that hold any of the numbers from first to last."""
    touched = _touched(db, queue, *between)
    replaced: list[Row] = []
    for row in touched:
        left = [kept for record in records_of(row, name) if (kept := change(record)) is not None]
        replaced.extend(rows(queue, left, Written(row[5], row[6])))
    db.execute(
        "DELETE FROM parcel WHERE first IN (SELECT value FROM json_each(?))",
        (orjson.dumps([row[0] for row in touched]).decode(),),
    )
    insert_parcels(db, replaced)
