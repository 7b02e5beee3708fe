"""Baskets, purchases and lockers as trees, in the shape of JSON or in that of XML."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any
from urllib.parse import urlencode

from .answers import Bare, Forms, Tree
from .catalogue import Release
from .recordings import FORMATS, Format
from .state.baskets import Basket, Line
from .state.lockers import Owned
from .state.purchases import Purchase
from .trees import SITE, price_tree, release_tree, track_tree

_DOWNLOADS = (FORMATS["17"], FORMATS["33"])


def basket_forms(basket: Basket) -> Forms:
    price, due = price_tree(basket.pence, basket.currency), price_tree(basket.due, basket.currency)
    lines = basket.lines
    json = {
        "id": basket.id,
        "items": lines_json(lines, basket.currency),
        "total": due,
        "voucherCode": basket.voucher and basket.voucher.code,
        "itemCount": len(lines),
        "price": price,
    }
    items = [_line_element(line, basket.currency) for line in lines]
    xml = {
        "id": basket.id,
        "itemCount": len(lines),
        "price": price,
        "amountDue": due,
        "basketItems": {"basketItem": items},
    }
    return Forms(json=Bare(json), xml={"basket": xml})


def purchase_forms(purchase: Purchase, owned: Sequence[Owned], origin: str, **more: Any) -> Forms:
    """Describe a purchase and its items in the locker."""
    date = stamp(purchase)
    json = {
        "purchaseId": purchase.id,
        "status": "completed",
        "total": price_tree(purchase.due, purchase.currency),
        "items": lines_json(purchase.lines, purchase.currency),
        "receiptUrl": f"{SITE}/receipts/{purchase.id}",
        "purchaseDate": date,
        "lockerReleases": locker_json(owned, purchase.currency, origin),
        **more,
    }
    return Forms(json=Bare(json), xml={"purchase": purchase_element(purchase, owned, origin)})


def purchase_element(purchase: Purchase, owned: Sequence[Owned], origin: str) -> Tree:
    """Describe a purchase by the names of the guide."""
    releases = locker_elements(owned, purchase.currency, origin)
    return {
        "id": purchase.id,
        "purchaseDate": stamp(purchase),
        "lockerReleases": {"lockerRelease": releases},
    }


def lines_json(lines: Iterable[Line], currency: str) -> list[Tree]:
    """Describe what is in a basket or a purchase by the names of the OpenAPI file."""
    return [
        {
            "itemId": line.id,
            "releaseId": line.item.release.id,
            "trackId": line.item.track and line.item.track.id,
            "price": price_tree(line.pence, currency),
            **_facts(line),
            "amountDue": price_tree(line.due, currency),
            **_discount(line),
        }
        for line in lines
    ]


def locker_json(owned: Sequence[Owned], currency: str, origin: str) -> list[Tree]:
    """Describe what a user owns, release by release, with lists as JSON has them."""
    return [
        {
            "release": release_tree(release, currency),
            "lockerTracks": [
                {
                    **_owned_facts(each, currency),
                    "downloadUrls": [_download(each, format_, origin) for format_ in _DOWNLOADS],
                }
                for each in tracks
            ],
            "available": True,
        }
        for release, tracks in _by_release(owned)
    ]


def locker_elements(owned: Sequence[Owned], currency: str, origin: str) -> list[Tree]:
    """Describe what a user owns, release by release, with lists as XML has them."""
    return [
        {
            **tree,
            "lockerTracks": {
                "lockerTrack": [
                    {**track, "downloadUrls": {"downloadUrl": track["downloadUrls"]}} for track in tree["lockerTracks"]
                ]
            },
        }
        for tree in locker_json(owned, currency, origin)
    ]


def stamp(dated: Purchase | Owned) -> str:
    return f"{dated.moment:%Y-%m-%dT%H:%M:%SZ}"


def download_url(owned: Owned, format_: Format, origin: str) -> str:
    """Return the download address of a track, to be signed for its owner."""
    query = {"formatId": format_.id, "releaseId": owned.track.release.id, "trackId": owned.track.id}
    return f"{origin}/media/user/downloadtrack?{urlencode(query)}"


def _line_element(line: Line, currency: str) -> Tree:
    track = line.item.track
    return {
        "id": line.id,
        **_facts(line),
        "trackId": track and track.id,
        "releaseId": line.item.release.id,
        "price": price_tree(line.pence, currency),
        "amountDue": price_tree(line.due, currency),
        **_discount(line),
    }


def _facts(line: Line) -> Tree:
    item = line.item
    return {
        "type": "track" if item.track else "release",
        "itemName": item.title,
        "artistName": item.release.artist.name,
    }


def _discount(line: Line) -> Tree:
    return {"discount": {"type": "Voucher"}} if line.due < line.pence else {}


def _by_release(owned: Sequence[Owned]) -> list[tuple[Release, list[Owned]]]:
    releases = {each.track.release.id: each.track.release for each in owned}
    return [(release, [each for each in owned if each.track.release is release]) for release in releases.values()]


def _owned_facts(owned: Owned, currency: str) -> dict[str, Any]:
    return {
        "track": track_tree(owned.track, currency),
        "remainingDownloads": owned.remaining,
        "purchaseId": owned.purchase_id,
        "purchaseDate": stamp(owned),
        "completeAlbumPurchase": owned.complete,
    }


def _download(owned: Owned, format_: Format, origin: str) -> Tree:
    return {
        "url": download_url(owned, format_, origin),
        "format": {
            "id": format_.id,
            "fileFormat": format_.kind.upper(),
            "bitRate": format_.bitrate,
            "drmFree": True,
        },
    }
