"""One spool in one Redis: opens it, runs its scripts, waits while Redis is unavailable, and rebuilds lost keys."""

from __future__ import annotations

import asyncio
import logging
import random
import uuid
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Protocol

from ....backoff import exponential_backoff
from ....errors import SpoolCorruptionError, SpoolError, SpoolUnavailableError
from ....models import LogKind
from ....redis_connection import CLUSTER_MESSAGE, RedisConnection, RedisRefusedError, RedisScript, RedisUnavailableError
from ...records import InDoubtPolicy
from ...rules import LaneRules
from ..base import check_dialect
from . import scripts
from .durability import Losses, log_durability, redis_info

logger = logging.getLogger("sevendigital_async.shipping")

MIN_REDIS_VERSION = 7
MAX_PAUSE = 1.0
"""Seconds between two attempts to reach a Redis that is unavailable, at the most."""

REBUILT_LEASE_MS = 60_000
"""Milliseconds for which a lease is kept after Redis has lost when it ends; its worker prolongs it earlier."""

MAX_REPAIRS = 20
"""Attempts to run one script, with lost keys rebuilt in between."""

MIGRATED_PER_STEP = 1000
"""Plays that one step of a migration moves: some ten milliseconds, in which Redis does nothing else."""


def to_milliseconds(seconds: float) -> int:
    """Return whole milliseconds."""
    return round(seconds * 1000)


class AlertCallback(Protocol):
    """Receives what keeps a spool from working."""

    def __call__(self, alert: str | None, *, is_blocking: bool = True) -> None:
        """Receive it; see :meth:`SpoolContext.report`."""
        ...


def _ignore_alert(alert: str | None, *, is_blocking: bool = True) -> None:
    """Do nothing: an inspector reports no alerts."""


class SpoolClient:
    """Runs the scripts of one spool.

    Args:
        url: Of Redis.
        name: Of the spool.
        offset: Seconds by which the spool's clock is ahead of Redis's; for tests.

    Attributes:
        id: Of the spool; another one after Redis has lost it.
        is_unavailable: The last attempt to reach Redis failed.
        available_since: Time of the loop since which Redis has answered.
        on_alert: Called with what keeps the spool from working, and with None when that is over; ``is_blocking`` is
            False if the spool works and has lost plays.
    """

    def __init__(self, url: str, name: str, offset: Callable[[], float] = lambda: 0.0) -> None:
        self.connection: RedisConnection = RedisConnection(url)
        # The braces keep all keys of a spool in one hash slot.
        self.base: str = f"{self.connection.prefix}:{{{name}}}:"
        self.on_alert: AlertCallback = _ignore_alert
        self.is_unavailable: bool = False
        self.available_since: float = 0.0
        self.id: str = ""
        self._offset = offset
        self._dialect = ""
        self._rules: list[str | int] = []
        self._in_doubt_policy = InDoubtPolicy.RESEND
        self._opening = asyncio.Lock()
        self._losses = Losses(self.connection.safe_url)

    async def open(
        self,
        rules: Mapping[LogKind, LaneRules],
        dialect: str,
        policy: InDoubtPolicy = InDoubtPolicy.RESEND,
        timeout: float = 0.0,  # noqa: ASYNC109 - only while Redis is starting
    ) -> None:
        """Open the spool, or create it.

        Args:
            rules: What makes a batch complete.
            dialect: Which API the plays are encoded for.
            policy: For plays in doubt.
            timeout: Seconds to wait for a Redis that is starting.

        Raises:
            SpoolUnavailableError: Redis is unavailable.
            SpoolError: Redis is too old, or the spool keeps plays of another dialect.
        """
        self._dialect = dialect
        self._in_doubt_policy = policy
        self._rules = []
        for kind, rule in rules.items():
            self._rules += [f"{kind}.count", rule.max_count, f"{kind}.bytes", rule.max_bytes]
            self._rules += [f"{kind}.linger", to_milliseconds(rule.linger)]
        loop = asyncio.get_running_loop()
        deadline, failures = loop.time() + timeout, 0
        while True:
            try:
                await self._check_server()
                await self._open_spool()
                await log_durability(self.connection)
                break
            except RedisRefusedError as error:
                raise _as_spool_error(error) from None
            except RedisUnavailableError as error:
                left = deadline - loop.time()
                if not error.is_starting or left <= 0:
                    raise SpoolUnavailableError(f"{error}; start it, or correct the URL of the spool") from None
                if not failures:
                    logger.warning("the spool: %s; waiting for up to %.0f s", error, timeout)
                failures += 1
                await asyncio.sleep(min(left, exponential_backoff(failures, base=0.05, cap=MAX_PAUSE)))
        self._set_alert(None)

    async def run_once(self, script: RedisScript, *, expected_spool: str | None = None, **arguments: Any) -> Any:
        """Run a script.

        Args:
            script: What to run.
            expected_spool: Id of the spool that it is meant for; the one last opened if left out.
            arguments: Those that the script declares.

        Returns:
            The script's answer; ``[b"gone"]`` if that spool is lost and another one was created.

        Raises:
            RedisUnavailableError: No answer; the script may have run.
            SpoolError: The script can never run.
        """
        expected = self.id if expected_spool is None else expected_spool
        try:
            for _ in range(MAX_REPAIRS):
                offset = to_milliseconds(self._offset())
                answer = await self.connection.run(
                    script, base=self.base, clock_offset=offset, expected_spool=expected, **arguments
                )
                if answer[0] == b"outdated":
                    raise self._unsupported_layout_error()
                is_gone = answer[0] == b"gone"
                if answer[0] not in {b"gone", b"damaged", b"old"}:
                    break
                if answer[0] == b"old" and not self._rules:
                    raise self._not_migrated_error()
                await self._rebuild(expected, is_gone=is_gone)
                if is_gone and (self.id != expected or not self._rules):
                    break
            else:
                raise SpoolCorruptionError(
                    f"Redis loses keys of the spool in {self.connection.safe_url} as fast as they are rebuilt;"
                    " check what deletes or evicts them"
                )
        except RedisRefusedError as error:
            raise _as_spool_error(error) from None
        except RedisUnavailableError as error:
            self._set_alert(str(error))
            raise
        self._set_alert(None)
        return answer

    async def run_until_answered(
        self, script: RedisScript, *, expected_spool: str | None = None, **arguments: Any
    ) -> Any:
        """Run a script as :meth:`run_once` does, again for as long as Redis is unavailable; it must be idempotent."""
        failures = 0
        while True:
            try:
                return await self.run_once(script, expected_spool=expected_spool, **arguments)
            except RedisUnavailableError:
                failures += 1
                pause = exponential_backoff(failures, base=0.05, cap=MAX_PAUSE)
                await asyncio.sleep(random.uniform(pause / 2, pause))  # noqa: S311 - jitter, not a secret

    async def run(self, script: RedisScript, **arguments: Any) -> Any:
        """Run a script as :meth:`run_until_answered` does, in the spool that exists by then."""
        while True:
            answer = await self.run_until_answered(script, **arguments)
            if answer[0] != b"gone":
                return answer

    async def checkpoint(self, source: str) -> str | None:
        """Return the position last kept for a source.

        Raises:
            RedisUnavailableError: Redis is unavailable.
            SpoolError: Redis refuses.
        """
        try:
            position = await self.connection.read("HGET", f"{self.base}checkpoints", source)
        except RedisRefusedError as error:
            raise _as_spool_error(error) from None
        return position.decode() if isinstance(position, bytes) else None

    def report_losses(self, plays: Iterable[int], *, keys: Iterable[str] = (), in_doubt: int = 0) -> None:
        """Log and report what Redis has lost, if it is anything."""
        self._report(self._losses.add(plays, keys=sorted(keys), in_doubt=in_doubt))

    def report_timeout(self) -> None:
        """Report that Redis has not answered within the time of a caller."""
        self._set_alert(f"Redis at {self.connection.safe_url} does not answer in time")

    async def aclose(self) -> None:
        await self.connection.aclose()

    async def _check_server(self) -> None:
        info, url = await redis_info(self.connection, "server"), self.connection.safe_url
        version = info.get("redis_version", "")
        if version.partition(".")[0].isdigit() and int(version.partition(".")[0]) < MIN_REDIS_VERSION:
            raise SpoolError(f"the spool needs Redis {MIN_REDIS_VERSION}.0 or later; Redis at {url} is {version}")
        if info.get("redis_mode") == "cluster":
            raise SpoolError(f"Redis at {url} {CLUSTER_MESSAGE}")

    async def _open_spool(self) -> None:
        answer = await self._run_open()
        if answer[0] == b"old":
            check_dialect(self.connection.safe_url, answer[1].decode(), self._dialect)
            await self._migrate()
            answer = await self._run_open()
        if answer[0] == b"outdated":
            raise self._unsupported_layout_error()
        if answer[0] == b"foreign":
            key, found, wanted = (part.decode(errors="replace") for part in answer[1:])
            raise SpoolCorruptionError(
                f"the key {key} in {self.connection.safe_url} is a {found}, and the spool needs a {wanted}: another"
                " program writes there; delete the key, or give the spool keys of its own with ?prefix="
            )
        spool_id, dialect, missing, lost, in_doubt = answer[1:]
        check_dialect(self.connection.safe_url, dialect.decode(), self._dialect)
        self.id = spool_id.decode()
        self.report_losses(lost, keys=[name.decode() for name in missing], in_doubt=in_doubt)

    async def _migrate(self) -> None:
        """Migrate the spool of the previous release; any worker may continue where another one has stopped."""
        logger.warning("the spool in %s was written by the previous release; migrating it", self.connection.safe_url)
        cursor, is_migrated = b"", False
        while not is_migrated:
            _, cursor, is_migrated = await self.connection.run(
                scripts.MIGRATE,
                base=self.base,
                clock_offset=to_milliseconds(self._offset()),
                expected_spool="",
                cursor=cursor,
                in_doubt_policy=self._in_doubt_policy.value,
                limit=MIGRATED_PER_STEP,
            )
        logger.warning("the spool in %s is migrated", self.connection.safe_url)

    async def _run_open(self) -> Any:
        return await self.connection.run(
            scripts.OPEN,
            base=self.base,
            clock_offset=0,
            expected_spool="",
            new_id=uuid.uuid4().hex,
            dialect=self._dialect,
            known_id=self.id,
            lease_ms=REBUILT_LEASE_MS,
            in_doubt_policy=self._in_doubt_policy.value,
            rules=self._rules,
        )

    async def _rebuild(self, expected: str, *, is_gone: bool) -> None:
        """Create the spool again, or rebuild lost keys, unless another task has done so meanwhile."""
        if not self._rules:  # an inspector creates nothing
            if not is_gone:
                raise SpoolCorruptionError(
                    f"Redis has lost keys of the spool in {self.connection.safe_url}; start a shipper: it rebuilds them"
                )
            return
        async with self._opening:
            before = self.id
            if not is_gone or before == expected:
                await self._open_spool()
                if self.id != before:
                    self._report(self._losses.add_spool())

    def _not_migrated_error(self) -> SpoolError:
        return SpoolError(
            f"the spool in {self.connection.safe_url} was written by the previous release; start a shipper"
            " of this release: it migrates the spool"
        )

    def _unsupported_layout_error(self) -> SpoolError:
        return SpoolError(
            f"an older release wrote the spool in {self.connection.safe_url}; deliver its plays with that release, then"
            " delete its keys, or give this one keys of its own with ?prefix="
        )

    def _report(self, losses: str | None) -> None:
        if losses is not None:
            logger.critical("the spool: %s", losses)
            self.on_alert(losses, is_blocking=self.is_unavailable)

    def _set_alert(self, alert: str | None) -> None:
        if alert is not None and not self.is_unavailable:
            self.on_alert(f"{alert}; plays wait until Redis answers again", is_blocking=True)
        elif alert is None and self.is_unavailable:
            self.on_alert(self._losses.text, is_blocking=False)
        if alert is None and (self.is_unavailable or not self.available_since):
            self.available_since = asyncio.get_running_loop().time()
        self.is_unavailable = alert is not None


def _as_spool_error(error: RedisRefusedError) -> SpoolError:
    if error.code == "WRONGTYPE" or "user_script" in str(error):
        return SpoolCorruptionError(f"another program has changed the spool's keys: {error}")
    return SpoolError(f"the spool can't be used: {error}")
