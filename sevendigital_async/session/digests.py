"""Digests that an answer announces: ``Repr-Digest`` and ``Content-Digest`` (RFC 9530), ``Digest``, ``Content-MD5``."""

from __future__ import annotations

import base64
import binascii
import hashlib
import re
from collections.abc import Iterable, Iterator, Mapping
from typing import BinaryIO

from attrs import frozen

_ALGORITHMS = {"md5": "md5", "sha": "sha1", "sha-256": "sha256", "sha-512": "sha512"}
_ITEMS = re.compile(r"(?:^|,)\s*([A-Za-z0-9-]+)\s*=\s*:?([A-Za-z0-9+/]+={0,2}):?\s*(?=[,;]|$)").finditer
_BLOCK = 1024 * 1024


@frozen(order=True)
class Digest:
    """What some bytes must hash to.

    Attributes:
        algorithm: As ``hashlib`` names it.
        value: In hexadecimal.
    """

    algorithm: str
    value: str

    def fits(self, file: BinaryIO, first: int = 0) -> bool:
        """Read ``file`` from byte ``first`` to its end and compare."""
        return hashed(file, self.algorithm, first) == self.value


def hashed(file: BinaryIO, algorithm: str, first: int) -> str:
    """Return the digest of a file from byte ``first`` to its end, in hexadecimal."""
    found = hashlib.new(algorithm, usedforsecurity=False)
    file.seek(first)
    while block := file.read(_BLOCK):
        found.update(block)
    return found.hexdigest()


def of_whole(headers: Mapping[str, str]) -> frozenset[Digest]:
    """Return the digests of the whole file, which an answer with a part of it may carry as well.

    Args:
        headers: Names in lower case.
    """
    return frozenset(_found([*_items(headers, "repr-digest"), *_items(headers, "digest")]))


def of_content(headers: Mapping[str, str], *, whole: bool) -> frozenset[Digest]:
    """Return the digests of the bytes that this answer carries.

    Args:
        headers: Names in lower case.
        whole: Whether these are the whole file; only then it is certain what ``Content-MD5`` is about.
    """
    md5 = [("md5", headers.get("content-md5", "").strip())] if whole else []
    return frozenset(_found([*_items(headers, "content-digest"), *md5]))


def _items(headers: Mapping[str, str], name: str) -> list[tuple[str, str]]:
    return [(found[1], found[2]) for found in _ITEMS(headers.get(name, ""))]


def _found(items: Iterable[tuple[str, str]]) -> Iterator[Digest]:
    for name, text in items:
        algorithm = _ALGORITHMS.get(name.lower())
        try:
            value = base64.b64decode(text, validate=True)
        except (binascii.Error, ValueError):
            continue
        # A value of another length is a digest in another spelling, or none; it can't be compared.
        if algorithm and len(value) == hashlib.new(algorithm, usedforsecurity=False).digest_size:
            yield Digest(algorithm, value.hex())
