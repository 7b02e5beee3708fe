"""From a call to a signed request: the arguments in their wire form, then the signature. Pure."""

from __future__ import annotations

import enum
import re
import secrets
from collections.abc import Callable, Iterable, Mapping
from datetime import date, datetime
from decimal import Decimal
from functools import lru_cache
from types import MappingProxyType
from typing import Any, TypeVar
from urllib.parse import parse_qsl, quote, urlsplit

import orjson
from attrs import field, frozen

from ..config import Credentials, SignaturePlacement, UserToken, is_encodable, is_token
from ..errors import InvalidArgumentError, SevenDigitalError
from ..models.stream_log import wire_time
from ..models.wire import camel_case
from ..operations import VERSION_PATH, Auth, Binding, Operation, Parameter, ParameterLocation
from .options import NO_DEFAULTS, CallOptions, ParameterDefaults, beyond_record, extra_parameter

_UNRESERVED = re.compile(r"[A-Za-z0-9_.~-]*").fullmatch


def percent_encode(text: str) -> str:
    """Percent-encode ``text`` for a path segment, a query, a form or a signature (RFC 5849)."""
    # Most values need no encoding; the match is several times cheaper than quote().
    return text if _UNRESERVED(text) else quote(text, safe="")


def encoded(pairs: Iterable[tuple[str, str]]) -> list[tuple[str, str]]:
    """Encode names and values."""
    return [(percent_encode(name), percent_encode(value)) for name, value in pairs]


def join_pairs(pairs: Iterable[tuple[str, str]]) -> str:
    """Join encoded pairs into a query string or a form body, in the order given."""
    return "&".join([f"{name}={value}" for name, value in pairs])


def encode_pairs(pairs: Iterable[tuple[str, str]]) -> str:
    """Encode pairs and join them."""
    return join_pairs(encoded(pairs))


T = TypeVar("T")

Pairs = tuple[tuple[str, str], ...]

JSON = "application/json"
FORM = "application/x-www-form-urlencoded"

MAX_DIGITS = 100
MAX_BITS = 400
"""Limit of a number; larger ones exhaust the memory, or Python refuses them."""


_URL_AS_SENT = re.compile(r"https?://(?:[!$&-;=?-\[\]_a-z~]|%[0-9A-Fa-f]{2})+").fullmatch


@frozen
class Call:
    """One call of one operation.

    Attributes:
        operation: The operation.
        arguments: By their Python names; not in the repr, as they may contain passwords and card numbers.
        options: What the client's view adds.
    """

    operation: Operation = field()
    arguments: Mapping[str, object] = field(repr=False)
    options: CallOptions

    @operation.validator
    def _check_operation(self, _: object, value: object) -> None:
        if not isinstance(value, Operation):
            raise InvalidArgumentError(
                f"operation must be an Operation, not a {type(value).__name__}", argument="operation"
            )

    @property
    def signer(self) -> UserToken | None:
        """The user who signs beside the partner, if the operation is three-legged."""
        return self.options.user if self.operation.auth is Auth.THREE_LEGGED else None


NO_BINDING = Binding("GET", "")
"""The binding of a request that was not built from the record of an operation."""


@frozen
class Request:
    """A request before it is signed.

    Attributes:
        http_method: In upper case.
        url: Origin and percent-encoded path, without a query.
        query: Query parameters, not yet encoded.
        form: Fields of a form body, not yet encoded; they take part in the signature.
        body: Any other body, which is not part of the signature.
        content_type: Content type of ``body``.
        binding: The binding that it was built from.
        values: The value that was sent for each parameter.
    """

    http_method: str
    url: str
    query: Pairs = field(default=(), repr=False)
    form: Pairs | None = field(default=None, repr=False)
    body: bytes | None = field(default=None, repr=False)
    content_type: str | None = None
    binding: Binding = field(default=NO_BINDING, repr=False)
    values: Mapping[str, object] = field(factory=dict, repr=False)


def request_to(http_method: str, url: str, form: Mapping[str, str] | None = None, *, origins: Iterable[str]) -> Request:
    """Parse a request to the service, so that it can be signed.

    Args:
        http_method: Such as ``GET``.
        url: With its query.
        form: Fields of a form body.
        origins: Origins of the service; the URL must lie below one of them.

    Raises:
        InvalidArgumentError: It is not a URL of the service, or is already signed.
    """
    if not isinstance(http_method, str) or not is_token(http_method):
        raise InvalidArgumentError("method must be an HTTP method such as GET", argument="method")
    if not isinstance(url, str) or not _URL_AS_SENT(url):
        raise InvalidArgumentError("url must be an absolute URL, percent-encoded, without a fragment", argument="url")
    place, _, query = url.partition("?")
    if not any(place == origin or place.startswith(f"{origin}/") for origin in origins):
        raise InvalidArgumentError(
            f"url is on none of the service's hosts: {', '.join(sorted(set(origins)))}", argument="url"
        )
    pairs = tuple(parse_qsl(query, keep_blank_values=True))
    fields = None if form is None else tuple(form.items())
    if any(name.lower().startswith("oauth_") for name, _ in (*pairs, *(fields or ()))):
        raise InvalidArgumentError("url is already signed", argument="url")
    return Request(http_method.upper(), place, pairs, fields, content_type=None if form is None else FORM)


def build_request(
    operation: Operation,
    binding: Binding,
    origin: str,
    arguments: Mapping[str, object],
    *,
    settled: Mapping[str, object] = MappingProxyType({}),
    defaults: ParameterDefaults = NO_DEFAULTS,
) -> Request:
    """Build the request of a call, as ``binding`` spells it.

    Args:
        operation: Its name is part of error messages.
        binding: How the dialect in use spells the operation.
        origin: Scheme and host, such as ``https://api.7digital.com``.
        arguments: By their Python names; those that are None are left out.
        settled: Values from the settings; ``path`` replaces the binding's path.
        defaults: Values that are sent, where the service takes them, if the caller gives none. Those of ``extra``
            stand in the query, or in a form if the operation has one.

    Raises:
        InvalidArgumentError: An argument is missing, unknown or can't be sent; the message names it.
    """
    given = {name: value for name, value in arguments.items() if value is not None}
    fallback = {} if defaults is NO_DEFAULTS else defaults.values_for(binding, given)
    binding = binding.variant_for({**fallback, **given})
    extra = {name: value for name, value in defaults.extra.items() if value is not None}
    if extra:
        named = {name.lower() for name in extra}
        _check_extra(operation, binding, given, named)
        fallback = {name: value for name, value in fallback.items() if camel_case(name).lower() not in named}
    values = _values(operation, binding, given, settled, fallback)
    more = {**beyond_record(operation, binding, fallback), **extra} if fallback or extra else {}

    path = f"{VERSION_PATH}{settled['path']}" if "path" in settled else binding.path
    query: list[tuple[str, str]] = []
    form: list[tuple[str, str]] = []
    content: list[tuple[Parameter, object]] = []
    for parameter in binding.parameters:
        if parameter.name not in values:
            continue
        value = values[parameter.name]
        match parameter.location:
            case ParameterLocation.QUERY:
                query += _pairs(parameter, value)
            case ParameterLocation.FORM:
                form += _pairs(parameter, value)
            case ParameterLocation.JSON:
                content.append((parameter, value))
            case ParameterLocation.PATH:
                path = path.replace("{" + parameter.wire + "}", _path_part(parameter, value))
    for wire, value in more.items():
        parameter = extra_parameter(binding, wire)
        (query if parameter.location is ParameterLocation.QUERY else form).extend(_pairs(parameter, value))
    body, content_type = (_json(operation, binding, content), JSON) if content else (None, None)
    return Request(
        binding.http_method,
        origin + path,
        tuple(query),
        tuple(form) if form else None,
        body,
        FORM if form else content_type,
        binding,
        values,
    )


def _check_extra(operation: Operation, binding: Binding, given: Mapping[str, object], named: set[str]) -> None:
    """Refuse an additional parameter that is also given as an argument, or that is only allowed as an argument."""
    for parameter in binding.parameters:
        in_query = parameter.location in {ParameterLocation.QUERY, ParameterLocation.FORM}
        if parameter.wire.lower() in named and (parameter.name in given or parameter.required or not in_query):
            message = f"{operation.name}: give {parameter.wire} as the argument {parameter.name!r}, not in extra"
            raise InvalidArgumentError(message, argument=parameter.name)


def _values(
    operation: Operation,
    binding: Binding,
    given: Mapping[str, object],
    settled: Mapping[str, object],
    fallback: Mapping[str, object],
) -> dict[str, object]:
    """Return the value that is sent for each parameter of a binding."""
    parts = dict(given)
    for name, spread in binding.spread.items():
        if name in parts:
            parts |= _wire_values(operation, name, spread, parts.pop(name))
    parts |= {name: value for name, value in settled.items() if name != "path"}
    for name in parts.keys() - binding.names:
        elsewhere = operation.takes(name)
        message = f"{operation.name} takes no argument {name!r}"
        hint = f" in this dialect, only in {', '.join(elsewhere)}" if elsewhere else ""
        raise InvalidArgumentError(message + hint, argument=name)
    offered = {**fallback, **parts}
    values: dict[str, object] = {}
    for parameter in binding.parameters:
        name, write = parameter.name, parameter.write
        value = offered.get(name, parameter.default)
        if value is not None:
            values[name] = _wire_values(operation, name, write, value) if write else value
        elif parameter.required:
            raise InvalidArgumentError(f"{operation.name} needs the argument {name!r}", argument=name)
    return values


def _wire_values(operation: Operation, name: str, write: Callable[[Any], T], value: object) -> T:
    try:
        return write(value)
    except SevenDigitalError:
        raise
    except (TypeError, ValueError, AttributeError, LookupError, ArithmeticError):
        kind = type(value).__name__
        raise InvalidArgumentError(f"{operation.name}: {name} can't be built from this {kind}", argument=name) from None


def _pairs(parameter: Parameter, value: object) -> list[tuple[str, str]]:
    if isinstance(value, str | int) or not isinstance(value, Mapping):
        return [(parameter.wire, wire_text(parameter, value))]
    # Values under names that the caller chooses are sent as ``tag_KEY``.
    return [
        (f"{parameter.wire}_{wire_text(parameter, key)}", wire_text(parameter, item)) for key, item in value.items()
    ]


def wire_text(parameter: Parameter, value: object) -> str:
    """Return a path, query or form value as text.

    Booleans become ``true`` and ``false``, times ISO 8601 in UTC; lists are joined by commas.

    Raises:
        InvalidArgumentError: The value can't be written as text.
    """
    name = parameter.name
    if isinstance(value, str) and not isinstance(value, enum.Enum):
        text = value
    elif isinstance(value, bool):
        text = "true" if value else "false"
    elif isinstance(value, enum.Enum):
        text = str(value.value)
    elif isinstance(value, int | Decimal):
        text = _number(name, value)
    elif isinstance(value, datetime):
        text = _wire_time(name, value)
    elif isinstance(value, date):
        text = value.strftime(parameter.date_format)
    elif isinstance(value, Iterable) and not isinstance(value, bytes | Mapping):
        text = _list(parameter, value)
    else:
        raise InvalidArgumentError(f"{name} cannot be a {type(value).__name__}", argument=name)
    if not is_encodable(text):
        raise InvalidArgumentError(f"{name} contains a lone surrogate, which UTF-8 cannot encode", argument=name)
    return text


def _number(name: str, value: int | Decimal) -> str:
    if isinstance(value, int):
        if value.bit_length() > MAX_BITS:
            raise InvalidArgumentError(f"{name} is too large a number", argument=name)
        return str(value)
    if not value.is_finite() or abs(value.adjusted()) > MAX_DIGITS:
        raise InvalidArgumentError(f"{name} is not a finite number", argument=name)
    return f"{value:f}"


def _wire_time(name: str, value: datetime) -> str:
    try:
        if value.utcoffset() is not None:
            return wire_time(value)
    except Exception:  # noqa: BLE001 - the caller's own tzinfo may raise anything; at the years 1 and 9999 UTC doesn't exist
        raise InvalidArgumentError(f"{name} can't be converted to UTC", argument=name) from None
    raise InvalidArgumentError(f"{name} needs a datetime with a time zone", argument=name)


def _list(parameter: Parameter, values: Iterable[object]) -> str:
    try:
        return ",".join([wire_text(parameter, item) for item in values])
    except RecursionError:
        raise InvalidArgumentError(f"{parameter.name} contains itself", argument=parameter.name) from None


def _path_part(parameter: Parameter, value: object) -> str:
    name, text = parameter.name, wire_text(parameter, value)
    if not text.strip():
        raise InvalidArgumentError(f"{name} is empty", argument=name)
    if text in {".", ".."}:
        # Servers and proxies resolve dot segments even when they are encoded.
        raise InvalidArgumentError(f"{name} cannot be {text!r}", argument=name)
    return percent_encode(text)


def _json(operation: Operation, binding: Binding, content: list[tuple[Parameter, object]]) -> bytes:
    tree: object = content[0][1] if binding.bare else {parameter.wire: value for parameter, value in content}
    try:
        # a tzinfo that raises crashes orjson
        option = orjson.OPT_PASSTHROUGH_DATETIME
        return orjson.dumps({binding.envelope: tree} if binding.envelope else tree, default=_as_wire, option=option)
    except (TypeError, ValueError) as error:
        names = ", ".join(parameter.name for parameter, _ in content)
        raise InvalidArgumentError(f"{operation.name}: {names} cannot be written as JSON: {error}") from None


def _as_wire(value: object) -> object:
    if isinstance(value, Decimal):
        if not value.is_finite():
            raise TypeError("NaN and infinity are not JSON numbers")
        return orjson.Fragment(str(value))
    if isinstance(value, date):
        return value.isoformat()
    as_wire = getattr(value, "as_wire", None)
    if as_wire is None:
        raise TypeError(f"{type(value).__name__} can't be sent")
    return as_wire()


@frozen
class SignedRequest:
    """A request as it goes out, byte for byte. Its repr shows neither the query nor the headers."""

    http_method: str
    url: str = field(repr=False)
    headers: dict[str, str] = field(repr=False)
    body: bytes | None = field(repr=False)


def new_nonce() -> str:
    """Return 128 random bits as text."""
    return secrets.token_hex(16)


def sign(
    request: Request,
    credentials: Credentials,
    user: UserToken | None = None,
    *,
    nonce: str,
    timestamp: int,
    placement: SignaturePlacement = SignaturePlacement.HEADER,
) -> SignedRequest:
    """Sign ``request`` for the partner alone (two-legged) or for a user as well (three-legged).

    Query and form parameters take part in the signature, other bodies don't.
    """
    from authlib.oauth1.rfc5849.signature import hmac_sha1_signature  # noqa: PLC0415 - takes long to load

    query, form = encoded(request.query), encoded(request.form or ())
    # These literals need no encoding.
    oauth = [
        ("oauth_consumer_key", percent_encode(credentials.consumer_key)),
        ("oauth_nonce", percent_encode(nonce)),
        ("oauth_signature_method", "HMAC-SHA1"),
        ("oauth_timestamp", str(timestamp)),
        *([("oauth_token", percent_encode(user.token))] if user else []),
        ("oauth_version", "1.0"),
    ]
    base = base_string(request.http_method, request.url, [*query, *form, *oauth])
    signature = hmac_sha1_signature(base, credentials.consumer_secret, user.secret if user else "")
    # Base64 has only three characters to encode; faster than quote().
    signature = signature.replace("+", "%2B").replace("/", "%2F").replace("=", "%3D")
    oauth.append(("oauth_signature", signature))
    headers: dict[str, str] = {}
    if placement is SignaturePlacement.QUERY:
        query += oauth
    else:
        headers["Authorization"] = "OAuth " + ", ".join([f'{name}="{value}"' for name, value in oauth])
    body = request.body if request.form is None else join_pairs(form).encode()
    if request.content_type:
        headers["Content-Type"] = request.content_type
    url = f"{request.url}?{join_pairs(query)}" if query else request.url
    return SignedRequest(request.http_method, url, headers, body)


def base_string(http_method: str, url: str, pairs: Iterable[tuple[str, str]]) -> str:
    """Return the text that is signed (RFC 5849, section 3.4.1): method, URL without query, sorted parameters.

    Args:
        http_method: In capitals.
        url: Without its query.
        pairs: All parameters, encoded.
    """
    # The parts are already encoded, so only these three characters remain; faster than quote().
    twice = join_pairs(sorted(pairs)).replace("%", "%25").replace("&", "%26").replace("=", "%3D")
    return f"{http_method}&{_base_url(url)}&{twice}"


@lru_cache(maxsize=256)
def _base_url(url: str) -> str:
    parts = urlsplit(url)
    host = (parts.hostname or "").lower()
    if ":" in host:
        host = f"[{host}]"
    default_port = {"http": 80, "https": 443}.get(parts.scheme)
    if parts.port is not None and parts.port != default_port:
        host = f"{host}:{parts.port}"
    return percent_encode(f"{parts.scheme}://{host}{parts.path or '/'}")
