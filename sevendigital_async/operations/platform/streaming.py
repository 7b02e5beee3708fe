"""Streams: progressive ones are audio, HLS ones a manifest that names the pieces."""

from __future__ import annotations

from ..operation import Auth, Content, Operation, Place, Safety, argument
from .binding import bound

TRACK_ID = argument("track_id", Place.PATH, required=True)

STREAM_PREVIEW_CLIP = Operation(
    id="streamPreviewClip",
    name="platform.streaming.preview",
    summary="A track's preview clip.",
    auth=Auth.THREE_LEGGED,
    safety=Safety.READ,
    content=Content.MEDIA,
    bindings=bound("GET", "/streaming/preview/{trackId}", TRACK_ID, argument("format")),
)

STREAM_CATALOGUE_TRACK_HLS = Operation(
    id="streamCatalogueTrackHls",
    name="platform.streaming.catalogue_hls",
    summary="Any track, for radio-style listening: manifest.",
    auth=Auth.THREE_LEGGED,
    safety=Safety.READ,
    content=Content.TEXT,
    bindings=bound("GET", "/streaming/catalogue/{trackId}/hls", TRACK_ID),
)

STREAM_CATALOGUE_TRACK_PROGRESSIVE = Operation(
    id="streamCatalogueTrackProgressive",
    name="platform.streaming.catalogue",
    summary="Any track, for radio-style listening: audio.",
    auth=Auth.THREE_LEGGED,
    safety=Safety.READ,
    content=Content.MEDIA,
    bindings=bound("GET", "/streaming/catalogue/{trackId}/progressive", TRACK_ID),
)

STREAM_LOCKER_TRACK_HLS = Operation(
    id="streamLockerTrackHls",
    name="platform.streaming.locker_hls",
    summary="A track the user has bought: manifest.",
    auth=Auth.THREE_LEGGED,
    safety=Safety.READ,
    content=Content.TEXT,
    bindings=bound("GET", "/streaming/locker/{trackId}/hls", TRACK_ID),
)

STREAM_LOCKER_TRACK_PROGRESSIVE = Operation(
    id="streamLockerTrackProgressive",
    name="platform.streaming.locker",
    summary="A track the user has bought: audio.",
    auth=Auth.THREE_LEGGED,
    safety=Safety.READ,
    content=Content.MEDIA,
    bindings=bound("GET", "/streaming/locker/{trackId}/progressive", TRACK_ID),
)

STREAM_SUBSCRIPTION_TRACK_HLS = Operation(
    id="streamSubscriptionTrackHls",
    name="platform.streaming.subscription_hls",
    summary="Any track, for subscribers: manifest.",
    auth=Auth.THREE_LEGGED,
    safety=Safety.READ,
    content=Content.TEXT,
    bindings=bound("GET", "/streaming/subscription/{trackId}/hls", TRACK_ID, argument("client_id")),
)

STREAM_SUBSCRIPTION_TRACK_PROGRESSIVE = Operation(
    id="streamSubscriptionTrackProgressive",
    name="platform.streaming.subscription",
    summary="Any track, for subscribers: audio.",
    auth=Auth.THREE_LEGGED,
    safety=Safety.READ,
    content=Content.MEDIA,
    bindings=bound("GET", "/streaming/subscription/{trackId}/progressive", TRACK_ID),
)

STREAM_SUBSCRIPTION_TRACK_OFFLINE_HLS = Operation(
    id="streamSubscriptionTrackOfflineHls",
    name="platform.streaming.subscription_offline_hls",
    summary="A track to be kept on a subscriber's device: manifest.",
    auth=Auth.THREE_LEGGED,
    safety=Safety.READ,
    content=Content.TEXT,
    bindings=bound("GET", "/streaming/subscription/{trackId}/offline/hls", TRACK_ID),
)

STREAM_SUBSCRIPTION_TRACK_OFFLINE_PROGRESSIVE = Operation(
    id="streamSubscriptionTrackOfflineProgressive",
    name="platform.streaming.subscription_offline",
    summary="A track to be kept on a subscriber's device: audio.",
    auth=Auth.THREE_LEGGED,
    safety=Safety.READ,
    content=Content.MEDIA,
    bindings=bound("GET", "/streaming/subscription/{trackId}/offline/progressive", TRACK_ID),
)

OPERATIONS = (
    STREAM_PREVIEW_CLIP,
    STREAM_CATALOGUE_TRACK_HLS,
    STREAM_CATALOGUE_TRACK_PROGRESSIVE,
    STREAM_LOCKER_TRACK_HLS,
    STREAM_LOCKER_TRACK_PROGRESSIVE,
    STREAM_SUBSCRIPTION_TRACK_HLS,
    STREAM_SUBSCRIPTION_TRACK_PROGRESSIVE,
    STREAM_SUBSCRIPTION_TRACK_OFFLINE_HLS,
    STREAM_SUBSCRIPTION_TRACK_OFFLINE_PROGRESSIVE,
)
