"""RedisSpool: one backlog for many workers; what a dead one leaves behind, the others take over."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from typing import Any

from attrs import astuple, evolve, fields

from ....errors import (
    LeaseLostError,
    ShipperClosedError,
    ShipperError,
    SpoolError,
    SpoolInUseError,
    SpoolUnavailableError,
)
from ....failpoints import hit
from ....models import LogKind
from ....redis_connection import RedisScript, RedisUnavailableError
from ...events import PlaysInDoubt, PlaysRecovered
from ...records import Checkpoint, Counts, DeadLetter, InDoubtPolicy, Lease, Receipt, Record, StaleCounts
from ...supervisor import failure_of
from ..base import SpoolContext, Watermark
from . import scripts
from .client import SpoolClient
from .leases import AT_THE_END, Leases
from .watermark import RedisWatermark
from .wire import EPOCH, microseconds, milliseconds
from .writer import Writer

logger = logging.getLogger("sevendigital_async.shipping")

PLACES = tuple(place.name for place in fields(Counts))
LOOK_AROUND = 1.0
"""Seconds between two looks at what other workers have put or left behind, at the most."""

SOON = 1.0
"""Seconds that Redis has for an answer to somebody who only wants to know figures."""

OPENING = 60.0
"""Seconds for which a spool waits, when it is opened, for a Redis that is starting."""

CLOSING = 0.15
"""Seconds that Redis has for an answer while the shipper closes."""

SETTLING = 0.5
"""Seconds that a lease waits for plays to be taken back, so that they are not in it; a full Redis must not stop it."""

LAST_ANSWER = 2.0
"""Seconds that Redis has to take plays back while the shipper closes: without that they may be sent twice."""

WHEN_AWAY = 1.0
"""Seconds after which to ask again for work."""

DAY = 86_400

CANCELLED = "put-cancelled"
"""The outcome of plays that were leased before their put was cancelled."""


class RedisSpool:
    """Implements :class:`~sevendigital_async.shipping.spools.base.Spool` in Redis Streams, for any number of workers.

    Held and buried plays stay in it, and count against its size, until somebody replays or drops them.

    Args:
        url: ``redis://[user:password@]host[:port][/database][?prefix=...]``, or ``rediss://``; Redis 7.0 or later.
        name: Sets apart several spools in one Redis.
        max_logs: Records held at the most, by all workers together.
        max_bytes: The same in bytes of their wire form.
        lease_seconds: How long a worker may give no sign of life before others take over what it was sending.
        journal_days: How long the journal keeps what was delivered.
        open_timeout: How long to wait, at the start, for a Redis that loads its data or fails over.
        offset: Seconds by which the spool's time is ahead of Redis's clock; for tests.
    """

    def __init__(
        self,
        url: str,
        *,
        name: str = "spool",
        max_logs: int = 1_000_000,
        max_bytes: int = 512 * 1024 * 1024,
        lease_seconds: float = 15.0,
        journal_days: float = 30.0,
        open_timeout: float = OPENING,
        offset: Callable[[], float] = lambda: 0.0,
    ) -> None:
        self._station = SpoolClient(url, name, offset)
        self._writer = Writer(self._station, self._withdrawn, max_logs=max_logs, max_bytes=max_bytes)
        self._writer.written = self._count_written
        self._open_timeout = open_timeout
        self._lease_seconds = lease_seconds
        self._journal_days = journal_days
        self._leases = Leases(self._station, lease_seconds, self._settled)
        self._known = dict.fromkeys(LogKind, Counts())
        self._final: dict[LogKind, Counts] = {}
        self._written_so_far = dict.fromkeys(LogKind, 0)
        self._patience: float | None = None
        self._looked_at = 0.0
        self._tasks: list[asyncio.Task[None]] = []
        self._claimed = self._closing = False

    def __repr__(self) -> str:
        return f"RedisSpool({self._station.link.place!r})"

    async def open(self, owner: SpoolContext) -> None:
        """Find the spool in Redis, or found it; what dead workers have left is taken over when their time is up."""
        if self._claimed:
            raise SpoolInUseError(f"this {self!r} has been opened before; make another one")
        self._claimed = True
        self._owner = owner
        self._station.report = owner.report
        try:
            await self._station.open(owner.rules, owner.dialect, owner.in_doubt, self._open_timeout)
            self._looked_at = self._station.reached_since
            await self._look_around()
        except BaseException as error:
            await self._station.aclose()
            self._claimed = False
            if isinstance(error, RedisUnavailableError):
                raise SpoolUnavailableError(str(error)) from None
            raise
        self._tasks = [asyncio.create_task(self._writer.run()), asyncio.create_task(self._keep_looking())]
        for task in self._tasks:
            task.add_done_callback(self._stopped)

    def append_nowait(self, kind: LogKind, records: Sequence[Record]) -> None:
        """Take records, to be written soon; until then they die with this process."""
        self._writer.append_nowait(kind, records)
        self._owner.wake(kind)

    async def append(self, kind: LogKind, records: Sequence[Record], checkpoint: Checkpoint | None = None) -> None:
        """Write all or none, waiting for room, and for Redis.

        A cancellation takes them back, and the checkpoint with them: at once where they are not in Redis yet, else as
        soon as Redis answers, before anything else is written. What another worker has leased by then is in doubt.
        """
        await self._writer.append(kind, records, checkpoint)
        self._owner.wake(kind)

    def refuse(self, error: ShipperError) -> None:
        """Accept nothing from now on."""
        self._patience = CLOSING
        self._writer.refuse(error)

    async def checkpoint(self, source: str) -> str | None:
        """Return the position last kept for a source, by a put that was not cancelled."""
        while True:
            restored = self._writer.restored
            try:
                position = await self._station.checkpoint(source)
            except RedisUnavailableError:
                await asyncio.sleep(WHEN_AWAY)
                continue
            await self._writer.settled(source)
            if restored == self._writer.restored:
                return position

    async def due_in(self, kind: LogKind, *, flush: bool) -> float | None:
        """Seconds until a lease may succeed."""
        await self._written()
        flush = flush or self._writer.is_full
        answer = await self._answer(scripts.DUE_IN, kind.value, int(flush), within=SOON)
        if answer is None:
            return WHEN_AWAY
        if answer[0] == b"gone" or answer[1] < 0:
            return None
        return WHEN_AWAY if self._writer.is_taking_back else float(answer[1] / 1000)

    async def lease(self, kind: LogKind, *, flush: bool) -> Lease | None:
        """Hand out the next due batch."""
        await self._written()
        if self._writer.withdrawn:
            with suppress(TimeoutError):
                async with asyncio.timeout(SETTLING):
                    await self._writer.taken_back()
            if self._writer.is_taking_back:
                return None
        return await self._leases.take(kind, self._owner.rules[kind], flush=flush or self._writer.is_full)

    async def intent(self, lease: Lease, records: Sequence[Record], request_id: str) -> None:
        """Note what is about to be sent, and make sure that it is still ours to send.

        Raises:
            LeaseLostError: It is not.
        """
        await self._leases.intent(lease, records, request_id)

    async def ack(self, lease: Lease, records: Sequence[Record], receipt: Receipt) -> None:
        """The service has accepted these records. If the lease was lost meanwhile, the journal tells of the answer."""
        at = receipt.delivered_at
        try:
            await self._leases.settle(lease, records, "ack", request=receipt.request_id, answer=receipt.answer, at=at)
        except LeaseLostError as error:
            late = [part for record in records for part in (int(record.in_doubt), record.body)]
            words = f"{receipt.answer} (after others had taken the batch over)".strip()
            head = (lease.kind.value, receipt.request_id, words, microseconds(at))
            await self._station.run(scripts.LATE, *head, *late)
            logger.warning("%s: %s; its request was answered all the same, see the journal", lease.kind.value, error)

    async def release(
        self, lease: Lease, records: Sequence[Record], *, delay: float = 0.0, count_attempt: bool = True
    ) -> None:
        """Give records back."""
        await self._leases.settle(lease, records, "release", delay=delay, count_attempt=count_attempt)

    async def bury(self, lease: Lease, letters: Sequence[tuple[Record, DeadLetter]]) -> None:
        """Set records aside; they stay in Redis."""
        words = [part for _, letter in letters for part in (letter.reason, "" if letter.code is None else letter.code)]
        at = letters[0][1].buried_at if letters else EPOCH
        await self._leases.settle(lease, [record for record, _ in letters], "bury", at=at, words=words)

    async def doubt(
        self, lease: Lease, records: Sequence[Record], policy: InDoubtPolicy, *, delay: float = 0.0
    ) -> None:
        """Mark records as possibly delivered, and decide their fate; the journal tells of it first."""
        await self._leases.settle(lease, records, policy.value, delay=delay, count_attempt=True)
        for record in records:
            record.in_doubt = True

    async def abandon(self, lease: Lease, policy: InDoubtPolicy) -> None:
        """Settle what is left of a lease; if Redis is away, it is left to those who find it."""
        await self._leases.abandon(lease, policy)

    def forget_dead_letters(self, letters: Sequence[DeadLetter]) -> None:
        """Buried plays stay until a person has looked at them."""

    async def counts(self, kind: LogKind) -> Counts:
        """Say where the plays of a kind are, those of all workers; ``StaleCounts`` while Redis is away."""
        if self._tasks and not self._station.is_away:
            await self._written()
        counts = await self._fetch(kind) if self._tasks else self._final.get(kind)
        current = counts is not None
        if counts is None:
            counts = self._known[kind]
        unwritten = sum(len(append.records) for append in self._writer.unwritten if append.kind is kind)
        numbers = evolve(counts, put=counts.put + unwritten, waiting=counts.waiting + unwritten)
        return numbers if current else StaleCounts(*astuple(numbers))

    async def _fetch(self, kind: LogKind) -> Counts | None:
        """Ask where the plays of a kind are; None if there is no answer soon."""
        if self._station.is_away:  # who looks after that finds out when it is back
            return None
        before = self._written_so_far[kind]
        answer = await self._answer(scripts.COUNTS, 1, kind.value, *PLACES, within=SOON)
        if answer is None or answer[0] != b"ok":
            return None
        counts = Counts(*(int(number or 0) for number in answer[1]))
        # What was accepted while the answer was on its way may not be in it.
        if before == self._written_so_far[kind] or counts.put >= self._known[kind].put:
            self._known[kind] = counts
        return counts

    def _count_written(self, kind: LogKind, logs: int) -> None:
        known = self._known[kind]
        self._written_so_far[kind] += logs
        self._known[kind] = evolve(known, put=known.put + logs, waiting=known.waiting + logs)

    def watermark(self, kind: LogKind) -> Watermark:
        """Tell the plays that any worker has put by now from later ones."""
        return RedisWatermark(kind, self._writer, self._ask_soon, self._written, self._writer.on_their_way())

    async def _ask_soon(self, script: RedisScript, *arguments: object) -> Any:
        """Ask once; None while Redis is away, or if it takes long."""
        return None if self._station.is_away else await self._answer(script, *arguments, within=SOON)

    async def oldest_age(self, kind: LogKind) -> float | None:
        """Say how long the oldest waiting play has been here, in seconds; None while Redis is away."""
        answer = await self._answer(scripts.OLDEST_AGE, kind.value)
        return None if answer is None or answer[0] == b"gone" or answer[1] < 0 else float(answer[1] / 1000)

    async def aclose(self) -> None:
        """Write what was accepted, and leave."""
        self._patience = CLOSING
        await self._moved_on(LAST_ANSWER if self._writer.withdrawn else AT_THE_END)
        self._closing = True
        for task in self._tasks:
            task.cancel()
        if self._tasks:
            await asyncio.wait(self._tasks)
            if self._leases.orphans:
                await self._answer(scripts.ABANDON, self._owner.in_doubt.value, 0, *self._leases.orphans)
            self._final = {kind: counts for kind in LogKind if (counts := await self._fetch(kind)) is not None}
            await self._answer(scripts.LEAVE, self._writer.worker)
            self._tasks = []
        self._writer.end(ShipperClosedError("the spool is closed"))
        if lost := sum(len(append.records) for append in self._writer.unwritten):
            logger.error("the spool: %d plays that put_nowait had taken could not be written any more", lost)
        if left := sum(len(append.records) for append in self._writer.withdrawn):
            message = f"{left} plays of cancelled puts could not be taken back from {self._station.link.place}"
            logger.error("the spool: %s; they may be sent", message)
            self._owner.report(message)
        await self._station.aclose()

    async def _answer(self, script: RedisScript, *arguments: object, within: float | None = None) -> Any:
        """Ask once; None while Redis is away, and if it is too slow for somebody who closes, or has so little time."""
        if self._station.is_away and self._patience:
            return None
        try:
            async with asyncio.timeout(self._patience or within):
                return await self._station.once(script, *arguments)
        except RedisUnavailableError:
            return None
        except TimeoutError:
            self._station.is_silent()
            return None

    async def _written(self) -> None:
        if self._writer.unwritten or self._writer.withdrawn:
            await self._moved_on(AT_THE_END)

    async def _moved_on(self, seconds: float) -> None:
        """Wait until what can be written, or taken back, is; not for long."""
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._writer.drained()

    async def _keep_looking(self) -> None:
        while True:
            await asyncio.sleep(min(LOOK_AROUND, self._lease_seconds / 3))
            with suppress(RedisUnavailableError):
                await self._look_around()
                for kind in LogKind:
                    self._owner.wake(kind)

    async def _look_around(self) -> None:
        """Give a sign of life for all leases held here, and take over those of the dead."""
        orphans, now = list(self._leases.orphans), asyncio.get_running_loop().time()
        if now - self._looked_at > self._lease_seconds / 2:
            self._station.reached_since = max(self._station.reached_since, now)
        self._looked_at = now
        # After Redis was away, or all stood still, everybody's time seems up; who lives must get to say so.
        settled = now - self._station.reached_since >= self._lease_seconds
        hit("before take-over")
        answer = await self._station.once(
            scripts.TICK,
            self._writer.worker,
            milliseconds(self._lease_seconds),
            int(settled),
            self._owner.in_doubt.value,
            milliseconds(self._journal_days * DAY),
            len(orphans),
            *orphans,
            *self._leases.tokens,
        )
        hit("after take-over")
        self._leases.orphans.difference_update(orphans)
        if answer[0] == b"ok":
            self._writer.note_room(answer[1], answer[2])
            for kind, logs, in_doubt in zip(*[iter(answer[3])] * 3, strict=True):
                self._owner.emit(PlaysRecovered(kind=LogKind(kind.decode()), logs=logs, in_doubt=in_doubt))
            self._station.lost(answer[4], doubtful=answer[5])

    def _settled(self, kind: LogKind, logs: int, size: int) -> None:
        self._writer.note_room(logs, size)
        self._owner.wake(kind)

    def _withdrawn(self, kept: Mapping[LogKind, int]) -> None:
        for kind in LogKind:
            if logs := kept.get(kind):
                self._owner.emit(PlaysInDoubt(kind=kind, logs=logs, outcome=CANCELLED, request_id="", policy="keep"))
            self._owner.wake(kind)

    def _stopped(self, task: asyncio.Task[None]) -> None:
        if self._closing and task.cancelled():
            return
        failure = failure_of(task)
        message = f"a background task of the spool died of {failure!r}"
        error = failure if isinstance(failure, SpoolError) else SpoolError(message)
        self._owner.report(str(error))
        self._owner.fail(failure)
        self._writer.end(error)
