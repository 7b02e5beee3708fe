"""Territories of the classic API."""

from __future__ import annotations

from ...models import Country
from ..operation import Operation, Safety
from .binding import bind

GET_COUNTRIES = Operation(
    id="getCountries",
    name="classic.territories.countries",
    summary="Where music is sold.",
    safety=Safety.READ,
    model=Country,
    paged=True,
    bindings=bind("GET", "/countries"),
)
