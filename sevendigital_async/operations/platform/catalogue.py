"""The streaming platform's catalogue."""

from __future__ import annotations

from ...models import Artist, DownloadUrl, Release, ReleaseBatch, Track, TrackBatch, UsageType
from ..operation import Auth, Binding, Operation, Parameter, ParameterLocation, Safety, parameter
from .binding import COUNTRY, LIVE_PAGING, PAGING, bind, live_binding

ARTIST_ID = parameter("artist_id", ParameterLocation.PATH, required=True)
RELEASE_ID = parameter("release_id", ParameterLocation.PATH, required=True)
TRACK_ID = parameter("track_id", ParameterLocation.PATH, required=True)
Q = parameter("q", required=True)
SHOW_ERRORS = parameter("show_errors", ParameterLocation.JSON)

COUNTRY_AND_USAGE = (COUNTRY, parameter("usage_types"))
"""Decides, in the live dialect, which part of the catalogue is visible, in which detail."""


def _batch(noun: str) -> Binding:
    ids = parameter(f"{noun}_ids", required=True, wire=f"{noun}ids")
    return live_binding(
        "GET", f"/{noun}/details/batch", ids, parameter("show_errors", wire="showerrors"), *COUNTRY_AND_USAGE
    )


def _by_id(path: str, name: str, wire: str, *arguments: Parameter) -> Binding:
    return live_binding("GET", path, parameter(name, required=True, wire=wire), *arguments, *COUNTRY_AND_USAGE)


BROWSE_ARTISTS_BY_NAME = Operation(
    id="browseArtistsByName",
    name="platform.catalogue.browse_artists",
    summary="Artists whose names begin with some letters.",
    auth=Auth.TWO_LEGGED,
    safety=Safety.READ,
    model=Artist,
    paged=True,
    bindings=bind(
        "GET",
        "/artists/browse",
        parameter("letter", required=True),
        *PAGING,
        live=live_binding(
            "GET", "/artist/browse", parameter("letter", required=True), *LIVE_PAGING, *COUNTRY_AND_USAGE
        ),
    ),
)

GET_ARTIST_DETAILS = Operation(
    id="getArtistDetails",
    name="platform.catalogue.artist_details",
    summary="Everything known about one artist.",
    auth=Auth.TWO_LEGGED,
    safety=Safety.READ,
    model=Artist,
    bindings=bind(
        "GET", "/artists/{artistId}/details", ARTIST_ID, live=_by_id("/artist/details", "artist_id", "artistId")
    ),
)

GET_ARTIST_RELEASES = Operation(
    id="getArtistReleases",
    name="platform.catalogue.artist_releases",
    summary="The releases of one artist.",
    auth=Auth.TWO_LEGGED,
    safety=Safety.READ,
    model=Release,
    paged=True,
    bindings=bind(
        "GET",
        "/artists/{artistId}/releases",
        ARTIST_ID,
        parameter("type"),
        *PAGING,
        live=_by_id("/artist/releases", "artist_id", "artistid", parameter("type"), *LIVE_PAGING),
    ),
)

SEARCH_ARTISTS = Operation(
    id="searchArtists",
    name="platform.catalogue.search_artists",
    summary="Search the catalogue for artists.",
    auth=Auth.TWO_LEGGED,
    safety=Safety.READ,
    model=Artist,
    paged=True,
    bindings=bind(
        "GET",
        "/artists/search",
        Q,
        *PAGING,
        live=live_binding("GET", "/artist/search", Q, *LIVE_PAGING, *COUNTRY_AND_USAGE),
    ),
)

GET_RELEASES_BATCH_DETAILS = Operation(
    id="getReleasesBatchDetails",
    name="platform.catalogue.releases_batch",
    summary="Everything known about several releases.",
    auth=Auth.TWO_LEGGED,
    safety=Safety.READ,
    model=ReleaseBatch,
    bindings=bind(
        "POST",
        "/releases/details/batch",
        parameter("release_ids", ParameterLocation.JSON, required=True),
        SHOW_ERRORS,
        live=_batch("release"),
    ),
)

GET_RELEASE_DETAILS = Operation(
    id="getReleaseDetails",
    name="platform.catalogue.release_details",
    summary="Everything known about one release.",
    auth=Auth.TWO_LEGGED,
    safety=Safety.READ,
    model=Release,
    bindings=bind(
        "GET", "/releases/{releaseId}/details", RELEASE_ID, live=_by_id("/release/details", "release_id", "releaseid")
    ),
)

GET_RELEASE_TRACK_LISTING = Operation(
    id="getReleaseTrackListing",
    name="platform.catalogue.release_tracks",
    summary="The tracks of one release.",
    auth=Auth.TWO_LEGGED,
    safety=Safety.READ,
    model=Track,
    paged=True,
    bindings=bind(
        "GET",
        "/releases/{releaseId}/tracks",
        RELEASE_ID,
        live=_by_id("/release/tracks", "release_id", "releaseid", *LIVE_PAGING),
    ),
)

SEARCH_RELEASES = Operation(
    id="searchReleases",
    name="platform.catalogue.search_releases",
    summary="Search the catalogue for releases.",
    auth=Auth.TWO_LEGGED,
    safety=Safety.READ,
    model=Release,
    paged=True,
    bindings=bind(
        "GET",
        "/releases/search",
        Q,
        *PAGING,
        live=live_binding("GET", "/release/search", Q, *LIVE_PAGING, *COUNTRY_AND_USAGE),
    ),
)

SEARCH_TRACKS = Operation(
    id="searchTracks",
    name="platform.catalogue.search_tracks",
    summary="Search the catalogue for tracks.",
    auth=Auth.TWO_LEGGED,
    safety=Safety.READ,
    model=Track,
    paged=True,
    bindings=bind(
        "GET",
        "/tracks/search",
        Q,
        *PAGING,
        live=live_binding("GET", "/track/search", Q, *LIVE_PAGING, *COUNTRY_AND_USAGE),
    ),
)

GET_TRACKS_BATCH_DETAILS = Operation(
    id="getTracksBatchDetails",
    name="platform.catalogue.tracks_batch",
    summary="Everything known about several tracks.",
    auth=Auth.TWO_LEGGED,
    safety=Safety.READ,
    model=TrackBatch,
    bindings=bind(
        "POST",
        "/tracks/details/batch",
        parameter("track_ids", ParameterLocation.JSON, required=True),
        SHOW_ERRORS,
        live=_batch("track"),
    ),
)

GET_TRACK_DETAILS = Operation(
    id="getTrackDetails",
    name="platform.catalogue.track_details",
    summary="Everything known about one track.",
    auth=Auth.TWO_LEGGED,
    safety=Safety.READ,
    model=Track,
    bindings=bind("GET", "/tracks/{trackId}/details", TRACK_ID, live=_by_id("/track/details", "track_id", "trackid")),
)

DOWNLOAD_TRACK = Operation(
    id="downloadTrack",
    name="platform.catalogue.download_track",
    summary="Where the media file of a track can be fetched for a while.",
    auth=Auth.TWO_LEGGED,
    safety=Safety.READ,
    model=DownloadUrl,
    instead="use platform.downloads.track for a track that a user has bought, platform.content_delivery for any other",
    bindings=bind("GET", "/tracks/{trackId}/download", TRACK_ID),
)

GET_USAGE_TYPE_INFORMATION = Operation(
    id="getUsageTypeInformation",
    name="platform.catalogue.usage_types",
    summary="What content can be licensed for.",
    auth=Auth.TWO_LEGGED,
    safety=Safety.READ,
    model=UsageType,
    paged=True,
    instead="usage types are an argument there, usage_types, of the methods of platform.catalogue",
    bindings=bind("GET", "/usage-types"),
)
