"""Artists of the classic API."""

from __future__ import annotations

from ...models import Artist
from ...operations.classic import artists as ops
from ..resource import Resource


class Artists(Resource):
    """Methods of ``client.classic.artists``."""

    async def details(self, artist_id: str, *, country: str | None = None) -> Artist:
        """Fetch everything known about one artist.

        Args:
            artist_id: 7digital's id.
            country: ISO 3166-1 alpha-2 code of the territory; the account's own by default.

        Raises:
            NotFoundError: No such artist in the territory.

        API: ``GET /1.2/artist/details``
        """
        return await self._one(Artist, ops.GET_ARTIST_DETAILS, artist_id=artist_id, country=country)
