"""A connection to a Redis server, the Lua scripts that run there, and what errors and silence of the server mean.

Errors of the Redis library and of the operating system are translated here: to :class:`RedisUnavailableError`, which
ends by itself, or to :class:`RedisRefusedError`, which does not.
"""

from __future__ import annotations

import asyncio
import hashlib
import importlib
import re
from functools import cached_property
from typing import Any

from .errors import ConfigurationError
from .redis_url import RedisURL

RESPONSE_TIMEOUT = 2.0
"""Seconds after which a Redis that has not answered counts as unavailable."""

TRANSIENT_CODES = frozenset({"LOADING", "BUSY", "TRYAGAIN", "MASTERDOWN", "READONLY", "CLUSTERDOWN", "RESET"})
"""What is over within seconds: Redis loads its data, runs a script, fails over, or has closed a connection."""

UNAVAILABLE_CODES = TRANSIENT_CODES | {"NOREPLICAS", "MISCONF", "UNBLOCKED", "NOAUTH", "WRONGPASS", "NOPERM", "OOM"}
"""Refusals that can end without a change of this program: Redis is full, or lacks a permission."""

_CODE_BY_ERROR_CLASS = {
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
"""The library removes the code from errors that it has classes for; older releases don't keep it elsewhere."""

CLUSTER_CODES = frozenset({"MOVED", "ASK", "CROSSSLOT"})
CLUSTER_MESSAGE = "is a node of a cluster, which is not supported; name a Redis without cluster mode"

_CODE = re.compile(r"-?([A-Z]+)\b")
_ARGUMENTS = re.compile(r",? with args beginning with:?.*", re.DOTALL)


class RedisUnavailableError(Exception):
    """Redis did not answer, or can't do what was asked for now; a script may have run all the same.

    Attributes:
        code: The first word of Redis's error, such as LOADING; empty if there was no response.
    """

    def __init__(self, message: str, *, code: str = "") -> None:
        super().__init__(message)
        self.code = code

    @property
    def is_starting(self) -> bool:
        """It will be over within seconds, most likely."""
        return self.code in TRANSIENT_CODES


class RedisRefusedError(ConfigurationError):
    """Redis refuses, and will refuse again until the configuration changes.

    Attributes:
        code: The first word of Redis's error, such as WRONGTYPE; ERR if it has none.
    """

    def __init__(self, message: str, *, code: str = "ERR") -> None:
        super().__init__(message)
        self.code = code


ANSWER_STATUSES = frozenset(
    b"ok gone damaged old outdated foreign lost missing none lease claimed busy paused unknown withdrawn".split()
)
"""What a response of a script begins with if it is a list."""

_DECLARATION = re.compile(r"^local (\w+) = (?:tonumber\()?(KEYS|ARGV)\[(\d+)\]", re.MULTILINE)
_REST_DECLARATION = re.compile(r"^local (\w+) = (\d+) -- ARGV\[\2\] and on", re.MULTILINE)
_INCLUDE = re.compile(r"^-- include: (.+)$", re.MULTILINE)


class RedisScript:
    """A Lua script in a file of this package, called with named arguments.

    The file declares each key and argument at the top, as ``local name = ARGV[3]``, ``tonumber(ARGV[3])`` or
    ``ARGV[3] == '1'``; ``local name = 4 -- ARGV[4] and on`` declares a sequence that takes the rest. ``-- include:``
    names the files of the same folder whose text comes first.

    Args:
        package: Where the file is.
        path: Path of the file in the package.
        answer_type: Type of the script's answer.
    """

    def __init__(self, package: str, path: str, answer_type: type[list[Any] | int] = list) -> None:
        self.package = package
        self.path = path
        self.answer_type = answer_type

    def __repr__(self) -> str:
        return f"RedisScript({self.path!r})"

    @cached_property
    def text(self) -> str:
        """What Redis runs."""
        text, flags = self._read(self.path), ""
        if text.startswith("#!"):
            flags, _, text = text.partition("\n")
        included = _INCLUDE.search(text)
        folder = self.path.rpartition("/")[0]
        libraries = [self._read(f"{folder}/{name}.lua") for name in included[1].split()] if included else []
        return "\n".join([flags, *libraries, text] if flags else [*libraries, text])

    @cached_property
    def sha(self) -> str:
        """The name of the script in Redis."""
        return hashlib.sha1(self.text.encode(), usedforsecurity=False).hexdigest()

    @cached_property
    def keys(self) -> tuple[str, ...]:
        """Names of the keys, in order."""
        return self._declared_names("KEYS")

    @cached_property
    def arguments(self) -> tuple[str, ...]:
        """Names of the arguments, in order."""
        return self._declared_names("ARGV")

    @cached_property
    def rest_argument(self) -> str | None:
        """Name of the sequence that takes the rest of the arguments; None if there is none."""
        found = _REST_DECLARATION.search(self.text)
        if found is not None and int(found[2]) != len(self.arguments) + 1:
            raise ValueError(f"{self.path}: {found[1]} does not begin after the last argument")
        return None if found is None else found[1]

    def command(self, named: dict[str, Any]) -> list[Any]:
        """Return the number of keys, the keys and the arguments, as EVAL takes them.

        Raises:
            TypeError: The names are not those that the script declares.
        """
        names = {*self.keys, *self.arguments, *([self.rest_argument] if self.rest_argument else [])}
        if named.keys() != names:
            missing, unknown = sorted(names - named.keys()), sorted(named.keys() - names)
            raise TypeError(f"{self.path}: missing arguments {missing}, unknown arguments {unknown}")
        values = [named[name] for name in (*self.keys, *self.arguments)] + list(
            named[self.rest_argument] if self.rest_argument else ()
        )
        return [len(self.keys), *(int(value) if isinstance(value, bool) else value for value in values)]

    def _declared_names(self, array: str) -> tuple[str, ...]:
        found = [(int(match[3]), match[1]) for match in _DECLARATION.finditer(self.text) if match[2] == array]
        if [number for number, _ in found] != list(range(1, len(found) + 1)):
            raise ValueError(f"{self.path}: {array} is not declared from 1 on, in order: {found}")
        return tuple(name for _, name in found)

    def _read(self, path: str) -> str:
        # Imported here: most programs use no Redis.
        return importlib.import_module("importlib.resources").files(self.package).joinpath(path).read_text("utf-8")  # type: ignore[no-any-return]


class RedisConnection:
    """A connection to one Redis server, opened on first use in the running loop.

    Args:
        url: ``redis://[user:password@]host[:port][/database]``, ``rediss://`` for TLS, or ``unix:///path``; ``valkey://``
            and ``valkeys://`` mean the same. ``?prefix=`` separates the keys of several users of one database.

    Attributes:
        prefix: What the names of all keys begin with.
        safe_url: The URL without user, password and options.

    Raises:
        ConfigurationError: The URL can't be used; the message does not quote it.
    """

    def __init__(self, url: str) -> None:
        self._url = RedisURL.parse(url)
        self.prefix: str = self._url.prefix
        self.safe_url: str = self._url.safe_url
        self._redis: Any = None
        self._is_closed = False
        self._errors: Any = None

    def __repr__(self) -> str:
        return f"RedisConnection({self.safe_url!r})"

    @property
    def is_open(self) -> bool:
        """It has been used, and has not been closed."""
        return self._redis is not None

    async def run(self, script: RedisScript, **arguments: Any) -> Any:
        """Run a script once, with the keys and arguments that it declares; returns its response, texts as bytes.

        Raises:
            RedisUnavailableError: No response; the script may have run.
            RedisRefusedError: Redis can't run it.
        """
        command = script.command(arguments)
        self._open()
        try:
            answer = await self._send("EVALSHA", script.sha, *command)
        except self._errors.NoScriptError:
            try:
                answer = await self._send("EVAL", script.text, *command)
            except self._errors.NoScriptError:
                raise RedisRefusedError(f"Redis at {self.safe_url} runs no scripts", code="NOSCRIPT") from None
        if not isinstance(answer, script.answer_type) or (
            isinstance(answer, list) and (not answer or answer[0] not in ANSWER_STATUSES)
        ):
            raise self._not_redis_error()
        return answer

    async def read(self, *command: Any) -> Any:
        """Send one command that changes nothing.

        Raises:
            RedisUnavailableError: No response.
            RedisRefusedError: Redis does not know the command, or not with these arguments.
        """
        self._open()
        try:
            return await self._send(*command)
        except self._errors.NoScriptError:
            raise self._not_redis_error() from None

    async def aclose(self) -> None:
        """Close the connection, for good."""
        self._is_closed = True
        redis, self._redis = self._redis, None
        if redis is not None:
            await redis.aclose()

    async def _send(self, *command: Any) -> Any:
        if self._redis is None:
            raise ConfigurationError(f"the connection to Redis at {self.safe_url} is closed")
        try:
            async with asyncio.timeout(RESPONSE_TIMEOUT):
                return await self._redis.execute_command(*command)
        except self._errors.NoScriptError:
            raise
        except Exception as error:  # noqa: BLE001 - whatever the library makes of what a server says
            failure = self._translate_error(error)
        # Raised outside of the handler: errors of the library may quote what was sent.
        raise failure

    def _translate_error(self, error: Exception) -> RedisUnavailableError | RedisRefusedError:
        code = self._code_of(error)
        words = (
            "".join(c if c.isprintable() else "?" for c in _ARGUMENTS.sub("", str(error))) or "an error without words"
        )
        if code in UNAVAILABLE_CODES - {"RESET"}:
            said = words if words.lstrip("-").startswith(code) else f"{code} {words}"
            return RedisUnavailableError(f"Redis at {self.safe_url} refuses: {said}", code=code)
        if isinstance(error, self._errors.ResponseError):
            said = f"{CLUSTER_MESSAGE} ({code})" if code in CLUSTER_CODES else f"refuses: {words}"
            return RedisRefusedError(f"Redis at {self.safe_url} {said}", code=code)
        if isinstance(error, self._errors.ConnectionError | self._errors.TimeoutError | OSError):
            return RedisUnavailableError(f"Redis at {self.safe_url} does not answer ({_cause_text(error)})", code=code)
        if isinstance(error, self._errors.DataError):
            return RedisRefusedError(
                f"not sent to Redis at {self.safe_url}: an argument is neither text nor bytes nor a number"
            )
        return self._not_redis_error()

    def _not_redis_error(self) -> RedisRefusedError:
        return RedisRefusedError(f"the server at {self.safe_url} does not answer like a Redis; check the URL")

    def _code_of(self, error: Exception) -> str:
        named = getattr(error, "status_code", None) or _CODE_BY_ERROR_CLASS.get(type(error).__name__)
        if isinstance(named, str) and named != "ERR":
            return named
        if isinstance(error, self._errors.ResponseError):
            found = _CODE.match(str(error))
            return found[1] if found else "ERR"
        text = str(error).lower()
        was_reset = isinstance(_root_error(error), ConnectionResetError | BrokenPipeError) or "closed" in text
        return "RESET" if was_reset else ""

    def _open(self) -> None:
        if self._is_closed:
            raise ConfigurationError(f"the connection to Redis at {self.safe_url} is closed")
        if self._redis is None:
            try:
                library = importlib.import_module("redis.asyncio")
                retry = importlib.import_module("redis.asyncio.retry").Retry
                backoff = importlib.import_module("redis.backoff").NoBackoff
                self._errors = importlib.import_module("redis.exceptions")
            except ImportError:
                raise ConfigurationError("Redis needs the extra: pip install 'sevendigital_async[redis]'") from None
            self._redis = library.Redis(
                **self._url.connection,
                protocol=2,
                # The library's own timeouts use asyncio.wait_for, which may swallow a cancellation.
                socket_timeout=None,
                socket_connect_timeout=None,
                # The library must not send a script again: it might run twice unnoticed.
                retry=retry(backoff(), 0),
            )


def _root_error(error: BaseException) -> BaseException:
    """Return the operating system's error behind an error of the library."""
    seen: BaseException | None = error
    while seen is not None and not isinstance(seen, OSError):
        seen = seen.__cause__ or seen.__context__
    return seen or error


def _cause_text(error: Exception) -> str:
    """Say in a few words why there was no response; the library's own message may quote what was sent."""
    root = _root_error(error)
    words = getattr(root, "strerror", None)
    return str(words) if words else type(root).__name__
