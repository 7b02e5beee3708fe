"""What a Redis keeps when it crashes, and what it has lost of a spool."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Iterable, Sequence

from ....models import LogKind
from ....quantity import pluralize
from ....redis_connection import RedisConnection, RedisRefusedError, RedisUnavailableError

logger = logging.getLogger("sevendigital_async.shipping")

UNKNOWN = "unknown: this Redis does not show its configuration; set appendonly yes and appendfsync always"
DURABLE = {
    ("yes", "always"): "an accepted play survives a crash of Redis and of its machine (appendfsync always)",
    ("yes", "everysec"): (
        "an accepted play survives a crash of Redis; a crash of its machine may lose the last second or two "
        "(appendfsync everysec)"
    ),
    ("yes", "no"): (
        "an accepted play survives a crash of Redis; a crash of its machine loses what the system had not yet "
        "written, some 30 seconds (appendfsync no)"
    ),
}
NOT_DURABLE = (
    "accepted plays are lost when Redis crashes or restarts (appendonly no); set appendonly yes and appendfsync always"
)


async def redis_setting(connection: RedisConnection, name: str) -> str | None:
    """Return one setting of Redis; None if Redis does not show it: providers often forbid that."""
    try:
        answer = await connection.read("CONFIG", "GET", name)
    except (RedisUnavailableError, RedisRefusedError):
        return None
    if isinstance(answer, dict):
        pairs = list(answer.items())
    else:
        items = list(answer) if isinstance(answer, list) else []
        pairs = list(zip(items[::2], items[1::2], strict=False))
    return {_text(key): _text(value) for key, value in pairs}.get(name)


async def redis_info(connection: RedisConnection, section: str) -> dict[str, str]:
    """Return a section of Redis's INFO; nothing if Redis does not show it.

    Raises:
        RedisUnavailableError: Redis does not answer, or is starting.
    """
    try:
        answer = await connection.read("INFO", section)
    except RedisRefusedError:
        return {}
    except RedisUnavailableError as error:
        if error.code == "NOPERM":
            return {}
        raise
    if isinstance(answer, dict):
        return {str(name): str(value) for name, value in answer.items()}
    lines = _text(answer).splitlines() if isinstance(answer, bytes | str) else []
    return dict(line.split(":", 1) for line in lines if ":" in line)


async def durability(connection: RedisConnection) -> str:
    """Return a sentence about what an accepted play survives."""
    appendonly = await redis_setting(connection, "appendonly")
    if appendonly is None:
        return UNKNOWN
    return DURABLE.get((appendonly, await redis_setting(connection, "appendfsync") or ""), NOT_DURABLE)


async def log_durability(connection: RedisConnection) -> None:
    """Log how durable the spool is, and warn if Redis may evict plays."""
    words, url = await durability(connection), connection.safe_url
    logger.log(logging.INFO if words in DURABLE.values() else logging.WARNING, "the spool in %s: %s", url, words)
    policy = await redis_setting(connection, "maxmemory-policy")
    policy = policy or (await redis_info(connection, "memory")).get("maxmemory_policy")
    if policy not in {None, "noeviction"}:
        logger.warning(
            "the spool in %s: maxmemory-policy is %s, so Redis may evict plays when it is full; set noeviction",
            url,
            policy,
        )


def _text(value: object) -> str:
    return value.decode(errors="replace") if isinstance(value, bytes) else str(value)


SPOOL_LOST = (
    "Redis has lost the whole spool (was it flushed, or restarted without its data?): the plays that were waiting are "
    "lost; those that this worker is sending are kept"
)

LOSS_CONSEQUENCES = {
    "journal": "the journal of what was delivered begins anew",
    "dead-letters": "held and buried plays are lost",
    "checkpoints": "checkpoints of sources are lost, and reading a source again would double its plays",
    "appends": "plays of a put that was in progress may exist twice",
    "counts": "delivered plays are counted from the journal",
    "usage": "more plays may be lost than are counted here",
}
"""What the loss of a key means where the remaining keys can't replace it."""


class Losses:
    """Adds up what Redis has lost, for as long as the spool is open.

    Attributes:
        text: All of it; None if nothing was lost.
    """

    def __init__(self, safe_url: str) -> None:
        self.text: str | None = None
        self._safe_url = safe_url
        self._is_spool_lost = False
        self._keys: dict[str, None] = {}
        self._plays: Counter[LogKind] = Counter()
        self._in_doubt = 0

    def add_spool(self) -> str:
        """Add the loss of the whole spool; returns all losses."""
        self._is_spool_lost = True
        return self._describe()

    def add(self, plays: Iterable[int], *, keys: Sequence[str] = (), in_doubt: int = 0) -> str | None:
        """Add losses.

        Args:
            plays: Numbers of lost plays, by kind.
            keys: Names of lost keys.
            in_doubt: Plays whose lease is lost, so that they may have been sent.

        Returns:
            All losses; None if there was nothing to add.
        """
        numbers = {kind: number for kind, number in zip(LogKind, plays, strict=False) if number > 0}
        if not numbers and not keys and not in_doubt:
            return None
        self._plays.update(numbers)
        self._keys.update(dict.fromkeys(keys))
        self._in_doubt += in_doubt
        return self._describe()

    def _describe(self) -> str:
        plays = [pluralize(number, f"{kind} play") for kind, number in self._plays.items()]
        names = dict.fromkeys(key.partition(":")[0] for key in self._keys)
        parts = [
            *([SPOOL_LOST] if self._is_spool_lost else []),
            *([f"Redis has lost keys of the spool ({', '.join(self._keys)}), rebuilt from the rest"] if names else []),
            *(LOSS_CONSEQUENCES[name] for name in names if name in LOSS_CONSEQUENCES),
            *([f"Redis has lost {' and '.join(plays)} that may not have been delivered"] if plays else []),
            *([f"{pluralize(self._in_doubt)} in doubt: the service may have them"] if self._in_doubt else []),
            f"check what deletes or evicts keys in {self._safe_url}",
        ]
        self.text = "; ".join(parts)
        return self.text
