"""Media delivery: purchases of users, and the whole catalogue for partners."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from ..answers import Answer, invalid_value, missing_parameter, not_available, not_found
from ..calls import Call
from ..catalogue import CATALOGUE, Track
from ..recordings import DOWNLOAD_FORMAT, FORMATS, STREAM_FORMAT, Format, Media, archive, recording
from ..state.lockers import OwnedTrack
from .lookup import find_by_id
from .request_fields import optional_country
from .request_user import find_licences, named_user, redirect_to, use_licences


def download_track(call: Call) -> Answer:
    """Send the user to a file of a track that the user has bought, and count the download."""
    user, format_ = _user(call), _format(call, DOWNLOAD_FORMAT)
    [track] = use_licences(call, user, _is_requested_track(call))
    return redirect_to(call, recording(track, format_))


def stream_track(call: Call) -> Answer:
    """Send a track that the user has bought; this does not count as a download."""
    user, format_ = _user(call), _format(call, STREAM_FORMAT)
    [owned] = find_licences(call, user, _is_requested_track(call))
    return Answer(content=recording(owned.track, format_, attachment=False))


def download_release(call: Call) -> Answer:
    """Send the user to an archive of what the user has bought of a release, and count a download of each track."""
    user, format_, release_id = _user(call), _format(call, DOWNLOAD_FORMAT), _number(call, "release_id", "releaseId")
    tracks = use_licences(call, user, lambda owned: owned.track.release.id == release_id)
    return redirect_to(call, release_archive(tracks, format_))


def download_purchase(call: Call) -> Answer:
    """Send the user to an archive of what the user has bought in one go, and count a download of each track."""
    user, purchase_id = _user(call), _number(call, "purchase_id", "purchaseId")
    tracks = use_licences(call, user, lambda owned: owned.purchase_id == purchase_id)
    return redirect_to(call, purchase_archive(call, tracks))


def stream(call: Call) -> Answer:
    _user(call)
    track, format_ = find_by_id(call, "track", CATALOGUE.tracks), _format(call, STREAM_FORMAT)
    if call.arguments.get("release_id", track.release.id) != track.release.id:
        raise not_found("track")
    return Answer(content=recording(track, format_, attachment=False))


def download(call: Call) -> Answer:
    optional_country(call)
    return Answer(content=recording(find_by_id(call, "track", CATALOGUE.tracks), _format(call, DOWNLOAD_FORMAT)))


def platform_track(call: Call) -> Answer:
    """As :func:`download_track`, for a user that the address names."""
    track_id = _number(call, "track_id", "trackId")
    [track] = use_licences(call, named_user(call), lambda owned: owned.track.id == track_id)
    return redirect_to(call, recording(track, DOWNLOAD_FORMAT))


def platform_release(call: Call) -> Answer:
    """As :func:`download_release`, for a user that the address names."""
    release_id = _number(call, "release_id", "releaseId")
    tracks = use_licences(call, named_user(call), lambda owned: owned.track.release.id == release_id)
    return redirect_to(call, release_archive(tracks, DOWNLOAD_FORMAT))


def platform_purchase(call: Call) -> Answer:
    """As :func:`download_purchase`, for a user that the address names."""
    tracks = use_licences(call, named_user(call), lambda owned: owned.purchase_id == call.arguments["purchase_id"])
    return redirect_to(call, purchase_archive(call, tracks))


HANDLERS: Mapping[str, Callable[[Call], Answer]] = {
    "media.download_track": download_track,
    "media.stream_track": stream_track,
    "media.download_release": download_release,
    "media.download_purchase": download_purchase,
    "media.stream": stream,
    "media.download": download,
    "platform.downloads.track": platform_track,
    "platform.downloads.release": platform_release,
    "platform.downloads.purchase": platform_purchase,
}


def release_archive(tracks: list[Track], format_: Format) -> Media:
    release = tracks[0].release
    return archive(f"{release.artist.name} - {release.title}", tracks, format_)


def purchase_archive(call: Call, tracks: list[Track]) -> Media:
    return archive(f"7digital_Downloads_{call.utc_now:%d-%m-%Y}", tracks, DOWNLOAD_FORMAT)


def _user(call: Call) -> str:
    optional_country(call)
    if "user_id" in call.arguments:
        return named_user(call)
    if call.user is None:
        raise missing_parameter("userId")
    return call.user


def _format(call: Call, default: Format) -> Format:
    format_id = call.arguments.get("format_id", default.id)
    if not format_id.isascii() or not format_id.isdigit():
        raise invalid_value("formatId", "a number")
    if format_id not in FORMATS:
        raise not_available("format")
    return FORMATS[format_id]


def _number(call: Call, name: str, wire: str) -> str:
    value: str = call.arguments[name]
    if not (value.isascii() and value.isdigit()):
        raise invalid_value(wire, "a number")
    return value


def _is_requested_track(call: Call) -> Callable[[OwnedTrack], bool]:
    track_id, release_id = _number(call, "track_id", "trackId"), _number(call, "release_id", "releaseId")
    return lambda owned: (owned.track.id, owned.track.release.id) == (track_id, release_id)
