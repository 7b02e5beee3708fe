"""The OAuth flow; the user's part of it is a page."""

from __future__ import annotations

from ..answers import Answer, RefusalError, Token
from ..calls import Call
from .request_fields import optional_country


def request_token(call: Call) -> Answer:
    optional_country(call)
    pair = call.state.tokens.issue_request_token(call.arguments.get("client_identifier", ""))
    return Answer(content=Token("oauth_request_token", pair.token, pair.secret))


def authorise(call: Call) -> Answer:
    """Authorise a request token for a user who knows the password."""
    optional_country(call)
    requested = call.state.tokens.find_request_token(call.arguments["request_token"])
    if requested is None:
        raise RefusalError(401, "OAuth authentication error: Request token refused")
    user = call.state.users.find(call.arguments["username"])
    if user is None or not user.has_password(call.arguments["password"]):
        raise RefusalError(401, "OAuth authentication error: Not authorised - no user credentials provided")
    requested.user = user.id
    return Answer()


def access_token(call: Call) -> Answer:
    """Exchange an authorised request token, the one that signed."""
    optional_country(call)
    requested = None if call.user is None else call.state.tokens.find_request_token(call.user)
    if requested is None:
        raise RefusalError(401, "OAuth authentication error: Request token refused")
    if requested.user is None:
        raise RefusalError(401, "OAuth authentication error: Request token is not authorised")
    pair = call.state.tokens.exchange_request_token(requested, requested.user)
    return Answer(content=Token("oauth_access_token", pair.token, pair.secret))


HANDLERS = {"oauth.request_token": request_token, "oauth.authorise": authorise, "oauth.access_token": access_token}
