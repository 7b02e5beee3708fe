"""Lookup of ids by the shop's web addresses."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any
from urllib.parse import urlsplit

from ..answers import Answer, invalid_value, not_found
from ..calls import Call
from ..catalogue import CATALOGUE
from .lookup import DETAILS_MAX_AGE


def id_by_url(noun: str, nouns: Mapping[str, Any], call: Call) -> Answer:
    """Return the id of what a page of the shop shows.

    Raises:
        RefusalError: It is not a web address (1002), or not that of such a page (2001).
    """
    try:
        address = urlsplit(call.arguments["url"])
    except ValueError:
        raise invalid_value("url", "a web address") from None
    if address.scheme not in {"http", "https"} or not address.netloc:
        raise invalid_value("url", "a web address")
    kind, _, id_ = address.path.strip("/").rpartition("/")
    if kind != noun or id_ not in nouns:
        raise not_found(noun)
    return Answer(content={f"{noun}Id": id_}, max_age=DETAILS_MAX_AGE)


HANDLERS = {
    "classic.catalogue.artist_by_url": partial(id_by_url, "artist", CATALOGUE.artists),
    "classic.catalogue.release_by_url": partial(id_by_url, "release", CATALOGUE.releases),
}
