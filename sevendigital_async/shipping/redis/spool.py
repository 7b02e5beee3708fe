"""RedisSpool: one backlog for many workers; what a dead one leaves behind, the others take over."""

from __future__ import annotations

import asyncio
import logging
import uuid
from collections.abc import Callable, Sequence
from contextlib import suppress
from datetime import datetime

from attrs import define, evolve, field, fields

from ...errors import LeaseLostError, ShipperError, SpoolError
from ...fault_points import reached
from ...models import LogKind
from ...redis_link import RedisAwayError
from ..records import Bookmark, Counts, DeadLetter, Fate, Lease, Receipt, Record
from ..spool import Owner
from . import scripts
from .station import Station
from .wire import EPOCH, microseconds, milliseconds, moment_of
from .writer import Writer

logger = logging.getLogger("sevendigital_async.shipping")

PLACES = tuple(place.name for place in fields(Counts))
LOOK_AROUND = 1.0
"""Seconds between two looks at what other workers have put or left behind, at the most."""

AT_THE_END = 0.2
"""Seconds that Redis has for an answer while the shipper closes."""

WHEN_AWAY = 1.0
"""Seconds after which to ask again for work."""

DAY = 86_400


@define(eq=False)
class _Held:
    """What this worker knows of one of its leases; ``ids`` are those of the unsettled records."""

    token: str
    ids: dict[Record, str] = field(repr=False)
    step: int = 0
    request: str = ""


class RedisSpool:
    """Implements :class:`~sevendigital_async.shipping.spool.Spool` in Redis Streams, for any number of workers.

    Held and buried plays stay in it, and count against its size, until somebody replays or drops them.

    Args:
        url: ``redis://[user:password@]host[:port][/database][?prefix=...]``, or ``rediss://``; Redis 7.0 or later.
        name: Sets apart several spools in one Redis.
        max_logs: Records held at the most, by all workers together.
        max_bytes: The same in bytes of their wire form.
        lease_seconds: How long a worker may give no sign of life before others take over what it was sending.
        journal_days: How long the journal keeps what was delivered.
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
        offset: Callable[[], float] = lambda: 0.0,
    ) -> None:
        self._station = Station(url, name, offset)
        self._writer = Writer(self._station, max_logs=max_logs, max_bytes=max_bytes)
        self._lease_seconds = lease_seconds
        self._journal_days = journal_days
        self._leases: dict[str, Lease] = {}
        self._orphans: set[str] = set()
        self._known = dict.fromkeys(LogKind, Counts())
        self._patience: float | None = None
        self._tasks: list[asyncio.Task[None]] = []

    def __repr__(self) -> str:
        return f"RedisSpool({self._station.link.place!r})"

    async def open(self, owner: Owner) -> None:
        """Find the spool in Redis, or found it; what dead workers have left is taken over when their time is up."""
        self._owner = owner
        self._station.report = owner.report
        try:
            await self._station.open(owner.rules)
            await self._look_around()
        except RedisAwayError as error:
            raise SpoolError(str(error)) from None
        except BaseException:
            await self._station.aclose()
            raise
        self._tasks = [asyncio.create_task(self._writer.run()), asyncio.create_task(self._keep_looking())]
        for task in self._tasks:
            task.add_done_callback(self._stopped)

    def append_nowait(self, kind: LogKind, records: Sequence[Record]) -> None:
        """Take records, to be written soon; until then they die with this process."""
        self._writer.append_nowait(kind, records)
        self._owner.wake(kind)

    async def append(self, kind: LogKind, records: Sequence[Record], bookmark: Bookmark | None = None) -> None:
        """Write all or none, waiting for room, and for Redis."""
        await self._writer.append(kind, records, bookmark)
        self._owner.wake(kind)

    def refuse(self, error: ShipperError) -> None:
        """Accept nothing from now on."""
        self._patience = AT_THE_END
        self._writer.refuse(error)

    async def bookmark(self, source: str) -> str | None:
        """Return the position last kept for a source."""
        while True:
            try:
                position = await self._station.link.ask("HGET", f"{self._station.base}bookmarks", source)
            except RedisAwayError:
                await asyncio.sleep(WHEN_AWAY)
            else:
                return None if position is None else str(position.decode())

    async def due_in(self, kind: LogKind, *, flush: bool) -> float | None:
        """Seconds until a lease may succeed."""
        await self._written()
        try:
            answer = await self._station.once(scripts.DUE_IN, kind.value, int(flush or self._writer.is_full))
        except RedisAwayError:
            return WHEN_AWAY
        if answer[0] == b"gone" or answer[1] < 0:
            return None
        return float(answer[1] / 1000)

    async def lease(self, kind: LogKind, *, flush: bool) -> Lease | None:
        """Hand out the next due batch."""
        await self._written()
        rules = self._owner.rules[kind]
        token = uuid.uuid4().hex
        reached("before lease")
        try:
            answer = await self._station.once(
                scripts.LEASE,
                kind.value,
                int(flush or self._writer.is_full),
                token,
                rules.max_count,
                rules.max_bytes,
                milliseconds(self._lease_seconds),
            )
        except BaseException as error:
            # It may have been handed out all the same; nothing has been done with it.
            self._orphans.add(token)
            if isinstance(error, RedisAwayError):
                return None
            raise
        if answer[0] != b"lease":
            return None
        ids = {_record(*answer[at : at + 4], queue=answer[1].decode()): answer[at] for at in range(3, len(answer), 4)}
        lease = Lease(kind, answer[1].decode(), tuple(ids), answer[2])
        lease.key = _Held(token, {record: number.decode() for record, number in ids.items()})
        self._leases[token] = lease
        reached("after lease")
        return lease

    async def intent(self, lease: Lease, records: Sequence[Record], request_id: str) -> None:
        """Note what is about to be sent, and make sure that it is still ours to send.

        Raises:
            LeaseLostError: It is not.
        """
        held = _held(lease)
        held.step += 1
        loop = asyncio.get_running_loop()
        reached("before intent")
        while True:
            asked_at = loop.time()
            sending = ",".join([held.ids[record] for record in records]) if held.token in self._leases else ""
            answer = await self._station.persist(
                scripts.INTENT,
                held.token,
                held.step,
                milliseconds(self._lease_seconds),
                request_id,
                int(lease.suspect),
                sending,
            )
            if answer[0] == b"gone":
                await self._adopt(lease)
            elif answer[0] == b"lost":
                raise self._lost(lease)
            elif loop.time() - asked_at < self._lease_seconds / 2:
                break
        reached("after intent")
        lease.sending = tuple(records)
        held.request = request_id

    async def ack(self, lease: Lease, records: Sequence[Record], receipt: Receipt) -> None:
        """The service has accepted these records. If the lease was lost meanwhile, the journal tells of the answer."""
        at = receipt.delivered_at
        try:
            await self._settle(lease, records, "ack", request=receipt.request_id, answer=receipt.answer, at=at)
        except LeaseLostError as error:
            late = [part for record in records for part in (int(record.in_doubt), record.body)]
            words = f"{receipt.answer} (after others had taken the batch over)".strip()
            head = (lease.kind.value, receipt.request_id, words, microseconds(at))
            await self._station.run(scripts.LATE, *head, *late)
            logger.warning("%s: %s; its request was answered all the same, see the journal", lease.kind.value, error)

    async def release(self, lease: Lease, records: Sequence[Record], *, delay: float = 0.0, blame: bool = True) -> None:
        """Give records back."""
        await self._settle(lease, records, "release", delay=delay, blame=blame)

    async def bury(self, lease: Lease, letters: Sequence[tuple[Record, DeadLetter]]) -> None:
        """Set records aside; they stay in Redis."""
        words = [part for _, letter in letters for part in (letter.reason, "" if letter.code is None else letter.code)]
        at = letters[0][1].buried_at if letters else EPOCH
        reached("before bury")
        await self._settle(lease, [record for record, _ in letters], "bury", at=at, words=words)
        reached("after bury")

    async def doubt(self, lease: Lease, records: Sequence[Record], fate: Fate, *, delay: float = 0.0) -> None:
        """Mark records as possibly delivered, and decide their fate; the journal tells of it first."""
        await self._settle(lease, records, fate.value, delay=delay, blame=True)
        for record in records:
            record.in_doubt = True

    async def abandon(self, lease: Lease, fate: Fate) -> None:
        """Settle what is left of a lease; if Redis is away, it is left to those who find it."""
        held = _held(lease)
        if self._leases.get(held.token) is not lease:
            return
        try:
            async with asyncio.timeout(AT_THE_END):
                while (await self._station.once(scripts.ABANDON, fate.value, held.token))[0] == b"gone":
                    await self._adopt(lease)
        except (RedisAwayError, TimeoutError):
            self._orphans.add(held.token)
        finally:
            self._leases.pop(held.token, None)
        self._owner.wake(lease.kind)

    def handed_over(self, letters: Sequence[DeadLetter]) -> None:
        """Buried plays stay until a person has looked at them."""

    async def counts(self, kind: LogKind) -> Counts:
        """Say where the plays of a kind are, those of all workers; while Redis is away, as last known."""
        await self._written()
        if self._tasks and not (self._station.is_away and self._patience):
            with suppress(RedisAwayError, TimeoutError):
                async with asyncio.timeout(self._patience):
                    answer = await self._station.once(scripts.COUNTS, kind.value, *PLACES)
                    numbers = [int(number or 0) for number in answer[1]] if answer[0] == b"ok" else [0] * len(PLACES)
                    self._known[kind] = Counts(*numbers)
        unwritten = sum(len(append.records) for append in self._writer.unwritten if append.kind is kind)
        known = self._known[kind]
        return evolve(known, put=known.put + unwritten, waiting=known.waiting + unwritten)

    async def aclose(self) -> None:
        """Write what was accepted, and leave."""
        self._patience = AT_THE_END
        with suppress(TimeoutError):
            async with asyncio.timeout(AT_THE_END):
                await self._writer.drained()
        tasks, self._tasks = self._tasks, []
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks)
            with suppress(RedisAwayError, TimeoutError):
                async with asyncio.timeout(AT_THE_END):
                    await self._station.once(scripts.LEAVE, self._writer.worker)
        if lost := sum(len(append.records) for append in self._writer.unwritten):
            logger.error("the spool: %d plays that put_nowait had taken could not be written any more", lost)
        await self._station.aclose()

    async def _settle(
        self,
        lease: Lease,
        records: Sequence[Record],
        how: str,
        *,
        delay: float = 0.0,
        blame: bool = False,
        request: str = "",
        answer: str = "",
        at: datetime = EPOCH,
        words: Sequence[object] = (),
    ) -> None:
        if not records:
            return
        held = _held(lease)
        if held.token not in self._leases:
            raise self._lost(lease)
        held.step += 1
        reached("before outcome")
        while True:
            head = (held.token, held.step, how, milliseconds(delay), int(blame), request, answer, microseconds(at))
            ids = [held.ids[record] for record in records]
            said = await self._station.persist(scripts.SETTLE, *head, len(ids), *ids, *words)
            if said[0] != b"gone":
                break
            await self._adopt(lease)
        if said[0] == b"lost":
            raise self._lost(lease)
        reached("after outcome")
        self._writer.note_room(said[1], said[2])
        if how == "keep":
            return
        for record in records:
            del held.ids[record]
        lease.sending = tuple(record for record in lease.sending if record in held.ids)
        if not held.ids:
            del self._leases[held.token]
            self._owner.wake(lease.kind)

    async def _adopt(self, lease: Lease) -> None:
        """Bring what this worker holds into a spool that has been founded anew."""
        held = _held(lease)
        records = list(held.ids)
        plays = [part for r in records for part in (microseconds(r.played_at), int(r.in_doubt), r.body)]
        state = (held.step - 1, int(bool(lease.sending)), int(lease.suspect), held.request)
        head = (held.token, lease.kind.value, lease.queue, *state, milliseconds(self._lease_seconds))
        answer = await self._station.persist(scripts.ADOPT, *head, *plays)
        if answer[0] == b"ok":
            held.ids = {record: f"{answer[1] + place}-0" for place, record in enumerate(records)}

    def _lost(self, lease: Lease) -> LeaseLostError:
        self._leases.pop(_held(lease).token, None)
        number = len(lease.records)
        return LeaseLostError(f"others have taken over {number} plays, for this worker had given no sign of life")

    async def _written(self) -> None:
        if self._writer.unwritten:
            with suppress(TimeoutError):
                async with asyncio.timeout(AT_THE_END):
                    await self._writer.drained()

    async def _keep_looking(self) -> None:
        while True:
            await asyncio.sleep(min(LOOK_AROUND, self._lease_seconds / 3))
            with suppress(RedisAwayError):
                await self._look_around()
                for kind in LogKind:
                    self._owner.wake(kind)

    async def _look_around(self) -> None:
        """Give a sign of life for all leases held here, and take over those of the dead."""
        orphans = list(self._orphans)
        # After Redis was away everybody's time seems up; whoever lives must get the chance to say so.
        settled = asyncio.get_running_loop().time() - self._station.reached_since >= self._lease_seconds
        reached("before take-over")
        answer = await self._station.once(
            scripts.TICK,
            self._writer.worker,
            milliseconds(self._lease_seconds),
            int(settled),
            self._owner.in_doubt.value,
            milliseconds(self._journal_days * DAY),
            len(orphans),
            *orphans,
            *self._leases,
        )
        reached("after take-over")
        self._orphans.difference_update(orphans)
        if answer[0] == b"ok":
            self._writer.note_room(answer[1], answer[2])
            if answer[3]:
                logger.warning("the spool: took over %d batches of workers that give no sign of life", answer[3])

    def _stopped(self, task: asyncio.Task[None]) -> None:
        if not task.cancelled() and (failure := task.exception()) is not None:
            message = f"a background task of the spool died of {failure!r}"
            self._owner.report(message)
            self._writer.refuse(SpoolError(message))


def _held(lease: Lease) -> _Held:
    assert isinstance(lease.key, _Held)
    return lease.key


def _record(number: bytes, body: bytes, played: bytes, doubted: int, *, queue: str) -> Record:
    return Record(body, queue, moment_of(int(played)), int(number.split(b"-")[0]), 0.0, bool(doubted))
