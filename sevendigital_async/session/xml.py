"""Untrusted XML to a plain tree: no DTD, no entities, no external references, bounded depth."""

from __future__ import annotations

from collections.abc import Callable
from xml.parsers.expat import ExpatError

from defusedxml import DefusedXmlException
from defusedxml.ElementTree import DefusedXMLParser

from ..models.wire import ELEMENT_TEXT

Tree = dict[str, "Tree"] | list["Tree"] | str | None

MAX_DEPTH = 64

STEP_BYTES = 64 * 1024
"""Bytes that are parsed before ``stopped`` is called again."""

_SCHEMA_INSTANCE = "http://www.w3.org/2001/XMLSchema-instance}"
_NIL = f"{_SCHEMA_INSTANCE}nil"


class XMLStoppedError(Exception):
    """Parsing was stopped before its end."""


class XMLError(ValueError):
    """A document that is not well-formed or not allowed; the message says which."""


def parse_xml(
    document: bytes, encoding: str | None = None, *, stopped: Callable[[], bool] = lambda: False
) -> dict[str, Tree]:
    """Return ``{root: content}``.

    Attributes and child elements become keys, and children of one name a list. An element with nothing but text
    is that text, without surrounding white space; text beside attributes or elements is under ``#text``. An element
    with ``xsi:nil`` is None. Namespaces are left out.

    Args:
        document: The bytes as they came.
        encoding: Replaces the encoding that the document declares.
        stopped: Called between two pieces; returns whether to stop.

    Raises:
        XMLError: It is not well-formed, too deep, or has a DTD.
        XMLStoppedError: ``stopped`` returned True.
    """
    builder = _TreeBuilder()
    try:
        expat = DefusedXMLParser(encoding=encoding, forbid_dtd=True, forbid_entities=True, forbid_external=True).parser
        # Expat calls the builder directly: the layer between them takes most of the time.
        expat.DefaultHandlerExpand = None
        expat.StartElementHandler = builder.start
        expat.CharacterDataHandler = builder.data
        expat.EndElementHandler = builder.end
        for begin in range(0, len(document), STEP_BYTES):
            if stopped():
                raise XMLStoppedError
            expat.Parse(document[begin : begin + STEP_BYTES], False)  # noqa: FBT003 - it takes no keywords
        expat.Parse(b"", True)  # noqa: FBT003
    except DefusedXmlException:
        raise XMLError("XML with a DTD, which is not allowed") from None
    except XMLError:
        raise
    except (ExpatError, LookupError, ValueError):
        raise XMLError("XML that is not well-formed") from None
    return builder.root


class _TreeBuilder:
    """Receives the parser's events; it keeps its own stack, so depth needs no recursion."""

    def __init__(self) -> None:
        self.root: dict[str, Tree] = {}
        self._open: list[tuple[str, list[str], dict[str, Tree], list[str]]] = [("", [], self.root, [])]

    def start(self, tag: str, attributes: list[str]) -> None:
        if len(self._open) > MAX_DEPTH:
            raise XMLError(f"XML nested more than {MAX_DEPTH} deep")
        self._open.append((tag, attributes, {}, []))

    def data(self, text: str) -> None:
        self._open[-1][3].append(text)

    def end(self, _: str) -> None:
        tag, attributes, children, texts = self._open.pop()
        text = "".join(texts).strip()
        name = _local(tag)
        content = _content(attributes, children, text) if attributes or children else text
        siblings = self._open[-1][2]
        if name not in siblings:
            siblings[name] = content
        elif isinstance(others := siblings[name], list):
            others.append(content)
        else:
            siblings[name] = [others, content]


def _content(attributes: list[str], children: dict[str, Tree], text: str) -> Tree:
    """Return an element's content; the attributes are alternating names and values."""
    inner: dict[str, Tree] = {}
    for name, value in zip(attributes[::2], attributes[1::2], strict=True):
        if name == _NIL and value.strip().lower() in {"true", "1"}:
            return None
        if not name.startswith(_SCHEMA_INSTANCE):
            inner[_local(name)] = value
    inner |= children
    if text and inner:
        inner[ELEMENT_TEXT] = text
    return inner or text


def _local(name: str) -> str:
    return name.rpartition("}")[2]
