"""The leases of one worker: numbered steps, each taken once, none of them after others have taken over."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Callable, Iterable, Sequence
from datetime import datetime

from attrs import define, field

from ....errors import LeaseLostError
from ....models import LogKind
from ....redis_connection import RedisUnavailableError
from ...records import InDoubtPolicy, Lease, Record
from ...rules import LaneRules
from . import scripts
from .client import SpoolClient
from .wire import EPOCH, microseconds, milliseconds, moment_of

AT_THE_END = 0.1
"""Seconds that Redis has for an answer when there is no time left."""

LOST = frozenset({b"gone", b"missing"})
"""Answers to a step for plays that Redis has lost: the spool as a whole, or the stream that they were in."""


@define(eq=False)
class _Held:
    """What this worker knows of one of its leases; ``ids`` are those of the unsettled records."""

    token: str
    spool: str
    ids: dict[Record, str] = field(repr=False)
    step: int = 0
    request: str = ""


class Leases:
    """What this worker has in its hands.

    Args:
        station: The spool.
        seconds: For which a lease is kept without a sign of life.
        settled: Hears, after every step, of the kind and of the logs and bytes that the spool holds.

    Attributes:
        orphans: Leases that may exist although nobody here works on them.
    """

    def __init__(self, station: SpoolClient, seconds: float, settled: Callable[[LogKind, int, int], None]) -> None:
        self.orphans: set[str] = set()
        self._station = station
        self._seconds = seconds
        self._settled = settled
        self._leases: dict[str, Lease] = {}

    @property
    def tokens(self) -> Iterable[str]:
        """Names of all leases held here."""
        return self._leases.keys()

    async def take(self, kind: LogKind, rules: LaneRules, *, flush: bool) -> Lease | None:
        """Ask for the next due batch."""
        token, spool = uuid.uuid4().hex, self._station.id
        limits = (rules.max_count, rules.max_bytes, milliseconds(self._seconds))
        try:
            answer = await self._station.once(scripts.LEASE, kind.value, int(flush), token, *limits, spool=spool)
        except BaseException as error:
            # It may have been handed out all the same; nothing has been done with it.
            self.orphans.add(token)
            if isinstance(error, RedisUnavailableError):
                return None
            raise
        if answer[0] == b"lost":
            self._station.lost(answer[1] if each is kind else 0 for each in LogKind)
        if answer[0] != b"lease":
            return None
        queue = answer[1].decode()
        ids = {_record(queue, *answer[at : at + 4]): answer[at].decode() for at in range(3, len(answer), 4)}
        lease = Lease(kind, queue, tuple(ids), answer[2], key=_Held(token, spool, ids))
        self._leases[token] = lease
        return lease

    async def intent(self, lease: Lease, records: Sequence[Record], request_id: str) -> None:
        """Note what is about to be sent.

        Raises:
            LeaseLostError: Others have taken over, or a cancelled put has taken plays back.
        """
        held = self._held(lease)
        held.step += 1
        loop = asyncio.get_running_loop()
        while True:
            asked_at = loop.time()
            sending = ",".join([held.ids[record] for record in records])
            head = (held.token, held.step, milliseconds(self._seconds), request_id, int(lease.suspect))
            answer = await self._station.persist(scripts.INTENT, *head, sending, spool=held.spool)
            if answer[0] == b"gone":
                await self._adopt(lease)
            elif answer[0] == b"lost":
                raise self._lost(lease)
            elif answer[0] == b"withdrawn":
                rest = (scripts.ABANDON, InDoubtPolicy.RESEND.value, 1, held.token)
                while (await self._station.persist(*rest, spool=held.spool))[0] in LOST:
                    await self._adopt(lease)
                del self._leases[held.token]
                raise LeaseLostError("a cancelled put has taken plays back; the others of their batch wait again")
            elif loop.time() - asked_at < self._seconds / 2:
                break  # else this process stood still after it had asked, and must ask again
        lease.sending = tuple(records)
        held.request = request_id

    async def settle(
        self,
        lease: Lease,
        records: Sequence[Record],
        how: str,
        *,
        delay: float = 0.0,
        count_attempt: bool = False,
        request: str = "",
        answer: str = "",
        at: datetime = EPOCH,
        words: Sequence[object] = (),
    ) -> None:
        """Give records of a lease their place.

        Raises:
            LeaseLostError: Others have taken over, and given them one.
        """
        if not records:
            return
        held = self._held(lease)
        held.step += 1
        while True:
            head = (
                held.token,
                held.step,
                how,
                milliseconds(delay),
                int(count_attempt),
                request,
                answer,
                microseconds(at),
            )
            ids = [held.ids[record] for record in records]
            said = await self._station.persist(scripts.SETTLE, *head, len(ids), *ids, *words, spool=held.spool)
            if said[0] not in LOST:
                break
            await self._adopt(lease)
        if said[0] == b"lost":
            raise self._lost(lease)
        if how != "keep":
            for record in records:
                del held.ids[record]
            lease.sending = tuple(record for record in lease.sending if record in held.ids)
            if not held.ids:
                del self._leases[held.token]
        self._settled(lease.kind, said[1], said[2])

    async def abandon(self, lease: Lease, policy: InDoubtPolicy) -> None:
        """Settle what is left of a lease; if Redis is away, it is left to those who find it."""
        held = lease.key
        if not isinstance(held, _Held) or self._leases.get(held.token) is not lease:
            return
        token = held.token
        if self._station.is_away:
            self.orphans.add(token)
            del self._leases[token]
            return
        try:
            async with asyncio.timeout(AT_THE_END):
                while True:
                    answer = await self._station.once(scripts.ABANDON, policy.value, 1, token, spool=held.spool)
                    if answer[0] not in LOST:
                        break
                    await self._adopt(lease)
            for record in held.ids if lease.suspect else (record for record in lease.sending if record in held.ids):
                record.in_doubt = True
            self._settled(lease.kind, answer[1], answer[2])
        except RedisUnavailableError:
            self.orphans.add(token)
        except TimeoutError:
            self._station.is_silent()
            self.orphans.add(token)
        finally:
            self._leases.pop(token, None)

    async def _adopt(self, lease: Lease) -> None:
        """Bring what this worker holds into a spool that has lost it."""
        held = self._held(lease)
        records = list(held.ids)
        plays = [part for r in records for part in (microseconds(r.played_at), int(r.in_doubt), r.body)]
        state = (held.step - 1, int(bool(lease.sending)), int(lease.suspect), held.request)
        one_id = next(iter(held.ids.values()))
        head = (held.token, lease.kind.value, lease.queue, *state, milliseconds(self._seconds), one_id)
        spool = self._station.id
        answer = await self._station.persist(scripts.ADOPT, *head, *plays, spool=spool)
        if answer[0] == b"ok":
            held.spool = spool
            if answer[1] >= 0:
                held.ids = {record: f"{answer[1] + place}-0" for place, record in enumerate(records)}
            self._station.lost(answer[2] if kind is lease.kind else 0 for kind in LogKind)

    def _held(self, lease: Lease) -> _Held:
        held = lease.key
        assert isinstance(held, _Held)
        if held.token not in self._leases:
            raise self._lost(lease)
        return held

    def _lost(self, lease: Lease) -> LeaseLostError:
        if isinstance(lease.key, _Held):
            self._leases.pop(lease.key.token, None)
        number = len(lease.records)
        return LeaseLostError(f"others have taken over {number} plays, for this worker had given no sign of life")


def _record(queue: str, number: bytes, body: bytes, played: bytes, doubted: int) -> Record:
    return Record(body, queue, moment_of(int(played)), int(number.split(b"-")[0]), 0.0, bool(doubted))
