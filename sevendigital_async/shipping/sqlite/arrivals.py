"""Writes plays into the file, and lets the lanes see them once no cancellation can take them back any more.

A call may be cancelled while its plays are being written, even in the turn of the loop in which it would have heard
that they are durable. So a group of entries that share a transaction is *unsettled* until every call has heard of it.
What was withdrawn by then is taken out of the file in the next transaction; then the rest of the group is shown.
"""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Sequence

from attrs import define

from ... import fault_points
from ...models import LogKind
from ..records import SHARED
from . import statements
from .entry import Entry, Queues, Stage, by_queue
from .file import SpoolFile
from .jobs import Job
from .parcel import Written
from .reading import bookmark_of
from .statements import Due
from .stock import Stock
from .writer import Writer


@define(eq=False)
class Group:
    """Entries of one transaction.

    Attributes:
        entries: In order.
        queues: Their plays.
        written: When they were accepted.
        end: The number behind their last play.
    """

    entries: Sequence[Entry]
    queues: Queues
    written: Written
    end: int


class Arrivals:
    """The way of plays into a file.

    Args:
        stock: What is known of the file.
        file: The file.
        writer: Its thread.

    Attributes:
        withdrawn: Entries of the last group that are still to be taken out of the file.
    """

    def __init__(self, stock: Stock, file: SpoolFile, writer: Writer) -> None:
        self.withdrawn: list[Entry] = []
        self._stock = stock
        self._file = file
        self._writer = writer
        self._unsettled: Group | None = None

    @property
    def unsettled(self) -> Sequence[Entry]:
        """What is in the file and can't be seen by lanes yet."""
        return self._unsettled.entries if self._unsettled else ()

    @property
    def is_unsettled(self) -> bool:
        """Something is in the file that no lane can see yet."""
        return self._unsettled is not None

    async def write(self, entries: Sequence[Entry]) -> None:
        """Write entries and take out what is withdrawn, in one transaction; durable when it returns."""
        await asyncio.shield(self.submit(entries))

    def submit(self, entries: Sequence[Entry]) -> asyncio.Future[None]:
        """Hand entries over to be written, with what is withdrawn to be taken out; done when that is durable."""
        stock, room, withdrawn = self._stock, self._file.room, self.withdrawn
        queues, out = by_queue(entries), by_queue(withdrawn)
        stock.number(queues)
        group = Group(entries, queues, Written(stock.now, stock.owner.clock.time()), stock.next)
        marked = [entry for entry in entries if entry.bookmark is not None]
        signed = [kind for kind, names in (*queues.items(), *out.items()) if names.keys() - {SHARED}]
        logs, size = sum([len(entry.records) for entry in entries]), sum([entry.size for entry in entries])

        def work(db: sqlite3.Connection) -> tuple[list[str | None], dict[LogKind, Due]]:
            fault_points.reached("before append")
            self._file.check_place()
            _take_out(db, withdrawn, out, stock)
            if entries:
                room.check(db, size)
            for kind, names in queues.items():
                rules = stock.owner.rules[kind]
                statements.append(db, kind, names, shared=stock.shared[kind].id, rules=rules, written=group.written)
            replaced = [_mark(db, entry) for entry in marked]
            fault_points.reached("after append")
            return replaced, {kind: statements.due_of(db, kind) for kind in signed}

        def applied(result: tuple[list[str | None], dict[LogKind, Due]]) -> None:
            replaced, due = result
            for entry, position in zip(marked, replaced, strict=True):
                entry.replaced = position
            stock.due.update(due)
            self._taken_out()
            for entry in entries:
                entry.stage = Stage.WRITTEN
            self._unsettled = group if entries else None

        return self._writer.submit(Job(work, applied, logs))

    def settle(self) -> None:
        """Every call has heard of the last group: let it be seen, unless something must be taken out of it first."""
        group = self._unsettled
        if group is not None:
            self.withdrawn = [entry for entry in group.entries if entry.withdrawn]
            if not self.withdrawn:
                self._show(group, group.queues)

    async def shown(self) -> None:
        """Let those who have just heard that they were accepted find their plays; see :meth:`settle`."""
        if self._unsettled is not None and not self.withdrawn:
            await asyncio.sleep(0)

    def count(self, entries: Sequence[Entry]) -> None:
        """Count plays as put."""
        logs: dict[LogKind, int] = {}
        for entry in entries:
            entry.counted = True
            logs[entry.kind] = logs.get(entry.kind, 0) + len(entry.records)
        for kind, number in logs.items():
            self._stock.move(kind, put=number, waiting=number)

    def uncount(self, entry: Entry) -> None:
        """They are not put after all."""
        if entry.counted:
            entry.counted = False
            self._stock.move(entry.kind, put=-len(entry.records), waiting=-len(entry.records))

    def drop(self, entry: Entry) -> None:
        """Plays are not in the file, and not going to be."""
        entry.stage = Stage.GONE
        self.uncount(entry)
        self._stock.capacity.free(len(entry.records), entry.size)

    def settled_position(self, source: str, kept: str | None) -> str | None:
        """Say which position of a source was last acknowledged, if ``kept`` is the one in the file."""
        for entry in reversed(self._unsettled.entries if self._unsettled else ()):
            if entry.bookmark is not None and (entry.bookmark.source, entry.bookmark.position) == (source, kept):
                kept = entry.replaced
        return kept

    def keep_withdrawn(self) -> int:
        """Leave in the file what could not be taken out of it; returns how many plays that are."""
        self.count(self.withdrawn)
        return sum([len(entry.records) for entry in self.withdrawn])

    def _taken_out(self) -> None:
        group, withdrawn = self._unsettled, self.withdrawn
        if group is None:
            return
        self.withdrawn = []
        for entry in withdrawn:
            self.drop(entry)
        self._show(group, by_queue([entry for entry in group.entries if not entry.withdrawn]))

    def _show(self, group: Group, queues: Queues) -> None:
        self._unsettled = None
        self._stock.settled = group.end
        for entry in group.entries:
            if entry.stage is Stage.WRITTEN:
                entry.stage = Stage.SHOWN
        for kind in group.queues:
            self._stock.arrived(kind, queues.get(kind, {}).get(SHARED, ()), group.written.put_at)


def _mark(db: sqlite3.Connection, entry: Entry) -> str | None:
    assert entry.bookmark is not None
    replaced = bookmark_of(db, entry.bookmark.source)
    statements.set_bookmark(db, entry.bookmark)
    return replaced


def _take_out(db: sqlite3.Connection, entries: Sequence[Entry], queues: Queues, stock: Stock) -> None:
    for kind, names in queues.items():
        statements.withdraw(db, kind, names, shared=stock.shared[kind].id)
    for entry in reversed(entries):  # the last one has replaced what the others had
        if entry.bookmark is not None:
            statements.restore_bookmark(db, entry.bookmark, entry.replaced)
