"""Slots that several processes of one account share, in Redis.

A sorted set holds one random token per slot, scored by the time at which the slot may be used again. Whoever finds a
token whose time has come puts their own in its place; only who knows a token can prolong or free its slot. A process
that dies or stands still loses its slot when the time it had set is over, and learns of it before it sends.

That time is the server's, and its clock may be set forward. So it is only for those that have died, and ``STEP`` longer
than it need be: who lives frees a slot by its own clock, one window after the answer.
"""

from __future__ import annotations

import asyncio
import logging
import random
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

from ..clock import Clock
from ..errors import ConfigurationError, ConnectError, RateLimitError
from ..redis_link import RedisAwayError, RedisLink, RedisScript
from .slots import UNBOUNDED_TIMEOUT, WINDOW

logger = logging.getLogger("sevendigital_async")

CLAIM_LEASE = 10.0
"""Seconds for which a slot is kept by somebody who has not said yet that they send."""

GRACE = 1.0
"""Seconds that may pass between asking whether a slot is still held and sending; it is kept for longer by so much."""

STEP = 6.0
"""Seconds by which the server's clock may be set forward without any harm."""

NAP = 0.05
"""Seconds between two looks for a slot that another process may free at any moment."""

LONGEST_NAP = 0.9
"""Seconds between two looks while nobody can free any."""

JITTER = 0.008
"""Seconds by which processes that wait for the same slot differ at the most."""

_NOW = "local t = redis.call('TIME') local now = t[1] * 1000000 + t[2] "

CLAIM = RedisScript(
    _NOW
    + """
local slots, server, pauses = KEYS[1], KEYS[2], {KEYS[3], KEYS[4]}
local token, count, lease, unknown = ARGV[1], tonumber(ARGV[2]), tonumber(ARGV[3]), tonumber(ARGV[4])
local longest = tonumber(ARGV[5])
for _, key in ipairs(pauses) do
  local left = tonumber(redis.call('GET', key) or 0) - now
  if left > 0 then return {'paused', left} end
end
-- A server that has lost its data, took over from another, or whose clock went back, may not know what was sent a
-- moment ago.
local ok, info = pcall(redis.call, 'INFO', 'server')
local run = ok and string.match(info, 'run_id:(%x+)') or 'unknown'
local first = redis.call('ZRANGE', slots, 0, 0, 'WITHSCORES')
local left = first[2] and tonumber(first[2]) - now
if redis.call('ZCARD', slots) ~= count or redis.call('GET', server) ~= run or left > longest then
  redis.call('DEL', slots)
  for i = 1, count do redis.call('ZADD', slots, now + unknown, token .. ':' .. i) end
  redis.call('SET', server, run)
  return {'unknown', unknown}
end
if redis.call('ZSCORE', slots, token) then -- asked before, and the answer was lost
  redis.call('ZADD', slots, now + lease, token)
  return {'yours', 0}
end
if left > 0 then return {'busy', left} end
redis.call('ZREM', slots, first[1])
redis.call('ZADD', slots, now + lease, token)
return {'yours', 0}
"""
)

KEEP = RedisScript(
    _NOW
    + """
if not redis.call('ZSCORE', KEYS[1], ARGV[1]) then return 0 end
redis.call('ZADD', KEYS[1], now + tonumber(ARGV[2]), ARGV[1])
return 1
""",
    answer=int,
)

Reached = Callable[[str | None], None]


class SharedSlot:
    """A slot held in Redis, told apart by a random token."""

    def __init__(
        self, keep: Callable[[str, float], Awaitable[bool]], clock: Clock, free: Callable[[str, float], None]
    ) -> None:
        self.token = uuid.uuid4().hex
        self._keep = keep
        self._clock = clock
        self._free = free
        self._sent = False
        self._freed = False

    async def sending(self, timeout: float | None) -> None:  # noqa: ASYNC109 - told, not kept
        """Make sure that the slot is still held, and keep it for as long as the request may be under way.

        Raises:
            ConnectError: It is not, or Redis is away; nothing may be sent.
        """
        lost_after = UNBOUNDED_TIMEOUT if timeout is None else timeout
        while True:
            asked_at = self._clock.monotonic()
            try:
                held = await self._keep(self.token, lost_after + WINDOW + GRACE + STEP)
            except RedisAwayError as error:
                raise ConnectError(f"not sent: the shared limits can't be asked: {error}") from None
            if not held:
                raise ConnectError("not sent: the right to send had lapsed, for this process had stood still too long")
            if self._clock.monotonic() - asked_at < GRACE:
                break
        self._sent = True

    def answered(self) -> None:
        """Free the slot one window from now, by the clock of this process."""
        self._release(WINDOW)

    def not_sent(self) -> None:
        """Free the slot at once."""
        self._release(0.0)

    def leave(self) -> None:
        """Whoever held the slot is done with it. A request without an answer keeps it until it is surely over."""
        if not self._sent:
            self._release(0.0)

    def _release(self, after: float) -> None:
        if not self._freed:
            self._freed = True
            self._free(self.token, after)


class SharedSlots:
    """The slots of one rate class and one account: first come, first served in this process, at random between several.

    Args:
        link: To Redis.
        keys: Of the slots, of the server that keeps them, and of two pauses.
        count: How many there are.
        unknown: Seconds for which all of them count as busy when Redis knows none.
        max_wait: Seconds that a pause may last.
        clock: Time.
        reached: Hears of trouble with Redis, and of None when it is over.
    """

    def __init__(
        self,
        link: RedisLink,
        keys: tuple[str, str, str, str],
        *,
        count: int,
        unknown: float,
        max_wait: float,
        clock: Clock,
        reached: Reached,
    ) -> None:
        self._link = link
        self._keys = keys
        self._count = count
        self._unknown = unknown
        self._longest = max(unknown, UNBOUNDED_TIMEOUT + WINDOW + GRACE + STEP)
        self._max_wait = max_wait
        self._clock = clock
        self._reached = reached
        self._queue = asyncio.Lock()
        self._freeing: set[asyncio.Task[None]] = set()
        self._freed = asyncio.Event()
        self._closing = asyncio.Event()
        self._paused_until = clock.monotonic()

    @asynccontextmanager
    async def slot(self) -> AsyncIterator[SharedSlot]:
        """Wait for a slot and hold it.

        Raises:
            RateLimitError: The service has asked for a pause longer than ``max_wait``.
        """
        slot = SharedSlot(self._keep, self._clock, self._free)
        try:
            async with self._queue:
                await self._claim(slot.token)
            yield slot
        finally:
            slot.leave()

    def pause(self, seconds: float) -> None:
        """Claim nothing for a while, by the clock of this process; never shortens a pause."""
        self._paused_until = max(self._paused_until, self._clock.monotonic() + seconds)

    async def settled(self) -> None:
        """Leave it to Redis to free slots, and see that it knows when; nothing is claimed any more."""
        self._closing.set()
        if self._freeing:
            await asyncio.wait(self._freeing, timeout=0.2)
        for task in self._freeing:
            task.cancel()

    async def _claim(self, token: str) -> None:
        failures = 0
        while True:
            if (paused := self._paused_until - self._clock.monotonic()) > 0:
                self._check_pause(paused)
                await self._clock.sleep(min(paused, LONGEST_NAP))
                continue
            self._freed.clear()
            try:
                answer, left = await self._link.run(
                    CLAIM,
                    self._keys,
                    [token, self._count, _micro(CLAIM_LEASE), _micro(self._unknown), _micro(self._longest)],
                )
            except RedisAwayError as error:
                self._reached(str(error))
                failures += 1
                await self._clock.sleep(random.uniform(0.05, min(2.0, 0.1 * 2 ** min(failures, 8))))  # noqa: S311 - jitter
                continue
            failures = 0
            self._reached(None)
            wait = left / 1e6
            if answer == b"yours":
                return
            if answer == b"paused":
                self.pause(wait)
                continue
            if answer == b"unknown":
                logger.warning(
                    "the shared limits: Redis knows nothing of earlier requests of this account; "
                    "for %.0f seconds nothing goes out that other processes might exceed the limit with",
                    wait,
                )
            nap = min(wait, LONGEST_NAP if answer == b"unknown" else NAP) + random.uniform(0, JITTER)  # noqa: S311 - jitter, not a secret
            await self._clock.wait(self._freed, nap)

    def _check_pause(self, left: float) -> None:
        if left > self._max_wait:
            raise RateLimitError(
                f"another process of this account was told to wait for {left:.0f} seconds", retry_after=left
            )

    async def _keep(self, token: str, seconds: float) -> bool:
        return bool(await self._link.run(KEEP, self._keys[:1], [token, _micro(seconds)]))

    def _free(self, token: str, after: float) -> None:
        # Not awaited: whoever is cancelled must not wait for Redis. Without it the slot comes back later by itself.
        # The time is kept here: a clock of the server that is set forward would free the slot too early.
        task = asyncio.create_task(self._give_back(token, after))
        self._freeing.add(task)
        task.add_done_callback(self._freeing.discard)

    async def _give_back(self, token: str, after: float) -> None:
        free_at = self._clock.monotonic() + after
        if after > 0:
            await self._clock.wait(self._closing, after)
        left = max(0.0, free_at - self._clock.monotonic())
        try:
            await self._keep(token, left + STEP if left else 0.0)
            self._freed.set()
        except (RedisAwayError, ConfigurationError) as error:
            self._reached(str(error))


def _micro(seconds: float) -> int:
    return round(seconds * 1_000_000)
