"""Delivery of the catalogue's media files in bulk."""

from __future__ import annotations

from ...config import Host
from ..operation import Auth, Content, Operation, RateClass, Safety, parameter
from .binding import COUNTRY, bind, live_binding

TRANSFER_MEDIA = Operation(
    id="transferMedia",
    name="platform.content_delivery.transfer_media",
    summary="The media file of any track.",
    auth=Auth.TWO_LEGGED,
    safety=Safety.READ,
    rate_class=RateClass.MEDIA_TRANSFER,
    content=Content.MEDIA,
    bindings=bind(
        "GET",
        "/content-delivery/media-transfer",
        parameter("track_id", required=True),
        parameter("format"),
        parameter("bitrate"),
        live=live_binding(
            "GET",
            "/media/transfer",
            parameter("track_id", required=True),
            parameter("format_id"),
            COUNTRY,
            host=Host.STREAM,
        ),
    ),
)
