"""Facts about the service: countries, translations, usage types, its state."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from attrs import Factory, frozen

from .readers import Count
from .wire import ELEMENT_TEXT, aliases, wire


@frozen(kw_only=True)
class Language:
    """A language of a country's shop.

    Attributes:
        name: In English.
        local_name: In the language itself.
        url: The shop's front page in it.
    """

    name: str | None = wire("name", ELEMENT_TEXT)
    local_name: str | None = None
    url: str | None = None


@aliases("GeoIpLookup")
@frozen(kw_only=True)
class Country:
    """A territory in which music is sold.

    Attributes:
        country_code: ISO 3166-1 alpha-2.
        name: In English.
        local_name: In the country's own language.
        currency: ISO 4217 code of the currency.
        url: The shop's front page.
        languages: The languages of the shop, in the live service's responses.
        ip_address: The address that was looked up, in the live service's responses.
    """

    country_code: str | None = wire("countryCode", "code", "id")
    name: str | None = wire("name", "description", ELEMENT_TEXT)
    local_name: str | None = None
    currency: str | None = wire("currency", "currencyCode")
    url: str | None = None
    languages: tuple[Language, ...] = ()
    ip_address: str | None = wire("ipAddress", "ipaddress", "ip")


@aliases("GeoIpLookup")
@frozen(kw_only=True)
class GeoRestrictions:
    """What an internet address allows, in the live service's responses.

    Attributes:
        country_code: ISO 3166-1 alpha-2 code of where the address is.
        allow_checkout: Whether one can buy from there.
    """

    country_code: str | None = wire("countryCode", "countryId")
    allow_checkout: bool | None = None


@frozen(kw_only=True)
class TranslationBundle:
    """The shop's texts in one language; the live service pages them.

    Attributes:
        locale: BCP 47 tag of the language.
        translations: The texts by their keys.
        page: Number of the page, from one.
        page_size: How many texts a full page has.
        total_items: How many texts there are.
    """

    locale: str | None = None
    translations: Mapping[str, str] = wire("translations", default=Factory(dict))
    # Other responses have texts at these paths, with the same keys.
    page: Count | None = wire("page", "translations.page")
    page_size: Count | None = wire("pageSize", "translations.pageSize")
    total_items: Count | None = wire("totalItems", "translations.totalItems")


@frozen(kw_only=True)
class UsageType:
    """A licensable use of content.

    Attributes:
        id: Its name on the wire: ``subscription-streaming``.
        name: Its name for people.
        description: What it covers.
    """

    id: str
    name: str | None = None
    description: str | None = None


@frozen(kw_only=True)
class ServiceStatus:
    """The status of the service.

    Attributes:
        server_time: The service's clock.
    """

    server_time: datetime | None = None
