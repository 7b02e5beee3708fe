"""Writes the appends of one worker into Redis: in order, many in one step, each step exactly once."""

from __future__ import annotations

import asyncio
import itertools
import uuid
from collections import Counter, OrderedDict
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime

from attrs import define, frozen

from ....clock import to_microseconds
from ....errors import ShipperError, SpoolCorruptionError, SpoolFullError, SpoolUnavailableError
from ....failpoints import hit
from ....models import LogKind
from ....quantity import pluralize
from ...records import Checkpoint, Record, size_of
from ..base import copy_error
from ..chunk_codec import MAX_LOGS
from . import scripts
from .chunk_lists import chunk_arguments, in_doubt_arguments, pieces_by_queue, withdraw_arguments
from .client import SpoolClient

MAX_RECORDS_PER_STEP = 2000
"""Records in one step, unless a single append is larger."""

FULL_RETRY_INTERVAL = 0.5
"""Seconds after which a full spool is tried again: other workers free space, too."""

LEASED_REASON = "put was cancelled after another worker had taken the play"
LOST_REASON = "put was cancelled, and Redis lost the spool before the play could be withdrawn"
"""Why plays of a cancelled call are in doubt; for the journal."""


@define(eq=False)
class RedisAppend:
    """The records of one call; ``done`` is None if no caller waits for them.

    Attributes:
        is_withdrawn: The call was cancelled while the records were being written, or after: they must not stay.
        spool_id: Of the spool that accepted them.
        replaced: The position that the checkpoint has replaced, as append.lua answers.
    """

    kind: LogKind
    records: Sequence[Record]
    size: int
    checkpoint: Checkpoint | None
    done: asyncio.Future[None] | None
    is_withdrawn: bool = False
    spool_id: str = ""
    replaced: str = ""

    @property
    def is_wanted(self) -> bool:
        """The call has not been cancelled, and has not failed."""
        return not self.is_withdrawn and (self.done is None or not self.done.done())

    def fail(self, error: ShipperError) -> None:
        if self.done is not None and not self.done.done():
            self.done.set_exception(error)

    def withdraw_arguments(self) -> list[object]:
        """Return the group that withdraw.lua takes."""
        chunks = withdraw_arguments(self.records)
        return [*self._checkpoint_arguments(self.replaced), len(chunks) // 4, *chunks]

    def append_arguments(self) -> list[object]:
        """Return kind and checkpoint for append.lua."""
        mark = self.checkpoint
        return self._checkpoint_arguments("" if mark is None or mark.after is None else f"={mark.after}")

    def _checkpoint_arguments(self, other_position: str) -> list[object]:
        mark = self.checkpoint
        positions = ("", "", "") if mark is None else (mark.source, mark.position, other_position)
        return [self.kind.value, *positions]


@frozen
class RedisAppendGroup:
    """Appends that Redis accepts together, or not at all.

    Attributes:
        appends: Of one kind; only a single one may have a checkpoint.
        pieces: Their records, as they are cut into chunks.
    """

    appends: Sequence[RedisAppend]
    pieces: Sequence[Sequence[Record]]

    @classmethod
    def of(cls, appends: Sequence[RedisAppend], max_count: int) -> RedisAppendGroup:
        """Cut the records into chunks of ``max_count`` plays at the most."""
        return cls(appends, pieces_by_queue([record for append in appends for record in append.records], max_count))

    def arguments(self) -> list[object]:
        """Return the group that append.lua takes."""
        logs = sum([len(append.records) for append in self.appends])
        size = sum([append.size for append in self.appends])
        group = [*self.appends[0].append_arguments(), logs, size, len(self.pieces)]
        for piece in self.pieces:
            group += [piece[0].queue, *chunk_arguments(piece)]
        return group

    def assign_sequences(self, first: int) -> int:
        """Give the records their sequence numbers, from ``first`` on; returns the next number."""
        for piece in self.pieces:
            for record in piece:
                record.sequence = first
                first += 1
        return first


class RedisWriter:
    """Accepts appends and writes them, first come, first served.

    Args:
        client: Of the spool.
        on_withdrawn: Called, when plays were withdrawn, with how many of each kind could not be.
        max_logs: How many records the spool holds at the most.
        max_bytes: The same in bytes.

    Attributes:
        worker: Id of this worker.
        on_written: Called with the kind and the number of records that were written.
        usage: Logs and bytes that the spool holds, as last known.
        restored: How many checkpoints were withdrawn.
        is_full: The last append did not fit.
        max_count: Plays in one batch, by kind.
    """

    def __init__(
        self,
        client: SpoolClient,
        on_withdrawn: Callable[[Mapping[LogKind, int]], None],
        *,
        max_logs: int,
        max_bytes: int,
    ) -> None:
        self.worker: str = uuid.uuid4().hex
        self.on_written: Callable[[LogKind, int], None] = lambda _kind, _logs: None
        self.usage: tuple[int, int] = (0, 0)
        self.max_count: Mapping[LogKind, int] = {}
        self.restored: int = 0
        self.is_full: bool = False
        self._client = client
        self._on_withdrawn = on_withdrawn
        self._max_logs, self._max_bytes = max_logs, max_bytes
        self._queue: OrderedDict[RedisAppend, None] = OrderedDict()
        self._pending = (0, 0)
        self._in_progress: list[RedisAppend] = []
        self._written: list[RedisAppend] = []
        self._step_number = 0
        self._refusal: ShipperError | None = None
        self._is_ended = self._is_almost_full = False
        self._wake = asyncio.Event()
        self._progress = asyncio.Event()

    @property
    def unwritten_appends(self) -> list[RedisAppend]:
        """What was accepted without waiting and is not in Redis yet."""
        return [append for append in (*self._in_progress, *self._queue) if append.done is None]

    @property
    def withdrawn(self) -> list[RedisAppend]:
        """What was withdrawn, and is in Redis or may get there."""
        return [append for append in self._unsettled if append.is_withdrawn]

    @property
    def is_withdrawing(self) -> bool:
        """Redis has plays that were withdrawn."""
        return any(append.is_withdrawn for append in self._written)

    @property
    def _unsettled(self) -> list[RedisAppend]:
        return [*self._written, *self._in_progress]

    @property
    def _is_idle(self) -> bool:
        """Nothing can be done until something changes."""
        return not self._written and not self._in_progress and (self.is_full or not self._queue)

    def accepted_appends(self) -> list[RedisAppend]:
        """Return what was accepted without waiting, and what is being written or may still be withdrawn."""
        waiting = (append for append in self._queue if append.done is None)
        return [append for append in (*self._unsettled, *waiting) if append.records]

    def is_pending(self, append: RedisAppend) -> bool:
        """Whether an append will still be written, or withdrawn."""
        return append in self._written or (append.is_wanted and (append in self._queue or append in self._in_progress))

    def append_nowait(self, kind: LogKind, records: Sequence[Record]) -> None:
        """Accept records, to be written soon.

        Raises:
            SpoolFullError: They do not fit, as far as is known here.
            SpoolUnavailableError: Redis is unavailable.
        """
        if self._refusal is not None:
            raise copy_error(self._refusal)
        if self._client.is_unavailable:
            raise SpoolUnavailableError(f"Redis at {self._client.connection.safe_url} does not answer")
        size = size_of(records)
        logs, used = self.usage[0] + self._pending[0], self.usage[1] + self._pending[1]
        if self.is_full or logs + len(records) > self._max_logs or used + size > self._max_bytes:
            raise SpoolFullError(f"the spool is full ({pluralize(logs, 'log')}, {pluralize(used, 'byte')})")
        self._add(RedisAppend(kind, records, size, None, None))

    async def append(self, kind: LogKind, records: Sequence[Record], checkpoint: Checkpoint | None) -> None:
        """Write records; when this returns, Redis has them. If it is cancelled, they are withdrawn.

        Raises:
            SpoolFullError: They would not even fit an empty spool.
            SpoolInUseError: Another shipper has moved the checkpoint.
        """
        if self._refusal is not None:
            raise copy_error(self._refusal)
        size = size_of(records)
        if len(records) > self._max_logs or size > self._max_bytes:
            raise SpoolFullError(
                f"{pluralize(len(records), 'log')} of {pluralize(size, 'byte')} exceed the whole spool"
            )
        done = asyncio.get_running_loop().create_future()
        append = RedisAppend(kind, records, size, checkpoint, done)
        self._add(append)
        try:
            await done
        except (asyncio.CancelledError, GeneratorExit):
            append.is_withdrawn = True
            raise
        finally:
            if append in self._queue:  # a cancelled append must not be kept for as long as Redis is unavailable
                del self._queue[append]
                self._remove_pending(append)

    async def settle_checkpoint(self, source: str) -> None:
        """Wait for the checkpoints of a source that are being written or withdrawn now."""
        await self._settle(
            [append for append in self._unsettled if append.checkpoint and append.checkpoint.source == source]
        )

    async def settle_withdrawn(self) -> None:
        """Wait until the plays that are withdrawn now have left Redis."""
        await self._settle(self.withdrawn)

    async def _settle(self, appends: Sequence[RedisAppend]) -> None:
        while not self._is_ended and any(append in self._unsettled for append in appends):
            await self._next_progress()

    def refuse(self, error: ShipperError) -> None:
        """Accept nothing from now on; what is being written is completed."""
        self._refusal = error
        for append in self._queue:
            append.fail(copy_error(error))
        self._wake.set()

    def end(self, error: ShipperError) -> None:
        """Fail all appends: nothing is written any more."""
        self.refuse(self._refusal or error)
        unknown = (
            f"Redis at {self._client.connection.safe_url} did not answer whether it has the plays; it may have them"
        )
        for append in self._in_progress:
            is_damaged = isinstance(error, SpoolCorruptionError)
            append.fail(SpoolCorruptionError(str(error)) if is_damaged else SpoolUnavailableError(unknown))
        self._is_ended = True
        self._progress.set()

    def set_usage(self, logs: int, size: int) -> None:
        has_shrunk = logs < self.usage[0] or size < self.usage[1]
        self.usage = (logs, size)
        if has_shrunk:
            self.is_full = False
            self._wake.set()

    async def drain(self) -> None:
        """Wait until everything is written that can be."""
        while not self._is_idle and not self._client.is_unavailable:
            await self._next_progress()

    async def _next_progress(self) -> None:
        self._progress.clear()
        await self._progress.wait()

    async def run(self) -> None:
        while True:
            if self._written:
                await self._withdraw()
            elif self._is_idle:
                self._progress.set()
                await self._wait_for_work()
            else:
                await self._write()
                # Every call returns during this step of the loop, or is cancelled before.
                await asyncio.sleep(0)
                self._written = [append for append in self._written if append.is_withdrawn]
                self._progress.set()

    async def _wait_for_work(self) -> None:
        self._wake.clear()
        try:
            async with asyncio.timeout(FULL_RETRY_INTERVAL if self.is_full else None):
                await self._wake.wait()
        except TimeoutError:
            self.is_full = False

    async def _write(self) -> None:
        self._in_progress = self._take_batch()
        groups = self._groups()
        self._step_number += 1
        hit("before append")
        hit("before commit")
        answer = await self._client.run(
            scripts.APPEND,
            worker=self.worker,
            step=self._step_number,
            max_logs=self._max_logs,
            max_bytes=self._max_bytes,
            groups=[argument for group in groups for argument in group.arguments()],
        )
        hit("after commit")
        hit("after append")
        _, logs, size, accepted, conflicts, first, replaced = answer
        for group in groups[:accepted]:
            first = group.assign_sequences(first)
        number = sum([len(group.appends) for group in groups[:accepted]])
        written, rest = self._in_progress[:number], self._in_progress[number:]
        replaced = iter(replaced)
        for append in written:
            append.spool_id = self._client.id
            if append.checkpoint is not None:
                append.replaced = next(replaced).decode()
            self._remove_pending(append)
            if append.is_wanted:
                self.on_written(append.kind, len(append.records))
            if append.done is not None and append.is_wanted:
                append.done.set_result(None)
        self._in_progress, self._written = [], written
        for append in rest[:conflicts]:
            if append.checkpoint is not None:
                append.fail(append.checkpoint.conflict)
        for append in reversed(rest):
            self._requeue(append)
        self.usage = (logs, size)
        # Of appends that did not fit together, some may fit alone: they are tried in the next step.
        was_joined = any(len(group.appends) > 1 for group in groups[accepted : accepted + 1])
        self.is_full = bool(rest) and not conflicts and not was_joined
        self._is_almost_full = bool(rest)

    def _groups(self) -> list[RedisAppendGroup]:
        """Join appends of one kind, so that plays put one at a time share chunks; not if some did not fit before."""
        groups: list[list[RedisAppend]] = []
        for append in self._in_progress:
            last = groups[-1][-1] if groups else None
            is_joined = last is not None and last.kind is append.kind and last.checkpoint is append.checkpoint is None
            if is_joined and not self._is_almost_full:
                groups[-1].append(append)
            else:
                groups.append([append])
        return [RedisAppendGroup.of(group, self.max_count.get(group[0].kind, MAX_LOGS)) for group in groups]

    async def _withdraw(self) -> None:
        """Withdraw plays, however long Redis is unavailable, before anything else is written."""
        self._step_number += 1
        groups = [argument for append in reversed(self._written) for argument in append.withdraw_arguments()]
        answer = await self._client.run_until_answered(
            scripts.WITHDRAW,
            expected_spool=self._written[0].spool_id,
            worker=self.worker,
            step=self._step_number,
            reason=LEASED_REASON,
            groups=groups,
        )
        in_doubt: Counter[LogKind] = Counter()
        if answer[0] == b"gone":
            await self._journal_in_doubt()
        else:
            self.set_usage(answer[1], answer[2])
            for kind, logs in zip(*[iter(answer[3])] * 2, strict=True):
                in_doubt[LogKind(kind.decode())] += logs
        self.restored += sum(append.checkpoint is not None for append in self._written)
        self._written = []
        self._progress.set()
        self._on_withdrawn(in_doubt)

    async def _journal_in_doubt(self) -> None:
        """Journal withdrawn plays of a lost spool as in doubt: a worker that had leased them may still send them."""
        for append in self._written:
            for start in range(0, len(append.records), MAX_RECORDS_PER_STEP):
                records = append.records[start : start + MAX_RECORDS_PER_STEP]
                await self._client.run(
                    scripts.JOURNAL_IN_DOUBT,
                    kind=append.kind.value,
                    request="",
                    answer=LOST_REASON,
                    at=to_microseconds(datetime.now(UTC)),
                    plays=[part for piece in pieces_by_queue(records) for part in in_doubt_arguments(piece)],
                )

    def _take_batch(self) -> list[RedisAppend]:
        batch: list[RedisAppend] = []
        rows = 0
        for append in list(itertools.islice(self._queue, MAX_RECORDS_PER_STEP)):
            if rows and rows + len(append.records) > MAX_RECORDS_PER_STEP:
                break
            del self._queue[append]
            if append.is_wanted:
                rows += len(append.records)
                batch.append(append)
            else:
                self._remove_pending(append)
        return batch

    def _requeue(self, append: RedisAppend) -> None:
        if self._refusal is not None:
            append.fail(copy_error(self._refusal))
        if append.is_wanted:
            self._queue[append] = None
            self._queue.move_to_end(append, last=False)
        else:
            self._remove_pending(append)

    def _add(self, append: RedisAppend) -> None:
        self._queue[append] = None
        self._pending = (self._pending[0] + len(append.records), self._pending[1] + append.size)
        self._wake.set()

    def _remove_pending(self, append: RedisAppend) -> None:
        self._pending = (self._pending[0] - len(append.records), self._pending[1] - append.size)
