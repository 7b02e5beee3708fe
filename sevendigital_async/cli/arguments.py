"""An operation and its arguments, as they are written on a command line."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path

import orjson

from ..config import Dialect
from ..errors import InvalidArgumentError
from ..operations import CATALOGUE, Argument, Operation, Place


def find_operation(name: str) -> Operation:
    """Return the operation called ``name``: dotted, or its id where that is unambiguous.

    Raises:
        InvalidArgumentError: There is none, or more than one.
    """
    try:
        return CATALOGUE.find(name)
    except KeyError as error:
        raise InvalidArgumentError(
            f"{error.args[0]}; `sevendigital operations` lists all", argument="OPERATION"
        ) from None


def complete_operation(incomplete: str) -> list[str]:
    """Return the operations whose name begins like this, for the shell."""
    return [operation.name for operation in CATALOGUE if operation.name.startswith(incomplete)]


def read_arguments(operation: Operation, pairs: Iterable[str], dialect: Dialect) -> Mapping[str, object]:
    """Read ``key=value`` pairs.

    Keys may be spelled as in Python or as on the wire. What travels as JSON is read as JSON if it is any; ``@FILE``
    stands for a file's content.

    Raises:
        InvalidArgumentError: A pair is none, its key is unknown or given twice, or its file can't be read.
    """
    binding = operation.binding(dialect)
    forms = (binding, *binding.variants.values())
    taken = {argument.name: argument for form in forms for argument in form.arguments}
    apart = {name: Argument(name, name, Place.JSON) for name in (*binding.spread, *binding.implied)}
    known = {spelling: argument for argument in (*taken.values(), *apart.values()) for spelling in _spellings(argument)}
    arguments: dict[str, object] = {}
    for pair in pairs:
        key, equals, value = pair.partition("=")
        if not equals or not key:
            raise InvalidArgumentError(f"{pair!r} is not of the form key=value", argument=pair)
        argument = known.get(key)
        if argument is None:
            choice = ", ".join(dict.fromkeys(argument.name for argument in known.values())) or "nothing"
            raise InvalidArgumentError(f"{operation.name} takes no {key!r}; it takes {choice}", argument=key)
        if argument.name in arguments:
            raise InvalidArgumentError(f"{key!r} is given twice", argument=key)
        arguments[argument.name] = _value(argument, value)
    return arguments


def _spellings(argument: Argument) -> tuple[str, str]:
    return argument.name, argument.wire


def _value(argument: Argument, text: str) -> object:
    if text.startswith("@"):
        try:
            text = Path(text[1:]).read_text(encoding="utf-8")
        except (OSError, ValueError) as error:
            reason = "it is not UTF-8" if isinstance(error, UnicodeDecodeError) else _words(error)
            raise InvalidArgumentError(
                f"{argument.name}: {text[1:]} can't be read: {reason}", argument=argument.name
            ) from None
    if argument.place is not Place.JSON:
        return text
    try:
        value: object = orjson.loads(text)
    except orjson.JSONDecodeError:
        return text
    return text if isinstance(value, int | float) and not isinstance(value, bool) else value


def _words(error: OSError | ValueError) -> str:
    return (error.strerror if isinstance(error, OSError) else None) or str(error)
