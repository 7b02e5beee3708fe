"""Writes answers down: JSON as the OpenAPI files have it, XML as the classic guide has it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any
from xml.etree.ElementTree import Element, SubElement, tostring

import orjson

from .answers import Answer, Page, Problem

JSON = "application/json"
XML = "application/xml"
TEXT = "text/plain"

_SYMBOLS = {"GBP": "£", "USD": "$", "EUR": "€"}

_JSON_ONLY = frozenset({"previewUrl"})

_JSON_FORMS: Mapping[str, Callable[[Any], Any]] = {"label": lambda label: label["name"]}


def _xml_price(price: Mapping[str, Any]) -> Mapping[str, Any]:
    value = f"{price['amount']:.2f}"
    return {
        "currency": {"@code": price["currency"], "#text": _SYMBOLS[price["currency"]]},
        "value": value,
        "formattedPrice": price["formattedPrice"],
        "rrp": value,
        "formattedRrp": price["formattedPrice"],
        "onSale": False,
    }


_XML_NAMES: Mapping[str, str] = {"explicit": "explicitContent", "upc": "barcode"}

_XML_FORMS: Mapping[str, Callable[[Any], Any]] = {
    "price": _xml_price,
    "releaseDate": "{}T00:00:00Z".format,
    "type": str.capitalize,
}


def accepted_type(accept: str) -> str:
    """Choose between JSON and XML by an ``Accept`` header; XML is the API's default."""
    weights = _weights(accept)
    json, xml = weights.get(JSON, 0.0), max(weights.get(XML, 0.0), weights.get("text/xml", 0.0))
    return JSON if json > 0 and json >= xml else XML


def accepts_gzip(accept_encoding: str) -> bool:
    """Tell whether an ``Accept-Encoding`` header names gzip."""
    return _weights(accept_encoding).get("gzip", 0.0) > 0


def render(answer: Answer, media_type: str) -> tuple[bytes, str]:
    """Return an answer's body and its content type."""
    content = answer.content
    if content is None:
        return b"", media_type
    if isinstance(content, str):
        return content.encode(), TEXT
    return (_json(content) if media_type == JSON else _xml(content)), media_type


def _weights(header: str) -> dict[str, float]:
    weights: dict[str, float] = {}
    for part in header.lower().split(","):
        name, *options = (piece.strip() for piece in part.split(";"))
        weight = next((option.removeprefix("q=") for option in options if option.startswith("q=")), "1")
        try:
            weights[name] = float(weight)
        except ValueError:
            weights[name] = 0.0
    return weights


def _json(content: Page | Problem | Mapping[str, Any]) -> bytes:
    match content:
        case Page():
            tree: dict[str, Any] = {
                "status": "ok",
                "page": content.number,
                "pageSize": content.size,
                "totalItems": content.total,
                f"{content.noun}s": [_json_tree(item) for item in content.items],
            }
        case Problem():
            error: dict[str, Any] = {"code": content.code, "message": content.message}
            if content.errors:
                error["errors"] = [
                    {"code": item.code, "message": item.message, "index": item.index} for item in content.errors
                ]
            tree = {"error": error} if content.bare else {"status": "error", "error": error}
        case _:
            tree = {"status": "ok", **_json_tree(content)}
    return orjson.dumps(tree)


def _json_tree(tree: Mapping[str, Any]) -> dict[str, Any]:
    return {name: _json_value(name, value) for name, value in tree.items()}


def _json_value(name: str, value: Any) -> Any:
    if name in _JSON_FORMS:
        return _JSON_FORMS[name](value)
    return _json_tree(value) if isinstance(value, Mapping) else value


def _xml(content: Page | Problem | Mapping[str, Any]) -> bytes:
    root = Element("response", status="error" if isinstance(content, Problem) else "ok", version="1.2")
    match content:
        case Page():
            _append_page(root, content)
        case Problem():
            error = SubElement(root, "error", code=str(content.code))
            SubElement(error, "errorMessage").text = content.message
        case _:
            for name, value in content.items():
                _append(root, name, value)
    document: bytes = tostring(root, encoding="utf-8", xml_declaration=True)
    return document


def _append_page(root: Element, page: Page) -> None:
    collection = SubElement(root, "searchResults" if page.searched else f"{page.noun}s")
    for name, number in (("page", page.number), ("pageSize", page.size), ("totalItems", page.total)):
        SubElement(collection, name).text = str(number)
    for item in page.items:
        parent = collection
        if page.searched:
            parent = SubElement(collection, "searchResult")
            SubElement(parent, "type").text = page.noun
        _append(parent, page.noun, item)


def _append(parent: Element, name: str, value: Any) -> None:
    if name in _JSON_ONLY:
        return
    element = SubElement(parent, _XML_NAMES.get(name, name))
    if name in _XML_FORMS:
        value = _XML_FORMS[name](value)
    if isinstance(value, Mapping):
        for key, child in value.items():
            if key == "id" or key.startswith("@"):
                element.set(key.removeprefix("@"), str(child))
            elif key == "#text":
                element.text = child
            else:
                _append(element, key, child)
    elif value is not None:
        element.text = str(value).lower() if isinstance(value, bool) else str(value)
