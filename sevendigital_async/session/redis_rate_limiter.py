"""The limits of an account that several processes use, kept together in Redis."""

from __future__ import annotations

import asyncio
import logging
import random
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager

from ..account_quota import bounded_wait
from ..backoff import doubled
from ..clock import Clock
from ..config import Settings
from ..errors import ConfigurationError, ConnectError, RateLimitError
from ..operations import RateClass
from ..redis_connection import RedisConnection, RedisRefusedError, RedisScript, RedisUnavailableError
from .rate_limiter import UNBOUNDED_TIMEOUT, WINDOW

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


class RedisSlot:
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
            except RedisUnavailableError as error:
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


class RedisSlots:
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
        link: RedisConnection,
        keys: tuple[str, str, str, str],
        *,
        count: int,
        unknown: float,
        max_wait: float,
        clock: Clock,
        hit: Reached,
    ) -> None:
        self._link = link
        self._keys = keys
        self._count = count
        self._unknown = unknown
        self._longest = max(unknown, UNBOUNDED_TIMEOUT + WINDOW + GRACE + STEP)
        self._max_wait = max_wait
        self._clock = clock
        self._reached = hit
        self._queue = asyncio.Lock()
        self._freeing: set[asyncio.Task[None]] = set()
        self._freed = asyncio.Event()
        self._closing = asyncio.Event()
        self._paused_until = clock.monotonic()

    @asynccontextmanager
    async def slot(self) -> AsyncIterator[RedisSlot]:
        """Wait for a slot and hold it.

        Raises:
            RateLimitError: The service has asked for a pause longer than ``max_wait``.
        """
        slot = RedisSlot(self._keep, self._clock, self._free)
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
            except RedisUnavailableError as error:
                self._reached(str(error))
                failures += 1
                await self._clock.sleep(random.uniform(0.05, doubled(failures, base=0.1, cap=2.0)))  # noqa: S311 - jitter
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
        except (RedisUnavailableError, ConfigurationError) as error:
            self._reached(str(error))


def _micro(seconds: float) -> int:
    return round(seconds * 1_000_000)


logger = logging.getLogger("sevendigital_async")

KNOWN_FOR = 1.0
"""Seconds for which the account's pause is not asked for again."""

PAUSE = RedisScript(
    """
local t = redis.call('TIME') local now = t[1] * 1000000 + t[2]
local till = now + tonumber(ARGV[1])
if tonumber(redis.call('GET', KEYS[1]) or 0) >= till then return 0 end
redis.call('SET', KEYS[1], string.format('%.0f', till), 'PX', math.ceil(tonumber(ARGV[1]) / 1000) + 1)
return 1
""",
    answer=int,
)

PAUSE_LEFT = RedisScript(
    """
local t = redis.call('TIME') local now = t[1] * 1000000 + t[2]
return math.max(0, tonumber(redis.call('GET', KEYS[1]) or 0) - now)
""",
    answer=int,
)


class RedisRateLimiter:
    """Implements :class:`~sevendigital_async.session.rate_limiter.Limits` for all processes that name the same Redis.

    While Redis is away nothing that has a rate class goes out. All processes should have the same timeout: a slot of a
    request without an answer is free again when the timeout of its own process is over.

    Args:
        url: Of Redis; see :class:`~sevendigital_async.redis_connection.RedisConnection`.
        consumer_key: Names the account.
        settings: The client's.
        clock: Time.
    """

    def __init__(self, url: str, consumer_key: str, settings: Settings, clock: Clock) -> None:
        self._link = RedisConnection(url)
        self._clock = clock
        self._trouble: str | None = None
        self._pause_until = clock.monotonic()
        self._asked_at = clock.monotonic() - KNOWN_FOR
        self._telling: set[asyncio.Task[None]] = set()
        # The braces keep an account's keys together on one server of a cluster.
        self._base = f"{self._link.prefix}:{{{consumer_key}}}"
        lost_after = UNBOUNDED_TIMEOUT if settings.timeout.total is None else settings.timeout.total
        self._slots = {
            rate_class: RedisSlots(
                self._link,
                (
                    f"{self._base}:slots:{rate_class.name.lower()}",
                    f"{self._base}:server:{rate_class.name.lower()}",
                    self._pause_key(None),
                    self._pause_key(rate_class),
                ),
                count=rate_class.value,
                unknown=lost_after + WINDOW + GRACE,
                max_wait=settings.max_wait,
                clock=clock,
                hit=self._reached,
            )
            for rate_class in RateClass
        }

    def slot(self, rate_class: RateClass) -> AbstractAsyncContextManager[RedisSlot]:
        """Wait for a slot and hold it."""
        return self._slots[rate_class].slot()

    async def pause_left(self) -> float:
        """Seconds for which the account pauses, as known a second ago at the most; 0 while Redis is away."""
        now = self._clock.monotonic()
        if now - self._asked_at >= KNOWN_FOR:
            self._asked_at = now
            try:
                left = await self._link.run(PAUSE_LEFT, [self._pause_key(None)], [])
            except (RedisUnavailableError, RedisRefusedError) as error:
                self._reached(str(error))
            else:
                self._heed(None, left / 1e6)
        return max(0.0, self._pause_until - self._clock.monotonic())

    def pause(self, rate_class: RateClass | None, seconds: float) -> None:
        """Let all processes know that nothing of a class, or of the whole account, may go out for a while.

        After a wait of more than a day was asked for, all of them may ask again in an hour.
        """
        seconds = bounded_wait(seconds)
        self._heed(rate_class, seconds)
        task = asyncio.create_task(self._tell(rate_class, seconds))
        self._telling.add(task)
        task.add_done_callback(self._telling.discard)

    async def aclose(self) -> None:
        """Free the slots and close the connections."""
        if self._telling:
            await asyncio.wait(self._telling, timeout=0.2)
        for task in self._telling:
            task.cancel()
        await asyncio.gather(*(slots.settled() for slots in self._slots.values()))
        await self._link.aclose()

    def _heed(self, rate_class: RateClass | None, seconds: float) -> None:
        """Keep a pause here, too: one that is only known by the server's clock ends when that is set forward."""
        if rate_class is None:
            self._pause_until = max(self._pause_until, self._clock.monotonic() + seconds)
        for each, slots in self._slots.items():
            if rate_class in {None, each}:
                slots.pause(seconds)

    async def _tell(self, rate_class: RateClass | None, seconds: float) -> None:
        try:
            await self._link.run(PAUSE, [self._pause_key(rate_class)], [round(seconds * 1_000_000)])
        except (RedisUnavailableError, RedisRefusedError) as error:
            self._reached(str(error))

    def _pause_key(self, rate_class: RateClass | None) -> str:
        return f"{self._base}:not-before" + (f":{rate_class.name.lower()}" if rate_class else "")

    def _reached(self, trouble: str | None) -> None:
        if trouble is not None and self._trouble is None:
            logger.error("the shared limits: %s; requests that have a rate class wait", trouble)
        elif trouble is None and self._trouble is not None:
            logger.info("the shared limits: Redis is back")
        self._trouble = trouble
