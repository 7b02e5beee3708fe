"""Territories of the classic API."""

from __future__ import annotations

from ...models import Country
from ...operations.classic import territories as ops
from ..resource import ClassicResource


class Territories(ClassicResource):
    """Methods of ``client.classic.territories``."""

    async def countries(self) -> tuple[Country, ...]:
        """List the countries in which music is sold.

        API: ``GET /1.2/countries``
        """
        return await self._all(Country, ops.GET_COUNTRIES)
