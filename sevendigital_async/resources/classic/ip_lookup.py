"""Internet addresses in the classic API."""

from __future__ import annotations

from ipaddress import IPv4Address, IPv6Address

from ...errors import InvalidArgumentError
from ...models import Country, GeoRestrictions
from ...operations.classic import ip_lookup as ops
from ..resource import ClassicResource


class IpLookup(ClassicResource):
    """Methods of ``client.classic.ip_lookup``."""

    async def country(self, ip: str | IPv4Address | IPv6Address) -> Country:
        """Find the country that an internet address belongs to.

        Args:
            ip: Version 4 or 6.

        Raises:
            NotFoundError: It belongs to none.

        API: ``GET /1.2/country/resolve``
        """
        return await self._one(Country, ops.RESOLVE_COUNTRY_FOR_IP, ip=_text("ip", ip))

    async def checkout_restrictions(self, ipaddress: str | IPv4Address | IPv6Address) -> GeoRestrictions:
        """Find out whether one can buy from an internet address; in the live dialect only.

        Args:
            ipaddress: Version 4 or 6.

        API: ``GET /1.2/country/georestrictions/checkout``
        """
        return await self._one(GeoRestrictions, ops.GET_CHECKOUT_RESTRICTIONS, ipaddress=_text("ipaddress", ipaddress))


def _text(name: str, value: object) -> str:
    if not isinstance(value, str | IPv4Address | IPv6Address):
        raise InvalidArgumentError(f"{name} must be text or an address", argument=name)
    return str(value)
