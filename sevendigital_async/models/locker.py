"""Lockers: what a user owns, and where to fetch it."""

from __future__ import annotations

from datetime import datetime

from attrs import frozen

from .download_url import DownloadUrl
from .release import Release
from .track import Track
from .wire import gathered, wire


@frozen(kw_only=True)
class LockerTrack:
    """A track that the user owns.

    Attributes:
        track: The track itself.
        remaining_downloads: How often it can still be fetched; None if that is not limited or it has been
            withdrawn. Streaming doesn't count.
        purchase_id: The purchase it came with.
        purchase_date: When that was.
        complete_album_purchase: Whether the whole release was bought.
        download_urls: Where to fetch it, an address for each format.
    """

    track: Track | None = None
    remaining_downloads: int | None = None
    purchase_id: str | None = None
    purchase_date: datetime | None = None
    complete_album_purchase: bool | None = None
    download_urls: tuple[DownloadUrl, ...] = ()


@gathered(releases="release", tracks="lockerTracks.track")
@frozen(kw_only=True)
class LockerRelease:
    """A release of which the user owns something.

    Where an answer lists releases and single tracks side by side, each of them is one of these.

    Attributes:
        release: The release itself; None for a track that comes without one.
        tracks: What the user owns of it; empty where the answer says no more than that it is owned.
        available: Whether it can still be fetched; None if nothing is said.
    """

    release: Release | None = wire("release", "lockerTracks.track.release")
    tracks: tuple[LockerTrack, ...] = wire("lockerTracks", default=())
    available: bool | None = None
