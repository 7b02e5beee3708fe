"""From a parsed answer to models: find the noun in whatever stands around it, then structure it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from attrs import frozen

from ..errors import DecodeError
from ..models import Page
from ..models.converter import MisfitError, structure
from ..models.scalars import count
from ..models.shapes import is_bare, spread
from ..models.wire import noun, plural
from ..operations import Content, Operation
from .document import Document

MAX_ENVELOPES = 4
"""How many objects may stand around what we look for."""

PAGE = ("page",)
PAGE_SIZE = ("pageSize", "itemsPerPage")
TOTAL_ITEMS = ("totalItems",)
UNNAMED_LISTS = {"items", "item", "results"}
"""Names that a list may have whatever is in it."""


def decode(operation: Operation, document: Document) -> object:
    """Return what an operation promises: a model, a `Page` of them, or None.

    Raises:
        DecodeError: The answer is something else; the message says where, and shows none of it.
    """
    if operation.content is Content.TEXT:
        return document.text
    model = operation.model
    if model is None:
        return None
    if not document.has_tree:
        wanted = plural(model) if operation.paged else noun(model)
        got = document.flaw or document.kind.value
        raise DecodeError(f"{operation.id}: $ is {got}, {wanted} expected", operation=operation.id, path="$")
    try:
        return _page(document.tree, model) if operation.paged else _single(document.tree, model)
    except MisfitError as error:
        path = f"${error.path}"
        raise DecodeError(f"{operation.id}: {path} {error.reason}", operation=operation.id, path=path) from None


@frozen
class _Node:
    """An object of the answer that may hold what we look for."""

    path: str
    tree: dict[str, Any]
    parent: _Node | None = None

    @property
    def is_envelope(self) -> bool:
        """Whether it only stands around things; one with an id is a thing, and what it holds belongs to it."""
        return self.parent is None or "id" not in self.tree

    @property
    def is_hollow(self) -> bool:
        """Whether it speaks of a list, and there is nothing in the list."""
        speaks = any(name in self.tree for name in (*PAGE, *TOTAL_ITEMS))
        return speaks and not any(inner for inner in self.tree.values() if isinstance(inner, dict | list))

    def stated(self, names: tuple[str, ...]) -> int | None:
        """Return the first number there is under one of ``names``, here or further out."""
        here = (count(self.tree.get(name)) for name in names)
        number = next((number for number in here if number is not None), None)
        return self.parent.stated(names) if number is None and self.parent else number


def _nodes(tree: object) -> Iterator[_Node]:
    """Yield the answer's objects, outer ones first, without going into things or lists."""
    level = [_Node("", tree)] if isinstance(tree, dict) else []
    for _ in range(MAX_ENVELOPES):
        yield from level
        level = [
            _Node(f"{node.path}.{name}", inner, node)
            for node in level
            if node.is_envelope
            for name, inner in node.tree.items()
            if isinstance(inner, dict)
        ]


def _single(tree: object, model: type) -> object:
    name = noun(model)
    for node in _nodes(tree):
        if node.is_envelope and (found := node.tree.get(name)) is not None:
            path = f"{node.path}.{name}"
            if isinstance(found, list) and len(found) == 1:
                return _structured(found[0], model, f"{path}[0]")
            return _structured(found, model, path)
        if node.parent is None and is_bare(node.tree, model):
            return _structured(node.tree, model, "")
    raise MisfitError(f".{name}", "is missing")


def _page(tree: object, model: type) -> Page[Any]:
    if isinstance(tree, list):
        return Page(_structured_all(tree, model, ""))
    hollow: _Node | None = None
    for node in _nodes(tree):
        name = _name_of_list(node, model)
        if name is not None:
            items = _structured_all(node.tree[name], model, f"{node.path}.{name}")
            return Page(items, node.stated(PAGE), node.stated(PAGE_SIZE), node.stated(TOTAL_ITEMS))
        if hollow is None and node.is_hollow:
            hollow = node
    if hollow is None:
        raise MisfitError(f".{plural(model)}", "is missing")
    return Page((), hollow.stated(PAGE), hollow.stated(PAGE_SIZE), hollow.stated(TOTAL_ITEMS))


def _name_of_list(node: _Node, model: type) -> str | None:
    """Return under which name ``node`` holds the items, if it does."""
    own = node.tree.get(plural(model), node)
    if own is not node and (not own or not isinstance(own, dict) or is_bare(own, model)):
        return plural(model)
    if not node.is_envelope:
        return None
    if noun(model) in node.tree:
        return noun(model)
    for name, inner in node.tree.items():
        # An envelope is no entry of a list: its turn comes later.
        items = inner if isinstance(inner, list) else [inner] if isinstance(inner, dict) and "id" in inner else []
        if any(_is_wrapped(item, noun(model)) for item in items):
            return name
        if name in UNNAMED_LISTS and any(isinstance(item, dict) and is_bare(item, model) for item in items):
            return name
    return None


def _is_wrapped(item: Any, name: str) -> bool:
    """Tell whether ``item`` is a list's entry that stands around the thing itself, as in search results."""
    if not isinstance(item, dict) or not isinstance(item.get(name), dict):
        return False
    return "id" not in item or item.get("type") == name


def _structured_all(found: Any, model: type, path: str) -> tuple[Any, ...]:
    values, place = spread(found, model)
    name = noun(model)
    models: list[Any] = []
    for index, value in enumerate(values):
        is_wrapped = _is_wrapped(value, name)
        try:
            models.append(structure(value[name] if is_wrapped else value, model))
        except MisfitError as error:
            here = path + place.replace("[]", f"[{index}]") + (f".{name}" if is_wrapped else "")
            raise MisfitError(here + error.path, error.reason) from None
    return tuple(models)


def _structured(tree: Any, model: type, path: str) -> Any:
    try:
        return structure(tree, model)
    except MisfitError as error:
        raise MisfitError(path + error.path, error.reason) from None
