"""What the live dialect asks or answers in a way of its own in the classic API."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

from ..answers import Answer, Bare, Tree, invalid, unknown
from ..calls import Call
from ..catalogue import CATALOGUE
from ..state.cards import Registration
from . import territories
from .lookup import DETAILS_AGE, country
from .purchases import buyer

_LANGUAGES = {"GB": "en", "US": "en", "DE": "de", "FR": "fr", "ES": "es"}


def by_slug(noun: str, nouns: Mapping[str, Any], call: Call) -> Answer:
    """Answer with the id of what a page of the shop shows; a page's slug is the id, too."""
    slug = call.arguments["url"]
    if slug not in nouns:
        raise unknown(noun)
    return Answer(content={f"{noun}Id": slug}, max_age=DETAILS_AGE)


def translations(call: Call) -> Answer:
    """Answer with a page of the texts of a country's shop."""
    texts = territories.TEXTS[_LANGUAGES.get(country(call), "en")]
    page = call.page_of("translation", list(texts.items()), lambda item: {"key": item[0], "translatedText": item[1]})
    return Answer(
        content={
            "translations": {
                "page": page.number,
                "pageSize": page.size,
                "totalItems": page.total,
                "translation": list(page.items),
            }
        },
        max_age=DETAILS_AGE,
    )


def register(call: Call) -> Answer:
    """Begin the registration of a card, whose owner fills in a form somewhere else."""
    back = call.arguments["redirect_url"]
    if not back.startswith(("http://", "https://")):
        raise invalid("redirectUrl", "a web address")
    registration = call.state.cards.invite(buyer(call))
    form = f"{call.origin}/cardregistration/{registration.id}"
    return _registration(registration, "pending", redirectUrl=form)


def registration(call: Call) -> Answer:
    """Answer with the state of a registration; who is asked to fill in a form has done it by now."""
    found = call.state.cards.registration(buyer(call), call.arguments["id"])
    if found is None:
        raise unknown("card registration")
    return _registration(found, "registered" if found.card_id else "failed", cardId=found.card_id)


HANDLERS: Mapping[str, Callable[[Call], Answer]] = {
    "classic.catalogue.artist_by_url": partial(by_slug, "artist", CATALOGUE.artists),
    "classic.catalogue.release_by_url": partial(by_slug, "release", CATALOGUE.releases),
    "classic.translations.bundle": translations,
    "classic.user.register_payment_card": register,
    "classic.user.card_registration": registration,
}


def _registration(found: Registration, status: str, **more: str | None) -> Answer:
    tree: Tree = {"id": found.id, "status": status, **{name: text for name, text in more.items() if text}}
    return Answer(content=Bare({"cardRegistration": tree}))
