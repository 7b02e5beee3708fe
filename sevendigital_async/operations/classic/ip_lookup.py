"""Internet addresses in the classic API."""

from __future__ import annotations

from ...models import Country, GeoRestrictions
from ..operation import Operation, Safety, parameter
from .binding import LIVE_ONLY_HINT, bind, bind_live_only, live_binding

# By another name, the live service answers for the caller's own address.
IP_ADDRESS = parameter("ip", required=True, wire="ipaddress")

RESOLVE_COUNTRY_FOR_IP = Operation(
    id="resolveCountryForIp",
    name="classic.ip_lookup.country",
    summary="The country that an internet address belongs to.",
    safety=Safety.READ,
    model=Country,
    bindings=bind(
        "GET",
        "/country/resolve",
        parameter("ip", required=True),
        live=live_binding("GET", "/country/resolve", IP_ADDRESS),
    ),
)

GET_CHECKOUT_RESTRICTIONS = Operation(
    id="getCheckoutRestrictions",
    name="classic.ip_lookup.checkout_restrictions",
    summary="Whether one can buy from an internet address.",
    safety=Safety.READ,
    model=GeoRestrictions,
    instead=LIVE_ONLY_HINT,
    bindings=bind_live_only("GET", "/country/georestrictions/checkout", parameter("ipaddress", required=True)),
)
