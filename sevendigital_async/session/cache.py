"""A cache of responses that the service declares fresh."""

from __future__ import annotations

import re
from collections.abc import Hashable, Mapping
from typing import TYPE_CHECKING

from attrs import frozen

from ..clock import Clock, SystemClock
from ..config import UserToken
from ..operations import Operation, Safety
from .request import Request

if TYPE_CHECKING:
    from cachetools import TLRUCache

_DIRECTIVE = re.compile(r'([a-z-]+)\s*(?:=\s*"?([^",\s]*)"?)?')
_FORBIDS = {"no-store", "no-cache"}

MAX_SECONDS = 2**31
MAX_DIGITS = 10
"""Digits of a ``max-age`` (RFC 9111, section 1.2.2)."""


@frozen
class _Entry:
    answer: object
    fresh_for: float


def _expiry(_: Hashable, entry: _Entry, now: float) -> float:
    return now + entry.fresh_for


class ResponseCache:
    """Keeps decoded responses to reads in memory; the oldest are dropped for new ones.

    Responses are kept per user, as some depend on the user; the signature is not part of the key.

    Args:
        max_entries: Largest number of responses.
        clock: Time, for tests.
    """

    def __init__(self, max_entries: int = 1000, *, clock: Clock | None = None) -> None:
        from cachetools import TLRUCache  # noqa: PLC0415 - only those who keep answers load it

        timer = (clock or SystemClock()).monotonic
        self._entries: TLRUCache[Hashable, _Entry] = TLRUCache(max_entries, _expiry, timer=timer)

    def __len__(self) -> int:
        return len(self._entries)

    def get(self, key: Hashable) -> object | None:
        """Return a fresh response, or None."""
        entry = self._entries.get(key)
        return None if entry is None else entry.answer

    def put(self, key: Hashable, answer: object, headers: Mapping[str, str]) -> None:
        """Keep a response if its headers allow it."""
        seconds = fresh_for(headers)
        if seconds > 0:
            self._entries[key] = _Entry(answer, seconds)

    def clear(self) -> None:
        """Drop all responses."""
        self._entries.clear()


def is_cacheable(operation: Operation, request: Request) -> bool:
    """Return whether the response to a request may be kept."""
    return operation.safety is Safety.READ and request.http_method == "GET"


def cache_key(request: Request, user: UserToken | None, headers: Mapping[str, str]) -> Hashable:
    """Return the key of a response: the unsigned request, the user and the request headers."""
    sent_headers = frozenset((name.lower(), value) for name, value in headers.items())
    return (request.http_method, request.url, tuple(sorted(request.query)), user, sent_headers)


def fresh_for(headers: Mapping[str, str]) -> float:
    """Return the seconds for which a response may be used again; zero if it may not.

    Args:
        headers: Headers of the response, names in lower case. Without ``Cache-Control: max-age`` nothing is kept.
    """
    directives = dict(_DIRECTIVE.findall(headers.get("cache-control", "").lower()))
    if _FORBIDS & directives.keys():
        return 0.0
    max_age, age = _seconds(directives.get("max-age", "")), _seconds(headers.get("age", "0").strip())
    return 0.0 if max_age is None or age is None else float(max(0, max_age - age))


def _seconds(text: str) -> int | None:
    """Read a number of seconds; a larger number becomes ``MAX_SECONDS``."""
    if not text.isdecimal():
        return None
    return MAX_SECONDS if len(text) > MAX_DIGITS else min(int(text), MAX_SECONDS)
