"""The accounts of the sandbox: one partner, and any number of users."""

from __future__ import annotations

from collections.abc import Mapping

from attrs import Factory, frozen

from ..config import Credentials, UserToken
from .state.tokens import Tokens

DEMO_KEY = "sandbox-demo-key"
DEMO_SECRET = "sandbox-demo-secret"  # noqa: S105 - a public demo secret

TOKEN_PREFIX = "sandbox-token-"  # noqa: S105 - as above
SECRET_PREFIX = "sandbox-secret-"  # noqa: S105 - as above


@frozen
class Accounts:
    """The partner and the users' tokens.

    Every user id has a token without being registered: ``sandbox-token-<user id>`` with the secret
    ``sandbox-secret-<user id>``. Tokens of another form are registered by user id.

    Attributes:
        partner: The one consumer key that is accepted, and its secret.
        custom_tokens: Tokens that replace the derived one of their user.
        oauth_tokens: Tokens that the OAuth flow has issued.
    """

    partner: Credentials
    custom_tokens: Mapping[str, UserToken] = Factory(dict)
    oauth_tokens: Tokens = Factory(Tokens)

    def token_for(self, user: str) -> UserToken:
        return self.custom_tokens.get(user) or UserToken(TOKEN_PREFIX + user, SECRET_PREFIX + user)

    def find(self, token: str) -> tuple[str, str] | None:
        """Return the user id and the secret that belong to ``token``; None if there is none."""
        for user, held in self.custom_tokens.items():
            if held.token == token:
                return user, held.secret
        if (holder := self.oauth_tokens.find_access_token(token)) is not None:
            return holder
        user = token.removeprefix(TOKEN_PREFIX)
        return (user, SECRET_PREFIX + user) if user and user != token else None
