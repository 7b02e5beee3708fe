"""What is read from the file while somebody else may be writing it: functions of a connection, a portion at a time."""

from __future__ import annotations

import sqlite3
import struct
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

import orjson
from attrs import fields, frozen

from ...models import LogKind
from ..archive import JournalEntry, JournalOutcome, Place, SetAside
from ..records import Counts
from . import aside, journal
from .parcel import HEAD, UnsoundError, checksum, unpack

PORTION = 5_000
"""Plays read at once, or a few more: one transaction never lasts long enough to be in anybody's way."""


@frozen
class Wanted:
    """Which rows.

    Attributes:
        kind: Of the plays; None for all.
        place: Buried or held; None for both.
        since: When they were written at the earliest.
        until: Before when they were written.
    """

    kind: LogKind | None = None
    place: Place | None = None
    since: datetime | None = None
    until: datetime | None = None

    @property
    def clause(self) -> tuple[str, dict[str, object]]:
        """The condition, and its parameters."""
        conditions: dict[str, object] = {
            "kind = :kind": self.kind and self.kind.value,
            "place = :place": self.place and self.place.value,
            "at >= :since": self.since and self.since.timestamp(),
            "at < :until": self.until and self.until.timestamp(),
        }
        given = {condition: value for condition, value in conditions.items() if value is not None}
        words = " AND ".join(["id > :after", *given])
        return words, {condition.rpartition(":")[2]: value for condition, value in given.items()}


def journal_after(db: sqlite3.Connection, after: int, wanted: Wanted) -> tuple[int, list[JournalEntry]]:
    """Read the next entries of the journal, and say where to go on.

    Raises:
        UnsoundError: A row is not as it was written.
    """
    clause, values = wanted.clause
    found = db.execute(
        f"SELECT {journal.COLUMNS} FROM {journal.TABLES} WHERE {clause} ORDER BY id",  # noqa: S608 - words of ours
        {**values, "after": after},
    )
    entries: list[JournalEntry] = []
    for row in found:
        number = row[0]
        try:
            entries.extend(_entries(row))
        except journal.DAMAGE as error:
            raise UnsoundError(f"entry {number} of the journal is not as it was written") from error
        after = number
        if len(entries) >= PORTION:
            found.close()
            break
    return after, entries


def _entries(row: Sequence[Any]) -> Iterator[JournalEntry]:
    facts, piece = journal.read(row)
    kind, _, outcome, at, request_id, answer, logs, doubted = facts
    lane, became, moment = LogKind(kind), JournalOutcome(outcome), datetime.fromtimestamp(at, UTC)
    in_doubt = set(orjson.loads(doubted))
    if logs * HEAD + sum(struct.unpack_from(f"<{logs}I", piece)) != len(piece):
        raise ValueError("a piece of another length")
    for index, (play, _) in enumerate(unpack(piece, logs)):
        yield JournalEntry(lane, play, became, moment, request_id, answer, index in in_doubt)


def set_aside_after(db: sqlite3.Connection, after: int, wanted: Wanted) -> tuple[int, list[SetAside]]:
    """Read the next plays that were set aside, and say where to go on.

    Raises:
        UnsoundError: A row is not as it was written.
    """
    clause, values = wanted.clause
    found = db.execute(
        f"SELECT id, {aside.FACTS}, checksum, body FROM set_aside WHERE {clause} ORDER BY id LIMIT :portion",  # noqa: S608 - words of ours
        {**values, "after": after, "portion": PORTION},
    )
    plays: list[SetAside] = []
    for number, *facts, kept, body in found:
        kind, _, place, _, reason, code, at, in_doubt = facts
        try:
            aside.check(number, facts, kept, body)
            moment = datetime.fromtimestamp(at, UTC)
            play = SetAside(
                str(number), LogKind(kind), body, Place(place), reason, code, moment, in_doubt=bool(in_doubt)
            )
        except (ValueError, TypeError, ArithmeticError, OSError) as error:
            raise UnsoundError(f"play {number} of those set aside is not as it was written") from error
        plays.append(play)
        after = number
    return after, plays


def counts_of(db: sqlite3.Connection) -> Mapping[LogKind, Counts]:
    """Say where the plays are, by kind. What is on its way counts as waiting: the file knows no better."""
    names = [place.name for place in fields(Counts) if place.name != "in_flight"]
    rows = db.execute(f"SELECT kind, {', '.join(names)} FROM lane")  # noqa: S608 - names of ours
    return {LogKind(kind): Counts(**dict(zip(names, numbers, strict=True))) for kind, *numbers in rows}


def oldest_in(db: sqlite3.Connection, kind: LogKind) -> datetime | None:
    """Say when the oldest play that waits, or is on its way, was accepted."""
    (oldest,) = db.execute(
        "SELECT min(moment) FROM (SELECT min(oldest) AS moment FROM queue WHERE kind = ?1 UNION ALL"
        " SELECT min((SELECT accepted_at FROM parcel WHERE queue = queue.id ORDER BY first LIMIT 1)) FROM queue"
        "  WHERE kind = ?1 AND resting IN (0, 1) AND due IS NULL AND name <> '' UNION ALL"
        " SELECT * FROM (SELECT accepted_at FROM parcel WHERE queue ="
        " (SELECT id FROM queue WHERE kind = ?1 AND name = '') ORDER BY first LIMIT 1))",
        (kind.value,),
    ).fetchone()
    return None if oldest is None else datetime.fromtimestamp(oldest, UTC)


def bookmark_of(db: sqlite3.Connection, source: str) -> str | None:
    """Return the position last kept for a source; None if there is none."""
    found = db.execute("SELECT position, checksum FROM bookmark WHERE source = ?", (source,)).fetchone()
    if found is None:
        return None
    position, kept = found
    if kept != checksum(b"", source, position):
        raise UnsoundError(f"the note of how far {source} was read is not as it was written")
    return str(position)
