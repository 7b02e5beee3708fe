"""Releases of the classic API."""

from __future__ import annotations

from ...models import Release, Track
from ..operation import Operation, Safety, argument
from .binding import COUNTRY, PAGING, bound

RELEASE_ID = argument("release_id", required=True)

SEARCH_RELEASES = Operation(
    id="searchReleases",
    name="classic.releases.search",
    summary="Search the catalogue for releases.",
    safety=Safety.READ,
    model=Release,
    paged=True,
    bindings=bound("GET", "/release/search", argument("q", required=True), COUNTRY, *PAGING),
)

GET_RELEASE_DETAILS = Operation(
    id="getReleaseDetails",
    name="classic.releases.details",
    summary="Everything known about one release.",
    safety=Safety.READ,
    model=Release,
    bindings=bound("GET", "/release/details", RELEASE_ID, COUNTRY),
)

GET_RELEASE_TRACKS = Operation(
    id="getReleaseTracks",
    name="classic.releases.tracks",
    summary="The tracks of one release.",
    safety=Safety.READ,
    model=Track,
    paged=True,
    bindings=bound("GET", "/release/tracks", RELEASE_ID, COUNTRY, *PAGING),
)

OPERATIONS = (SEARCH_RELEASES, GET_RELEASE_DETAILS, GET_RELEASE_TRACKS)
