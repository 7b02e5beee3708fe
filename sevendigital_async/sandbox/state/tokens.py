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

    _requested: dict[str, RequestToken] = Factory(dict)
    _access: dict[str, _AccessToken] = Factory(dict)
    _issued: int = 0

    def request(self, identifier: str) -> UserToken:
        pair = self._pair()
        self._requested[pair.token] = RequestToken(pair, identifier)
        return pair

    def requested(self, token: str) -> RequestToken | None:
        """Return a request token that was not exchanged yet."""
        return self._requested.get(token)

    def exchange(self, token: RequestToken, user: str) -> UserToken:
        """Hand out an access token of ``user``, who has authorised ``token``; this uses up ``token``."""
        del self._requested[token.pair.token]
        held = [
            name
            for name, access in self._access.items()
            if (access.user, access.identifier) == (user, token.identifier)
        ]
        for oldest in held[: len(held) - MAX_ACCESS_TOKENS + 1]:
            del self._access[oldest]
        pair = self._pair()
        self._access[pair.token] = _AccessToken(user, token.identifier, pair.secret)
        return pair

    def signer_by_request(self, token: str) -> tuple[str, str] | None:
        """Return a request token itself as the one who signs with it, and its secret."""
        requested = self._requested.get(token)
        return None if requested is None else (token, requested.pair.secret)

    def holder(self, token: str) -> tuple[str, str] | None:
        access = self._access.get(token)
        return None if access is None else (access.user, access.secret)

    def _pair(self) -> UserToken:
        self._issued += 1
        digest = hashlib.sha256(f"token {self._issued}".encode()).hexdigest()
        return UserToken(digest[:24], digest[24:])
