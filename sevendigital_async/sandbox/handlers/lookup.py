"""Shared by the catalogue's handlers: ids, words, territories, and cache times."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypeVar

from ..answers import invalid_value, not_found
from ..calls import Call
from ..catalogue import CURRENCY_BY_COUNTRY, HOME_CURRENCY

DETAILS_MAX_AGE = 86_400
SEARCH_MAX_AGE = 3_600

_Noun = TypeVar("_Noun")


def find_by_id(call: Call, noun: str, nouns: Mapping[str, _Noun]) -> _Noun:
    """Return the object with the id argument of ``noun``."""
    id_ = call.arguments[f"{noun}_id"]
    if not (id_.isascii() and id_.isdigit()):
        raise invalid_value(f"{noun}Id", "a number")
    if id_ not in nouns:
        raise not_found(noun)
    return nouns[id_]


def contains_words(words: str, text: str) -> bool:
    """Return whether ``text`` contains all ``words``, ignoring case."""
    text = text.casefold()
    return all(word in text for word in words.casefold().split())


def requested_country(call: Call) -> str:
    """Return the territory that was asked for, in capitals; the home store's if none was."""
    code: str = call.arguments.get("country", "GB")
    if not (len(code) == 2 and code.isascii() and code.isalpha()):  # noqa: PLR2004 - two letters
        raise invalid_value("country", "a two-letter country code")
    return code.upper()


def requested_currency(call: Call) -> str:
    """Return the currency of the territory that was asked for; the home store's if it has none."""
    return CURRENCY_BY_COUNTRY.get(requested_country(call), HOME_CURRENCY)
