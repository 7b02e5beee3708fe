"""Which bytes of a file an answer carries, and of which version: checked before anything is written."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime

from attrs import frozen

from ..errors import DownloadError
from .body import MediaResponse
from .classify import presentable
from .digests import Digest, of_content, of_whole

_CONTENT_RANGE = re.compile(
    r"\s*bytes\s+([0-9]{1,18})\s*-\s*([0-9]{1,18})\s*/\s*([0-9]{1,18}|\*)\s*", re.IGNORECASE
).fullmatch

_STRONG_AFTER = timedelta(seconds=1)
"""A date tells two versions apart once it is this much older than the answer (RFC 9110, section 8.8.2.2)."""


@frozen
class Version:
    """One version of a file, as far as the service's answers tell it from others.

    Attributes:
        validator: A strong entity tag or date, for ``If-Range``; None if there is none.
        total: Bytes of the whole file; None if unknown.
        digests: Of the whole file.
    """

    validator: str | None = None
    total: int | None = None
    digests: frozenset[Digest] = frozenset()


@frozen
class Extent:
    """What one answer carries.

    Attributes:
        first: Where its body begins in the file.
        end: Where it ends, exclusive; None if unknown.
        version: Of which version of the file.
        digests: Of the body alone.
    """

    first: int
    end: int | None
    version: Version
    digests: frozenset[Digest] = frozenset()


def extent_of(response: MediaResponse, have: int, known: Version) -> Extent:
    """Return what an answer carries.

    Args:
        response: The answer.
        have: Bytes that are there from an earlier try and were not asked for again.
        known: The version that these belong to.

    Raises:
        DownloadError: It can't be told, contradicts itself, or doesn't go with what is there.
    """
    headers = response.headers
    coding = headers.get("content-encoding", "").strip().lower()
    if coding not in {"", "identity"}:
        raise DownloadError(f"the service sent a compressed body ({presentable(coding, 40)}), which was not asked for")
    if response.status == 200 and "content-range" not in headers:  # noqa: PLR2004
        return _whole(response, headers)
    first, end, total = _range(response, headers)
    resumed = first > 0
    version = Version(_validator(headers), known.total if resumed and total is None else total, of_whole(headers))
    if version.total is None:
        raise DownloadError("the service sent a part without saying how long the whole is")
    if first not in {0, have}:
        raise DownloadError(f"the service resumed at byte {first}, not {have}")
    if resumed and known.total not in {None, version.total}:
        raise DownloadError(f"the file has {version.total} bytes now and had {known.total}")
    if resumed and not _same(version.validator, headers, known.validator):
        raise DownloadError("the service resumed something else")
    whole = first == 0 and end == version.total
    if resumed:
        version = Version(known.validator, version.total, version.digests | known.digests)
    return Extent(first, end, version, of_content(headers, whole=whole))


def _whole(response: MediaResponse, headers: Mapping[str, str]) -> Extent:
    length = response.content_length
    content = of_content(headers, whole=True)
    version = Version(_validator(headers), length, of_whole(headers))
    chunked = "chunked" in headers.get("transfer-encoding", "").lower()
    if length is None and not chunked and not content and not version.digests:
        # Such a body ends when the connection does, for whatever reason.
        raise DownloadError("the service announced no length, so nobody can tell whether the file is whole")
    return Extent(0, length, version, content)


def _range(response: MediaResponse, headers: Mapping[str, str]) -> tuple[int, int, int | None]:
    found = _CONTENT_RANGE(headers.get("content-range", ""))
    if found is None:
        raise DownloadError("the service sent a part without saying which (Content-Range)")
    first, end, total = int(found[1]), int(found[2]) + 1, None if found[3] == "*" else int(found[3])
    length = response.content_length
    if end <= first or (total is not None and end > total) or length not in {None, end - first}:
        raise DownloadError("the service sent a part whose Content-Range and length contradict each other")
    if response.status == 200 and (first, end) != (0, total):  # noqa: PLR2004
        raise DownloadError("the service sent a part as if it were the whole")
    return first, end, total


def _same(validator: str | None, headers: Mapping[str, str], wanted: str | None) -> bool:
    """Say whether a part is of the wanted version: a tag is repeated with every part, a date need not be."""
    if wanted is not None and not wanted.startswith('"'):
        return headers.get("last-modified", wanted).strip() == wanted
    return validator == wanted


def _validator(headers: Mapping[str, str]) -> str | None:
    """Return what tells this version from all others: a strong tag, or a date that is old enough."""
    tag = headers.get("etag", "").strip()
    if tag.startswith('"') and tag.isascii():
        return tag
    modified = headers.get("last-modified", "").strip()
    then, now = _date(modified), _date(headers.get("date", ""))
    return modified if modified.isascii() and then and now and now - then >= _STRONG_AFTER else None


def _date(text: str) -> datetime | None:
    try:
        date = parsedate_to_datetime(text)
    except (ValueError, TypeError, IndexError, OverflowError):
        return None
    return date if date.tzinfo else date.replace(tzinfo=UTC)
