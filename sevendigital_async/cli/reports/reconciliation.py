"""The journal beside somebody else's list."""

from __future__ import annotations

import asyncio
import csv
import enum
import hashlib
import itertools
import sqlite3
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from pathlib import Path
from types import TracebackType
from typing import IO, Any, Self

import orjson
from attrs import frozen

from ...errors import ConfigurationError, SpoolCorruptionError
from ...models import LogKind
from ...models.scalars import microseconds
from ...shipping.spools.inspector import JournalEntry, JournalOutcome, SpoolInspector
from ..output import one_line
from ..ship.source import in_thread
from .export import KEY, PLAY, PORTION, TIME, Column, Outcome, instant_of, plain, play_of, portions

DELIMITERS = ",;\t|"


class VendorRows:
    """A CSV file, read a row at a time.

    Args:
        name: Of the file: UTF-8, with a line of headers.

    Attributes:
        columns: Facts about plays that it has.
        ignored: Headers of columns that say nothing about plays.

    Raises:
        ConfigurationError: It cannot be read, or has no columns that tell one play from another.
    """

    def __init__(self, name: str) -> None:
        self._name = name
        try:
            self._file: IO[str] = Path(name).open(encoding="utf-8-sig", newline="")  # noqa: SIM115 - closed by __exit__
        except (OSError, ValueError) as error:
            raise self._unreadable(error) from None
        try:
            self._begin()
        except BaseException:
            self._file.close()
            raise

    def __enter__(self) -> Self:
        """Begin."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Close the file, unless a thread may still wait for what somebody writes to it."""
        if error is None or isinstance(error, Exception):
            self._file.close()

    def __iter__(self) -> Iterator[tuple[int, list[str]]]:
        """Give the number of each row, as a spreadsheet has it, and its values of ``columns``.

        Raises:
            ConfigurationError: It cannot be read on.
        """
        number = 1
        try:
            for row in self._rows:
                number += 1
                if any(row):
                    yield number, [row[place] if place < len(row) else "" for place in self._places]
        except (OSError, ValueError, csv.Error) as error:
            raise self._unreadable(error, number + 1) from None

    def _begin(self) -> None:
        try:
            first = self._file.readline()
            delimiter = max(DELIMITERS, key=first.count)
            headers = next(csv.reader([first], delimiter=delimiter), [])
            self._rows = csv.reader(self._file, delimiter=delimiter)
        except (OSError, ValueError, csv.Error) as error:
            raise self._unreadable(error) from None
        found = [(place, column) for place, header in enumerate(headers) if (column := _column(header))]
        self.columns: Sequence[Column] = [column for _, column in found]
        self._places = [place for place, _ in found]
        self.ignored = [header for header in headers if not _column(header)]
        names = [column.header for column in self.columns]
        if twice := [name for name in names if names.count(name) > 1]:
            raise ConfigurationError(f"{self._name} has more than one column for {twice[0]}")
        if not KEY.intersection(names) - {"KIND"}:
            needed = ", ".join(column.header for column in PLAY if column.header in KEY - {"KIND"})
            raise ConfigurationError(f"{self._name} needs a line of headers with some of {needed} in it")

    def _unreadable(self, error: Exception, row: int | None = None) -> ConfigurationError:
        match error:
            case UnicodeDecodeError():
                reason = "it is not UTF-8"
            case OSError():
                reason = str(error.strerror)
            case _:
                reason = str(error)
        where = "" if row is None else f", row {row}"
        return ConfigurationError(f"cannot read {self._name}{where}: {reason}")


def _column(header: str) -> Column | None:
    return next((column for column in PLAY if plain(header) in column.names), None)


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


HEADER_ROWS = 1


@frozen
class Request:
    """Which part of the journal.

    Attributes:
        kind: Of the plays; None for all.
        since: From when on.
        until: Before when.
        tolerance: By how much the times of a play may differ.
    """

    kind: LogKind | None = None
    since: datetime | None = None
    until: datetime | None = None
    tolerance: timedelta = timedelta()


@frozen
class Difference:
    """A finding, and how it is told.

    Attributes:
        finding: What is not as it should be.
        name: Of the other list.
    """

    finding: Finding
    name: str

    def as_json(self) -> dict[str, Any]:
        """Return it as a tree."""
        found = self.finding
        return {
            "finding": found.verdict.value,
            "journal_row": found.our_row,
            "file_row": found.their_row,
            "journal": found.ours,
            "file": found.theirs,
            "in_doubt": found.in_doubt,
        }

    def as_text(self) -> str:
        """Return it as one line."""
        found = self.finding
        match found.verdict:
            case Verdict.MISSING:
                told = f"row {found.our_row} of the journal is not in {self.name}: {_spelled(found.ours)}"
            case Verdict.EXTRA:
                told = f"row {found.their_row} of {self.name} is not in the journal: {_spelled(found.theirs)}"
                if found.in_doubt:
                    told += "; in doubt in the journal: it may have been reported twice, or be held"
            case Verdict.DIFFERENT:
                ours, theirs = found.ours or {}, found.theirs or {}
                values = ", ".join(
                    f"{column.header} {theirs[column.header] or 'nothing'}, not {ours[column.header] or 'nothing'}"
                    for column in PLAY
                    if column.header not in KEY
                    and column.comparable(ours.get(column.header, ""))
                    != column.comparable(theirs.get(column.header, ""))
                )
                told = f"row {found.their_row} of {self.name} has {values} (row {found.our_row} of the journal)"
            case Verdict.UNREADABLE:
                value = (found.theirs or {}).get(TIME, "")
                told = f"row {found.their_row} of {self.name} has {TIME} {value!r}, which is not an ISO 8601 time"
                if found.our_row is not None:
                    told += f"; it may be row {found.our_row} of the journal"
        return one_line(f"{found.verdict}: {told}")


@frozen
class Reconciled:
    """How the comparison ended.

    Attributes:
        ours: Plays in the journal.
        theirs: Plays in the other list.
        numbers: Of differences, by verdict.
        in_doubt: How many of the extra plays the journal has in doubt.
        compared: Headers of the columns that both have.
        ignored: Headers of theirs that were not looked at.
        name: Of the other list.
    """

    ours: int
    theirs: int
    numbers: Mapping[Verdict, int]
    in_doubt: int
    compared: list[str]
    ignored: list[str]
    name: str

    @property
    def equal(self) -> bool:
        """There is no difference."""
        return not any(self.numbers.values())

    @property
    def difference(self) -> str:
        """How many rows are not as they should be, as text."""
        found = ", ".join(f"{self.numbers[verdict]:,} {verdict}" for verdict in Verdict)
        doubt = f" ({self.in_doubt:,} of the extra ones in doubt)" if self.in_doubt else ""
        return f"{found}{doubt}"

    def as_json(self) -> dict[str, Any]:
        """Return it as a tree."""
        return {
            "finding": "summary",
            "equal": self.equal,
            "journal": self.ours,
            "file": self.theirs,
            **{verdict.value: self.numbers[verdict] for verdict in Verdict},
            "extra_in_doubt": self.in_doubt,
            "compared": self.compared,
            "ignored": self.ignored,
        }

    def as_text(self) -> str:
        """Return it as a few lines."""
        sums = f"{self.ours:,} plays in the journal, {self.theirs:,} in {self.name}"
        lines = [f"{sums}: {'equal' if self.equal else f'NOT EQUAL, {self.difference}'}"]
        lines.append(f"compared: {', '.join(self.compared)}")
        if self.ignored:
            lines.append(f"not compared: {', '.join(self.ignored)}")
        return "\n".join(map(one_line, lines))


def _spelled(play: Mapping[str, str] | None) -> str:
    return ", ".join(f"{header} {value}" for header, value in (play or {}).items() if value)


async def reconcile(
    archive: SpoolInspector, theirs: VendorRows, request: Request, tell: Callable[[Difference], None], *, name: str
) -> Reconciled:
    """Compare the delivered plays of a journal with a list, and tell every difference.

    Raises:
        ConfigurationError: The list cannot be read.
        SpoolError: The journal cannot be read.
    """
    comparison = Comparison(theirs.columns, request.tolerance)
    places = [PLAY.index(column) for column in theirs.columns]
    numbers, doubtful = Counter[Verdict](), 0
    try:
        await _load_ours(archive, request, comparison, places)
        rows = iter(theirs)
        while portion := await in_thread(lambda: list(itertools.islice(rows, PORTION))):
            await asyncio.to_thread(comparison.add, "theirs", portion)
        ours_in_all, theirs_in_all = await asyncio.to_thread(comparison.match)
        for verdict in Verdict:
            findings = comparison.findings(verdict)
            while found := await asyncio.to_thread(_some, findings):
                for finding in found:
                    numbers[verdict] += 1
                    doubtful += finding.in_doubt
                    tell(Difference(finding, name))
    finally:
        await asyncio.to_thread(comparison.close)
    compared = [column.header for column in theirs.columns]
    return Reconciled(ours_in_all, theirs_in_all, numbers, doubtful, compared, list(theirs.ignored), name)


async def _load_ours(archive: SpoolInspector, request: Request, comparison: Comparison, places: list[int]) -> None:
    row = HEADER_ROWS
    entries = archive.journal(kind=request.kind, since=request.since, until=request.until)
    async for portion in portions(entries, Outcome.ALL):
        delivered = [entry for entry in portion if entry.outcome is JournalOutcome.DELIVERED]
        doubtful = [entry for entry in portion if entry.outcome is JournalOutcome.IN_DOUBT]
        await asyncio.to_thread(_load, comparison, delivered, doubtful, places, row)
        row += len(delivered)


def _load(
    comparison: Comparison, delivered: list[JournalEntry], doubtful: list[JournalEntry], places: list[int], row: int
) -> None:
    def values(entry: JournalEntry) -> list[str]:
        play = play_of(entry)
        return [play[place] for place in places]

    try:
        comparison.add("ours", enumerate(map(values, delivered), row + 1))
        comparison.add_doubts(map(values, doubtful))
    except orjson.JSONDecodeError:
        raise SpoolCorruptionError("the journal is damaged: a play in it is not as it was written") from None


def _some(findings: Iterator[Finding]) -> list[Finding]:
    return list(itertools.islice(findings, PORTION))
