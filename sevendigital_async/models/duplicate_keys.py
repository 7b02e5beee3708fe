"""JSON objects in which a key comes twice: valid, and yet nobody knows which value was meant."""

from __future__ import annotations

import json
from collections.abc import Mapping
from contextlib import suppress
from typing import Any


class _DuplicateKeyError(Exception):
    """Carries the key."""


def duplicate_key(document: bytes | str) -> str | None:
    """Return a key that comes twice in one object of a JSON document; None if there is none.

    Args:
        document: Known to be valid JSON.
    """
    try:
        # Numbers stay text: how large they are does not matter here.
        with suppress(ValueError, RecursionError):
            json.loads(document, object_pairs_hook=_check, parse_int=str, parse_float=str)
    except _DuplicateKeyError as error:
        return str(error)
    return None


def duplicate_key_in_flat(document: bytes | str, read: Mapping[str, object]) -> str | None:
    """Do the same for an object that mostly holds texts and numbers, at next to no cost.

    Args:
        document: As it came.
        read: What it was read as.
    """
    quotes = 2 * (len(read) + sum(type(value) is str for value in read.values()))
    counted = document.count('"') if isinstance(document, str) else document.count(b'"')
    # A key that comes twice brings quotes beyond those of what was read, and so do escapes and nested values.
    return None if counted == quotes else duplicate_key(document)


def _check(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        names = [name for name, _ in pairs]
        raise _DuplicateKeyError(next(name for name in names if names.count(name) > 1))
    return found
