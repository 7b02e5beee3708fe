"""What people read and mend in a Redis spool, while workers run or after they have ended."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Sequence
from datetime import UTC, datetime

from attrs import fields

from ....errors import SpoolUnavailableError
from ....models import LogKind
from ....redis_connection import RedisScript, RedisUnavailableError
from ...records import Counts
from ..inspector import DeadLetterState, JournalEntry, JournalOutcome, SpoolStatus, StoredDeadLetter
from . import scripts
from .client import SpoolClient
from .durability import durability
from .wire import moment_of

PAGE = 100
"""Entries read at once."""

PLACES = tuple(place.name for place in fields(Counts))
ALIVE = 30_000
"""Milliseconds for which a worker counts as alive after it was last heard of."""


class RedisSpoolInspector:
    """Implements :class:`~sevendigital_async.shipping.spools.inspector.Archive` over a Redis spool; any number may have it open.

    Args:
        url: As for :class:`~sevendigital_async.shipping.spools.redis.RedisSpool`.
        name: Of the spool.
        offset: Seconds by which the spool's time is ahead of Redis's clock; for tests.
    """

    def __init__(self, url: str, *, name: str = "spool", offset: Callable[[], float] = lambda: 0.0) -> None:
        self._station = SpoolClient(url, name, offset)

    async def journal(
        self, *, kind: LogKind | None = None, since: datetime | None = None, until: datetime | None = None
    ) -> AsyncIterator[JournalEntry]:
        """Iterate over the journal, in the order in which it was written."""
        async for _, parts in self._entries("journal"):
            head, bodies = parts[:12], parts[13::2]
            entry_kind, outcome, request, answer, at, flags = (value.decode() for value in head[1::2])
            moment = moment_of(int(at))
            if kind not in {None, entry_kind} or (since and moment < since) or (until and moment >= until):
                continue
            for body, flag in zip(bodies, flags, strict=True):
                yield JournalEntry(
                    LogKind(entry_kind), body, JournalOutcome(outcome), moment, request, answer, flag == "1"
                )

    async def dead_letters(
        self, *, kind: LogKind | None = None, state: DeadLetterState | None = None
    ) -> AsyncIterator[StoredDeadLetter]:
        """Iterate over what waits for a person, oldest first."""
        async for number, parts in self._entries("aside"):
            values = parts[1::2]
            its_kind, its_state = LogKind(values[0].decode()), DeadLetterState(values[1].decode())
            if kind not in {None, its_kind} or state not in {None, its_state}:
                continue
            reason, code, at, flag = (value.decode() for value in values[5:9])
            yield StoredDeadLetter(
                number.decode(),
                its_kind,
                values[4],
                its_state,
                reason,
                int(code) if code else None,
                moment_of(int(at)),
                flag == "1",
            )

    async def replay(self, ids: Sequence[str]) -> int:
        """Let plays wait for delivery again; returns how many were there."""
        return await self._each(scripts.REPLAY, ids)

    async def discard(self, ids: Sequence[str]) -> int:
        """Let go of plays for good; returns how many were there."""
        return await self._each(scripts.DROP, ids)

    async def status(self) -> SpoolStatus:
        """Say how the spool stands."""
        kinds = list(LogKind)
        try:
            _, workers, size, oldest = await self._station.once(scripts.STATUS, ALIVE, *kinds)
            _, *numbers = await self._station.once(scripts.COUNTS, len(kinds), *kinds, *PLACES)
            counts = {
                kind: Counts(*(int(number or 0) for number in row)) for kind, row in zip(kinds, numbers, strict=True)
            }
            words = await durability(self._station.link)
        except RedisUnavailableError as error:
            raise SpoolUnavailableError(str(error)) from None
        came = {
            kind: None if at < 0 else datetime.fromtimestamp(at / 1000, UTC)
            for kind, at in zip(kinds, oldest, strict=True)
        }
        return SpoolStatus(self._station.link.place, workers > 0, counts, came, size, words)

    async def checkpoint(self, source: str) -> str | None:
        """Return the position last kept for a source; None if there is none."""
        try:
            position = await self._station.checkpoint(source)
        except RedisUnavailableError as error:
            raise SpoolUnavailableError(str(error)) from None
        return position

    async def aclose(self) -> None:
        """Close the connections."""
        await self._station.aclose()

    async def _each(self, script: RedisScript, ids: Sequence[str]) -> int:
        done = 0
        try:
            for at in range(0, len(ids), PAGE):
                answer = await self._station.once(script, *ids[at : at + PAGE])
                done += 0 if answer[0] == b"gone" else answer[1]
        except RedisUnavailableError as error:
            raise SpoolUnavailableError(f"{error}; {done} plays were moved before") from None
        return done

    async def _entries(self, name: str) -> AsyncIterator[tuple[bytes, list[bytes]]]:
        start = "-"
        while True:
            try:
                _, page = await self._station.once(scripts.READ, name, start, PAGE)
            except RedisUnavailableError as error:
                raise SpoolUnavailableError(str(error)) from None
            for entry in page:
                yield entry
            if len(page) < PAGE:
                return
            start = f"({page[-1][0].decode()}"
