"""How a field is spelled on the wire, told in the field's own metadata."""

from __future__ import annotations

from typing import Any

from attrs import Attribute, field

WIRE_NAMES = "wire_names"
TEXT = "#text"
"""Stands for the text of an XML element that has attributes, and for a bare text where an object might be."""


def wire(*names: str, default: Any = None) -> Any:
    """Declare a field whose wire name does not follow from its own, or that has several.

    Args:
        names: What the service writes, most usual first. A dot leads into an object
            (``currency.code``), except in the first.
        default: The value if the answer has none of them; ``attrs.NOTHING`` makes the field required.
    """
    return field(default=default, metadata={WIRE_NAMES: names})


def wire_names(attribute: Attribute[Any]) -> tuple[str, ...]:
    """Return all spellings of a field: those given to `wire`, else its name in camel case."""
    names: tuple[str, ...] = attribute.metadata.get(WIRE_NAMES, ())
    return names or (_camel_case(attribute.name),)


def noun(model: type) -> str:
    """Return what one object of ``model`` is called in an answer: ``serviceStatus`` for ``ServiceStatus``."""
    name = model.__name__
    return name[0].lower() + name[1:]


def plural(model: type) -> str:
    """Return what a list of ``model`` is called in an answer."""
    return f"{noun(model)}s"


def _camel_case(name: str) -> str:
    head, *tail = name.split("_")
    return head + "".join(part.capitalize() for part in tail)
