"""The journal beside somebody else's list."""

from __future__ import annotations

import asyncio
import itertools
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from datetime import datetime, timedelta
from typing import Any

import orjson
from attrs import frozen

from ..errors import SpoolDamagedError
from ..models import LogKind
from ..shipping.archive import Archive, JournalEntry, JournalOutcome
from .columns import KEY, PLAY, TIME, play_of
from .export import PORTION, Outcome, portions
from .matching import Comparison, Finding, Verdict
from .output import one_line
from .source import in_thread
from .their_rows import TheirRows

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
    archive: Archive, theirs: TheirRows, request: Request, tell: Callable[[Difference], None], *, name: str
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


async def _load_ours(archive: Archive, request: Request, comparison: Comparison, places: list[int]) -> None:
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
        raise SpoolDamagedError("the journal is damaged: a play in it is not as it was written") from None


def _some(findings: Iterator[Finding]) -> list[Finding]:
    return list(itertools.islice(findings, PORTION))
