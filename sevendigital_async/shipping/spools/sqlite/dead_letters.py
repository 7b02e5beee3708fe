"""Dead letters: plays that were buried or are held. Functions of a connection, each within one transaction."""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping, Sequence
from typing import Any

import orjson
from attrs import frozen

from ....clock import to_datetime
from ....models import LogKind
from ...records import DeadLetter, Receipt, Record
from ...rules import LaneRules
from ..inspector import DeadLetterState, JournalOutcome
from . import journal
from .chunk_table import AppendTime, change_counters, checksum
from .errors import CorruptionError
from .journal import JournalRow
from .statements import append, next_sequence

LETTER_COLUMNS = "kind, queue, state, played_at, reason, code, at, in_doubt"
"""Columns of a dead letter, except its id, checksum and body."""

LETTERS_PER_TRANSACTION = 500
"""Dead letters that one transaction replays or discards."""


def write(
    db: sqlite3.Connection,
    kind: LogKind,
    queue: str,
    state: DeadLetterState,
    letters: Sequence[tuple[Record, DeadLetter]],
) -> None:
    """Insert dead letters."""
    rows = []
    for record, letter in letters:
        facts = (
            kind.value,
            queue,
            state.value,
            record.played_at.timestamp(),
            letter.reason,
            letter.code,
            letter.buried_at.timestamp(),
            int(letter.in_doubt),
        )
        rows.append((*facts, checksum(record.body, *facts), record.body))
    db.executemany(
        f"INSERT INTO dead_letter ({LETTER_COLUMNS}, checksum, body) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",  # noqa: S608 - names of ours
        rows,
    )


def check(number: int, facts: Sequence[Any], kept: int, body: bytes) -> None:
    """Compare a row with its checksum.

    Raises:
        CorruptionError: It is damaged.
    """
    if checksum(body, *facts) != kept:
        raise CorruptionError(f"dead letter {number} is damaged")


@frozen
class _RemovedLetters:
    """Dead letters of one kind: their states, and their plays by queue, and by queue and reason."""

    states: Sequence[str]
    queues: Mapping[str, Sequence[Record]]
    reasons: Mapping[tuple[str, str], Sequence[Record]]

    @property
    def held(self) -> int:
        return self.states.count(DeadLetterState.HELD.value)

    @property
    def size(self) -> int:
        return sum([len(record.body) for records in self.queues.values() for record in records])


def replay(db: sqlite3.Connection, ids: Sequence[int], rules: Mapping[LogKind, LaneRules], now: float) -> int:
    """Move dead letters to the ends of their queues; returns how many were found.

    Args:
        db: The connection.
        ids: Ids of the dead letters.
        rules: Rules of the lanes.
        now: Seconds since the epoch.
    """
    (clock,) = db.execute("SELECT clock FROM progress").fetchone()
    sequence = next_sequence(db)
    removed = _remove(db, ids)
    for kind, letters in removed.items():
        for records in letters.queues.values():
            for record in records:
                record.sequence = sequence
                sequence += 1
        (partner_queue,) = db.execute("SELECT id FROM queue WHERE kind = ? AND name = ''", (kind.value,)).fetchone()
        append(db, kind, letters.queues, partner_queue=partner_queue, rules=rules[kind], time=AppendTime(clock, now))
        # They have been counted as put, and as stored, since they were accepted.
        logs, held = len(letters.states), letters.held
        change_counters(
            db, kind, put=-logs, stored_logs=-logs, stored_size=-letters.size, held=-held, buried=held - logs
        )
    return sum(len(letters.states) for letters in removed.values())


def discard(db: sqlite3.Connection, ids: Sequence[int], now: float) -> int:
    """Delete dead letters and record them in the journal with their reasons; returns how many were found.

    Args:
        db: The connection.
        ids: Ids of the dead letters.
        now: Seconds since the epoch.
    """
    removed = _remove(db, ids)
    for kind, letters in removed.items():
        for (queue, reason), records in letters.reasons.items():
            receipt = Receipt("", to_datetime(now), reason)
            journal.write(db, [JournalRow(kind, queue, JournalOutcome.DISCARDED, receipt, records)])
        logs, held = len(letters.states), letters.held
        change_counters(db, kind, held=-held, buried=held, stored_logs=-logs, stored_size=-letters.size)
    return sum(len(letters.states) for letters in removed.values())


def _remove(db: sqlite3.Connection, ids: Sequence[int]) -> dict[LogKind, _RemovedLetters]:
    listed = orjson.dumps(list(ids)).decode()
    rows = db.execute(
        f"SELECT id, {LETTER_COLUMNS}, checksum, body FROM dead_letter"  # noqa: S608 - names of ours
        " WHERE id IN (SELECT value FROM json_each(?)) ORDER BY id",
        (listed,),
    ).fetchall()
    db.execute("DELETE FROM dead_letter WHERE id IN (SELECT value FROM json_each(?))", (listed,))
    removed: dict[LogKind, tuple[list[str], dict[str, list[Record]], dict[tuple[str, str], list[Record]]]] = {}
    for number, *facts, kept, body in rows:
        check(number, facts, kept, body)
        kind, queue, state, played_at, reason, _, _, in_doubt = facts
        states, queues, reasons = removed.setdefault(LogKind(kind), ([], {}, {}))
        record = Record(body, queue, to_datetime(played_at), in_doubt=bool(in_doubt))
        states.append(state)
        queues.setdefault(queue, []).append(record)
        reasons.setdefault((queue, reason), []).append(record)
    return {kind: _RemovedLetters(*groups) for kind, groups in removed.items()}
