"""What is done to the file, step by step: functions of a connection, run inside a transaction by the writer's thread.

Statements take many rows at once where they can: between any two of them the thread lets go of the interpreter, and
a busy loop may be slow to give it back.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Generic, TypeVar

import orjson
from attrs import frozen

from ....models import LogKind
from ...records import PARTNER_QUEUE, Checkpoint, Record, size_of
from ...rules import LaneRules
from .chunks import CorruptionError, Part, Written, checksum, insert_parcels, numbered_before, read, remove, rows

ItemT = TypeVar("ItemT")

Together = Callable[[sqlite3.Connection, Sequence[ItemT]], None]


@frozen
class DeferredWrite(Generic[ItemT]):
    """A part of a job that may be done after other jobs, because it makes no difference to them.

    Attributes:
        together: Does it, for the items of all jobs at once.
        item: Of this job.
    """

    together: Together[ItemT]
    item: ItemT


def all_done(db: sqlite3.Connection, results: Sequence[Any]) -> list[Any]:
    """Do what was left for later, and return the results of the jobs; that of one that has left something is None."""
    left: dict[Together[Any], list[Any]] = {}
    for result in results:
        if isinstance(result, DeferredWrite):
            left.setdefault(result.together, []).append(result.item)
    for together, items in left.items():
        together(db, items)
    return [None if isinstance(result, DeferredWrite) else result for result in results]


@frozen
class Due:
    """When batches of signers may be taken, by the spool's clock; None if there are none.

    Attributes:
        company: The first of those that wait for company, or have it already.
        rested: The first of those that rest after a failure.
    """

    company: float | None
    rested: float | None

    def at(self, now: float, rules: LaneRules, *, flush: bool) -> float | None:
        """Say since when, or from when on, a batch can be taken; None if there is none."""
        company = self.company
        if flush and company is not None and company > now:
            company = min(company - rules.linger, now)
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
        since: Since when it is due, by the spool's clock.
        oldest: When its first play was accepted, by the wall clock.
        records: The plays.
    """

    queue: int
    name: str
    attempt: int
    since: float
    oldest: float
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


def oldest_of(db: sqlite3.Connection, kind: LogKind, shared: int, number: int | None) -> float | None:
    """Say when the oldest play that waits was accepted: of the signers, or the partner's with this number."""
    (oldest,) = db.execute(
        "SELECT min(coalesce(signer, partner), coalesce(partner, signer)) FROM (SELECT"
        " (SELECT min(oldest) FROM queue WHERE kind = ?1) AS signer,"
        " (SELECT accepted_at FROM parcel WHERE queue = ?2 AND first <= ?3 ORDER BY first DESC LIMIT 1) AS partner)",
        (kind.value, shared, number),
    ).fetchone()
    return None if oldest is None else float(oldest)


def resting(kind: LogKind, until: float, last: int) -> Callable[[sqlite3.Connection], int]:
    """Return what counts the plays up to a number whose signer rests beyond a moment."""

    def work(db: sqlite3.Connection) -> int:
        (logs,) = db.execute(
            "SELECT coalesce(sum(parcel.logs), 0) FROM queue JOIN parcel ON parcel.queue = queue.id"
            " WHERE queue.kind = ? AND queue.resting = 1 AND queue.due > ? AND parcel.first <= ?",
            (kind.value, until, last),
        ).fetchone()
        return int(logs)

    return work


def next_number(db: sqlite3.Connection) -> int:
    """Return the number for the next play: larger than any that waits, or that a lease may still tell of."""
    (number,) = db.execute(
        "SELECT max(coalesce((SELECT first + logs FROM parcel ORDER BY first DESC LIMIT 1), 1),"
        " coalesce((SELECT max((value ->> 0) + (value ->> 1)) FROM intent, json_each(leased)), 1))"
    ).fetchone()
    return int(number)


def count(db: sqlite3.Connection, kind: LogKind, **changes: int) -> None:
    """Add to the counters of a kind."""
    changed = {column: change for column, change in changes.items() if change}
    if changed:
        sums = ", ".join([f"{column} = {column} + ?" for column in changed])
        db.execute(f"UPDATE lane SET {sums} WHERE kind = ?", (*changed.values(), kind.value))  # noqa: S608 - names of ours


def tick(db: sqlite3.Connection, now: float) -> None:
    """Note how late it is by the spool's clock."""
    db.execute("UPDATE progress SET clock = ?", (now,))


def set_flushed(db: sqlite3.Connection, number: int) -> None:
    """Note that this transaction will be one of so many that were forced to the disk."""
    db.execute("UPDATE progress SET flushed = ?", (number,))


def append(
    db: sqlite3.Connection,
    kind: LogKind,
    queues: Mapping[str, Sequence[Record]],
    *,
    shared: int,
    rules: LaneRules,
    written: Written,
) -> None:
    """Write plays, by queue, that have their numbers; ``shared`` is the id of the partner's queue."""
    signers = [(name, len(records), size_of(records)) for name, records in queues.items() if name != PARTNER_QUEUE]
    ids = {PARTNER_QUEUE: shared} | (_enter(db, kind, signers, rules, written) if signers else {})
    parcels = [row for name, records in queues.items() for row in rows(ids[name], records, written)]
    insert_parcels(db, parcels)
    number, size = sum(map(len, queues.values())), sum([parcel.size for parcel in parcels])
    of_shared = {
        "shared": len(queues.get(PARTNER_QUEUE, ())),
        "shared_size": size - sum([size for _, _, size in signers]),
    }
    count(db, kind, put=number, waiting=number, kept=number, size=size, **of_shared)


def _enter(
    db: sqlite3.Connection, kind: LogKind, arrivals: Sequence[tuple[str, int, int]], rules: LaneRules, written: Written
) -> dict[str, int]:
    """Count plays into their queues, and say when a batch of each is due; returns the queues' ids."""
    known = {
        "kind": kind.value,
        "now": written.put_at,
        "accepted": written.accepted_at,
        "linger": rules.linger,
        "logs": rules.max_count,
        "size": rules.max_bytes,
    }
    listed = orjson.dumps(arrivals).decode()
    tick(db, written.put_at)
    db.execute(
        "INSERT INTO queue (kind, name, logs, size, oldest, due)"
        " SELECT :kind, value ->> 0, value ->> 1, value ->> 2, :accepted,"
        "  iif(value ->> 1 >= :logs OR value ->> 2 >= :size, :now, :now + :linger) FROM json_each(:arrivals)"
        " WHERE true ON CONFLICT (kind, name) DO UPDATE SET"
        "  logs = logs + excluded.logs, size = size + excluded.size,"
        "  oldest = coalesce(oldest, excluded.oldest),"
        "  due = iif(resting = 0 AND (logs + excluded.logs >= :logs OR size + excluded.size >= :size),"
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
    """Keep how far a source has been read."""
    facts = (checkpoint.source, checkpoint.position)
    db.execute("INSERT OR REPLACE INTO checkpoint VALUES (?, ?, ?)", (*facts, checksum(b"", *facts)))


def restore_bookmark(db: sqlite3.Connection, checkpoint: Checkpoint, replaced: str | None) -> None:
    """Take a checkpoint back, unless another one has replaced it since."""
    if checkpoint_of(db, checkpoint.source) != checkpoint.position:
        return
    if replaced is None:
        db.execute("DELETE FROM checkpoint WHERE source = ?", (checkpoint.source,))
    else:
        set_checkpoint(db, Checkpoint(checkpoint.source, replaced))


def withdraw(db: sqlite3.Connection, kind: LogKind, queues: Mapping[str, Sequence[Record]], *, shared: int) -> None:
    """Take plays out that were written last, by queue, as if they had never been put."""
    number = size = 0
    for name, records in queues.items():
        weight = size_of(records)
        number, size = number + len(records), size + weight
        queue = shared if name == PARTNER_QUEUE else _leave(db, kind, name, len(records), weight)
        remove(db, Part(queue, name, records))
        if name == PARTNER_QUEUE:
            continue
        # While a batch of it is out, that is left to the end of its lease.
        db.execute(
            "UPDATE queue SET oldest = (SELECT accepted_at FROM parcel WHERE queue = ?1 ORDER BY first LIMIT 1)"
            " WHERE id = ?1 AND due IS NOT NULL",
            (queue,),
        )
        db.execute("DELETE FROM queue WHERE id = ? AND logs = 0 AND due IS NOT NULL", (queue,))
    partners = queues.get(PARTNER_QUEUE, ())
    of_shared = {"shared": -len(partners), "shared_size": -size_of(partners)}
    count(db, kind, put=-number, waiting=-number, kept=-number, size=-size, **of_shared)


def _leave(db: sqlite3.Connection, kind: LogKind, name: str, logs: int, size: int) -> int:
    """Count plays out of the queue of a signer; returns its id."""
    (queue,) = db.execute(
        "UPDATE queue SET logs = logs - ?, size = size - ? WHERE kind = ? AND name = ? RETURNING id",
        (logs, size, kind.value, name),
    ).fetchone()
    return int(queue)


SETTLED = "coalesce((SELECT min(first) FROM parcel WHERE parcel.queue = queue.id), 0) < :before"
"""The queue has plays that nobody can withdraw any more."""


def take(
    db: sqlite3.Connection, kind: LogKind, rules: LaneRules, now: float, *, flush: bool, before: int, batches: int
) -> list[Taken]:
    """Take the batches of the signers who have been due for longest: with ``flush``, since their first play was put.

    Plays with the number ``before`` or a larger one are left alone.

    Raises:
        CorruptionError: The plays of the first are not as they were written. Where those of a later one aren't, what
            stands before it is returned.
    """
    found = db.execute(
        "SELECT id, name, attempt, due AS since, oldest FROM (SELECT * FROM queue WHERE kind = :kind AND resting = 0"  # noqa: S608
        f"  AND due <= :now AND {SETTLED} ORDER BY due, id LIMIT :batches)"
        " UNION ALL SELECT id, name, attempt, due - :linger, oldest FROM (SELECT * FROM queue WHERE kind = :kind"
        f"  AND resting = 0 AND due > :now AND :flush AND {SETTLED} ORDER BY due, id LIMIT :batches)"
        " UNION ALL SELECT id, name, attempt, due, oldest FROM (SELECT * FROM queue WHERE kind = :kind AND resting = 1"
        f"  AND due <= :now AND {SETTLED} ORDER BY due, id LIMIT :batches) ORDER BY since LIMIT :batches",
        {"kind": kind.value, "now": now, "linger": rules.linger, "flush": flush, "batches": batches, "before": before},
    ).fetchall()
    taken: list[Taken] = []
    for queue, name, attempt, since, oldest in found:
        try:
            records = _read_due(db, queue, name, rules, before)
        except CorruptionError:
            if not taken:
                raise
            break
        taken.append(Taken(queue, name, attempt, since, oldest, records))
    db.execute(
        "UPDATE queue SET due = NULL, oldest = (SELECT accepted_at FROM parcel WHERE queue = queue.id"
        "  AND first + logs > batch.value ->> 1 ORDER BY first LIMIT 1)"
        " FROM json_each(?) AS batch WHERE queue.id = batch.value ->> 0",
        (orjson.dumps([(batch.queue, batch.records[-1].sequence + 1) for batch in taken]).decode(),),
    )
    return taken


def _read_due(db: sqlite3.Connection, queue: int, name: str, rules: LaneRules, before: int) -> list[Record]:
    records = numbered_before(read(db, queue, name, 0, rules), before)
    if not records:
        raise CorruptionError("a queue has lost its plays")
    return records


def come_back(db: sqlite3.Connection, queue: int, rules: LaneRules, back: Return) -> None:
    """End the lease of a signer's queue: let it wait for its next turn, or forget it if it is empty."""
    tick(db, back.at)
    db.execute(
        "UPDATE queue SET attempt = :attempt, resting = :delay > 0,"
        "  oldest = (SELECT accepted_at FROM parcel WHERE queue = :queue ORDER BY first LIMIT 1), due = CASE"
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


def checkpoint_of(db: sqlite3.Connection, source: str) -> str | None:
    """Return the position last kept for a source; None if there is none."""
    found = db.execute("SELECT position, checksum FROM checkpoint WHERE source = ?", (source,)).fetchone()
    if found is None:
        return None
    position, kept = found
    if kept != checksum(b"", source, position):
        raise CorruptionError(f"the note of how far {source} was read is not as it was written")
    return str(position)
