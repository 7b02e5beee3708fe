"""Lockers: the tracks that users own, purchase by purchase."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Any

from attrs import define

from ..catalogue import CATALOGUE, Track
from .purchases import Purchase

MAX_DOWNLOADS = 10
"""How often a track can be fetched."""


@define(kw_only=True)
class OwnedTrack:
    """A track that a user owns; ``is_complete_release`` if the whole release was bought."""

    track: Track
    purchase_id: str
    purchased_at: datetime
    is_complete_release: bool
    remaining_downloads: int = MAX_DOWNLOADS


class Lockers:
    """What every user owns. A track that was bought twice is there twice."""

    def __init__(self) -> None:
        self._lockers: dict[str, list[OwnedTrack]] = {}

    def add_purchase(self, purchase: Purchase) -> None:
        locker = self._lockers.setdefault(purchase.user, [])
        for line in purchase.lines:
            track = line.item.track
            complete = track is None
            tracks = CATALOGUE.tracks_of(line.item.release) if track is None else [track]
            locker.extend(
                OwnedTrack(
                    track=each,
                    purchase_id=purchase.id,
                    purchased_at=purchase.purchased_at,
                    is_complete_release=complete,
                )
                for each in tracks
            )

    def of(self, user: str) -> list[OwnedTrack]:
        return list(self._lockers.get(user, ()))

    def remove(self, user: str, matches: Callable[[OwnedTrack], bool]) -> int:
        """Remove the tracks that ``matches`` accepts, as after a refund, and return how many there were."""
        locker = self._lockers.get(user, [])
        kept = [owned for owned in locker if not matches(owned)]
        self._lockers[user] = kept
        return len(locker) - len(kept)

    def tree(self) -> dict[str, Any]:
        return {
            user: [
                {
                    "trackId": owned.track.id,
                    "releaseId": owned.track.release.id,
                    "purchaseId": owned.purchase_id,
                    "remainingDownloads": owned.remaining_downloads,
                }
                for owned in locker
            ]
            for user, locker in self._lockers.items()
        }
