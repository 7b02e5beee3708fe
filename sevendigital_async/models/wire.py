"""Declarations of models: the names of fields and models on the wire, and checks of what is sent."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from contextlib import suppress
from datetime import datetime
from functools import cache
from typing import Any, TypeVar

import attrs
from attrs import Attribute, field

from ..errors import InvalidArgumentError

T = TypeVar("T")

WIRE_NAMES = "wire_names"
ALIASES = "__wire_nouns__"
LIST_SOURCES = "__wire_sources__"
MAY_BE_EMPTY = "__wire_may_be_empty__"
EXPECTED_FIELDS = "__wire_expected__"
ELEMENT_TEXT = "#text"
"""The key of an XML element's text beside attributes, and of a bare text in place of an object."""
MAPPING_KEYS = ("key", "rel")
"""Names of the keys in entries of mappings; links have a ``rel``."""
LIST_ENTRY = "#entry"
"""The key of an entry's members beside its item, such as the rank in a chart."""


def wire(*names: str, default: Any = None, repr: bool = True, eq: bool = True) -> Any:  # noqa: A002 - as attrs calls it
    """Declare a field whose wire name does not follow from its own, or that has several.

    Args:
        names: Wire names, most frequent first. A dot leads into an object
            (``currency.code``), except in the first.
        default: The value if the response has none of them; ``attrs.NOTHING`` makes the field required.
        repr: Whether the value may be shown; secrets may not.
        eq: Whether two objects that differ in it only are different.
    """
    return field(default=default, repr=repr, eq=eq, metadata={WIRE_NAMES: names})


def wire_names(attribute: Attribute[Any]) -> tuple[str, ...]:
    """Return all wire names of a field: those given to `wire`, else its name in camel case."""
    names: tuple[str, ...] = attribute.metadata.get(WIRE_NAMES, ())
    return names or (camel_case(attribute.name),)


def aliases(*names: str) -> Callable[[type[T]], type[T]]:
    """Declare other names of a model in responses: ``@aliases("card")``."""

    def remember(model: type[T]) -> type[T]:
        setattr(model, ALIASES, names)
        return model

    return remember


def built_from_lists(**sources: str) -> Callable[[type[T]], type[T]]:
    """Declare from which lists a list of the model can be built, if the response has none.

    Args:
        sources: For a list's name, the model's field for its entries: ``releases="release"``.
    """

    def remember(model: type[T]) -> type[T]:
        setattr(model, LIST_SOURCES, sources)
        return model

    return remember


def may_be_empty(model: type[T]) -> type[T]:
    """Declare that responses may have an empty element in place of the model."""
    setattr(model, MAY_BE_EMPTY, True)
    return model


def can_be_empty(model: type) -> bool:
    """Return whether the model was declared with `may_be_empty`."""
    return getattr(model, MAY_BE_EMPTY, False) is True


def expects_fields(*names: str) -> Callable[[type[T]], type[T]]:
    """Declare optional fields of the model whose absence is logged: ``@expects_fields("purchase_id")``."""

    def remember(model: type[T]) -> type[T]:
        setattr(model, EXPECTED_FIELDS, names)
        return model

    return remember


def expected_fields_of(model: type) -> tuple[str, ...]:
    """Return what was declared with `expects_fields`."""
    names: tuple[str, ...] = getattr(model, EXPECTED_FIELDS, ())
    return names


def list_sources_of(model: type) -> Mapping[str, str]:
    """Return what was declared with `built_from_lists`."""
    sources: Mapping[str, str] = getattr(model, LIST_SOURCES, {})
    return sources


@cache
def wire_noun(model: type) -> str:
    """Return the name of one ``model`` in a response: ``serviceStatus`` for ``ServiceStatus``."""
    name = model.__name__
    return name[0].lower() + name[1:]


@cache
def wire_nouns(model: type) -> tuple[str, ...]:
    """Return all names of one ``model`` in responses, most frequent first."""
    return (wire_noun(model), *getattr(model, ALIASES, ()))


def wire_plural(model: type) -> str:
    """Return the name of a list of ``model`` in a response."""
    return _plural(wire_noun(model))


@cache
def wire_plurals(model: type) -> tuple[str, ...]:
    """Return all names of a list of ``model`` in responses, most frequent first."""
    return tuple(_plural(name) for name in wire_nouns(model))


def _plural(name: str) -> str:
    if name.endswith("y"):
        return f"{name[:-1]}ies"
    return f"{name}es" if name.endswith("ch") else f"{name}s"


def camel_case(name: str) -> str:
    """Convert ``page_size`` to ``pageSize``."""
    head, *tail = name.split("_")
    return head + "".join(part.capitalize() for part in tail)


Steps = tuple[str, ...]


def steps(name: str) -> Steps:
    """Split a wire name at its dots."""
    return tuple(name.split("."))


def value_at(tree: Any, path: Steps) -> Any:
    """Return the value at ``path``, or None."""
    for step in path:
        if tree.__class__ is not dict:
            return None
        tree = tree.get(step)
    return tree


def with_wire_names(tree: dict[str, Any], other_names: list[tuple[str, list[Steps]]]) -> dict[str, Any]:
    """Return ``tree`` with each field under its first name; the tree is not modified.

    Args:
        tree: An object of the response.
        other_names: First names, each with the other paths of the value.
    """
    renamed = {}
    for name, others in other_names:
        if tree.get(name) is not None:
            continue
        for path in others:
            value = tree.get(path[0])
            if value is not None and len(path) > 1:
                value = value_at(value, path[1:])
            if value is not None:
                renamed[name] = value
                break
    return tree | renamed if renamed else tree


def is_unenveloped(tree: Any, model: Any) -> bool:
    """Return whether ``tree`` is a ``model`` without an envelope.

    It is if it has all required fields or, if there are none, any known field.
    """
    fields = attrs.fields(model)
    required = [field for field in fields if field.default is attrs.NOTHING]
    present = (
        any(value_at(tree, steps(name)) is not None for name in wire_names(field)) for field in required or fields
    )
    return all(present) if required else any(present)


def require_text(_: object, attribute: Attribute[Any], value: object) -> None:
    """Require non-blank text.

    Raises:
        InvalidArgumentError: It is not text, or blank.
    """
    if not isinstance(value, str) or not value.strip():
        raise InvalidArgumentError(f"{attribute.name} must be a non-empty string", argument=attribute.name)


def require_aware_datetime(_: object, attribute: Attribute[Any], value: object) -> None:
    """Require an aware datetime.

    Raises:
        InvalidArgumentError: It is not a datetime, or has no time zone.
    """
    if not isinstance(value, datetime) or value.utcoffset() is None:
        raise InvalidArgumentError(f"{attribute.name} must be a datetime with a time zone", argument=attribute.name)


def require_seconds(_: object, attribute: Attribute[Any], value: object) -> None:
    """Require whole seconds.

    Raises:
        InvalidArgumentError: It is not a whole number, zero or more.
    """
    if type(value) is not int or value < 0:
        raise InvalidArgumentError(f"{attribute.name} must be whole seconds, zero or more", argument=attribute.name)


class _DuplicateKeyError(Exception):
    """Carries the key."""


def duplicate_key(document: bytes | str) -> str | None:
    """Return a duplicate key of an object in a JSON document; None if there is none.

    Args:
        document: Known to be valid JSON.
    """
    try:
        # Numbers stay text, so that their size does not matter.
        with suppress(ValueError, RecursionError):
            json.loads(document, object_pairs_hook=_refuse_duplicate_keys, parse_int=str, parse_float=str)
    except _DuplicateKeyError as error:
        return str(error)
    return None


def duplicate_key_in_flat(document: bytes | str, read: Mapping[str, object]) -> str | None:
    """The same for a mostly flat object, much faster.

    Args:
        document: As it came.
        read: Its parsed value.
    """
    quotes = 2 * (len(read) + sum(type(value) is str for value in read.values()))
    counted = document.count('"') if isinstance(document, str) else document.count(b'"')
    # A duplicate key has more quotes than the parsed object, and so have escapes and nested values.
    return None if counted == quotes else duplicate_key(document)


def _refuse_duplicate_keys(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        names = [name for name, _ in pairs]
        raise _DuplicateKeyError(next(name for name in names if names.count(name) > 1))
    return found
