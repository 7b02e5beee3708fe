"""Percent-encoding as RFC 5849, section 3.6, wants it: everything but the unreserved characters of RFC 3986."""

from __future__ import annotations

import re
from collections.abc import Iterable
from urllib.parse import quote

_UNRESERVED = re.compile(r"[A-Za-z0-9_.~-]*").fullmatch


def percent_encode(text: str) -> str:
    """Encode ``text`` so that it stands for itself in a path segment, a query, a form or a signature."""
    # Most values need nothing; the match is several times cheaper than quote().
    return text if _UNRESERVED(text) else quote(text, safe="")


def encoded(pairs: Iterable[tuple[str, str]]) -> list[tuple[str, str]]:
    """Encode names and values."""
    return [(percent_encode(name), percent_encode(value)) for name, value in pairs]


def joined(pairs: Iterable[tuple[str, str]]) -> str:
    """Join encoded pairs into a query string or a form body, in the order given."""
    return "&".join([f"{name}={value}" for name, value in pairs])


def encode_pairs(pairs: Iterable[tuple[str, str]]) -> str:
    """Encode pairs and join them."""
    return joined(encoded(pairs))
