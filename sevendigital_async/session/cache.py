"""Answers that are used again for as long as the service declares them fresh."""

from __future__ import annotations

import re
from collections.abc import Hashable, Mapping
from typing import TYPE_CHECKING

from attrs import frozen

from ..clock import Clock, SystemClock
from ..config import UserToken
from .request import Request

if TYPE_CHECKING:
    from cachetools import TLRUCache

_DIRECTIVE = re.compile(r'([a-z-]+)\s*(?:=\s*"?([^",\s]*)"?)?')
_FORBIDS = {"no-store", "no-cache"}

MAX_SECONDS = 2**31
MAX_DIGITS = 10
"""Of a time to keep an answer (RFC 9111, section 1.2.2)."""


@frozen
class _Entry:
    answer: object
    fresh_for: float


def _expiry(_: Hashable, entry: _Entry, now: float) -> float:
    return now + entry.fresh_for


class ResponseCache:
    """Keeps decoded answers to reads in memory; the oldest are dropped for new ones.

    Answers are kept per user, as some depend on the user; the signature is not part of the key.

    Args:
        max_entries: Most answers that are kept.
        clock: Time, for tests.
    """

    def __init__(self, max_entries: int = 1000, *, clock: Clock | None = None) -> None:
        from cachetools import TLRUCache  # noqa: PLC0415 - only those who keep answers load it

        timer = (clock or SystemClock()).monotonic
        self._entries: TLRUCache[Hashable, _Entry] = TLRUCache(max_entries, _expiry, timer=timer)

    def __len__(self) -> int:
        return len(self._entries)

    def get(self, key: Hashable) -> object | None:
        """Return a fresh answer, or None."""
        entry = self._entries.get(key)
        return None if entry is None else entry.answer

    def put(self, key: Hashable, answer: object, headers: Mapping[str, str]) -> None:
        """Keep an answer if its headers allow it."""
        seconds = fresh_for(headers)
        if seconds > 0:
            self._entries[key] = _Entry(answer, seconds)

    def clear(self) -> None:
        """Drop all answers."""
        self._entries.clear()


def cache_key(request: Request, user: UserToken | None, headers: Mapping[str, str]) -> Hashable:
    """Return the key of an answer: the unsigned request, the user and the headers that were asked with."""
    asked_with = frozenset((name.lower(), value) for name, value in headers.items())
    return (request.http_method, request.url, tuple(sorted(request.query)), user, asked_with)


def fresh_for(headers: Mapping[str, str]) -> float:
    """Return the seconds for which an answer may be used again; zero if it may not.

    Args:
        headers: Of the answer, names in lower case. Without ``Cache-Control: max-age`` an answer is not kept.
    """
    directives = dict(_DIRECTIVE.findall(headers.get("cache-control", "").lower()))
    if _FORBIDS & directives.keys():
        return 0.0
    max_age, age = _seconds(directives.get("max-age", "")), _seconds(headers.get("age", "0").strip())
    return 0.0 if max_age is None or age is None else float(max(0, max_age - age))


def _seconds(text: str) -> int | None:
    """Read a number of seconds; a number that is too large becomes the longest time."""
    if not text.isdecimal():
        return None
    return MAX_SECONDS if len(text) > MAX_DIGITS else min(int(text), MAX_SECONDS)
