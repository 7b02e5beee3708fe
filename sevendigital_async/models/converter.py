"""Converts plain trees to models, strictly, from all formats of responses.

Each model has a reader (:mod:`.readers`), which takes a fifth of cattrs' time. Where a reader fails, cattrs reads the
tree again to find out where.
"""

from __future__ import annotations

import enum
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from datetime import date, datetime
from decimal import Decimal
from functools import cache
from types import NoneType, UnionType
from typing import Any, TypeVar, Union, get_args, get_origin

import attrs
from cattrs import ClassValidationError, Converter, IterableValidationError
from cattrs.gen import make_dict_structure_fn, override

from .readers import (
    Count,
    StructureHook,
    WrongTypeError,
    collection_items,
    entries_by_key,
    is_compilable,
    make_reader,
    read_boolean,
    read_count,
    read_date,
    read_datetime,
    read_decimal,
    read_text,
    read_whole_number,
    without_null,
)
from .wire import ELEMENT_TEXT, steps, value_at, wire_names, with_wire_names

T = TypeVar("T")
SCALARS: Mapping[Any, StructureHook] = {
    str: read_text,
    int: read_whole_number,
    Decimal: read_decimal,
    bool: read_boolean,
    datetime: read_datetime,
    date: read_date,
    Count: read_count,
}
"""Types of single values, and their converters."""

Step = str | int
Steps = tuple[Step, ...]


def path_of(steps: Steps) -> str:
    """Return the steps as text: ``.releases[3].price.amount``."""
    return "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in steps)


@attrs.frozen
class Misfit:
    """A place where a tree does not fit its model.

    Attributes:
        steps: The names and indexes from the tree's root to it; empty for the root.
        reason: The problem, without the value.
        omitted: The steps to the innermost value around it that the model does not require, which may be the
            place itself; None if there is none.
    """

    steps: Steps
    reason: str
    omitted: Steps | None = None

    @property
    def path(self) -> str:
        """The steps as text: ``.releases[3].price.amount``."""
        return path_of(self.steps)

    def below(self, *steps: Step) -> Misfit:
        """Return the same misfit with paths from an enclosing object."""
        return self.moved(lambda inner: (*steps, *inner))

    def moved(self, move: Callable[[Steps], Steps]) -> Misfit:
        """Return the same misfit at another place of a tree."""
        return Misfit(move(self.steps), self.reason, None if self.omitted is None else move(self.omitted))

    def within(self, steps: Steps) -> Misfit:
        """Return the same misfit; ``steps`` lead to a value that is not required."""
        return self if self.omitted is not None else attrs.evolve(self, omitted=steps)


def omissions(misfits: Iterable[Misfit]) -> dict[Steps, str]:
    """Return the values that are left out because of misfits, each once with its steps, and why."""
    reasons: dict[Steps, str] = {}
    for misfit in misfits:
        if misfit.omitted is not None:
            inner = misfit.steps[len(misfit.omitted) :]
            reasons.setdefault(
                misfit.omitted, f"can't be read: its {path_of(inner)[1:]} {misfit.reason}" if inner else misfit.reason
            )
    return {
        place: reason
        for place, reason in reasons.items()
        if not any(place[:length] in reasons for length in range(1, len(place)))
    }


class MappingEntriesError(WrongTypeError):
    """Values of a mapping that can't be read.

    Attributes:
        causes: The errors, each with the steps to its value.
    """

    def __init__(self, causes: Sequence[tuple[Steps, WrongTypeError]]) -> None:
        super().__init__({}, "a mapping of texts")
        self.causes = causes


class MisfitError(Exception):
    """A tree that does not fit its model.

    Attributes:
        misfit: Where and why.
    """

    def __init__(self, misfit: Misfit) -> None:
        super().__init__(misfit)
        self.misfit = misfit


Report = Callable[[Sequence[Misfit]], None]
"""Receives all misfits of a tree, in the order of its model. It raises, or the optional values that they are in are
left out: single ones are read as None, and lists and mappings lack the entry."""


def refuse(misfits: Sequence[Misfit]) -> None:
    """Raise an error for the first misfit.

    Raises:
        MisfitError: Always.
    """
    raise MisfitError(misfits[0])


def locate_misfits(error: Exception, tree: Any) -> Iterator[Misfit]:
    """Yield each failure's leaf, with its path in the tree."""
    if isinstance(error, ClassValidationError):
        fields = attrs.fields_dict(error.cl)
        for cause, note in error.group_exceptions()[0]:
            place, inner = _find_field(fields[note.name], tree)
            is_required = fields[note.name].default is attrs.NOTHING
            for misfit in locate_misfits(cause, inner):
                here = misfit.below(*place)
                yield here if is_required else here.within(place)
    elif isinstance(error, IterableValidationError):
        for cause, entry in error.group_exceptions()[0]:
            items, path = collection_items(tree, entry.type)
            index = int(str(entry.index))
            at = item_steps(path, index)
            yield from (each.below(*at).within(at) for each in locate_misfits(cause, items[index]))
    elif isinstance(error, MappingEntriesError):
        yield from (Misfit(place, str(cause), place) for place, cause in error.causes)
    else:
        yield Misfit((), "is missing" if isinstance(error, KeyError) else str(error))


def item_steps(path: str, index: int) -> Steps:
    """Return the steps of a path that `collection_items` gave, with an index in place of its brackets."""
    names = tuple(name for name in path.removesuffix("[]").split(".") if name)
    return (*names, index) if path.endswith("[]") else names


def _find_field(field: attrs.Attribute[Any], tree: Any) -> tuple[tuple[str, ...], Any]:
    if not isinstance(tree, dict):
        return (), tree
    names = wire_names(field)
    place = next((steps(name) for name in names if value_at(tree, steps(name)) is not None), steps(names[0]))
    return place, value_at(tree, place)


def structure(tree: object, model: type[T], report: Report = refuse) -> T:
    """Convert a plain tree to ``model``.

    Args:
        tree: The tree; not modified.
        model: The model.
        report: Called with the misfits; by default it raises an error for the first.

    Raises:
        MisfitError: It does not fit; ``report`` may raise another error.
    """
    read: Callable[[object, type[T]], T] = reader_of(model)  # type: ignore[arg-type]  # every class is hashable
    while True:
        try:
            return read(tree, model)
        except ValueError:
            pass
        try:
            return converter.structure(tree, model)
        except (ClassValidationError, WrongTypeError) as error:
            # Without any steps, the tree itself would be left out.
            misfits = [
                each if each.omitted else attrs.evolve(each, omitted=None) for each in locate_misfits(error, tree)
            ]
        report(misfits)
        tree = _without_values(tree, omissions(misfits))


def _without_values(tree: Any, places: Collection[Steps]) -> Any:
    """Return a copy of a tree that lacks what is at some places; they are not empty."""
    gone = {place[0] for place in places if len(place) == 1}
    below: dict[Step, list[Steps]] = {}
    for first, *rest in places:
        below.setdefault(first, []).append(tuple(rest))

    def kept(step: Step, inner: Any) -> Any:
        return _without_values(inner, below[step]) if step in below else inner

    if isinstance(tree, list):
        return [kept(index, item) for index, item in enumerate(tree) if index not in gone]
    return {name: kept(name, inner) for name, inner in tree.items() if name not in gone}


def _fast_object_hook(model: Any, converter: Converter) -> StructureHook:
    return make_reader(model, converter.get_structure_hook) if is_compilable(model) else _object_hook(model, converter)


def _object_hook(model: Any, converter: Converter) -> StructureHook:
    """Build the hook of a model: code that cattrs generates, for the first name of each field."""
    names = {field.name: wire_names(field) for field in attrs.fields(model)}
    first_names: dict[str, Any] = {field: override(rename=spellings[0]) for field, spellings in names.items()}
    others = [(first, [steps(name) for name in rest]) for first, *rest in names.values() if rest]
    takes_text = any(ELEMENT_TEXT in spellings for spellings in names.values())
    read: StructureHook = make_dict_structure_fn(model, converter, **first_names)

    def structure_object(value: Any, _: Any) -> Any:
        if value.__class__ is not dict:
            if not takes_text or value is None or isinstance(value, list):
                raise WrongTypeError(value, "an object")
            value = {ELEMENT_TEXT: value}
        return read(with_wire_names(value, others) if others else value, model)

    return structure_object


def _is_collection(wanted: Any) -> bool:
    return get_origin(wanted) is tuple


def _collection_hook(wanted: Any, converter: Converter) -> StructureHook:
    item: Any = get_args(wanted)[0]
    items = list[item]
    read = converter.get_structure_hook(items)
    return lambda value, _: tuple(read(collection_items(value, item)[0], items)) if value else ()


def _is_mapping(wanted: Any) -> bool:
    return get_origin(wanted) is Mapping


def _mapping_hook(wanted: Any, converter: Converter) -> StructureHook:
    value_kind: Any = get_args(wanted)[1]
    read = converter.get_structure_hook(value_kind)

    def structure_mapping(value: Any, _: Any) -> Any:
        if value is None or value == "":
            return {}
        found = entries_by_key(value)
        if found is None:
            raise WrongTypeError(value, "an object")
        mapping: dict[str, Any] = {}
        unfit: list[tuple[Steps, WrongTypeError]] = []
        for name, (inner, place) in found.items():
            try:
                if inner is not None:
                    mapping[name] = read(inner, value_kind)
            except WrongTypeError as error:
                unfit.append((place, error))
        if unfit:
            raise MappingEntriesError(unfit)
        return mapping

    return structure_mapping


def _is_union(wanted: Any) -> bool:
    return get_origin(wanted) in {Union, UnionType}


def _is_optional(wanted: Any) -> bool:
    return _is_union(wanted) and NoneType in get_args(wanted)


def _optional_hook(wanted: Any, converter: Converter) -> StructureHook:
    inner, nothing = without_null(wanted)
    read = converter.get_structure_hook(inner)

    def structure_optional(value: Any, _: Any) -> Any:
        if value is None or (value.__class__ is str and value in nothing):
            return None
        return read(value, inner)

    return structure_optional


def _element_text(value: Any) -> Any:
    """Return the text of an XML element with attributes; everything else as it is."""
    return value[ELEMENT_TEXT] if value.__class__ is dict and ELEMENT_TEXT in value else value


def _element_hook(hook: StructureHook) -> StructureHook:
    return lambda value, kind: hook(_element_text(value), kind)


def _is_open_enum(wanted: Any) -> bool:
    kinds = [kind for kind in get_args(wanted) if kind is not str] if _is_union(wanted) else []
    return len(kinds) == 1 and isinstance(kinds[0], enum.EnumType)


def _open_enum_hook(wanted: Any, _: Converter) -> StructureHook:
    (kinds,) = (kind for kind in get_args(wanted) if kind is not str)
    known = {kind.value.lower(): kind for kind in kinds}

    def structure_open_enum(value: Any, _: Any) -> Any:
        written = read_text(_element_text(value))
        return known.get(written) or known.get(written.strip().lower(), written)

    structure_open_enum.known = known  # type: ignore[attr-defined]  # readers look here before they call
    return structure_open_enum


def _make_converter(object_hook: Callable[[Any, Converter], StructureHook], *, detailed_validation: bool) -> Converter:
    made = Converter(detailed_validation=detailed_validation)
    for kind, hook in SCALARS.items():
        made.register_structure_hook(kind, _element_hook(hook) if detailed_validation else hook)
    factories: list[tuple[Callable[[Any], bool], Any]] = [
        (attrs.has, object_hook),
        (_is_collection, _collection_hook),
        (_is_mapping, _mapping_hook),
        (_is_open_enum, _open_enum_hook),
        (_is_optional, _optional_hook),
    ]
    for predicate, factory in factories:
        made.register_structure_hook_factory(predicate, factory)
    return made


converter = _make_converter(_object_hook, detailed_validation=True)
"""Slow, but it reports where a tree does not fit."""
reader_of = cache(_make_converter(_fast_object_hook, detailed_validation=False).get_structure_hook)
