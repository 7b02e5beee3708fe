"""Chunks as rows of a file, and the counters of their plays; :mod:`..chunk_codec` packs the plays."""

from __future__ import annotations

import sqlite3
import struct
import zlib
from collections.abc import Callable, Iterator, Sequence
from itertools import repeat
from typing import NamedTuple

import orjson
from attrs import field, frozen

from ....models import LogKind
from ...records import Record, size_of
from ...rules import LaneRules
from ..chunk_codec import MAX_LOGS, PLAY_HEADER_BYTES, pack, pieces_of, unpack
from .errors import CorruptionError

COLUMNS = "first, queue, logs, size, in_doubt, put_at, accepted_at, checksum, body"

WHOLLY_BETWEEN = "queue = ?1 AND first >= ?2 AND first < ?3 AND first + logs <= ?3"

ROWS_PER_STATEMENT = 1000


class ChunkRow(NamedTuple):
    """A row of table ``chunk``; :mod:`.schema` describes the columns."""

    first: int
    queue: int
    logs: int
    size: int
    in_doubt: int
    put_at: float
    accepted_at: float
    checksum: int
    body: bytes


def checksum(body: bytes, *facts: float | str | None) -> int:
    """Return the checksum of a row: of its body and its other columns (``facts``)."""
    return zlib.crc32(body, zlib.crc32(repr(facts).encode()))


@frozen
class AppendTime:
    """When the plays of an append were accepted.

    Attributes:
        put_at: Seconds by the spool's clock.
        accepted_at: Seconds since the epoch, by the wall clock.
    """

    put_at: float
    accepted_at: float


def chunk_rows(queue: int, records: Sequence[Record], time: AppendTime) -> Iterator[ChunkRow]:
    """Cut plays of one queue, which have their sequence numbers, into chunks."""
    for piece in pieces_of(records):
        first, body = piece[0].sequence, pack(piece)
        size = len(body) - PLAY_HEADER_BYTES * len(piece)
        in_doubt = int(piece[0].in_doubt)
        checksum = _checksum((first, queue, len(piece), in_doubt), time, piece[0].queue, body)
        yield ChunkRow(first, queue, len(piece), size, in_doubt, time.put_at, time.accepted_at, checksum, body)


def is_intact(row: ChunkRow, queue: str) -> bool:
    """Whether an undelivered chunk has its checksum."""
    first, queue_id, logs, _, in_doubt, put_at, accepted_at, checksum, body = row
    return checksum == _checksum((first, queue_id, logs, in_doubt), AppendTime(put_at, accepted_at), queue, body)


def is_intact_delivered(row: ChunkRow, queue: str) -> bool:
    """Whether a delivered chunk has its checksum."""
    return is_intact(row._replace(queue=-row.queue, checksum=~row.checksum), queue)


def records_of(row: ChunkRow, queue: str) -> list[Record]:
    """Read a chunk.

    Raises:
        CorruptionError: It is damaged.
    """
    first, _, logs, _, in_doubt, put_at, _, _, body = row
    if not is_intact(row, queue):
        raise CorruptionError(f"plays {first} to {first + logs - 1} are damaged")
    bodies, played = zip(*unpack(body, logs), strict=True)
    numbers = range(first, first + logs)
    return list(map(Record, bodies, repeat(queue), played, numbers, repeat(put_at), repeat(bool(in_doubt))))


def _checksum(facts: tuple[int, int, int, int], time: AppendTime, queue: str, body: bytes) -> int:
    head = struct.pack("<4q2d", *facts, time.put_at, time.accepted_at)
    return zlib.crc32(body, zlib.crc32(head, zlib.crc32(queue.encode())))


@frozen
class QueueRecords:
    """Plays of one queue, in order.

    Attributes:
        queue: Id of the queue.
        name: Name of the queue.
        records: The plays; at least one.
    """

    queue: int
    name: str
    records: Sequence[Record] = field(repr=False)

    @property
    def first(self) -> int:
        """Sequence number of the first play."""
        return self.records[0].sequence

    @property
    def last(self) -> int:
        """Sequence number of the last play."""
        return self.records[-1].sequence

    @property
    def is_run(self) -> bool:
        """Whether the sequence numbers have no gap."""
        return self.last - self.first + 1 == len(self.records)


def insert_chunks(db: sqlite3.Connection, chunks: Sequence[ChunkRow]) -> None:
    """Insert chunks, many with one statement."""
    for start in range(0, len(chunks), ROWS_PER_STATEMENT):
        part = chunks[start : start + ROWS_PER_STATEMENT]
        places = ", ".join(["(?, ?, ?, ?, ?, ?, ?, ?, ?)"] * len(part))
        db.execute(
            f"INSERT INTO chunk ({COLUMNS}) VALUES {places}",  # noqa: S608 - names of ours
            [value for row in part for value in row],
        )


def change_counters(db: sqlite3.Connection, kind: LogKind, **changes: int) -> None:
    """Add to the counters of a kind."""
    changed = {column: change for column, change in changes.items() if change}
    if changed:
        sums = ", ".join([f"{column} = {column} + ?" for column in changed])
        db.execute(f"UPDATE lane SET {sums} WHERE kind = ?", (*changed.values(), kind.value))  # noqa: S608 - names of ours


def read_batch(db: sqlite3.Connection, queue: int, name: str, start: int, rules: LaneRules) -> list[Record]:
    """Read the batch of a queue that begins with the first play whose sequence number is ``start`` or larger.

    Raises:
        CorruptionError: A chunk is damaged.
    """
    batch: list[Record] = []
    size = 0
    chunks = _chunks_from(db, queue, start)
    for row in map(ChunkRow._make, chunks):
        records = records_of(row, name)
        if not batch and row.first >= start and not rules.is_exceeded_by(row.logs, len(row.body)):
            batch, size = records, size_of(records)  # nearly always
            if len(batch) == rules.max_count:
                chunks.close()
                return batch
            continue
        for record in records:
            if record.sequence < start:
                continue
            size += len(record.body)
            if batch and rules.is_exceeded_by(len(batch) + 1, size):
                chunks.close()
                return batch
            batch.append(record)
    return batch


def read_from(db: sqlite3.Connection, queue: int, name: str, start: int, logs: int) -> list[Record]:
    """Read ``logs`` plays of a queue, or a few more, from sequence number ``start`` on.

    Raises:
        CorruptionError: The first chunk is damaged. If a later one is, the plays before it are returned.
    """
    found: list[Record] = []
    chunks = _chunks_from(db, queue, start)
    for row in map(ChunkRow._make, chunks):
        try:
            records = records_of(row, name)
        except CorruptionError:
            if not found:
                raise
            break
        found += records if row.first >= start else [record for record in records if record.sequence >= start]
        if len(found) >= logs:
            break
    chunks.close()
    return found


def records_below(records: list[Record], number: int) -> list[Record]:
    """Return the plays with smaller sequence numbers, of plays in order."""
    if not records or records[-1].sequence < number:
        return records  # nearly always
    return [record for record in records if record.sequence < number]


def _chunks_from(db: sqlite3.Connection, queue: int, start: int) -> sqlite3.Cursor:
    return db.execute(
        f"SELECT {COLUMNS} FROM chunk WHERE queue = ?1 AND first >= coalesce("  # noqa: S608 - names of ours
        "(SELECT max(first) FROM chunk WHERE queue = ?1 AND first <= ?2), 0) ORDER BY first",
        (queue, start),
    )


def read_between(db: sqlite3.Connection, queue: int, name: str, first: int, last: int) -> list[Record]:
    """Read the plays of a queue with sequence numbers from first to last.

    Raises:
        CorruptionError: A chunk is damaged.
    """
    chunks = _overlapping(db, queue, first, last)
    return [record for row in chunks for record in records_of(row, name) if first <= record.sequence <= last]


def _overlapping(db: sqlite3.Connection, queue: int, first: int, last: int) -> list[ChunkRow]:
    found = db.execute(
        f"SELECT {COLUMNS} FROM chunk WHERE queue = ? AND first > ? AND first <= ? AND first + logs > ?"  # noqa: S608
        " ORDER BY first",
        (queue, first - MAX_LOGS, last, first),
    )
    return list(map(ChunkRow._make, found))


def mark_delivered(db: sqlite3.Connection, parts: Sequence[QueueRecords]) -> dict[int, int]:
    """Mark chunks as delivered that hold exactly the given plays; returns their checksums by their first numbers."""
    runs = [(part.first, part.queue, len(part.records)) for part in parts if part.is_run]
    marked = db.execute(
        "UPDATE chunk SET queue = -queue, checksum = ~checksum WHERE first IN (SELECT chunk.first"
        " FROM json_each(?) AS run CROSS JOIN chunk ON chunk.first = run.value ->> 0"
        " WHERE chunk.queue = run.value ->> 1 AND chunk.logs = run.value ->> 2) RETURNING first, checksum",
        (orjson.dumps(runs).decode(),),
    )
    return dict(marked.fetchall())


def remove_records(db: sqlite3.Connection, part: QueueRecords) -> None:
    """Remove plays from their chunks."""
    if part.is_run:
        # Nearly always: chunks that hold no other plays.
        removed = db.execute(
            f"DELETE FROM chunk WHERE {WHOLLY_BETWEEN} RETURNING logs",  # noqa: S608 - words of ours
            (part.queue, part.first, part.last + 1),
        )
        if sum([logs for (logs,) in removed]) == len(part.records):
            return
    removed_sequences = {record.sequence for record in part.records}
    between = (part.first, part.last)
    _rewrite_chunks(
        db, part.queue, part.name, between, lambda record: None if record.sequence in removed_sequences else record
    )


def mark_in_doubt(db: sqlite3.Connection, queue: int, name: str, records: Sequence[Record]) -> int:
    """Mark plays as possibly delivered; returns how many were not marked before."""
    fresh = {record.sequence for record in records if not record.in_doubt}
    if not fresh:
        return 0

    def marked(record: Record) -> Record:
        record.in_doubt = record.in_doubt or record.sequence in fresh
        return record

    _rewrite_chunks(db, queue, name, (min(fresh), max(fresh)), marked)
    return len(fresh)


def _rewrite_chunks(
    db: sqlite3.Connection,
    queue: int,
    name: str,
    between: tuple[int, int],
    change: Callable[[Record], Record | None],
) -> None:
    """Replace the chunks that hold any of the sequence numbers from first to last."""
    old = _overlapping(db, queue, *between)
    new: list[ChunkRow] = []
    for row in old:
        left = [kept for record in records_of(row, name) if (kept := change(record)) is not None]
        new.extend(chunk_rows(queue, left, AppendTime(row.put_at, row.accepted_at)))
    db.execute(
        "DELETE FROM chunk WHERE first IN (SELECT value FROM json_each(?))",
        (orjson.dumps([row.first for row in old]).decode(),),
    )
    insert_chunks(db, new)
