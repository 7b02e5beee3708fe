"""How a partner comes by a user's token (OAuth 1.0, three-legged); documented in the guide only."""

from __future__ import annotations

from collections.abc import Mapping

from ..config import Dialect
from ..models import OAuthToken
from .operation import Auth, Binding, Operation, Parameter, Safety, country_parameter, parameter

COUNTRY = country_parameter()


def bound(path: str, *arguments: Parameter) -> Mapping[Dialect, Binding]:
    """Bind an operation to a path below ``/1.2/oauth``; the guide is all there is, in either dialect."""
    binding = Binding("GET", f"/1.2/oauth{path}", arguments)
    return {Dialect.OPENAPI: binding, Dialect.LIVE: binding}


# A repeated request leaves an unused token behind, and has no other effect.
REQUEST_TOKEN = Operation(
    id="oauthRequestToken",
    name="oauth.request_token",
    summary="A token for the user to authorise.",
    auth=Auth.TWO_LEGGED,
    safety=Safety.IDEMPOTENT,
    model=OAuthToken,
    bindings=bound("/requesttoken", parameter("client_identifier", wire="xoauth_client_identifier"), COUNTRY),
)

# Signed with the request token as the user's. A repeat may find it spent, or push out an older access token.
ACCESS_TOKEN = Operation(
    id="oauthAccessToken",
    name="oauth.access_token",
    summary="The user's access token, for a request token that the user has authorised.",
    auth=Auth.THREE_LEGGED,
    safety=Safety.UNSAFE,
    model=OAuthToken,
    bindings=bound("/accesstoken", COUNTRY),
)
