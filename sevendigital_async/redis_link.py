"""The way to a Redis server: its URL without the password, scripts that run there, and what "away" means."""

from __future__ import annotations

import asyncio
import hashlib
import importlib
from collections.abc import Sequence
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit

from .errors import ConfigurationError

ANSWER_WITHIN = 2.0
"""Seconds that Redis has for an answer before it counts as away."""

SCHEMES = frozenset({"redis", "rediss", "unix"})

_AWAY = (
    "LOADING", "READONLY", "MASTERDOWN", "CLUSTERDOWN", "TRYAGAIN", "NOREPLICAS", "MISCONF", "BUSY", "UNBLOCKED",
    "NOAUTH", "WRONGPASS", "NOPERM", "OOM", "-OOM",
)  # fmt: skip
"""Refusals that end without anybody changing this program: Redis starts, fails over, is full, or lacks a permission."""


class RedisAwayError(Exception):
    """Redis did not answer, or can't do what was asked for now; a step may have been taken all the same."""


class RedisScript:
    """A Lua script, and the name that Redis knows it by."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.sha = hashlib.sha1(text.encode(), usedforsecurity=False).hexdigest()


class RedisLink:
    """One Redis server, reached on first use in the running loop.

    Args:
        url: ``redis://[user:password@]host[:port][/database]``, ``rediss://`` for TLS, or ``unix://path``.
            ``?prefix=`` sets apart the keys of several users of one database.

    Raises:
        ConfigurationError: No such URL; the message does not quote it.
    """

    def __init__(self, url: str) -> None:
        try:
            parts = urlsplit(url)
            port = parts.port or 6379
        except ValueError:
            raise ConfigurationError("not a usable Redis URL; it looks like redis://host:6379/0") from None
        host = parts.path if parts.scheme == "unix" else parts.hostname
        if parts.scheme not in SCHEMES or not host:
            raise ConfigurationError("a Redis URL looks like redis://host:6379/0 or rediss://host:6379/0")
        query = dict(parse_qsl(parts.query))
        self.prefix = query.pop("prefix", "sevendigital")
        if not self.prefix or set("{}") & set(self.prefix):
            raise ConfigurationError("the prefix in a Redis URL is not empty and has no braces")
        self._url = parts._replace(query=urlencode(query)).geturl()
        self.place = f"unix://{host}" if parts.scheme == "unix" else f"{parts.scheme}://{host}:{port}{parts.path}"
        self._client: Any = None
        self._closed = False
        self._errors: Any = None

    def __repr__(self) -> str:
        return f"RedisLink({self.place!r})"

    async def run(self, script: RedisScript, keys: Sequence[str], arguments: Sequence[Any]) -> Any:
        """Run a script, once; returns what it returns, texts as bytes.

        Raises:
            RedisAwayError: No answer; nobody knows whether it ran.
        """
        self._open()
        try:
            return await self._send("EVALSHA", script.sha, len(keys), *keys, *arguments)
        except self._errors.NoScriptError:
            return await self._send("EVAL", script.text, len(keys), *keys, *arguments)

    async def ask(self, *command: Any) -> Any:
        """Send one command that only reads.

        Raises:
            RedisAwayError: No answer.
        """
        self._open()
        return await self._send(*command)

    async def aclose(self) -> None:
        """Close the connections, for good."""
        self._closed = True
        client, self._client = self._client, None
        if client is not None:
            await client.aclose()

    async def _send(self, *command: Any) -> Any:
        errors = self._errors
        try:
            async with asyncio.timeout(ANSWER_WITHIN):
                return await self._client.execute_command(*command)
        except (errors.NoScriptError, errors.DataError):
            raise  # the latter is our own mistake, and not over by itself
        except errors.ResponseError as error:
            if not isinstance(error, errors.ConnectionError) and not str(error).startswith(_AWAY):
                named = type(error).__name__.removesuffix("Error").upper()
                if named not in {"OUTOFMEMORY", "READONLY", "NOPERMISSION", "BUSYLOADING"}:
                    raise
            failure = RedisAwayError(f"Redis at {self.place} refuses: {error}")
        except (errors.RedisError, OSError) as error:  # a TimeoutError is an OSError
            failure = RedisAwayError(f"Redis at {self.place} does not answer ({type(error).__name__})")
        # Raised out here: the library's errors may quote what was sent.
        raise failure

    def _open(self) -> None:
        if self._closed:
            raise ConfigurationError(f"the connection to Redis at {self.place} is closed")
        if self._client is None:
            try:
                library = importlib.import_module("redis.asyncio")
                retry = importlib.import_module("redis.asyncio.retry").Retry
                backoff = importlib.import_module("redis.backoff").NoBackoff
                self._errors = importlib.import_module("redis.exceptions")
            except ImportError:
                raise ConfigurationError("Redis needs the extra: pip install 'sevendigital_async[redis]'") from None
            self._client = library.Redis.from_url(
                self._url,
                # The library's own timeouts use asyncio.wait_for, which may swallow a cancellation.
                socket_timeout=None,
                socket_connect_timeout=None,
                # A script that is sent again by the library might run twice without our knowing.
                retry=retry(backoff(), 0),
            )
