"""OAuth 1.0 signatures, and the clock offset of their timestamps."""

from __future__ import annotations

import logging
import secrets
from collections.abc import Iterable
from datetime import UTC, datetime
from functools import lru_cache
from urllib.parse import urlsplit

from attrs import field, frozen
from authlib.oauth1.rfc5849.signature import hmac_sha1_signature

from ..config import Credentials, SignaturePlacement, UserToken
from ..errors import APIError, AuthenticationError
from .http_date import parse_http_date
from .request import Request, encoded, joined, percent_encode

logger = logging.getLogger("sevendigital_async")

TOLERANCE = 2.0
"""Seconds by which an offset must differ from the one that was used to be worth another try."""

EARLIEST = datetime(2024, 1, 1, tzinfo=UTC).timestamp()
"""A clock that shows an earlier time than this package's first year is not set."""

MAX_OFFSET = 366 * 86_400.0
"""Seconds by which two clocks that are both set may differ."""


def offset_in(error: APIError, date: str | None, now: float, used: float) -> float | None:
    """Return the clock offset, in seconds, that a refusal teaches us.

    Args:
        error: What the service said.
        date: The answer's ``Date`` header.
        now: This machine's time, seconds since the epoch.
        used: The offset with which the refused request was signed.

    Returns:
        The offset, or None if the refusal is not about the timestamp, teaches nothing new, or shows a time that the
        service's clock can't have.
    """
    if not isinstance(error, AuthenticationError) or "timestamp" not in error.message.lower():
        return None
    there = parse_http_date(date)
    if there is None:
        return None
    offset = there - now
    if there < EARLIEST or (now >= EARLIEST and abs(offset) > MAX_OFFSET):
        logger.warning("the answer's Date is %.0f days from this machine's clock; not signing with it", offset / 86_400)
        return None
    return offset if abs(offset - used) > TOLERANCE else None


@frozen
class SignedRequest:
    """A request as it goes out, byte for byte. Its repr shows neither the query nor the headers."""

    http_method: str
    url: str = field(repr=False)
    headers: dict[str, str] = field(repr=False)
    body: bytes | None = field(repr=False)


def new_nonce() -> str:
    """Return 128 random bits as text."""
    return secrets.token_hex(16)


def sign(
    request: Request,
    credentials: Credentials,
    user: UserToken | None = None,
    *,
    nonce: str,
    timestamp: int,
    placement: SignaturePlacement = SignaturePlacement.HEADER,
) -> SignedRequest:
    """Sign ``request`` for the partner alone (two-legged) or for a user as well (three-legged).

    Query and form parameters take part in the signature, other bodies don't.
    """
    query, form = encoded(request.query), encoded(request.form or ())
    # What is written out here needs no encoding.
    oauth = [
        ("oauth_consumer_key", percent_encode(credentials.consumer_key)),
        ("oauth_nonce", percent_encode(nonce)),
        ("oauth_signature_method", "HMAC-SHA1"),
        ("oauth_timestamp", str(timestamp)),
        *([("oauth_token", percent_encode(user.token))] if user else []),
        ("oauth_version", "1.0"),
    ]
    base = base_string(request.http_method, request.url, [*query, *form, *oauth])
    signature = hmac_sha1_signature(base, credentials.consumer_secret, user.secret if user else "")
    # Base64 has three characters to encode; quote() would look at each of them.
    signature = signature.replace("+", "%2B").replace("/", "%2F").replace("=", "%3D")
    oauth.append(("oauth_signature", signature))
    headers: dict[str, str] = {}
    if placement is SignaturePlacement.QUERY:
        query += oauth
    else:
        headers["Authorization"] = "OAuth " + ", ".join([f'{name}="{value}"' for name, value in oauth])
    body = request.body if request.form is None else joined(form).encode()
    if request.content_type:
        headers["Content-Type"] = request.content_type
    url = f"{request.url}?{joined(query)}" if query else request.url
    return SignedRequest(request.http_method, url, headers, body)


def base_string(http_method: str, url: str, pairs: Iterable[tuple[str, str]]) -> str:
    """Return the text that is signed (RFC 5849, section 3.4.1): method, URL without query, sorted parameters.

    Args:
        http_method: In capitals.
        url: Without its query.
        pairs: All parameters, encoded.
    """
    # The parts are encoded already, so these three are all that is left to encode; quote() would look at each letter.
    twice = joined(sorted(pairs)).replace("%", "%25").replace("&", "%26").replace("=", "%3D")
    return f"{http_method}&{_base_url(url)}&{twice}"


@lru_cache(maxsize=256)
def _base_url(url: str) -> str:
    parts = urlsplit(url)
    host = (parts.hostname or "").lower()
    if ":" in host:
        host = f"[{host}]"
    default_port = {"http": 80, "https": 443}.get(parts.scheme)
    if parts.port is not None and parts.port != default_port:
        host = f"{host}:{parts.port}"
    return percent_encode(f"{parts.scheme}://{host}{parts.path or '/'}")
