"""The shop's artists, releases and tracks as trees, by the names of the OpenAPI files."""

from __future__ import annotations

from .answers import Tree
from .catalogue import Artist, Release, Track

_PRICE_FORMATS = {"GBP": "£{:.2f}", "USD": "${:.2f}", "EUR": "€{:.2f}"}
SHOP_URL = "https://shop.example"


def artist_tree(artist: Artist) -> Tree:
    return {
        "id": artist.id,
        "name": artist.name,
        "sortName": artist.sort_name,
        "url": f"{SHOP_URL}/artist/{artist.id}",
        "image": f"{SHOP_URL}/artist/{artist.id}_350.jpg",
    }


def release_tree(release: Release, currency: str) -> Tree:
    return {
        **_release_summary(release),
        "releaseDate": release.release_date.isoformat(),
        "label": {"id": release.label.id, "name": release.label.name},
        "explicit": release.explicit,
        "upc": release.upc,
        "price": price_tree(release.pence, currency, release.rrp_pence),
    }


def track_tree(track: Track, currency: str) -> Tree:
    return {
        "id": track.id,
        "title": track.title,
        "version": track.version,
        "artist": _artist_summary(track.release.artist),
        "release": _release_summary(track.release),
        "trackNumber": track.number,
        "duration": track.duration,
        "explicit": track.explicit,
        "isrc": track.isrc,
        "previewUrl": f"{SHOP_URL}/clip/{track.id}",
        "price": price_tree(track.pence, currency, track.rrp_pence),
    }


def price_tree(pence: int, currency: str, rrp_pence: int | None = None) -> Tree:
    """Describe a price, given in hundredths; only XML has the recommended one."""
    tree = {"formattedPrice": _formatted(pence, currency), "amount": pence / 100, "currency": currency}
    if rrp_pence is None:
        return tree
    return {
        **tree,
        "rrp": f"{rrp_pence / 100:.2f}",
        "formattedRrp": _formatted(rrp_pence, currency),
        "onSale": pence < rrp_pence,
    }


def _formatted(pence: int, currency: str) -> str:
    return _PRICE_FORMATS[currency].format(pence / 100)


def _artist_summary(artist: Artist) -> Tree:
    return {
        "id": artist.id,
        "name": artist.name,
        "appearsAs": artist.name,
        "url": f"{SHOP_URL}/artist/{artist.id}",
    }


def _release_summary(release: Release) -> dict[str, object]:
    return {
        "id": release.id,
        "title": release.title,
        "version": release.version,
        "type": release.type,
        "artist": _artist_summary(release.artist),
        "url": f"{SHOP_URL}/release/{release.id}",
        "image": f"{SHOP_URL}/release/{release.id}_350.jpg",
    }
