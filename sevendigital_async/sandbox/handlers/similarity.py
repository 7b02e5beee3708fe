"""Which artists resemble one another."""

from __future__ import annotations

from collections.abc import Sequence

from ..catalogue import CATALOGUE, Artist
from ..charts import popularity
from ..tags import tags_of_artist


def similar_artists(artist: Artist) -> Sequence[Artist]:
    """Return the artists who share a tag with one, those first who share most."""
    own = set(tags_of_artist(artist))
    shared = {other.id: len(own.intersection(tags_of_artist(other))) for other in CATALOGUE.artists.values()}
    others = [other for other in CATALOGUE.artists.values() if other is not artist and shared[other.id]]
    return sorted(others, key=lambda other: (shared[other.id], popularity(other)), reverse=True)
