"""Countries."""

from __future__ import annotations

from attrs import frozen

from .wire import TEXT, wire


@frozen(kw_only=True)
class Country:
    """A territory in which music is sold.

    Attributes:
        country_code: ISO 3166-1 alpha-2.
        name: In English.
        currency: ISO 4217 code of what is paid with there.
    """

    country_code: str | None = wire("countryCode", "code", "id")
    name: str | None = wire("name", "description", TEXT)
    currency: str | None = wire("currency", "currencyCode")
