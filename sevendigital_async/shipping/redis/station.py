"""One spool in one Redis: asks it again while it is away, and notices when it has lost everything."""

from __future__ import annotations

import asyncio
import logging
import random
import uuid
from collections.abc import Callable, Mapping
from typing import Any

from ...errors import SpoolError, SpoolUnavailableError
from ...models import LogKind
from ...redis_link import RedisAwayError, RedisLink, RedisScript
from ..rules import LaneRules
from ..spool import check_form
from . import scripts
from .durability import warn_of_eviction

logger = logging.getLogger("sevendigital_async.shipping")

OLDEST_REDIS = 7
LONGEST_PAUSE = 1.0
"""Seconds between two attempts to reach a Redis that is away."""

FLUSHED = (
    "Redis has lost what the spool kept (was it flushed, or restarted without its data?). What this worker is sending "
    "is settled; plays that were waiting there are gone"
)


class Station:
    """The spool's keys, and the way to them.

    Args:
        url: Of Redis.
        name: Of the spool.
        offset: Seconds by which the spool's time is ahead of Redis's clock; for tests.
    """

    def __init__(self, url: str, name: str, offset: Callable[[], float] = lambda: 0.0) -> None:
        self.link = RedisLink(url)
        # The braces keep all keys of a spool together on one server of a cluster.
        self.base = f"{self.link.prefix}:{{{name}}}:"
        self.report: Callable[[str | None], None] = lambda _: None
        self.is_away = False
        self.reached_since = 0.0
        self._offset = offset
        self.id = ""
        self._form = ""
        self._rules: list[str | int] = []
        self._founding = asyncio.Lock()

    async def open(self, rules: Mapping[LogKind, LaneRules], form: str) -> None:
        """Find the spool, or found it.

        Raises:
            SpoolUnavailableError: Redis is away.
            SpoolError: It is too old, or the spool keeps plays of another form.
        """
        self._form = form
        self._rules = []
        for kind, rule in rules.items():
            self._rules += [f"{kind}.count", rule.max_count, f"{kind}.bytes", rule.max_bytes]
            self._rules += [f"{kind}.linger", round(rule.linger * 1000)]
        try:
            info = await self.link.ask("INFO", "server")
            version = info.get("redis_version") if isinstance(info, dict) else _version_in(info)
            if int(str(version).split(".")[0]) < OLDEST_REDIS:
                raise SpoolError(f"the spool needs Redis {OLDEST_REDIS}.0 or later; {self.link.place} is {version}")
            await self._found()
            await warn_of_eviction(self.link)
        except RedisAwayError as error:
            raise SpoolUnavailableError(f"{error}; start it, or correct the URL of the spool") from None
        self._note(None)

    async def once(self, script: RedisScript, *arguments: Any, spool: str | None = None) -> Any:
        """Take a step, or find out that it can't be taken now.

        Args:
            script: The step.
            arguments: What it hears.
            spool: Id of the spool it is meant for; the one last known if left out.

        Returns:
            The script's answer; ``[b"gone"]`` if that spool has been lost and another was founded.

        Raises:
            RedisAwayError: Nobody knows whether it was taken.
        """
        known = self.id if spool is None else spool
        try:
            answer = await self.link.run(script, [self.base], [round(self._offset() * 1000), known, *arguments])
            if answer[0] == b"gone":
                await self._refound(known)
        except RedisAwayError as error:
            self._note(str(error))
            raise
        self._note(None)
        return answer

    async def run(self, script: RedisScript, *arguments: Any) -> Any:
        """Take a step, however long Redis is away; the script must bear being repeated."""
        while True:
            answer = await self.persist(script, *arguments)
            if answer[0] != b"gone":
                return answer

    async def persist(self, script: RedisScript, *arguments: Any, spool: str | None = None) -> Any:
        """Do as :meth:`run` does, but return ``[b"gone"]`` if that is the answer."""
        failures = 0
        while True:
            try:
                return await self.once(script, *arguments, spool=spool)
            except RedisAwayError:
                failures += 1
                pause = min(LONGEST_PAUSE, 0.05 * 2 ** min(failures, 8))
                await asyncio.sleep(random.uniform(pause / 2, pause))  # noqa: S311 - jitter, not a secret

    async def bookmark(self, source: str) -> str | None:
        """Return the position last kept for a source.

        Raises:
            RedisAwayError: Redis can't be asked.
        """
        position = await self.link.ask("HGET", f"{self.base}bookmarks", source)
        return None if position is None else str(position.decode())

    async def aclose(self) -> None:
        """Close the connections."""
        await self.link.aclose()

    async def _found(self) -> None:
        found = [0, "", uuid.uuid4().hex, self._form, *self._rules]
        spool, kept = await self.link.run(scripts.FOUND, [self.base], found)
        check_form(self.link.place, kept.decode(), self._form)
        self.id = spool.decode()

    async def _refound(self, lost: str) -> None:
        async with self._founding:
            if self.id == lost:
                await self._found()
                logger.critical("the spool: %s", FLUSHED)
                self.report(FLUSHED)

    def is_silent(self) -> None:
        """Somebody has waited for an answer for as long as they could."""
        self._note(f"Redis at {self.link.place} does not answer in time")

    def _note(self, trouble: str | None) -> None:
        if trouble is not None and not self.is_away:
            self.report(f"{trouble}; plays wait until it is back")
        elif trouble is None and self.is_away:
            self.report(None)
        if trouble is None and (self.is_away or not self.reached_since):
            self.reached_since = asyncio.get_running_loop().time()
        self.is_away = trouble is not None


def _version_in(info: bytes) -> str:
    for line in info.decode().splitlines():
        name, _, value = line.partition(":")
        if name == "redis_version":
            return value
    return "0"
