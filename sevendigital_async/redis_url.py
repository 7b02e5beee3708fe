"""URLs of Redis servers, checked before anything connects. No error quotes the URL: it may contain a password."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import SplitResult, parse_qsl, unquote, urlsplit

from attrs import field, frozen

from .errors import ConfigurationError

SCHEMES: Mapping[str, str] = {
    "redis": "redis",
    "rediss": "rediss",
    "valkey": "redis",
    "valkeys": "rediss",
    "unix": "unix",
}
"""What a URL may begin with, and what it means: plain TCP, TLS, or a socket of this machine."""

EXAMPLES = "redis://host:6379/0, rediss://host:6379/0 (TLS) or unix:///path/of/socket"
DEFAULT_PORT = 6379
MAX_PORT = 65_535

_SPACE_OR_CONTROL = re.compile(r"[\x00-\x20\x7f]")
_BAD_PERCENT = re.compile(r"%(?![0-9A-Fa-f]{2})")
_NAME = re.compile(r"[a-z_]{1,40}")


def _parse_text(name: str, value: str) -> str:
    if not value:
        raise ConfigurationError(f"the option {name} in a Redis URL is empty")
    return value


def _parse_prefix(_: str, value: str) -> str:
    if not value or set("{}") & set(value):
        raise ConfigurationError("the prefix in a Redis URL must not be empty or contain braces")
    return value


def _parse_database(_: str, value: str) -> int:
    if not re.fullmatch(r"[0-9]{1,9}", value):
        raise ConfigurationError("the database in a Redis URL must be a number, such as redis://host:6379/0")
    return int(value)


def _check_verification(name: str, value: str) -> None:
    if value.lower() not in {"required", "true", "yes", "1"}:
        raise ConfigurationError(
            f"{name} in a Redis URL can't be turned off: certificates are always verified; set ssl_ca_certs instead"
        )


OPTION_PARSERS: Mapping[str, Callable[[str, str], Any]] = {
    "prefix": _parse_prefix,
    "db": _parse_database,
    "username": _parse_text,
    "password": _parse_text,
    "client_name": _parse_text,
    "ssl_ca_certs": _parse_text,
    "ssl_ca_path": _parse_text,
    "ssl_certfile": _parse_text,
    "ssl_keyfile": _parse_text,
    "ssl_cert_reqs": _check_verification,
    "ssl_check_hostname": _check_verification,
}
"""What may follow the question mark. Decoding, protocol, timeouts and retries are set by this package."""


@frozen
class RedisURL:
    """Where a Redis is, and how to connect.

    Attributes:
        safe_url: The URL as others may see it: without user, password and options.
        prefix: What the names of its keys begin with.
        connection: Arguments of ``redis.asyncio.Redis``.
    """

    safe_url: str
    prefix: str
    connection: Mapping[str, Any] = field(repr=False)

    @classmethod
    def parse(cls, url: str) -> RedisURL:
        """Read a URL.

        Raises:
            ConfigurationError: It can't be used; the message does not quote it.
        """
        parts, port = _split(url)
        scheme = SCHEMES[parts.scheme]
        options = _options(parts.query)
        prefix = options.pop("prefix", "sevendigital")
        connection: dict[str, Any] = {"db": 0}
        if scheme == "unix":
            path = _unquoted(parts.path)
            connection["unix_socket_path"] = path
            safe_url = f"unix://{path}"
        else:
            host = parts.hostname or ""
            connection |= {"host": host, "port": port, "db": _parse_database("db", parts.path.strip("/") or "0")}
            safe_url = f"{scheme}://{f'[{host}]' if ':' in host else host}:{port}{parts.path.rstrip('/')}"
        for name, value in (("username", parts.username), ("password", parts.password)):
            if value:
                connection[name] = _unquoted(value)
        tls = {name for name in options if name.startswith("ssl_")}
        if tls and scheme != "rediss":
            raise ConfigurationError("ssl_ options need a URL that begins with rediss://")
        connection |= {name: value for name, value in options.items() if value is not None}
        if scheme == "rediss":
            connection |= {"ssl": True, "ssl_cert_reqs": "required", "ssl_check_hostname": True}
        return cls(safe_url, prefix, connection)


def _split(url: str) -> tuple[SplitResult, int]:
    bad = ConfigurationError(f"not a usable Redis URL; use {EXAMPLES}")
    url = url.strip()
    if _SPACE_OR_CONTROL.search(url):
        raise ConfigurationError("a Redis URL must not contain spaces or control characters; percent-encode them")
    if _BAD_PERCENT.search(url):
        raise ConfigurationError("a Redis URL contains a % without two hexadecimal digits; write it as %25")
    try:
        parts = urlsplit(url)
        port = DEFAULT_PORT if parts.port is None else parts.port
        if parts.hostname and ":" not in parts.hostname:
            parts.hostname.encode("idna")
    except ValueError:  # a UnicodeError is one
        raise bad from None
    if "@" in parts.path + parts.query or parts.fragment or "\\" in url:
        raise ConfigurationError("user and password in a Redis URL: percent-encode / ? # @ and \\ in them")
    if parts.scheme not in SCHEMES:
        raise ConfigurationError(f"not the scheme of a Redis URL; use {EXAMPLES}")
    if parts.scheme == "unix":
        if parts.hostname or not parts.path.strip("/"):
            raise ConfigurationError("the URL of a Redis socket needs three slashes: unix:///path/of/socket")
    elif not parts.hostname or not 0 < port <= MAX_PORT:
        raise bad
    return parts, port


def _options(query: str) -> dict[str, Any]:
    options: dict[str, Any] = {}
    try:
        pairs = parse_qsl(query, keep_blank_values=True, errors="strict")
    except ValueError:
        raise ConfigurationError("the options in a Redis URL are not UTF-8") from None
    for name, value in pairs:
        if name not in OPTION_PARSERS:
            option = f"option {name}" if _NAME.fullmatch(name) else "option"
            raise ConfigurationError(f"unknown {option} in a Redis URL; known are {', '.join(OPTION_PARSERS)}")
        if name in options:
            raise ConfigurationError(f"the option {name} is in a Redis URL twice")
        options[name] = OPTION_PARSERS[name](name, value)
    return options


def _unquoted(text: str) -> str:
    try:
        return unquote(text, errors="strict")
    except ValueError:
        raise ConfigurationError("the percent-encoding in a Redis URL is not UTF-8") from None
