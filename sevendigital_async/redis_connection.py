"""The way to a Redis server: scripts that run there, and what its errors and its silence mean.

Every error of the library and of the system ends here. What comes out is :class:`RedisUnavailableError`, which is over by
itself, or :class:`RedisRefusedError`, which is not.
"""

from __future__ import annotations

import asyncio
import hashlib
import importlib
import re
from collections.abc import Sequence
from typing import Any

from .errors import ConfigurationError
from .redis_url import RedisURL

ANSWER_WITHIN = 2.0
"""Seconds that Redis has for an answer before it counts as away."""

STARTING = frozenset({"LOADING", "BUSY", "TRYAGAIN", "MASTERDOWN", "READONLY", "CLUSTERDOWN", "RESET"})
"""What is over within seconds: Redis loads its data, runs a script, fails over, or has closed a connection."""

AWAY = STARTING | {"NOREPLICAS", "MISCONF", "UNBLOCKED", "NOAUTH", "WRONGPASS", "NOPERM", "OOM"}
"""Refusals that end without anybody changing this program: Redis is full, or lacks a permission."""

_BY_CLASS = {
    "AuthenticationError": "NOAUTH",
    "BusyLoadingError": "LOADING",
    "ReadOnlyError": "READONLY",
    "OutOfMemoryError": "OOM",
    "NoPermissionError": "NOPERM",
    "TryAgainError": "TRYAGAIN",
    "MasterDownError": "MASTERDOWN",
    "ClusterDownError": "CLUSTERDOWN",
    "ClusterCrossSlotError": "CROSSSLOT",
    "MovedError": "MOVED",
    "AskError": "ASK",
}
"""The library takes the code off the errors that it has classes for; older ones don't keep it elsewhere."""

CLUSTER = frozenset({"MOVED", "ASK", "CROSSSLOT"})
NO_CLUSTER = "is a node of a cluster, which is not supported; name a Redis without cluster mode"

_CODE = re.compile(r"-?([A-Z]+)\b")
_ARGUMENTS = re.compile(r",? with args beginning with:?.*", re.DOTALL)


class RedisUnavailableError(Exception):
    """Redis did not answer, or can't do what was asked for now; a step may have been taken all the same.

    Attributes:
        code: The first word of what Redis says, such as LOADING; empty if it says nothing.
    """

    def __init__(self, message: str, *, code: str = "") -> None:
        super().__init__(message)
        self.code = code

    @property
    def is_starting(self) -> bool:
        """It will be over within seconds, most likely."""
        return self.code in STARTING


class RedisRefusedError(ConfigurationError):
    """Redis says no, and will say so again until somebody changes something.

    Attributes:
        code: The first word of what Redis says, such as WRONGTYPE; ERR if it has none.
    """

    def __init__(self, message: str, *, code: str = "ERR") -> None:
        super().__init__(message)
        self.code = code


HEADS = frozenset(b"ok gone damaged strange lost missing none lease yours busy paused unknown withdrawn".split())
"""What the answers of scripts begin with that answer with a list."""


class RedisScript:
    """A Lua script, the name that Redis knows it by, and the type of its answer."""

    def __init__(self, text: str, answer: type[list[Any] | int] = list) -> None:
        self.text = text
        self.answer = answer
        self.sha = hashlib.sha1(text.encode(), usedforsecurity=False).hexdigest()


class RedisConnection:
    """One Redis server, reached on first use in the running loop.

    Args:
        url: ``redis://[user:password@]host[:port][/database]``, ``rediss://`` for TLS, or ``unix:///path``; ``valkey://``
            and ``valkeys://`` mean the same. ``?prefix=`` sets apart the keys of several users of one database.

    Raises:
        ConfigurationError: No such URL; the message does not quote it.
    """

    def __init__(self, url: str) -> None:
        self._url = RedisURL.parse(url)
        self.prefix = self._url.prefix
        self.place = self._url.place
        self._client: Any = None
        self._closed = False
        self._errors: Any = None

    def __repr__(self) -> str:
        return f"RedisConnection({self.place!r})"

    async def run(self, script: RedisScript, keys: Sequence[str], arguments: Sequence[Any]) -> Any:
        """Run a script, once; returns what it returns, texts as bytes.

        Raises:
            RedisUnavailableError: No answer; nobody knows whether it ran.
            RedisRefusedError: Redis can't run it.
        """
        self._open()
        try:
            answer = await self._send("EVALSHA", script.sha, len(keys), *keys, *arguments)
        except self._errors.NoScriptError:
            try:
                answer = await self._send("EVAL", script.text, len(keys), *keys, *arguments)
            except self._errors.NoScriptError:
                raise RedisRefusedError(f"Redis at {self.place} knows no scripts", code="NOSCRIPT") from None
        if not isinstance(answer, script.answer) or (
            isinstance(answer, list) and (not answer or answer[0] not in HEADS)
        ):
            raise RedisRefusedError(f"{self.place} does not answer as a Redis does; is it one?")
        return answer

    async def ask(self, *command: Any) -> Any:
        """Send one command that only reads.

        Raises:
            RedisUnavailableError: No answer.
            RedisRefusedError: Redis does not know the command, or not with these arguments.
        """
        self._open()
        try:
            return await self._send(*command)
        except self._errors.NoScriptError:
            raise RedisRefusedError(f"{self.place} does not answer as a Redis does; is it one?") from None

    async def aclose(self) -> None:
        """Close the connections, for good."""
        self._closed = True
        client, self._client = self._client, None
        if client is not None:
            await client.aclose()

    async def _send(self, *command: Any) -> Any:
        if self._client is None:
            raise ConfigurationError(f"the connection to Redis at {self.place} is closed")
        try:
            async with asyncio.timeout(ANSWER_WITHIN):
                return await self._client.execute_command(*command)
        except self._errors.NoScriptError:
            raise
        except Exception as error:  # noqa: BLE001 - whatever the library makes of what a server says
            failure = self._translated(error)
        # Raised out here: the library's errors may quote what was sent.
        raise failure

    def _translated(self, error: Exception) -> RedisUnavailableError | RedisRefusedError:
        code = self._code_of(error)
        words = (
            "".join(c if c.isprintable() else "?" for c in _ARGUMENTS.sub("", str(error))) or "an error without words"
        )
        if code in AWAY - {"RESET"}:
            said = words if words.lstrip("-").startswith(code) else f"{code} {words}"
            return RedisUnavailableError(f"Redis at {self.place} refuses: {said}", code=code)
        if isinstance(error, self._errors.ResponseError):
            said = f"{NO_CLUSTER} ({code})" if code in CLUSTER else f"refuses: {words}"
            return RedisRefusedError(f"Redis at {self.place} {said}", code=code)
        if isinstance(error, self._errors.ConnectionError | self._errors.TimeoutError | OSError):
            return RedisUnavailableError(f"Redis at {self.place} does not answer ({_cause(error)})", code=code)
        if isinstance(error, self._errors.DataError):
            return RedisRefusedError(f"Redis at {self.place} can't be asked that: it is no text and no number")
        return RedisRefusedError(f"{self.place} does not answer as a Redis does; is it one?")

    def _code_of(self, error: Exception) -> str:
        named = getattr(error, "status_code", None) or _BY_CLASS.get(type(error).__name__)
        if isinstance(named, str) and named != "ERR":
            return named
        if isinstance(error, self._errors.ResponseError):
            found = _CODE.match(str(error))
            return found[1] if found else "ERR"
        text = str(error).lower()
        was_reset = isinstance(_root(error), ConnectionResetError | BrokenPipeError) or "closed" in text
        return "RESET" if was_reset else ""

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
            self._client = library.Redis(
                **self._url.connection,
                protocol=2,
                # The library's own timeouts use asyncio.wait_for, which may swallow a cancellation.
                socket_timeout=None,
                socket_connect_timeout=None,
                # A script that is sent again by the library might run twice without our knowing.
                retry=retry(backoff(), 0),
            )


def _root(error: BaseException) -> BaseException:
    """Return the system's own error behind one of the library."""
    seen: BaseException | None = error
    while seen is not None and not isinstance(seen, OSError):
        seen = seen.__cause__ or seen.__context__
    return seen or error


def _cause(error: Exception) -> str:
    """Say in a few words why there was no answer; the library's own words may quote what was sent."""
    root = _root(error)
    words = getattr(root, "strerror", None)
    return str(words) if words else type(root).__name__
