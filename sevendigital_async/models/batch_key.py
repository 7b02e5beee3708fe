"""Which plays may share a request: a key that spools keep and hand back, and that only this file reads."""

from __future__ import annotations

from .stream_log import StreamLog

_SEPARATOR = "\x1f"
"""The unit separator; a key has one wherever it is more than an id without one."""


def batch_key(user_id: str, country: str = "") -> str:
    """Return the key of a user's plays, or of those in one country."""
    if country or _SEPARATOR in user_id:
        return f"{user_id}{_SEPARATOR}{country}"
    return user_id


def user_key(log: StreamLog) -> str:
    """Return the key of the plays of whoever played this one; in most cases without another call."""
    user_id = log.user_id or ""
    return batch_key(user_id) if _SEPARATOR in user_id else user_id


def user_of(key: str) -> str:
    """Return the user whose plays a key stands for."""
    return key.rpartition(_SEPARATOR)[0] if _SEPARATOR in key else key
