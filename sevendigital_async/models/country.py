"""Countries."""

from __future__ import annotations

from attrs import frozen

from .wire import TEXT, called, wire


@called("GeoIpLookup")
@frozen(kw_only=True)
class Country:
    """A territory in which music is sold.

    Attributes:
        country_code: ISO 3166-1 alpha-2.
        name: In English.
        local_name: In the country's own language.
        currency: ISO 4217 code of what is paid with there.
        url: The shop's front page.
    """

    country_code: str | None = wire("countryCode", "code", "id")
    name: str | None = wire("name", "description", TEXT)
    local_name: str | None = None
    currency: str | None = wire("currency", "currencyCode")
    url: str | None = None
