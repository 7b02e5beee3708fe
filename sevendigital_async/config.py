"""Settings and credentials: frozen values, checked when they are made, never read from the environment at import."""

from __future__ import annotations

import enum
import os
from collections.abc import Mapping
from ipaddress import ip_address
from typing import Any, Self
from urllib.parse import urlsplit

from attrs import Attribute, Factory, evolve, field, frozen

from .errors import ConfigurationError

KEY_VARIABLE = "SEVENDIGITAL_CONSUMER_KEY"
SECRET_VARIABLE = "SEVENDIGITAL_CONSUMER_SECRET"  # noqa: S105 - the variable's name, not its value
BASE_URL_VARIABLE = "SEVENDIGITAL_BASE_URL"
LIMITS_VARIABLE = "SEVENDIGITAL_LIMITS"
DIALECT_VARIABLE = "SEVENDIGITAL_DIALECT"
COUNTRY_VARIABLE = "SEVENDIGITAL_COUNTRY"
PREVIEW_LOG_PATH_VARIABLE = "SEVENDIGITAL_LIVE_PREVIEW_LOG_PATH"


class Dialect(enum.Enum):
    """Which documents the client follows."""

    OPENAPI = "openapi"
    """The contract in the two OpenAPI files."""

    LIVE = "live"
    """What the vendor's live pages say where they differ from it."""

    @classmethod
    def from_env(cls, environ: Mapping[str, str] | None = None) -> Dialect:
        """Read ``SEVENDIGITAL_DIALECT``; ``openapi`` if it is not set.

        Raises:
            ConfigurationError: It is set to something else than ``openapi`` or ``live``.
        """
        text = (os.environ if environ is None else environ).get(DIALECT_VARIABLE, "").strip().lower()
        try:
            return cls(text) if text else cls.OPENAPI
        except ValueError:
            raise ConfigurationError(f"{DIALECT_VARIABLE} is {' or '.join(each.value for each in cls)}") from None


class SignaturePlacement(enum.Enum):
    """Where the OAuth parameters travel."""

    HEADER = "header"
    QUERY = "query"


class Host(enum.Enum):
    """The services behind the API, each with a host of its own."""

    API = "api"
    MEDIA = "media"
    STREAM = "stream"
    PREVIEWS = "previews"
    RADIO = "radio"
    ACCOUNT = "account"


def check_secret(name: str, value: object) -> None:
    """Refuse what is no key, secret or token; one that was pasted or read from a file often has a newline at its end.

    Raises:
        ConfigurationError: Says what is wrong, and doesn't show the value.
    """
    if not isinstance(value, str) or not value.strip():
        raise ConfigurationError(f"{name} must be a non-empty string")
    if value != value.strip():
        raise ConfigurationError(f"{name} begins or ends with whitespace, such as the newline of a file; remove it")
    if not value.isprintable():
        raise ConfigurationError(f"{name} holds a control character or another one that can't be printed; remove it")


def _secret(_: object, attribute: Attribute[str], value: str) -> None:
    check_secret(attribute.name, value)


@frozen
class Credentials:
    """The partner's consumer key and secret; the secret stays out of the repr.

    Both are used exactly as given. Whitespace around them and characters that can't be printed are refused.
    """

    consumer_key: str = field(validator=_secret)
    consumer_secret: str = field(validator=_secret, repr=False)

    @classmethod
    def from_env(cls, environ: Mapping[str, str] | None = None) -> Self:
        """Read ``SEVENDIGITAL_CONSUMER_KEY`` and ``SEVENDIGITAL_CONSUMER_SECRET``.

        Raises:
            ConfigurationError: One of them is missing, or can't be a key or a secret; the message says which.
        """
        environ = os.environ if environ is None else environ
        missing = [name for name in (KEY_VARIABLE, SECRET_VARIABLE) if not environ.get(name, "").strip()]
        if missing:
            raise ConfigurationError(f"set {' and '.join(missing)}, or pass the key and the secret")
        for name in (KEY_VARIABLE, SECRET_VARIABLE):
            check_secret(name, environ[name])
        return cls(environ[KEY_VARIABLE], environ[SECRET_VARIABLE])


@frozen
class UserToken:
    """A user's access token and its secret, as the OAuth flow hands them out; both stay out of the repr.

    They are checked as :class:`Credentials` are.
    """

    token: str = field(validator=_secret, repr=False)
    secret: str = field(validator=_secret, repr=False)


@frozen
class Timeout:
    """How long one attempt may take, in seconds.

    Attributes:
        total: From the first byte out to the last byte of the answer's body; None for no limit.
        connect: For getting a connection, out of the pool or new. Kept below ``total``, so that
            an attempt that runs out of time after this point is known to be possibly sent.
        read: Between two pieces of the answer.
    """

    total: float | None = 30.0
    connect: float = 10.0
    read: float | None = None


@frozen
class RetryPolicy:
    """How often and how patiently a call is repeated when its safety allows it.

    Attributes:
        attempts: Requests in all, the first included; 1 switches retries off.
        base: Seconds of the first back-off's upper bound; doubles each time, full jitter below it.
        cap: Seconds that a back-off never exceeds. A wait that the service asks for is never shortened.
        deadline: Seconds for the whole call, waits included; None for no limit.
    """

    attempts: int = 4
    base: float = 0.5
    cap: float = 20.0
    deadline: float | None = 120.0

    def __attrs_post_init__(self) -> None:
        """Refuse numbers that mean nothing."""
        if self.attempts < 1 or self.base < 0 or self.cap < 0 or (self.deadline is not None and self.deadline <= 0):
            raise ConfigurationError("a retry policy needs attempts >= 1, base >= 0, cap >= 0 and a positive deadline")


NO_RETRY = RetryPolicy(attempts=1)

DEFAULT_HOSTS: Mapping[Host, str] = {
    Host.API: "https://api.7digital.com",
    Host.MEDIA: "https://media.geo.7digital.com",
    Host.STREAM: "https://stream.svc.7digital.net",
    Host.PREVIEWS: "https://previews.7digital.com",
    Host.RADIO: "https://7digital-skippi.radio.7digital.net",
    Host.ACCOUNT: "https://account.7digital.com",
}


def check_origin(url: str, *, allow_http: bool = False) -> str:
    """Return ``url`` without a trailing slash if requests may be sent below it.

    Raises:
        ConfigurationError: Not an absolute http(s) URL, one with credentials, query or fragment, or
            plain http to anything but this machine (unless ``allow_http``).
    """
    try:
        parts = urlsplit(url)
        _ = parts.port
    except ValueError as error:
        raise ConfigurationError(f"not a usable base URL: {error}") from None
    if parts.scheme not in {"http", "https"} or not parts.hostname:
        raise ConfigurationError("a base URL looks like https://host[:port]; this one has no http(s) scheme or no host")
    if parts.username is not None or parts.password is not None or parts.query or parts.fragment:
        raise ConfigurationError("a base URL carries no user name, password, query or fragment")
    if parts.scheme == "http" and not allow_http and not _is_loopback(parts.hostname):
        raise ConfigurationError(f"plain http is for this machine only; use https for {parts.hostname}")
    return url.rstrip("/")


def _is_loopback(host: str) -> bool:
    if host.lower().rstrip(".") == "localhost":
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False


def _absolute_path(_: object, attribute: Attribute[str], value: str) -> None:
    if not value.startswith("/") or not value.isascii() or set(value) & set("?#{} "):
        raise ConfigurationError(f"{attribute.name} is a path such as /preview/log")


@frozen(kw_only=True)
class Settings:
    """Everything about a client but its credentials.

    Attributes:
        base_url: One origin that replaces every host; what points a client at the sandbox.
        hosts: Origins for single hosts, over the defaults.
        allow_http: Permit plain http beyond this machine, say inside a private test network.
        dialect: Which documents the requests follow.
        signature: Where the OAuth parameters travel.
        timeout: For each attempt.
        retry: For each call; can be overridden per call.
        max_wait: Seconds a call may wait for a spent quota, or for a wait the service asked for; a longer one raises.
        max_response_bytes: Bytes of an answer's body, decompressed, that are read at the most.
        max_connections: Connections open at the same time.
        prefer_xml: Ask for XML in place of JSON.
        user_agent: Names the calling program to the service.
        live_preview_log_path: Where previews are reported in the live dialect, below ``/1.2``. The vendor's pages
            disagree; the other candidate is ``/user/preview/log``.
        country: ISO 3166-1 alpha-2 code of a country that the key may use; sent wherever the service takes one and the
            caller names none, and with reports of previews, whose plays have countries of their own.
    """

    base_url: str | None = None
    hosts: Mapping[Host, str] = Factory(dict)
    allow_http: bool = False
    dialect: Dialect = Dialect.OPENAPI
    signature: SignaturePlacement = SignaturePlacement.HEADER
    timeout: Timeout = Timeout()
    retry: RetryPolicy = RetryPolicy()
    max_wait: float = 60.0
    max_response_bytes: int = 32 * 1024 * 1024
    max_connections: int = 100
    prefer_xml: bool = False
    user_agent: str | None = None
    live_preview_log_path: str = field(default="/preview/log", validator=_absolute_path)
    country: str | None = None
    origins: Mapping[Host, str] = field(init=False, repr=False, eq=False)

    def with_env(self, environ: Mapping[str, str] | None = None) -> Settings:
        """Return the settings with what the environment says: dialect, country, and the live path of preview logs.

        Raises:
            ConfigurationError: It says something that can't be.
        """
        environ = os.environ if environ is None else environ
        found = {
            "dialect": Dialect.from_env(environ) if environ.get(DIALECT_VARIABLE, "").strip() else None,
            "country": environ.get(COUNTRY_VARIABLE, "").strip(),
            "live_preview_log_path": environ.get(PREVIEW_LOG_PATH_VARIABLE, "").strip(),
        }
        changes: dict[str, Any] = {name: value for name, value in found.items() if value}
        return evolve(self, **changes)

    @origins.default
    def _resolve_origins(self) -> Mapping[Host, str]:
        if self.base_url is not None:
            return dict.fromkeys(Host, check_origin(self.base_url, allow_http=self.allow_http))
        return {
            host: check_origin(url, allow_http=self.allow_http) for host, url in {**DEFAULT_HOSTS, **self.hosts}.items()
        }
