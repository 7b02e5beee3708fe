"""The bytes of a file in a response, their version and digests, checked before a byte is written.

Digests are ``Repr-Digest`` and ``Content-Digest`` (RFC 9530), ``Digest`` and ``Content-MD5``.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import re
from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import BinaryIO

from attrs import frozen

from ..errors import DownloadError
from .classify import presentable
from .media import MediaResponse

_CONTENT_RANGE = re.compile(
    r"\s*bytes\s+([0-9]{1,18})\s*-\s*([0-9]{1,18})\s*/\s*([0-9]{1,18}|\*)\s*", re.IGNORECASE
).fullmatch

_ALGORITHMS = {"md5": "md5", "sha": "sha1", "sha-256": "sha256", "sha-512": "sha512"}
_ITEMS = re.compile(r"(?:^|,)\s*([A-Za-z0-9-]+)\s*=\s*:?([A-Za-z0-9+/]+={0,2}):?\s*(?=[,;]|$)").finditer

_MIN_STRONG_DATE_AGE = timedelta(seconds=1)
"""A date identifies a version once it is this much older than the answer (RFC 9110, section 8.8.2.2)."""


@frozen(order=True)
class Digest:
    """The expected hash of some bytes.

    Attributes:
        algorithm: Its name in ``hashlib``.
        value: The hash, in hexadecimal.
    """

    algorithm: str
    value: str

    def matches(self, file: BinaryIO, first: int = 0) -> bool:
        """Read ``file`` from byte ``first`` to its end and compare."""
        file.seek(first)
        found = hashlib.file_digest(file, lambda: hashlib.new(self.algorithm, usedforsecurity=False))  # type: ignore[arg-type]
        return found.hexdigest() == self.value


@frozen
class Version:
    """One version of a file, as the service's responses identify it.

    Attributes:
        validator: A strong entity tag or date, for ``If-Range``; None if there is none.
        total: Bytes of the whole file; None if unknown.
        digests: Digests of the whole file.
    """

    validator: str | None = None
    total: int | None = None
    digests: frozenset[Digest] = frozenset()


@frozen
class Extent:
    """What one response carries.

    Attributes:
        first: Where its body begins in the file.
        end: Where it ends, exclusive; None if unknown.
        version: Of which version of the file.
        digests: Digests of the body alone.
    """

    first: int
    end: int | None
    version: Version
    digests: frozenset[Digest] = frozenset()


def extent_of(response: MediaResponse, have: int, known: Version) -> Extent:
    """Return what a response carries.

    Args:
        response: The response.
        have: Bytes from an earlier attempt, which were not requested again.
        known: The version that these belong to.

    Raises:
        DownloadError: The response lacks this, contradicts itself, or does not continue the earlier bytes.
    """
    headers = response.headers
    coding = headers.get("content-encoding", "").strip().lower()
    if coding not in {"", "identity"}:
        raise DownloadError(f"the service sent a compressed body ({presentable(coding, 40)}), which was not requested")
    if response.status == 200 and "content-range" not in headers:  # noqa: PLR2004
        return _whole_extent(response, headers)
    first, end, total = _parsed_range(response, headers)
    resumed = first > 0
    version = Version(_validator(headers), known.total if resumed and total is None else total, whole_digests(headers))
    if version.total is None:
        raise DownloadError("the service sent a part of the file without its total length")
    if first not in {0, have}:
        raise DownloadError(f"the service resumed at byte {first}, not {have}")
    if resumed and known.total not in {None, version.total}:
        raise DownloadError(f"the file changed on the server: it has {version.total} bytes now, {known.total} before")
    if resumed and not _is_same_version(version.validator, headers, known.validator):
        raise DownloadError("the service resumed a different version of the file")
    whole = first == 0 and end == version.total
    if resumed:
        version = Version(known.validator, version.total, version.digests | known.digests)
    return Extent(first, end, version, content_digests(headers, whole=whole))


def _whole_extent(response: MediaResponse, headers: Mapping[str, str]) -> Extent:
    length = response.content_length
    content = content_digests(headers, whole=True)
    version = Version(_validator(headers), length, whole_digests(headers))
    chunked = "chunked" in headers.get("transfer-encoding", "").lower()
    if length is None and not chunked and not content and not version.digests:
        # Such a body ends with the connection, even if that broke.
        raise DownloadError("the response has no Content-Length, so the file can't be checked for completeness")
    return Extent(0, length, version, content)


def _parsed_range(response: MediaResponse, headers: Mapping[str, str]) -> tuple[int, int, int | None]:
    found = _CONTENT_RANGE(headers.get("content-range", ""))
    if found is None:
        raise DownloadError("the service sent a part of the file without a Content-Range header")
    first, end, total = int(found[1]), int(found[2]) + 1, None if found[3] == "*" else int(found[3])
    length = response.content_length
    if end <= first or (total is not None and end > total) or length not in {None, end - first}:
        raise DownloadError("the service sent a part whose Content-Range and length contradict each other")
    if response.status == 200 and (first, end) != (0, total):  # noqa: PLR2004
        raise DownloadError("the service sent a part of the file with the status of a whole file")
    return first, end, total


def _is_same_version(validator: str | None, headers: Mapping[str, str], wanted: str | None) -> bool:
    """Return whether a part belongs to the expected version: every part repeats the tag, but not always the date."""
    if wanted is not None and not wanted.startswith('"'):
        return headers.get("last-modified", wanted).strip() == wanted
    return validator == wanted


def _validator(headers: Mapping[str, str]) -> str | None:
    """Return what identifies this version: a strong tag, or a date that is old enough."""
    tag = headers.get("etag", "").strip()
    if tag.startswith('"') and tag.isascii():
        return tag
    modified = headers.get("last-modified", "").strip()
    then, now = _date(modified), _date(headers.get("date", ""))
    return modified if modified.isascii() and then and now and now - then >= _MIN_STRONG_DATE_AGE else None


def _date(text: str) -> datetime | None:
    try:
        date = parsedate_to_datetime(text)
    except (ValueError, TypeError, IndexError, OverflowError):
        return None
    return date if date.tzinfo else date.replace(tzinfo=UTC)


def whole_digests(headers: Mapping[str, str]) -> frozenset[Digest]:
    """Return the digests of the whole file, which a response with a part of it may carry as well.

    Args:
        headers: Names in lower case.
    """
    return frozenset(_valid_digests([*_digest_items(headers, "repr-digest"), *_digest_items(headers, "digest")]))


def content_digests(headers: Mapping[str, str], *, whole: bool) -> frozenset[Digest]:
    """Return the digests of the bytes that this response carries.

    Args:
        headers: Names in lower case.
        whole: Whether these are the whole file; otherwise ``Content-MD5`` is ambiguous.
    """
    md5 = [("md5", headers.get("content-md5", "").strip())] if whole else []
    return frozenset(_valid_digests([*_digest_items(headers, "content-digest"), *md5]))


def _digest_items(headers: Mapping[str, str], name: str) -> list[tuple[str, str]]:
    return [(found[1], found[2]) for found in _ITEMS(headers.get(name, ""))]


def _valid_digests(items: Iterable[tuple[str, str]]) -> Iterator[Digest]:
    for name, text in items:
        algorithm = _ALGORITHMS.get(name.lower())
        try:
            value = base64.b64decode(text, validate=True)
        except (binascii.Error, ValueError):
            continue
        # A value of another length is not a digest in this encoding; it can't be compared.
        if algorithm and len(value) == hashlib.new(algorithm, usedforsecurity=False).digest_size:
            yield Digest(algorithm, value.hex())
