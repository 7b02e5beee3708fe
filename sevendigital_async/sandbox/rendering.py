"""Renders responses: JSON in the format of the OpenAPI files, XML in that of the classic guide."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import urlencode
from xml.etree.ElementTree import Element, SubElement, tostring

import orjson

from .answers import Answer, JsonAndXml, Page, PlainText, Problem, Token, WithoutEnvelope
from .recordings import Media

JSON = "application/json"
XML = "application/xml"
TEXT = "text/plain"
FORM = "application/x-www-form-urlencoded"

_UTF8 = "; charset=utf-8"

_SYMBOLS = {"GBP": "£", "USD": "$", "EUR": "€"}

_JSON_ONLY = frozenset({"previewUrl"})
_XML_ONLY = ("rrp", "formattedRrp", "onSale")

_JSON_FORMS: Mapping[str, Callable[[Any], Any]] = {
    "label": lambda label: label["name"],
    "version": lambda version: version or "",
}


def _xml_price(price: Mapping[str, Any]) -> Mapping[str, Any]:
    amount, currency = price["amount"], price["currency"]
    return {
        "currency": {"@code": currency, "#text": _SYMBOLS[currency]},
        "value": f"{amount:.2f}",
        "formattedPrice": price["formattedPrice"],
        **{name: price[name] for name in _XML_ONLY if name in price},
    }


def _xml_amount_due(price: Mapping[str, Any]) -> Mapping[str, Any]:
    amount, currency = price["amount"], price["currency"]
    return {
        "currency": {"@code": currency, "#text": _SYMBOLS[currency]},
        "amount": f"{amount:.2f}",
        "formattedAmount": price["formattedPrice"],
    }


_XML_NAMES: Mapping[str, str] = {"explicit": "explicitContent", "upc": "barcode"}

_XML_FORMS: Mapping[str, Callable[[Any], Any]] = {
    "price": _xml_price,
    "amountDue": _xml_amount_due,
    "releaseDate": "{}T00:00:00Z".format,
    "release.type": str.capitalize,
}
"""The XML format of a field, by its name, or by its parent's name and its own."""


def accepted_type(accept: str) -> str:
    """Choose between JSON and XML by an ``Accept`` header; XML is the API's default."""
    weights = _weights(accept)
    json, xml = weights.get(JSON, 0.0), max(weights.get(XML, 0.0), weights.get("text/xml", 0.0))
    return JSON if json > 0 and json >= xml else XML


def accepts_gzip(accept_encoding: str) -> bool:
    return _weights(accept_encoding).get("gzip", 0.0) > 0


def render(answer: Answer, accept: str, only_type: str | None = None) -> tuple[bytes, str]:
    """Return a response's body and its content type."""
    media_type = only_type or accepted_type(accept)
    match answer.content:
        case None:
            return b"", media_type
        case str(text):
            return text.encode(), TEXT + _UTF8
        case PlainText(text, content_type):
            return text.encode(), content_type
        case Token() as token:
            return _token(token, accept)
        case Media():
            raise TypeError("media are not rendered")
        case JsonAndXml(json=json, xml=xml):
            return (_json(json) if media_type == JSON else _xml(xml)), media_type + _UTF8
        case tree:
            return (_json(tree) if media_type == JSON else _xml(tree)), media_type + _UTF8


def _token(token: Token, accept: str) -> tuple[bytes, str]:
    pair = {"oauth_token": token.token, "oauth_token_secret": token.secret}
    weights = _weights(accept)
    if weights.get(FORM, 0.0) > max(weights.get(XML, 0.0), weights.get("text/xml", 0.0)):
        return urlencode(pair).encode(), FORM
    return _xml({token.kind: pair}), XML + _UTF8


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


def _json(content: Page | Problem | WithoutEnvelope | Mapping[str, Any]) -> bytes:
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
            tree = {"error": error} if content.has_no_envelope else {"status": "error", "error": error}
        case WithoutEnvelope(bare):
            tree = _json_tree(bare)
        case _:
            tree = {"status": "ok", **_json_tree(content)}
    return orjson.dumps(tree)


def _json_tree(tree: Mapping[str, Any]) -> dict[str, Any]:
    return {name: _json_value(name, value) for name, value in tree.items() if name not in _XML_ONLY}


def _json_value(name: str, value: Any) -> Any:
    if name in _JSON_FORMS:
        return _JSON_FORMS[name](value)
    if isinstance(value, list):
        return [_json_value(name, item) for item in value]
    return _json_tree(value) if isinstance(value, Mapping) else value


def _xml(content: Page | Problem | WithoutEnvelope | Mapping[str, Any]) -> bytes:
    root = Element("response", status="error" if isinstance(content, Problem) else "ok", version="1.2")
    match content:
        case Page():
            _append_page(root, content)
        case Problem():
            error = SubElement(root, "error", code=str(content.code))
            SubElement(error, "errorMessage").text = content.message
        case _:
            tree = content.tree if isinstance(content, WithoutEnvelope) else content
            for name, value in tree.items():
                _append(root, name, value)
    document: bytes = tostring(root, encoding="utf-8", xml_declaration=True)
    return document


def _append_page(root: Element, page: Page) -> None:
    collection = SubElement(root, "searchResults" if page.is_search else f"{page.noun}s")
    for name, number in (("page", page.number), ("pageSize", page.size), ("totalItems", page.total)):
        SubElement(collection, name).text = str(number)
    for item in page.items:
        parent = collection
        if page.is_search:
            parent = SubElement(collection, "searchResult")
            SubElement(parent, "type").text = page.noun
        _append(parent, page.noun, item)


def _append(parent: Element, name: str, value: Any) -> None:
    if name in _JSON_ONLY:
        return
    if isinstance(value, list):
        for item in value:
            _append(parent, name, item)
        return
    element = SubElement(parent, _XML_NAMES.get(name, name))
    form = _XML_FORMS.get(f"{parent.tag}.{name}") or _XML_FORMS.get(name)
    if form is not None:
        value = form(value)
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
