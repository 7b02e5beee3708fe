"""The limits of an account that several processes use, kept together in Redis."""

from __future__ import annotations

import asyncio
import logging
from contextlib import AbstractAsyncContextManager

from ..clock import Clock
from ..config import Settings
from ..operations import RateClass
from ..rate_limit import bounded_wait
from ..redis_link import RedisAwayError, RedisLink, RedisRefusedError, RedisScript
from .shared_slots import GRACE, SharedSlot, SharedSlots
from .slots import UNBOUNDED_TIMEOUT, WINDOW

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


class SharedLimits:
    """Implements :class:`~sevendigital_async.session.limits.Limits` for all processes that name the same Redis.

    While Redis is away nothing that has a rate class goes out. All processes should have the same timeout: a slot of a
    request without an answer is free again when the timeout of its own process is over.

    Args:
        url: Of Redis; see :class:`~sevendigital_async.redis_link.RedisLink`.
        consumer_key: Names the account.
        settings: The client's.
        clock: Time.
    """

    def __init__(self, url: str, consumer_key: str, settings: Settings, clock: Clock) -> None:
        self._link = RedisLink(url)
        self._clock = clock
        self._trouble: str | None = None
        self._pause_until = clock.monotonic()
        self._asked_at = clock.monotonic() - KNOWN_FOR
        self._telling: set[asyncio.Task[None]] = set()
        # The braces keep an account's keys together on one server of a cluster.
        self._base = f"{self._link.prefix}:{{{consumer_key}}}"
        lost_after = UNBOUNDED_TIMEOUT if settings.timeout.total is None else settings.timeout.total
        self._slots = {
            rate_class: SharedSlots(
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
                reached=self._reached,
            )
            for rate_class in RateClass
        }

    def slot(self, rate_class: RateClass) -> AbstractAsyncContextManager[SharedSlot]:
        """Wait for a slot and hold it."""
        return self._slots[rate_class].slot()

    async def pause_left(self) -> float:
        """Seconds for which the account pauses, as known a second ago at the most; 0 while Redis is away."""
        now = self._clock.monotonic()
        if now - self._asked_at >= KNOWN_FOR:
            self._asked_at = now
            try:
                left = await self._link.run(PAUSE_LEFT, [self._pause_key(None)], [])
            except (RedisAwayError, RedisRefusedError) as error:
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
        except (RedisAwayError, RedisRefusedError) as error:
            self._reached(str(error))

    def _pause_key(self, rate_class: RateClass | None) -> str:
        return f"{self._base}:not-before" + (f":{rate_class.name.lower()}" if rate_class else "")

    def _reached(self, trouble: str | None) -> None:
        if trouble is not None and self._trouble is None:
            logger.error("the shared limits: %s; requests that have a rate class wait", trouble)
        elif trouble is None and self._trouble is not None:
            logger.info("the shared limits: Redis is back")
        self._trouble = trouble
