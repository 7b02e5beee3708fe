"""Handlers of the classic API for the live dialect, where it differs."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any
from uuid import NAMESPACE_URL, uuid5

from attrs import evolve

from ..answers import Answer, Tree, WithoutEnvelope, invalid_value, missing_parameter, not_found, payment_failed
from ..calls import Call
from ..catalogue import CATALOGUE
from ..state.cards import Card, Registration
from ..tags import has_all_tags, tags_of_artist
from . import basket as baskets
from . import cards, tags, territories
from .lookup import DETAILS_MAX_AGE, requested_country
from .purchases import buyer
from .releases import recommend
from .request_fields import iso_time

_MONTH = re.compile(r"(20\d\d)(0[1-9]|1[0-2])", re.ASCII)
_LANGUAGES = {"GB": "en", "US": "en", "DE": "de", "FR": "fr", "ES": "es"}


def id_by_slug(noun: str, nouns: Mapping[str, Any], call: Call) -> Answer:
    """Return the id of what a page of the shop shows; a page's slug is the id, too."""
    slug = call.arguments["url"]
    if slug not in nouns:
        raise not_found(noun)
    return Answer(content={f"{noun}Id": slug}, max_age=DETAILS_MAX_AGE)


def translations(call: Call) -> Answer:
    texts = territories.TEXTS[_LANGUAGES.get(requested_country(call), "en")]
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
        max_age=DETAILS_MAX_AGE,
    )


def register(call: Call) -> Answer:
    """Begin the registration of a card, whose owner fills in a form on another page."""
    back = call.arguments["redirect_url"]
    if not back.startswith(("http://", "https://")):
        raise invalid_value("redirectUrl", "a web address")
    registration = call.state.cards.start_registration(buyer(call))
    form = f"{call.origin}/cardregistration/{registration.id}"
    return _registration(registration, "pending", redirectUrl=form)


def registration(call: Call) -> Answer:
    """Return the state of a registration; the form is filled in by now."""
    user = buyer(call)
    found = call.state.cards.find_registration(user, call.arguments["id"])
    if found is None:
        raise not_found("card registration")
    card = next((card for card in call.state.cards.of(user) if card.id == found.card_id), None)
    if card is None:
        error = {"code": 3103, "errorMessage": "The card could not be added"}
        return _registration(found, "error", error=error)
    is_default = card.id == call.state.cards.default_of(user)
    return _registration(found, "complete", card=_card(card, is_default=is_default))


def add_card(call: Call) -> Answer:
    expiry = _MONTH.fullmatch(call.arguments["card_expiry_date"])
    if expiry is None:
        raise invalid_value("cardExpiryDate", "a month such as 202812")
    year, month = int(expiry[1]), int(expiry[2])
    card = cards.read_card(call, "card_verification_code", month=month, year=year)
    added = call.state.cards.register(buyer(call), card, call.utc_now.date())
    if added.card_id is None:
        raise payment_failed(3103, "The card could not be added")
    return Answer(content={"card": _card(evolve(card, id=added.card_id), is_default=True)})


def prepare_purchase(call: Call) -> Answer:
    basket = baskets.basket_of(call)
    buyer(call)
    payment = {
        "paymentToken": basket.start_paypal_checkout(),
        "autoFulfilled": basket.pence_due == 0,
        "preparePaymentDate": iso_time(call.utc_now),
    }
    return Answer(content={"preparePayment": payment})


def basket_status(call: Call) -> Answer:
    return Answer(content={"paymentStatus": "Success" if baskets.basket_of(call).is_paid else "Failure"})


def related_tags(call: Call) -> Answer:
    requested_country(call)
    wanted = tags.requested_tags(call)
    found = {
        tag.id: tag
        for artist in CATALOGUE.artists.values()
        if has_all_tags(own := tags_of_artist(artist), wanted)
        for tag in own
        if tag.id not in wanted
    }
    return tags.tag_list(call, list(found.values()))


def matches(noun: str, nouns: Mapping[str, Any], call: Call) -> Answer:
    name = "mb_ids" if "mb_ids" in call.arguments else "seven_digital_ids"
    if name not in call.arguments:
        raise missing_parameter("sevenDigitalIds")
    here = {id_: _mb_id(noun, thing) for id_, thing in nouns.items()}
    there = {mb_id: id_ for id_, mb_id in here.items()}
    entries: list[Tree] = []
    for wanted in call.arguments[name].split(","):
        id_ = there.get(wanted.lower()) if name == "mb_ids" else wanted
        asked = {"mbId" if name == "mb_ids" else "sevenDigitalId": wanted}
        found = {noun: [{"sevenDigitalId": id_, "mbId": here[id_]}]} if id_ in here else {"matchError": {"code": 2001}}
        entries.append(asked | found)
    return Answer(content={"matches": {f"{noun}s": entries}}, max_age=DETAILS_MAX_AGE)


def _mb_id(noun: str, thing: Any) -> str:
    return thing.mbid if noun == "artist" else str(uuid5(NAMESPACE_URL, f"{noun}:{thing.id}"))


def checkout_restrictions(call: Call) -> Answer:
    """Return whether one can buy from an address: every territory that has a store allows it."""
    code = territories.country_of(call, "ipaddress")
    return Answer(content={"geoRestrictions": {"countryCode": code, "allowCheckout": True}}, max_age=DETAILS_MAX_AGE)


HANDLERS: Mapping[str, Callable[[Call], Answer]] = {
    "classic.catalogue.artist_by_url": partial(id_by_slug, "artist", CATALOGUE.artists),
    "classic.catalogue.release_by_url": partial(id_by_slug, "release", CATALOGUE.releases),
    "classic.translations.bundle": translations,
    "classic.user.register_payment_card": register,
    "classic.user.card_registration": registration,
    "classic.user.add_payment_card": add_card,
    "classic.user.prepare_purchase": prepare_purchase,
    "classic.basket.status": basket_status,
    "classic.tags.related": related_tags,
    "classic.artists.recommend": recommend,
    "classic.artists.matches": partial(matches, "artist", CATALOGUE.artists),
    "classic.releases.matches": partial(matches, "release", CATALOGUE.releases),
    "classic.tracks.matches": partial(matches, "track", CATALOGUE.tracks),
    "classic.ip_lookup.checkout_restrictions": checkout_restrictions,
}


def _registration(found: Registration, status: str, **more: object) -> Answer:
    return Answer(content=WithoutEnvelope({"cardRegistration": {"id": found.id, "status": status, **more}}))


def _card(card: Card, *, is_default: bool) -> Tree:
    return {
        "id": card.id,
        "type": card.brand,
        "last4digits": card.last4,
        "expiryDate": f"{card.year}{card.month:02}",
        "default": is_default,
    }
