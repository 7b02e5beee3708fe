"""How a partner comes by a user's token (OAuth 1.0, three-legged); documented in the guide and the vendor's clients."""

from __future__ import annotations

from collections.abc import Mapping

from ..config import Dialect
from ..models import OAuthToken
from .operation import Auth, Binding, Operation, Parameter, ParameterLocation, Safety, country_parameter, parameter

COUNTRY = country_parameter()


def bind(path: str, *arguments: Parameter) -> Mapping[Dialect, Binding]:
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
    bindings=bind("/requesttoken", parameter("client_identifier", wire="xoauth_client_identifier"), COUNTRY),
)

AUTHORISE = Operation(
    id="oauthAuthoriseRequestToken",
    name="oauth.authorise",
    summary="Authorise a request token for a user who gives a password.",
    auth=Auth.TWO_LEGGED,
    safety=Safety.UNSAFE,
    instead="only the live dialect has it; send the user to authorise_url",
    bindings={
        Dialect.LIVE: Binding(
            "POST",
            "/1.2/oauth/requestToken/authorise",
            (
                parameter("request_token", ParameterLocation.FORM, wire="token", required=True),
                parameter("username", ParameterLocation.FORM, required=True),
                parameter("password", ParameterLocation.FORM, required=True),
                COUNTRY,
            ),
        )
    },
)

# Signed with the request token as the user's. A repeat may find it spent, or push out an older access token.
ACCESS_TOKEN = Operation(
    id="oauthAccessToken",
    name="oauth.access_token",
    summary="The user's access token, for a request token that the user has authorised.",
    auth=Auth.THREE_LEGGED,
    safety=Safety.UNSAFE,
    model=OAuthToken,
    bindings=bind("/accesstoken", COUNTRY),
)
