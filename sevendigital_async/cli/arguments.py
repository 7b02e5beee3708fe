"""Arguments of operations as ``key=value``: how they are read, and how a shell completes them."""

from __future__ import annotations

import enum
import inspect
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from functools import cached_property
from pathlib import Path
from typing import Any

import orjson

from ..config import Dialect
from ..countries import ALPHA_2
from ..errors import InvalidArgumentError, SevenDigitalError
from ..operations import REGISTRY, Operation, Parameter, ParameterLocation
from .usage import quoted, suggestion

PAGING_ARGUMENTS = frozenset({"page", "page_size"})
VALUES_BY_ARGUMENT: Mapping[str, Sequence[str]] = {
    "country": ALPHA_2,
    "card_country": ALPHA_2,
    "period": ("day", "week", "month", "year"),
}
"""Values of arguments that are text in Python."""

STRUCTURES = frozenset({"Iterable", "Mapping"})
"""Types in Python of arguments that are lists and objects in JSON."""


def find_operation(name: str) -> Operation:
    """Return the operation with a dotted name, or with an id that is unambiguous.

    Raises:
        InvalidArgumentError: No operation, or more than one, has that name; the message has the most similar one.
    """
    try:
        return REGISTRY.find(name)
    except KeyError as error:
        hint = suggestion(name, [known for each in REGISTRY for known in (each.name, each.id)])
        raise InvalidArgumentError(
            f"{error.args[0]}{hint or '; `sevendigital operations` lists all'}", argument="OPERATION"
        ) from None


def parameters_of(operation: Operation, dialect: Dialect) -> Mapping[str, Parameter]:
    """Return what a call of an operation can name, by the names in Python."""
    binding = operation.binding(dialect)
    bindings = (binding, *binding.variants.values())
    parameters = {parameter.name: parameter for each in bindings for parameter in each.parameters}
    for name in (*binding.spread, *binding.implied):
        parameters[name] = Parameter(name, name, ParameterLocation.JSON)
    return parameters


def read_arguments(operation: Operation, pairs: Iterable[str], dialect: Dialect) -> Mapping[str, object]:
    """Read ``key=value`` pairs.

    Keys are spelled as in Python or as on the wire. A value that travels as JSON is read as JSON where it is valid;
    text may also be written as it is. ``@FILE`` is replaced by the content of a file.

    Raises:
        InvalidArgumentError: A pair has no key or no ``=``, its key is unknown or given twice, its file cannot be
            read, a page is not a whole number, or a list or an object is not JSON.
    """
    parameters = parameters_of(operation, dialect)
    known = {spelling: each for each in parameters.values() for spelling in (each.name, each.wire)}
    arguments: dict[str, object] = {}
    for pair in pairs:
        key, equals, value = pair.partition("=")
        if not equals or not key:
            raise InvalidArgumentError(f"{quoted(pair)} must be key=value", argument=pair)
        parameter = known.get(key)
        if parameter is None:
            choice = f"its arguments are {', '.join(parameters)}" if parameters else "it has none"
            hint = suggestion(key, known)
            raise InvalidArgumentError(f"{operation.name} has no argument {key!r}; {choice}{hint}", argument=key)
        if parameter.name in arguments:
            raise InvalidArgumentError(f"{key!r} is given twice", argument=key)
        arguments[parameter.name] = _parse_value(operation, parameter, value)
    return arguments


def _parse_value(operation: Operation, parameter: Parameter, text: str) -> object:
    if text.startswith("@"):
        text = _read_file(parameter.name, text[1:])
    if parameter.name in PAGING_ARGUMENTS:
        if not (text.isascii() and text.isdecimal()):
            raise InvalidArgumentError(
                f"{parameter.name}: {quoted(text)} is not a whole number", argument=parameter.name
            )
        return int(text)
    if parameter.location is not ParameterLocation.JSON:
        return text
    try:
        value: object = orjson.loads(text)
    except orjson.JSONDecodeError as error:
        if STRUCTURES.intersection(_types_of(operation, parameter)):
            raise InvalidArgumentError(
                f'{parameter.name}: {quoted(text)} is not valid JSON ({error}); write a list as \'["a", "b"]\' and an'
                ' object as \'{"key": "value"}\'',
                argument=parameter.name,
            ) from None
        return text
    return text if isinstance(value, int | float) and not isinstance(value, bool) else value


def _read_file(name: str, path: str) -> str:
    if not path:
        raise InvalidArgumentError(f"{name}: @ must be followed by the name of a file", argument=name)
    try:
        return Path(path).read_text(encoding="utf-8")
    except (OSError, ValueError) as error:
        reason = (error.strerror if isinstance(error, OSError) else None) or str(error)
        if isinstance(error, UnicodeDecodeError):
            reason = "the file is not UTF-8"
        raise InvalidArgumentError(f"{name}: cannot read {path}: {reason}", argument=name) from None


# -- completion --


def complete_operation(incomplete: str) -> list[str]:
    """Return the names of operations that begin like this, for the shell."""
    return [operation.name for operation in REGISTRY if operation.name.startswith(incomplete)]


def complete_argument(operation: str, given: Sequence[str], incomplete: str, dialect: Dialect) -> list[str]:
    """Return keys of an operation's arguments that are not given yet, or the values of one of them, for the shell.

    Args:
        operation: Its name.
        given: The words before the one to complete. bash takes ``key=value`` for three words.
        incomplete: What is typed of the word to complete.
        dialect: Which arguments there are depends on it.
    """
    try:
        found = find_operation(operation)
        parameters = parameters_of(found, dialect)
    except SevenDigitalError:
        return []
    key, equals, value = incomplete.partition("=")
    if equals and key:
        return [f"{key}={known}" for known in known_values(found, parameters.get(key)) if known.startswith(value)]
    if equals and given:
        return list(known_values(found, parameters.get(given[-1])))
    if given[-1:] == ["="] and len(given) > 1:
        return [known for known in known_values(found, parameters.get(given[-2])) if known.startswith(incomplete)]
    named = {pair.partition("=")[0] for pair in given}
    return [f"{name}=" for name in parameters if name.startswith(incomplete) and name not in named]


def known_values(operation: Operation, parameter: Parameter | None) -> Sequence[str]:
    """Return the values that an argument can have, as far as they are few and known."""
    if parameter is None:
        return ()
    if parameter.name in VALUES_BY_ARGUMENT:
        return VALUES_BY_ARGUMENT[parameter.name]
    method = _client_method(operation.name)
    return tuple(value for name in _types_of(operation, parameter) for value in _values_of_type(name, method))


def _types_of(operation: Operation, parameter: Parameter) -> Iterable[str]:
    """Return the names in the annotation of an argument of the client's method, in their order; none if unknown."""
    method = _client_method(operation.name)
    annotation = str(method.__annotations__.get(parameter.name, "")) if method else ""
    return dict.fromkeys(re.findall(r"\w+", annotation))


def _values_of_type(name: str, method: Any) -> Iterator[str]:
    """Yield the values of a type in an annotation of a method, if there are few."""
    kind = method.__globals__.get(name)
    if isinstance(kind, type) and issubclass(kind, enum.StrEnum):
        yield from (member.value for member in kind)
    elif name == "bool":
        yield from ("true", "false")


def _client_method(name: str) -> Callable[..., object] | None:
    """Return the method of the client that has the name of an operation."""
    from ..resources import Classic, Platform  # noqa: PLC0415 - only completion needs the methods
    from ..resources.media import Media  # noqa: PLC0415 - as above
    from ..resources.oauth import OAuth  # noqa: PLC0415 - as above

    space, *names, last = name.split(".")
    owner: Any = {"classic": Classic, "platform": Platform, "media": Media, "oauth": OAuth}.get(space)
    for part in names:
        member: Any = inspect.getattr_static(owner, part, None)
        getter: Any = member.func if isinstance(member, cached_property) else getattr(member, "fget", None)
        with suppress(AttributeError):
            owner = getter.__globals__[getter.__annotations__["return"]]
    method = inspect.getattr_static(owner, last, None)
    return inspect.unwrap(method) if inspect.isfunction(method) else None
