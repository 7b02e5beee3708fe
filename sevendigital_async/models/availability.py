"""Where and when a release or a track may be used: to buy, or to stream."""

from __future__ import annotations

from datetime import datetime

from attrs import frozen

from .media_format import Format
from .price import Price


@frozen(kw_only=True)
class Package:
    """One way to buy: a price and the formats it covers.

    Attributes:
        id: The service's number for the package; 2 is the standard one.
        description: In words: ``Standard``.
        price: What it costs.
        formats: What the buyer gets.
    """

    id: str | None = None
    description: str | None = None
    price: Price | None = None
    formats: tuple[Format, ...] = ()


@frozen(kw_only=True)
class Download:
    """Availability for purchase.

    Attributes:
        release_date: From when it can be bought.
        preview_date: From when previews may be played.
        packages: The ways to buy it.
    """

    release_date: datetime | None = None
    preview_date: datetime | None = None
    packages: tuple[Package, ...] = ()


@frozen(kw_only=True)
class Streaming:
    """Availability for one kind of streaming.

    Attributes:
        release_date: From when it may be streamed.
    """

    release_date: datetime | None = None
