"""Tracks of the classic API."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date

from ...models import DownloadUrl, IdMatch, Track
from ...operations.classic import tracks as ops
from .. import checks
from ..media_handle import MediaHandle
from ..resource import ClassicResource, Pages


class Tracks(ClassicResource):
    """Methods of ``client.classic.tracks``."""

    def chart(
        self,
        *,
        country: str | None = None,
        period: str | None = None,
        to_date: date | None = None,
        page: int = 1,
        page_size: int | None = None,
    ) -> Pages[Track]:
        """List the tracks that sell best, the first one first.

        Where the response says so, a track's ``ranking`` holds the position and how it has changed.

        Args:
            country: ISO 3166-1 alpha-2 code of the territory; the account's own by default.
            period: ``day``, ``week``, ``month`` or ``year``; a week by default.
            to_date: Last day of the period; yesterday by default.
            page: First page to fetch, from 1.
            page_size: Tracks a page, up to 100 (500 in the live dialect); the service's default if left out.

        API: ``GET /1.2/track/chart``
        """
        return self._pages(
            Track,
            ops.GET_TRACK_CHART,
            country=country,
            period=period,
            to_date=to_date,
            page=page,
            page_size=page_size,
        )

    async def details(self, track_id: str, *, country: str | None = None) -> Track:
        """Fetch everything known about one track.

        Args:
            track_id: 7digital's id.
            country: ISO 3166-1 alpha-2 code of the territory; the account's own by default.

        Raises:
            NotFoundError: No such track in the territory.

        API: ``GET /1.2/track/details``
        """
        return await self._one(Track, ops.GET_TRACK_DETAILS, track_id=track_id, country=country)

    def search(
        self, q: str, *, country: str | None = None, page: int = 1, page_size: int | None = None
    ) -> Pages[Track]:
        """Search the catalogue for tracks.

        Where the response says so, a track's ``ranking`` holds how well it fits.

        Args:
            q: Free text.
            country: ISO 3166-1 alpha-2 code of the territory; the account's own by default.
            page: First page to fetch, from 1.
            page_size: Tracks a page, up to 100 (500 in the live dialect); the service's default if left out.

        API: ``GET /1.2/track/search``
        """
        return self._pages(Track, ops.SEARCH_TRACKS, q=q, country=country, page=page, page_size=page_size)

    async def match_by_id(self, id: str) -> Track:
        """Find the track that is known elsewhere under another id; in the OpenAPI dialect only, see `matches`.

        Args:
            id: The other id with its kind before it, such as ``isrc:...``.

        Raises:
            NotFoundError: No item has that id.

        API: ``GET /1.2/track/match/byId``
        """
        return await self._one(Track, ops.MATCH_TRACK_BY_ID, id=id)

    async def matches(
        self, *, seven_digital_ids: Iterable[str] | None = None, mb_ids: Iterable[str] | None = None
    ) -> tuple[IdMatch, ...]:
        """Look up the ids of tracks here and at MusicBrainz; in the live dialect only.

        Args:
            seven_digital_ids: 7digital's ids, or
            mb_ids: MusicBrainz's.

        Returns:
            One entry for each id; it has an ``error_code`` if nothing goes by that id.

        Raises:
            InvalidArgumentError: Both kinds of ids were given, or none.

        API: ``GET /1.2/track/match/byId``
        """
        ids = checks.one_id_list(seven_digital_ids=seven_digital_ids, mb_ids=mb_ids)
        return await self._all(IdMatch, ops.MATCH_TRACK_IDS, **ids)

    def preview(self, track_id: str, *, redirect: bool | None = None, country: str | None = None) -> MediaHandle:
        """Listen to a clip of a track, of 30 to 60 seconds.

        A service that offers clips must offer the track for sale next to them.

        Args:
            track_id: 7digital's id.
            redirect: False makes the service answer with a document that names the clip's address: good for the
                signed URL only, because there is nothing to stream or save then. See :meth:`preview_url`.
            country: ISO 3166-1 alpha-2 code of the territory; the account's own by default.

        Returns:
            The clip, of which nothing is requested before it is used.

        Raises:
            NotFoundError: No such track in the territory; raised on use.

        API: ``GET /1.2/track/preview``
        """
        return self._media(ops.GET_TRACK_PREVIEW, track_id=track_id, redirect=redirect, country=country)

    async def preview_url(self, track_id: str, *, country: str | None = None) -> str | None:
        """Ask for the address of the clip that ``preview`` plays.

        Args:
            track_id: 7digital's id.
            country: ISO 3166-1 alpha-2 code of the territory; the account's own by default.

        Raises:
            NotFoundError: No such track in the territory.

        API: ``GET /1.2/track/preview``
        """
        address = await self._one(
            DownloadUrl, ops.GET_TRACK_PREVIEW_URL, track_id=track_id, redirect=False, country=country
        )
        return address.url
