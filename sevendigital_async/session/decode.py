"""From a parsed answer to models: find the model's noun in its envelopes, then structure it."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from datetime import date, datetime
from enum import Enum
from functools import reduce
from typing import Any

from attrs import frozen

from ..errors import DecodeError
from ..models import Page
from ..models.catalogue import Listing
from ..models.converter import MisfitError, structure
from ..models.scalars import count
from ..models.wire import ENTRY, is_bare, noun, nouns, plural, plurals, sources_of, spread
from ..operations import Content, Operation, Safety
from .acknowledgement import doubt_in
from .document import Document, Kind
from .request import Request

MAX_ENVELOPES = 4
"""How many objects may enclose the model."""

_SAYS_OK = re.compile(rb'\s*\{\s*"status"\s*:\s*"ok"\s*,').match
"""The beginning of the service's acceptance; the example on the vendor's page is malformed after it."""

PAGE = ("page",)
PAGE_SIZE = ("pageSize", "itemsPerPage")
TOTAL_ITEMS = ("totalItems",)
UNNAMED_LISTS = {"items", "item", "results"}
"""Names of lists that don't depend on the items."""
ENVELOPE = {"status", "version", "schema"}
"""Members that describe the answer itself."""


def decode(operation: Operation, document: Document) -> object:
    """Return the operation's result: a model, a `Page` of them, a text, or None.

    Raises:
        DecodeError: The answer does not fit; the message says where, without the value.
    """
    if operation.content is Content.TEXT:
        return document.text
    model = operation.model
    if model is None:
        if operation.safety is not Safety.READ and not _SAYS_OK(document.body) and (doubt := doubt_in(document)):
            raise DecodeError(
                f"{operation.name}: $ is not an acknowledgement: {doubt}", operation=operation.name, path="$"
            )
        return None
    if not document.has_tree:
        if operation.optional and document.flaw is None:
            return None
        wanted = plural(model) if operation.paged else noun(model)
        got = document.flaw or document.kind.value
        raise DecodeError(f"{operation.name}: $ is {got}, {wanted} expected", operation=operation.name, path="$")
    try:
        return _page(document.tree, model) if operation.paged else _single(document.tree, model)
    except MisfitError as error:
        if operation.optional and error.path == f".{noun(model)}":
            return None
        path = f"${error.path}"
        raise DecodeError(f"{operation.name}: {path} {error.reason}", operation=operation.name, path=path) from None


def echoed(request: Request, document: Document, headers: Mapping[str, str]) -> Document:
    """Return the answer; where it is empty and the binding says so, one made from what was sent."""
    if document.kind is not Kind.EMPTY or request.binding is None or not request.binding.echo:
        return document
    fields = request.binding.echo.items()
    tree = {wire: _plain(request.values[name]) for wire, name in fields if name in request.values}
    if request.binding.location is not None and (location := headers.get("location")):
        tree[request.binding.location] = location
    return Document(document.body, Kind.JSON, tree)


def _plain(value: object) -> object:
    if isinstance(value, Enum):
        return value.value
    return value.isoformat() if isinstance(value, date | datetime) else value


@frozen
class _Node:
    """An object of the answer that may contain the model."""

    path: str
    tree: dict[str, Any]
    parent: _Node | None = None

    @property
    def is_envelope(self) -> bool:
        """Whether it only encloses others; an object with an id is an item, and its members belong to it."""
        return self.parent is None or "id" not in self.tree

    @property
    def is_hollow(self) -> bool:
        """Whether it describes a list that is empty."""
        speaks = any(name in self.tree for name in (*PAGE, *TOTAL_ITEMS))
        return speaks and not any(inner for inner in self.tree.values() if isinstance(inner, dict | list))

    def stated(self, names: tuple[str, ...]) -> int | None:
        """Return the first number under one of ``names``, here or in an enclosing object."""
        for name in names:
            number = count(self.tree.get(name))
            if number is not None:
                return number
        return self.parent.stated(names) if self.parent else None


def _nodes(tree: object) -> Iterator[_Node]:
    """Yield the answer's objects, outer ones first, without those in items or lists."""
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
    for node in _nodes(tree):
        name = next((name for name in nouns(model) if node.tree.get(name) is not None), None)
        if node.is_envelope and name is not None:
            found, path = node.tree[name], f"{node.path}.{name}"
            if isinstance(found, list) and len(found) == 1:
                return _structured(found[0], model, f"{path}[0]")
            return _structured(found, model, path)
        if node.parent is None and is_bare(bare := _unenveloped(node.tree), model):
            return _structured(bare, model, "")
    raise MisfitError(f".{noun(model)}", "is missing")


def _unenveloped(tree: dict[str, Any]) -> dict[str, Any]:
    """Leave out an envelope's own members, where it and its content are one object."""
    if tree.get("status") != "ok":
        return tree
    return {name: value for name, value in tree.items() if name not in ENVELOPE}


def _page(tree: object, model: type) -> Page[Any]:
    if isinstance(tree, list):
        return Page(_structured_all(_Node("", {"": tree}), "", model))
    hollow: _Node | None = None
    for node in _nodes(tree):
        name = _name_of_list(node, model)
        if name is not None:
            items = _structured_all(node, name, model)
            return Page(items, node.stated(PAGE), node.stated(PAGE_SIZE), node.stated(TOTAL_ITEMS))
        if any(name in node.tree for name in sources_of(model)):
            items = _gathered(node, model)
            return Page(items, node.stated(PAGE), node.stated(PAGE_SIZE), node.stated(TOTAL_ITEMS))
        if hollow is None and node.is_hollow:
            hollow = node
    if hollow is None:
        raise MisfitError(f".{plural(model)}", "is missing")
    return Page((), hollow.stated(PAGE), hollow.stated(PAGE_SIZE), hollow.stated(TOTAL_ITEMS))


def _name_of_list(node: _Node, model: type) -> str | None:
    """Return the name under which ``node`` has the items; None if it has none."""
    for name in plurals(model):
        if name in node.tree and _is_list(node, node.tree[name], model):
            return name
    if not node.is_envelope:
        return None
    for name in nouns(model):
        if name in node.tree:
            return name
    for name, inner in node.tree.items():
        # An envelope is not an item of a list; it is examined later.
        items = inner if isinstance(inner, list) else [inner] if isinstance(inner, dict) and "id" in inner else []
        if any(_is_wrapped(item, noun(model)) for item in items):
            return name
        if name in UNNAMED_LISTS and any(isinstance(item, dict) and is_bare(item, model) for item in items):
            return name
    return None


def _is_list(node: _Node, found: Any, model: type) -> bool:
    """Return whether a value under a list's name is a list, and not an envelope."""
    if not found or not isinstance(found, dict) or is_bare(found, model):
        return True
    return not node.is_envelope and any(name in found for name in nouns(model))


def _gathered(node: _Node, model: type) -> tuple[Any, ...]:
    """Build a list of ``model`` from other lists, each item at its place in an object of its own."""
    models: list[Any] = []
    for name, place in sources_of(model).items():
        values, where = spread(node.tree.get(name), None)
        for index, value in enumerate(values):
            tree = reduce(lambda inner, step: {step: inner}, reversed(place.split(".")), value)
            try:
                models.append(structure(tree, model))
            except MisfitError as error:
                here = f"{node.path}.{name}" + where.replace("[]", f"[{index}]")
                raise MisfitError(here + error.path.removeprefix(f".{place}"), error.reason) from None
    return tuple(models)


def _is_wrapped(item: Any, name: str) -> bool:
    """Return whether ``item`` encloses the model itself, as in search results."""
    if item.__class__ is not dict or item.get(name).__class__ is not dict:
        return False
    return "id" not in item or item.get("type") == name


def _structured_all(node: _Node, name: str, model: type) -> tuple[Any, ...]:
    """Structure the items that ``node`` holds under ``name``, each with what the list says about it."""
    found, path, word = node.tree[name], f"{node.path}.{name}" if name else node.path, noun(model)
    values, place = spread(found, model)
    if name in nouns(model) and isinstance(found, dict) and not place and not _is_wrapped(found, word):
        values, path, word = [node.tree], node.path, name
    models: list[Any] = []
    try:
        for value in values:
            is_entry = value is node.tree or (value.__class__ is dict and word in value and _is_wrapped(value, word))
            models.append(_structured_entry(value, word, model) if is_entry else structure(value, model))
    except MisfitError as error:
        here = path + place.replace("[]", f"[{len(models)}]")
        raise MisfitError(here + error.path, error.reason) from None
    return tuple(models)


def _structured_entry(entry: dict[str, Any], name: str, model: type) -> Any:
    """Structure the thing that stands under ``name`` in ``entry``, together with what stands around it."""
    listing = {fact: value for fact, value in entry.items() if fact != name}
    thing = entry[name] | {ENTRY: listing} if is_bare(listing, Listing) else entry[name]
    try:
        return structure(thing, model)
    except MisfitError as error:
        within = error.path.removeprefix(f".{ENTRY}")
        raise MisfitError(within if within != error.path else f".{name}{within}", error.reason) from None


def _structured(tree: Any, model: type, path: str) -> Any:
    try:
        return structure(tree, model)
    except MisfitError as error:
        raise MisfitError(path + error.path, error.reason) from None
