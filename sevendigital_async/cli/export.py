"""A journal as CSV, a portion at a time."""

from __future__ import annotations

import asyncio
import csv
import enum
import io
from collections.abc import AsyncIterator, Sequence

import orjson

from ..errors import SpoolDamagedError
from ..shipping.archive import JournalEntry, JournalOutcome
from .columns import HEADERS, row_of
from .outfile import OutFile

PORTION = 2_000
"""Rows written at once."""


class Outcome(enum.StrEnum):
    """Which entries."""

    DELIVERED = JournalOutcome.DELIVERED.value
    IN_DOUBT = JournalOutcome.IN_DOUBT.value
    DROPPED = JournalOutcome.DROPPED.value
    ALL = "all"

    def takes(self, entry: JournalEntry) -> bool:
        """Tell whether an entry is among them."""
        return self is Outcome.ALL or entry.outcome.value == self.value


async def portions(entries: AsyncIterator[JournalEntry], outcome: Outcome) -> AsyncIterator[list[JournalEntry]]:
    """Gather the entries with an outcome into lists, none of them empty."""
    portion: list[JournalEntry] = []
    async for entry in entries:
        if outcome.takes(entry):
            portion.append(entry)
            if len(portion) == PORTION:
                yield portion
                portion = []
    if portion:
        yield portion


async def export(entries: AsyncIterator[JournalEntry], outcome: Outcome, out: OutFile) -> int:
    """Write entries; returns how many.

    Raises:
        ConfigurationError: They cannot be written.
        SpoolError: They cannot be read.
    """
    number = 0
    if not out.write(_lines([HEADERS])):
        return number
    async for portion in portions(entries, outcome):
        if not await asyncio.to_thread(_write, portion, out):
            break
        number += len(portion)
    return number


def _write(portion: Sequence[JournalEntry], out: OutFile) -> bool:
    try:
        rows = [row_of(entry) for entry in portion]
    except orjson.JSONDecodeError:
        raise SpoolDamagedError("the journal is damaged: a play in it is not as it was written") from None
    return out.write(_lines(rows))


def _lines(rows: Sequence[Sequence[str]]) -> bytes:
    paper = io.StringIO()
    csv.writer(paper, lineterminator="\n").writerows(rows)
    return paper.getvalue().encode()
