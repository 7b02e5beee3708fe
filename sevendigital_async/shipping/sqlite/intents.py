"""Requests that are about to leave: noted before, and found again after a crash."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from typing import Any

import orjson
from attrs import evolve, frozen

from .parcel import Runs, UnsoundError, checksum

COLUMNS = "lease, queue, request_id, leased, sending, suspect"


@frozen
class Intent:
    """A row of table ``intent``.

    Attributes:
        lease: Its number.
        queue: Id of the queue.
        request_id: Of the request.
        leased: Numbers of the plays that were handed out, as JSON runs.
        sending: Numbers of those that are on their way.
        suspect: The lease was refused and may have been saved in part.
    """

    lease: int
    queue: int
    request_id: str
    leased: str
    sending: str
    suspect: int

    @property
    def row(self) -> tuple[Any, ...]:
        """What stands in the table."""
        facts = (self.lease, self.queue, self.request_id, self.leased, self.sending, self.suspect)
        return *facts, checksum(b"", *facts)


def write(db: sqlite3.Connection, intents: Sequence[Intent]) -> None:
    """Note them, each in place of what was noted for the same lease before."""
    places = ", ".join(["(?, ?, ?, ?, ?, ?, ?)"] * len(intents))
    db.execute(
        f"INSERT OR REPLACE INTO intent VALUES {places}",  # noqa: S608 - places only
        [value for intent in intents for value in intent.row],
    )


def forget(db: sqlite3.Connection, leases: Sequence[int]) -> None:
    """Let go of what was noted for leases."""
    db.execute("DELETE FROM intent WHERE lease IN (SELECT value FROM json_each(?))", (as_text(leases),))


def narrow(db: sqlite3.Connection, lease: int, sending: Runs) -> None:
    """Note that of a request no more than these are on their way."""
    for intent in _found(db, "WHERE lease = ?", (lease,)):
        write(db, [evolve(intent, sending=as_text(sending))])


def left(db: sqlite3.Connection) -> list[Intent]:
    """Return all whose outcome is not known.

    Raises:
        UnsoundError: One is not as it was written.
    """
    return _found(db, "", ())


def as_text(numbers: Runs | Sequence[int]) -> str:
    """Write numbers, or runs of them, as JSON."""
    return orjson.dumps(numbers).decode()


def _found(db: sqlite3.Connection, condition: str, values: tuple[int, ...]) -> list[Intent]:
    found = db.execute(f"SELECT {COLUMNS}, checksum FROM intent {condition}", values).fetchall()  # noqa: S608 - words of ours
    for *facts, kept in found:
        if checksum(b"", *facts) != kept:
            raise UnsoundError(f"the note of request {facts[2]} is not as it was written")
    return [Intent(*facts) for *facts, _ in found]
