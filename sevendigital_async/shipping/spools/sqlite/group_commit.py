"""Group commit: plays that are put at about the same time share one transaction."""

from __future__ import annotations

import asyncio
import enum
import sqlite3
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from itertools import chain

from attrs import define

from .... import failpoints
from ....clock import Clock
from ....errors import ShipperClosedError, ShipperError, SpoolError, SpoolUnavailableError
from ....models import LogKind
from ...records import PARTNER_QUEUE, Checkpoint, Record
from ...supervisor import failure_of
from . import statements
from .chunks import Written
from .file import SpoolFile
from .index import SpoolIndex
from .statements import Due, checkpoint_of
from .writer import MAX_WEIGHT, Job, Writer


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
        checkpoint: To be kept with them.
        accepted: Done when they are durable; None if nobody waits for that.
        stage: How far they have come.
        counted: They count as put.
        withdrawn: The call was cancelled when they were under way, or written: they must not stay in the file.
        replaced: The position that the checkpoint has replaced; None if there was none.
    """

    kind: LogKind
    records: Sequence[Record]
    size: int
    checkpoint: Checkpoint | None = None
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
        names = {record.queue for record in entry.records}  # mostly one; none where a checkpoint comes alone
        if len(names) == 1:
            queues.setdefault(entry.kind, {}).setdefault(names.pop(), []).extend(entry.records)
        elif names:
            of_kind = queues.setdefault(entry.kind, {})
            for record in entry.records:
                of_kind.setdefault(record.queue, []).append(record)
    return queues


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

    def __init__(self, stock: SpoolIndex, file: SpoolFile, writer: Writer) -> None:
        self.withdrawn: list[Entry] = []
        self._index = stock
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
        stock, room, withdrawn = self._index, self._file.room, self.withdrawn
        queues, out = by_queue(entries), by_queue(withdrawn)
        stock.number(queues)
        group = Group(entries, queues, Written(stock.now, stock.owner.clock.time()), stock.next)
        marked = [entry for entry in entries if entry.checkpoint is not None]
        signed = [kind for kind, names in (*queues.items(), *out.items()) if names.keys() - {PARTNER_QUEUE}]
        logs, size = sum([len(entry.records) for entry in entries]), sum([entry.size for entry in entries])

        def work(db: sqlite3.Connection) -> tuple[list[str | None], dict[LogKind, Due]]:
            failpoints.hit("before append")
            self._file.check_place()
            _take_out(db, withdrawn, out, stock)
            if entries:
                room.check(db, size)
            for kind, names in queues.items():
                rules = stock.owner.rules[kind]
                statements.append(db, kind, names, shared=stock.shared[kind].id, rules=rules, written=group.written)
            replaced = [_mark(db, entry) for entry in marked]
            failpoints.hit("after append")
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
            self._index.move(kind, put=number, waiting=number)

    def uncount(self, entry: Entry) -> None:
        """They are not put after all."""
        if entry.counted:
            entry.counted = False
            self._index.move(entry.kind, put=-len(entry.records), waiting=-len(entry.records))

    def drop(self, entry: Entry) -> None:
        """Plays are not in the file, and not going to be."""
        entry.stage = Stage.GONE
        self.uncount(entry)
        self._index.capacity.free(len(entry.records), entry.size)

    def settled_position(self, source: str, kept: str | None) -> str | None:
        """Say which position of a source was last acknowledged, if ``kept`` is the one in the file."""
        for entry in reversed(self._unsettled.entries if self._unsettled else ()):
            if entry.checkpoint is not None and (entry.checkpoint.source, entry.checkpoint.position) == (source, kept):
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
        self._index.settled = group.end
        for entry in group.entries:
            if entry.stage is Stage.WRITTEN:
                entry.stage = Stage.SHOWN
        for kind in group.queues:
            self._index.arrived(kind, queues.get(kind, {}).get(PARTNER_QUEUE, ()), group.written.put_at)


def _mark(db: sqlite3.Connection, entry: Entry) -> str | None:
    assert entry.checkpoint is not None
    replaced = checkpoint_of(db, entry.checkpoint.source)
    statements.set_checkpoint(db, entry.checkpoint)
    return replaced


def _take_out(db: sqlite3.Connection, entries: Sequence[Entry], queues: Queues, stock: SpoolIndex) -> None:
    for kind, names in queues.items():
        statements.withdraw(db, kind, names, shared=stock.shared[kind].id)
    for entry in reversed(entries):  # the last one has replaced what the others had
        if entry.checkpoint is not None:
            statements.restore_bookmark(db, entry.checkpoint, entry.replaced)


PAUSE = 0.5
"""Seconds between tries while the disk takes nothing."""


class GroupCommit:
    """Puts entries into the file, in order, as many at a time as are there.

    Args:
        arrivals: Writes entries durably.
        report: Hears what keeps entries out of the file, and None when that is over.
        clock: Time.
    """

    def __init__(
        self,
        arrivals: Arrivals,
        report: Callable[[str | None], None],
        clock: Clock,
    ) -> None:
        self._arrivals = arrivals
        self._report = report
        self._clock = clock
        self._entries: deque[Entry] = deque()
        self._under_way: list[Entry] = []
        self._arrived = asyncio.Event()
        self._closing = asyncio.Event()
        self._most = MAX_WEIGHT
        self._refusal: ShipperError | None = None
        self._loop = asyncio.get_running_loop()
        self._task = self._loop.create_task(self._run(), name="spool commits")
        self.alert: str | None = None
        self.failure: Exception | None = None

    @property
    def is_behind(self) -> bool:
        """Something counts as waiting that no lane can see yet, and may get there."""
        return self.failure is None and (
            self._arrivals.is_unsettled
            or any(entry.accepted is None for entry in chain(self._under_way, self._entries))
        )

    @property
    def is_stuck(self) -> bool:
        """What was withdrawn can't be taken out of the file for now."""
        return self.alert is not None and bool(self._arrivals.withdrawn)

    def _check(self) -> None:
        """See that what stands in line will be written.

        Raises:
            Exception: What ended the work on this file.
        """
        if self._loop.is_closed() and not isinstance(self.failure, ShipperClosedError):
            self.failure = ShipperClosedError("the event loop that the spool was opened in has ended")
        if self.failure is not None:
            raise self.failure.with_traceback(None)  # one that is raised again and again would collect tracebacks

    def on_their_way(self) -> list[Entry]:
        """Return what has been accepted, or is being written, and can't be seen by lanes yet."""
        waiting = [entry for entry in self._entries if entry.accepted is None]
        entries = dict.fromkeys((*self._arrivals.unsettled, *self._under_way, *waiting))
        return [entry for entry in entries if entry.records and not entry.has_ended]

    def expects(self, entry: Entry) -> bool:
        """Whether lanes will see an entry; while the file takes nothing, only those that nobody waits for."""
        return not entry.has_ended and (entry.accepted is None or self.alert is None) and self.failure is None

    def unsettled(self, kind: LogKind) -> int:
        """Count the plays of a kind that count as waiting and can't be seen by lanes yet."""
        return sum(len(entry.records) for entry in self.on_their_way() if entry.counted and entry.kind is kind)

    def add(self, entry: Entry) -> None:
        """Let an entry stand in line.

        Raises:
            Exception: What ended the work on this file.
        """
        try:
            self._check()
        except Exception:
            self._arrivals.drop(entry)
            raise
        self._entries.append(entry)
        self._arrived.set()

    async def added(self, entry: Entry) -> None:
        """Let an entry stand in line and wait until it is durable.

        Cancelling this takes the entry out of the line, or out of the file if it is on its way there or has just got
        there; before that is done no lane sees it, and nothing else is written.
        """
        entry.accepted = asyncio.get_running_loop().create_future()
        self.add(entry)
        try:
            await entry.accepted
        except (asyncio.CancelledError, GeneratorExit):
            self._withdraw(entry)
            raise

    def refuse(self, error: ShipperError) -> None:
        """Stop trying to get entries into a file that takes nothing: who waits for one hears ``error``."""
        self._refusal = error
        if self.alert is not None:
            self._give_up(error)

    async def aclose(self) -> int:
        """Write what is left, if the file takes it now, and stop.

        Returns:
            The plays that it did not take and that nobody waited for; who waited for others hears of it.
        """
        self._closing.set()
        self._arrived.set()
        await asyncio.wait([self._task])
        self._give_up(self._refusal or ShipperClosedError("the spool is closed"))
        for entry in self._entries:
            self._arrivals.drop(entry)
        self.failure = self.failure or ShipperClosedError("the spool is closed")
        return sum(len(entry.records) for entry in self._entries)

    async def _run(self) -> None:
        try:
            while True:
                while await self._next():
                    pass
                if self._closing.is_set():
                    return
                self._arrived.clear()
                await self._arrived.wait()
        except asyncio.CancelledError:
            # The loop is ending. The thread does not need it to write what nobody waits for.
            unwaited = [entry for entry in self._entries if entry.accepted is None]
            self._entries = deque(entry for entry in self._entries if entry.accepted is not None)
            if unwaited:
                self._arrivals.submit(unwaited)
            # In this very turn of the loop: what another task puts now would never be written.
            self.failure = SpoolError("nothing is written to the spool any more: its task was cancelled")
            raise
        except Exception as error:  # noqa: BLE001 - everybody who puts is told
            self.failure = error
            self._report(str(error))
            self._put_back()
            self._give_up(error)

    async def _next(self) -> bool:
        """Write the next entries; False when there are none, or none can be written before the end."""
        self._gather()
        steps = len(self._under_way) + bool(self._arrivals.withdrawn)
        if not steps:
            return False
        try:
            await self._arrivals.write(self._under_way)
        except SpoolUnavailableError as error:
            self._put_back()
            self._most = 1  # where many together don't find room, one may
            return await self._wait_out(error) if steps == 1 else True
        self._accept(self._under_way)
        self._under_way = []
        self._most = min(MAX_WEIGHT, 2 * self._most)
        self.alert = None
        self._report(None)
        # In this turn of the loop every call hears that it was accepted, or of a cancellation that came in between.
        await asyncio.sleep(0)
        self._arrivals.settle()
        return True

    def _accept(self, entries: list[Entry]) -> None:
        waiting = [(entry, entry.accepted) for entry in entries if entry.accepted is not None and entry.is_wanted]
        self._arrivals.count([entry for entry, _ in waiting])
        for _, accepted in waiting:
            accepted.set_result(None)

    def _gather(self) -> None:
        """Choose what is written next; after a failure, what is to be taken out of the file goes alone."""
        weight = self._most if self._arrivals.withdrawn and self._most == 1 else 0
        while self._entries and weight < self._most:
            entry = self._entries.popleft()
            if entry.stage is Stage.GONE:
                continue
            entry.stage = Stage.UNDER_WAY
            self._under_way.append(entry)
            weight += len(entry.records)

    async def _wait_out(self, error: SpoolUnavailableError) -> bool:
        """Wait for a while; False when there is no time for another try."""
        self.alert = str(error)
        self._report(self.alert)
        if self._refusal is not None:
            self._give_up(self._refusal)
        if self._closing.is_set():
            return False
        await self._clock.wait(self._closing, PAUSE)
        return True

    def _put_back(self) -> None:
        for entry in self._under_way:
            entry.stage = Stage.IN_LINE
            if not entry.is_wanted:
                self._arrivals.drop(entry)
        # Who has gone must not be kept for as long as the file takes nothing.
        entries = chain(self._under_way, self._entries)
        self._entries = deque(entry for entry in entries if entry.stage is not Stage.GONE)
        self._under_way = []

    def _withdraw(self, entry: Entry) -> None:
        if entry.stage is Stage.IN_LINE:
            self._arrivals.drop(entry)
        elif entry.stage is not Stage.GONE:
            entry.withdrawn = True
            self._arrivals.uncount(entry)

    def _give_up(self, error: Exception) -> None:
        """Send away who waits; what was put without waiting stays in line."""
        entries = [entry for entry in self._entries if entry.stage is not Stage.GONE]
        self._entries = deque(entry for entry in entries if entry.accepted is None)
        for entry in entries:
            if entry.accepted is not None:
                self._arrivals.drop(entry)
                if not entry.accepted.done():
                    entry.accepted.set_exception(error)

    def sink(self, fail: Callable[[BaseException], None]) -> None:
        """Let ``fail`` hear of it if this is ended from outside; nobody who puts is left waiting then."""
        self._task.add_done_callback(lambda task: self._ended(task, fail))

    def _ended(self, task: asyncio.Task[None], fail: Callable[[BaseException], None]) -> None:
        if self._closing.is_set() or not task.cancelled():
            return
        fail(failure_of(task))
        for entry in self._under_way:
            if entry.accepted is not None and not entry.accepted.done():
                entry.accepted.set_exception(SpoolUnavailableError(f"{self.failure}; the play may have been written"))
        self._give_up(self.failure or SpoolError("nothing is written to the spool any more"))
