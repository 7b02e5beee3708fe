"""Two heaps of plays compared, each play as often as it is there; on disk, for there may be millions."""

from __future__ import annotations

import enum
import hashlib
import sqlite3
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import orjson
from attrs import frozen

from .columns import KEY, Column

TABLES = """
CREATE TABLE ours (row INTEGER PRIMARY KEY, key BLOB NOT NULL, whole BLOB NOT NULL, play TEXT NOT NULL);
CREATE TABLE theirs (row INTEGER PRIMARY KEY, key BLOB NOT NULL, whole BLOB NOT NULL, play TEXT NOT NULL);
CREATE TABLE doubt (whole BLOB PRIMARY KEY, number INTEGER NOT NULL) WITHOUT ROWID;
"""

# What is there once more than on the other side is left over; and of that, what tells of the same play is a pair.
MATCH = """
CREATE TABLE our_number (whole BLOB PRIMARY KEY, number INTEGER NOT NULL) WITHOUT ROWID;
CREATE TABLE their_number (whole BLOB PRIMARY KEY, number INTEGER NOT NULL) WITHOUT ROWID;
INSERT INTO our_number SELECT whole, count(*) FROM ours GROUP BY whole;
INSERT INTO their_number SELECT whole, count(*) FROM theirs GROUP BY whole;

CREATE TABLE our_rest AS SELECT row, key, play, row_number() OVER (PARTITION BY key ORDER BY row) AS nth FROM (
  SELECT ours.*, row_number() OVER (PARTITION BY whole ORDER BY row) AS copy FROM ours
) AS o WHERE copy > coalesce((SELECT number FROM their_number AS t WHERE t.whole = o.whole), 0);
CREATE TABLE their_rest AS SELECT row, key, whole, play, row_number() OVER (PARTITION BY key ORDER BY row) AS nth FROM (
  SELECT theirs.*, row_number() OVER (PARTITION BY whole ORDER BY row) AS copy FROM theirs
) AS t WHERE copy > coalesce((SELECT number FROM our_number AS o WHERE o.whole = t.whole), 0);
CREATE INDEX our_rest_by_key ON our_rest (key, nth);
CREATE INDEX their_rest_by_key ON their_rest (key, nth);
"""

MISSING = """
SELECT row, NULL, play, NULL, 0 FROM our_rest AS o
WHERE NOT EXISTS (SELECT 1 FROM their_rest AS t WHERE t.key = o.key AND t.nth = o.nth) ORDER BY row
"""

EXTRA = """
SELECT NULL, row, NULL, play, copy <= coalesce((SELECT number FROM doubt AS d WHERE d.whole = e.whole), 0) FROM (
  SELECT *, row_number() OVER (PARTITION BY whole ORDER BY row) AS copy FROM their_rest AS t
  WHERE NOT EXISTS (SELECT 1 FROM our_rest AS o WHERE o.key = t.key AND o.nth = t.nth)
) AS e ORDER BY row
"""

DIFFERENT = """
SELECT o.row, t.row, o.play, t.play, 0 FROM their_rest AS t JOIN our_rest AS o ON o.key = t.key AND o.nth = t.nth
ORDER BY t.row
"""


class Verdict(enum.StrEnum):
    """What is wrong with a row."""

    MISSING = "missing"
    EXTRA = "extra"
    DIFFERENT = "different"


_QUERIES = {Verdict.MISSING: MISSING, Verdict.EXTRA: EXTRA, Verdict.DIFFERENT: DIFFERENT}


@frozen
class Finding:
    """A row without its like.

    Attributes:
        verdict: Missing on their side, extra there, or other values for the same play.
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
    """

    def __init__(self, columns: Sequence[Column]) -> None:
        self._columns = columns
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
        self._db.execute("BEGIN")
        self._db.executemany(
            f"INSERT INTO {side} VALUES (?, ?, ?, ?)",  # noqa: S608 - one of two names
            ((row, *self._digests(values), orjson.dumps(values).decode()) for row, values in rows),
        )
        self._db.execute("COMMIT")

    def add_doubts(self, rows: Iterable[Sequence[str]]) -> None:
        """Take values of plays that the other side may have once more than we can prove."""
        self._db.execute("BEGIN")
        self._db.executemany(
            "INSERT INTO doubt VALUES (?, 1) ON CONFLICT DO UPDATE SET number = number + 1",
            ((self._digests(values)[1],) for values in rows),
        )
        self._db.execute("COMMIT")

    def match(self) -> tuple[int, int]:
        """Find the rows that have their like; returns how many rows there are on our side and on theirs."""
        self._db.executescript(MATCH)
        ours, theirs = self._db.execute("SELECT (SELECT count(*) FROM ours), (SELECT count(*) FROM theirs)").fetchone()
        return ours, theirs

    def findings(self, verdict: Verdict) -> Iterator[Finding]:
        """Give the rows with a verdict, in order; after ``match``."""
        for our_row, their_row, ours, theirs, in_doubt in self._db.execute(_QUERIES[verdict]):
            yield Finding(verdict, our_row, their_row, self._named(ours), self._named(theirs), bool(in_doubt))

    def _named(self, values: str | None) -> dict[str, str] | None:
        if values is None:
            return None
        return dict(zip((column.header for column in self._columns), orjson.loads(values), strict=True))

    def _digests(self, values: Sequence[str]) -> tuple[bytes, bytes]:
        plain = [column.comparable(value) for column, value in zip(self._columns, values, strict=True)]
        key = [value for column, value in zip(self._columns, plain, strict=True) if column.header in KEY]
        return _digest(key), _digest(plain)


def _digest(values: Any) -> bytes:
    return hashlib.blake2b(orjson.dumps(values), digest_size=16).digest()
