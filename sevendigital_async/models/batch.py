"""Answers about several things at once."""

from __future__ import annotations

from attrs import frozen

from .release import Release
from .track import Track
from .wire import called, wire


@called("error")
@frozen(kw_only=True)
class BatchItemError:
    """Why one of the things asked for is missing from the answer.

    Attributes:
        index: Its position in the request, from zero.
        item_id: Its id, in answers that give no position.
        code: The service's error code.
        message: The service's own words.
    """

    index: int | None = None
    item_id: str | None = None
    code: int | None = None
    message: str | None = wire("message", "errorMessage")


@frozen(kw_only=True)
class ReleaseBatch:
    """Several releases.

    Attributes:
        releases: Those that were found, in the order of the request.
        errors: What became of the others; empty unless it was asked for.
    """

    releases: tuple[Release, ...] = wire("releases", "items.releases", "items.release", default=())
    errors: tuple[BatchItemError, ...] = wire("errors", "items.errors", default=())


@frozen(kw_only=True)
class TrackBatch:
    """Several tracks.

    Attributes:
        tracks: Those that were found, in the order of the request.
        errors: What became of the others; empty unless it was asked for.
    """

    tracks: tuple[Track, ...] = wire("tracks", "items.tracks", "items.track", default=())
    errors: tuple[BatchItemError, ...] = wire("errors", "items.errors", default=())
