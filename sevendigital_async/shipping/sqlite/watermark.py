"""A watermark in a file: counted in memory, but for the plays whose queue rests."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from attrs import define, field

from ...errors import SpoolUnavailableError
from ...models import LogKind
from ..watermark import Mark
from . import statements
from .commits import Commits
from .entry import Entry
from .jobs import Job
from .stock import Stock
from .writer import Writer


@define(eq=False)
class SqliteWatermark:
    """Implements :class:`~sevendigital_async.shipping.watermark.Watermark`.

    Plays get their place in the order of acceptance when they are written, so the mark is made once lanes can see all
    plays that had been accepted, or were on their way into the file.
    """

    _kind: LogKind
    _stock: Stock
    _writer: Writer
    _commits: Commits
    _expected: Sequence[Entry]
    _mark: Mark | None = field(init=False, default=None)

    @property
    def last(self) -> int | None:
        """Sequence of the last play; None while some are on their way into the file."""
        return None if self._mark is None else self._mark.last

    async def left(self, *, rest: float | None = None) -> int | None:
        """Return how many plays have not found their end; None while some are on their way into the file."""
        if self._mark is None:
            self._expected = [entry for entry in self._expected if self._commits.expects(entry)]
            if self._expected:
                return None
            self._mark = self._stock.mark(self._kind, self._commits.unsettled(self._kind))
        if rest is None or not self._mark.left:
            return self._mark.left
        resting = statements.resting(self._kind, self._stock.now + rest, self._mark.last)
        look: Job[int, int] = Job(resting, lambda logs: logs)
        try:
            return self._mark.left - await asyncio.shield(self._writer.submit(look))
        except SpoolUnavailableError:
            return self._mark.left
