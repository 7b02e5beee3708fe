"""One spool in one Redis: asks it again while it is away, and notices when it has lost something."""

from __future__ import annotations

import asyncio
import logging
import random
import uuid
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from ....errors import SpoolCorruptionError, SpoolError, SpoolUnavailableError
from ....models import LogKind
from ....redis_connection import NO_CLUSTER, RedisConnection, RedisRefusedError, RedisScript, RedisUnavailableError
from ...records import InDoubtPolicy
from ...rules import LaneRules
from ..base import check_dialect
from . import scripts
from .durability import facts, warn_of_eviction
from .losses import Losses

logger = logging.getLogger("sevendigital_async.shipping")

OLDEST_REDIS = 7
LONGEST_PAUSE = 1.0
"""Seconds between two attempts to reach a Redis that is away."""

LEASE_OF_UNKNOWN_TIME = 60_000
"""Milliseconds for which a lease is kept when it is lost how long it would last; its owner prolongs it before."""

REPAIRS = 20
"""Attempts at one step with what Redis has lost rebuilt in between."""


class SpoolClient:
    """The spool's keys, and the way to them.

    Args:
        url: Of Redis.
        name: Of the spool.
        offset: Seconds by which the spool's time is ahead of Redis's clock; for tests.
    """

    def __init__(self, url: str, name: str, offset: Callable[[], float] = lambda: 0.0) -> None:
        self.link = RedisConnection(url)
        # The braces keep all keys of a spool together on one server of a cluster.
        self.base = f"{self.link.prefix}:{{{name}}}:"
        self.report: Callable[[str | None], None] = lambda _: None
        self.is_away = False
        self.reached_since = 0.0
        self._offset = offset
        self.id = ""
        self._dialect = ""
        self._rules: list[str | int] = []
        self._fate = InDoubtPolicy.RESEND
        self._founding = asyncio.Lock()
        self._losses = Losses(self.link.place)

    async def open(
        self,
        rules: Mapping[LogKind, LaneRules],
        dialect: str,
        policy: InDoubtPolicy = InDoubtPolicy.RESEND,
        within: float = 0.0,
    ) -> None:
        """Find the spool, or found it.

        Args:
            rules: What makes a batch complete.
            form: What the plays are made for.
            fate: What becomes of plays in doubt.
            within: Seconds to wait for a Redis that is just starting.

        Raises:
            SpoolUnavailableError: Redis is away.
            SpoolError: It is too old, or the spool keeps plays of another form.
        """
        self._dialect = dialect
        self._fate = policy
        self._rules = []
        for kind, rule in rules.items():
            self._rules += [f"{kind}.count", rule.max_count, f"{kind}.bytes", rule.max_bytes]
            self._rules += [f"{kind}.linger", round(rule.linger * 1000)]
        loop = asyncio.get_running_loop()
        give_up_at, failures = loop.time() + within, 0
        while True:
            try:
                await self._try_to_open()
                break
            except RedisRefusedError as error:
                raise self._refused(error) from None
            except RedisUnavailableError as error:
                left = give_up_at - loop.time()
                if not error.is_starting or left <= 0:
                    raise SpoolUnavailableError(f"{error}; start it, or correct the URL of the spool") from None
                if not failures:
                    logger.warning("the spool: %s; waiting for up to %.0f s", error, within)
                failures += 1
                await asyncio.sleep(min(left, LONGEST_PAUSE, 0.05 * 2**failures))
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
            RedisUnavailableError: Nobody knows whether it was taken.
            SpoolError: It never can be.
        """
        known = self.id if spool is None else spool
        try:
            for _ in range(REPAIRS):
                answer = await self.link.run(script, [self.base], [round(self._offset() * 1000), known, *arguments])
                gone = answer[0] == b"gone"
                if not gone and answer[0] != b"damaged":
                    break
                await self._repair(known, gone=gone)
                if gone and (self.id != known or not self._rules):
                    break
            else:
                raise SpoolCorruptionError(
                    f"keys of the spool in {self.link.place} are lost as fast as they are rebuilt"
                )
        except RedisRefusedError as error:
            raise self._refused(error) from None
        except RedisUnavailableError as error:
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
            except RedisUnavailableError:
                failures += 1
                pause = min(LONGEST_PAUSE, 0.05 * 2 ** min(failures, 8))
                await asyncio.sleep(random.uniform(pause / 2, pause))  # noqa: S311 - jitter, not a secret

    async def checkpoint(self, source: str) -> str | None:
        """Return the position last kept for a source.

        Raises:
            RedisUnavailableError: Redis can't be asked.
            SpoolError: It does not want to be.
        """
        try:
            position = await self.link.ask("HGET", f"{self.base}checkpoints", source)
        except RedisRefusedError as error:
            raise self._refused(error) from None
        return position.decode() if isinstance(position, bytes) else None

    def lost(self, plays: Iterable[int], *, keys: Iterable[str] = (), doubtful: int = 0) -> None:
        """Report what Redis has lost, if it is anything."""
        if (words := self._losses.add(plays, keys=sorted(keys), doubtful=doubtful)) is not None:
            logger.critical("the spool: %s", words)
            self.report(words)

    async def aclose(self) -> None:
        """Close the connections."""
        await self.link.aclose()

    async def _try_to_open(self) -> None:
        told = await facts(self.link, "server")
        version = told.get("redis_version", "")
        if version.partition(".")[0].isdigit() and int(version.partition(".")[0]) < OLDEST_REDIS:
            raise SpoolError(f"the spool needs Redis {OLDEST_REDIS}.0 or later; {self.link.place} is {version}")
        if told.get("redis_mode") == "cluster":
            raise SpoolError(f"Redis at {self.link.place} {NO_CLUSTER}")
        await self._found()
        await warn_of_eviction(self.link)

    async def _found(self) -> None:
        found = [0, "", uuid.uuid4().hex, self._dialect, self.id, LEASE_OF_UNKNOWN_TIME, self._fate.value, *self._rules]
        answer = await self.link.run(scripts.FOUND, [self.base], found)
        if answer[0] == b"strange":
            key, kept, wanted = (part.decode(errors="replace") for part in answer[1:])
            raise SpoolCorruptionError(
                f"{key} in {self.link.place} is a {kept} where the spool keeps a {wanted}; something else writes there:"
                " delete that key, or set the spool apart with ?prefix="
            )
        spool, kept, missing, lost, doubtful = answer[1:]
        check_dialect(self.link.place, kept.decode(), self._dialect)
        self.id = spool.decode()
        self.lost(lost, keys=[name.decode() for name in missing], doubtful=doubtful)

    async def _repair(self, known: str, *, gone: bool) -> None:
        """Found anew, or rebuild, what Redis has lost; unless another task has done it meanwhile."""
        if not self._rules:  # an archive founds nothing
            if not gone:
                raise SpoolCorruptionError(
                    f"Redis has lost keys of the spool in {self.link.place}; a shipper rebuilds it"
                )
            return
        async with self._founding:
            before = self.id
            if not gone or before == known:
                await self._found()
                if self.id != before:
                    words = self._losses.flushed()
                    logger.critical("the spool: %s", words)
                    self.report(words)

    def is_silent(self) -> None:
        """Somebody has waited for an answer for as long as they could."""
        self._note(f"Redis at {self.link.place} does not answer in time")

    def _refused(self, error: RedisRefusedError) -> SpoolError:
        damaged = error.code == "WRONGTYPE" or "user_script" in str(error)
        what = "the spool's keys are not what it wrote" if damaged else "the spool can't be used"
        return (SpoolCorruptionError if damaged else SpoolError)(f"{what}: {error}")

    def _note(self, alert: str | None) -> None:
        if alert is not None and not self.is_away:
            self.report(f"{alert}; plays wait until it is back")
        elif alert is None and self.is_away:
            self.report(self._losses.text)
        if alert is None and (self.is_away or not self.reached_since):
            self.reached_since = asyncio.get_running_loop().time()
        self.is_away = alert is not None
