"""From the shop's web addresses to the catalogue, in the classic API."""

from __future__ import annotations

from ...models import Artist, Release
from ..operation import Operation, Safety, parameter
from .binding import bound

URL = parameter("url", required=True)

GET_ARTIST_ID_BY_URL = Operation(
    id="getArtistIdByUrl",
    name="classic.catalogue.artist_by_url",
    summary="Which artist a page of the shop is about.",
    safety=Safety.READ,
    model=Artist,
    bindings=bound("GET", "/catalogue/artist-byurl", URL),
)

GET_RELEASE_ID_BY_URL = Operation(
    id="getReleaseIdByUrl",
    name="classic.catalogue.release_by_url",
    summary="Which release a page of the shop is about.",
    safety=Safety.READ,
    model=Release,
    bindings=bound("GET", "/catalogue/release-byurl", URL),
)
