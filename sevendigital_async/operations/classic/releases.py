"""Releases of the classic API."""

from __future__ import annotations

from ...models import EditorialItem, IdMatch, Release, Tag, Track
from ..operation import Auth, Operation, Safety, parameter
from .binding import (
    CHART_PARAMETERS,
    COMPACT_DATE_FORMAT,
    COUNTRY,
    LIVE_ONLY_HINT,
    PAGING,
    TAGS,
    USE_MATCHES_HINT,
    bind,
    bind_matches,
    bind_openapi_only,
)

RELEASE_ID = parameter("release_id", required=True)

GET_RELEASES_BY_DATE = Operation(
    id="getReleasesByDate",
    name="classic.releases.by_date",
    summary="Releases that came out within some days.",
    safety=Safety.READ,
    model=Release,
    paged=True,
    bindings=bind(
        "GET",
        "/release/byDate",
        parameter("from_date", date_format=COMPACT_DATE_FORMAT),
        parameter("to_date", date_format=COMPACT_DATE_FORMAT),
        COUNTRY,
        *PAGING,
    ),
)

GET_RELEASE_DETAILS = Operation(
    id="getReleaseDetails",
    name="classic.releases.details",
    summary="Everything known about one release.",
    safety=Safety.READ,
    model=Release,
    bindings=bind("GET", "/release/details", RELEASE_ID, COUNTRY),
)

GET_RELEASE_EDITORIAL = Operation(
    id="getReleaseEditorial",
    name="classic.releases.editorial",
    summary="What the editors wrote about one release.",
    safety=Safety.READ,
    model=EditorialItem,
    bindings=bind("GET", "/release/editorial", RELEASE_ID, COUNTRY),
)

GET_RELEASE_CHART = Operation(
    id="getReleaseChart",
    name="classic.releases.chart",
    summary="The releases that sell best.",
    safety=Safety.READ,
    model=Release,
    paged=True,
    bindings=bind("GET", "/release/chart", *CHART_PARAMETERS),
)

GET_RELEASE_RECOMMENDATIONS = Operation(
    id="getReleaseRecommendations",
    name="classic.releases.recommend",
    summary="Releases for those who like a release, or an artist.",
    safety=Safety.READ,
    model=Release,
    paged=True,
    bindings=bind("GET", "/release/recommend", parameter("release_id"), parameter("artist_id"), COUNTRY, *PAGING),
)

SEARCH_RELEASES = Operation(
    id="searchReleases",
    name="classic.releases.search",
    summary="Search the catalogue for releases.",
    safety=Safety.READ,
    model=Release,
    paged=True,
    bindings=bind("GET", "/release/search", parameter("q", required=True), parameter("type"), COUNTRY, *PAGING),
)

GET_RELEASE_TRACKS = Operation(
    id="getReleaseTracks",
    name="classic.releases.tracks",
    summary="The tracks of one release.",
    safety=Safety.READ,
    model=Track,
    paged=True,
    bindings=bind("GET", "/release/tracks", RELEASE_ID, COUNTRY, *PAGING),
)

GET_RELEASE_TAGS = Operation(
    id="getReleaseTags",
    name="classic.releases.tags",
    summary="The tags of one release.",
    safety=Safety.READ,
    model=Tag,
    paged=True,
    bindings=bind("GET", "/release/tags", RELEASE_ID, COUNTRY, *PAGING),
)

MATCH_RELEASE_BY_ID = Operation(
    id="matchReleaseById",
    name="classic.releases.match_by_id",
    summary="The release with a given barcode.",
    auth=Auth.TWO_LEGGED,
    safety=Safety.READ,
    model=Release,
    instead=USE_MATCHES_HINT,
    bindings=bind_openapi_only("GET", "/release/match/byId", parameter("id", required=True)),
)

MATCH_RELEASE_IDS = Operation(
    id="matchReleaseIds",
    name="classic.releases.matches",
    summary="The ids of releases here and at MusicBrainz.",
    auth=Auth.TWO_LEGGED,
    safety=Safety.READ,
    model=IdMatch,
    paged=True,
    instead=LIVE_ONLY_HINT,
    bindings=bind_matches("release"),
)

GET_NEW_RELEASES_BY_TAGS = Operation(
    id="getNewReleasesByTags",
    name="classic.releases.new_by_tags",
    summary="The newest releases with given tags.",
    safety=Safety.READ,
    model=Release,
    paged=True,
    bindings=bind("GET", "/release/bytag/new", TAGS, COUNTRY, *PAGING),
)

GET_TOP_RELEASES_BY_TAGS = Operation(
    id="getTopReleasesByTags",
    name="classic.releases.top_by_tags",
    summary="The most popular releases with given tags.",
    safety=Safety.READ,
    model=Release,
    paged=True,
    bindings=bind("GET", "/release/bytag/top", TAGS, COUNTRY, *PAGING),
)
