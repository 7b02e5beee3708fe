"""SQL of appends and of the queues of signers: functions of a connection, run in transactions of the writer thread.

Statements change many rows at once where they can: between two statements the thread releases the interpreter lock,
and a busy event loop may be slow to return it.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping, Sequence

import orjson
from attrs import frozen

from ....models import LogKind
from ...records import PARTNER_QUEUE, Checkpoint, Record, size_of
from ...rules import LaneRules
from .chunk_table import (
    AppendTime,
    QueueRecords,
    change_counters,
    checksum,
    chunk_rows,
    insert_chunks,
    read_batch,
    records_below,
    remove_records,
)
from .errors import CorruptionError
from .index import DueTimes

VISIBLE = "coalesce((SELECT min(first) FROM chunk WHERE chunk.queue = queue.id), 0) < :before"
"""The queue has plays that can no longer be withdrawn."""


@frozen
class SignerBatch:
    """A batch of a signer.

    Attributes:
        queue: Id of the queue.
        name: Name of the queue.
        attempt: How often it has failed in a row.
        due: Since when it is due, by the spool's clock.
        oldest: When its first play was accepted, by the wall clock.
        records: The plays.
    """

    queue: int
    name: str
    attempt: int
    due: float
    oldest: float
    records: list[Record]


@frozen
class LeaseEnd:
    """How a lease of a queue ends.

    Attributes:
        at: Now, by the spool's clock.
        attempt: How often the queue has failed in a row.
        delay: Seconds until the queue may be leased again.
        has_released: Plays of the lease wait again.
    """

    at: float
    attempt: int
    delay: float
    has_released: bool


def due_times(db: sqlite3.Connection, kind: LogKind) -> DueTimes:
    """Return when the next batches of signers are due."""
    return DueTimes(
        *db.execute(
            "SELECT (SELECT min(due) FROM queue WHERE kind = ?1 AND delayed = 0),"
            " (SELECT min(due) FROM queue WHERE kind = ?1 AND delayed = 1)",
            (kind.value,),
        ).fetchone()
    )


def oldest_accepted(db: sqlite3.Connection, kind: LogKind, partner_queue: int, sequence: int | None) -> float | None:
    """Return when the oldest waiting play was accepted, of signers or the one with this number in the partner queue."""
    (oldest,) = db.execute(
        "SELECT min(coalesce(signer, partner), coalesce(partner, signer)) FROM (SELECT"
        " (SELECT min(oldest) FROM queue WHERE kind = ?1) AS signer,"
        " (SELECT accepted_at FROM chunk WHERE queue = ?2 AND first <= ?3 ORDER BY first DESC LIMIT 1) AS partner)",
        (kind.value, partner_queue, sequence),
    ).fetchone()
    return None if oldest is None else float(oldest)


def count_delayed(db: sqlite3.Connection, kind: LogKind, until: float, last: int) -> int:
    """Count the plays up to a sequence number whose queue is delayed beyond a moment."""
    (logs,) = db.execute(
        "SELECT coalesce(sum(chunk.logs), 0) FROM queue JOIN chunk ON chunk.queue = queue.id"
        " WHERE queue.kind = ? AND queue.delayed = 1 AND queue.due > ? AND chunk.first <= ?",
        (kind.value, until, last),
    ).fetchone()
    return int(logs)


def next_sequence(db: sqlite3.Connection) -> int:
    """Return the sequence number of the next play: larger than that of any play that is stored, or in an intent."""
    (sequence,) = db.execute(
        "SELECT max(coalesce((SELECT first + logs FROM chunk ORDER BY first DESC LIMIT 1), 1),"
        " coalesce((SELECT max((value ->> 0) + (value ->> 1)) FROM intent, json_each(leased)), 1))"
    ).fetchone()
    return int(sequence)


def set_clock(db: sqlite3.Connection, now: float) -> None:
    """Store the time of the spool's clock."""
    db.execute("UPDATE progress SET clock = ?", (now,))


def append(
    db: sqlite3.Connection,
    kind: LogKind,
    queues: Mapping[str, Sequence[Record]],
    *,
    partner_queue: int,
    rules: LaneRules,
    time: AppendTime,
) -> None:
    """Store plays, by queue, that have their sequence numbers; ``partner_queue`` is an id."""
    signers = [(name, len(records), size_of(records)) for name, records in queues.items() if name != PARTNER_QUEUE]
    ids = {PARTNER_QUEUE: partner_queue} | (_add_to_queues(db, kind, signers, rules, time) if signers else {})
    chunks = [row for name, records in queues.items() for row in chunk_rows(ids[name], records, time)]
    insert_chunks(db, chunks)
    logs, size = sum(map(len, queues.values())), sum([chunk.size for chunk in chunks])
    of_partner = {
        "partner_logs": len(queues.get(PARTNER_QUEUE, ())),
        "partner_size": size - sum([size for _, _, size in signers]),
    }
    change_counters(db, kind, put=logs, waiting=logs, stored_logs=logs, stored_size=size, **of_partner)


def _add_to_queues(
    db: sqlite3.Connection, kind: LogKind, arrivals: Sequence[tuple[str, int, int]], rules: LaneRules, time: AppendTime
) -> dict[str, int]:
    """Count plays into their queues, and set when a batch of each is due; returns the ids of the queues."""
    known = {
        "kind": kind.value,
        "now": time.put_at,
        "accepted": time.accepted_at,
        "linger": rules.linger,
        "logs": rules.max_count,
        "size": rules.max_bytes,
    }
    listed = orjson.dumps(arrivals).decode()
    set_clock(db, time.put_at)
    db.execute(
        "INSERT INTO queue (kind, name, logs, size, oldest, due)"
        " SELECT :kind, value ->> 0, value ->> 1, value ->> 2, :accepted,"
        "  iif(value ->> 1 >= :logs OR value ->> 2 >= :size, :now, :now + :linger) FROM json_each(:arrivals)"
        " WHERE true ON CONFLICT (kind, name) DO UPDATE SET"
        "  logs = logs + excluded.logs, size = size + excluded.size,"
        "  oldest = coalesce(oldest, excluded.oldest),"
        "  due = iif(delayed = 0 AND (logs + excluded.logs >= :logs OR size + excluded.size >= :size),"
        "   min(due, :now), due)",
        {**known, "arrivals": listed},
    )
    found = db.execute(
        "SELECT json_group_object(name, id) FROM queue WHERE kind = :kind"
        " AND name IN (SELECT value ->> 0 FROM json_each(:arrivals))",
        {"kind": kind.value, "arrivals": listed},
    ).fetchone()[0]
    ids: dict[str, int] = orjson.loads(found)
    return ids


def set_checkpoint(db: sqlite3.Connection, checkpoint: Checkpoint) -> None:
    """Store how far a source has been read."""
    facts = (checkpoint.source, checkpoint.position)
    db.execute("INSERT OR REPLACE INTO checkpoint VALUES (?, ?, ?)", (*facts, checksum(b"", *facts)))


def restore_checkpoint(db: sqlite3.Connection, checkpoint: Checkpoint, replaced: str | None) -> None:
    """Restore the checkpoint that another one has replaced, unless that one has been replaced as well."""
    if checkpoint_of(db, checkpoint.source) != checkpoint.position:
        return
    if replaced is None:
        db.execute("DELETE FROM checkpoint WHERE source = ?", (checkpoint.source,))
    else:
        set_checkpoint(db, Checkpoint(checkpoint.source, replaced))


def withdraw(
    db: sqlite3.Connection, kind: LogKind, queues: Mapping[str, Sequence[Record]], *, partner_queue: int
) -> None:
    """Remove plays of the last append, by queue, as if they had never been put."""
    logs = size = 0
    for name, records in queues.items():
        queue_size = size_of(records)
        logs, size = logs + len(records), size + queue_size
        if name == PARTNER_QUEUE:
            queue = partner_queue
        else:
            queue = _subtract_from_queue(db, kind, name, len(records), queue_size)
        remove_records(db, QueueRecords(queue, name, records))
        if name == PARTNER_QUEUE:
            continue
        # While a batch of the queue is leased, the end of the lease updates the queue.
        db.execute(
            "UPDATE queue SET oldest = (SELECT accepted_at FROM chunk WHERE queue = ?1 ORDER BY first LIMIT 1)"
            " WHERE id = ?1 AND due IS NOT NULL",
            (queue,),
        )
        db.execute("DELETE FROM queue WHERE id = ? AND logs = 0 AND due IS NOT NULL", (queue,))
    partners = queues.get(PARTNER_QUEUE, ())
    of_partner = {"partner_logs": -len(partners), "partner_size": -size_of(partners)}
    change_counters(db, kind, put=-logs, waiting=-logs, stored_logs=-logs, stored_size=-size, **of_partner)


def _subtract_from_queue(db: sqlite3.Connection, kind: LogKind, name: str, logs: int, size: int) -> int:
    """Subtract plays from the counts of a signer's queue; returns its id."""
    (queue,) = db.execute(
        "UPDATE queue SET logs = logs - ?, size = size - ? WHERE kind = ? AND name = ? RETURNING id",
        (logs, size, kind.value, name),
    ).fetchone()
    return int(queue)


def take_signer_batches(
    db: sqlite3.Connection, kind: LogKind, rules: LaneRules, now: float, *, flush: bool, before: int, batches: int
) -> list[SignerBatch]:
    """Lease the batches of the signers that have been due for longest: with ``flush``, since their first play was put.

    Plays with sequence number ``before`` or a larger one are left alone.

    Raises:
        CorruptionError: The first batch is damaged. If a later one is, the batches before it are returned.
    """
    found = db.execute(
        "SELECT id, name, attempt, due AS since, oldest FROM (SELECT * FROM queue WHERE kind = :kind AND delayed = 0"  # noqa: S608
        f"  AND due <= :now AND {VISIBLE} ORDER BY due, id LIMIT :batches)"
        " UNION ALL SELECT id, name, attempt, due - :linger, oldest FROM (SELECT * FROM queue WHERE kind = :kind"
        f"  AND delayed = 0 AND due > :now AND :flush AND {VISIBLE} ORDER BY due, id LIMIT :batches)"
        " UNION ALL SELECT id, name, attempt, due, oldest FROM (SELECT * FROM queue WHERE kind = :kind AND delayed = 1"
        f"  AND due <= :now AND {VISIBLE} ORDER BY due, id LIMIT :batches) ORDER BY since LIMIT :batches",
        {"kind": kind.value, "now": now, "linger": rules.linger, "flush": flush, "batches": batches, "before": before},
    ).fetchall()
    taken: list[SignerBatch] = []
    for queue, name, attempt, due, oldest in found:
        try:
            records = _read_due(db, queue, name, rules, before)
        except CorruptionError:
            if not taken:
                raise
            break
        taken.append(SignerBatch(queue, name, attempt, due, oldest, records))
    db.execute(
        "UPDATE queue SET due = NULL, oldest = (SELECT accepted_at FROM chunk WHERE queue = queue.id"
        "  AND first + logs > batch.value ->> 1 ORDER BY first LIMIT 1)"
        " FROM json_each(?) AS batch WHERE queue.id = batch.value ->> 0",
        (orjson.dumps([(batch.queue, batch.records[-1].sequence + 1) for batch in taken]).decode(),),
    )
    return taken


def _read_due(db: sqlite3.Connection, queue: int, name: str, rules: LaneRules, before: int) -> list[Record]:
    records = records_below(read_batch(db, queue, name, 0, rules), before)
    if not records:
        raise CorruptionError("the plays of a queue are missing")
    return records


def end_lease(db: sqlite3.Connection, queue: int, rules: LaneRules, end: LeaseEnd) -> None:
    """End the lease of a signer's queue: set when it is due next, or delete it if it is empty."""
    set_clock(db, end.at)
    db.execute(
        "UPDATE queue SET attempt = :attempt, delayed = :delay > 0,"
        "  oldest = (SELECT accepted_at FROM chunk WHERE queue = :queue ORDER BY first LIMIT 1), due = CASE"
        "  WHEN :delay > 0 THEN :now + :delay"
        "  WHEN :has_released OR logs >= :logs OR size >= :size THEN :now"
        "  ELSE (SELECT put_at FROM chunk WHERE queue = :queue ORDER BY first LIMIT 1) + :linger END"
        " WHERE id = :queue",
        {
            "queue": queue,
            "attempt": end.attempt,
            "delay": end.delay,
            "has_released": end.has_released,
            "now": end.at,
            "linger": rules.linger,
            "logs": rules.max_count,
            "size": rules.max_bytes,
        },
    )
    db.execute("DELETE FROM queue WHERE id = ? AND logs = 0", (queue,))


def checkpoint_of(db: sqlite3.Connection, source: str) -> str | None:
    """Return the position last kept for a source; None if there is none."""
    found = db.execute("SELECT position, checksum FROM checkpoint WHERE source = ?", (source,)).fetchone()
    if found is None:
        return None
    position, kept = found
    if kept != checksum(b"", source, position):
        raise CorruptionError(f"the checkpoint of source {source} is damaged")
    return str(position)
