"""Write tests/public_face.txt, the names and signatures of the public face: ``python -m tools.public_face``.

A test compares the file with the package, so that a change of the face is visible in review.
"""

from __future__ import annotations

import enum
import inspect
from collections.abc import Iterator
from functools import cached_property
from importlib import import_module
from pathlib import Path
from types import UnionType
from typing import Any

import attrs

FILE = Path(__file__).parents[1] / "tests" / "public_face.txt"
PACKAGE = "sevendigital_async"
MODULES = (
    *(PACKAGE, f"{PACKAGE}.models", f"{PACKAGE}.shipping", f"{PACKAGE}.sources", f"{PACKAGE}.sandbox"),
    *(f"{PACKAGE}.monitoring", f"{PACKAGE}.otel", f"{PACKAGE}.shipping.otel", f"{PACKAGE}.shipping.prometheus"),
)
RESOURCES = {
    "client.classic": f"{PACKAGE}.resources:Classic",
    "client.platform": f"{PACKAGE}.resources:Platform",
    "client.media": f"{PACKAGE}.resources.media:Media",
    "client.oauth": f"{PACKAGE}.resources.oauth:OAuth",
}


def text() -> str:
    """Return the file's text."""
    parts = [f"\n# {name}\n" + "".join(f"{line}\n" for line in of_module(name)) for name in MODULES]
    for name, place in RESOURCES.items():
        module, _, class_name = place.partition(":")
        parts.append(
            f"\n# {name}\n" + "".join(f"{line}\n" for line in methods_below(name, place_of(module, class_name)))
        )
    return "# Written by: python -m tools.public_face\n" + "".join(parts)


def place_of(module: str, name: str) -> Any:
    """Return what a module has under a name."""
    return getattr(import_module(module), name)


def names_of(module: Any) -> list[str]:
    """Return the names that a module exports."""
    if module.__name__ == f"{PACKAGE}.models":
        everything = vars(import_module(f"{PACKAGE}.models.all_models"))
        own = {*everything, *vars(module)}
        return sorted(name for name in own if isinstance(getattr(module, name, None), type) and name[0].isupper())
    listed = getattr(module, "__all__", None)
    if listed is not None:
        return sorted(listed)
    return sorted(name for name, value in vars(module).items() if getattr(value, "__module__", "") == module.__name__)


def of_module(name: str) -> Iterator[str]:
    """Yield the lines of a module; what another module has shown before is named only."""
    module = import_module(name)
    for exported in names_of(module):
        value = getattr(module, exported)
        home = getattr(value, "__module__", "")
        if name != PACKAGE and exported in import_module(PACKAGE).__all__:
            yield f"{exported}: as {PACKAGE}.{exported}"
        elif isinstance(value, type):
            yield from of_class(exported, value)
        elif callable(value) and home.startswith(PACKAGE):
            yield f"def {exported}{signature(value)}"
        elif exported != "__version__":
            kind = "type alias" if isinstance(value, UnionType) else type(value).__name__
            yield f"{exported} = {value!r}" if isinstance(value, str) else f"{exported}: {kind}"


def of_class(name: str, cls: type) -> Iterator[str]:
    """Yield the lines of a class: its bases, and its own fields, methods and properties."""
    bases = [base.__name__ for base in cls.__bases__ if base is not object]
    yield f"class {name}({', '.join(bases)})"
    if issubclass(cls, enum.Enum):
        yield from (f"    {member.name} = {member.value!r}" for member in cls)
    elif attrs.has(cls):
        yield from (_field(cls, each) for each in attrs.fields(cls) if each.init and each.name[0] != "_")
    elif "__init__" in vars(cls):
        yield f"    def __init__{signature(cls.__init__)}"
    for own, member in sorted(vars(cls).items()):
        if own[0] != "_":
            yield from _member(own, member)


def _field(cls: type, field: attrs.Attribute[Any]) -> str:
    # Reading a response resolves the types of attrs' fields; the annotations of the class stay as they are written.
    annotations = [vars(base).get("__annotations__", {}) for base in cls.__mro__]
    type_as_written = next((each[field.name] for each in annotations if field.name in each), field.type)
    default = ""
    if isinstance(field.default, attrs.Factory):  # type: ignore[arg-type]
        default = " = ..."
    elif field.default is not attrs.NOTHING:
        default = f" = {_shown(field.default)}"
    return f"    {field.name}: {_annotation(type_as_written)}{default}{'  # keyword only' if field.kw_only else ''}"


def _member(name: str, member: Any) -> Iterator[str]:
    function = getattr(member, "__func__", member)
    if isinstance(member, property | cached_property):
        getter: Any = member.fget if isinstance(member, property) else member.func
        yield f"    {name} -> {_annotation(getter.__annotations__.get('return'))}"
    elif inspect.isfunction(function):
        kind = "async def" if inspect.iscoroutinefunction(function) else "def"
        yield f"    {kind} {name}{signature(function)}"


def methods_below(path: str, cls: type) -> Iterator[str]:
    """Yield the methods of a namespace of the client, and of those below it."""
    for name, member in vars(cls).items():
        if name[0] == "_":
            continue
        if isinstance(member, cached_property):
            below = member.func.__globals__[member.func.__annotations__["return"]]
            yield from methods_below(f"{path}.{name}", below)
        elif inspect.isfunction(member):
            yield f"{path}.{name}{signature(member)}"


def signature(function: Any) -> str:
    """Return the signature of a function, with annotations as they are written and without ``self``."""
    found = inspect.signature(function)
    parameters = [one for one in found.parameters.values() if one.name not in {"self", "cls"}]
    shown: list[str] = []
    is_marked = False
    for one in parameters:
        if one.kind is one.KEYWORD_ONLY and not is_marked:
            shown.append("*")
        is_marked |= one.kind in {one.KEYWORD_ONLY, one.VAR_POSITIONAL}
        stars = {one.VAR_POSITIONAL: "*", one.VAR_KEYWORD: "**"}.get(one.kind, "")
        annotation = "" if one.annotation is one.empty else f": {_annotation(one.annotation)}"
        default = "" if one.default is one.empty else f" = {_shown(one.default)}"
        shown.append(f"{stars}{one.name}{annotation}{default}")
        if one.kind is one.POSITIONAL_ONLY and one is [each for each in parameters if each.kind is one.kind][-1]:
            shown.append("/")
    returned = "" if found.return_annotation is found.empty else f" -> {_annotation(found.return_annotation)}"
    return f"({', '.join(shown)}){returned}"


def _annotation(annotation: Any) -> str:
    return annotation if isinstance(annotation, str) else inspect.formatannotation(annotation)


def _shown(default: object) -> str:
    """Return a default as it is written; values whose text differs between releases are left out."""
    if isinstance(default, enum.Enum):
        return f"{type(default).__name__}.{default.name}"
    simple = default is None or isinstance(default, str | int | float | bytes | tuple)
    return repr(default) if simple and " at 0x" not in repr(default) else "..."


if __name__ == "__main__":
    FILE.write_text(text())
