"""Streams of the platform, and its bulk delivery."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial

from ..answers import Answer, PlainText, Problem, RefusalError, out_of_range
from ..calls import Call
from ..catalogue import CATALOGUE, Track
from ..cdn import MANIFEST_TYPE, hls_manifest
from ..recordings import AAC_FORMAT, FORMATS, STREAM_FORMAT, clip, recording
from .lookup import find_by_id
from .request_user import find_licences, request_user

CLIP_FORMATS = {"mp3": STREAM_FORMAT, "aac": AAC_FORMAT}
BITRATES = (128, 192, 256, 320, 1411)

_EntitlementCheck = Callable[[Call, Track], object]


def preview(call: Call) -> Answer:
    """Send the beginning of a track."""
    track, kind = find_by_id(call, "track", CATALOGUE.tracks), call.choice("format", CLIP_FORMATS)
    return Answer(content=clip(track, CLIP_FORMATS[kind or "mp3"]))


def any_user(_: Call, __: Track) -> None:
    """Allow all users."""


def buyer(call: Call, track: Track) -> None:
    """Allow users who have bought the track."""
    find_licences(call, request_user(call), lambda owned: owned.track is track)


def subscriber(call: Call, _: Track) -> None:
    """Allow subscribers, on one device at a time if the request names it."""
    user, today = request_user(call), call.utc_now.date()
    subscription = call.state.subscriptions.of(user)
    if subscription is None or subscription.status_on(today) != "active" or today < subscription.start:
        raise RefusalError(404, Problem(2002, "No valid subscription for this user"))
    device = call.arguments.get("client_id")
    if device is not None and not call.state.media_access.start_stream(user, device, call.now):
        raise RefusalError(400, Problem(3201, "Simultaneous streams are not allowed"))


def offline_subscriber(call: Call, track: Track) -> None:
    """Allow subscribers who have an authorised device."""
    subscriber(call, track)
    if not call.state.devices.of(request_user(call)):
        raise RefusalError(404, Problem(2002, "No device of this user is authorised"))


def progressive(check_entitlement: _EntitlementCheck, call: Call) -> Answer:
    track = find_by_id(call, "track", CATALOGUE.tracks)
    check_entitlement(call, track)
    return Answer(content=recording(track, STREAM_FORMAT, attachment=False))


def hls(check_entitlement: _EntitlementCheck, call: Call) -> Answer:
    track = find_by_id(call, "track", CATALOGUE.tracks)
    check_entitlement(call, track)
    ticket = call.state.media_access.issue_ticket(recording(track, STREAM_FORMAT, attachment=False), call.now)
    return Answer(content=PlainText(hls_manifest(call.origin, ticket), MANIFEST_TYPE))


def transfer_media(call: Call) -> Answer:
    """Send a track's recording in the requested format, or the best one."""
    track, kind = find_by_id(call, "track", CATALOGUE.tracks), call.choice("format", ("mp3", "flac", "aac"))
    bitrate = call.whole_number("bitrate", 0)
    if "bitrate" in call.arguments and bitrate not in BITRATES:
        raise out_of_range("bitrate", f"one of {', '.join(map(str, BITRATES))}")
    fitting = [
        format_ for format_ in FORMATS.values() if format_.kind == (kind or "mp3") and bitrate in {0, format_.bitrate}
    ]
    if not fitting:
        raise RefusalError(404, Problem(2002, "The track is not available in this format"))
    return Answer(content=recording(track, fitting[0]))


HANDLERS: Mapping[str, Callable[[Call], Answer]] = {
    "platform.streaming.preview": preview,
    "platform.streaming.catalogue_hls": partial(hls, any_user),
    "platform.streaming.catalogue": partial(progressive, any_user),
    "platform.streaming.locker_hls": partial(hls, buyer),
    "platform.streaming.locker": partial(progressive, buyer),
    "platform.streaming.subscription_hls": partial(hls, subscriber),
    "platform.streaming.subscription": partial(progressive, subscriber),
    "platform.streaming.subscription_offline_hls": partial(hls, offline_subscriber),
    "platform.streaming.subscription_offline": partial(progressive, offline_subscriber),
    "platform.content_delivery.transfer_media": transfer_media,
}
