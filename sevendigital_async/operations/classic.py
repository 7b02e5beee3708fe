"""The classic REST API, version 1.2."""

from __future__ import annotations

from ..config import Dialect
from ..models import Artist, Release, ServiceStatus, Track
from .operation import Argument, Auth, Binding, Operation, Safety, argument

COUNTRY = argument("country")
PAGING = (argument("page"), argument("page_size"))


def _get(path: str, *arguments: Argument) -> dict[Dialect, Binding]:
    # The live service speaks the same paths here.
    binding = Binding("GET", f"/1.2{path}", arguments)
    return {Dialect.OPENAPI: binding, Dialect.LIVE: binding}


SEARCH_RELEASES = Operation(
    id="searchReleases",
    name="classic.releases.search",
    summary="Search the catalogue for releases.",
    safety=Safety.READ,
    model=Release,
    paged=True,
    bindings=_get("/release/search", argument("q", required=True), COUNTRY, *PAGING),
)

GET_RELEASE_DETAILS = Operation(
    id="getReleaseDetails",
    name="classic.releases.details",
    summary="Everything known about one release.",
    safety=Safety.READ,
    model=Release,
    bindings=_get("/release/details", argument("release_id", required=True), COUNTRY),
)

GET_RELEASE_TRACKS = Operation(
    id="getReleaseTracks",
    name="classic.releases.tracks",
    summary="The tracks of one release.",
    safety=Safety.READ,
    model=Track,
    paged=True,
    bindings=_get("/release/tracks", argument("release_id", required=True), COUNTRY, *PAGING),
)

GET_ARTIST_DETAILS = Operation(
    id="getArtistDetails",
    name="classic.artists.details",
    summary="Everything known about one artist.",
    safety=Safety.READ,
    model=Artist,
    bindings=_get("/artist/details", argument("artist_id", required=True), COUNTRY),
)

GET_STATUS = Operation(
    id="getStatus",
    name="classic.service.status",
    summary="The service's own time.",
    auth=Auth.KEY,
    safety=Safety.READ,
    model=ServiceStatus,
    bindings=_get("/status"),
)

OPERATIONS = (SEARCH_RELEASES, GET_RELEASE_DETAILS, GET_RELEASE_TRACKS, GET_ARTIST_DETAILS, GET_STATUS)
