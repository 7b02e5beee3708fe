"""The options that every command which talks to the service has, and the client they make."""

from __future__ import annotations

from typing import Annotated

import typer

from ..client import ApiClient, SevenDigital
from ..config import (
    BASE_URL_VARIABLE,
    DIALECT_VARIABLE,
    KEY_VARIABLE,
    SECRET_VARIABLE,
    Credentials,
    Dialect,
    Settings,
    UserToken,
)
from ..errors import ConfigurationError

USER_TOKEN_VARIABLE = "SEVENDIGITAL_USER_TOKEN"  # noqa: S105 - the variable's name, not its value
USER_SECRET_VARIABLE = "SEVENDIGITAL_USER_SECRET"  # noqa: S105 - as above

BaseUrl = Annotated[
    str | None,
    typer.Option(
        "--base-url", metavar="URL", envvar=BASE_URL_VARIABLE, help="One origin for all requests, such as a sandbox's."
    ),
]
DialectName = Annotated[
    Dialect,
    typer.Option(
        "--dialect",
        envvar=DIALECT_VARIABLE,
        case_sensitive=False,
        help="openapi, the published contract; or live, the vendor's live pages.",
    ),
]
Key = Annotated[str, typer.Option("--key", envvar=KEY_VARIABLE, help="The consumer key.", show_default=False)]
Secret = Annotated[
    str,
    typer.Option(
        "--secret",
        envvar=SECRET_VARIABLE,
        show_default=False,
        help="The consumer secret; better given by the environment, for others can read command lines.",
    ),
]
Token = Annotated[
    str,
    typer.Option(
        "--user-token", envvar=USER_TOKEN_VARIABLE, show_default=False, help="A user's token, to act for them."
    ),
]
TokenSecret = Annotated[
    str,
    typer.Option("--user-secret", envvar=USER_SECRET_VARIABLE, show_default=False, help="The secret of that token."),
]


def open_client(key: str, secret: str, base_url: str | None, settings: Settings | None = None) -> SevenDigital:
    """Make a client.

    Raises:
        ConfigurationError: Key or secret is missing; the message says which.
    """
    credentials = Credentials.from_env({KEY_VARIABLE: key, SECRET_VARIABLE: secret})
    return SevenDigital(
        credentials.consumer_key, credentials.consumer_secret, base_url=base_url or None, settings=settings
    )


def acting_for(client: SevenDigital, token: str, secret: str) -> ApiClient:
    """Return the client, or a view of it for a user.

    Raises:
        ConfigurationError: A token without its secret, or the other way round.
    """
    if bool(token) != bool(secret):
        raise ConfigurationError("a user's token and its secret go together: --user-token and --user-secret")
    return client.as_user(UserToken(token, secret)) if token else client
