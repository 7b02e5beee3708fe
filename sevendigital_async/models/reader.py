"""Readers of models: functions made of source text, one per model, that build it from an object of the answer.

cattrs could make them, and does where one fails, to find out where; these look for a field under all of its names in
one pass, and take four times less.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from types import NoneType
from typing import Any, get_args

import attrs

from .scalars import UnfitError
from .shapes import steps
from .wire import TEXT, wire_names

Hook = Callable[[Any, Any], Any]

FINISHED = (str, bool, int)
"""Kinds whose values JSON brings as they shall be."""


def make_reader(model: type, hook_of: Callable[[Any], Hook]) -> Hook:
    """Return the reader of a frozen attrs class with slots.

    Args:
        model: The class. Its fields have no validators, and default to what is read from null.
        hook_of: Gives the hook that reads a field's type.
    """
    fields = attrs.fields(attrs.resolve_types(model))
    takes_text = any(TEXT in wire_names(field) for field in fields)

    def as_object(value: Any) -> dict[str, Any]:
        if not takes_text or value is None or isinstance(value, list):
            raise UnfitError(value, "an object")
        return {TEXT: value}

    # A frozen object is filled through object.__setattr__, field by field. One of a class with the same layout that is
    # not frozen takes plain assignments, and is made a frozen one at the end: a third of the time.
    thawed = {"__slots__": (), "__setattr__": object.__setattr__, "__delattr__": object.__delattr__}
    unfrozen = type(model.__name__, (model,), thawed)
    names: dict[str, Any] = {"as_object": as_object, "new": object.__new__, "unfrozen": unfrozen, "model": model}
    lines = [
        "def read(tree, _):",
        " if tree.__class__ is not dict: tree = as_object(tree)",
        " get = tree.get",
        " self = new(unfrozen)",
    ]
    for number, field in enumerate(fields):
        names[f"hook{number}"], names[f"type{number}"] = hook_of(field.type), field.type
        lines += [*_search(wire_names(field)), *_reading(number, field), f" self.{field.name} = value"]
    lines += [" self.__class__ = model", " return self"]
    exec(compile("\n".join(lines), f"<reader of {model.__name__}>", "exec"), names)  # noqa: S102 - our own text
    read: Hook = names["read"]
    return read


def is_plain(model: type) -> bool:
    """Tell whether a reader can be made of ``model``."""
    nulls = (attrs.NOTHING, None, (), attrs.Factory(dict))
    return all(field.validator is None and field.default in nulls for field in attrs.fields(model))


def _search(names: tuple[str, ...]) -> Iterator[str]:
    """Look for a field under its names, until one has a value."""
    for number, name in enumerate(names):
        first, *further = steps(name) if number else (name,)
        indent = "  " if number else " "
        if number:
            yield " if value is None:"
        yield f"{indent}value = get({first!r})"
        for step in further:
            yield f"{indent}value = value.get({step!r}) if value.__class__ is dict else None"


def _reading(number: int, field: attrs.Attribute[Any]) -> Iterator[str]:
    """Read what was found, where it isn't finished already."""
    kinds = [kind for kind in get_args(field.type) or (field.type,) if kind is not NoneType]
    finished = next((kind.__name__ for kind in FINISHED if kinds == [kind]), None)
    if field.default is not None:
        yield f" value = hook{number}(value, type{number})"
    elif finished:
        yield f" if value is not None and value.__class__ is not {finished}: value = hook{number}(value, type{number})"
    else:
        yield f" if value is not None: value = hook{number}(value, type{number})"
