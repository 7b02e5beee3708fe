"""Checks OAuth 1.0 signatures (RFC 5849), written from the RFC and sharing no line with the client's signer."""

from __future__ import annotations

import base64
import hmac
import re
from collections.abc import Callable
from urllib.parse import parse_qsl, quote, unquote

from attrs import field, frozen

from .accounts import Accounts

SIGNATURE = "oauth_signature"
REQUIRED_PARAMETERS = ("oauth_consumer_key", "oauth_nonce", SIGNATURE, "oauth_signature_method", "oauth_timestamp")

_HEADER_PAIR = re.compile(r'\s*([^\s=,"]+)="([^"]*)"\s*(?:,|$)')
_DEFAULT_PORT = ":80"


class OAuthError(Exception):
    """The signature of a request was not accepted; the text says why."""


@frozen
class SignedRequest:
    """What a signature covers, exactly as it arrived; ``form`` is a form-encoded body, for others are not signed."""

    method: str
    host: str
    target: str
    authorization: str | None = field(default=None, repr=False)
    form: bytes = field(default=b"", repr=False)


def parameters(request: SignedRequest) -> list[tuple[str, str]]:
    """Collect and decode the parameters that are signed, from the header, the query and the form."""
    return [
        *_header_parameters(request.authorization),
        *_form_decode(request.target.partition("?")[2]),
        *_form_decode(request.form.decode("utf-8", "surrogateescape")),
    ]


def base_string(request: SignedRequest, pairs: list[tuple[str, str]]) -> str:
    """Build the text that is signed; ``pairs`` are all parameters, the signature itself is left out."""
    authority = request.host.lower().removesuffix(_DEFAULT_PORT)
    path = request.target.partition("?")[0] or "/"
    normalised = "&".join(
        f"{name}={value}"
        for name, value in sorted((_encode(name), _encode(value)) for name, value in pairs if name != SIGNATURE)
    )
    return "&".join((request.method.upper(), _encode(f"http://{authority}{path}"), _encode(normalised)))


def sign(text: str, consumer_secret: str, token_secret: str) -> str:
    key = f"{_encode(consumer_secret)}&{_encode(token_secret)}"
    return base64.b64encode(hmac.digest(key.encode(), text.encode(), "sha1")).decode()


class Verifier:
    """Accepts or refuses signed requests, and remembers their nonces."""

    def __init__(self, accounts: Accounts, *, tolerance: float, allow_nonce_reuse: bool) -> None:
        self._accounts = accounts
        self._tolerance = tolerance
        self._allow_nonce_reuse = allow_nonce_reuse
        self._spent: dict[int, set[tuple[str, str]]] = {}

    def verify(
        self, request: SignedRequest, now: float, *, find: Callable[[str], tuple[str, str] | None] | None = None
    ) -> str | None:
        """Check one request.

        Args:
            request: The request as it arrived.
            now: Seconds since the epoch, by the sandbox's clock.
            find: Knows whose a token is, and its secret; None for the users' access tokens.

        Returns:
            The id of the user whose token signed it; None if the partner signed alone.

        Raises:
            OAuthError: It was not accepted.
        """
        pairs = parameters(request)
        claims = _claims(pairs)
        partner = self._accounts.partner
        if claims["oauth_consumer_key"] != partner.consumer_key:
            raise OAuthError("Consumer key refused")
        timestamp = self._timestamp(claims["oauth_timestamp"], now)
        token = claims.get("oauth_token", "")
        holder = (find or self._accounts.find)(token)
        if token and holder is None:
            raise OAuthError("Access token refused")
        user, secret = holder or (None, "")
        expected = sign(base_string(request, pairs), partner.consumer_secret, secret)
        if not hmac.compare_digest(expected.encode(), claims[SIGNATURE].encode("utf-8", "replace")):
            raise OAuthError("Signature refused")
        if not self._spend(timestamp, (claims["oauth_nonce"], token), now):
            raise OAuthError("Nonce refused, it was used before")
        return user

    def _timestamp(self, text: str, now: float) -> int:
        timestamp = int(text) if re.fullmatch(r"[0-9]{1,15}", text) else None
        if timestamp is None or abs(now - timestamp) > self._tolerance:
            raise OAuthError("Timestamp refused")
        return timestamp

    def _spend(self, timestamp: int, nonce: tuple[str, str], now: float) -> bool:
        if timestamp not in self._spent:
            # Older nonces need no memory: their timestamps are refused.
            self._spent = {moment: seen for moment, seen in self._spent.items() if now - moment <= self._tolerance}
            self._spent[timestamp] = set()
        seen = self._spent[timestamp]
        if nonce in seen and not self._allow_nonce_reuse:
            return False
        seen.add(nonce)
        return True


def _claims(pairs: list[tuple[str, str]]) -> dict[str, str]:
    protocol = [(name, value) for name, value in pairs if name.startswith("oauth_")]
    claims = dict(protocol)
    if len(claims) != len(protocol):
        raise OAuthError("A protocol parameter appears more than once")
    missing = [name for name in REQUIRED_PARAMETERS if not claims.get(name)]
    if missing:
        raise OAuthError(f"Request is not signed, it lacks {missing[0]}")
    if claims["oauth_signature_method"] != "HMAC-SHA1" or claims.get("oauth_version", "1.0") != "1.0":
        raise OAuthError("Only HMAC-SHA1 signatures of version 1.0 are accepted")
    return claims


def _header_parameters(header: str | None) -> list[tuple[str, str]]:
    scheme, _, rest = (header or "").strip().partition(" ")
    if scheme.lower() != "oauth":
        return []
    pairs: list[tuple[str, str]] = []
    position = 0
    while position < len(rest):
        found = _HEADER_PAIR.match(rest, position)
        if found is None:
            raise OAuthError("Authorization header is malformed")
        pairs.append((unquote(found[1], errors="surrogateescape"), unquote(found[2], errors="surrogateescape")))
        position = found.end()
    return [(name, value) for name, value in pairs if name.lower() != "realm"]


def _form_decode(text: str) -> list[tuple[str, str]]:
    return parse_qsl(text, keep_blank_values=True, errors="surrogateescape")


def _encode(text: str) -> str:
    return quote(text, safe="", errors="surrogateescape")
