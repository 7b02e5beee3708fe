"""The steps of the spool, one Lua script each: a script changes everything that belongs to its step, counts included.

``lua/spool.lua`` says which keys there are. Every script takes ``base`` (what the names of the keys begin with),
``clock_offset`` and ``expected_spool``; :class:`~.client.SpoolClient` adds these. A script that finds no spool, or
another than the expected one, answers ``gone``; ``damaged`` means that a key of it is lost, ``old`` that the release
before wrote it and ``outdated`` that an older one did. None of them has changed anything then, and ``OPEN`` must run
first; for an ``old`` spool ``MIGRATE``.
"""

from __future__ import annotations

from ....redis_connection import RedisScript


def _script(name: str) -> RedisScript:
    return RedisScript(__package__, f"lua/{name}.lua")


ABANDON = _script("abandon")
ADOPT = _script("adopt")
APPEND = _script("append")
COUNTS = _script("counts")
DISCARD = _script("discard")
DUE_IN = _script("due_in")
HEARTBEAT = _script("heartbeat")
INTENT = _script("intent")
JOURNAL_IN_DOUBT = _script("journal_in_doubt")
LEASE = _script("lease")
LEAVE = _script("leave")
MIGRATE = _script("migrate")
OLDEST_AGE = _script("oldest_age")
OPEN = _script("open")
PLAYS_LEFT = _script("plays_left")
READ = _script("read")
REPLAY = _script("replay")
SETTLE = _script("settle")
STATUS = _script("status")
WATERMARK = _script("watermark")
WITHDRAW = _script("withdraw")
