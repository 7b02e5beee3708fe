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
from ....errors import ShipperClosedError, ShipperError, SpoolError, SpoolUnavailableError
from ....models import LogKind
from ...records import PARTNER_QUEUE, Checkpoint, Record
from ...supervisor import failure_of
from ..base import SpoolContext
from . import statements
from .chunk_table import AppendTime
from .file import SpoolFile
from .index import DueTimes, SpoolIndex
from .statements import checkpoint_of
from .writer import MAX_WEIGHT, RETRY_INTERVAL, SqliteWriter, WriterJob

TASK_CANCELLED = "the spool accepts no more plays: its task was cancelled"


class AppendStage(enum.Enum):
    """The stage of an append."""

    QUEUED = enum.auto()
    WRITING = enum.auto()
    WRITTEN = enum.auto()
    WITHDRAWN = enum.auto()
    """The call was cancelled while the plays were being written, or later: they must leave the file."""
    VISIBLE = enum.auto()
    """Lanes can lease the plays; they can't be withdrawn any more."""
    REMOVED = enum.auto()
    """The plays are not in the file, and will not be written."""


@define(eq=False)
class PendingAppend:
    """The plays of one call.

    Attributes:
        kind: Kind of the plays.
        records: The plays.
        size: Bytes of them.
        checkpoint: To be stored with them.
        accepted: Done when they are durable; None for ``append_nowait``.
        stage: Its stage.
        is_counted: The plays count as put.
        replaced: The position that the checkpoint has replaced; None if there was none.
    """

    kind: LogKind
    records: Sequence[Record]
    size: int
    checkpoint: Checkpoint | None = None
    accepted: asyncio.Future[None] | None = None
    stage: AppendStage = AppendStage.QUEUED
    is_counted: bool = False
    replaced: str | None = None

    @property
    def has_ended(self) -> bool:
        """Whether lanes can see the plays, or never will."""
        return self.stage in {AppendStage.VISIBLE, AppendStage.REMOVED}

    @property
    def is_wanted(self) -> bool:
        """Whether the call still waits: it has not been cancelled."""
        return self.stage is not AppendStage.WITHDRAWN and (self.accepted is None or not self.accepted.done())


RecordsByQueue = dict[LogKind, dict[str, list[Record]]]
"""Plays by kind and queue."""


def by_queue(appends: Iterable[PendingAppend]) -> RecordsByQueue:
    """Group the plays of appends by kind and queue, in order."""
    queues: RecordsByQueue = {}
    for pending in appends:
        for record in pending.records:
            queues.setdefault(pending.kind, {}).setdefault(record.queue, []).append(record)
    return queues


@define(eq=False)
class AppendGroup:
    """The appends of one transaction.

    Attributes:
        appends: In order.
        queues: Their plays.
        time: When they were accepted.
        end: The sequence number after that of their last play.
    """

    appends: Sequence[PendingAppend]
    queues: RecordsByQueue
    time: AppendTime
    end: int


class Appender:
    """Writes groups of appends to the file, and shows their plays to lanes.

    Args:
        index: Counts, capacity and due times.
        file: The file.
        writer: Its thread.

    Attributes:
        withdrawn: Appends of the last group that are still to be removed from the file.
    """

    def __init__(self, index: SpoolIndex, file: SpoolFile, writer: SqliteWriter) -> None:
        self.withdrawn: list[PendingAppend] = []
        self._index = index
        self._file = file
        self._writer = writer
        self._hidden: AppendGroup | None = None
        self._removal: asyncio.Future[None] | None = None

    @property
    def hidden(self) -> Sequence[PendingAppend]:
        """Appends that are in the file, and whose plays lanes can't see yet."""
        return self._hidden.appends if self._hidden else ()

    def write(self, appends: Sequence[PendingAppend]) -> asyncio.Future[None]:
        """Write appends, and remove withdrawn ones, in one transaction; the future is done when it is durable."""
        index, disk_space = self._index, self._writer.disk_space
        is_being_removed = self._removal is not None and not self._removal.done()
        withdrawn = [] if is_being_removed else self.withdrawn
        queues, withdrawn_queues = by_queue(appends), by_queue(withdrawn)
        index.assign_sequences(queues)
        group = AppendGroup(appends, queues, AppendTime(index.now, index.context.clock.time()), index.next_sequence)
        with_checkpoint = [pending for pending in appends if pending.checkpoint is not None]
        with_signers = [
            kind for kind, names in (*queues.items(), *withdrawn_queues.items()) if names.keys() - {PARTNER_QUEUE}
        ]
        logs, size = sum([len(pending.records) for pending in appends]), sum([pending.size for pending in appends])

        def work(db: sqlite3.Connection) -> tuple[list[str | None], dict[LogKind, DueTimes]]:
            failpoints.hit("before append")
            self._file.check_identity()
            _withdraw_from_file(db, withdrawn, withdrawn_queues, index)
            if appends:
                disk_space.check(db, size)
            for kind, names in queues.items():
                rules = index.context.rules[kind]
                statements.append(
                    db, kind, names, partner_queue=index.partner_queues[kind].id, rules=rules, time=group.time
                )
            replaced = [_store_checkpoint(db, pending) for pending in with_checkpoint]
            failpoints.hit("after append")
            return replaced, {kind: statements.due_times(db, kind) for kind in with_signers}

        def on_durable(result: tuple[list[str | None], dict[LogKind, DueTimes]]) -> None:
            replaced, due = result
            for pending, position in zip(with_checkpoint, replaced, strict=True):
                pending.replaced = position
            index.due.update(due)
            if withdrawn:
                self._show_others(withdrawn)
            for pending in appends:
                if pending.stage is AppendStage.WRITING:
                    pending.stage = AppendStage.WRITTEN
            self._hidden = group if appends else None

        done = self._writer.submit(WriterJob(work, on_durable, logs))
        if withdrawn:
            self._removal = done
        return done

    def make_written_visible(self) -> None:
        """Show the last group to lanes, once its calls have returned; cancelled ones must be removed first."""
        group = self._hidden
        if group is not None:
            self.withdrawn = [pending for pending in group.appends if pending.stage is AppendStage.WITHDRAWN]
            if not self.withdrawn:
                self._make_visible(group, group.queues)

    async def wait_until_visible(self) -> None:
        """Let plays whose calls have just returned become visible; see :meth:`make_written_visible`."""
        if self._hidden is not None and not self.withdrawn:
            await asyncio.sleep(0)

    def count_put(self, appends: Sequence[PendingAppend]) -> None:
        """Count plays as put."""
        logs: dict[LogKind, int] = {}
        for pending in appends:
            pending.is_counted = True
            logs[pending.kind] = logs.get(pending.kind, 0) + len(pending.records)
        for kind, number in logs.items():
            self._index.change_counts(kind, put=number, waiting=number)

    def undo_count_put(self, pending: PendingAppend) -> None:
        """Undo :meth:`count_put`."""
        if pending.is_counted:
            pending.is_counted = False
            self._index.change_counts(pending.kind, put=-len(pending.records), waiting=-len(pending.records))

    def remove(self, pending: PendingAppend) -> None:
        """Mark an append as removed from the file; frees its capacity."""
        pending.stage = AppendStage.REMOVED
        self.undo_count_put(pending)
        self._index.capacity.free(len(pending.records), pending.size)

    def acknowledged_position(self, source: str, kept: str | None) -> str | None:
        """Return the last acknowledged position of a source, if ``kept`` is the one in the file."""
        # Until it is known which calls were cancelled, none of the last group counts as acknowledged.
        for pending in reversed(self.withdrawn or self.hidden):
            if pending.checkpoint is not None and (pending.checkpoint.source, pending.checkpoint.position) == (
                source,
                kept,
            ):
                kept = pending.replaced
        return kept

    def keep_withdrawn(self) -> int:
        """Keep withdrawn plays that could not be removed from the file; returns how many."""
        self.count_put(self.withdrawn)
        return sum([len(pending.records) for pending in self.withdrawn])

    def _show_others(self, withdrawn: Sequence[PendingAppend]) -> None:
        """Show the last group to lanes without the appends that have been removed from the file."""
        for pending in withdrawn:
            self.remove(pending)
        self.withdrawn = []
        assert self._hidden is not None
        left = [pending for pending in self._hidden.appends if pending.stage is AppendStage.WRITTEN]
        self._make_visible(self._hidden, by_queue(left))

    def _make_visible(self, group: AppendGroup, queues: RecordsByQueue) -> None:
        self._hidden = None
        self._index.visible_before = group.end
        for pending in group.appends:
            if pending.stage is AppendStage.WRITTEN:
                pending.stage = AppendStage.VISIBLE
        for kind in group.queues:
            self._index.add_appended(kind, queues.get(kind, {}).get(PARTNER_QUEUE, ()), group.time.put_at)


def _store_checkpoint(db: sqlite3.Connection, pending: PendingAppend) -> str | None:
    assert pending.checkpoint is not None
    replaced = checkpoint_of(db, pending.checkpoint.source)
    statements.set_checkpoint(db, pending.checkpoint)
    return replaced


def _withdraw_from_file(
    db: sqlite3.Connection, appends: Sequence[PendingAppend], queues: RecordsByQueue, index: SpoolIndex
) -> None:
    for kind, names in queues.items():
        statements.withdraw(db, kind, names, partner_queue=index.partner_queues[kind].id)
    for pending in reversed(appends):  # newest first: each replaced the previous one
        if pending.checkpoint is not None:
            statements.restore_checkpoint(db, pending.checkpoint, pending.replaced)


class GroupCommit:
    """Commits pending appends in order, as many in one transaction as are waiting.

    Args:
        appender: Writes appends durably.
        report: Called with the reason why the file can't be written, and with None when it can be again.
        context: The clock, and what to call if the task is cancelled by others.

    Attributes:
        alert: Why the file can't be written for now.
        failure: The error that ended the group commit; ``ShipperClosedError`` once it is closed.
    """

    def __init__(self, appender: Appender, report: Callable[[str | None], None], context: SpoolContext) -> None:
        self._appender = appender
        self._report = report
        self._clock = context.clock
        self._fail = context.fail
        self._queue: deque[PendingAppend] = deque()
        self._writing: list[PendingAppend] = []
        self._wakeup = asyncio.Event()
        self._closing = asyncio.Event()
        self._max_weight = MAX_WEIGHT
        self._refusal: ShipperError | None = None
        self._loop = asyncio.get_running_loop()
        self._task = self._loop.create_task(self._run(), name="spool commits")
        self._task.add_done_callback(self._on_task_end)
        self.alert: str | None = None
        self.failure: Exception | None = None

    @property
    def is_behind(self) -> bool:
        """Whether plays count as waiting that lanes can't see yet, but may later."""
        return self.failure is None and (
            bool(self._appender.hidden)
            or any(pending.accepted is None for pending in chain(self._writing, self._queue))
        )

    @property
    def is_stuck(self) -> bool:
        """Whether withdrawn plays can't be removed from the file for now."""
        return self.alert is not None and bool(self._appender.withdrawn)

    def unseen_appends(self) -> list[PendingAppend]:
        """Return the appends that are accepted, or being written, and whose plays lanes can't see yet."""
        waiting = [pending for pending in self._queue if pending.accepted is None]
        appends = dict.fromkeys((*self._appender.hidden, *self._writing, *waiting))
        return [pending for pending in appends if pending.records and not pending.has_ended]

    def will_be_visible(self, pending: PendingAppend) -> bool:
        """Whether lanes will see an append; while the file can't be written, only one of ``append_nowait``."""
        return not pending.has_ended and (pending.accepted is None or self.alert is None) and self.failure is None

    def hidden_logs(self, kind: LogKind) -> int:
        """Return how many plays of a kind count as waiting that lanes can't see yet."""
        return sum(
            len(pending.records) for pending in self.unseen_appends() if pending.is_counted and pending.kind is kind
        )

    def enqueue(self, pending: PendingAppend) -> None:
        """Add an append to the next transaction.

        Raises:
            Exception: The error that ended the group commit.
        """
        if self.failure is not None or self._loop.is_closed():
            self._appender.remove(pending)
            raise self._reason()
        self._queue.append(pending)
        self._wakeup.set()

    def commit(self, pending: PendingAppend) -> asyncio.Future[None]:
        """Add an append to the next transaction; the future is done when it is durable.

        A caller that is cancelled while it waits must call :meth:`withdraw`.

        Raises:
            Exception: The error that ended the group commit.
        """
        accepted: asyncio.Future[None] = asyncio.Future(loop=self._loop)
        pending.accepted = accepted
        self.enqueue(pending)
        return accepted

    def withdraw(self, pending: PendingAppend) -> None:
        """Remove a cancelled append from the queue; or from the file, if it is being written or was just written.

        No lane has seen its plays, and they are removed before anything else is written.
        """
        if pending.stage is AppendStage.QUEUED:
            self._appender.remove(pending)
        elif pending.stage in {AppendStage.WRITING, AppendStage.WRITTEN}:
            pending.stage = AppendStage.WITHDRAWN
            self._appender.undo_count_put(pending)

    def _reason(self) -> Exception:
        """Return the error that ended the group commit."""
        if self._loop.is_closed() and not isinstance(self.failure, ShipperClosedError):
            self.failure = ShipperClosedError("the event loop that the spool was opened in is closed")
        assert self.failure is not None
        return self.failure.with_traceback(None)  # each raise would add to the traceback

    def refuse(self, error: ShipperError) -> None:
        """Raise ``error`` in calls that wait for a file that can't be written, now and later."""
        self._refusal = error
        if self.alert is not None:
            self._fail_waiting(error)

    async def aclose(self) -> int:
        """Commit the pending appends, if the file can be written now, and stop.

        Returns:
            How many plays of ``append_nowait`` could not be written; calls that wait raise an error instead.
        """
        self._closing.set()
        self._wakeup.set()
        await asyncio.wait([self._task])
        self._fail_waiting(self._refusal or ShipperClosedError("the spool is closed"))
        for pending in self._queue:
            self._appender.remove(pending)
        self.failure = self.failure or ShipperClosedError("the spool is closed")
        return sum(len(pending.records) for pending in self._queue)

    async def _run(self) -> None:
        try:
            while True:
                while await self._next():
                    pass
                if self._closing.is_set():
                    return
                self._wakeup.clear()
                await self._wakeup.wait()
        except asyncio.CancelledError:
            # The event loop is ending. The thread does not need it to write the plays of append_nowait.
            unwaited = [pending for pending in self._queue if pending.accepted is None]
            self._queue = deque(pending for pending in self._queue if pending.accepted is not None)
            if unwaited:
                self._appender.write(unwaited)
            # In this iteration of the loop: plays that another task puts now would never be written.
            self.failure = SpoolError(TASK_CANCELLED)
            raise
        except Exception as error:  # noqa: BLE001 - raised by every append
            self.failure = error
            self._report(str(error))
            self._requeue()
            self._fail_waiting(error)

    async def _next(self) -> bool:
        """Commit the next appends; False when there are none, or the spool closes while the file can't be written."""
        self._gather()
        changes = len(self._writing) + bool(self._appender.withdrawn)
        if not changes:
            return False
        try:
            await asyncio.shield(self._appender.write(self._writing))
        except SpoolUnavailableError as error:
            self._requeue()
            self._max_weight = 1  # a single append may fit on a disk that has no space for many
            return await self._pause(error) if changes == 1 else True
        self._accept(self._writing)
        self._writing = []
        self._max_weight = min(MAX_WEIGHT, 2 * self._max_weight)
        self.alert = None
        self._report(None)
        # In this iteration of the loop every call returns, or is cancelled if a cancellation came first.
        await asyncio.sleep(0)
        self._appender.make_written_visible()
        return True

    def _accept(self, appends: Sequence[PendingAppend]) -> None:
        """Let the calls that wait return."""
        waiting = []
        for pending in appends:
            if (accepted := pending.accepted) is not None and pending.is_wanted:
                accepted.set_result(None)
                waiting.append(pending)
        self._appender.count_put(waiting)

    def _gather(self) -> None:
        """Choose the appends of the next transaction; after a failure, none if withdrawn ones must be removed."""
        weight = self._max_weight if self._appender.withdrawn and self._max_weight == 1 else 0
        while self._queue and weight < self._max_weight:
            pending = self._queue.popleft()
            if pending.stage is AppendStage.REMOVED:
                continue
            pending.stage = AppendStage.WRITING
            self._writing.append(pending)
            weight += len(pending.records)

    async def _pause(self, error: SpoolUnavailableError) -> bool:
        """Wait before the next try; False when the spool is closing."""
        self.alert = str(error)
        self._report(self.alert)
        if self._refusal is not None:
            self._fail_waiting(self._refusal)
        if self._closing.is_set():
            return False
        await self._clock.wait(self._closing, RETRY_INTERVAL)
        return True

    def _requeue(self) -> None:
        for pending in self._writing:
            if pending.is_wanted:
                pending.stage = AppendStage.QUEUED
            else:
                self._appender.remove(pending)
        # Cancelled appends must not stay in memory for as long as the file can't be written.
        appends = chain(self._writing, self._queue)
        self._queue = deque(pending for pending in appends if pending.stage is not AppendStage.REMOVED)
        self._writing = []

    def _fail_waiting(self, error: Exception) -> None:
        """Raise an error in calls that wait; appends of ``append_nowait`` stay in the queue."""
        appends = [pending for pending in self._queue if pending.stage is not AppendStage.REMOVED]
        self._queue = deque(pending for pending in appends if pending.accepted is None)
        for pending in appends:
            if pending.accepted is not None:
                self._appender.remove(pending)
                if not pending.accepted.done():
                    pending.accepted.set_exception(error)

    def _on_task_end(self, task: asyncio.Task[None]) -> None:
        """Raise an error in calls that wait if the task was cancelled by others."""
        if self._closing.is_set() or not task.cancelled():
            return
        self.failure = failure = self.failure or SpoolError(TASK_CANCELLED)
        self._fail(failure_of(task))
        for pending in self._writing:
            if pending.accepted is not None and not pending.accepted.done():
                pending.accepted.set_exception(SpoolUnavailableError(f"{failure}; the play may have been written"))
        self._fail_waiting(failure)
