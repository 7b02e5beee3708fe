"""Delivers media whole or in part (RFC 9110: Range and If-Range)."""

from __future__ import annotations

import hashlib
import re
from email.utils import format_datetime
from urllib.parse import quote

from attrs import frozen

from .recordings import Media

_RANGE = re.compile(r"\s*bytes\s*=\s*(\d{0,15})\s*-\s*(\d{0,15})\s*", re.IGNORECASE | re.ASCII)


@frozen
class MediaResponse:
    """A response that carries media."""

    status: int
    headers: dict[str, str]
    body: bytes


def media_response(media: Media, range_header: str | None, if_range_header: str | None) -> MediaResponse:
    """Return the requested range of ``media``.

    Args:
        media: The file.
        range_header: The ``Range`` header; several ranges at once are answered with the whole file.
        if_range_header: The ``If-Range`` header.

    Returns:
        200 with the whole file, 206 with a part, or 416 if the range is outside the file.
    """
    body = media.make_bytes()
    headers = {
        "Content-Type": media.content_type,
        "Content-Disposition": _disposition(media),
        "ETag": f'"{hashlib.sha256(body).hexdigest()[:24]}"',
        "Last-Modified": format_datetime(media.modified, usegmt=True),
        "Accept-Ranges": "bytes",
    }
    found = _RANGE.fullmatch(range_header or "")
    unchanged = if_range_header is None or if_range_header.strip() in {headers["ETag"], headers["Last-Modified"]}
    if found is None or not any(found.groups()) or not unchanged:
        return MediaResponse(200, headers, body)
    first, last = _bounds(found[1], found[2], len(body))
    if found[1] and found[2] and int(found[1]) > int(found[2]):
        return MediaResponse(200, headers, body)
    if first > last:
        return MediaResponse(416, {"Accept-Ranges": "bytes", "Content-Range": f"bytes */{len(body)}"}, b"")
    headers["Content-Range"] = f"bytes {first}-{last}/{len(body)}"
    return MediaResponse(206, headers, body[first : last + 1])


def _bounds(first: str, last: str, size: int) -> tuple[int, int]:
    end = size - 1
    if not first:
        return (max(0, size - int(last)), end)
    return int(first), min(int(last), end) if last else end


def _disposition(media: Media) -> str:
    kind = "attachment" if media.attachment else "inline"
    plain = media.filename.encode("ascii", "replace").decode().replace('"', "'")
    return f"{kind}; filename=\"{plain}\"; filename*=UTF-8''{quote(media.filename, safe='')}"
