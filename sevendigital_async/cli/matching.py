"""Two heaps of plays compared, each play as often as it is there; on disk, for there may be millions."""

from __future__ import annotations

import enum
import hashlib
import sqlite3
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import timedelta
from typing import Any

import orjson
from attrs import frozen

from ..models.iso8601 import microseconds
from .columns import KEY, TIME, Column, instant_of

# `rest` tells whether two plays are equal but for their time, `key` whether they are one play but for its time.
# `moment` is NULL where a time can't be read.
TABLES = """
CREATE TABLE ours (row INTEGER PRIMARY KEY, key BLOB NOT NULL, rest BLOB NOT NULL, moment INTEGER, play TEXT NOT NULL);
CREATE TABLE theirs (
  row INTEGER PRIMARY KEY, key BLOB NOT NULL, rest BLOB NOT NULL, moment INTEGER, play TEXT NOT NULL
);
CREATE TABLE doubt (row INTEGER PRIMARY KEY, rest BLOB NOT NULL, moment INTEGER);
CREATE TABLE pair (our_row INTEGER NOT NULL UNIQUE, their_row INTEGER NOT NULL UNIQUE, verdict TEXT NOT NULL);
CREATE TABLE doubted (their_row INTEGER PRIMARY KEY);
"""

_OUR_REST = "FROM ours WHERE row NOT IN (SELECT our_row FROM pair)"
_THEIR_REST = "FROM theirs WHERE row NOT IN (SELECT their_row FROM pair)"

MISSING = f"SELECT row, NULL, play, NULL, 0 {_OUR_REST} ORDER BY row"
EXTRA = f"SELECT NULL, row, NULL, play, row IN doubted {_THEIR_REST} AND moment IS NOT NULL ORDER BY row"
DIFFERENT = """
SELECT our_row, their_row, ours.play, theirs.play, 0 FROM pair
JOIN ours ON ours.row = our_row JOIN theirs ON theirs.row = their_row WHERE verdict = 'different' ORDER BY their_row
"""
UNREADABLE = """
SELECT our_row, theirs.row, ours.play, theirs.play, 0 FROM theirs
LEFT JOIN pair ON their_row = theirs.row LEFT JOIN ours ON ours.row = our_row
WHERE theirs.moment IS NULL ORDER BY theirs.row
"""


class Verdict(enum.StrEnum):
    """What is wrong with a row."""

    MISSING = "missing"
    EXTRA = "extra"
    DIFFERENT = "different"
    UNREADABLE = "unreadable"


_QUERIES = {
    Verdict.MISSING: MISSING,
    Verdict.EXTRA: EXTRA,
    Verdict.DIFFERENT: DIFFERENT,
    Verdict.UNREADABLE: UNREADABLE,
}
_EQUAL = "equal"


@frozen
class Finding:
    """A row without its like.

    Attributes:
        verdict: Missing on their side, extra there, other values for the same play, or a time that can't be read.
        our_row: Where it is on our side.
        their_row: Where it is on theirs.
        ours: Our values.
        theirs: Their values.
        in_doubt: We know that they may have it.
    """

    verdict: Verdict
    our_row: int | None
    their_row: int | None
    ours: Mapping[str, str] | None
    theirs: Mapping[str, str] | None
    in_doubt: bool


class Comparison:
    """Takes rows of both sides, then says what is left over. Blocking; not for two threads at once.

    Args:
        columns: What to compare.
        tolerance: By how much the times of a play may differ.
    """

    def __init__(self, columns: Sequence[Column], tolerance: timedelta = timedelta()) -> None:
        self._columns = columns
        self._tolerance = tolerance // timedelta(microseconds=1)
        # A database without a name is a file that nobody else sees and that goes with the connection.
        self._db = sqlite3.connect("", isolation_level=None, check_same_thread=False)
        self._db.execute("PRAGMA synchronous = OFF")
        self._db.execute("PRAGMA journal_mode = OFF")
        self._db.executescript(TABLES)

    def close(self) -> None:
        """Forget everything."""
        self._db.close()

    def add(self, side: str, rows: Iterable[tuple[int, Sequence[str]]]) -> None:
        """Take rows: numbers and values.

        Args:
            side: ``ours`` or ``theirs``.
            rows: No number comes twice.
        """
        self._insert(
            f"INSERT INTO {side} VALUES (?, ?, ?, ?, ?)",  # noqa: S608 - one of two names
            ((row, *self._digests(values), orjson.dumps(values).decode()) for row, values in rows),
        )

    def add_doubts(self, rows: Iterable[Sequence[str]]) -> None:
        """Take values of plays that the other side may have once more than we can prove."""
        self._insert("INSERT INTO doubt (rest, moment) VALUES (?, ?)", (self._digests(values)[1:] for values in rows))

    def match(self) -> tuple[int, int]:
        """Find the rows that have their like; returns how many rows there are on our side and on theirs."""
        whole = "SELECT row, rest, moment {} ORDER BY rest, moment, row"
        key = "SELECT row, key, moment {} ORDER BY key, moment, row"
        known = " AND moment IS NOT NULL"
        self._pair(_EQUAL, whole.format("FROM ours"), whole.format("FROM theirs WHERE moment IS NOT NULL"))
        self._pair(Verdict.DIFFERENT, key.format(_OUR_REST), key.format(_THEIR_REST + known))
        # Whatever their time may be: a play of ours that is told like this is not missing there.
        untimed = "SELECT row, key, 0 {} ORDER BY key, row"
        self._pair(Verdict.UNREADABLE, untimed.format(_OUR_REST), untimed.format(_THEIR_REST + " AND moment IS NULL"))
        doubted = self._pairs(whole.format(_THEIR_REST + known), whole.format("FROM doubt"))
        self._insert("INSERT INTO doubted VALUES (?)", ((row,) for row, _ in doubted))
        ours, theirs = self._db.execute("SELECT (SELECT count(*) FROM ours), (SELECT count(*) FROM theirs)").fetchone()
        return ours, theirs

    def findings(self, verdict: Verdict) -> Iterator[Finding]:
        """Give the rows with a verdict, in order; after ``match``."""
        for our_row, their_row, ours, theirs, in_doubt in self._db.execute(_QUERIES[verdict]):
            yield Finding(verdict, our_row, their_row, self._named(ours), self._named(theirs), bool(in_doubt))

    def _pair(self, verdict: str, ours: str, theirs: str) -> None:
        pairs = self._pairs(ours, theirs)
        self._insert("INSERT INTO pair VALUES (?, ?, ?)", ((left, right, verdict) for left, right in pairs))

    def _pairs(self, ours: str, theirs: str) -> Iterator[tuple[int, int]]:
        """Join two queries for row, digest and moment, both in that order, each row once.

        Of two rows that could be joined, the earlier one is: no other choice joins more.
        """
        # Nothing of them is read from the tables any more once the first row is there: both are sorted.
        left, right = self._db.execute(ours), self._db.execute(theirs)
        one, other = left.fetchone(), right.fetchone()
        while one is not None and other is not None:
            apart = one[2] - other[2]
            if one[1] == other[1] and abs(apart) <= self._tolerance:
                yield one[0], other[0]
                one, other = left.fetchone(), right.fetchone()
            elif (one[1], apart) < (other[1], 0):
                one = left.fetchone()
            else:
                other = right.fetchone()

    def _insert(self, statement: str, rows: Iterable[Sequence[Any]]) -> None:
        self._db.execute("BEGIN")
        self._db.executemany(statement, rows)
        self._db.execute("COMMIT")

    def _named(self, values: str | None) -> dict[str, str] | None:
        if values is None:
            return None
        return dict(zip((column.header for column in self._columns), orjson.loads(values), strict=True))

    def _digests(self, values: Sequence[str]) -> tuple[bytes, bytes, int | None]:
        """Return what tells a play from others, what it says besides, and when it was; without a time that is 0."""
        moment: int | None = 0
        key, rest = [], []
        for column, value in zip(self._columns, values, strict=True):
            if column.header == TIME:
                instant = instant_of(value)
                moment = None if instant is None else microseconds(instant)
                continue
            plain = column.comparable(value)
            rest.append(plain)
            if column.header in KEY:
                key.append(plain)
        return _digest(key), _digest(rest), moment


def _digest(values: Any) -> bytes:
    return hashlib.blake2b(orjson.dumps(values), digest_size=16).digest()
