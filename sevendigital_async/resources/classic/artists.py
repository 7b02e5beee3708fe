"""Artists of the classic API."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date

from ...models import Artist, IdMatch, Release, ReleaseType, Tag, Track
from ...operations.classic import artists as ops
from .. import checks
from ..resource import ClassicResource, Pages


class Artists(ClassicResource):
    """Methods of ``client.classic.artists``."""

    def browse(
        self, letter: str, *, country: str | None = None, page: int = 1, page_size: int | None = None
    ) -> Pages[Artist]:
        """List the artists whose names begin in one way.

        Args:
            letter: What the names begin with: a letter, or several.
            country: ISO 3166-1 alpha-2 code of the territory; the account's own by default.
            page: First page to fetch, from 1.
            page_size: Artists a page, up to 100 (500 in the live dialect); the service's default if left out.

        API: ``GET /1.2/artist/browse``
        """
        return self._pages(Artist, ops.BROWSE_ARTISTS, letter=letter, country=country, page=page, page_size=page_size)

    def chart(
        self,
        *,
        country: str | None = None,
        period: str | None = None,
        to_date: date | None = None,
        page: int = 1,
        page_size: int | None = None,
    ) -> Pages[Artist]:
        """List the artists who sell best, the first one first.

        Where the response says so, an artist's ``ranking`` holds the position and how it has changed.

        Args:
            country: ISO 3166-1 alpha-2 code of the territory; the account's own by default.
            period: ``day``, ``week``, ``month`` or ``year``; a week by default.
            to_date: Last day of the period; yesterday by default.
            page: First page to fetch, from 1.
            page_size: Artists a page, up to 100 (500 in the live dialect); the service's default if left out.

        API: ``GET /1.2/artist/chart``
        """
        return self._pages(
            Artist,
            ops.GET_ARTIST_CHART,
            country=country,
            period=period,
            to_date=to_date,
            page=page,
            page_size=page_size,
        )

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

    def releases(
        self,
        artist_id: str,
        *,
        type: ReleaseType | str | None = None,
        country: str | None = None,
        page: int = 1,
        page_size: int | None = None,
    ) -> Pages[Release]:
        """List the releases of one artist.

        Args:
            artist_id: 7digital's id.
            type: Only releases of this kind; the live service also knows ``video``.
            country: ISO 3166-1 alpha-2 code of the territory; the account's own by default.
            page: First page to fetch, from 1.
            page_size: Releases a page, up to 100 (500 in the live dialect); the service's default if left out.

        Raises:
            NotFoundError: No such artist in the territory.

        API: ``GET /1.2/artist/releases``
        """
        return self._pages(
            Release,
            ops.GET_ARTIST_RELEASES,
            artist_id=artist_id,
            type=type,
            country=country,
            page=page,
            page_size=page_size,
        )

    def similar(
        self, artist_id: str, *, country: str | None = None, page: int = 1, page_size: int | None = None
    ) -> Pages[Artist]:
        """List artists for those who like one.

        Args:
            artist_id: 7digital's id of the one.
            country: ISO 3166-1 alpha-2 code of the territory; the account's own by default.
            page: First page to fetch, from 1.
            page_size: Artists a page, up to 100 (500 in the live dialect); the service's default if left out.

        Raises:
            NotFoundError: No such artist in the territory.

        API: ``GET /1.2/artist/similar``
        """
        return self._pages(
            Artist, ops.GET_SIMILAR_ARTISTS, artist_id=artist_id, country=country, page=page, page_size=page_size
        )

    def search(
        self,
        q: str,
        *,
        sort: str | None = None,
        country: str | None = None,
        page: int = 1,
        page_size: int | None = None,
    ) -> Pages[Artist]:
        """Search the catalogue for artists.

        Where the response says so, an artist's ``ranking`` holds how well it fits.

        Args:
            q: Free text.
            sort: ``name``, ``popularity`` or ``score``, then a space and ``asc`` or ``desc``; those that fit best
                come first by default.
            country: ISO 3166-1 alpha-2 code of the territory; the account's own by default.
            page: First page to fetch, from 1.
            page_size: Artists a page, up to 100 (500 in the live dialect); the service's default if left out.

        API: ``GET /1.2/artist/search``
        """
        return self._pages(Artist, ops.SEARCH_ARTISTS, q=q, sort=sort, country=country, page=page, page_size=page_size)

    def top_tracks(
        self, artist_id: str, *, country: str | None = None, page: int = 1, page_size: int | None = None
    ) -> Pages[Track]:
        """List an artist's tracks, the most popular first.

        Args:
            artist_id: 7digital's id.
            country: ISO 3166-1 alpha-2 code of the territory; the account's own by default.
            page: First page to fetch, from 1.
            page_size: Tracks a page, up to 100 (500 in the live dialect); the service's default if left out.

        Raises:
            NotFoundError: No such artist in the territory.

        API: ``GET /1.2/artist/topTracks``
        """
        return self._pages(
            Track, ops.GET_ARTIST_TOP_TRACKS, artist_id=artist_id, country=country, page=page, page_size=page_size
        )

    def tags(
        self, artist_id: str, *, country: str | None = None, page: int = 1, page_size: int | None = None
    ) -> Pages[Tag]:
        """List the tags of one artist.

        Args:
            artist_id: 7digital's id.
            country: ISO 3166-1 alpha-2 code of the territory; the account's own by default.
            page: First page to fetch, from 1.
            page_size: Tags a page, up to 100 (500 in the live dialect); the service's default if left out.

        Raises:
            NotFoundError: No such artist in the territory.

        API: ``GET /1.2/artist/tags``
        """
        return self._pages(
            Tag, ops.GET_ARTIST_TAGS, artist_id=artist_id, country=country, page=page, page_size=page_size
        )

    async def match_by_id(self, id: str) -> Artist:
        """Find the artist that is known elsewhere under another id; in the OpenAPI dialect only, see `matches`.

        Args:
            id: The other id with its kind before it, such as ``mbid:...`` for MusicBrainz.

        Raises:
            NotFoundError: No such artist.

        API: ``GET /1.2/artist/match/byId``
        """
        return await self._one(Artist, ops.MATCH_ARTIST_BY_ID, id=id)

    async def matches(
        self, *, seven_digital_ids: Iterable[str] | None = None, mb_ids: Iterable[str] | None = None
    ) -> tuple[IdMatch, ...]:
        """Look up the ids of artists here and at MusicBrainz; in the live dialect only.

        Args:
            seven_digital_ids: 7digital's ids, or
            mb_ids: MusicBrainz's.

        Returns:
            One entry for each id; it has an ``error_code`` if nothing goes by that id.

        Raises:
            InvalidArgumentError: Both kinds of ids were given, or none.

        API: ``GET /1.2/artist/match/byId``
        """
        ids = checks.one_id_list(seven_digital_ids=seven_digital_ids, mb_ids=mb_ids)
        return await self._all(IdMatch, ops.MATCH_ARTIST_IDS, **ids)

    def top_by_tags(
        self, tags: str | Iterable[str], *, country: str | None = None, page: int = 1, page_size: int | None = None
    ) -> Pages[Artist]:
        """List the artists with all of some tags, the most popular first.

        Args:
            tags: Ids of tags: an iterable, or a text with commas.
            country: ISO 3166-1 alpha-2 code of the territory; the account's own by default.
            page: First page to fetch, from 1.
            page_size: Artists a page, up to 100 (500 in the live dialect); the service's default if left out.

        Raises:
            NotFoundError: No such tags.

        API: ``GET /1.2/artist/bytag/top``
        """
        return self._pages(
            Artist, ops.GET_TOP_ARTISTS_BY_TAGS, tags=tags, country=country, page=page, page_size=page_size
        )

    def recommend(
        self, artist_id: str, *, country: str | None = None, page: int = 1, page_size: int | None = None
    ) -> Pages[Release]:
        """List releases for those who like an artist; in the live dialect only. `similar` lists artists.

        Args:
            artist_id: 7digital's id of the artist.
            country: ISO 3166-1 alpha-2 code of the territory; the account's own by default.
            page: First page to fetch, from 1.
            page_size: Releases a page, up to 500; the service's default if left out.

        Raises:
            NotFoundError: No such artist in the territory.

        API: ``GET /1.2/artist/recommend``
        """
        return self._pages(
            Release,
            ops.GET_ARTIST_RECOMMENDATIONS,
            artist_id=artist_id,
            country=country,
            page=page,
            page_size=page_size,
        )
