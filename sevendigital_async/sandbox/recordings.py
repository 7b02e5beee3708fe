"""Generated media: bytes that depend only on the track and the format."""

from __future__ import annotations

import hashlib
import io
import zipfile
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime, time
from functools import lru_cache, partial
from random import Random

from attrs import field, frozen

from .catalogue import CATALOGUE, Release, Track

_MIN_BYTES = 200_000
_MAX_EXTRA_BYTES = 200_000
_CLIP_BYTES = 60_000
_MAX_CACHED = 32
"""How many pieces of media are held at a time."""

ZIP_TYPE = "application/zip"


@frozen
class Format:
    """A format that media come in; ``signature`` is what its files begin with."""

    id: str
    kind: str
    bitrate: int
    content_type: str
    signature: bytes


_MP3, _AAC, _FLAC = (
    ("mp3", "audio/mpeg", b"ID3\x04"),
    ("aac", "audio/aac", b"\xff\xf1"),
    ("flac", "audio/flac", b"fLaC"),
)


def _format(number: int, bitrate: int, kind: tuple[str, str, bytes]) -> Format:
    return Format(str(number), kind[0], bitrate, *kind[1:])


FORMATS: Mapping[str, Format] = {
    format_.id: format_
    for format_ in (
        _format(17, 320, _MP3),
        _format(55, 192, _MP3),
        _format(26, 128, _MP3),
        _format(50, 64, _MP3),
        _format(33, 320, _AAC),
        _format(56, 192, _AAC),
        _format(48, 128, _AAC),
        _format(45, 1411, _FLAC),
    )
}
"""All formats, by id; of each kind the best comes first."""

DOWNLOAD_FORMAT = FORMATS["17"]
STREAM_FORMAT = FORMATS["26"]
AAC_FORMAT = FORMATS["48"]


@frozen(kw_only=True)
class Media:
    """A file to be delivered; ``make_bytes`` makes its bytes when they are needed, the same every time."""

    filename: str
    content_type: str
    modified: datetime
    seconds: int = 0
    attachment: bool
    make_bytes: Callable[[], bytes] = field(repr=False)


def recording(track: Track, format_: Format, *, attachment: bool = True) -> Media:
    return Media(
        filename=_filename(track, format_),
        content_type=format_.content_type,
        modified=_modified(track.release),
        seconds=track.duration,
        attachment=attachment,
        make_bytes=partial(_audio, track.id, format_.id),
    )


def clip(track: Track, format_: Format) -> Media:
    """Return the beginning of a track's recording."""
    return Media(
        filename=_filename(track, format_),
        content_type=format_.content_type,
        modified=_modified(track.release),
        seconds=min(30, track.duration),
        attachment=False,
        make_bytes=lambda: _audio(track.id, format_.id)[:_CLIP_BYTES],
    )


def archive(name: str, tracks: Sequence[Track], format_: Format) -> Media:
    return Media(
        filename=f"{name}.zip",
        content_type=ZIP_TYPE,
        modified=max(_modified(track.release) for track in tracks),
        attachment=True,
        make_bytes=partial(_zipped, tuple(track.id for track in tracks), format_.id),
    )


@lru_cache(maxsize=_MAX_CACHED)
def _audio(track_id: str, format_id: str) -> bytes:
    seed = hashlib.sha256(f"{track_id}/{format_id}".encode()).digest()
    noise = Random(seed)  # noqa: S311 - repeatable on purpose
    return FORMATS[format_id].signature + noise.randbytes(_MIN_BYTES + noise.randrange(_MAX_EXTRA_BYTES))


@lru_cache(maxsize=_MAX_CACHED // 4)
def _zipped(track_ids: tuple[str, ...], format_id: str) -> bytes:
    file = io.BytesIO()
    # Entries without a time are dated 1980, so the bytes are always the same.
    with zipfile.ZipFile(file, "w", zipfile.ZIP_STORED) as archive_:
        for number, track_id in enumerate(track_ids, 1):
            name = _filename(CATALOGUE.tracks[track_id], FORMATS[format_id]).replace("/", "_")
            archive_.writestr(zipfile.ZipInfo(f"{number:02d} - {name}"), _audio(track_id, format_id))
    return file.getvalue()


def _filename(track: Track, format_: Format) -> str:
    return f"{track.release.artist.name} - {track.title}.{format_.kind}"


def _modified(release: Release) -> datetime:
    return datetime.combine(release.release_date, time(12), UTC)
