"""OAuth 1.0 with HMAC-SHA1 (RFC 5849). Pure: nonce and timestamp are handed in.

The base string is ours, because authlib's re-parses what we have just built and unescapes OAuth values twice;
the signature over it is authlib's. The tests hold both against oauthlib.
"""

from __future__ import annotations

import secrets
from collections.abc import Iterable
from functools import lru_cache
from urllib.parse import urlsplit

from attrs import field, frozen
from authlib.oauth1.rfc5849.signature import hmac_sha1_signature

from ..config import Credentials, SignaturePlacement, UserToken
from .percent import encoded, joined, percent_encode
from .request import Request


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
