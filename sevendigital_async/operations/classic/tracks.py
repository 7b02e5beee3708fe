"""Tracks of the classic API."""

from __future__ import annotations

from ...models import DownloadUrl, IdMatch, Track
from ..operation import Auth, Content, Operation, Safety, parameter
from .binding import (
    CHART_PARAMETERS,
    COUNTRY,
    LIVE_ONLY_HINT,
    PAGING,
    USE_MATCHES_HINT,
    bind,
    bind_matches,
    bind_openapi_only,
)

TRACK_ID = parameter("track_id", required=True)

GET_TRACK_CHART = Operation(
    id="getTrackChart",
    name="classic.tracks.chart",
    summary="The tracks that sell best.",
    safety=Safety.READ,
    model=Track,
    paged=True,
    bindings=bind("GET", "/track/chart", *CHART_PARAMETERS),
)

GET_TRACK_DETAILS = Operation(
    id="getTrackDetails",
    name="classic.tracks.details",
    summary="Everything known about one track.",
    safety=Safety.READ,
    model=Track,
    bindings=bind("GET", "/track/details", TRACK_ID, COUNTRY),
)

SEARCH_TRACKS = Operation(
    id="searchTracks",
    name="classic.tracks.search",
    summary="Search the catalogue for tracks.",
    safety=Safety.READ,
    model=Track,
    paged=True,
    bindings=bind("GET", "/track/search", parameter("q", required=True), COUNTRY, *PAGING),
)

MATCH_TRACK_BY_ID = Operation(
    id="matchTrackById",
    name="classic.tracks.match_by_id",
    summary="The track with a given ISRC.",
    auth=Auth.TWO_LEGGED,
    safety=Safety.READ,
    model=Track,
    instead=USE_MATCHES_HINT,
    bindings=bind_openapi_only("GET", "/track/match/byId", parameter("id", required=True)),
)

MATCH_TRACK_IDS = Operation(
    id="matchTrackIds",
    name="classic.tracks.matches",
    summary="The ids of tracks here and at MusicBrainz.",
    auth=Auth.TWO_LEGGED,
    safety=Safety.READ,
    model=IdMatch,
    paged=True,
    instead=LIVE_ONLY_HINT,
    bindings=bind_matches("track"),
)

GET_TRACK_PREVIEW = Operation(
    id="getTrackPreview",
    name="classic.tracks.preview",
    summary="A clip of one track.",
    safety=Safety.READ,
    content=Content.MEDIA,
    bindings=bind("GET", "/track/preview", TRACK_ID, parameter("redirect"), COUNTRY),
)

GET_TRACK_PREVIEW_URL = Operation(
    # The endpoint of GET_TRACK_PREVIEW, asked not to redirect.
    registered=False,
    id="getTrackPreview",
    name="classic.tracks.preview_url",
    summary="The address of a track's clip.",
    safety=Safety.READ,
    model=DownloadUrl,
    bindings=bind("GET", "/track/preview", TRACK_ID, parameter("redirect", required=True), COUNTRY),
)
