"""Users' tokens from a file."""

from __future__ import annotations

from pathlib import Path

import orjson

from ..config import UserToken
from ..errors import ConfigurationError
from ..models.duplicate_keys import duplicate_key

MEMBERS = {"token", "secret"}


def read_tokens(path: Path) -> dict[str, UserToken]:
    """Read a JSON object of user id to ``{"token": ..., "secret": ...}``.

    Raises:
        ConfigurationError: Unreadable or malformed; the message names the user at fault, and no token or secret.
    """
    try:
        content = path.read_bytes()
        wanted = orjson.loads(content)
    except (OSError, ValueError) as error:
        if isinstance(error, orjson.JSONDecodeError):
            # The error keeps the document, secrets included; only its words go on.
            raise ConfigurationError(f"the tokens in {path} are not valid JSON: {error}") from None
        words = error.strerror if isinstance(error, OSError) else error
        raise ConfigurationError(f"cannot read the tokens in {path}: {words}") from None
    if (twice := duplicate_key(content)) is not None:
        raise ConfigurationError(f"the tokens in {path} have the key {twice!r} twice")
    if not isinstance(wanted, dict):
        raise ConfigurationError(f"the tokens in {path} must be a JSON object from user id to token")
    return {user: _token(user, value, path) for user, value in wanted.items()}


def _token(user: str, value: object, path: Path) -> UserToken:
    if not isinstance(value, dict) or value.keys() != MEMBERS:
        raise ConfigurationError(f'user {user!r} in {path} needs an object of "token" and "secret", and nothing else')
    try:
        return UserToken(**value)
    except ConfigurationError as error:
        raise ConfigurationError(f"user {user!r} in {path}: {error}") from None
