"""How models are spelled on the wire: names, nouns, and the shapes that answers come in."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from contextlib import suppress
from functools import cache
from itertools import chain
from typing import Any, TypeVar

import attrs
from attrs import Attribute, field

T = TypeVar("T")

WIRE_NAMES = "wire_names"
OTHER_NOUNS = "__wire_nouns__"
SOURCES = "__wire_sources__"
MAY_BE_EMPTY = "__wire_may_be_empty__"
TEXT = "#text"
"""Stands for the text of an XML element that has attributes, and for a bare text where an object might be."""
ENTRY = "#entry"
"""Stands for what an entry of a list says around the thing that it is about, such as its rank in a chart."""


def wire(*names: str, default: Any = None, repr: bool = True, eq: bool = True) -> Any:  # noqa: A002 - as attrs calls it
    """Declare a field whose wire name does not follow from its own, or that has several.

    Args:
        names: What the service writes, most usual first. A dot leads into an object
            (``currency.code``), except in the first.
        default: The value if the answer has none of them; ``attrs.NOTHING`` makes the field required.
        repr: Whether the value may be shown; secrets may not.
        eq: Whether two objects that differ in it only are different.
    """
    return field(default=default, repr=repr, eq=eq, metadata={WIRE_NAMES: names})


def wire_names(attribute: Attribute[Any]) -> tuple[str, ...]:
    """Return all spellings of a field: those given to `wire`, else its name in camel case."""
    names: tuple[str, ...] = attribute.metadata.get(WIRE_NAMES, ())
    return names or (camel_case(attribute.name),)


def called(*names: str) -> Callable[[type[T]], type[T]]:
    """Declare what else a model is called in answers, besides its own name: ``@called("card")``."""

    def remember(model: type[T]) -> type[T]:
        setattr(model, OTHER_NOUNS, names)
        return model

    return remember


def gathered(**sources: str) -> Callable[[type[T]], type[T]]:
    """Declare from which lists a list of the model can be put together, where it has none of its own.

    Args:
        sources: For a list's name, the place in the model where its entries belong: ``releases="release"``.
    """

    def remember(model: type[T]) -> type[T]:
        setattr(model, SOURCES, sources)
        return model

    return remember


def may_be_empty(model: type[T]) -> type[T]:
    """Declare that answers may have an empty element in place of the model: there is nothing to say."""
    setattr(model, MAY_BE_EMPTY, True)
    return model


def can_be_empty(model: type) -> bool:
    """Return whether the model was declared with `may_be_empty`."""
    return getattr(model, MAY_BE_EMPTY, False) is True


def sources_of(model: type) -> Mapping[str, str]:
    """Return what was declared with `gathered`."""
    sources: Mapping[str, str] = getattr(model, SOURCES, {})
    return sources


@cache
def noun(model: type) -> str:
    """Return what one object of ``model`` is called in an answer: ``serviceStatus`` for ``ServiceStatus``."""
    name = model.__name__
    return name[0].lower() + name[1:]


@cache
def nouns(model: type) -> tuple[str, ...]:
    """Return all that one object of ``model`` is called in answers, most usual first."""
    return (noun(model), *getattr(model, OTHER_NOUNS, ()))


def plural(model: type) -> str:
    """Return what a list of ``model`` is called in an answer."""
    return _plural(noun(model))


@cache
def plurals(model: type) -> tuple[str, ...]:
    """Return all that a list of ``model`` is called in answers, most usual first."""
    return tuple(_plural(name) for name in nouns(model))


def _plural(name: str) -> str:
    return f"{name[:-1]}ies" if name.endswith("y") else f"{name}s"


def camel_case(name: str) -> str:
    """Spell ``page_size`` as ``pageSize``, the way the wire does."""
    head, *tail = name.split("_")
    return head + "".join(part.capitalize() for part in tail)


Steps = tuple[str, ...]


def steps(name: str) -> Steps:
    """Split a wire name with dots into the keys it leads through."""
    return tuple(name.split("."))


def reach(tree: Any, path: Steps) -> Any:
    """Return what lies at ``path``, or None."""
    for step in path:
        if tree.__class__ is not dict:
            return None
        tree = tree.get(step)
    return tree


def respelled(tree: dict[str, Any], spellings: list[tuple[str, list[Steps]]]) -> dict[str, Any]:
    """Return ``tree`` with each field under its first name; the tree itself stays as it is.

    Args:
        tree: An object of the answer.
        spellings: First names, each with the other places where the value may lie.
    """
    renamed = {}
    for name, others in spellings:
        if tree.get(name) is not None:
            continue
        for path in others:
            value = tree.get(path[0])
            if value is not None and len(path) > 1:
                value = reach(value, path[1:])
            if value is not None:
                renamed[name] = value
                break
    return tree | renamed if renamed else tree


def spread(value: Any, model: Any) -> tuple[list[Any], str]:
    """Return the items of a collection, and their path within it, ``[]`` standing for an index.

    A list, one item in its place, ``{"format": ...}`` or ``{"formats": ...}`` around either, or nothing at all.
    """
    path = ""
    if isinstance(value, dict) and "id" not in value:
        names = (*nouns(model), *plurals(model)) if attrs.has(model) else tuple(value)[:1]
        for name in names:
            if name in value:
                value, path = value[name], f".{name}"
                break
    if isinstance(value, list):
        return value, f"{path}[]"
    return ([], path) if value is None or value in ("", {}) else ([value], path)


def keyed(value: Any) -> dict[str, Any] | None:
    """Return a collection of texts by their keys; None if it is not one.

    An object with a text under each key, or entries that have a ``key`` and one other field.
    """
    if value == []:
        return {}
    if not isinstance(value, dict):
        return None
    inside = chain.from_iterable(inner if isinstance(inner, list) else [inner] for inner in value.values())
    entries = [entry for entry in inside if isinstance(entry, dict) and isinstance(entry.get("key"), str)]
    if not entries:
        # A page of no entries states its size, or has an empty list.
        return {} if "pageSize" in value or [] in value.values() else value
    return {entry["key"]: next((text for name, text in entry.items() if name != "key"), None) for entry in entries}


def is_bare(tree: Any, model: Any) -> bool:
    """Return whether ``tree`` is a ``model`` with nothing around it.

    It is if it has everything the model requires or, where it requires nothing, anything that it knows.
    """
    fields = attrs.fields(model)
    required = [field for field in fields if field.default is attrs.NOTHING]
    present = (any(reach(tree, steps(name)) is not None for name in wire_names(field)) for field in required or fields)
    return all(present) if required else any(present)


class _DuplicateKeyError(Exception):
    """Carries the key."""


def duplicate_key(document: bytes | str) -> str | None:
    """Return a key that comes twice in one object of a JSON document; None if there is none.

    Args:
        document: Known to be valid JSON.
    """
    try:
        # Numbers stay text: how large they are does not matter here.
        with suppress(ValueError, RecursionError):
            json.loads(document, object_pairs_hook=_check, parse_int=str, parse_float=str)
    except _DuplicateKeyError as error:
        return str(error)
    return None


def duplicate_key_in_flat(document: bytes | str, read: Mapping[str, object]) -> str | None:
    """Do the same for an object that mostly holds texts and numbers, at next to no cost.

    Args:
        document: As it came.
        read: What it was read as.
    """
    quotes = 2 * (len(read) + sum(type(value) is str for value in read.values()))
    counted = document.count('"') if isinstance(document, str) else document.count(b'"')
    # A key that comes twice brings quotes beyond those of what was read, and so do escapes and nested values.
    return None if counted == quotes else duplicate_key(document)


def _check(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        names = [name for name, _ in pairs]
        raise _DuplicateKeyError(next(name for name in names if names.count(name) > 1))
    return found
