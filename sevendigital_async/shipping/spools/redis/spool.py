"""RedisSpool: one backlog for many workers; the leases of a dead worker are taken over by the others."""

from __future__ import annotations

import asyncio
import logging
import uuid
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import suppress
from typing import Any

from attrs import astuple, define, evolve, field, fields

from ....clock import EPOCH, to_microseconds
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
from ....quantity import pluralize
from ....redis_connection import RedisScript, RedisUnavailableError
from ...events import PlaysInDoubt, PlaysRecovered
from ...records import Checkpoint, Counts, DeadLetter, InDoubtPolicy, Lease, Receipt, Record, StaleCounts
from ...supervisor import failure_of
from ..base import SpoolContext, Watermark
from . import scripts
from .chunk_lists import lease_arguments
from .client import SpoolClient, to_milliseconds
from .leases import RedisLeases
from .writer import RedisAppend, RedisWriter

logger = logging.getLogger("sevendigital_async.shipping")

STATES = tuple(state.name for state in fields(Counts))
HEARTBEAT_INTERVAL = 1.0
"""Seconds between two heartbeats, which also find what other workers have put or left behind, at the most."""

FIGURES_TIMEOUT = 1.0
"""Seconds that Redis has to answer with figures."""

OPEN_TIMEOUT = 60.0
"""Seconds for which a spool waits, when it is opened, for a Redis that is starting."""

CLOSE_TIMEOUT = 0.15
"""Seconds that Redis has for an answer while the shipper closes."""

WITHDRAW_TIMEOUT = 0.5
"""Seconds that a lease waits for plays to be withdrawn, so that it has none of them; a full Redis must not stop it."""

CLOSE_WITHDRAW_TIMEOUT = 2.0
"""Seconds that Redis has to withdraw plays while the shipper closes: otherwise they may be sent twice."""

WRITE_TIMEOUT = 0.1
"""Seconds that a lane waits for what is being written."""

UNAVAILABLE_RETRY = 1.0
"""Seconds after which to ask again for work while Redis is unavailable."""

SECONDS_PER_DAY = 86_400

CANCELLED_OUTCOME = "put-cancelled"
"""The outcome of plays that were leased before their put was cancelled."""


@define(eq=False)
class RedisWatermark:
    """Implements :class:`~sevendigital_async.shipping.spools.base.Watermark`; the scripts count, for all workers.

    It is made once everything is in Redis that this worker has accepted, or was writing.
    """

    _kind: LogKind
    _writer: RedisWriter
    _ask: Callable[..., Awaitable[Any]]
    """Runs a script; returns None while Redis is unavailable."""
    _wait_for_writes: Callable[[], Awaitable[None]]
    """Waits a moment for what is being written."""
    _expected: Sequence[RedisAppend]
    _watermark: bytes = field(init=False, default=b"")
    _is_passed: bool = field(init=False, default=False)

    @property
    def last(self) -> int | None:
        """Sequence of the last play; None while that is not known."""
        return int(self._watermark.partition(b":")[0]) if self._watermark else None

    async def left(self, *, max_delay: float | None = None) -> int | None:
        if self._is_passed:
            return 0
        if self._expected:
            await self._wait_for_writes()
            self._expected = [append for append in self._expected if self._writer.is_pending(append)]
        if self._expected:
            return None
        kind = self._kind.value
        if not self._watermark:
            answer = await self._ask(scripts.WATERMARK, kind=kind, name=uuid.uuid4().hex)
            if answer is None or answer[0] == b"gone":
                return None
            total, self._watermark = answer[1], answer[2]
        else:
            max_delay_ms = -1 if max_delay is None else to_milliseconds(max_delay)
            answer = await self._ask(
                scripts.PLAYS_LEFT, kind=kind, watermark=self._watermark, max_delay_ms=max_delay_ms
            )
            if answer is None or answer[0] == b"gone" or answer[1] < 0:
                self._watermark = b""  # Redis has lost it, or does not answer
                return None
            total = answer[2]
        self._is_passed = total == 0
        return int(answer[1])


class RedisSpool:
    """Implements :class:`~sevendigital_async.shipping.spools.base.Spool` in Redis, for any number of workers.

    Held and buried plays stay in it, and count against its size, until they are replayed or discarded.

    Args:
        url: ``redis://[user:password@]host[:port][/database][?prefix=...]``, or ``rediss://``; Redis 7.0 or later.
        name: Separates several spools in one Redis.
        max_logs: How many records it holds at the most, for all workers together.
        max_bytes: The same in bytes of their wire form.
        lease_seconds: How long after the last heartbeat of a worker others take over what it was sending.
        journal_days: How long the journal keeps what was delivered.
        open_timeout: How long to wait, at the start, for a Redis that loads its data or fails over.
        offset: Seconds by which the spool's clock is ahead of Redis's; for tests.
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
        open_timeout: float = OPEN_TIMEOUT,
        offset: Callable[[], float] = lambda: 0.0,
    ) -> None:
        self._client = SpoolClient(url, name, offset)
        self._writer = RedisWriter(self._client, self._on_withdrawn, max_logs=max_logs, max_bytes=max_bytes)
        self._writer.on_written = self._on_written
        self._open_timeout = open_timeout
        self._lease_seconds = lease_seconds
        self._journal_days = journal_days
        self._leases = RedisLeases(self._client, lease_seconds, self._on_settled)
        self._last_counts = dict.fromkeys(LogKind, Counts())
        self._final_counts: dict[LogKind, Counts] = {}
        self._written_logs = dict.fromkeys(LogKind, 0)
        self._close_timeout: float | None = None
        self._heartbeat_at = 0.0
        self._tasks: list[asyncio.Task[None]] = []
        self._is_opened = self._is_closing = False

    def __repr__(self) -> str:
        return f"RedisSpool({self._client.connection.safe_url!r})"

    async def open(self, context: SpoolContext) -> None:
        """Open the spool in Redis, or create it; leases of dead workers are taken over when their time is up."""
        if self._is_opened:
            raise SpoolInUseError(f"{self!r} has been opened before; create another one")
        self._is_opened = True
        self._context = context
        self._client.on_alert = context.report
        self._writer.max_count = {kind: rules.max_count for kind, rules in context.rules.items()}
        try:
            await self._client.open(context.rules, context.dialect, context.in_doubt, self._open_timeout)
            self._heartbeat_at = self._client.available_since
            await self._give_heartbeat()
        except BaseException as error:
            await self._client.aclose()
            self._is_opened = False
            if isinstance(error, RedisUnavailableError):
                raise SpoolUnavailableError(str(error)) from None
            raise
        self._tasks = [asyncio.create_task(self._writer.run()), asyncio.create_task(self._give_heartbeats())]
        for task in self._tasks:
            task.add_done_callback(self._on_task_done)

    def append_nowait(self, kind: LogKind, records: Sequence[Record]) -> None:
        """Accept records, to be written soon; until then they are lost if this process dies."""
        self._writer.append_nowait(kind, records)
        self._context.wake(kind)

    async def append(self, kind: LogKind, records: Sequence[Record], checkpoint: Checkpoint | None = None) -> None:
        """Write all or none, waiting for space, and for Redis.

        A cancellation withdraws them, and the checkpoint with them: at once if they are not in Redis yet, else as soon
        as Redis answers, before anything else is written. What another worker has leased by then is in doubt.
        """
        await self._writer.append(kind, records, checkpoint)
        self._context.wake(kind)

    def refuse(self, error: ShipperError) -> None:
        self._close_timeout = CLOSE_TIMEOUT
        self._writer.refuse(error)

    async def checkpoint(self, source: str) -> str | None:
        """Return the position last kept for a source, by a put that was not cancelled."""
        while True:
            restored = self._writer.restored
            try:
                position = await self._client.checkpoint(source)
            except RedisUnavailableError:
                await asyncio.sleep(UNAVAILABLE_RETRY)
                continue
            await self._writer.settle_checkpoint(source)
            if restored == self._writer.restored:
                return position

    async def due_in(self, kind: LogKind, *, flush: bool) -> float | None:
        await self._wait_for_writes()
        flush = flush or self._writer.is_full
        if kind in self._leases.ready_kinds and not self._writer.is_withdrawing and not self._client.is_unavailable:
            self._leases.ready_kinds.discard(kind)  # reported once: another worker may have leased it since
            return 0.0
        answer = await self._query(scripts.DUE_IN, within=FIGURES_TIMEOUT, kind=kind.value, flush=flush)
        if answer is None:
            return UNAVAILABLE_RETRY
        if answer[0] == b"gone" or answer[1] < 0:
            return None
        return UNAVAILABLE_RETRY if self._writer.is_withdrawing else float(answer[1] / 1000)

    async def lease(self, kind: LogKind, *, flush: bool) -> Lease | None:
        await self._wait_for_writes()
        if self._writer.withdrawn:
            with suppress(TimeoutError):
                async with asyncio.timeout(WITHDRAW_TIMEOUT):
                    await self._writer.settle_withdrawn()
            if self._writer.is_withdrawing:
                return None
        return await self._leases.lease(kind, self._context.rules[kind], flush=flush or self._writer.is_full)

    async def intent(self, lease: Lease, records: Sequence[Record], request_id: str) -> None:
        """Note what is about to be sent, and make sure that the lease is still held.

        Raises:
            LeaseLostError: It is not.
        """
        await self._leases.intent(lease, records, request_id)

    async def ack(self, lease: Lease, records: Sequence[Record], receipt: Receipt) -> None:
        """Mark records as delivered. If the lease was lost meanwhile, the answer is written into the journal."""
        at = receipt.delivered_at
        try:
            await self._leases.settle(lease, records, "ack", request=receipt.request_id, answer=receipt.answer, at=at)
        except LeaseLostError as error:
            await self._client.run(
                scripts.JOURNAL_IN_DOUBT,
                kind=lease.kind.value,
                request=receipt.request_id,
                answer=f"{receipt.answer} (after another worker had taken the batch over)".strip(),
                at=to_microseconds(at),
                plays=lease_arguments(records),
            )
            logger.warning("%s: %s; the service has answered its request, see the journal", lease.kind.value, error)

    async def release(
        self, lease: Lease, records: Sequence[Record], *, delay: float = 0.0, count_attempt: bool = True
    ) -> None:
        await self._leases.settle(lease, records, "release", delay=delay, count_attempt=count_attempt)

    async def bury(self, lease: Lease, dead_letters: Sequence[tuple[Record, DeadLetter]]) -> None:
        """Make records dead letters; they stay in Redis."""
        at = dead_letters[0][1].buried_at if dead_letters else EPOCH
        records = [record for record, _ in dead_letters]
        texts = [(letter.reason, "" if letter.code is None else letter.code) for _, letter in dead_letters]
        await self._leases.settle(lease, records, "bury", at=at, reasons=texts)

    async def mark_in_doubt(
        self, lease: Lease, records: Sequence[Record], policy: InDoubtPolicy, *, delay: float = 0.0
    ) -> None:
        """Mark records as in doubt, in the journal first, and do with them as the policy says."""
        await self._leases.settle(lease, records, policy.value, delay=delay, count_attempt=True)
        for record in records:
            record.in_doubt = True

    async def abandon(self, lease: Lease, policy: InDoubtPolicy) -> None:
        """Settle what is left of a lease; while Redis is unavailable, that is left to the next heartbeat."""
        await self._leases.abandon(lease, policy)

    def forget_dead_letters(self, dead_letters: Sequence[DeadLetter]) -> None:
        """Buried plays stay until they are replayed or discarded."""

    async def counts(self, kind: LogKind) -> Counts:
        """Count the plays of a kind, those of all workers; ``StaleCounts`` while Redis is unavailable."""
        if self._tasks and not self._client.is_unavailable:
            await self._wait_for_writes()
        counts = await self._fetch_counts(kind) if self._tasks else self._final_counts.get(kind)
        is_current = counts is not None
        if counts is None:
            counts = self._last_counts[kind]
        unwritten = sum(len(append.records) for append in self._writer.unwritten_appends if append.kind is kind)
        numbers = evolve(counts, put=counts.put + unwritten, waiting=counts.waiting + unwritten)
        return numbers if is_current else StaleCounts(*astuple(numbers))

    async def _fetch_counts(self, kind: LogKind) -> Counts | None:
        """Fetch the counts of a kind; None if there is no answer soon."""
        if self._client.is_unavailable:  # the heartbeat finds out when that is over
            return None
        before = self._written_logs[kind]
        answer = await self._query(
            scripts.COUNTS, within=FIGURES_TIMEOUT, number_of_kinds=1, kinds_and_states=[kind.value, *STATES]
        )
        if answer is None or answer[0] != b"ok":
            return None
        counts = Counts(*(int(number or 0) for number in answer[1]))
        # The answer may lack what was written meanwhile.
        if before == self._written_logs[kind] or counts.put >= self._last_counts[kind].put:
            self._last_counts[kind] = counts
        return counts

    def watermark(self, kind: LogKind) -> Watermark:
        """Separate the plays that any worker has put by now from later ones."""
        accepted = self._writer.accepted_appends()
        return RedisWatermark(kind, self._writer, self._query_if_available, self._wait_for_writes, accepted)

    async def oldest_age(self, kind: LogKind) -> float | None:
        """Return the age of the oldest waiting play, in seconds; None while Redis is unavailable."""
        answer = await self._query(scripts.OLDEST_AGE, kind=kind.value)
        return None if answer is None or answer[0] == b"gone" or answer[1] < 0 else float(answer[1] / 1000)

    async def aclose(self) -> None:
        """Write what was accepted, and close."""
        self._close_timeout = CLOSE_TIMEOUT
        await self._drain(CLOSE_WITHDRAW_TIMEOUT if self._writer.withdrawn else WRITE_TIMEOUT)
        self._is_closing = True
        for task in self._tasks:
            task.cancel()
        if self._tasks:
            await asyncio.wait(self._tasks)
            if self._leases.orphans:
                policy = self._context.in_doubt.value
                await self._query(scripts.ABANDON, in_doubt_policy=policy, has_plays=False, tokens=self._leases.orphans)
            self._final_counts = {
                kind: counts for kind in LogKind if (counts := await self._fetch_counts(kind)) is not None
            }
            await self._query(scripts.LEAVE, worker=self._writer.worker)
            self._tasks = []
        self._writer.end(ShipperClosedError("the spool is closed"))
        if lost := sum(len(append.records) for append in self._writer.unwritten_appends):
            logger.error("the spool: %d plays that put_nowait had accepted could not be written", lost)
        if left := sum(len(append.records) for append in self._writer.withdrawn):
            place = self._client.connection.safe_url
            message = f"{pluralize(left)} of cancelled puts could not be withdrawn from {place}"
            logger.error("the spool: %s; other workers may send them", message)
            self._context.report(message, is_blocking=False)
        await self._client.aclose()

    async def _query(self, script: RedisScript, *, within: float | None = None, **arguments: Any) -> Any:
        """Run a script once; None while Redis is unavailable, or if it does not answer in time."""
        if self._client.is_unavailable and self._close_timeout:
            return None
        try:
            async with asyncio.timeout(self._close_timeout or within):
                return await self._client.run_once(script, **arguments)
        except RedisUnavailableError:
            return None
        except TimeoutError:
            self._client.report_timeout()
            return None

    async def _query_if_available(self, script: RedisScript, **arguments: Any) -> Any:
        """Run a script as :meth:`_query` does; return None at once while Redis is unavailable."""
        return None if self._client.is_unavailable else await self._query(script, within=FIGURES_TIMEOUT, **arguments)

    async def _wait_for_writes(self) -> None:
        if self._writer.unwritten_appends or self._writer.withdrawn:
            await self._drain(WRITE_TIMEOUT)

    async def _drain(self, seconds: float) -> None:
        """Wait until everything that can be is written or withdrawn, but no longer than so many seconds."""
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._writer.drain()

    async def _give_heartbeats(self) -> None:
        while True:
            await asyncio.sleep(min(HEARTBEAT_INTERVAL, self._lease_seconds / 3))
            with suppress(RedisUnavailableError):
                await self._give_heartbeat()
                for kind in LogKind:
                    self._context.wake(kind)

    async def _give_heartbeat(self) -> None:
        """Prolong the leases held here, and take over those of dead workers."""
        orphans, now = list(self._leases.orphans), asyncio.get_running_loop().time()
        if now - self._heartbeat_at > self._lease_seconds / 2:
            self._client.available_since = max(self._client.available_since, now)
        self._heartbeat_at = now
        # After an outage all leases look expired: live workers prolong theirs before any is taken over.
        may_take_over = now - self._client.available_since >= self._lease_seconds
        hit("before take-over")
        answer = await self._client.run_once(
            scripts.HEARTBEAT,
            worker=self._writer.worker,
            lease_ms=to_milliseconds(self._lease_seconds),
            may_take_over=may_take_over,
            in_doubt_policy=self._context.in_doubt.value,
            journal_ms=to_milliseconds(self._journal_days * SECONDS_PER_DAY),
            orphan_count=len(orphans),
            tokens=[*orphans, *self._leases.tokens],
        )
        hit("after take-over")
        self._leases.orphans.difference_update(orphans)
        if answer[0] == b"ok":
            _, logs, size, recovered, lost, in_doubt = answer
            self._writer.set_usage(logs, size)
            for kind, recovered_logs, sent in zip(*[iter(recovered)] * 3, strict=True):
                self._context.emit(PlaysRecovered(kind=LogKind(kind.decode()), logs=recovered_logs, in_doubt=sent))
            self._client.report_losses(lost, in_doubt=in_doubt)

    def _on_written(self, kind: LogKind, logs: int) -> None:
        known = self._last_counts[kind]
        self._written_logs[kind] += logs
        self._last_counts[kind] = evolve(known, put=known.put + logs, waiting=known.waiting + logs)

    def _on_settled(self, kind: LogKind, logs: int, size: int) -> None:
        self._writer.set_usage(logs, size)
        self._context.wake(kind)

    def _on_withdrawn(self, in_doubt: Mapping[LogKind, int]) -> None:
        for kind in LogKind:
            if logs := in_doubt.get(kind):
                self._context.emit(
                    PlaysInDoubt(kind=kind, logs=logs, outcome=CANCELLED_OUTCOME, request_id="", policy="keep")
                )
            self._context.wake(kind)

    def _on_task_done(self, task: asyncio.Task[None]) -> None:
        if self._is_closing and task.cancelled():
            return
        failure = failure_of(task)
        message = f"a background task of the spool failed with {failure!r}"
        error = failure if isinstance(failure, SpoolError) else SpoolError(message)
        self._context.report(str(error))
        self._context.fail(failure)
        self._writer.end(error)
