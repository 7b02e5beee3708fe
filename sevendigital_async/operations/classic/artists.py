"""Artists of the classic API."""

from __future__ import annotations

from ...models import Artist, IdMatch, Release, Tag, Track
from ..operation import Auth, Operation, Safety, parameter
from .binding import (
    CHART_PARAMETERS,
    COUNTRY,
    LIVE_ONLY_HINT,
    LIVE_PAGING,
    PAGING,
    TAGS,
    USE_MATCHES_HINT,
    bind,
    bind_live_only,
    bind_matches,
    bind_openapi_only,
)

ARTIST_ID = parameter("artist_id", required=True)

BROWSE_ARTISTS = Operation(
    id="browseArtists",
    name="classic.artists.browse",
    summary="Artists whose names begin with given letters.",
    safety=Safety.READ,
    model=Artist,
    paged=True,
    bindings=bind("GET", "/artist/browse", parameter("letter", required=True), COUNTRY, *PAGING),
)

GET_ARTIST_CHART = Operation(
    id="getArtistChart",
    name="classic.artists.chart",
    summary="The artists who sell best.",
    safety=Safety.READ,
    model=Artist,
    paged=True,
    bindings=bind("GET", "/artist/chart", *CHART_PARAMETERS),
)

GET_ARTIST_DETAILS = Operation(
    id="getArtistDetails",
    name="classic.artists.details",
    summary="Everything known about one artist.",
    safety=Safety.READ,
    model=Artist,
    bindings=bind("GET", "/artist/details", ARTIST_ID, COUNTRY),
)

GET_ARTIST_RELEASES = Operation(
    id="getArtistReleases",
    name="classic.artists.releases",
    summary="The releases of one artist.",
    safety=Safety.READ,
    model=Release,
    paged=True,
    bindings=bind("GET", "/artist/releases", ARTIST_ID, parameter("type"), COUNTRY, *PAGING),
)

GET_SIMILAR_ARTISTS = Operation(
    id="getSimilarArtists",
    name="classic.artists.similar",
    summary="Artists who resemble one.",
    safety=Safety.READ,
    model=Artist,
    paged=True,
    bindings=bind("GET", "/artist/similar", ARTIST_ID, COUNTRY, *PAGING),
)

SEARCH_ARTISTS = Operation(
    id="searchArtists",
    name="classic.artists.search",
    summary="Search the catalogue for artists.",
    safety=Safety.READ,
    model=Artist,
    paged=True,
    bindings=bind("GET", "/artist/search", parameter("q", required=True), parameter("sort"), COUNTRY, *PAGING),
)

GET_ARTIST_TOP_TRACKS = Operation(
    id="getArtistTopTracks",
    name="classic.artists.top_tracks",
    summary="An artist's most popular tracks.",
    safety=Safety.READ,
    model=Track,
    paged=True,
    bindings=bind("GET", "/artist/topTracks", ARTIST_ID, COUNTRY, *PAGING),
)

GET_ARTIST_TAGS = Operation(
    id="getArtistTags",
    name="classic.artists.tags",
    summary="The tags of one artist.",
    safety=Safety.READ,
    model=Tag,
    paged=True,
    bindings=bind("GET", "/artist/tags", ARTIST_ID, COUNTRY, *PAGING),
)

MATCH_ARTIST_BY_ID = Operation(
    id="matchArtistById",
    name="classic.artists.match_by_id",
    summary="The artist known elsewhere under another id.",
    auth=Auth.TWO_LEGGED,
    safety=Safety.READ,
    model=Artist,
    instead=USE_MATCHES_HINT,
    bindings=bind_openapi_only("GET", "/artist/match/byId", parameter("id", required=True)),
)

MATCH_ARTIST_IDS = Operation(
    id="matchArtistIds",
    name="classic.artists.matches",
    summary="The ids of artists here and at MusicBrainz.",
    auth=Auth.TWO_LEGGED,
    safety=Safety.READ,
    model=IdMatch,
    paged=True,
    instead=LIVE_ONLY_HINT,
    bindings=bind_matches("artist"),
)

GET_TOP_ARTISTS_BY_TAGS = Operation(
    id="getTopArtistsByTags",
    name="classic.artists.top_by_tags",
    summary="The most popular artists with given tags.",
    safety=Safety.READ,
    model=Artist,
    paged=True,
    bindings=bind("GET", "/artist/bytag/top", TAGS, COUNTRY, *PAGING),
)

GET_ARTIST_RECOMMENDATIONS = Operation(
    id="getArtistRecommendations",
    name="classic.artists.recommend",
    summary="Releases for those who like an artist.",
    safety=Safety.READ,
    model=Release,
    paged=True,
    instead=LIVE_ONLY_HINT,
    bindings=bind_live_only("GET", "/artist/recommend", ARTIST_ID, COUNTRY, *LIVE_PAGING),
)
