"""From the shop's web addresses to the catalogue, in the classic API."""

from __future__ import annotations

from ...models import Artist, Release
from ...operations.classic import catalogue as ops
from ..resource import ClassicResource


class Catalogue(ClassicResource):
    """Methods of ``client.classic.catalogue``."""

    async def artist_by_url(self, url: str, *, country: str | None = None, shop_id: str | None = None) -> Artist:
        """Find which artist a page of the shop is about.

        Args:
            url: The page's address. In the live dialect, which is sent its slug only, the slug will do.
            country: ISO 3166-1 alpha-2 code of the country whose shop it is; live dialect only.
            shop_id: The shop, in place of ``country``; live dialect only.

        Returns:
            The artist, of whom the response says no more than the id.

        Raises:
            InvalidArgumentError: The address has no slug, in the live dialect.
            NotFoundError: It is not an artist's page.

        API: ``GET /1.2/catalogue/artist-byurl``
        """
        return await self._one(Artist, ops.GET_ARTIST_ID_BY_URL, url=url, country=country, shop_id=shop_id)

    async def release_by_url(self, url: str, *, country: str | None = None, shop_id: str | None = None) -> Release:
        """Find which release a page of the shop is about.

        Args:
            url: The page's address. In the live dialect, which is sent its slug only, the slug will do.
            country: ISO 3166-1 alpha-2 code of the country whose shop it is; live dialect only.
            shop_id: The shop, in place of ``country``; live dialect only.

        Returns:
            The release, of which the response says no more than the id.

        Raises:
            InvalidArgumentError: The address has no slug, in the live dialect.
            NotFoundError: It is not a release's page.

        API: ``GET /1.2/catalogue/release-byurl``
        """
        return await self._one(Release, ops.GET_RELEASE_ID_BY_URL, url=url, country=country, shop_id=shop_id)
