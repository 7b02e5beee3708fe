"""Compares the journal with another list of plays."""

from __future__ import annotations

import asyncio
import csv
import enum
import hashlib
import itertools
import sqlite3
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Mapping, Sequence
from datetime import timedelta
from pathlib import Path
from types import TracebackType
from typing import IO, Any, Self

import orjson
from attrs import frozen

from ...clock import to_microseconds
from ...errors import ConfigurationError, SpoolCorruptionError
from ...quantity import pluralize
from ...shipping.spools.inspector import JournalEntry, JournalOutcome
from ...sources.files import in_thread
from ..output import one_line
from .export import (
    DAMAGED_JOURNAL,
    KEY_HEADERS,
    PLAY_COLUMNS,
    ROWS_PER_BATCH,
    TIME_HEADER,
    Column,
    OutcomeFilter,
    batches,
    normalised_header,
    parse_time,
    play_values,
)

DELIMITERS = ",;\t|"


class VendorRows:
    """The other list: a CSV file in UTF-8 with a line of headers, read a row at a time."""

    def __init__(self, name: str) -> None:
        self._name = name
        try:
            self._file: IO[str] = Path(name).open(encoding="utf-8-sig", newline="")  # noqa: SIM115 - closed by __exit__
        except (OSError, ValueError) as error:
            raise self._read_error(error) from None
        try:
            self._read_header()
        except BaseException:
            self._file.close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Close the file, unless a thread may still be blocked reading it."""
        if error is None or isinstance(error, Exception):
            self._file.close()

    def __iter__(self) -> Iterator[tuple[int, list[str]]]:
        """Iterate over rows: the number, as a spreadsheet counts it, and the values of ``columns``."""
        number = 1
        try:
            for row in self._rows:
                number += 1
                if any(row):
                    yield number, [row[place] if place < len(row) else "" for place in self._column_indexes]
        except (OSError, ValueError, csv.Error) as error:
            raise self._read_error(error, number + 1) from None

    def _read_header(self) -> None:
        try:
            first = self._file.readline()
            delimiter = max(DELIMITERS, key=first.count)
            # Strict: rows that a wrong quote joins would be reported as missing.
            self._rows = csv.reader(itertools.chain([first], self._file), delimiter=delimiter, strict=True)
            headers = next(self._rows, [])
        except (OSError, ValueError, csv.Error) as error:
            raise self._read_error(error) from None
        found = [(place, column) for place, header in enumerate(headers) if (column := _column_of_header(header))]
        self.columns: Sequence[Column] = [column for _, column in found]
        self._column_indexes = [place for place, _ in found]
        self.ignored_headers: list[str] = [header for header in headers if not _column_of_header(header)]
        names = [column.header for column in self.columns]
        if twice := [name for name in names if names.count(name) > 1]:
            raise ConfigurationError(f"{self._name} has more than one column {twice[0]}")
        if not KEY_HEADERS.intersection(names) - {"KIND"}:
            needed = ", ".join(column.header for column in PLAY_COLUMNS if column.header in KEY_HEADERS - {"KIND"})
            raise ConfigurationError(f"{self._name} needs a header line with at least one of {needed}")

    def _read_error(self, error: Exception, row: int | None = None) -> ConfigurationError:
        match error:
            case UnicodeDecodeError():
                reason = "the file is not UTF-8"
            case OSError():
                reason = str(error.strerror)
            case _:
                reason = str(error)
        where = "" if row is None else f", row {row}"
        return ConfigurationError(f"cannot read {self._name}{where}: {reason}")


def _column_of_header(header: str) -> Column | None:
    return next((column for column in PLAY_COLUMNS if normalised_header(header) in column.names), None)


# `rest` is a digest of all columns but the time, `key` of those that identify a play. `moment` is the time, NULL if it
# cannot be read.
SCHEMA = """
CREATE TABLE ours (row INTEGER PRIMARY KEY, key BLOB NOT NULL, rest BLOB NOT NULL, moment INTEGER, play TEXT NOT NULL);
CREATE TABLE theirs (
  row INTEGER PRIMARY KEY, key BLOB NOT NULL, rest BLOB NOT NULL, moment INTEGER, play TEXT NOT NULL
);
CREATE TABLE doubt (row INTEGER PRIMARY KEY, rest BLOB NOT NULL, moment INTEGER);
CREATE TABLE pair (our_row INTEGER NOT NULL UNIQUE, their_row INTEGER NOT NULL UNIQUE, verdict TEXT NOT NULL);
CREATE TABLE doubted (their_row INTEGER PRIMARY KEY);
CREATE TABLE our_repeat (row INTEGER PRIMARY KEY, their_row INTEGER NOT NULL);
CREATE TABLE their_repeat (row INTEGER PRIMARY KEY, our_row INTEGER NOT NULL);
"""

_UNPAIRED_OURS = "FROM ours WHERE row NOT IN (SELECT our_row FROM pair)"
_UNPAIRED_THEIRS = "FROM theirs WHERE row NOT IN (SELECT their_row FROM pair)"

_OUR_REPEAT = "(SELECT their_row FROM our_repeat WHERE our_repeat.row = ours.row)"
_THEIR_REPEAT = "(SELECT our_row FROM their_repeat WHERE their_repeat.row = theirs.row)"

MISSING_QUERY = f"SELECT row, NULL, play, NULL, 0, {_OUR_REPEAT} {_UNPAIRED_OURS} ORDER BY row"
EXTRA_QUERY = f"""
SELECT NULL, row, NULL, play, row IN doubted, {_THEIR_REPEAT} {_UNPAIRED_THEIRS} AND moment IS NOT NULL ORDER BY row
"""
DIFFERENT_QUERY = """
SELECT our_row, their_row, ours.play, theirs.play, 0, NULL FROM pair
JOIN ours ON ours.row = our_row JOIN theirs ON theirs.row = their_row WHERE verdict = 'different' ORDER BY their_row
"""
UNREADABLE_QUERY = """
SELECT our_row, theirs.row, ours.play, theirs.play, 0, NULL FROM theirs
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
    Verdict.MISSING: MISSING_QUERY,
    Verdict.EXTRA: EXTRA_QUERY,
    Verdict.DIFFERENT: DIFFERENT_QUERY,
    Verdict.UNREADABLE: UNREADABLE_QUERY,
}
_EQUAL_VERDICT = "equal"


@frozen
class Finding:
    """A row that the other side does not have, with its values on both sides, as far as it is there.

    Attributes:
        repeats: For a missing or extra row, a row of the other side with the same play. The other side has the play,
            but less often.
    """

    verdict: Verdict
    our_row: int | None
    their_row: int | None
    ours: Mapping[str, str] | None
    theirs: Mapping[str, str] | None
    in_doubt: bool
    repeats: int | None


class Comparison:
    """Stores the rows of both sides in a temporary database and finds the differences. Blocking; not thread-safe."""

    def __init__(self, columns: Sequence[Column], tolerance: timedelta = timedelta()) -> None:
        self._columns = columns
        self._tolerance = tolerance // timedelta(microseconds=1)
        # An unnamed database is a private file that SQLite deletes with the connection.
        self._db = sqlite3.connect("", isolation_level=None, check_same_thread=False)
        self._db.execute("PRAGMA synchronous = OFF")
        self._db.execute("PRAGMA journal_mode = OFF")
        self._db.executescript(SCHEMA)

    def close(self) -> None:
        self._db.close()

    def add_rows(self, side: str, rows: Iterable[tuple[int, Sequence[str]]]) -> None:
        """Add rows of one side."""
        self._insert(
            f"INSERT INTO {side} VALUES (?, ?, ?, ?, ?)",  # noqa: S608 - one of two names
            ((row, *self._digests(values), orjson.dumps(values).decode()) for row, values in rows),
        )

    def add_in_doubt(self, rows: Iterable[Sequence[str]]) -> None:
        """Add the values of plays in doubt, which the other side may have once more."""
        self._insert("INSERT INTO doubt (rest, moment) VALUES (?, ?)", (self._digests(values)[1:] for values in rows))

    def match(self) -> tuple[int, int]:
        """Pair equal rows; return the number of rows in the journal and in the file."""
        whole = "SELECT row, rest, moment {} ORDER BY rest, moment, row"
        key = "SELECT row, key, moment {} ORDER BY key, moment, row"
        known = " AND moment IS NOT NULL"
        self._record_pairs(
            _EQUAL_VERDICT, whole.format("FROM ours"), whole.format("FROM theirs WHERE moment IS NOT NULL")
        )
        self._record_pairs(Verdict.DIFFERENT, key.format(_UNPAIRED_OURS), key.format(_UNPAIRED_THEIRS + known))
        # A play whose time in the file cannot be read is not missing there.
        untimed = "SELECT row, key, 0 {} ORDER BY key, row"
        self._record_pairs(
            Verdict.UNREADABLE, untimed.format(_UNPAIRED_OURS), untimed.format(_UNPAIRED_THEIRS + " AND moment IS NULL")
        )
        doubted = self._matching_pairs(whole.format(_UNPAIRED_THEIRS + known), whole.format("FROM doubt"))
        self._insert("INSERT INTO doubted VALUES (?)", ((row,) for row, _ in doubted))
        self._find_repeats("our_repeat", key.format(_UNPAIRED_OURS), key.format("FROM theirs WHERE moment IS NOT NULL"))
        self._find_repeats("their_repeat", key.format(_UNPAIRED_THEIRS + known), key.format("FROM ours"))
        ours, theirs = self._db.execute("SELECT (SELECT count(*) FROM ours), (SELECT count(*) FROM theirs)").fetchone()
        return ours, theirs

    def findings(self, verdict: Verdict) -> Iterator[Finding]:
        """Iterate over the rows with a verdict, in order; after ``match``."""
        for our_row, their_row, ours, theirs, in_doubt, repeats in self._db.execute(_QUERIES[verdict]):
            yield Finding(
                verdict, our_row, their_row, self._by_header(ours), self._by_header(theirs), bool(in_doubt), repeats
            )

    def _record_pairs(self, verdict: str, ours: str, theirs: str) -> None:
        pairs = self._matching_pairs(ours, theirs)
        self._insert("INSERT INTO pair VALUES (?, ?, ?)", ((left, right, verdict) for left, right in pairs))

    def _find_repeats(self, table: str, rest: str, others: str) -> None:
        """Store which unpaired rows of one side have the play of a row of the other side, which is paired already."""
        repeats = self._matching_pairs(rest, others, once=False)
        self._insert(f"INSERT INTO {table} VALUES (?, ?)", repeats)  # noqa: S608 - one of two names

    def _matching_pairs(self, ours: str, theirs: str, *, once: bool = True) -> Iterator[tuple[int, int]]:
        """Join two queries for row, digest and moment, sorted by digest and moment.

        If two rows could be joined with a third, the earlier one is: no other choice joins more rows.

        Args:
            ours: One query.
            theirs: The other one.
            once: Use each row of the other query once; False to use it as often as it fits.
        """
        # Both are sorted into temporary storage before their first row, so that the tables can be changed meanwhile.
        left = self._db.execute(ours)
        if (one := left.fetchone()) is None:
            return
        right = self._db.execute(theirs)
        other = right.fetchone()
        while one is not None and other is not None:
            apart = one[2] - other[2]
            if one[1] == other[1] and abs(apart) <= self._tolerance:
                yield one[0], other[0]
                one, other = left.fetchone(), right.fetchone() if once else other
            elif (one[1], apart) < (other[1], 0):
                one = left.fetchone()
            else:
                other = right.fetchone()

    def _insert(self, statement: str, rows: Iterable[Sequence[Any]]) -> None:
        self._db.execute("BEGIN")
        self._db.executemany(statement, rows)
        self._db.execute("COMMIT")

    def _by_header(self, values: str | None) -> dict[str, str] | None:
        if values is None:
            return None
        return dict(zip((column.header for column in self._columns), orjson.loads(values), strict=True))

    def _digests(self, values: Sequence[str]) -> tuple[bytes, bytes, int | None]:
        """Return the digests ``key`` and ``rest`` and the time; 0 if no column for the time."""
        moment: int | None = 0
        key, rest = [], []
        for column, value in zip(self._columns, values, strict=True):
            if column.header == TIME_HEADER:
                instant = parse_time(value)
                moment = None if instant is None else to_microseconds(instant)
                continue
            text = column.comparable(value)
            rest.append(text)
            if column.header in KEY_HEADERS:
                key.append(text)
        return _digest(key), _digest(rest), moment


def _digest(values: Any) -> bytes:
    return hashlib.blake2b(orjson.dumps(values), digest_size=16).digest()


HEADER_ROWS = 1


@frozen
class Difference:
    """A finding with its texts."""

    finding: Finding
    file_name: str

    def as_json(self) -> dict[str, Any]:
        found = self.finding
        return {
            "finding": found.verdict.value,
            "journal_row": found.our_row,
            "file_row": found.their_row,
            "journal": found.ours,
            "file": found.theirs,
            "in_doubt": found.in_doubt,
            "repeats": found.repeats,
        }

    def as_text(self) -> str:
        found = self.finding
        match found.verdict:
            case Verdict.MISSING:
                text = self._absent(found.our_row, "the journal", self.file_name, found.ours)
            case Verdict.EXTRA:
                text = self._absent(found.their_row, self.file_name, "the journal", found.theirs)
                if found.in_doubt:
                    text += "; in doubt in the journal: it may have been reported twice, or is held"
            case Verdict.DIFFERENT:
                ours, theirs = found.ours or {}, found.theirs or {}
                values = ", ".join(
                    f"{column.header} {theirs[column.header] or 'nothing'}, not {ours[column.header] or 'nothing'}"
                    for column in PLAY_COLUMNS
                    if column.header not in KEY_HEADERS
                    and column.comparable(ours.get(column.header, ""))
                    != column.comparable(theirs.get(column.header, ""))
                )
                text = f"row {found.their_row} of {self.file_name} has {values} (row {found.our_row} of the journal)"
            case Verdict.UNREADABLE:
                value = (found.theirs or {}).get(TIME_HEADER, "")
                text = (
                    f"row {found.their_row} of {self.file_name} has {TIME_HEADER} {value!r},"
                    " which is not an ISO 8601 time"
                )
                if found.our_row is not None:
                    text += f"; it may be row {found.our_row} of the journal"
        return one_line(f"{found.verdict}: {text}")

    def _absent(self, row: int | None, side: str, other: str, play: Mapping[str, str] | None) -> str:
        repeats = self.finding.repeats
        what = f"is not in {other}" if repeats is None else f"has the play of row {repeats} of {other} again"
        return f"row {row} of {side} {what}: {_describe_play(play)}"


@frozen
class Reconciliation:
    """The result of a comparison: findings by verdict, and how many of the extra plays are in doubt in the journal."""

    our_rows: int
    their_rows: int
    counts: Mapping[Verdict, int]
    in_doubt: int
    compared_headers: list[str]
    ignored_headers: list[str]
    file_name: str

    @property
    def is_equal(self) -> bool:
        return not any(self.counts.values())

    @property
    def difference(self) -> str:
        found = ", ".join(f"{self.counts[verdict]:,} {verdict}" for verdict in Verdict)
        doubt = f" ({self.in_doubt:,} of the extra plays in doubt)" if self.in_doubt else ""
        return f"{found}{doubt}"

    def as_json(self) -> dict[str, Any]:
        return {
            "finding": "summary",
            "equal": self.is_equal,
            "journal": self.our_rows,
            "file": self.their_rows,
            **{verdict.value: self.counts[verdict] for verdict in Verdict},
            "extra_in_doubt": self.in_doubt,
            "compared": self.compared_headers,
            "ignored": self.ignored_headers,
        }

    def as_text(self) -> str:
        sums = f"{pluralize(self.our_rows)} in the journal, {self.their_rows:,} in {self.file_name}"
        lines = [f"{sums}: {'equal' if self.is_equal else f'NOT EQUAL, {self.difference}'}"]
        lines.append(f"compared: {', '.join(self.compared_headers)}")
        if self.ignored_headers:
            lines.append(f"not compared: {', '.join(self.ignored_headers)}")
        return "\n".join(map(one_line, lines))


def _describe_play(play: Mapping[str, str] | None) -> str:
    return ", ".join(f"{header} {value}" for header, value in (play or {}).items() if value)


async def reconcile(
    entries: AsyncIterator[JournalEntry],
    theirs: VendorRows,
    on_difference: Callable[[Difference], None],
    *,
    file_name: str,
    tolerance: timedelta = timedelta(),
) -> Reconciliation:
    """Compare the delivered plays of a journal with a file."""
    comparison = Comparison(theirs.columns, tolerance)
    column_indexes = [PLAY_COLUMNS.index(column) for column in theirs.columns]
    counts, in_doubt = Counter[Verdict](), 0
    try:
        await _load_journal(entries, comparison, column_indexes)
        rows = iter(theirs)
        while batch := await in_thread(lambda: list(itertools.islice(rows, ROWS_PER_BATCH))):
            await asyncio.to_thread(comparison.add_rows, "theirs", batch)
        our_total, their_total = await asyncio.to_thread(comparison.match)
        for verdict in Verdict:
            findings = comparison.findings(verdict)
            while found := await asyncio.to_thread(_first_batch, findings):
                for finding in found:
                    counts[verdict] += 1
                    in_doubt += finding.in_doubt
                    on_difference(Difference(finding, file_name))
    finally:
        await asyncio.to_thread(comparison.close)
    compared = [column.header for column in theirs.columns]
    return Reconciliation(our_total, their_total, counts, in_doubt, compared, list(theirs.ignored_headers), file_name)


async def _load_journal(
    entries: AsyncIterator[JournalEntry], comparison: Comparison, column_indexes: list[int]
) -> None:
    row = HEADER_ROWS
    async for batch in batches(entries, OutcomeFilter.ALL):
        delivered = [entry for entry in batch if entry.outcome is JournalOutcome.DELIVERED]
        in_doubt = [entry for entry in batch if entry.outcome is JournalOutcome.IN_DOUBT]
        await asyncio.to_thread(_add_journal_rows, comparison, delivered, in_doubt, column_indexes, row)
        row += len(delivered)


def _add_journal_rows(
    comparison: Comparison,
    delivered: list[JournalEntry],
    in_doubt: list[JournalEntry],
    column_indexes: list[int],
    row: int,
) -> None:
    def values(entry: JournalEntry) -> list[str]:
        play = play_values(entry)
        return [play[place] for place in column_indexes]

    try:
        comparison.add_rows("ours", enumerate(map(values, delivered), row + 1))
        comparison.add_in_doubt(map(values, in_doubt))
    except orjson.JSONDecodeError:
        raise SpoolCorruptionError(DAMAGED_JOURNAL) from None


def _first_batch(findings: Iterator[Finding]) -> list[Finding]:
    return list(itertools.islice(findings, ROWS_PER_BATCH))
