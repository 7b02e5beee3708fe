"""How a field is spelled on the wire, told in the field's own metadata."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, TypeVar

from attrs import Attribute, field

T = TypeVar("T")

WIRE_NAMES = "wire_names"
OTHER_NOUNS = "__wire_nouns__"
SOURCES = "__wire_sources__"
TEXT = "#text"
"""Stands for the text of an XML element that has attributes, and for a bare text where an object might be."""
ENTRY = "#entry"
"""Stands for what an entry of a list says around the thing that it is about, such as its rank in a chart."""


def wire(*names: str, default: Any = None, repr: bool = True, eq: bool = True) -> Any:  # noqa: A002 - as attrs calls it
    """Declare a field whose wire name does not follow from its own, or that has several.

    Args:
        names: What the service writes, most usual first. A dot leads into an object
            (``currency.code``), except in the first.
        default: The value if the answer has none of them; ``attrs.NOTHING`` makes the field required.
        repr: Whether the value may be shown; secrets may not.
        eq: Whether two objects that differ in it only are different.
    """
    return field(default=default, repr=repr, eq=eq, metadata={WIRE_NAMES: names})


def wire_names(attribute: Attribute[Any]) -> tuple[str, ...]:
    """Return all spellings of a field: those given to `wire`, else its name in camel case."""
    names: tuple[str, ...] = attribute.metadata.get(WIRE_NAMES, ())
    return names or (_camel_case(attribute.name),)


def called(*names: str) -> Callable[[type[T]], type[T]]:
    """Declare what else a model is called in answers, besides its own name: ``@called("card")``."""

    def remember(model: type[T]) -> type[T]:
        setattr(model, OTHER_NOUNS, names)
        return model

    return remember


def gathered(**sources: str) -> Callable[[type[T]], type[T]]:
    """Declare from which lists a list of the model can be put together, where it has none of its own.

    Args:
        sources: For a list's name, the place in the model where its entries belong: ``releases="release"``.
    """

    def remember(model: type[T]) -> type[T]:
        setattr(model, SOURCES, sources)
        return model

    return remember


def sources_of(model: type) -> Mapping[str, str]:
    """Return what was declared with `gathered`."""
    sources: Mapping[str, str] = getattr(model, SOURCES, {})
    return sources


def noun(model: type) -> str:
    """Return what one object of ``model`` is called in an answer: ``serviceStatus`` for ``ServiceStatus``."""
    name = model.__name__
    return name[0].lower() + name[1:]


def nouns(model: type) -> tuple[str, ...]:
    """Return all that one object of ``model`` is called in answers, most usual first."""
    return (noun(model), *getattr(model, OTHER_NOUNS, ()))


def plural(model: type) -> str:
    """Return what a list of ``model`` is called in an answer."""
    return _plural(noun(model))


def plurals(model: type) -> tuple[str, ...]:
    """Return all that a list of ``model`` is called in answers, most usual first."""
    return tuple(_plural(name) for name in nouns(model))


def _plural(name: str) -> str:
    return f"{name[:-1]}ies" if name.endswith("y") else f"{name}s"


def _camel_case(name: str) -> str:
    head, *tail = name.split("_")
    return head + "".join(part.capitalize() for part in tail)
