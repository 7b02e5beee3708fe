"""Countries, where addresses are, and texts in the languages of those countries."""

from __future__ import annotations

from collections.abc import Mapping
from ipaddress import ip_address

from ..answers import Answer, JsonAndXml, Tree, WithoutEnvelope, invalid_value, not_found
from ..calls import Call
from ..catalogue import COUNTRY_NAMES, CURRENCY_BY_COUNTRY
from .lookup import DETAILS_MAX_AGE

TEXTS: Mapping[str, Mapping[str, str]] = {
    "en": {"basket.add": "Add to basket", "basket.checkout": "Checkout", "release.album": "Album"},
    "de": {"basket.add": "In den Warenkorb", "basket.checkout": "Zur Kasse", "release.album": "Album"},
    "fr": {"basket.add": "Ajouter au panier", "basket.checkout": "Commander", "release.album": "Album"},
    "es": {"basket.add": "Añadir a la cesta", "basket.checkout": "Finalizar compra", "release.album": "Álbum"},
}


def countries(_: Call) -> Answer:
    trees = [_tree(code) for code in COUNTRY_NAMES]
    elements = [_element(code) for code in COUNTRY_NAMES]
    return Answer(
        content=JsonAndXml(json={"countries": trees}, xml={"countries": {"country": elements}}), max_age=DETAILS_MAX_AGE
    )


def resolve(call: Call) -> Answer:
    code = country_of(call, "ip")
    return Answer(
        content=JsonAndXml(json=WithoutEnvelope(_tree(code)), xml={"country": _element(code)}), max_age=DETAILS_MAX_AGE
    )


def country_of(call: Call, name: str) -> str:
    """Return the country of the address that an argument is; private ones are in the home country."""
    try:
        address = ip_address(call.arguments[name].strip())
    except ValueError:
        raise invalid_value(name, "an IPv4 or IPv6 address") from None
    codes = list(COUNTRY_NAMES)
    return codes[int(address) % len(codes)] if address.is_global else codes[0]


def translations(call: Call) -> Answer:
    locale = call.arguments["locale"]
    texts = TEXTS.get(locale.replace("_", "-").partition("-")[0].lower())
    if texts is None:
        raise not_found("locale")
    return Answer(content={"locale": locale, "translations": texts}, max_age=DETAILS_MAX_AGE)


HANDLERS = {
    "classic.territories.countries": countries,
    "classic.ip_lookup.country": resolve,
    "classic.translations.bundle": translations,
}


def _tree(code: str) -> Tree:
    return {"countryCode": code, "name": COUNTRY_NAMES[code], "currency": CURRENCY_BY_COUNTRY[code]}


def _element(code: str) -> Tree:
    return {"@code": code, "name": COUNTRY_NAMES[code], "currency": CURRENCY_BY_COUNTRY[code]}
