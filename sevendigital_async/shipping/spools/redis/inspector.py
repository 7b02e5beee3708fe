"""Reads a Redis spool and moves its dead letters, while workers run or after they have ended."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from datetime import datetime
from itertools import repeat

from attrs import fields

from ....clock import from_microseconds, to_datetime
from ....errors import SpoolUnavailableError
from ....models import LogKind
from ....quantity import pluralize
from ....redis_connection import RedisScript, RedisUnavailableError
from ...records import Counts
from ..inspector import DeadLetterState, JournalEntry, JournalOutcome, SpoolStatus, StoredDeadLetter
from . import scripts
from .chunk_lists import bodies_of
from .client import SpoolClient
from .durability import durability

PAGE = 100
"""Entries read at once."""

STATES = tuple(state.name for state in fields(Counts))
MAX_SILENCE_MS = 30_000
"""Milliseconds for which a worker counts as alive after its last heartbeat."""


class RedisSpoolInspector:
    """Implements :class:`~sevendigital_async.shipping.spools.inspector.SpoolInspector`; any number may be open.

    Args:
        url: As for :class:`~sevendigital_async.shipping.spools.redis.RedisSpool`.
        name: Of the spool.
        offset: Seconds by which the spool's clock is ahead of Redis's; for tests.
    """

    def __init__(self, url: str, *, name: str = "spool", offset: Callable[[], float] = lambda: 0.0) -> None:
        self._client = SpoolClient(url, name, offset)

    async def journal(
        self, *, kind: LogKind | None = None, since: datetime | None = None, until: datetime | None = None
    ) -> AsyncIterator[JournalEntry]:
        async for _, fields_of_entry in self._entries("journal"):
            head, plays = fields_of_entry[:12], fields_of_entry[12:]
            entry_kind, outcome, request, answer, at, flags = (value.decode() for value in head[1::2])
            moment = from_microseconds(int(at))
            if kind not in {None, entry_kind} or (since and moment < since) or (until and moment >= until):
                continue
            for body, in_doubt in _plays_of(plays, flags):
                yield JournalEntry(
                    LogKind(entry_kind), body, JournalOutcome(outcome), moment, request, answer, in_doubt
                )

    async def dead_letters(
        self, *, kind: LogKind | None = None, state: DeadLetterState | None = None
    ) -> AsyncIterator[StoredDeadLetter]:
        async for letter_id, fields_of_entry in self._entries("dead-letters"):
            values = fields_of_entry[1::2]
            letter_kind, letter_state = LogKind(values[0].decode()), DeadLetterState(values[1].decode())
            if kind not in {None, letter_kind} or state not in {None, letter_state}:
                continue
            reason, code, at, flag = (value.decode() for value in values[5:9])
            yield StoredDeadLetter(
                letter_id.decode(),
                letter_kind,
                values[4],
                letter_state,
                reason,
                int(code) if code else None,
                from_microseconds(int(at)),
                flag == "1",
            )

    async def replay(self, ids: Sequence[str]) -> int:
        return await self._run_in_pages(scripts.REPLAY, ids)

    async def discard(self, ids: Sequence[str]) -> int:
        return await self._run_in_pages(scripts.DISCARD, ids)

    async def status(self) -> SpoolStatus:
        kinds = list(LogKind)
        try:
            _, workers, size, oldest = await self._client.run_once(
                scripts.STATUS, max_silence_ms=MAX_SILENCE_MS, kinds=kinds
            )
            _, *rows = await self._client.run_once(
                scripts.COUNTS, number_of_kinds=len(kinds), kinds_and_states=[*kinds, *STATES]
            )
            words = await durability(self._client.connection)
        except RedisUnavailableError as error:
            raise SpoolUnavailableError(str(error)) from None
        counts = {kind: Counts(*(int(number or 0) for number in row)) for kind, row in zip(kinds, rows, strict=True)}
        accepted = {kind: None if at < 0 else to_datetime(at / 1000) for kind, at in zip(kinds, oldest, strict=True)}
        return SpoolStatus(self._client.connection.safe_url, workers > 0, counts, accepted, size, words)

    async def checkpoint(self, source: str) -> str | None:
        try:
            return await self._client.checkpoint(source)
        except RedisUnavailableError as error:
            raise SpoolUnavailableError(str(error)) from None

    async def aclose(self) -> None:
        await self._client.aclose()

    async def _run_in_pages(self, script: RedisScript, ids: Sequence[str]) -> int:
        done = 0
        try:
            for at in range(0, len(ids), PAGE):
                answer = await self._client.run_once(script, ids=ids[at : at + PAGE])
                done += 0 if answer[0] == b"gone" else answer[1]
        except RedisUnavailableError as error:
            raise SpoolUnavailableError(f"{error}; moved before: {pluralize(done)}") from None
        return done

    async def _entries(self, stream: str) -> AsyncIterator[tuple[bytes, list[bytes]]]:
        start = "-"
        while True:
            try:
                _, page = await self._client.run_once(scripts.READ, stream=stream, start=start, limit=PAGE)
            except RedisUnavailableError as error:
                raise SpoolUnavailableError(str(error)) from None
            for entry in page:
                yield entry
            if len(page) < PAGE:
                return
            start = f"({page[-1][0].decode()}"


def _plays_of(fields: Sequence[bytes], flags: str) -> Iterator[tuple[bytes, bool]]:
    """Read the plays of an entry, and whether each is in doubt: chunks, or bodies and flags as layout 2 wrote them."""
    names, values = fields[::2], fields[1::2]
    if names[0] == b"b":
        yield from zip(values, [flag == "1" for flag in flags], strict=True)
        return
    for text in values:
        bodies, in_doubt = bodies_of(text)
        yield from zip(bodies, repeat(in_doubt))
