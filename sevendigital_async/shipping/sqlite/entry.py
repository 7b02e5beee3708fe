"""Plays of one call on their way into the file."""

from __future__ import annotations

import asyncio
import enum
from collections.abc import Iterable, Sequence

from attrs import define

from ...models import LogKind
from ..records import Bookmark, Record


class Stage(enum.Enum):
    """How far an entry has come."""

    IN_LINE = enum.auto()
    UNDER_WAY = enum.auto()
    WRITTEN = enum.auto()
    SHOWN = enum.auto()
    """Lanes can lease them; they can't be withdrawn any more."""
    GONE = enum.auto()
    """Not in the file, and not going to be."""


@define(eq=False)
class Entry:
    """Plays of one call.

    Attributes:
        kind: Of the plays.
        records: The plays.
        size: Bytes of them.
        bookmark: To be kept with them.
        accepted: Done when they are durable; None if nobody waits for that.
        stage: How far they have come.
        counted: They count as put.
        withdrawn: The call was cancelled when they were under way, or written: they must not stay in the file.
        replaced: The position that the bookmark has replaced; None if there was none.
    """

    kind: LogKind
    records: Sequence[Record]
    size: int
    bookmark: Bookmark | None = None
    accepted: asyncio.Future[None] | None = None
    stage: Stage = Stage.IN_LINE
    counted: bool = False
    withdrawn: bool = False
    replaced: str | None = None

    @property
    def has_ended(self) -> bool:
        """Lanes can see them, or never will."""
        return self.stage in {Stage.SHOWN, Stage.GONE}

    @property
    def is_wanted(self) -> bool:
        """The call still waits for them, or never has."""
        return not self.withdrawn and (self.accepted is None or not self.accepted.done())


Queues = dict[LogKind, dict[str, list[Record]]]
"""Plays by kind and queue."""


def by_queue(entries: Iterable[Entry]) -> Queues:
    """Sort the plays of entries, in order."""
    queues: Queues = {}
    for entry in entries:
        names = {record.queue for record in entry.records}  # mostly one; none where a bookmark comes alone
        if len(names) == 1:
            queues.setdefault(entry.kind, {}).setdefault(names.pop(), []).extend(entry.records)
        elif names:
            of_kind = queues.setdefault(entry.kind, {})
            for record in entry.records:
                of_kind.setdefault(record.queue, []).append(record)
    return queues
