"""From a parsed response to models: find the model's noun in its envelopes, then structure it."""

from __future__ import annotations

import logging
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import date, datetime
from enum import Enum
from functools import reduce
from typing import Any, TypeVar

import attrs
from attrs import evolve, frozen

from ..errors import DecodeError
from ..models import Page
from ..models.catalogue import Ranking
from ..models.converter import (
    Misfit,
    MisfitError,
    Report,
    item_steps,
    omissions,
    path_of,
    reader_of,
    refuse,
    structure,
)
from ..models.readers import WrongTypeError, collection_items, read_count, read_date, read_text
from ..models.wire import (
    LIST_ENTRY,
    can_be_empty,
    expected_fields_of,
    is_unenveloped,
    list_sources_of,
    wire_names,
    wire_noun,
    wire_nouns,
    wire_plural,
    wire_plurals,
)
from ..operations import Content, Operation, Safety
from .acknowledgement import acknowledgement_problem
from .document import Document, Kind
from .request import Request

T = TypeVar("T")

logger = logging.getLogger("sevendigital_async")

MAX_ENVELOPES = 4
"""How many objects may enclose the model."""

_SAYS_OK = re.compile(rb'\s*\{\s*"status"\s*:\s*"ok"\s*,').match
"""The beginning of an acknowledgement; the vendor's example is malformed after it."""

PAGE = ("page",)
PAGE_SIZE = ("pageSize", "itemsPerPage")
TOTAL_ITEMS = ("totalItems",)
FROM_DATE = ("fromDate",)
TO_DATE = ("toDate",)
LIST = ("list",)
UNNAMED_LISTS = {"items", "item", "results"}
"""Names of lists of any items."""
LISTS = ("list", "chart", "searchResults", "taggedResults", "recommendations", "matches")
"""Names of envelopes of lists of any items."""
NO_ITEMS: tuple[object, ...] = ("", {}, [])
ENVELOPE = {"status", "version", "schema"}
"""Members that describe the response itself."""


def decode(operation: Operation, document: Document, *, strict: bool = False, optional: bool = False) -> object:
    """Return the operation's result: a model, a `Page` of them, a text, or None.

    Args:
        operation: The operation that was called.
        document: Its response.
        strict: Whether an optional value that can't be read is an error; otherwise it is logged and read as None.
        optional: Whether the response may be without the operation's model.

    Raises:
        DecodeError: The response does not fit; the message has the path, not the value.
    """
    if operation.content is Content.TEXT:
        return document.text
    model = operation.model
    if model is None:
        if (
            operation.safety is not Safety.READ
            and not _SAYS_OK(document.body)
            and (defect := acknowledgement_problem(document))
        ):
            raise DecodeError(
                f"{operation.name}: $ is not an acknowledgement: {defect}", operation=operation.name, path="$"
            )
        return None
    if not document.has_tree:
        if optional and document.flaw is None:
            return None
        wanted = wire_plural(model) if operation.paged else wire_noun(model)
        got = document.flaw or document.kind.value
        raise DecodeError(f"{operation.name}: $ is {got}, {wanted} expected", operation=operation.name, path="$")
    report = refuse if strict else _log_or_refuse(operation)
    try:
        if operation.paged:
            return _page(document.tree, model, report)
        return _single(document, model, report, keeps_ids=operation.safety is Safety.UNSAFE)
    except MisfitError as error:
        misfit = error.misfit
        if optional and misfit.path == f".{wire_noun(model)}":
            return None
        path = f"${misfit.path}"
        raise DecodeError(f"{operation.name}: {path} {misfit.reason}", operation=operation.name, path=path) from None


def _log_or_refuse(operation: Operation) -> Report:
    """Return the handler of misfits: optional values are logged, others are an error."""

    def report(misfits: Sequence[Misfit]) -> None:
        if refused := [misfit for misfit in misfits if misfit.omitted is None]:
            refuse(refused)
        for place, reason in omissions(misfits).items():
            path = f"${path_of(place)}"
            logger.warning(
                "%s: %s %s; the result lacks it",
                operation.name,
                path,
                reason,
                extra={"event": "field-unreadable", "operation": operation.name, "path": path},
            )

    return report


def _below(report: Report, *steps: str | int) -> Report:
    """Return a report of the misfits below ``steps``."""
    return lambda misfits: report([misfit.below(*steps) for misfit in misfits])


def response_from_request(request: Request, document: Document, headers: Mapping[str, str]) -> Document:
    """Return the response; if it is empty and the binding allows that, one made from the request's values."""
    if document.kind is not Kind.EMPTY or not request.binding.echo:
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
    """An object of the response that may contain the model."""

    steps: tuple[str, ...]
    tree: dict[str, Any]
    parent: _Node | None = None

    @property
    def is_envelope(self) -> bool:
        """Whether it only encloses other objects; an object with an id is an item, and its members belong to it."""
        return self.parent is None or "id" not in self.tree

    @property
    def is_empty_list(self) -> bool:
        """Whether it describes a list that is empty."""
        describes_list = (
            self.is_list
            or any(name in self.tree for name in (*PAGE, *TOTAL_ITEMS))
            or any(self.tree.get(name) in NO_ITEMS for name in LISTS)
        )
        return describes_list and not any(inner for inner in self.tree.values() if isinstance(inner, dict | list))

    @property
    def is_list(self) -> bool:
        """Whether it is an editorial list."""
        return self.steps[-1:] == LIST

    def find_value(self, names: tuple[str, ...], read: Callable[[object], T | None] = read_count) -> T | None:  # type: ignore[assignment]
        """Return the first value under one of ``names`` that can be read, here or in an enclosing object."""
        for name in names:
            if name in self.tree and (value := read(self.tree[name])) is not None:
                return value
        return self.parent.find_value(names, read) if self.parent else None

    def page(self, items: tuple[Any, ...]) -> Page[Any]:
        """Return a page of these items, with the list's metadata."""
        more: dict[str, Any]
        if self.is_list:
            more = {"list_id": _text(self.tree.get("id")), "list_key": _text(self.tree.get("key"))}
        else:
            more = {"from_date": self.find_value(FROM_DATE, _day), "to_date": self.find_value(TO_DATE, _day)}
        return Page(items, self.find_value(PAGE), self.find_value(PAGE_SIZE), self.find_value(TOTAL_ITEMS), **more)


def _day(value: object) -> date | None:
    try:
        return read_date(value)
    except WrongTypeError:
        return None


def _text(value: object) -> str | None:
    try:
        return read_text(value) or None
    except WrongTypeError:
        return None


def _nodes(tree: object) -> Iterator[_Node]:
    """Yield the response's objects, outer ones first, without those in items or lists."""
    level = [_Node((), tree)] if isinstance(tree, dict) else []
    for _ in range(MAX_ENVELOPES):
        yield from level
        level = [
            _Node((*node.steps, name), inner, node)
            for node in level
            if node.is_envelope
            for name, inner in node.tree.items()
            if isinstance(inner, dict)
        ]


def _single(document: Document, model: type, report: Report, *, keeps_ids: bool) -> object:
    def structured(found: object, *place: str | int) -> object:
        here = _below(report, *place)
        result: object = structure(found, model, _keeping_ids(here) if keeps_ids else here)
        for name in expected_fields_of(model):
            if getattr(result, name) is None:
                steps = (wire_names(getattr(attrs.fields(model), name))[0],)
                here([Misfit(steps, "is missing", omitted=steps)])
        return result

    for node in _nodes(document.tree):
        name = next((name for name in wire_nouns(model) if node.tree.get(name) is not None), None)
        if node.is_envelope and name is not None:
            found, place = node.tree[name], (*node.steps, name)
            if found == "" and can_be_empty(model):
                found = {}
            if isinstance(found, list) and len(found) == 1:
                return structured(found[0], *place, 0)
            return structured(found, *place)
        if node.parent is None and is_unenveloped(bare := _without_envelope(document, node.tree), model):
            return structured(bare)
    raise _missing(wire_noun(model))


def _keeping_ids(report: Report) -> Report:
    """Return a report to which the model's own ids are required: what was bought or created can't be found without."""

    def is_own_id(steps: tuple[str | int, ...]) -> bool:
        return len(steps) == 1 and (steps[0] == "id" or str(steps[0]).endswith("Id"))

    return lambda misfits: report([evolve(each, omitted=None) if is_own_id(each.steps) else each for each in misfits])


def _missing(name: str) -> MisfitError:
    return MisfitError(Misfit((name,), "is missing"))


def _without_envelope(document: Document, tree: dict[str, Any]) -> dict[str, Any]:
    """Return the members of a response's outermost object without those of its envelope, where both are one object."""
    is_envelope = document.kind is Kind.XML or tree.get("status") == "ok" or {"status", "version"} <= tree.keys()
    if not is_envelope:
        return tree
    return {name: value for name, value in tree.items() if name not in ENVELOPE}


def _page(tree: object, model: type, report: Report) -> Page[Any]:
    if isinstance(tree, list):
        return Page(_structured_all(_Node((), {"": tree}), "", model, report))
    empty_list: _Node | None = None
    for node in _nodes(tree):
        name = _name_of_list(node, model)
        if name is not None:
            return node.page(_structured_all(node, name, model, report))
        if any(name in node.tree for name in list_sources_of(model)):
            return node.page(_gathered(node, model, report))
        if empty_list is None and node.is_empty_list:
            empty_list = node
    if empty_list is None:
        raise _missing(wire_plural(model))
    return empty_list.page(())


def _name_of_list(node: _Node, model: type) -> str | None:
    """Return the name under which ``node`` has the items; None if it has none."""
    for name in wire_plurals(model):
        if name in node.tree and _is_list(node, node.tree[name], model):
            return name
    if not node.is_envelope:
        return None
    for name in wire_nouns(model):
        if name in node.tree:
            return name
    for name, inner in node.tree.items():
        # An envelope is not an item; it is visited later.
        items = inner if isinstance(inner, list) else [inner] if isinstance(inner, dict) and "id" in inner else []
        if any(_is_wrapped(item, wire_noun(model)) for item in items):
            return name
        if name in UNNAMED_LISTS and any(isinstance(item, dict) and is_unenveloped(item, model) for item in items):
            return name
    return None


def _is_list(node: _Node, found: Any, model: type) -> bool:
    """Return whether a value under a list's name is a list, and not an envelope."""
    if not found or not isinstance(found, dict) or is_unenveloped(found, model):
        return True
    return not node.is_envelope and any(name in found for name in wire_nouns(model))


def _gathered(node: _Node, model: type, report: Report) -> tuple[Any, ...]:
    """Build a list of ``model`` from other lists, each item wrapped in an object."""
    models: list[Any] = []
    for name, within in list_sources_of(model).items():
        values, where = collection_items(node.tree.get(name), None)
        place = within.split(".")
        for index, value in enumerate(values):
            here = (*node.steps, name, *item_steps(where, index))

            def report_here(
                misfits: Sequence[Misfit], here: tuple[str | int, ...] = here, depth: int = len(place)
            ) -> None:
                report([each.moved(lambda steps: (*here, *steps[depth:])) for each in misfits])

            tree = reduce(lambda inner, step: {step: inner}, reversed(place), value)
            models.append(structure(tree, model, report_here))
    return tuple(models)


def _is_wrapped(item: Any, name: str) -> bool:
    """Return whether ``item`` encloses the model itself, as in search results."""
    if item.__class__ is not dict or item.get(name).__class__ is not dict:
        return False
    return "id" not in item or item.get("type") == name


def _structured_all(node: _Node, name: str, model: type, report: Report) -> tuple[Any, ...]:
    """Structure the items of ``node`` under ``name``, each with its metadata in the list."""
    found, steps, singular = node.tree[name], (*node.steps, name) if name else node.steps, wire_noun(model)
    values, place = collection_items(found, model)
    if name in wire_nouns(model) and isinstance(found, dict) and not place and not _is_wrapped(found, singular):
        values, steps, singular = [node.tree], node.steps, name
    models: list[Any] = []

    def report_here(misfits: Sequence[Misfit]) -> None:
        here = (*steps, *item_steps(place, len(models)))
        report([misfit.below(*here) for misfit in misfits])

    read = reader_of(model)
    for value in values:
        # The common case: plain items that fit.
        if value.__class__ is dict and singular not in value:
            try:
                models.append(read(value, model))
                continue
            except ValueError:
                pass
        is_entry = value is node.tree or (
            value.__class__ is dict and singular in value and _is_wrapped(value, singular)
        )
        models.append((_structured_entry if is_entry else _structured_item)(value, singular, model, report_here))
    return tuple(models)


def _structured_item(item: Any, _: str, model: type, report: Report) -> Any:
    return structure(item, model, report)


def _structured_entry(entry: dict[str, Any], name: str, model: type, report: Report) -> Any:
    """Structure the item under ``name`` in ``entry``, with the entry's other members."""
    ranking = {key: value for key, value in entry.items() if key != name}
    item = entry[name] | {LIST_ENTRY: ranking} if is_unenveloped(ranking, Ranking) else entry[name]

    def report_around(misfits: Sequence[Misfit]) -> None:
        report([_around(misfit, name) for misfit in misfits])

    return structure(item, model, report_around)


def _around(misfit: Misfit, name: str) -> Misfit:
    """Return the path of a misfit within the entry: in the item, or beside it."""
    return misfit.moved(lambda steps: steps[1:] if steps[:1] == (LIST_ENTRY,) else (name, *steps))
