"""Chunks: consecutive plays of one queue stored as one piece, because a row for each costs ten times as much."""

from __future__ import annotations

import sqlite3
import struct
import zlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import UTC, datetime
from itertools import accumulate, pairwise, repeat
from typing import NamedTuple

import orjson
from attrs import field, frozen

from ...records import Record, size_of
from ...rules import LaneRules

MAX_LOGS = 500
"""Plays in one parcel at the most, so that taking a few out of it stays cheap."""

COLUMNS = "first, queue, logs, size, in_doubt, put_at, accepted_at, checksum, body"


class Row(NamedTuple):
    """The columns of table ``parcel``, which says what they mean."""

    first: int
    queue: int
    logs: int
    size: int
    in_doubt: int
    put_at: float
    accepted_at: float
    checksum: int
    body: bytes


Runs = list[tuple[int, int]]
"""Numbers as runs of (first, count)."""


class CorruptionError(Exception):
    """Something in the file is not as it was written; becomes a ``SpoolCorruptionError`` that names the file.

    Attributes:
        advice: What a person may do.
    """

    advice = "put a sound copy in its place, or move it away, with the files beside it, to begin with a new one"


class MissingTailError(CorruptionError):
    """What was written last is not there."""

    advice = "put the right files back, or remove its -mark file to go on without what is missing"


HEAD = 12
"""Bytes that a packed play takes besides its body."""


def checksum(body: bytes, *facts: float | str | None) -> int:
    """Return a number that tells whether the facts of a row, or its body, have changed."""
    return zlib.crc32(body, zlib.crc32(repr(facts).encode()))


@frozen
class Written:
    """When plays were accepted.

    Attributes:
        put_at: Seconds by the spool's clock.
        accepted_at: Seconds since the epoch, by the wall clock.
    """

    put_at: float
    accepted_at: float


def pack(records: Sequence[Record]) -> bytes:
    """Write plays into one piece: their lengths, when they were played, and their bodies."""
    number = len(records)
    bodies = [record.body for record in records]
    times = [record.played_at.timestamp() for record in records]
    return b"".join((struct.pack(f"<{number}I{number}d", *map(len, bodies), *times), *bodies))


def unpack(piece: bytes, number: int) -> Iterator[tuple[bytes, datetime]]:
    """Read plays back; the inverse of :func:`pack`."""
    values = struct.unpack_from(f"<{number}I{number}d", piece)
    ends = accumulate(values[:number], initial=number * HEAD)
    bodies = [piece[start:end] for start, end in pairwise(ends)]
    return zip(bodies, map(datetime.fromtimestamp, values[number:], repeat(UTC)), strict=True)


def rows(queue: int, records: Sequence[Record], written: Written) -> Iterator[Row]:
    """Cut plays of one queue, already numbered, into parcels."""
    for piece in _pieces(records):
        first, body = piece[0].sequence, pack(piece)
        size = len(body) - HEAD * len(piece)
        in_doubt = int(piece[0].in_doubt)
        checksum = _checksum((first, queue, len(piece), in_doubt), written, piece[0].queue, body)
        yield Row(first, queue, len(piece), size, in_doubt, written.put_at, written.accepted_at, checksum, body)


def is_sound(row: Row, queue: str) -> bool:
    """Say whether an undelivered parcel is as it was written."""
    first, queue_id, logs, _, in_doubt, put_at, accepted_at, checksum, body = row
    return checksum == _checksum((first, queue_id, logs, in_doubt), Written(put_at, accepted_at), queue, body)


def is_sound_delivered(row: Row, queue: str) -> bool:
    """Say whether a delivered parcel is as it was written."""
    return is_sound(row._replace(queue=-row.queue, checksum=~row.checksum), queue)


def records_of(row: Row, queue: str) -> list[Record]:
    """Read a parcel.

    Raises:
        CorruptionError: It is not as it was written.
    """
    first, _, logs, _, in_doubt, put_at, _, _, body = row
    if not is_sound(row, queue):
        raise CorruptionError(f"plays {first} to {first + logs - 1} are not as they were written")
    bodies, played = zip(*unpack(body, logs), strict=True)
    numbers = range(first, first + logs)
    return list(map(Record, bodies, repeat(queue), played, numbers, repeat(put_at), repeat(bool(in_doubt))))


def runs_of(records: Iterable[Record]) -> Runs:
    """Write the numbers of records as runs."""
    runs: Runs = []
    records = tuple(records)
    if records and records[-1].sequence - records[0].sequence == len(records) - 1:
        return [(records[0].sequence, len(records))]  # nearly always
    for record in records:
        number = record.sequence
        if runs and sum(runs[-1]) == number:
            runs[-1] = (runs[-1][0], runs[-1][1] + 1)
        else:
            runs.append((number, 1))
    return runs


def _pieces(records: Sequence[Record]) -> Iterator[Sequence[Record]]:
    span = records[-1].sequence - records[0].sequence + 1 if records else 0
    if span == len(records) and len({record.in_doubt for record in records}) <= 1:
        for start in range(0, span, MAX_LOGS):  # nearly always
            yield records[start : start + MAX_LOGS]
        return
    start = 0
    for index in range(1, len(records) + 1):
        if (
            index == len(records)
            or index - start == MAX_LOGS
            or records[index].sequence != records[index - 1].sequence + 1
            or records[index].in_doubt is not records[index - 1].in_doubt
        ):
            yield records[start:index]
            start = index


def _checksum(facts: tuple[int, int, int, int], written: Written, queue: str, body: bytes) -> int:
    head = struct.pack("<4q2d", *facts, written.put_at, written.accepted_at)
    return zlib.crc32(body, zlib.crc32(head, zlib.crc32(queue.encode())))


ROWS_PER_STATEMENT = 1000

WHOLLY_BETWEEN = "queue = ?1 AND first >= ?2 AND first < ?3 AND first + logs <= ?3"


@frozen
class Part:
    """Plays of one queue, in order.

    Attributes:
        queue: Id of the queue.
        name: Of the queue.
        records: The plays; one at least.
    """

    queue: int
    name: str
    records: Sequence[Record] = field(repr=False)

    @property
    def first(self) -> int:
        """The number of the first."""
        return self.records[0].sequence

    @property
    def last(self) -> int:
        """The number of the last."""
        return self.records[-1].sequence

    @property
    def is_run(self) -> bool:
        """Whether no number is left out between them."""
        return self.last - self.first + 1 == len(self.records)


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
        CorruptionError: A parcel is not as it was written.
    """
    batch: list[Record] = []
    size = 0
    parcels = _parcels_from(db, queue, start)
    for row in map(Row._make, parcels):
        records = records_of(row, name)
        if not batch and row.first >= start and not rules.is_exceeded_by(row.logs, len(row.body)):
            batch, size = records, size_of(records)  # nearly always
            if len(batch) == rules.max_count:
                parcels.close()
                return batch
            continue
        for record in records:
            if record.sequence < start:
                continue
            size += len(record.body)
            if batch and rules.is_exceeded_by(len(batch) + 1, size):
                parcels.close()
                return batch
            batch.append(record)
    return batch


def read_on(db: sqlite3.Connection, queue: int, name: str, start: int, logs: int) -> list[Record]:
    """Read ``logs`` plays of a queue, or a few more, from the first one not before number ``start`` on.

    Raises:
        CorruptionError: The first parcel is not as it was written. Where a later one isn't, what stands before it is
            returned.
    """
    found: list[Record] = []
    parcels = _parcels_from(db, queue, start)
    for row in map(Row._make, parcels):
        try:
            records = records_of(row, name)
        except CorruptionError:
            if not found:
                raise
            break
        found += records if row.first >= start else [record for record in records if record.sequence >= start]
        if len(found) >= logs:
            break
    parcels.close()
    return found


def numbered_before(records: list[Record], number: int) -> list[Record]:
    """Return the plays with smaller numbers, of plays in order."""
    if not records or records[-1].sequence < number:
        return records  # nearly always
    return [record for record in records if record.sequence < number]


def _parcels_from(db: sqlite3.Connection, queue: int, start: int) -> sqlite3.Cursor:
    return db.execute(
        f"SELECT {COLUMNS} FROM parcel WHERE queue = ?1 AND first >= coalesce("  # noqa: S608 - names of ours
        "(SELECT max(first) FROM parcel WHERE queue = ?1 AND first <= ?2), 0) ORDER BY first",
        (queue, start),
    )


def records_between(db: sqlite3.Connection, queue: int, name: str, first: int, last: int) -> list[Record]:
    """Read the plays of a queue with numbers from first to last.

    Raises:
        CorruptionError: A parcel is not as it was written.
    """
    touched = _touched(db, queue, first, last)
    return [record for row in touched for record in records_of(row, name) if first <= record.sequence <= last]


def _touched(db: sqlite3.Connection, queue: int, first: int, last: int) -> list[Row]:
    touched = db.execute(
        f"SELECT {COLUMNS} FROM parcel WHERE queue = ? AND first > ? AND first <= ? AND first + logs > ?"  # noqa: S608
        " ORDER BY first",
        (queue, first - MAX_LOGS, last, first),
    )
    return list(map(Row._make, touched))


def file_away(db: sqlite3.Connection, parts: Sequence[Part]) -> dict[int, int]:
    """Mark parcels as delivered that hold just what was delivered; returns their checksums by their numbers."""
    runs = [(part.first, part.queue, len(part.records)) for part in parts if part.is_run]
    marked = db.execute(
        "UPDATE parcel SET queue = -queue, checksum = ~checksum WHERE first IN (SELECT parcel.first"
        " FROM json_each(?) AS run CROSS JOIN parcel ON parcel.first = run.value ->> 0"
        " WHERE parcel.queue = run.value ->> 1 AND parcel.logs = run.value ->> 2) RETURNING first, checksum",
        (orjson.dumps(runs).decode(),),
    )
    return dict(marked.fetchall())


def remove(db: sqlite3.Connection, part: Part) -> None:
    """Take plays out of their parcels."""
    if part.is_run:
        # Nearly always: parcels that hold nothing else.
        removed = db.execute(
            f"DELETE FROM parcel WHERE {WHOLLY_BETWEEN} RETURNING logs",  # noqa: S608 - words of ours
            (part.queue, part.first, part.last + 1),
        )
        if sum([logs for (logs,) in removed]) == len(part.records):
            return
    gone = {record.sequence for record in part.records}
    between = (part.first, part.last)
    _rewrite(db, part.queue, part.name, between, lambda record: None if record.sequence in gone else record)


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
        replaced.extend(rows(queue, left, Written(row.put_at, row.accepted_at)))
    db.execute(
        "DELETE FROM parcel WHERE first IN (SELECT value FROM json_each(?))",
        (orjson.dumps([row.first for row in touched]).decode(),),
    )
    insert_parcels(db, replaced)
