"""Internet addresses in the classic API."""

from __future__ import annotations

from ipaddress import IPv4Address, IPv6Address

from ...errors import InvalidArgumentError
from ...models import Country
from ...operations.classic import ip_lookup as ops
from ..resource import CheckedResource


class IpLookup(CheckedResource):
    """Methods of ``client.classic.ip_lookup``."""

    async def country(self, ip: str | IPv4Address | IPv6Address) -> Country:
        """Find the country that an internet address belongs to.

        Args:
            ip: Version 4 or 6.

        Raises:
            NotFoundError: It belongs to none.

        API: ``GET /1.2/country/resolve``
        """
        if not isinstance(ip, str | IPv4Address | IPv6Address):
            raise InvalidArgumentError("ip must be text or an address", argument="ip")
        return await self._one(Country, ops.RESOLVE_COUNTRY_FOR_IP, ip=str(ip))
