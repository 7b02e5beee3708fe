"""Lookup of the token that signs a request, in the mapping or by the function given as ``user_tokens``."""

from __future__ import annotations

import inspect
from collections import ChainMap, UserDict
from collections.abc import Awaitable, Callable, Iterable, Mapping
from types import MappingProxyType

from ..config import UserToken
from ..errors import ConfigurationError
from .callbacks import CallbackError, Callbacks, call

TokenFunction = Callable[[str], Awaitable[UserToken | None] | UserToken | None]
UserTokens = Mapping[str, UserToken] | TokenFunction

IN_MEMORY = (dict, MappingProxyType, UserDict, ChainMap)
"""Mappings that are checked as a whole; iterating another one may read a database."""


def check_tokens(tokens: object) -> None:
    """Check ``user_tokens``.

    Raises:
        ConfigurationError: Not a mapping or function, or a mapping whose keys or values are of the wrong type.
    """
    if tokens is None or (callable(tokens) and not isinstance(tokens, Mapping)):
        return
    if not isinstance(tokens, Mapping):
        raise ConfigurationError(f"user_tokens must be a mapping or a function, not {_type_of(tokens)}")
    if not isinstance(tokens, IN_MEMORY):
        return
    items: Iterable[tuple[object, object]] = tokens.items()
    for user_id, token in items:
        if not isinstance(user_id, str):
            raise ConfigurationError(f"the keys of user_tokens are user ids as text, such as '7'; one is {user_id!r}")
        if token is not None and not isinstance(token, UserToken):
            raise ConfigurationError(f"user_tokens[{user_id!r}] must be a UserToken or None, not {_type_of(token)}")


class TokenLookup:
    """Looks up users' tokens."""

    def __init__(self, tokens: UserTokens | None, callbacks: Callbacks) -> None:
        check_tokens(tokens)
        self._tokens = tokens
        self._callbacks = callbacks

    async def token_of(self, user_id: str) -> UserToken | None:
        """Return a user's token, or None if the partner signs alone for them.

        Raises:
            CallbackError: The lookup failed, took too long, or returned something else.
        """
        tokens = self._tokens
        if tokens is None:
            return None
        if isinstance(tokens, Mapping):
            token: object = call(tokens.get, user_id)
            if token is None and _has_number(tokens, user_id):
                raise CallbackError(f"has the key {user_id}, a number; keys must be text, such as {user_id!r}")
        else:
            token = await self._callbacks.call("user_tokens", tokens, user_id)
        if token is None or isinstance(token, UserToken):
            return token
        if inspect.iscoroutine(token):
            token.close()
        raise CallbackError(f"returned {_type_of(token)}; it must return a UserToken or None")


def _has_number(tokens: Mapping[str, UserToken], user_id: str) -> bool:
    """Return whether a mapping has a user id as a number only, so that the partner would sign by mistake."""
    if not user_id.isascii() or not user_id.isdecimal() or str(int(user_id)) != user_id:
        return False
    try:
        return call(tokens.__contains__, int(user_id))
    except CallbackError:
        return False  # a mapping made for text may not accept a number


def _type_of(value: object) -> str:
    return f"an object of type {type(value).__name__}"
