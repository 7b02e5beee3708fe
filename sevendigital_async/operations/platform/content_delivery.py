"""Delivery of the catalogue's media files in bulk."""

from __future__ import annotations

from ..operation import Auth, Content, Operation, RateClass, Safety, argument
from .binding import bound

TRANSFER_MEDIA = Operation(
    id="transferMedia",
    name="platform.content_delivery.transfer_media",
    summary="The media file of any track.",
    auth=Auth.TWO_LEGGED,
    safety=Safety.READ,
    rate_class=RateClass.MEDIA_TRANSFER,
    content=Content.MEDIA,
    bindings=bound(
        "GET",
        "/content-delivery/media-transfer",
        argument("track_id", required=True),
        argument("format"),
        argument("bitrate"),
    ),
)

OPERATIONS = (TRANSFER_MEDIA,)
