"""Tokens of the OAuth flow: asked for, authorised by a user, exchanged for an access token."""

from __future__ import annotations

import hashlib

from attrs import Factory, define, field

from ...config import UserToken

MAX_ACCESS_TOKENS = 3
"""How many a user can have for one client identifier; a further one replaces the oldest."""


@define
class RequestToken:
    """A token that waits for its user; ``identifier`` is what the partner calls the connection."""

    pair: UserToken
    identifier: str
    user: str | None = None


@define
class _AccessToken:
    user: str
    identifier: str
    secret: str = field(repr=False)


@define
class Tokens:
    """Every token that the flow has handed out."""

    _request_tokens: dict[str, RequestToken] = Factory(dict)
    _access_tokens: dict[str, _AccessToken] = Factory(dict)
    _issued_count: int = 0

    def issue_request_token(self, identifier: str) -> UserToken:
        pair = self._new_token()
        self._request_tokens[pair.token] = RequestToken(pair, identifier)
        return pair

    def find_request_token(self, token: str) -> RequestToken | None:
        """Return a request token that was not exchanged yet."""
        return self._request_tokens.get(token)

    def exchange_request_token(self, token: RequestToken, user: str) -> UserToken:
        """Hand out an access token of ``user``, who has authorised ``token``; this uses up ``token``."""
        del self._request_tokens[token.pair.token]
        held = [
            name
            for name, access in self._access_tokens.items()
            if (access.user, access.identifier) == (user, token.identifier)
        ]
        for oldest in held[: len(held) - MAX_ACCESS_TOKENS + 1]:
            del self._access_tokens[oldest]
        pair = self._new_token()
        self._access_tokens[pair.token] = _AccessToken(user, token.identifier, pair.secret)
        return pair

    def find_request_token_secret(self, token: str) -> tuple[str, str] | None:
        """Return a request token itself as the one who signs with it, and its secret."""
        requested = self._request_tokens.get(token)
        return None if requested is None else (token, requested.pair.secret)

    def find_access_token(self, token: str) -> tuple[str, str] | None:
        access = self._access_tokens.get(token)
        return None if access is None else (access.user, access.secret)

    def _new_token(self) -> UserToken:
        self._issued_count += 1
        digest = hashlib.sha256(f"token {self._issued_count}".encode()).hexdigest()
        return UserToken(digest[:24], digest[24:])
