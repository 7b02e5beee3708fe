"""The rate limits of an account that several processes share, in Redis."""

from __future__ import annotations

import asyncio
import logging
import random
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any

from ..account_quota import bounded_wait
from ..backoff import exponential_backoff
from ..clock import Clock
from ..config import Settings
from ..errors import ConfigurationError, ConnectError, RateLimitError
from ..operations import RateClass
from ..redis_connection import RedisConnection, RedisRefusedError, RedisScript, RedisUnavailableError
from .rate_limiter import SLOT_COOLDOWN, UNBOUNDED_TIMEOUT

logger = logging.getLogger("sevendigital_async")

CLAIM_LEASE = 10.0
"""Seconds for which a claimed slot is kept while nothing is sent."""

SEND_GRACE_PERIOD = 1.0
"""Seconds that may pass between the check that a slot is still held and sending; it is kept for that much longer."""

MAX_CLOCK_STEP = 6.0
"""Largest forward step of the server's clock without effect, in seconds."""

POLL_INTERVAL = 0.05
"""Seconds between attempts to claim a slot that another process may free."""

MAX_POLL_INTERVAL = 0.9
"""Seconds between attempts while no slot can become free."""

MAX_JITTER = 0.008
"""Largest random difference between processes that wait for the same slot, in seconds."""

PAUSE_CACHE_TIME = 1.0
"""Seconds for which the account's pause is cached."""


def _script(name: str, answer: type[list[Any] | int] = list) -> RedisScript:
    return RedisScript(__package__, f"lua/{name}.lua", answer)


CLAIM_SLOT_SCRIPT = _script("claim_slot")
KEEP_SLOT_SCRIPT = _script("keep_slot", int)
PAUSE_SCRIPT = _script("pause", int)
PAUSE_LEFT_SCRIPT = _script("pause_left", int)


class RedisSlot:
    """A slot held in Redis under a random token."""

    def __init__(
        self, keep: Callable[[str, float], Awaitable[bool]], clock: Clock, free: Callable[[str, float], None]
    ) -> None:
        self.token: str = uuid.uuid4().hex
        self._keep = keep
        self._clock = clock
        self._free = free
        self._is_sent = False
        self._is_freed = False

    async def sending(self, timeout: float | None) -> None:  # noqa: ASYNC109 - for Redis, not for this call
        """Check that the slot is still held, and keep it for as long as the request may be on its way.

        Raises:
            ConnectError: It is not, or Redis is unavailable; nothing may be sent.
        """
        lost_after = UNBOUNDED_TIMEOUT if timeout is None else timeout
        while True:
            asked_at = self._clock.monotonic()
            try:
                is_held = await self._keep(self.token, lost_after + SLOT_COOLDOWN + SEND_GRACE_PERIOD + MAX_CLOCK_STEP)
            except RedisUnavailableError as error:
                raise ConnectError(f"not sent: the shared rate limit is unavailable: {error}") from None
            if not is_held:
                raise ConnectError("not sent: the rate slot expired while this process was stalled")
            if self._clock.monotonic() - asked_at < SEND_GRACE_PERIOD:
                break
        self._is_sent = True

    def answered(self) -> None:
        """Free the slot one window from now, by the clock of this process."""
        self._free_once(SLOT_COOLDOWN)

    def not_sent(self) -> None:
        """Free the slot at once."""
        self._free_once(0.0)

    def free_unless_sent(self) -> None:
        """Free the slot if nothing was sent. A request without a response keeps it until its timeout is over."""
        if not self._is_sent:
            self._free_once(0.0)

    def _free_once(self, after: float) -> None:
        if not self._is_freed:
            self._is_freed = True
            self._free(self.token, after)


class RedisSlots:
    """The slots of one rate class and one account: first come, first served in this process, at random between several.

    Args:
        connection: To Redis.
        keys: The keys that claim_slot.lua takes.
        count: How many slots there are.
        recovery_wait: Seconds for which all of them count as busy when Redis knows none.
        max_wait: Seconds that a pause may last.
        clock: Time.
        on_alert: Called with what keeps Redis from answering, and with None when that is over.
    """

    def __init__(
        self,
        connection: RedisConnection,
        keys: Mapping[str, str],
        *,
        count: int,
        recovery_wait: float,
        max_wait: float,
        clock: Clock,
        on_alert: Callable[[str | None], None],
    ) -> None:
        self._connection = connection
        self._keys = keys
        self._count = count
        self._recovery_wait = recovery_wait
        self._longest = max(recovery_wait, UNBOUNDED_TIMEOUT + SLOT_COOLDOWN + SEND_GRACE_PERIOD + MAX_CLOCK_STEP)
        self._max_wait = max_wait
        self._clock = clock
        self._on_alert = on_alert
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
            slot.free_unless_sent()

    def pause(self, seconds: float) -> None:
        """Claim no slots for some seconds, by the clock of this process; never shortens a pause."""
        self._paused_until = max(self._paused_until, self._clock.monotonic() + seconds)

    async def wait_until_freed(self) -> None:
        """Store in Redis when each slot becomes free, and claim no more."""
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
                await self._clock.sleep(min(paused, MAX_POLL_INTERVAL))
                continue
            self._freed.clear()
            try:
                answer, left = await self._connection.run(
                    CLAIM_SLOT_SCRIPT,
                    **self._keys,
                    token=token,
                    count=self._count,
                    lease=_to_microseconds(CLAIM_LEASE),
                    unknown=_to_microseconds(self._recovery_wait),
                    longest=_to_microseconds(self._longest),
                )
            except RedisUnavailableError as error:
                self._on_alert(str(error))
                failures += 1
                await self._clock.sleep(random.uniform(0.05, exponential_backoff(failures, base=0.1, cap=2.0)))  # noqa: S311 - jitter
                continue
            failures = 0
            self._on_alert(None)
            wait = left / 1e6
            if answer == b"claimed":
                return
            if answer == b"paused":
                self.pause(wait)
                continue
            if answer == b"unknown":
                logger.warning(
                    "the shared rate limit: Redis does not know earlier requests of this account; "
                    "no request that counts against the limit is sent for %.0f seconds",
                    wait,
                )
            interval = MAX_POLL_INTERVAL if answer == b"unknown" else POLL_INTERVAL
            jitter = random.uniform(0, MAX_JITTER)  # noqa: S311 - not a secret
            await self._clock.wait(self._freed, min(wait, interval) + jitter)

    def _check_pause(self, left: float) -> None:
        if left > self._max_wait:
            raise RateLimitError(
                f"the service asked another process of this account to wait for {left:.0f} seconds",
                retry_after=left,
            )

    async def _keep(self, token: str, seconds: float) -> bool:
        slots = self._keys["slots"]
        return bool(
            await self._connection.run(KEEP_SLOT_SCRIPT, slots=slots, token=token, lease=_to_microseconds(seconds))
        )

    def _free(self, token: str, after: float) -> None:
        # Not awaited: a cancelled caller must not wait for Redis. If Redis is unavailable, the slot is free later.
        # The time is kept here: a clock of the server that is set forward would free the slot too early.
        task = asyncio.create_task(self._free_after(token, after))
        self._freeing.add(task)
        task.add_done_callback(self._freeing.discard)

    async def _free_after(self, token: str, after: float) -> None:
        free_at = self._clock.monotonic() + after
        if after > 0:
            await self._clock.wait(self._closing, after)
        left = max(0.0, free_at - self._clock.monotonic())
        try:
            await self._keep(token, left + MAX_CLOCK_STEP if left else 0.0)
            self._freed.set()
        except (RedisUnavailableError, ConfigurationError) as error:
            self._on_alert(str(error))


def _to_microseconds(seconds: float) -> int:
    return round(seconds * 1_000_000)


class RedisRateLimiter:
    """Implements :class:`~sevendigital_async.session.rate_limiter.RateLimiter` for all processes that share a Redis.

    While Redis is unavailable, no request that has a rate class is sent. All processes should have the same timeout: a
    slot of a request without a response is free again when the timeout of its own process is over.

    Args:
        url: URL of Redis; see :class:`~sevendigital_async.redis_connection.RedisConnection`.
        consumer_key: Names the account.
        settings: The client's.
        clock: Time.
    """

    def __init__(self, url: str, consumer_key: str, settings: Settings, clock: Clock) -> None:
        self._connection = RedisConnection(url)
        self._clock = clock
        self._alert: str | None = None
        self._paused_until = clock.monotonic()
        self._fetched_at = clock.monotonic() - PAUSE_CACHE_TIME
        self._pausing: set[asyncio.Task[None]] = set()
        # The braces keep an account's keys in one hash slot.
        self._base = f"{self._connection.prefix}:{{{consumer_key}}}"
        lost_after = UNBOUNDED_TIMEOUT if settings.timeout.total is None else settings.timeout.total
        self._slots = {
            rate_class: RedisSlots(
                self._connection,
                {
                    "slots": f"{self._base}:slots:{rate_class.name.lower()}",
                    "server": f"{self._base}:server:{rate_class.name.lower()}",
                    "account_pause": self._pause_key(None),
                    "class_pause": self._pause_key(rate_class),
                },
                count=rate_class.value,
                recovery_wait=lost_after + SLOT_COOLDOWN + SEND_GRACE_PERIOD,
                max_wait=settings.max_wait,
                clock=clock,
                on_alert=self._set_alert,
            )
            for rate_class in RateClass
        }

    def slot(self, rate_class: RateClass) -> AbstractAsyncContextManager[RedisSlot]:
        return self._slots[rate_class].slot()

    async def pause_left(self) -> float:
        """Seconds for which the account pauses, as known a second ago at the most; 0 while Redis is unavailable."""
        now = self._clock.monotonic()
        if now - self._fetched_at >= PAUSE_CACHE_TIME:
            self._fetched_at = now
            try:
                left = await self._connection.run(PAUSE_LEFT_SCRIPT, pause=self._pause_key(None))
            except (RedisUnavailableError, RedisRefusedError) as error:
                self._set_alert(str(error))
            else:
                self._pause_here(None, left / 1e6)
        return max(0.0, self._paused_until - self._clock.monotonic())

    def pause(self, rate_class: RateClass | None, seconds: float) -> None:
        """Pause a class, or the whole account, in all processes.

        If the service asks for more than a day, all of them may ask again in an hour.
        """
        seconds = bounded_wait(seconds)
        self._pause_here(rate_class, seconds)
        task = asyncio.create_task(self._pause_everywhere(rate_class, seconds))
        self._pausing.add(task)
        task.add_done_callback(self._pausing.discard)

    async def aclose(self) -> None:
        """Free the slots and close the connection."""
        if self._pausing:
            await asyncio.wait(self._pausing, timeout=0.2)
        for task in self._pausing:
            task.cancel()
        await asyncio.gather(*(slots.wait_until_freed() for slots in self._slots.values()))
        await self._connection.aclose()

    def _pause_here(self, rate_class: RateClass | None, seconds: float) -> None:
        """Keep a pause in this process, too: in Redis it ends when the server's clock is set forward."""
        if rate_class is None:
            self._paused_until = max(self._paused_until, self._clock.monotonic() + seconds)
        for each, slots in self._slots.items():
            if rate_class in {None, each}:
                slots.pause(seconds)

    async def _pause_everywhere(self, rate_class: RateClass | None, seconds: float) -> None:
        try:
            await self._connection.run(
                PAUSE_SCRIPT, pause=self._pause_key(rate_class), duration=_to_microseconds(seconds)
            )
        except (RedisUnavailableError, RedisRefusedError) as error:
            self._set_alert(str(error))

    def _pause_key(self, rate_class: RateClass | None) -> str:
        return f"{self._base}:not-before" + (f":{rate_class.name.lower()}" if rate_class else "")

    def _set_alert(self, alert: str | None) -> None:
        if alert is not None and self._alert is None:
            logger.error("the shared rate limit: %s; requests that count against it wait until it does", alert)
        elif alert is None and self._alert is not None:
            logger.info("the shared rate limit: Redis answers again")
        self._alert = alert
