"""Internet addresses in the classic API."""

from __future__ import annotations

from ...models import Country
from ..operation import Operation, Safety, parameter
from .binding import bound, live

# By another name, the live service answers for the caller's own address.
IP_ADDRESS = parameter("ip", required=True, wire="ipaddress")

RESOLVE_COUNTRY_FOR_IP = Operation(
    id="resolveCountryForIp",
    name="classic.ip_lookup.country",
    summary="The country that an internet address belongs to.",
    safety=Safety.READ,
    model=Country,
    bindings=bound(
        "GET",
        "/country/resolve",
        parameter("ip", required=True),
        live=live("GET", "/country/resolve", IP_ADDRESS),
    ),
)
