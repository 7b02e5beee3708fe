"""Users."""

from __future__ import annotations

from datetime import datetime

from attrs import frozen

from ..config import UserToken
from .wire import wire


@frozen(kw_only=True)
class User:
    """An account, and the token to act for it where one was asked for.

    Attributes:
        id: The service's id of the user, or the partner's own for users that the partner manages.
        email: Where the user can be written to.
        first_name: Given name.
        last_name: Family name.
        country: ISO 3166-1 alpha-2 code.
        created_at: When the account was opened.
        access_token: One half of the user's token; only after signing up or authenticating.
        access_token_secret: The other half.
    """

    id: str | None = wire("id", "userId")
    email: str | None = wire("email", "emailAddress")
    first_name: str | None = None
    last_name: str | None = None
    country: str | None = wire("country", "countryCode")
    created_at: datetime | None = None
    access_token: str | None = wire("accessToken", "oauthToken", "oauth_token", repr=False)
    access_token_secret: str | None = wire("accessTokenSecret", "oauthTokenSecret", "oauth_token_secret", repr=False)

    @property
    def token(self) -> UserToken | None:
        """What ``client.as_user`` takes, if the answer had both halves."""
        if self.access_token is None or self.access_token_secret is None:
            return None
        return UserToken(self.access_token, self.access_token_secret)
