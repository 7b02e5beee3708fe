"""The OAuth 1.0 flow, which gives a partner a user's token."""

from __future__ import annotations

from typing import Protocol

from ..config import UserToken
from ..models import OAuthToken
from ..operations import oauth as ops
from ..session.request import encode_pairs, percent_encode
from . import checks
from .resource import Caller, Resource


class UserCaller(Caller, Protocol):
    """A caller that can sign with a user's token."""

    def as_user(self, token: UserToken) -> Caller:
        """Return a caller that does."""
        ...


class OAuth(Resource):
    """Methods of ``client.oauth``.

    1. ``request = await client.oauth.request_token()``
    2. Send the user to ``client.oauth.authorise_url(request, callback=...)``; the browser returns to the callback.
    3. ``access = await client.oauth.access_token(request)``
    4. ``mine = client.as_user(access.user_token)``; the token stays good until the user revokes it.

    Args:
        caller: What makes the calls.
        consumer_key: The partner's key, which is part of the page's address.
        account_origin: Scheme and host of the page where users sign in.
    """

    def __init__(self, caller: UserCaller, *, consumer_key: str, account_origin: str) -> None:
        super().__init__(caller)
        self._signer = caller
        self._consumer_key = consumer_key
        self._account_origin = account_origin

    async def request_token(self, *, client_identifier: str | None = None, country: str | None = None) -> OAuthToken:
        """Ask for a token that a user can authorise.

        Args:
            client_identifier: What the user will see beside the token later on, such as a device's name.
            country: ISO 3166-1 alpha-2 code of the territory, for keys that are bound to one.

        API: ``GET /1.2/oauth/requesttoken``
        """
        return await self._one(OAuthToken, ops.REQUEST_TOKEN, client_identifier=client_identifier, country=country)

    def authorise_url(self, request_token: OAuthToken | UserToken | str, *, callback: str | None = None) -> str:
        """Return the address of the page where a user signs in and agrees. Nothing is requested.

        Args:
            request_token: What ``request_token`` gave, or its ``token`` alone.
            callback: Where the user is sent afterwards, with ``oauth_token`` and ``status`` in the query.

        Raises:
            InvalidArgumentError: One of them is not text that a URL can carry.
        """
        token = request_token.token if isinstance(request_token, OAuthToken | UserToken) else request_token
        checks.url_text("request_token", token)
        checks.non_empty("request_token", token)
        if callback is not None:
            checks.url_text("callback", callback)
        return authorise_url(self._account_origin, self._consumer_key, token, callback)

    async def authorise(
        self,
        request_token: OAuthToken | UserToken | str,
        *,
        username: str,
        password: str,
        country: str | None = None,
    ) -> None:
        """Authorise a request token for a user who has given the partner a password; in the live dialect only.

        It takes the place of the page at `authorise_url`, and needs the vendor's permission. It is not repeated after
        a lost response; start the flow again then.

        Args:
            request_token: What ``request_token`` gave, or its ``token`` alone.
            username: The user's email address.
            password: The user's password; sent in the body, and in no log or error.
            country: ISO 3166-1 alpha-2 code of the territory, for keys that are bound to one.

        Raises:
            AuthenticationError: The address or the password is wrong, or the key may not do this.

        API: ``POST /1.2/oauth/requestToken/authorise``
        """
        token = request_token.token if isinstance(request_token, OAuthToken | UserToken) else request_token
        checks.non_empty("request_token", token)
        checks.non_empty("username", username)
        checks.non_empty("password", password)
        await self._none(ops.AUTHORISE, request_token=token, username=username, password=password, country=country)

    async def access_token(self, request_token: OAuthToken | UserToken, *, country: str | None = None) -> OAuthToken:
        """Exchange a request token that the user has authorised for the user's access token.

        It is not repeated after a lost response; start the flow again then.

        Args:
            request_token: What ``request_token`` gave.
            country: ISO 3166-1 alpha-2 code of the territory, for keys that are bound to one.

        Raises:
            AuthenticationError: The user has not agreed, or the token has been exchanged before.

        API: ``GET /1.2/oauth/accesstoken``
        """
        token = request_token.user_token if isinstance(request_token, OAuthToken) else request_token
        answer = await self._signer.as_user(token).call(ops.ACCESS_TOKEN, country=country)
        assert isinstance(answer, OAuthToken)
        return answer


def authorise_url(origin: str, consumer_key: str, request_token: str, callback: str | None = None) -> str:
    """Spell the address of the page where a user authorises a request token.

    Args:
        origin: Scheme and host of the account pages.
        consumer_key: The partner's key.
        request_token: The token, without its secret.
        callback: Where the user is sent afterwards.
    """
    pairs = [("oauth_token", request_token), *([] if callback is None else [("oauth_callback", callback)])]
    return f"{origin}/{percent_encode(consumer_key)}/oauth/authorise?{encode_pairs(pairs)}"
