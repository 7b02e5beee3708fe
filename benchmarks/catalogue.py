"""A page of 20 generated releases, in the format of the classic API's OpenAPI file."""

from __future__ import annotations

import orjson

SIZE = 20
PATH = "/1.2/release/search"
QUERY = {"q": "harbour", "country": "GB", "page": "1", "pageSize": str(SIZE)}

_ADJECTIVES = ("Velvet", "Borrowed", "Northern", "Paper", "Quiet")
_NOUNS = ("Harbour", "Orchards", "Machines", "Weather")
_LABELS = ("Cinder Lane", "Ninth Kettle Recordings", "Loft & Gable")
_KINDS = ("album", "single", "ep", "compilation")
_PRICES = (9.99, 0.99, 4.95, 7.49)


def _release(number: int) -> dict[str, object]:
    release, artist, price = 1_100_000 + number, 1001 + number // 3, _PRICES[number % 4]
    return {
        "id": str(release),
        "title": f"{_ADJECTIVES[number % 5]} {_NOUNS[number // 5]}",
        "version": "Remastered" if number % 4 == 1 else "",
        "type": _KINDS[number % 4],
        "artist": {
            "id": str(artist),
            "name": f"The Lanternists {artist}",
            "appearsAs": f"The Lanternists {artist}",
            "url": f"https://shop.example/artist/{artist}",
        },
        "url": f"https://shop.example/release/{release}",
        "image": f"https://shop.example/release/{release}_350.jpg",
        "releaseDate": f"19{80 + number}-{number % 12 + 1:02}-{number + 1:02}",
        "label": _LABELS[number % 3],
        "explicit": number % 7 == 0,
        "upc": f"{50_550_000_000_000 + number * 7919:014}",
        "price": {"formattedPrice": f"£{price}", "amount": price, "currency": "GBP"},
    }


PAGE = orjson.dumps(
    {"status": "ok", "page": 1, "pageSize": SIZE, "totalItems": 77, "releases": [_release(n) for n in range(SIZE)]}
)
"""About nine kilobytes."""
