"""Media delivery: files and streams, from separate hosts; documented in the guide only."""

from __future__ import annotations

from collections.abc import Mapping

from ..config import Dialect, Host
from .operation import Auth, Binding, Content, Operation, Parameter, Safety, country_parameter, parameter

TRACK_ID = parameter("track_id", required=True)
RELEASE_ID = parameter("release_id", required=True)
FORMAT_ID = parameter("format_id", required=True)
OPTIONAL_FORMAT_ID = parameter("format_id")
COUNTRY = country_parameter()
USER_ID = parameter("user_id")
ERROR_URL = parameter("error_url")


def bind(host: Host, path: str, *arguments: Parameter) -> Mapping[Dialect, Binding]:
    """Bind an operation to a path below ``/media``; the guide is all there is, in either dialect."""
    binding = Binding("GET", f"/media{path}", arguments, host)
    return {Dialect.OPENAPI: binding, Dialect.LIVE: binding}


DOWNLOAD_TRACK = Operation(
    id="mediaDownloadTrack",
    name="media.download_track",
    summary="A track the user has bought; costs one of the downloads left.",
    auth=Auth.THREE_LEGGED,
    safety=Safety.UNSAFE,
    content=Content.MEDIA,
    bindings=bind(Host.MEDIA, "/user/downloadtrack", TRACK_ID, RELEASE_ID, FORMAT_ID, COUNTRY, USER_ID, ERROR_URL),
)

STREAM_TRACK = Operation(
    id="mediaStreamTrack",
    name="media.stream_track",
    summary="A track the user has bought, to listen to.",
    auth=Auth.THREE_LEGGED,
    safety=Safety.READ,
    content=Content.MEDIA,
    bindings=bind(Host.STREAM, "/user/streamtrack", TRACK_ID, RELEASE_ID, FORMAT_ID, COUNTRY, USER_ID, ERROR_URL),
)

DOWNLOAD_RELEASE = Operation(
    id="mediaDownloadRelease",
    name="media.download_release",
    summary="A release the user has bought, as a ZIP file; costs one of the downloads left of each track.",
    auth=Auth.THREE_LEGGED,
    safety=Safety.UNSAFE,
    content=Content.MEDIA,
    bindings=bind(Host.MEDIA, "/user/download/release", RELEASE_ID, OPTIONAL_FORMAT_ID, COUNTRY, USER_ID, ERROR_URL),
)

DOWNLOAD_PURCHASE = Operation(
    id="mediaDownloadPurchase",
    name="media.download_purchase",
    summary="A basket the user has bought, as a ZIP file; costs one of the downloads left of each track.",
    auth=Auth.THREE_LEGGED,
    safety=Safety.UNSAFE,
    content=Content.MEDIA,
    bindings=bind(
        Host.MEDIA, "/user/download/purchase", parameter("purchase_id", required=True), COUNTRY, USER_ID, ERROR_URL
    ),
)

STREAM = Operation(
    id="mediaStream",
    name="media.stream",
    summary="Any track of the catalogue, to listen to.",
    auth=Auth.THREE_LEGGED,
    safety=Safety.READ,
    content=Content.MEDIA,
    bindings=bind(
        Host.STREAM, "/track/stream", TRACK_ID, parameter("release_id"), OPTIONAL_FORMAT_ID, COUNTRY, USER_ID
    ),
)

# The partner is billed by these downloads.
DOWNLOAD = Operation(
    id="mediaDownload",
    name="media.download",
    summary="Any track of the catalogue, as a file.",
    auth=Auth.TWO_LEGGED,
    safety=Safety.UNSAFE,
    content=Content.MEDIA,
    bindings=bind(Host.MEDIA, "/track/download", TRACK_ID, FORMAT_ID, COUNTRY, USER_ID, ERROR_URL),
)
