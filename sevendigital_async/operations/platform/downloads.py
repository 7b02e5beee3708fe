"""Downloads of what a user has bought; each may cost one of the downloads the user has left."""

from __future__ import annotations

from ..operation import Auth, Content, Operation, Place, Safety, argument
from .binding import bound

USER_ID = argument("user_id", Place.PATH, required=True)

DOWNLOAD_PURCHASE_ZIP = Operation(
    id="downloadPurchaseZip",
    name="platform.downloads.purchase",
    summary="Everything bought in one transaction, as a ZIP file.",
    auth=Auth.THREE_LEGGED,
    safety=Safety.UNSAFE,
    content=Content.MEDIA,
    bindings=bound(
        "GET",
        "/users/{userId}/downloads/purchases/{purchaseId}",
        USER_ID,
        argument("purchase_id", Place.PATH, required=True),
    ),
)

DOWNLOAD_PURCHASED_RELEASE_ZIP = Operation(
    id="downloadPurchasedReleaseZip",
    name="platform.downloads.release",
    summary="A release the user has bought, as a ZIP file.",
    auth=Auth.THREE_LEGGED,
    safety=Safety.UNSAFE,
    content=Content.MEDIA,
    bindings=bound(
        "GET",
        "/users/{userId}/downloads/releases/{releaseId}",
        USER_ID,
        argument("release_id", Place.PATH, required=True),
    ),
)

DOWNLOAD_PURCHASED_TRACK = Operation(
    id="downloadPurchasedTrack",
    name="platform.downloads.track",
    summary="A track the user has bought.",
    auth=Auth.THREE_LEGGED,
    safety=Safety.UNSAFE,
    content=Content.MEDIA,
    bindings=bound(
        "GET",
        "/users/{userId}/downloads/tracks/{trackId}",
        USER_ID,
        argument("track_id", Place.PATH, required=True),
    ),
)

OPERATIONS = (DOWNLOAD_PURCHASE_ZIP, DOWNLOAD_PURCHASED_RELEASE_ZIP, DOWNLOAD_PURCHASED_TRACK)
