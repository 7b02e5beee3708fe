"""From an operation and its arguments to an unsigned request. Pure."""

from __future__ import annotations

import enum
import re
from collections.abc import Callable, Iterable, Mapping
from datetime import date, datetime
from decimal import Decimal
from types import MappingProxyType
from typing import Any, TypeVar
from urllib.parse import quote

import orjson
from attrs import field, frozen

from ..config import is_encodable
from ..errors import InvalidArgumentError, SevenDigitalError
from ..models.stream_log import wire_time
from ..operations import VERSION, Binding, Operation, Parameter, ParameterLocation

_UNRESERVED = re.compile(r"[A-Za-z0-9_.~-]*").fullmatch


def percent_encode(text: str) -> str:
    """Encode ``text`` so that it stands for itself in a path segment, a query, a form or a signature."""
    # Most values need nothing; the match is several times cheaper than quote().
    return text if _UNRESERVED(text) else quote(text, safe="")


def encoded(pairs: Iterable[tuple[str, str]]) -> list[tuple[str, str]]:
    """Encode names and values."""
    return [(percent_encode(name), percent_encode(value)) for name, value in pairs]


def joined(pairs: Iterable[tuple[str, str]]) -> str:
    """Join encoded pairs into a query string or a form body, in the order given."""
    return "&".join([f"{name}={value}" for name, value in pairs])


def encode_pairs(pairs: Iterable[tuple[str, str]]) -> str:
    """Encode pairs and join them."""
    return joined(encoded(pairs))


T = TypeVar("T")

Pairs = tuple[tuple[str, str], ...]

JSON = "application/json"
FORM = "application/x-www-form-urlencoded"

MAX_DIGITS = 100
MAX_BITS = 400
"""Of numbers; larger ones would fill the memory, or are refused by Python itself."""


@frozen
class Request:
    """A request before it is signed.

    Attributes:
        http_method: In upper case.
        url: Origin and percent-encoded path, without a query.
        query: Query parameters, not yet encoded.
        form: Fields of a form body, not yet encoded; they take part in the signature.
        body: Any other body; it doesn't.
        content_type: Of ``body``.
        binding: What it was spelled by.
        values: What was sent for each argument.
    """

    http_method: str
    url: str
    query: Pairs = field(default=(), repr=False)
    form: Pairs | None = field(default=None, repr=False)
    body: bytes | None = field(default=None, repr=False)
    content_type: str | None = None
    binding: Binding | None = field(default=None, repr=False)
    values: Mapping[str, object] = field(factory=dict, repr=False)


def build_request(
    operation: Operation,
    binding: Binding,
    origin: str,
    arguments: Mapping[str, object],
    *,
    settled: Mapping[str, object] = MappingProxyType({}),
    fallback: Mapping[str, object] = MappingProxyType({}),
) -> Request:
    """Spell a call the way ``binding`` does.

    Args:
        operation: Named in error messages.
        binding: The operation's form in the dialect in use.
        origin: Scheme and host, such as ``https://api.7digital.com``.
        arguments: By their Python names; those that are None are left out.
        settled: Arguments that the settings decide; ``path`` stands for the binding's own.
        fallback: Arguments that are sent, where the service takes them, if the caller gives none.

    Raises:
        InvalidArgumentError: One is missing, unknown or has no wire form; the message names it.
    """
    given = {name: value for name, value in arguments.items() if value is not None}
    binding = binding.form_for(given)
    values = _values(operation, binding, given, settled, fallback)

    path = f"{VERSION}{settled['path']}" if "path" in settled else binding.path
    query: list[tuple[str, str]] = []
    form: list[tuple[str, str]] = []
    content: list[tuple[Parameter, object]] = []
    for argument in binding.arguments:
        if argument.name not in values:
            continue
        value = values[argument.name]
        match argument.place:
            case ParameterLocation.QUERY:
                query += _pairs(argument, value)
            case ParameterLocation.FORM:
                form += _pairs(argument, value)
            case ParameterLocation.JSON:
                content.append((argument, value))
            case ParameterLocation.PATH:
                path = path.replace("{" + argument.wire + "}", _path_part(argument, value))
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


def _values(
    operation: Operation,
    binding: Binding,
    given: Mapping[str, object],
    settled: Mapping[str, object],
    fallback: Mapping[str, object],
) -> dict[str, object]:
    """Return what is sent for each argument of a binding."""
    parts = dict(given)
    for name, spread in binding.spread.items():
        if name in parts:
            parts |= _written(operation, name, spread, parts.pop(name))
    parts |= {name: value for name, value in settled.items() if name != "path"}
    for name in parts.keys() - binding.names:
        elsewhere = operation.takes(name)
        message = f"{operation.id} takes no argument {name!r}"
        hint = f" in this dialect, only in {', '.join(elsewhere)}" if elsewhere else ""
        raise InvalidArgumentError(message + hint, argument=name)
    values: dict[str, object] = {}
    for argument in binding.arguments:
        value = parts.get(argument.name, fallback.get(argument.name, argument.default))
        if value is not None:
            write = argument.write
            values[argument.name] = _written(operation, argument.name, write, value) if write else value
        elif argument.required:
            raise InvalidArgumentError(f"{operation.id} needs the argument {argument.name!r}", argument=argument.name)
    return values


def _written(operation: Operation, name: str, write: Callable[[Any], T], value: object) -> T:
    try:
        return write(value)
    except SevenDigitalError:
        raise
    except (TypeError, ValueError, AttributeError, LookupError, ArithmeticError):
        kind = type(value).__name__
        raise InvalidArgumentError(f"{operation.id}: {name} cannot be made of this {kind}", argument=name) from None


def _pairs(argument: Parameter, value: object) -> list[tuple[str, str]]:
    if not isinstance(value, Mapping):
        return [(argument.wire, wire_text(argument, value))]
    # Several values under names of the caller's own travel as ``tag_KEY``.
    return [(f"{argument.wire}_{wire_text(argument, key)}", wire_text(argument, item)) for key, item in value.items()]


def wire_text(argument: Parameter, value: object) -> str:
    """Spell a path, query or form value.

    Booleans become ``true`` and ``false``, moments ISO 8601 in UTC, lists are joined by commas.

    Raises:
        InvalidArgumentError: The value has no such form.
    """
    name = argument.name
    if isinstance(value, str) and not isinstance(value, enum.Enum):
        text = value
    elif isinstance(value, bool):
        text = "true" if value else "false"
    elif isinstance(value, enum.Enum):
        text = str(value.value)
    elif isinstance(value, int | Decimal):
        text = _number(name, value)
    elif isinstance(value, datetime):
        text = _moment(name, value)
    elif isinstance(value, date):
        text = value.strftime(argument.date_format)
    elif isinstance(value, Iterable) and not isinstance(value, bytes | Mapping):
        text = _list(argument, value)
    else:
        raise InvalidArgumentError(f"{name} cannot be a {type(value).__name__}", argument=name)
    if not is_encodable(text):
        raise InvalidArgumentError(f"{name} holds a lone surrogate, which has no UTF-8 form", argument=name)
    return text


def _number(name: str, value: int | Decimal) -> str:
    if isinstance(value, int):
        if value.bit_length() > MAX_BITS:
            raise InvalidArgumentError(f"{name} is too large a number", argument=name)
        return str(value)
    if not value.is_finite() or abs(value.adjusted()) > MAX_DIGITS:
        raise InvalidArgumentError(f"{name} is not a number that can be written out", argument=name)
    return f"{value:f}"


def _moment(name: str, value: datetime) -> str:
    try:
        if value.utcoffset() is not None:
            return wire_time(value)
    except Exception:  # noqa: BLE001 - the caller's own tzinfo may raise anything; at the years 1 and 9999 UTC doesn't exist
        raise InvalidArgumentError(f"{name} has no form in UTC", argument=name) from None
    raise InvalidArgumentError(f"{name} needs a datetime with a time zone", argument=name)


def _list(argument: Parameter, values: Iterable[object]) -> str:
    try:
        return ",".join([wire_text(argument, item) for item in values])
    except RecursionError:
        raise InvalidArgumentError(f"{argument.name} holds itself", argument=argument.name) from None


def _path_part(argument: Parameter, value: object) -> str:
    name, text = argument.name, wire_text(argument, value)
    if not text.strip():
        raise InvalidArgumentError(f"{name} is empty", argument=name)
    if text in {".", ".."}:
        # Servers and proxies resolve dot segments even when they are encoded.
        raise InvalidArgumentError(f"{name} cannot be {text!r}", argument=name)
    return percent_encode(text)


def _json(operation: Operation, binding: Binding, content: list[tuple[Parameter, object]]) -> bytes:
    tree: object = content[0][1] if binding.bare else {argument.wire: value for argument, value in content}
    try:
        # orjson itself doesn't survive a tzinfo that raises.
        option = orjson.OPT_PASSTHROUGH_DATETIME
        return orjson.dumps({binding.envelope: tree} if binding.envelope else tree, default=_as_wire, option=option)
    except (TypeError, ValueError) as error:
        names = ", ".join(argument.name for argument, _ in content)
        raise InvalidArgumentError(f"{operation.id}: {names} cannot be written as JSON: {error}") from None


def _as_wire(value: object) -> object:
    if isinstance(value, Decimal):
        if not value.is_finite():
            raise TypeError("JSON has no such number")
        return orjson.Fragment(str(value))
    if isinstance(value, date):
        return value.isoformat()
    as_wire = getattr(value, "as_wire", None)
    if as_wire is None:
        raise TypeError(f"{type(value).__name__} has no wire form")
    return as_wire()
