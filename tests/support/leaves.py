"""Which leaves of an answer arrive in a model: one is changed at a time, and the answer decoded again."""

from collections.abc import Iterator
from copy import deepcopy
from typing import Any

import attrs

from sevendigital_async import DecodeError
from sevendigital_async.operations import REGISTRY
from sevendigital_async.session.decode import decode
from sevendigital_async.session.document import parse

Place = tuple[str | int, ...]

ENVELOPE = {"status", "version", "schema"}
"""Members of an answer that describe the answer itself."""


def unread_leaves(operation: str, content: bytes, content_type: str) -> set[str]:
    """Return the paths of an answer's leaves that make no difference to what it is decoded to."""
    record, document = REGISTRY.find(operation), parse(content, content_type)
    whole = shown(decode(record, document, strict=True))

    def changes(tree: Any) -> bool:
        try:
            return shown(decode(record, attrs.evolve(document, tree=tree), strict=True)) != whole
        except DecodeError:
            return True

    return {
        ".".join("[]" if isinstance(step, int) else step for step in place)
        for place in leaves(document.tree)
        if place[0] not in ENVELOPE and not changes(without(document.tree, place))
    }


def shown(thing: Any) -> Any:
    """Return a value with everything that is in it: models may leave fields out of comparisons and representations."""
    if attrs.has(type(thing)):
        return type(thing), [shown(getattr(thing, field.name)) for field in attrs.fields(type(thing))]
    return [shown(inner) for inner in thing] if isinstance(thing, tuple) else thing


def leaves(tree: Any, place: Place = ()) -> Iterator[Place]:
    """Yield the places of all values in a tree, without the empty ones."""
    if isinstance(tree, dict | list):
        for step, inner in tree.items() if isinstance(tree, dict) else enumerate(tree):
            yield from leaves(inner, (*place, step))
    elif tree not in (None, ""):
        yield place


def without(tree: Any, place: Place) -> Any:
    """Return a copy of a tree that lacks one leaf."""
    copy = deepcopy(tree)
    inner = copy
    for step in place[:-1]:
        inner = inner[step]
    del inner[place[-1]]
    return copy
