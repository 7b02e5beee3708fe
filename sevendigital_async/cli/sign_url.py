"""``sevendigital sign-url``: a call as one URL."""

from __future__ import annotations

from typing import Annotated

import typer
from attrs import evolve

from ..config import Dialect, Settings
from .arguments import complete_operation, find_operation, read_arguments
from .connection import BaseUrl, DialectName, Key, Secret, Token, TokenSecret, acting_for, open_client
from .output import say

HELP = """Print a signed URL for an operation that is a GET, say for a player. Nothing is sent.

The URL holds a signature, so treat it as a secret; the service accepts it once, and for a few minutes.

\b
Example:
  sevendigital sign-url platform.streaming.preview track_id=123
"""


def sign_url(
    operation: Annotated[
        str, typer.Argument(metavar="OPERATION", help="Its dotted name or id.", autocompletion=complete_operation)
    ],
    arguments: Annotated[list[str] | None, typer.Argument(metavar="[KEY=VALUE]...", help="Its arguments.")] = None,
    *,
    dialect: DialectName = Dialect.OPENAPI,
    base_url: BaseUrl = None,
    key: Key = "",
    secret: Secret = "",
    user_token: Token = "",
    user_secret: TokenSecret = "",
) -> None:
    """Sign one URL."""
    found = find_operation(operation)
    settings = evolve(Settings().with_env(), dialect=dialect)
    values = read_arguments(found, arguments or [], settings.dialect)
    client = acting_for(open_client(key, secret, base_url, settings), user_token, user_secret)
    say(client.sign_url(found, **values))
