"""What a Redis keeps when it dies, in words."""

from __future__ import annotations

import logging

from ....redis_connection import RedisConnection, RedisRefusedError, RedisUnavailableError

logger = logging.getLogger("sevendigital_async.shipping")

UNKNOWN = "unknown: this Redis does not tell how it is configured; ask for appendonly yes and appendfsync always"
WORDS = {
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


async def setting(link: RedisConnection, name: str) -> str | None:
    """Return one setting of Redis; None if it does not tell, as those of a provider often don't."""
    try:
        answer = await link.ask("CONFIG", "GET", name)
    except (RedisUnavailableError, RedisRefusedError):
        return None
    values = {_text(key): _text(value) for key, value in _pairs(answer)}
    return values.get(name)


async def facts(link: RedisConnection, section: str) -> dict[str, str]:
    """Return a section of what Redis says about itself; nothing if it does not tell.

    Raises:
        RedisUnavailableError: It does not answer, or is about to start.
    """
    try:
        answer = await link.ask("INFO", section)
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


async def durability(link: RedisConnection) -> str:
    """Say what an accepted play survives."""
    appends = await setting(link, "appendonly")
    if appends is None:
        return UNKNOWN
    return WORDS.get((appends, await setting(link, "appendfsync") or ""), NOT_DURABLE)


async def warn_of_eviction(link: RedisConnection) -> None:
    """Log how durable the spool is, and whether Redis may throw plays away."""
    words = await durability(link)
    logger.log(logging.INFO if words in WORDS.values() else logging.WARNING, "the spool in %s: %s", link.place, words)
    policy = await setting(link, "maxmemory-policy") or (await facts(link, "memory")).get("maxmemory_policy")
    if policy not in {None, "noeviction"}:
        logger.warning(
            "the spool in %s: maxmemory-policy is %s, so Redis may throw plays away when it is full; set noeviction",
            link.place,
            policy,
        )


def _pairs(answer: object) -> list[tuple[object, object]]:
    if isinstance(answer, dict):
        return list(answer.items())
    items = list(answer) if isinstance(answer, list) else []
    return list(zip(items[::2], items[1::2], strict=False))


def _text(value: object) -> str:
    return value.decode(errors="replace") if isinstance(value, bytes) else str(value)
