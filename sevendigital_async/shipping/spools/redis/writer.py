"""Appends of one worker on their way into Redis: in order, many in one step, each step exactly once."""

from __future__ import annotations

import asyncio
import itertools
import uuid
from collections import Counter, OrderedDict
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime

from attrs import define

from ....errors import ShipperError, SpoolCorruptionError, SpoolFullError, SpoolUnavailableError
from ....failpoints import hit
from ....models import LogKind
from ...records import Checkpoint, Record, size_of
from ..base import copy_of
from . import scripts
from .client import SpoolClient
from .wire import microseconds

MOST_AT_ONCE = 500
"""Records in one step, unless a single append is larger."""

LOOK_AGAIN = 0.5
"""Seconds after which a full spool is tried again, for other workers free room, too."""

TAKEN_BEFORE = "put was cancelled after another worker had taken the play"
LOST_BEFORE = "put was cancelled, and Redis lost the spool before the play could be taken back"
"""Why plays of a cancelled call are in doubt; for the journal."""


@define(eq=False)
class Append:
    """One call's records; ``done`` is None where nobody waits for them.

    Attributes:
        withdrawn: The call was cancelled when they were under way, or written: they must not stay.
        spool: Id of the spool that took them.
        first: Number of the first record there.
        replaced: The position that the checkpoint has replaced, as the script says.
    """

    kind: LogKind
    records: Sequence[Record]
    size: int
    checkpoint: Checkpoint | None
    done: asyncio.Future[None] | None
    withdrawn: bool = False
    spool: str = ""
    first: int = 0
    replaced: str = ""

    @property
    def is_wanted(self) -> bool:
        """Nobody has turned away from it."""
        return not self.withdrawn and (self.done is None or not self.done.done())

    def marks(self, source: str) -> bool:
        """Whether a checkpoint of this source comes with it."""
        return self.checkpoint is not None and self.checkpoint.source == source

    def fail(self, error: ShipperError) -> None:
        """Tell who waits, if somebody does, that it was not accepted."""
        if self.done is not None and not self.done.done():
            self.done.set_exception(error)


class Writer:
    """Takes appends and writes them, first come, first served.

    Args:
        station: Where to.
        max_logs: The most that the spool holds.
        max_bytes: The same in bytes.
        settled: Hears, when plays were taken back, how many of each kind could not be.
    """

    def __init__(
        self, station: SpoolClient, settled: Callable[[Mapping[LogKind, int]], None], *, max_logs: int, max_bytes: int
    ) -> None:
        self.worker = uuid.uuid4().hex
        self.written: Callable[[LogKind, int], None] = lambda _kind, _logs: None
        self.room = (0, 0)
        self.restored = 0
        self.is_full = False
        self._station = station
        self._most = (max_logs, max_bytes)
        self._queue: OrderedDict[Append, None] = OrderedDict()
        self._pending = (0, 0)
        self._under_way: list[Append] = []
        self._written: list[Append] = []
        self._settled = settled
        self._step = 0
        self._refusal: ShipperError | None = None
        self._ended = False
        self._look = asyncio.Event()
        self._moved = asyncio.Event()

    @property
    def unwritten(self) -> list[Append]:
        """What was accepted without waiting and is not in Redis yet."""
        return [append for append in (*self._under_way, *self._queue) if append.done is None]

    @property
    def withdrawn(self) -> list[Append]:
        """What was withdrawn, and is in Redis or may get there."""
        return [append for append in self._unsettled if append.withdrawn]

    @property
    def is_taking_back(self) -> bool:
        """Redis has plays that were withdrawn."""
        return any(append.withdrawn for append in self._written)

    @property
    def _unsettled(self) -> list[Append]:
        return [*self._written, *self._under_way]

    @property
    def _is_idle(self) -> bool:
        """Nothing can be done until something changes."""
        return not self._written and not self._under_way and (self.is_full or not self._queue)

    def on_their_way(self) -> list[Append]:
        """Return what was accepted without waiting, and what is being written or may still be withdrawn."""
        waiting = (append for append in self._queue if append.done is None)
        return [append for append in (*self._unsettled, *waiting) if append.records]

    def expects(self, append: Append) -> bool:
        """Whether an append is still to be written or settled, and will be."""
        return append in self._written or (append.is_wanted and (append in self._queue or append in self._under_way))

    def append_nowait(self, kind: LogKind, records: Sequence[Record]) -> None:
        """Take records to be written soon.

        Raises:
            SpoolFullError: There is no room, as far as is known here.
            SpoolUnavailableError: Redis is away.
        """
        if self._refusal is not None:
            raise copy_of(self._refusal)
        if self._station.is_away:
            raise SpoolUnavailableError(f"Redis at {self._station.link.place} does not answer")
        size = size_of(records)
        logs, used = self.room[0] + self._pending[0], self.room[1] + self._pending[1]
        if self.is_full or logs + len(records) > self._most[0] or used + size > self._most[1]:
            raise SpoolFullError(f"the spool is full ({logs} logs, {used} bytes)")
        self._enter(Append(kind, records, size, None, None))

    async def append(self, kind: LogKind, records: Sequence[Record], checkpoint: Checkpoint | None) -> None:
        """Write records; when this returns, Redis has them. Cancelled, it takes them back.

        Raises:
            SpoolFullError: They would not even fit an empty spool.
            SpoolInUseError: Somebody else has moved the checkpoint.
        """
        if self._refusal is not None:
            raise copy_of(self._refusal)
        size = size_of(records)
        if len(records) > self._most[0] or size > self._most[1]:
            raise SpoolFullError(f"{len(records)} logs of {size} bytes exceed the whole spool")
        done = asyncio.get_running_loop().create_future()
        append = Append(kind, records, size, checkpoint, done)
        self._enter(append)
        try:
            await done
        except (asyncio.CancelledError, GeneratorExit):
            append.withdrawn = True
            raise
        finally:
            if append in self._queue:  # who has gone must not be kept for as long as Redis is away
                del self._queue[append]
                self._leave(append)

    async def settled(self, source: str) -> None:
        """Wait until it is certain what became of the checkpoints of a source that are under way."""
        await self._settling([append for append in self._unsettled if append.marks(source)])

    async def taken_back(self) -> None:
        """Wait until what is withdrawn by now is not in Redis any more."""
        await self._settling(self.withdrawn)

    async def _settling(self, appends: Sequence[Append]) -> None:
        while not self._ended and any(append in self._unsettled for append in appends):
            await self._next_move()

    def refuse(self, error: ShipperError) -> None:
        """Take nothing from now on; what is under way is written to its end."""
        self._refusal = error
        for append in self._queue:
            append.fail(copy_of(error))
        self._look.set()

    def end(self, error: ShipperError) -> None:
        """Nothing is written any more: who still waits hears of it."""
        self.refuse(self._refusal or error)
        words = f"Redis at {self._station.link.place} has not said whether it took the plays; it may have"
        for append in self._under_way:
            damaged = isinstance(error, SpoolCorruptionError)
            append.fail(SpoolCorruptionError(str(error)) if damaged else SpoolUnavailableError(words))
        self._ended = True
        self._moved.set()

    def note_room(self, logs: int, size: int) -> None:
        """Learn how much the spool holds."""
        freed = logs < self.room[0] or size < self.room[1]
        self.room = (logs, size)
        if freed:
            self.is_full = False
            self._look.set()

    async def drained(self) -> None:
        """Wait until what can be written is written."""
        while not self._is_idle and not self._station.is_away:
            await self._next_move()

    async def _next_move(self) -> None:
        self._moved.clear()
        await self._moved.wait()

    async def run(self) -> None:
        """Write until cancelled."""
        while True:
            if self._written:
                await self._take_back()
            elif self._is_idle:
                self._moved.set()
                await self._until_worth_a_look()
            else:
                await self._write()
                # In this turn of the loop every call hears that it was accepted, or of a cancellation in between.
                await asyncio.sleep(0)
                self._written = [append for append in self._written if append.withdrawn]
                self._moved.set()

    async def _until_worth_a_look(self) -> None:
        self._look.clear()
        try:
            async with asyncio.timeout(LOOK_AGAIN if self.is_full else None):
                await self._look.wait()
        except TimeoutError:
            self.is_full = False

    async def _write(self) -> None:
        self._under_way = self._next()
        arguments = [argument for append in self._under_way for argument in _arguments(append)]
        self._step += 1
        hit("before append")
        hit("before commit")
        answer = await self._station.run(scripts.APPEND, self.worker, self._step, *self._most, *arguments)
        hit("after commit")
        hit("after append")
        accepted, strays, first = answer[3], answer[4], answer[5]
        done, rest = self._under_way[:accepted], self._under_way[accepted:]
        replaced = iter(answer[6])
        for append in done:
            append.spool, append.first = self._station.id, first
            first += len(append.records)
            if append.checkpoint is not None:
                append.replaced = next(replaced).decode()
            self._leave(append)
            if append.is_wanted:
                self.written(append.kind, len(append.records))
            if append.done is not None and append.is_wanted:
                append.done.set_result(None)
        self._under_way, self._written = [], done
        for append in rest[:strays]:
            if append.checkpoint is not None:
                append.fail(append.checkpoint.conflict)
        for append in reversed(rest):
            self._come_back(append)
        self.room = (answer[1], answer[2])
        self.is_full = bool(rest) and not strays

    async def _take_back(self) -> None:
        """Take back what was withdrawn, however long Redis is away, before anything else is written."""
        self._step += 1
        spool = self._written[0].spool
        groups = [argument for append in reversed(self._written) for argument in _withdrawal(append)]
        answer = await self._station.persist(
            scripts.WITHDRAW, self.worker, self._step, TAKEN_BEFORE, *groups, spool=spool
        )
        kept: Counter[LogKind] = Counter()
        if answer[0] == b"gone":
            await self._tell_of_lost()
        else:
            self.note_room(answer[1], answer[2])
            for kind, logs in zip(*[iter(answer[3])] * 2, strict=True):
                kept[LogKind(kind.decode())] += logs
        self.restored += sum(append.checkpoint is not None for append in self._written)
        self._written = []
        self._moved.set()
        self._settled(kept)

    async def _tell_of_lost(self) -> None:
        """Redis has lost the spool since; what another worker had in its hands may be sent all the same."""
        for append in self._written:
            for start in range(0, len(append.records), MOST_AT_ONCE):
                bodies = [record.body for record in append.records[start : start + MOST_AT_ONCE]]
                late = [part for body in bodies for part in (1, body)]
                now = microseconds(datetime.now(UTC))
                await self._station.run(scripts.LATE, append.kind.value, "", LOST_BEFORE, now, *late)

    def _next(self) -> list[Append]:
        chosen: list[Append] = []
        rows = 0
        for append in list(itertools.islice(self._queue, MOST_AT_ONCE)):
            if rows and rows + len(append.records) > MOST_AT_ONCE:
                break
            del self._queue[append]
            if append.is_wanted:
                rows += len(append.records)
                chosen.append(append)
            else:
                self._leave(append)
        return chosen

    def _come_back(self, append: Append) -> None:
        if self._refusal is not None:
            append.fail(copy_of(self._refusal))
        if append.is_wanted:
            self._queue[append] = None
            self._queue.move_to_end(append, last=False)
        else:
            self._leave(append)

    def _enter(self, append: Append) -> None:
        self._queue[append] = None
        self._pending = (self._pending[0] + len(append.records), self._pending[1] + append.size)
        self._look.set()

    def _leave(self, append: Append) -> None:
        self._pending = (self._pending[0] - len(append.records), self._pending[1] - append.size)


def _withdrawal(append: Append) -> list[object]:
    mark = append.checkpoint
    noted = ("", "", "") if mark is None else (mark.source, mark.position, append.replaced)
    arguments: list[object] = [append.kind.value, *noted, len(append.records)]
    for number, record in enumerate(append.records, append.first):
        arguments += [record.queue, number, record.body]
    return arguments


def _arguments(append: Append) -> list[object]:
    mark = append.checkpoint
    before = "" if mark is None or mark.after is None else f"={mark.after}"
    noted = ("", "", "") if mark is None else (mark.source, mark.position, before)
    arguments: list[object] = [append.kind.value, *noted, len(append.records)]
    for record in append.records:
        arguments += [record.queue, microseconds(record.played_at), int(record.in_doubt), record.body]
    return arguments
