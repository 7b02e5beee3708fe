"""Readers of models: generated functions that convert a plain tree to an object, or fail fast.

A field may have several names, and most responses lack most fields of a model. Objects with the same
keys have one *shape*; a frequent shape gets its own reader, which only looks up the keys that it has.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from decimal import Decimal
from functools import lru_cache
from types import NoneType
from typing import Any, Union, get_args

import attrs

from .scalars import UnfitError, shortest_decimal
from .wire import TEXT, steps, wire_names

Hook = Callable[[Any, Any], Any]
Shape = frozenset[str]
Reader = Callable[[dict[str, Any]], Any]

NATIVE_TYPES = (str, bool, int)
"""Types that JSON already has."""

NOTHING: Mapping[object, frozenset[str]] = {str: frozenset(), Decimal: frozenset({"", "N/A"})}
"""Texts that mean null, by type; the empty text for other types. Some items are not sold separately, thus ``N/A``."""


MAX_KEYS = 64
"""Most keys of an object with a shape; larger objects are read key by key."""

MAX_SHAPES = 64
"""Most shapes of a model with their own reader; generating one takes a millisecond."""

COMPILE_AFTER = 8
"""Objects of a shape after which its reader is generated."""

MAX_SEEN = 256
"""Most shapes that are counted at a time."""


def make_reader(model: type, hook_of: Callable[[Any], Hook]) -> Hook:
    """Return the reader of a frozen attrs class with slots.

    Args:
        model: The class. Its fields have no validators, and default to what is read from null.
        hook_of: Gives the hook that reads a field's type.
    """
    fields = attrs.fields(attrs.resolve_types(model))
    takes_text = any(TEXT in wire_names(field) for field in fields)
    names = _names(model, hook_of)
    read_any = _compiled(model, None, names)
    names["read_new"] = read_new = _by_shape(model, names, read_any)
    latest: Mapping[int, Reader] = names["latest"]

    def read(tree: Any, _: Any = None) -> Any:
        if tree.__class__ is dict:
            # Usually it is the latest shape with this number of keys; the reader checks.
            return latest.get(len(tree), read_new)(tree)
        if not takes_text or tree is None or tree.__class__ is list:
            raise UnfitError(tree, "an object")
        # A list repeats values such as labels, and frozen objects can be shared.
        return read_text(tree) if tree.__class__ is str else read_any({TEXT: tree})

    @lru_cache(maxsize=256)
    def read_text(value: str) -> Any:
        return read_any({TEXT: value})

    read.latest = latest  # type: ignore[attr-defined]  # readers of what encloses the model look here before they call
    read.text = read_text if takes_text else None  # type: ignore[attr-defined]
    return read


def _by_shape(model: type, names: dict[str, Any], read_any: Reader) -> Reader:
    """Make the reader of objects whose shape is not the latest with their number of keys."""
    readers: dict[Shape, Reader] = {}
    latest: dict[int, Reader] = names["latest"]
    seen: dict[Shape, int] = {}

    def read_new(tree: dict[str, Any]) -> Any:
        if len(tree) > MAX_KEYS:
            return read_any(tree)
        shape = frozenset(tree)
        reader = readers.get(shape)
        if reader is not None:
            latest[len(shape)] = reader
            return reader(tree)
        if len(readers) < MAX_SHAPES:
            if len(seen) >= MAX_SEEN:
                seen.clear()
            seen[shape] = seen.get(shape, 0) + 1
            if seen[shape] >= COMPILE_AFTER:
                readers[shape] = latest[len(shape)] = _compiled(model, shape, names)
        return read_any(tree)

    return read_new


def is_plain(model: type) -> bool:
    """Return whether a reader can be made of ``model``."""
    nulls: tuple[Any, ...] = (attrs.NOTHING, None, (), attrs.Factory(dict))
    return all(field.validator is None and field.default in nulls for field in attrs.fields(model))


def _names(model: type, hook_of: Callable[[Any], Hook]) -> dict[str, Any]:
    """Return the namespace of the generated readers of a model."""
    # A frozen object is filled through object.__setattr__, field by field. One of a class with the same layout that is
    # not frozen takes plain assignments, and is made a frozen one at the end: a third of the time.
    thawed = {name: getattr(object, name) for name in ("__init__", "__setattr__", "__delattr__")}
    unfrozen = type(model.__name__, (model,), {"__slots__": (), **thawed})
    names: dict[str, Any] = {"unfrozen": unfrozen, "model": model}
    for number, field in enumerate(attrs.fields(model)):
        kind, nothing = without_null(field.type)
        hook = hook_of(kind)
        names[f"kind{number}"], names[f"nothing{number}"], names[f"hook{number}"] = kind, nothing, hook
        names |= {f"{name}{number}": getattr(hook, name, None) for name in ("known", "latest", "text")}
    return names | {"shortest_decimal": shortest_decimal, "latest": {}}


def _compiled(model: type, shape: Shape | None, names: dict[str, Any]) -> Reader:
    """Make the reader of objects of one shape, or of any."""
    lines = ["def read(tree):"]
    at: dict[str, str] | None = None
    if shape is None:
        lines.append(" get = tree.get")
    else:
        # The number of keys is the same and these are all present, so there are no others.
        at = {name: f"at{index}" for index, name in enumerate(shape)}
        lines += [" try:", "  pass", *(f"  {local} = tree[{name!r}]" for name, local in at.items())]
        lines += [" except KeyError:", "  return read_new(tree)"]
    lines.append(" self = unfrozen()")
    for number, field in enumerate(attrs.fields(model)):
        found = list(_search(wire_names(field), at))
        if not found and field.default in (None, ()):
            lines.append(f" self.{field.name} = {field.default!r}")
        else:
            reading = _reading(number, field, names[f"hook{number}"])
            lines += [*(found or [" value = None"]), *reading, f" self.{field.name} = value"]
    lines += [" self.__class__ = model", " return self"]
    made: dict[str, Any] = {}
    exec(compile("\n".join(lines), f"<reader of {model.__name__}>", "exec"), names, made)  # noqa: S102 - our own text
    read: Reader = made["read"]
    return read


def _search(names: tuple[str, ...], at: Mapping[str, str] | None) -> Iterator[str]:
    """Look for a field under its names, until one has a value; nothing if the shape has none of them.

    Args:
        names: Names of the field, on the wire.
        at: The local variable in which each value of the shape is; None for any shape.
    """
    indent = ""
    for name in names:
        # The first name is a key, even with a dot in it.
        first, *further = steps(name) if indent or name != names[0] else (name,)
        place = f"get({first!r})" if at is None else at.get(first)
        if place is None:
            continue
        if indent:
            yield " if value is None:"
        yield f" {indent}value = {place}"
        for step in further:
            yield f" {indent}value = value.get({step!r}) if value.__class__ is dict else None"
        indent = " "


def _reading(number: int, field: attrs.Attribute[Any], hook: Hook) -> Iterator[str]:
    """Convert the value found, unless JSON has the type; frequent cases without a call."""
    kind, _ = without_null(field.type)
    read = f"value = hook{number}(value, kind{number})"
    if field.default == ():
        yield f" {read} if value else ()"
        return
    if kind in NATIVE_TYPES:
        yield f" if value.__class__ is {kind.__name__}: pass"
    elif kind is Decimal:
        yield " if value.__class__ is float: value = shortest_decimal(value + 0.0)"
    elif hasattr(hook, "known"):
        yield f" if value.__class__ is str and value in known{number}: value = known{number}[value]"
    elif hasattr(hook, "latest"):
        yield f" if value.__class__ is dict: value = latest{number}.get(len(value), hook{number})(value)"
        if hook.text is not None:  # type: ignore[attr-defined]
            yield f" elif value.__class__ is str and value: value = text{number}(value)"
    else:
        yield " if False: pass"
    if field.default is None:
        yield f" elif value is None or (value.__class__ is str and value in nothing{number}): value = None"
    yield f" else: {read}"


def without_null(kind: Any) -> tuple[Any, frozenset[str]]:
    """Return the type of an optional apart from None, and the texts that mean None."""
    kinds = [part for part in get_args(kind) if part is not NoneType]
    inner = Union[tuple(kinds)] if NoneType in get_args(kind) else kind  # noqa: UP007 - made at run time
    return inner, NOTHING.get(inner, frozenset({""}))
