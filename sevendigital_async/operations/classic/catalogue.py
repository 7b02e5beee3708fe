"""From the shop's web addresses to the catalogue, in the classic API."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from urllib.parse import urlsplit

from ...errors import InvalidArgumentError
from ...models import Artist, Release
from ..operation import Operation, Parameter, Safety, parameter
from .binding import COUNTRY, SHOP_ID, bind, live_binding

URL = parameter("url", required=True)


def _slug_in(noun: str, url: str) -> str:
    """Return what follows ``noun`` in the path of a page's address; a slug stays as it is."""
    if "/" not in url:
        return url
    segments = urlsplit(url).path.split("/")
    slug = segments[segments.index(noun) + 1] if noun in segments[:-1] else ""
    if not slug:
        raise InvalidArgumentError(f"url must be the address of a {noun}'s page in the shop", argument="url")
    return slug


def _slug(noun: str) -> Parameter:
    read: Callable[[str], str] = partial(_slug_in, noun)
    return parameter("url", required=True, wire=f"{noun}Slug", write=read)


GET_ARTIST_ID_BY_URL = Operation(
    id="getArtistIdByUrl",
    name="classic.catalogue.artist_by_url",
    summary="Which artist a page of the shop is about.",
    safety=Safety.READ,
    model=Artist,
    bindings=bind(
        "GET",
        "/catalogue/artist-byurl",
        URL,
        live=live_binding("GET", "/catalogue/artist-byurl", _slug("artist"), COUNTRY, SHOP_ID),
    ),
)

GET_RELEASE_ID_BY_URL = Operation(
    id="getReleaseIdByUrl",
    name="classic.catalogue.release_by_url",
    summary="Which release a page of the shop is about.",
    safety=Safety.READ,
    model=Release,
    bindings=bind(
        "GET",
        "/catalogue/release-byurl",
        URL,
        live=live_binding("GET", "/catalogue/release-byurl", _slug("release"), COUNTRY, SHOP_ID),
    ),
)
