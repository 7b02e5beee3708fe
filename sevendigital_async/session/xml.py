"""XML from outside, to a plain tree: no DTD, no entities, no external references, bounded depth."""

from __future__ import annotations

from xml.etree.ElementTree import ParseError

from attrs import define
from defusedxml import DefusedXmlException
from defusedxml.ElementTree import DefusedXMLParser

from ..models.wire import TEXT

Tree = dict[str, "Tree"] | list["Tree"] | str | None

MAX_DEPTH = 64

_SCHEMA_INSTANCE = "{http://www.w3.org/2001/XMLSchema-instance}"
_NIL = f"{_SCHEMA_INSTANCE}nil"


class XMLError(ValueError):
    """A document that is not well-formed, or that we refuse to read; the message says which."""


def parse_xml(document: bytes, encoding: str | None = None) -> dict[str, Tree]:
    """Return ``{root: content}``.

    Attributes and child elements become keys, and children of one name a list. An element with nothing but text
    is that text, without the white space around it; text beside anything else stands under ``#text``. An element
    with ``xsi:nil`` is None. Namespaces are left out.

    Args:
        document: The bytes as they came.
        encoding: In place of what the document says of itself.

    Raises:
        XMLError: It is not well-formed, too deep, or uses what we refuse.
    """
    builder = _TreeBuilder()
    parser = DefusedXMLParser(
        target=builder, encoding=encoding, forbid_dtd=True, forbid_entities=True, forbid_external=True
    )
    try:
        parser.feed(document)
        parser.close()
    except DefusedXmlException:
        raise XMLError("XML with a DTD, which is refused") from None
    except XMLError:
        raise
    except (ParseError, LookupError, ValueError):
        raise XMLError("XML that is not well-formed") from None
    return builder.root.children


@define
class _Element:
    name: str
    attributes: dict[str, str]
    children: dict[str, Tree]
    text: list[str]

    def add(self, name: str, content: Tree) -> None:
        if name not in self.children:
            self.children[name] = content
        elif isinstance(siblings := self.children[name], list):
            siblings.append(content)
        else:
            self.children[name] = [siblings, content]

    def content(self) -> Tree:
        text = "".join(self.text).strip()
        if not self.attributes and not self.children:
            return text
        if self.attributes.get(_NIL, "").strip().lower() in {"true", "1"}:
            return None
        inner: dict[str, Tree] = {
            _local(name): value for name, value in self.attributes.items() if not name.startswith(_SCHEMA_INSTANCE)
        }
        inner |= self.children
        if text and inner:
            inner[TEXT] = text
        return inner or text


class _TreeBuilder:
    """What the parser reports to; it keeps its own stack, so depth costs no recursion."""

    def __init__(self) -> None:
        self.root = _Element("", {}, {}, [])
        self._open = [self.root]

    def start(self, tag: str, attributes: dict[str, str]) -> None:
        if len(self._open) > MAX_DEPTH:
            raise XMLError(f"XML nested more than {MAX_DEPTH} deep")
        self._open.append(_Element(_local(tag), attributes, {}, []))

    def data(self, text: str) -> None:
        self._open[-1].text.append(text)

    def end(self, _: str) -> None:
        closed = self._open.pop()
        self._open[-1].add(closed.name, closed.content())

    def close(self) -> None:
        """Nothing is left to do; the parser calls it."""


def _local(name: str) -> str:
    return name.rpartition("}")[2]
