"""Facts about the service: countries, translations, usage types, its state."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from attrs import Factory, frozen

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


@called("GeoIpLookup")
@frozen(kw_only=True)
class GeoRestrictions:
    """What an internet address allows, in the live service's answers.

    Attributes:
        country_code: ISO 3166-1 alpha-2 code of where the address is.
        allow_checkout: Whether one can buy from there.
    """

    country_code: str | None = wire("countryCode", "countryId")
    allow_checkout: bool | None = None


@frozen(kw_only=True)
class TranslationBundle:
    """The shop's texts in one language.

    Attributes:
        locale: BCP 47 tag of the language.
        translations: The texts by their keys.
    """

    locale: str | None = None
    translations: Mapping[str, str] = wire("translations", default=Factory(dict))


@frozen(kw_only=True)
class UsageType:
    """A way of using content that can be licensed.

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
    """What the service says of itself.

    Attributes:
        server_time: The service's clock.
    """

    server_time: datetime | None = None
