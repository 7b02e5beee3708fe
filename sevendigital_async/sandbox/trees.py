"""The shop's artists, releases and tracks as trees, by the names of the OpenAPI files."""

from __future__ import annotations

from .answers import Tree
from .catalogue import Artist, Release, Track

_PRICE_FORMATS = {"GBP": "£{:.2f}", "USD": "${:.2f}", "EUR": "€{:.2f}"}
_SITE = "https://shop.example"


def artist_tree(artist: Artist) -> Tree:
    """Describe an artist in full."""
    return {
        "id": artist.id,
        "name": artist.name,
        "sortName": artist.sort_name,
        "url": f"{_SITE}/artist/{artist.id}",
        "image": f"{_SITE}/artist/{artist.id}_350.jpg",
    }


def release_tree(release: Release, currency: str) -> Tree:
    """Describe a release in full."""
    return {
        **_release_summary(release),
        "releaseDate": release.released.isoformat(),
        "label": {"id": release.label.id, "name": release.label.name},
        "explicit": release.explicit,
        "upc": release.upc,
        "price": _price(release.pence, currency),
    }


def track_tree(track: Track, currency: str) -> Tree:
    """Describe a track in full."""
    return {
        "id": track.id,
        "title": track.title,
        "version": track.version,
        "artist": _credit(track.release.artist),
        "release": _release_summary(track.release),
        "trackNumber": track.number,
        "duration": track.duration,
        "explicit": track.explicit,
        "isrc": track.isrc,
        "previewUrl": f"{_SITE}/clip/{track.id}",
        "price": _price(track.pence, currency),
    }


def _credit(artist: Artist) -> Tree:
    return {
        "id": artist.id,
        "name": artist.name,
        "appearsAs": artist.name,
        "url": f"{_SITE}/artist/{artist.id}",
    }


def _release_summary(release: Release) -> dict[str, object]:
    return {
        "id": release.id,
        "title": release.title,
        "version": release.version,
        "type": release.type,
        "artist": _credit(release.artist),
        "url": f"{_SITE}/release/{release.id}",
        "image": f"{_SITE}/release/{release.id}_350.jpg",
    }


def _price(pence: int, currency: str) -> Tree:
    amount = pence / 100
    return {"formattedPrice": _PRICE_FORMATS[currency].format(amount), "amount": amount, "currency": currency}
