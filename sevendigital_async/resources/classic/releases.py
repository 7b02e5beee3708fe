"""Releases of the classic API."""

from __future__ import annotations

from ...models import Release, Track
from ...operations.classic import releases as ops
from ..pages import Pages
from ..resource import Resource


class Releases(Resource):
    """Methods of ``client.classic.releases``."""

    def search(
        self, q: str, *, country: str | None = None, page: int = 1, page_size: int | None = None
    ) -> Pages[Release]:
        """Search the catalogue for releases.

        Args:
            q: Free text.
            country: ISO 3166-1 alpha-2 code of the territory; the account's own by default.
            page: First page to fetch, from 1.
            page_size: Releases a page; the service's default if left out.

        Returns:
            Await it for one page, iterate it for every release.

        API: ``GET /1.2/release/search``
        """
        return self._pages(Release, ops.SEARCH_RELEASES, q=q, country=country, page=page, page_size=page_size)

    async def details(self, release_id: str, *, country: str | None = None) -> Release:
        """Fetch everything known about one release.

        Args:
            release_id: 7digital's id.
            country: ISO 3166-1 alpha-2 code of the territory; the account's own by default.

        Raises:
            NotFoundError: No such release in the territory.

        API: ``GET /1.2/release/details``
        """
        return await self._one(Release, ops.GET_RELEASE_DETAILS, release_id=release_id, country=country)

    def tracks(
        self, release_id: str, *, country: str | None = None, page: int = 1, page_size: int | None = None
    ) -> Pages[Track]:
        """List the tracks of one release.

        Args:
            release_id: 7digital's id.
            country: ISO 3166-1 alpha-2 code of the territory; the account's own by default.
            page: First page to fetch, from 1.
            page_size: Tracks a page; the service's default if left out.

        Returns:
            Await it for one page, iterate it for every track.

        Raises:
            NotFoundError: No such release in the territory.

        API: ``GET /1.2/release/tracks``
        """
        return self._pages(
            Track, ops.GET_RELEASE_TRACKS, release_id=release_id, country=country, page=page, page_size=page_size
        )
