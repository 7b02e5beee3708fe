"""Baskets, purchases and lockers as trees, in the shape of JSON or in that of XML."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any
from urllib.parse import urlencode

from .answers import JsonAndXml, Tree, WithoutEnvelope
from .catalogue import Release
from .recordings import FORMATS, Format
from .state.baskets import Basket, BasketLine
from .state.lockers import OwnedTrack
from .state.purchases import Purchase
from .trees import SHOP_URL, price_tree, release_tree, track_tree

_DOWNLOAD_FORMATS = (FORMATS["17"], FORMATS["33"])


def basket_content(basket: Basket) -> JsonAndXml:
    price, due = price_tree(basket.pence, basket.currency), price_tree(basket.pence_due, basket.currency)
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
    return JsonAndXml(json=WithoutEnvelope(json), xml={"basket": xml})


def purchase_content(purchase: Purchase, owned: Sequence[OwnedTrack], origin: str, **more: Any) -> JsonAndXml:
    """Describe a purchase and its items in the locker."""
    date = purchase_time(purchase)
    json = {
        "purchaseId": purchase.id,
        "status": "completed",
        "total": price_tree(purchase.pence_due, purchase.currency),
        "items": lines_json(purchase.lines, purchase.currency),
        "receiptUrl": f"{SHOP_URL}/receipts/{purchase.id}",
        "purchaseDate": date,
        "lockerReleases": locker_json(owned, purchase.currency, origin),
        **more,
    }
    return JsonAndXml(json=WithoutEnvelope(json), xml={"purchase": purchase_element(purchase, owned, origin)})


def purchase_element(purchase: Purchase, owned: Sequence[OwnedTrack], origin: str) -> Tree:
    """Describe a purchase by the names of the guide."""
    releases = locker_elements(owned, purchase.currency, origin)
    return {
        "id": purchase.id,
        "purchaseDate": purchase_time(purchase),
        "lockerReleases": {"lockerRelease": releases},
    }


def lines_json(lines: Iterable[BasketLine], currency: str) -> list[Tree]:
    """Describe what is in a basket or a purchase by the names of the OpenAPI file."""
    return [
        {
            "itemId": line.id,
            "releaseId": line.item.release.id,
            "trackId": line.item.track and line.item.track.id,
            "price": price_tree(line.pence, currency),
            **_item_fields(line),
            "amountDue": price_tree(line.pence_due, currency),
            **_discount(line),
        }
        for line in lines
    ]


def locker_json(owned: Sequence[OwnedTrack], currency: str, origin: str) -> list[Tree]:
    """Describe what a user owns, release by release, with lists as JSON has them."""
    return [
        {
            "release": release_tree(release, currency),
            "lockerTracks": [
                {
                    **_track_fields(each, currency),
                    "downloadUrls": [_download(each, format_, origin) for format_ in _DOWNLOAD_FORMATS],
                }
                for each in tracks
            ],
            "available": True,
        }
        for release, tracks in _by_release(owned)
    ]


def locker_elements(owned: Sequence[OwnedTrack], currency: str, origin: str) -> list[Tree]:
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


def purchase_time(dated: Purchase | OwnedTrack) -> str:
    return f"{dated.purchased_at:%Y-%m-%dT%H:%M:%SZ}"


def download_url(owned: OwnedTrack, format_: Format, origin: str) -> str:
    """Return the download address of a track, to be signed for its owner."""
    query = {"formatId": format_.id, "releaseId": owned.track.release.id, "trackId": owned.track.id}
    return f"{origin}/media/user/downloadtrack?{urlencode(query)}"


def _line_element(line: BasketLine, currency: str) -> Tree:
    track = line.item.track
    return {
        "id": line.id,
        **_item_fields(line),
        "trackId": track and track.id,
        "releaseId": line.item.release.id,
        "price": price_tree(line.pence, currency),
        "amountDue": price_tree(line.pence_due, currency),
        **_discount(line),
    }


def _item_fields(line: BasketLine) -> Tree:
    item = line.item
    return {
        "type": "track" if item.track else "release",
        "itemName": item.title,
        "artistName": item.release.artist.name,
    }


def _discount(line: BasketLine) -> Tree:
    return {"discount": {"type": "Voucher"}} if line.pence_due < line.pence else {}


def _by_release(owned: Sequence[OwnedTrack]) -> list[tuple[Release, list[OwnedTrack]]]:
    releases = {each.track.release.id: each.track.release for each in owned}
    return [(release, [each for each in owned if each.track.release is release]) for release in releases.values()]


def _track_fields(owned: OwnedTrack, currency: str) -> dict[str, Any]:
    return {
        "track": track_tree(owned.track, currency),
        "remainingDownloads": owned.remaining_downloads,
        "purchaseId": owned.purchase_id,
        "purchaseDate": purchase_time(owned),
        "completeAlbumPurchase": owned.is_complete_release,
    }


def _download(owned: OwnedTrack, format_: Format, origin: str) -> Tree:
    return {
        "url": download_url(owned, format_, origin),
        "format": {
            "id": format_.id,
            "fileFormat": format_.kind.upper(),
            "bitRate": format_.bitrate,
            "drmFree": True,
        },
    }
