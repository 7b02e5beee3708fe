"""Shared by the catalogue's handlers: ids, words, territories, and cache times."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypeVar

from ..answers import invalid, unknown
from ..calls import Call
from ..catalogue import HOME_CURRENCY, TERRITORIES

DETAILS_AGE = 86_400
SEARCH_AGE = 3_600

_Noun = TypeVar("_Noun")


def find(call: Call, noun: str, nouns: Mapping[str, _Noun]) -> _Noun:
    """Return the object with the id argument of ``noun``."""
    id_ = call.arguments[f"{noun}_id"]
    if not (id_.isascii() and id_.isdigit()):
        raise invalid(f"{noun}Id", "a number")
    if id_ not in nouns:
        raise unknown(noun)
    return nouns[id_]


def holds(words: str, text: str) -> bool:
    """Return whether ``text`` contains all ``words``, ignoring case."""
    text = text.casefold()
    return all(word in text for word in words.casefold().split())


def country(call: Call) -> str:
    """Return the territory that was asked for, in capitals; the home store's if none was."""
    code: str = call.arguments.get("country", "GB")
    if not (len(code) == 2 and code.isascii() and code.isalpha()):  # noqa: PLR2004 - two letters
        raise invalid("country", "a two-letter country code")
    return code.upper()


def currency(call: Call) -> str:
    """Return the currency of the territory that was asked for; the home store's if it has none."""
    return TERRITORIES.get(country(call), HOME_CURRENCY)
