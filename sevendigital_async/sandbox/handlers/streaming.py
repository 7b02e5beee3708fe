"""Streams of the platform, and its bulk delivery."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial

from ..answers import Answer, Problem, Raw, RefusalError, out_of_range
from ..calls import Call
from ..catalogue import CATALOGUE, Track
from ..cdn import MANIFEST_TYPE, manifest
from ..recordings import AAC_FORMAT, FORMATS, STREAM_FORMAT, clip, recording
from .lookup import find
from .request_user import licences, request_user

CLIP_FORMATS = {"mp3": STREAM_FORMAT, "aac": AAC_FORMAT}
BITRATES = (128, 192, 256, 320, 1411)

_Entitlement = Callable[[Call, Track], object]


def preview(call: Call) -> Answer:
    """Send the beginning of a track."""
    track, kind = find(call, "track", CATALOGUE.tracks), call.choice("format", CLIP_FORMATS)
    return Answer(content=clip(track, CLIP_FORMATS[kind or "mp3"]))


def without_check(_: Call, __: Track) -> None:
    """Allow all users."""


def buyer(call: Call, track: Track) -> None:
    """Allow users who have bought the track."""
    licences(call, request_user(call), lambda owned: owned.track is track)


def subscriber(call: Call, _: Track) -> None:
    """Allow subscribers, on one device at a time if the request names it."""
    user, today = request_user(call), call.moment.date()
    subscription = call.state.subscriptions.of(user)
    if subscription is None or subscription.status_on(today) != "active" or today < subscription.start:
        raise RefusalError(404, Problem(2002, "No valid subscription for this user"))
    device = call.arguments.get("client_id")
    if device is not None and not call.state.deliveries.listen(user, device, call.now):
        raise RefusalError(400, Problem(3201, "Simultaneous streams are not allowed"))


def cacher(call: Call, track: Track) -> None:
    """Allow subscribers who have an authorised device."""
    subscriber(call, track)
    if not call.state.devices.of(request_user(call)):
        raise RefusalError(404, Problem(2002, "No device of this user is authorised"))


def progressive(entitled: _Entitlement, call: Call) -> Answer:
    track = find(call, "track", CATALOGUE.tracks)
    entitled(call, track)
    return Answer(content=recording(track, STREAM_FORMAT, attachment=False))


def hls(entitled: _Entitlement, call: Call) -> Answer:
    track = find(call, "track", CATALOGUE.tracks)
    entitled(call, track)
    ticket = call.state.deliveries.issue(recording(track, STREAM_FORMAT, attachment=False), call.now)
    return Answer(content=Raw(manifest(call.origin, ticket), MANIFEST_TYPE))


def transfer_media(call: Call) -> Answer:
    """Send a track's recording in the requested format, or the best one."""
    track, kind = find(call, "track", CATALOGUE.tracks), call.choice("format", ("mp3", "flac", "aac"))
    bitrate = call.whole("bitrate", 0)
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
    "platform.streaming.catalogue_hls": partial(hls, without_check),
    "platform.streaming.catalogue": partial(progressive, without_check),
    "platform.streaming.locker_hls": partial(hls, buyer),
    "platform.streaming.locker": partial(progressive, buyer),
    "platform.streaming.subscription_hls": partial(hls, subscriber),
    "platform.streaming.subscription": partial(progressive, subscriber),
    "platform.streaming.subscription_offline_hls": partial(hls, cacher),
    "platform.streaming.subscription_offline": partial(progressive, cacher),
    "platform.content_delivery.transfer_media": transfer_media,
}
