"""Releases of the classic API."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date

from ...models import EditorialItem, IdMatch, Release, ReleaseType, Tag, Track
from ...operations.classic import releases as ops
from .. import checks
from ..resource import ClassicResource, Pages


class Releases(ClassicResource):
    """Methods of ``client.classic.releases``."""

    def by_date(
        self,
        *,
        from_date: date | None = None,
        to_date: date | None = None,
        country: str | None = None,
        page: int = 1,
        page_size: int | None = None,
    ) -> Pages[Release]:
        """List the releases that came out within some days.

        Args:
            from_date: The first day; today by default.
            to_date: The last day; today by default.
            country: ISO 3166-1 alpha-2 code of the territory; the account's own by default.
            page: First page to fetch, from 1.
            page_size: Releases a page, up to 100 (500 in the live dialect); the service's default if left out.

        API: ``GET /1.2/release/byDate``
        """
        return self._pages(
            Release,
            ops.GET_RELEASES_BY_DATE,
            from_date=from_date,
            to_date=to_date,
            country=country,
            page=page,
            page_size=page_size,
        )

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

    async def editorial(self, release_id: str, *, country: str | None = None) -> EditorialItem:
        """Fetch what the editors wrote about one release.

        Args:
            release_id: 7digital's id.
            country: ISO 3166-1 alpha-2 code of the territory; the account's own by default.

        Raises:
            NotFoundError: No such release in the territory.

        API: ``GET /1.2/release/editorial``
        """
        return await self._one(EditorialItem, ops.GET_RELEASE_EDITORIAL, release_id=release_id, country=country)

    def chart(
        self,
        *,
        country: str | None = None,
        period: str | None = None,
        to_date: date | None = None,
        page: int = 1,
        page_size: int | None = None,
    ) -> Pages[Release]:
        """List the releases that sell best, the first one first; the live service counts albums only.

        Where the response says so, a release's ``ranking`` holds the position and how it has changed.

        Args:
            country: ISO 3166-1 alpha-2 code of the territory; the account's own by default.
            period: ``day``, ``week``, ``month`` or ``year``; a week by default.
            to_date: Last day of the period; yesterday by default.
            page: First page to fetch, from 1.
            page_size: Releases a page, up to 100 (500 in the live dialect); the service's default if left out.

        API: ``GET /1.2/release/chart``
        """
        return self._pages(
            Release,
            ops.GET_RELEASE_CHART,
            country=country,
            period=period,
            to_date=to_date,
            page=page,
            page_size=page_size,
        )

    def recommend(
        self,
        release_id: str | None = None,
        *,
        artist_id: str | None = None,
        country: str | None = None,
        page: int = 1,
        page_size: int | None = None,
    ) -> Pages[Release]:
        """List releases for those who like a release, or an artist.

        Args:
            release_id: 7digital's id of the release; or give ``artist_id``.
            artist_id: 7digital's id of the artist; or give ``release_id``.
            country: ISO 3166-1 alpha-2 code of the territory; the account's own by default.
            page: First page to fetch, from 1.
            page_size: Releases a page, up to 100 (500 in the live dialect); the service's default if left out.

        Raises:
            InvalidArgumentError: Neither or both are given.
            NotFoundError: No such release or artist in the territory.

        API: ``GET /1.2/release/recommend``
        """
        checks.exactly_one(release_id=release_id, artist_id=artist_id)
        return self._pages(
            Release,
            ops.GET_RELEASE_RECOMMENDATIONS,
            release_id=release_id,
            artist_id=artist_id,
            country=country,
            page=page,
            page_size=page_size,
        )

    def search(
        self,
        q: str,
        *,
        type: ReleaseType | str | Iterable[ReleaseType | str] | None = None,
        country: str | None = None,
        page: int = 1,
        page_size: int | None = None,
    ) -> Pages[Release]:
        """Search the catalogue for releases.

        Where the response says so, a release's ``ranking`` holds how well it fits.

        Args:
            q: Free text.
            type: Only releases of this kind, or of these kinds.
            country: ISO 3166-1 alpha-2 code of the territory; the account's own by default.
            page: First page to fetch, from 1.
            page_size: Releases a page, up to 100 (500 in the live dialect); the service's default if left out.

        API: ``GET /1.2/release/search``
        """
        return self._pages(
            Release, ops.SEARCH_RELEASES, q=q, type=type, country=country, page=page, page_size=page_size
        )

    def tracks(
        self, release_id: str, *, country: str | None = None, page: int = 1, page_size: int | None = None
    ) -> Pages[Track]:
        """List the tracks of one release.

        Args:
            release_id: 7digital's id.
            country: ISO 3166-1 alpha-2 code of the territory; the account's own by default.
            page: First page to fetch, from 1.
            page_size: Tracks a page, up to 100 (500 in the live dialect); the service's default if left out.

        Raises:
            NotFoundError: No such release in the territory.

        API: ``GET /1.2/release/tracks``
        """
        return self._pages(
            Track, ops.GET_RELEASE_TRACKS, release_id=release_id, country=country, page=page, page_size=page_size
        )

    def tags(
        self, release_id: str, *, country: str | None = None, page: int = 1, page_size: int | None = None
    ) -> Pages[Tag]:
        """List the tags of one release.

        Args:
            release_id: 7digital's id.
            country: ISO 3166-1 alpha-2 code of the territory; the account's own by default.
            page: First page to fetch, from 1.
            page_size: Tags a page, up to 100 (500 in the live dialect); the service's default if left out.

        Raises:
            NotFoundError: No such release in the territory.

        API: ``GET /1.2/release/tags``
        """
        return self._pages(
            Tag, ops.GET_RELEASE_TAGS, release_id=release_id, country=country, page=page, page_size=page_size
        )

    async def match_by_id(self, id: str) -> Release:
        """Find the release that is known elsewhere under another id; in the OpenAPI dialect only, see `matches`.

        Args:
            id: A barcode (UPC or EAN) or a GRid.

        Raises:
            NotFoundError: No item has that id.

        API: ``GET /1.2/release/match/byId``
        """
        return await self._one(Release, ops.MATCH_RELEASE_BY_ID, id=id)

    async def matches(
        self, *, seven_digital_ids: Iterable[str] | None = None, mb_ids: Iterable[str] | None = None
    ) -> tuple[IdMatch, ...]:
        """Look up the ids of releases here and at MusicBrainz; in the live dialect only.

        Args:
            seven_digital_ids: 7digital's ids, or
            mb_ids: MusicBrainz's.

        Returns:
            One entry for each id; it has an ``error_code`` if nothing goes by that id.

        Raises:
            InvalidArgumentError: Both kinds of ids were given, or none.

        API: ``GET /1.2/release/match/byId``
        """
        ids = checks.one_id_list(seven_digital_ids=seven_digital_ids, mb_ids=mb_ids)
        return await self._all(IdMatch, ops.MATCH_RELEASE_IDS, **ids)

    def new_by_tags(
        self, tags: str | Iterable[str], *, country: str | None = None, page: int = 1, page_size: int | None = None
    ) -> Pages[Release]:
        """List the releases with all of some tags, the newest first.

        Args:
            tags: Ids of tags: an iterable, or a text with commas.
            country: ISO 3166-1 alpha-2 code of the territory; the account's own by default.
            page: First page to fetch, from 1.
            page_size: Releases a page, up to 100 (500 in the live dialect); the service's default if left out.

        Raises:
            NotFoundError: No such tags.

        API: ``GET /1.2/release/bytag/new``
        """
        return self._pages(
            Release, ops.GET_NEW_RELEASES_BY_TAGS, tags=tags, country=country, page=page, page_size=page_size
        )

    def top_by_tags(
        self, tags: str | Iterable[str], *, country: str | None = None, page: int = 1, page_size: int | None = None
    ) -> Pages[Release]:
        """List the releases with all of some tags, the most popular first.

        Args:
            tags: Ids of tags: an iterable, or a text with commas.
            country: ISO 3166-1 alpha-2 code of the territory; the account's own by default.
            page: First page to fetch, from 1.
            page_size: Releases a page, up to 100 (500 in the live dialect); the service's default if left out.

        Raises:
            NotFoundError: No such tags.

        API: ``GET /1.2/release/bytag/top``
        """
        return self._pages(
            Release, ops.GET_TOP_RELEASES_BY_TAGS, tags=tags, country=country, page=page, page_size=page_size
        )
