"""The wire's several shapes of one thing, brought to one shape; plain trees in, plain trees out."""

from __future__ import annotations

from itertools import chain
from typing import Any

import attrs

from .wire import nouns, plurals, wire_names

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
    """Return what a collection of texts says under which key, or None if it is no such collection.

    An object with a text under each key, or entries that have a ``key`` and one other field.
    """
    if not isinstance(value, dict):
        return None
    inside = chain.from_iterable(inner if isinstance(inner, list) else [inner] for inner in value.values())
    entries = [entry for entry in inside if isinstance(entry, dict) and isinstance(entry.get("key"), str)]
    if not entries:
        return value
    return {entry["key"]: next((text for name, text in entry.items() if name != "key"), None) for entry in entries}


def is_bare(tree: Any, model: Any) -> bool:
    """Tell whether ``tree`` is a ``model`` with nothing around it.

    It is if it has everything the model requires or, where it requires nothing, anything that it knows.
    """
    fields = attrs.fields(model)
    required = [field for field in fields if field.default is attrs.NOTHING]
    present = (any(reach(tree, steps(name)) is not None for name in wire_names(field)) for field in required or fields)
    return all(present) if required else any(present)
