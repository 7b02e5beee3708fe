"""Settings and credentials: frozen values, validated when created, never read from the environment at import."""

from __future__ import annotations

import enum
import os
import re
from collections.abc import Iterable, Mapping
from ipaddress import ip_address
from ssl import CERT_REQUIRED, SSLContext
from typing import Any, Self
from urllib.parse import urlsplit

from attrs import Attribute, Factory, evolve, field, frozen

from .countries import country_problem
from .errors import ConfigurationError

KEY_VARIABLE = "SEVENDIGITAL_CONSUMER_KEY"
SECRET_VARIABLE = "SEVENDIGITAL_CONSUMER_SECRET"  # noqa: S105 - the variable's name, not its value
BASE_URL_VARIABLE = "SEVENDIGITAL_BASE_URL"
LIMITS_VARIABLE = "SEVENDIGITAL_LIMITS"
DIALECT_VARIABLE = "SEVENDIGITAL_DIALECT"
COUNTRY_VARIABLE = "SEVENDIGITAL_COUNTRY"
SHOP_ID_VARIABLE = "SEVENDIGITAL_SHOP_ID"
PROXY_VARIABLE = "SEVENDIGITAL_PROXY"
CA_FILE_VARIABLE = "SEVENDIGITAL_CA_FILE"
PREVIEW_LOG_PATH_VARIABLE = "SEVENDIGITAL_LIVE_PREVIEW_LOG_PATH"


class Dialect(enum.Enum):
    """The documents that the client follows."""

    OPENAPI = "openapi"
    """The contract in the two OpenAPI files."""

    LIVE = "live"
    """The vendor's live pages, where they differ from the OpenAPI files."""

    @classmethod
    def from_env(cls, environ: Mapping[str, str] | None = None) -> Dialect:
        """Read ``SEVENDIGITAL_DIALECT``; ``openapi`` if it is not set.

        Raises:
            ConfigurationError: It is neither ``openapi`` nor ``live``.
        """
        text = (os.environ if environ is None else environ).get(DIALECT_VARIABLE, "").strip().lower()
        try:
            return cls(text) if text else cls.OPENAPI
        except ValueError:
            raise ConfigurationError(f"{DIALECT_VARIABLE} must be {' or '.join(each.value for each in cls)}") from None


class SignaturePlacement(enum.Enum):
    """Where requests carry the OAuth parameters."""

    HEADER = "header"
    QUERY = "query"


class Host(enum.Enum):
    """The services of the API, each with its own host."""

    API = "api"
    MEDIA = "media"
    STREAM = "stream"
    PREVIEWS = "previews"
    RADIO = "radio"
    ACCOUNT = "account"


def check_secret(name: str, value: object) -> None:
    """Check a key, secret or token; pasted ones, and ones read from a file, often end with a newline.

    Raises:
        ConfigurationError: It is invalid; the message doesn't contain the value.
    """
    if not isinstance(value, str) or not value.strip():
        raise ConfigurationError(f"{name} must be a non-empty string")
    if value != value.strip():
        raise ConfigurationError(f"{name} begins or ends with whitespace, such as a trailing newline; remove it")
    if not value.isprintable():
        raise ConfigurationError(f"{name} contains a character that can't be printed; remove it")


def _validate_secret(_: object, attribute: Attribute[str], value: str) -> None:
    check_secret(attribute.name, value)


def is_encodable(text: str) -> bool:
    """Return whether a text can be encoded in UTF-8; lone surrogates can't."""
    return text.isascii() or not any("\ud800" <= character <= "\udfff" for character in text)


_TOKEN = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]+").fullmatch
_HEADER_VALUE = re.compile(r"[^\x00-\x08\x0a-\x1f\x7f\ud800-\udfff]*").fullmatch


def is_token(text: str) -> bool:
    """Return whether a text is a token of HTTP, as methods and names of headers are (RFC 9110, section 5.6.2)."""
    return _TOKEN(text) is not None


def is_header_value(text: str) -> bool:
    """Return whether a text can be a header's value: no line breaks or other control characters, no lone surrogates."""
    return _HEADER_VALUE(text) is not None


def extra_problem(extra: object) -> str | None:
    """Return why a value is not a valid ``extra`` mapping; None if it is valid."""
    if not isinstance(extra, Mapping):
        return f"extra must map names of parameters to values, not be a {type(extra).__name__}"
    for name in extra:
        if not isinstance(name, str) or not name.strip() or not is_encodable(name):
            return "extra: the name of a parameter is a non-empty string"
        if name.lower().startswith("oauth_"):
            return f"extra: {name} is made by the signature"
    return None


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and value == value  # noqa: PLR0124 - NaN isn't


def _validate_seconds(_: object, attribute: Attribute[Any], value: float | None) -> None:
    """Refuse anything but a finite, positive number of seconds, or None for no limit where that is the default."""
    if value is None and attribute.name != "connect":
        return
    if not _is_number(value) or not 0 < value < float("inf"):  # type: ignore[operator]
        unlimited = "" if attribute.name == "connect" else ", or None for no limit"
        raise ConfigurationError(f"{attribute.name} must be a positive, finite number of seconds{unlimited}")


def _validate_whole_number(least: int) -> Any:
    def check(_: object, attribute: Attribute[int], value: int) -> None:
        if type(value) is not int or value < least:
            raise ConfigurationError(f"{attribute.name} must be a whole number, {least} or more")

    return check


def _validate_instance(*kinds: type) -> Any:
    def check(_: object, attribute: Attribute[object], value: object) -> None:
        if not isinstance(value, kinds):
            names = " or ".join("None" if kind is type(None) else kind.__name__ for kind in kinds)
            raise ConfigurationError(f"{attribute.name} must be a {names}, not a {type(value).__name__}")

    return check


@frozen
class Credentials:
    """The partner's consumer key and secret; the secret stays out of the repr.

    Both are used exactly as given. Whitespace around them and characters that can't be printed are refused.
    """

    consumer_key: str = field(validator=_validate_secret)
    consumer_secret: str = field(validator=_validate_secret, repr=False)

    @classmethod
    def from_env(cls, environ: Mapping[str, str] | None = None) -> Self:
        """Read ``SEVENDIGITAL_CONSUMER_KEY`` and ``SEVENDIGITAL_CONSUMER_SECRET``.

        Raises:
            ConfigurationError: One of them is missing or invalid; the message says which.
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

    token: str = field(validator=_validate_secret, repr=False)
    secret: str = field(validator=_validate_secret, repr=False)


@frozen(cache_hash=True)
class Timeout:
    """How long one attempt may take, in seconds.

    Attributes:
        total: From the first byte out to the last byte of the response's body; None for no limit.
        connect: For getting a connection, out of the pool or new. Kept below ``total``, so that
            an attempt that runs out of time after this point is known to be possibly sent.
        read: Between two pieces of the response.
    """

    total: float | None = field(default=30.0, validator=_validate_seconds)
    connect: float = field(default=10.0, validator=_validate_seconds)
    read: float | None = field(default=None, validator=_validate_seconds)


@frozen
class RetryPolicy:
    """How often a call is retried, and with which back-off, if its safety allows retries.

    Attributes:
        attempts: Number of requests, including the first; 1 disables retries.
        base: Seconds of the first back-off's upper bound; doubles each time, full jitter below it.
        cap: Seconds that a back-off never exceeds. A wait that the service asks for is never shortened.
        deadline: Seconds for the whole call, waits included; None for no limit.
    """

    attempts: int = field(default=4, validator=_validate_whole_number(1))
    base: float = 0.5
    cap: float = 20.0
    deadline: float | None = 120.0

    def __attrs_post_init__(self) -> None:
        """Check the numbers."""
        waits = _is_number(self.base) and _is_number(self.cap) and self.base >= 0 and 0 <= self.cap < float("inf")
        if not waits or not (self.deadline is None or (_is_number(self.deadline) and self.deadline > 0)):
            raise ConfigurationError("a retry policy needs base >= 0, cap >= 0 and a positive deadline")


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
    if not isinstance(url, str):
        raise ConfigurationError(f"a base URL is a string, not a {type(url).__name__}")
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        # Its message may quote a password.
        raise ConfigurationError("not a base URL: its host or port is invalid (use https://host[:port])") from None
    if parts.scheme not in {"http", "https"} or not parts.hostname:
        raise ConfigurationError("not a base URL: it has no http(s) scheme or no host (use https://host[:port])")
    if "@" in parts.netloc or set(url) & set("?#"):
        raise ConfigurationError("a base URL must not contain a user name, password, query or fragment")
    if port == 0 or not _HOST(parts.hostname):
        raise ConfigurationError(
            "a base URL needs a host name of ASCII letters (as xn--... if it has others) and a port over 0"
        )
    if parts.scheme == "http" and not allow_http and not _is_loopback(parts.hostname):
        raise ConfigurationError(f"http is allowed for this machine only; use https for {parts.hostname}")
    return url.rstrip("/")


_HOST = re.compile(r"[0-9A-Za-z_][0-9A-Za-z_.-]{0,252}|[0-9A-Fa-f:.]{2,45}").fullmatch
_URL = re.compile(r"[!-~]+").fullmatch
_PATH = re.compile(r"(?:[A-Za-z0-9._~!$&'()*+,;=:@/-]|%[0-9A-Fa-f]{2})*").fullmatch


def _checked_base_url(url: str, *, allow_http: bool) -> str:
    """Return ``url`` as ``check_origin`` does, if a path can be appended to it."""
    origin = check_origin(url, allow_http=allow_http)
    if not _URL(url):
        raise ConfigurationError("a base URL must not contain spaces or characters that are not ASCII")
    if not _PATH(origin.partition("://")[2].partition("/")[2]):
        raise ConfigurationError("the path of a base URL contains a character that must be percent-encoded")
    return origin


def _is_loopback(host: str) -> bool:
    if host.lower().rstrip(".") == "localhost":
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False


def _validate_header_value(_: object, attribute: Attribute[str | None], value: str | None) -> None:
    if value is not None and not (isinstance(value, str) and is_header_value(value)):
        raise ConfigurationError(f"{attribute.name} must be a string without line breaks and other control characters")


def _validate_proxy(_: object, attribute: Attribute[str | None], value: str | None) -> None:
    if value is None:
        return
    try:
        parts = urlsplit(value) if isinstance(value, str) else None
        is_url = parts is not None and parts.scheme in {"http", "https"} and bool(parts.hostname) and parts.port != 0
    except ValueError:
        is_url = False
    if not is_url:
        raise ConfigurationError(f"{attribute.name} must be the URL of an HTTP proxy, such as http://proxy:3128")


def _validate_ssl(_: object, attribute: Attribute[Any], value: object) -> None:
    _validate_instance(SSLContext, str, os.PathLike, type(None))(_, attribute, value)
    if isinstance(value, SSLContext) and not (value.check_hostname and value.verify_mode is CERT_REQUIRED):
        raise ConfigurationError(f"{attribute.name} must verify certificates and host names")


def _validate_hosts(_: object, attribute: Attribute[Mapping[Host, str]], value: Mapping[Host, str]) -> None:
    if not isinstance(value, Mapping) or not all(isinstance(key, Host) for key in value):
        raise ConfigurationError(f"{attribute.name} must map Host members to base URLs")


def _validate_wait(_: object, attribute: Attribute[float], value: float) -> None:
    if not _is_number(value) or value < 0:
        raise ConfigurationError(f"{attribute.name} must be a number of seconds, zero or more")


def _validate_country(_: object, attribute: Attribute[str], value: object) -> None:
    if value is not None and (flaw := country_problem(value)):
        raise ConfigurationError(f"{attribute.name} {flaw}")


def _validate_absolute_path(_: object, attribute: Attribute[str], value: str) -> None:
    if (
        not isinstance(value, str)
        or not value.startswith("/")
        or not value.isprintable()
        or not value.isascii()
        or set(value) & set("?#{} ")
    ):
        raise ConfigurationError(f"{attribute.name} must be a path such as /preview/log")


def _validate_extra(_: object, __: object, value: object) -> None:
    if flaw := extra_problem(value):
        raise ConfigurationError(flaw)


def _validate_usage_types(_: object, attribute: Attribute[Any], value: object) -> None:
    several = isinstance(value, tuple | list | set | frozenset)
    if not (value is None or isinstance(value, str) or (several and all(isinstance(each, str) for each in value))):  # type: ignore[attr-defined]
        raise ConfigurationError(f"{attribute.name} must be a string or several strings")


@frozen(kw_only=True)
class Settings:
    """The settings of a client, without its credentials.

    Attributes:
        base_url: One origin that replaces every host, such as the sandbox's.
        hosts: Origins of single hosts, in place of the defaults.
        allow_http: Permit plain http beyond this machine, say inside a private test network.
        dialect: Which documents the requests follow.
        signature: Where requests carry the OAuth parameters.
        timeout: For each attempt.
        retry: For each call; can be overridden per call.
        max_wait: Seconds a call may wait for a spent quota, or for a wait the service asked for; a longer one raises.
        max_response_bytes: Largest body of a response, in bytes after decompression.
        max_connections: Connections open at the same time.
        proxy: URL of an HTTP proxy for all requests, such as ``http://user:password@proxy:3128``.
        trust_env: Use the proxies of ``HTTP_PROXY``, ``HTTPS_PROXY`` and ``NO_PROXY``.
        ssl: The certificates that are trusted: a file with those of a private CA, or an ``ssl.SSLContext``, which must
            verify certificates and host names.
        client_cert: A file with the client's certificate and key, or two files, for servers that ask for one.
        prefer_xml: Ask for XML in place of JSON.
        user_agent: Names the calling program to the service.
        live_preview_log_path: Where previews are reported in the live dialect, below ``/1.2``. The vendor's pages
            disagree; the other candidate is ``/user/preview/log``.
        strict_decoding: Raise a DecodeError for every value of a response that can't be read. Otherwise a value or
            structure that may be missing is read as None, with a line in the log, and lists and mappings lack the
            entry; only a missing required structure is an error.
        country: ISO 3166-1 alpha-2 code of a country that the key may use; sent wherever the service takes one and the
            caller names none, and with reports of previews, whose plays have their own countries.
        shop_id: The shop that was assigned to the partner; sent with every call. A shop belongs to a country, so
            ``country`` is not sent beside it, except where the service demands one.
        image_size: Width of pictures in pixels, such as 350; sent with everything that is read.
        usage_types: For which uses content must be licensed (``download``, ``subscriptionstreaming``,
            ``adsupportedstreaming``); sent with everything that is read.
        extra: Further parameters by their wire names, such as ``{"newParam": "x"}``; sent, and signed, with every call.
    """

    base_url: str | None = None
    hosts: Mapping[Host, str] = field(default=Factory(dict), validator=_validate_hosts)
    allow_http: bool = False
    dialect: Dialect = field(default=Dialect.OPENAPI, validator=_validate_instance(Dialect))
    signature: SignaturePlacement = field(
        default=SignaturePlacement.HEADER, validator=_validate_instance(SignaturePlacement)
    )
    timeout: Timeout = field(default=Timeout(), validator=_validate_instance(Timeout))
    retry: RetryPolicy = field(default=RetryPolicy(), validator=_validate_instance(RetryPolicy))
    max_wait: float = field(default=60.0, validator=_validate_wait)
    max_response_bytes: int = field(default=32 * 1024 * 1024, validator=_validate_whole_number(1))
    max_connections: int = field(default=100, validator=_validate_whole_number(0))
    proxy: str | None = field(default=None, validator=_validate_proxy, repr=False)
    trust_env: bool = False
    ssl: SSLContext | str | os.PathLike[str] | None = field(default=None, validator=_validate_ssl)
    client_cert: str | os.PathLike[str] | tuple[str, str] | None = field(
        default=None, validator=_validate_instance(str, os.PathLike, tuple, type(None))
    )
    prefer_xml: bool = False
    user_agent: str | None = field(default=None, validator=_validate_header_value)
    live_preview_log_path: str = field(default="/preview/log", validator=_validate_absolute_path)
    strict_decoding: bool = False
    country: str | None = field(default=None, validator=_validate_country)
    shop_id: str | int | None = field(default=None, validator=_validate_instance(str, int, type(None)))
    image_size: str | int | None = field(default=None, validator=_validate_instance(str, int, type(None)))
    usage_types: str | Iterable[str] | None = field(default=None, validator=_validate_usage_types)
    extra: Mapping[str, object] = field(default=Factory(dict), validator=_validate_extra)
    origins: Mapping[Host, str] = field(init=False, repr=False, eq=False)

    def with_env(self, environ: Mapping[str, str] | None = None) -> Settings:
        """Return the settings with those of the environment, which are named ``SEVENDIGITAL_...``.

        Raises:
            ConfigurationError: A variable has an invalid value.
        """
        environ = os.environ if environ is None else environ
        found = {
            "dialect": Dialect.from_env(environ) if environ.get(DIALECT_VARIABLE, "").strip() else None,
            "country": environ.get(COUNTRY_VARIABLE, "").strip(),
            "shop_id": environ.get(SHOP_ID_VARIABLE, "").strip(),
            "proxy": environ.get(PROXY_VARIABLE, "").strip(),
            "ssl": environ.get(CA_FILE_VARIABLE, "").strip(),
            "live_preview_log_path": environ.get(PREVIEW_LOG_PATH_VARIABLE, "").strip(),
        }
        changes: dict[str, Any] = {name: value for name, value in found.items() if value}
        if "country" in changes and (flaw := country_problem(changes["country"])):
            raise ConfigurationError(f"{COUNTRY_VARIABLE} {flaw}")
        return evolve(self, **changes)

    @origins.default
    def _resolve_origins(self) -> Mapping[Host, str]:
        if self.base_url is not None:
            return dict.fromkeys(Host, _checked_base_url(self.base_url, allow_http=self.allow_http))
        # Defaults are computed before validators run.
        hosts = self.hosts if isinstance(self.hosts, Mapping) else {}
        return {
            host: _checked_base_url(url, allow_http=self.allow_http) for host, url in {**DEFAULT_HOSTS, **hosts}.items()
        }
