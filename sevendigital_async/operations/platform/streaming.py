"""Streams: progressive ones are audio, HLS ones a manifest that names the pieces."""

from __future__ import annotations

from ...config import Host
from ..operation import Auth, Binding, Content, Operation, Parameter, ParameterLocation, Safety, parameter
from .binding import COUNTRY, REQUIRED_COUNTRY, bind, live_binding

TRACK_ID = parameter("track_id", ParameterLocation.PATH, required=True)


def _stream(path: str, *arguments: Parameter) -> Binding:
    """Spell a stream: of any user that the partner manages, or of the one who signs."""
    return live_binding(
        "GET",
        path,
        parameter("track_id", required=True),
        parameter("format_id", required=True),
        REQUIRED_COUNTRY,
        parameter("user_id"),
        *arguments,
        host=Host.STREAM,
    )


CLIENT_ID = parameter("client_id")

STREAM_PREVIEW_CLIP = Operation(
    id="streamPreviewClip",
    name="platform.streaming.preview",
    summary="A track's preview clip.",
    auth=Auth.THREE_LEGGED,
    safety=Safety.READ,
    content=Content.MEDIA,
    bindings=bind(
        "GET",
        "/streaming/preview/{trackId}",
        TRACK_ID,
        parameter("format"),
        live=live_binding("GET", "/clip/{trackId}", TRACK_ID, COUNTRY, host=Host.PREVIEWS),
    ),
)

STREAM_CATALOGUE_TRACK_HLS = Operation(
    id="streamCatalogueTrackHls",
    name="platform.streaming.catalogue_hls",
    summary="Any track, for radio-style listening: manifest.",
    auth=Auth.THREE_LEGGED,
    safety=Safety.READ,
    content=Content.TEXT,
    bindings=bind("GET", "/streaming/catalogue/{trackId}/hls", TRACK_ID, live=_stream("/stream/catalogue.m3u8")),
)

STREAM_CATALOGUE_TRACK_PROGRESSIVE = Operation(
    id="streamCatalogueTrackProgressive",
    name="platform.streaming.catalogue",
    summary="Any track, for radio-style listening: audio.",
    auth=Auth.THREE_LEGGED,
    safety=Safety.READ,
    content=Content.MEDIA,
    bindings=bind("GET", "/streaming/catalogue/{trackId}/progressive", TRACK_ID, live=_stream("/stream/catalogue")),
)

STREAM_LOCKER_TRACK_HLS = Operation(
    id="streamLockerTrackHls",
    name="platform.streaming.locker_hls",
    summary="A track the user has bought: manifest.",
    auth=Auth.THREE_LEGGED,
    safety=Safety.READ,
    content=Content.TEXT,
    bindings=bind("GET", "/streaming/locker/{trackId}/hls", TRACK_ID, live=_stream("/stream/locker.m3u8")),
)

STREAM_LOCKER_TRACK_PROGRESSIVE = Operation(
    id="streamLockerTrackProgressive",
    name="platform.streaming.locker",
    summary="A track the user has bought: audio.",
    auth=Auth.THREE_LEGGED,
    safety=Safety.READ,
    content=Content.MEDIA,
    bindings=bind("GET", "/streaming/locker/{trackId}/progressive", TRACK_ID, live=_stream("/stream/locker")),
)

STREAM_SUBSCRIPTION_TRACK_HLS = Operation(
    id="streamSubscriptionTrackHls",
    name="platform.streaming.subscription_hls",
    summary="Any track, for subscribers: manifest.",
    auth=Auth.THREE_LEGGED,
    safety=Safety.READ,
    content=Content.TEXT,
    bindings=bind(
        "GET",
        "/streaming/subscription/{trackId}/hls",
        TRACK_ID,
        CLIENT_ID,
        live=live_binding(
            "GET",
            "/stream/subscription.m3u8",
            REQUIRED_COUNTRY,
            parameter("user_id", wire="userid"),
            parameter("track_id", required=True, wire="trackid"),
            parameter("format_id", required=True, wire="formatid"),
            parameter("client_id", wire="clientid"),
            host=Host.STREAM,
        ),
    ),
)

STREAM_SUBSCRIPTION_TRACK_PROGRESSIVE = Operation(
    id="streamSubscriptionTrackProgressive",
    name="platform.streaming.subscription",
    summary="Any track, for subscribers: audio.",
    auth=Auth.THREE_LEGGED,
    safety=Safety.READ,
    content=Content.MEDIA,
    bindings=bind(
        "GET",
        "/streaming/subscription/{trackId}/progressive",
        TRACK_ID,
        live=_stream("/stream/subscription", CLIENT_ID),
    ),
)

STREAM_SUBSCRIPTION_TRACK_OFFLINE_HLS = Operation(
    id="streamSubscriptionTrackOfflineHls",
    name="platform.streaming.subscription_offline_hls",
    summary="A track to be kept on a subscriber's device: manifest.",
    auth=Auth.THREE_LEGGED,
    safety=Safety.READ,
    content=Content.TEXT,
    bindings=bind(
        "GET",
        "/streaming/subscription/{trackId}/offline/hls",
        TRACK_ID,
        live=_stream("/offline/subscription.m3u8", CLIENT_ID),
    ),
)

STREAM_SUBSCRIPTION_TRACK_OFFLINE_PROGRESSIVE = Operation(
    id="streamSubscriptionTrackOfflineProgressive",
    name="platform.streaming.subscription_offline",
    summary="A track to be kept on a subscriber's device: audio.",
    auth=Auth.THREE_LEGGED,
    safety=Safety.READ,
    content=Content.MEDIA,
    bindings=bind(
        "GET",
        "/streaming/subscription/{trackId}/offline/progressive",
        TRACK_ID,
        live=_stream("/offline/subscription", parameter("client_id", required=True)),
    ),
)
