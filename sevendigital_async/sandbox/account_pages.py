"""The pages for end users: authorisation of a partner, and media errors."""

from __future__ import annotations

from urllib.parse import urlencode, urlsplit

from aiohttp import web

from .accounts import Accounts
from .media_errors import ERROR_PAGE
from .state.tokens import Tokens

DEFAULT_USER = "500123"
"""The user who authorises a request token if the address has no ``user=``."""


class AccountPages:
    """Pages for users, who agree to everything at once here."""

    def __init__(self, accounts: Accounts, tokens: Tokens) -> None:
        self._accounts = accounts
        self._tokens = tokens

    def routes(self) -> list[web.RouteDef]:
        return [
            web.get("/{consumerKey}/oauth/authorise", self._authorise),
            web.get(ERROR_PAGE, self._error),
        ]

    async def _authorise(self, request: web.Request) -> web.StreamResponse:
        token = request.query.get("oauth_token", "")
        requested = self._tokens.find_request_token(token)
        if request.match_info["consumerKey"] != self._accounts.partner.consumer_key or requested is None:
            return web.Response(status=401, text="OAuth authentication error: Request token refused")
        callback = request.query.get("oauth_callback", "")
        if callback and not _is_web_address(callback):
            return web.Response(status=400, text="oauth_callback must be an absolute address")
        requested.user = request.query.get("user") or DEFAULT_USER
        if not callback:
            return web.Response(text="Authorised. You can close this page.")
        query = urlencode({"oauth_token": token, "status": "Authorised"})
        location = f"{callback}{'&' if '?' in callback else '?'}{query}"
        return web.Response(status=302, headers={"Location": location})

    async def _error(self, request: web.Request) -> web.StreamResponse:
        code, message = request.query.get("errorCode", "9001"), request.query.get("errorMsg", "")
        return web.Response(text=f"Something went wrong: {message} ({code})")


def _is_web_address(text: str) -> bool:
    try:
        parts = urlsplit(text)
    except ValueError:
        return False
    return parts.scheme in {"http", "https"} and bool(parts.hostname) and text.isprintable()
