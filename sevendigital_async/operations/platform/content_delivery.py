"""Delivery of the catalogue's media files in bulk."""

from __future__ import annotations

from ...config import Host
from ..operation import Auth, Content, Operation, RateClass, Safety, argument
from .binding import COUNTRY, bound, live

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
        live=live(
            "GET",
            "/media/transfer",
            argument("track_id", required=True),
            argument("format_id"),
            COUNTRY,
            host=Host.STREAM,
        ),
    ),
)

OPERATIONS = (TRANSFER_MEDIA,)
