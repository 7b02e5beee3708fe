"""Tokens of the three-legged OAuth flow."""

from __future__ import annotations

from attrs import NOTHING, frozen

from ..config import UserToken
from .wire import called, wire


@called("oauth_request_token", "oauth_access_token")
@frozen(kw_only=True)
class OAuthToken:
    """A request token, to be authorised by the user, or the access token that comes of it.

    Attributes:
        token: Goes with every request; kept out of the repr.
        secret: Never leaves the program; kept out of the repr.
    """

    token: str = wire("oauth_token", "oauthToken", default=NOTHING, repr=False)
    secret: str = wire("oauth_token_secret", "oauthTokenSecret", default=NOTHING, repr=False)

    @property
    def user_token(self) -> UserToken:
        """What ``client.as_user`` takes."""
        return UserToken(self.token, self.secret)
