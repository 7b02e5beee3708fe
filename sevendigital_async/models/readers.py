"""Readers: functions that convert what was parsed of a response to values, lists and objects, strictly.

Readers of models are generated, and fail fast. A field may have several names, and most responses lack most fields of a
model. Objects with the same keys have one *shape*; a frequent shape gets its own reader, which only looks up the keys
that it has.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from functools import lru_cache
from itertools import chain
from math import isfinite
from types import NoneType
from typing import Any, NewType, Union, get_args

import attrs

from .wire import ELEMENT_TEXT, MAPPING_KEYS, steps, wire_names, wire_nouns, wire_plurals

StructureHook = Callable[[Any, Any], Any]
Shape = frozenset[str]
Reader = Callable[[dict[str, Any]], Any]

_END_OF_DAY = re.compile(r"([T ])24(?=:?00(?::?00(?:[.,]0+)?)?(?:$|[Z+-]))")
_LEAP_SECOND = re.compile(r"(?<=[T ]23:59:)60|(?<=[T ]2359)60")
_ORDINAL_DATE = re.compile(r"(\d{4})-?(\d{3})(?=$|[T ])")


def parse_datetime(text: str) -> datetime:
    """Parse a date, or a date and time: what ``datetime.fromisoformat`` accepts, and the rest of the standards.

    That is ``t`` and ``z``, ``24:00`` for the end of a day, a leap second (the next second), and days of the year.

    Raises:
        ValueError: It is invalid, or outside the years 1 to 9999.
    """
    try:
        return datetime.fromisoformat(text)
    except ValueError:
        return _parse_other_iso_form(text)


def _parse_other_iso_form(text: str) -> datetime:
    plain = text.strip().upper()
    more = timedelta()
    if ordinal := _ORDINAL_DATE.match(plain):
        year, day = int(ordinal[1]), int(ordinal[2])
        first = datetime(year, 1, 1)  # noqa: DTZ001 - a date only
        if not 1 <= day <= (first.replace(month=12, day=31) - first).days + 1:
            raise ValueError(f"no such day of the year: {text!r}")
        plain = f"{year:04}-01-01{plain[ordinal.end() :]}"
        more += timedelta(days=day - 1)
    plain, ends = _END_OF_DAY.subn(r"\g<1>00", plain, count=1)
    plain, leaps = _LEAP_SECOND.subn("59", plain, count=1)
    more += timedelta(days=ends, seconds=leaps)
    try:
        return datetime.fromisoformat(plain) + more
    except OverflowError:
        raise ValueError(f"after the year 9999: {text!r}") from None


MAX_NUMBER_LENGTH = 40
"""Most characters of a number; limits the cost of conversions."""

DATE_LENGTH = len("2001-12-31")

_WHOLE_NUMBER = re.compile(r"[+-]?[0-9]+").fullmatch
_DECIMAL = re.compile(r"[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]{1,3})?").fullmatch
_BOOLEANS = {"true": True, "false": False, "1": True, "0": False}
_JSON_TYPE_NAMES: dict[type, str] = {
    str: "text",
    bool: "true or false",
    int: "a number",
    float: "a number",
    list: "a list",
    dict: "an object",
    type(None): "null",
}


class WrongTypeError(ValueError):
    """A value of the wrong type; the message continues its path."""

    def __init__(self, value: object, wanted: str) -> None:
        kind = _JSON_TYPE_NAMES.get(type(value), "something else")
        super().__init__(f"is not {wanted}" if isinstance(value, str) else f"is {kind}, not {wanted}")


def read_text(value: object, _: object = None) -> str:
    """Read text; ids may be numbers."""
    if isinstance(value, str):
        return value
    if type(value) is int:
        return str(value)
    raise WrongTypeError(value, "text")


def read_whole_number(value: object, _: object = None) -> int:
    """Read a whole number, written as a number or as digits."""
    if type(value) is int:
        return value
    if isinstance(value, str) and len(value) <= MAX_NUMBER_LENGTH and _WHOLE_NUMBER(stripped := value.strip()):
        return int(stripped)
    if isinstance(value, float) and value.is_integer():
        return int(value)
    raise WrongTypeError(value, "a whole number")


def read_decimal(value: object, _: object = None) -> Decimal:
    """Read an exact number; a float becomes the shortest decimal that denotes it."""
    if isinstance(value, float):
        return shortest_decimal(value + 0.0)
    if type(value) is int:
        return Decimal(value)
    if isinstance(value, str) and len(value) <= MAX_NUMBER_LENGTH and _DECIMAL(stripped := value.strip()):
        return Decimal(stripped)
    raise WrongTypeError(value, "a decimal number")


@lru_cache(maxsize=1024)
def shortest_decimal(value: float) -> Decimal:
    """Return the shortest decimal that denotes a float, whose zero has no sign."""
    # A shop has few prices, and a lookup costs a fifth of creating one.
    if not isfinite(value):
        raise WrongTypeError(value, "a decimal number")
    return Decimal(repr(value))


def read_boolean(value: object, _: object = None) -> bool:
    """Read true or false, in JSON's or XML's spelling."""
    if isinstance(value, bool):
        return value
    if isinstance(value, str):
        known = _BOOLEANS.get(value.strip().lower())
        if known is not None:
            return known
    elif type(value) is int and value in {0, 1}:
        return value == 1
    raise WrongTypeError(value, "true or false")


def read_datetime(value: object, _: object = None) -> datetime:
    """Read a point in time (ISO 8601); one without a zone is in UTC, a date means its midnight."""
    if isinstance(value, str):
        try:
            read = parse_datetime(value.strip())
        except ValueError:
            pass
        else:
            return read if read.tzinfo else read.replace(tzinfo=UTC)
    raise WrongTypeError(value, "a date and time")


def read_date(value: object, _: object = None) -> date:
    """Read a calendar day; a time of day and a zone are ignored."""
    if isinstance(value, str):
        written = value if len(value) == DATE_LENGTH else value.strip()
        try:
            return date.fromisoformat(written) if len(written) == DATE_LENGTH else parse_datetime(written).date()
        except ValueError:
            pass
    raise WrongTypeError(value, "a date")


Count = NewType("Count", int)
"""A number that is None if it can't be read, without a log line, because the field may hold something else."""


def read_count(value: object, _: object = None) -> int | None:
    """Read a count; anything else is None."""
    try:
        number = read_whole_number(value)
    except WrongTypeError:
        return None
    return number if number >= 0 else None


def collection_items(value: Any, model: Any) -> tuple[list[Any], str]:
    """Return the items of a collection, and their path within it, ``[]`` in place of an index.

    A list, one item in its place, ``{"format": ...}`` or ``{"formats": ...}`` around either, or nothing at all.
    """
    path = ""
    if isinstance(value, dict) and "id" not in value:
        names = (*wire_nouns(model), *wire_plurals(model)) if attrs.has(model) else tuple(value)[:1]
        for name in names:
            if name in value:
                value, path = value[name], f".{name}"
                break
    if isinstance(value, list):
        return value, f"{path}[]"
    return ([], path) if value is None or value in ("", {}) else ([value], path)


def entries_by_key(value: Any) -> dict[str, tuple[Any, tuple[str | int, ...]]] | None:
    """Return a collection of texts by their keys, each with the names and indexes to it; None if it is not one.

    An object with a text under each key, or entries that have one of `MAPPING_KEYS` and one other field.
    """
    if value == []:
        return {}
    if not isinstance(value, dict | list):
        return None
    inside = chain.from_iterable(
        [((name, index), item) for index, item in enumerate(inner)] if isinstance(inner, list) else [((name,), inner)]
        for name, inner in (value.items() if isinstance(value, dict) else enumerate(value))
    )
    entries = [
        (place, entry, key)
        for place, entry in inside
        if isinstance(entry, dict)
        and (key := next((key for key in MAPPING_KEYS if isinstance(entry.get(key), str)), None))
    ]
    if not entries:
        if isinstance(value, list):
            return None
        # An empty page states its size, or has an empty list.
        is_page = "pageSize" in value or [] in value.values()
        return {} if is_page else {name: (text, (name,)) for name, text in value.items()}
    found = {}
    for place, entry, key in entries:
        name = next((name for name in entry if name != key), "")
        found[entry[key]] = entry.get(name), (*place, name)
    return found


NATIVE_TYPES = (str, bool, int)
"""Types that JSON already has."""

NULL_TEXTS: Mapping[object, frozenset[str]] = {str: frozenset(), Decimal: frozenset({"", "N/A"})}
"""Texts that mean null, by type; the empty text for other types. Some items are not sold separately, thus ``N/A``."""


MAX_KEYS = 64
"""Most keys of an object with a shape; larger objects are read key by key."""

MAX_SHAPES = 64
"""Most shapes of a model with their own reader; generating one takes a millisecond."""

COMPILE_THRESHOLD = 8
"""Objects of a shape after which its reader is generated."""

MAX_COUNTED_SHAPES = 256
"""Most shapes that are counted at a time."""


def make_reader(model: type, get_hook: Callable[[Any], StructureHook]) -> StructureHook:
    """Return the reader of a frozen attrs class with slots. It raises ValueError where a value does not fit.

    Args:
        model: The class. Its fields have no validators, and default to what is read from null.
        get_hook: Gives the hook that reads a field's type.
    """
    fields = attrs.fields(attrs.resolve_types(model))
    takes_text = any(ELEMENT_TEXT in wire_names(field) for field in fields)
    names = _reader_namespace(model, get_hook)
    read_any = _compile_reader(model, None, names)
    names["read_new"] = read_new = _make_shape_reader(model, names, read_any)
    latest: Mapping[int, Reader] = names["latest"]

    def read(tree: Any, _: Any = None) -> Any:
        if tree.__class__ is dict:
            # Usually it is the latest shape with this number of keys; the reader checks.
            return latest.get(len(tree), read_new)(tree)
        if not takes_text or tree is None or tree.__class__ is list:
            raise WrongTypeError(tree, "an object")
        # A list repeats values such as labels, and frozen objects can be shared.
        return read_text(tree) if tree.__class__ is str else read_any({ELEMENT_TEXT: tree})

    @lru_cache(maxsize=256)
    def read_text(value: str) -> Any:
        return read_any({ELEMENT_TEXT: value})

    read.latest = latest  # type: ignore[attr-defined]  # readers of what encloses the model look here before they call
    read.text = read_text if takes_text else None  # type: ignore[attr-defined]
    return read


def _make_shape_reader(model: type, names: dict[str, Any], read_any: Reader) -> Reader:
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
            if len(seen) >= MAX_COUNTED_SHAPES:
                seen.clear()
            seen[shape] = seen.get(shape, 0) + 1
            if seen[shape] >= COMPILE_THRESHOLD:
                readers[shape] = latest[len(shape)] = _compile_reader(model, shape, names)
        return read_any(tree)

    return read_new


def is_compilable(model: type) -> bool:
    """Return whether a reader can be made of ``model``."""
    nulls: tuple[Any, ...] = (attrs.NOTHING, None, (), attrs.Factory(dict))
    return all(field.validator is None and field.default in nulls for field in attrs.fields(model))


def _reader_namespace(model: type, get_hook: Callable[[Any], StructureHook]) -> dict[str, Any]:
    """Return the namespace of the generated readers of a model."""
    # A frozen object is filled through object.__setattr__, field by field. One of a class with the same layout that is
    # not frozen takes plain assignments, and is made a frozen one at the end: a third of the time.
    plain_methods = {name: getattr(object, name) for name in ("__init__", "__setattr__", "__delattr__")}
    unfrozen = type(model.__name__, (model,), {"__slots__": (), **plain_methods})
    names: dict[str, Any] = {"unfrozen": unfrozen, "model": model}
    for number, field in enumerate(attrs.fields(model)):
        kind, nothing = without_null(field.type)
        hook = get_hook(kind)
        names[f"kind{number}"], names[f"nothing{number}"], names[f"hook{number}"] = kind, nothing, hook
        names |= {f"{name}{number}": getattr(hook, name, None) for name in ("known", "latest", "text")}
    return names | {"shortest_decimal": shortest_decimal, "date_of": date.fromisoformat, "latest": {}}


def _compile_reader(model: type, shape: Shape | None, names: dict[str, Any]) -> Reader:
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
        found = list(_lookup_lines(wire_names(field), at))
        if not found and field.default in (None, ()):
            lines.append(f" self.{field.name} = {field.default!r}")
        else:
            reading = _conversion_lines(number, field, names[f"hook{number}"])
            lines += [*(found or [" value = None"]), *reading, f" self.{field.name} = value"]
    lines += [" self.__class__ = model", " return self"]
    made: dict[str, Any] = {}
    exec(compile("\n".join(lines), f"<reader of {model.__name__}>", "exec"), names, made)  # noqa: S102 - our own text
    read: Reader = made["read"]
    return read


def _lookup_lines(names: tuple[str, ...], at: Mapping[str, str] | None) -> Iterator[str]:
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


def _conversion_lines(number: int, field: attrs.Attribute[Any], hook: StructureHook) -> Iterator[str]:
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
    elif kind is date:
        yield f" if value.__class__ is str and len(value) == {DATE_LENGTH}: value = date_of(value)"
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
    return inner, NULL_TEXTS.get(inner, frozenset({""}))
