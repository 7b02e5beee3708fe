"""Artists of the classic API."""

from __future__ import annotations

from ...models import Artist
from ..operation import Operation, Safety, argument
from .binding import COUNTRY, bound

ARTIST_ID = argument("artist_id", required=True)

GET_ARTIST_DETAILS = Operation(
    id="getArtistDetails",
    name="classic.artists.details",
    summary="Everything known about one artist.",
    safety=Safety.READ,
    model=Artist,
    bindings=bound("GET", "/artist/details", ARTIST_ID, COUNTRY),
)

OPERATIONS = (GET_ARTIST_DETAILS,)
