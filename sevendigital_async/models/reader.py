"""Readers of models: functions made of source text, one per model, that build it from an object of the answer.

cattrs could make them, and does where one fails, to find out where; these look for a field under all of its names in
one pass, and take four times less.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from decimal import Decimal
from functools import lru_cache
from types import NoneType
from typing import Any, Union, get_args

import attrs

from .scalars import UnfitError
from .wire import TEXT, steps, wire_names

Hook = Callable[[Any, Any], Any]

FINISHED = (str, bool, int)
"""Kinds whose values JSON brings as they shall be."""

NOTHING: Mapping[object, frozenset[str]] = {str: frozenset(), Decimal: frozenset({"", "N/A"})}
"""Texts that stand for null; of kinds that are left out, the empty one. Some things are not sold by themselves."""


def make_reader(model: type, hook_of: Callable[[Any], Hook]) -> Hook:
    """Return the reader of a frozen attrs class with slots.

    Args:
        model: The class. Its fields have no validators, and default to what is read from null.
        hook_of: Gives the hook that reads a field's type.
    """
    fields = attrs.fields(attrs.resolve_types(model))
    takes_text = any(TEXT in wire_names(field) for field in fields)

    @lru_cache(maxsize=256)
    def read_text(value: str) -> Any:
        return read({TEXT: value}, model)

    def read_other(value: Any) -> Any:
        if not takes_text or value is None or isinstance(value, list):
            raise UnfitError(value, "an object")
        # A list repeats its labels, and frozen objects can be shared.
        return read_text(value) if isinstance(value, str) else read({TEXT: value}, model)

    # A frozen object is filled through object.__setattr__, field by field. One of a class with the same layout that is
    # not frozen takes plain assignments, and is made a frozen one at the end: a third of the time.
    thawed = {name: getattr(object, name) for name in ("__init__", "__setattr__", "__delattr__")}
    unfrozen = type(model.__name__, (model,), {"__slots__": (), **thawed})
    names: dict[str, Any] = {"read_other": read_other, "unfrozen": unfrozen, "model": model}
    lines = [
        "def read(tree, _):",
        " if tree.__class__ is not dict: return read_other(tree)",
        " get = tree.get",
        " self = unfrozen()",
    ]
    for number, field in enumerate(fields):
        kind, nothing = without_null(field.type)
        names[f"kind{number}"], names[f"nothing{number}"] = kind, nothing
        names[f"hook{number}"] = hook_of(kind)
        lines += [*_search(wire_names(field)), *_reading(number, field), f" self.{field.name} = value"]
    lines += [" self.__class__ = model", " return self"]
    exec(compile("\n".join(lines), f"<reader of {model.__name__}>", "exec"), names)  # noqa: S102 - our own text
    read: Hook = names["read"]
    return read


def is_plain(model: type) -> bool:
    """Tell whether a reader can be made of ``model``."""
    nulls: tuple[Any, ...] = (attrs.NOTHING, None, (), attrs.Factory(dict))
    return all(field.validator is None and field.default in nulls for field in attrs.fields(model))


def _search(names: tuple[str, ...]) -> Iterator[str]:
    """Look for a field under its names, until one has a value."""
    yield f" value = get({names[0]!r})"
    for first, *further in map(steps, names[1:]):
        yield " if value is None:"
        yield f"  value = get({first!r})"
        for step in further:
            yield f"  value = value.get({step!r}) if value.__class__ is dict else None"


def _reading(number: int, field: attrs.Attribute[Any]) -> Iterator[str]:
    """Read what was found, where it isn't finished already."""
    kind, _ = without_null(field.type)
    read = f"value = hook{number}(value, kind{number})"
    unfinished = f"value.__class__ is not {kind.__name__}" if kind in FINISHED else "True"
    if field.default is None:
        yield f" if value is not None and {unfinished}:"
        yield f"  if value.__class__ is str and value in nothing{number}: value = None"
        yield f"  else: {read}"
    elif field.default == ():
        yield f" {read} if value else ()"
    else:
        yield f" if {unfinished}: {read}"


def without_null(kind: Any) -> tuple[Any, frozenset[str]]:
    """Return what an optional type is besides None, and the texts that stand for None."""
    kinds = [part for part in get_args(kind) if part is not NoneType]
    inner = Union[tuple(kinds)] if NoneType in get_args(kind) else kind  # noqa: UP007 - made at run time
    return inner, NOTHING.get(inner, frozenset({""}))
