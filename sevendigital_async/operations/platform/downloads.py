"""Downloads of what a user has bought; each may cost one of the downloads the user has left."""

from __future__ import annotations

from ...config import Host
from ..operation import Auth, Binding, Content, Operation, Parameter, ParameterLocation, Safety, parameter
from .binding import COUNTRY, bind, live_binding

USER_ID = parameter("user_id", ParameterLocation.PATH, required=True)


def _media(path: str, *arguments: Parameter) -> Binding:
    return live_binding("GET", f"/media/user{path}", *arguments, host=Host.MEDIA)


LIVE_USER_ID = parameter("user_id", required=True)

DOWNLOAD_PURCHASE_ZIP = Operation(
    id="downloadPurchaseZip",
    name="platform.downloads.purchase",
    summary="Everything bought in one transaction, as a ZIP file.",
    auth=Auth.THREE_LEGGED,
    safety=Safety.UNSAFE,
    content=Content.MEDIA,
    bindings=bind(
        "GET",
        "/users/{userId}/downloads/purchases/{purchaseId}",
        USER_ID,
        parameter("purchase_id", ParameterLocation.PATH, required=True),
        live=_media("/download/purchase", parameter("purchase_id", required=True), COUNTRY, LIVE_USER_ID),
    ),
)

DOWNLOAD_PURCHASED_RELEASE_ZIP = Operation(
    id="downloadPurchasedReleaseZip",
    name="platform.downloads.release",
    summary="A release the user has bought, as a ZIP file.",
    auth=Auth.THREE_LEGGED,
    safety=Safety.UNSAFE,
    content=Content.MEDIA,
    bindings=bind(
        "GET",
        "/users/{userId}/downloads/releases/{releaseId}",
        USER_ID,
        parameter("release_id", ParameterLocation.PATH, required=True),
        live=_media(
            "/download/release", parameter("release_id", required=True), LIVE_USER_ID, parameter("format_id"), COUNTRY
        ),
    ),
)

DOWNLOAD_PURCHASED_TRACK = Operation(
    id="downloadPurchasedTrack",
    name="platform.downloads.track",
    summary="A track the user has bought.",
    auth=Auth.THREE_LEGGED,
    safety=Safety.UNSAFE,
    content=Content.MEDIA,
    bindings=bind(
        "GET",
        "/users/{userId}/downloads/tracks/{trackId}",
        USER_ID,
        parameter("track_id", ParameterLocation.PATH, required=True),
        live=_media(
            "/downloadtrack",
            parameter("release_id", required=True, wire="releaseid"),
            parameter("track_id", required=True, wire="trackid"),
            parameter("format_id", required=True, wire="formatid"),
            parameter("user_id", required=True, wire="userid"),
            COUNTRY,
        ),
    ),
)
