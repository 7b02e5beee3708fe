"""The streaming platform's catalogue."""

from __future__ import annotations

from collections.abc import Iterable

from ...models import Artist, DownloadUrl, Page, Release, ReleaseBatch, ReleaseType, Track, TrackBatch, UsageType
from ...operations.platform import catalogue as ops
from .. import checks
from ..resource import Pages, Resource


class Catalogue(Resource):
    """Methods of ``client.platform.catalogue``."""

    def browse_artists(
        self,
        letter: str,
        *,
        page: int = 1,
        page_size: int | None = None,
        country: str | None = None,
        usage_types: Iterable[str] | None = None,
    ) -> Pages[Artist]:
        """List the artists whose names begin with some letters.

        Args:
            letter: One letter or several.
            page: First page to fetch, from 1.
            page_size: Artists a page, 1 to 100 (500 in the live dialect); the service's default if left out.
            country: ISO 3166-1 alpha-2 code of the territory; live dialect only.
            usage_types: What the content is to be used for, such as ``subscriptionstreaming``; live dialect only.

        API: ``GET /artists/browse``
        """
        checks.non_empty("letter", letter)
        return self._pages(
            Artist,
            ops.BROWSE_ARTISTS_BY_NAME,
            letter=letter,
            page=page,
            page_size=page_size,
            country=country,
            usage_types=usage_types,
        )

    async def artist_details(
        self, artist_id: str, *, country: str | None = None, usage_types: Iterable[str] | None = None
    ) -> Artist:
        """Fetch everything known about one artist.

        Args:
            artist_id: 7digital's id.
            country: ISO 3166-1 alpha-2 code of the territory; live dialect only.
            usage_types: What the content is to be used for, such as ``subscriptionstreaming``; live dialect only.

        Raises:
            NotFoundError: No such artist.

        API: ``GET /artists/{artistId}/details``
        """
        return await self._one(
            Artist, ops.GET_ARTIST_DETAILS, artist_id=artist_id, country=country, usage_types=usage_types
        )

    def artist_releases(
        self,
        artist_id: str,
        *,
        type: ReleaseType | str | None = None,
        page: int = 1,
        page_size: int | None = None,
        country: str | None = None,
        usage_types: Iterable[str] | None = None,
    ) -> Pages[Release]:
        """List the releases of one artist.

        Args:
            artist_id: 7digital's id.
            type: Only this kind of release.
            page: First page to fetch, from 1.
            page_size: Releases a page, 1 to 100 (500 in the live dialect); the service's default if left out.
            country: ISO 3166-1 alpha-2 code of the territory; live dialect only.
            usage_types: What the content is to be used for, such as ``subscriptionstreaming``; live dialect only.

        Raises:
            NotFoundError: No such artist.

        API: ``GET /artists/{artistId}/releases``
        """
        return self._pages(
            Release,
            ops.GET_ARTIST_RELEASES,
            artist_id=artist_id,
            type=type,
            page=page,
            page_size=page_size,
            country=country,
            usage_types=usage_types,
        )

    def search_artists(
        self,
        q: str,
        *,
        page: int = 1,
        page_size: int | None = None,
        country: str | None = None,
        usage_types: Iterable[str] | None = None,
    ) -> Pages[Artist]:
        """Search the catalogue for artists, those most listened to first.

        Args:
            q: Free text.
            page: First page to fetch, from 1.
            page_size: Artists a page, 1 to 100 (500 in the live dialect); the service's default if left out.
            country: ISO 3166-1 alpha-2 code of the territory; live dialect only.
            usage_types: What the content is to be used for, such as ``subscriptionstreaming``; live dialect only.

        API: ``GET /artists/search``
        """
        return self._pages(
            Artist, ops.SEARCH_ARTISTS, q=q, page=page, page_size=page_size, country=country, usage_types=usage_types
        )

    async def releases_batch(
        self,
        release_ids: Iterable[str],
        *,
        show_errors: bool | None = None,
        country: str | None = None,
        usage_types: Iterable[str] | None = None,
    ) -> ReleaseBatch:
        """Fetch everything known about several releases.

        Args:
            release_ids: 7digital's ids.
            show_errors: Report missing items as errors; otherwise they are omitted.
            country: ISO 3166-1 alpha-2 code of the territory; live dialect only.
            usage_types: What the content is to be used for, such as ``subscriptionstreaming``; live dialect only.

        API: ``POST /releases/details/batch``
        """
        wanted = checks.non_empty_list("release_ids", release_ids)
        return await self._one(
            ReleaseBatch,
            ops.GET_RELEASES_BATCH_DETAILS,
            release_ids=wanted,
            show_errors=show_errors,
            country=country,
            usage_types=usage_types,
        )

    async def release_details(
        self, release_id: str, *, country: str | None = None, usage_types: Iterable[str] | None = None
    ) -> Release:
        """Fetch everything known about one release.

        Args:
            release_id: 7digital's id.
            country: ISO 3166-1 alpha-2 code of the territory; live dialect only.
            usage_types: What the content is to be used for, such as ``subscriptionstreaming``; live dialect only.

        Raises:
            NotFoundError: No such release.

        API: ``GET /releases/{releaseId}/details``
        """
        return await self._one(
            Release, ops.GET_RELEASE_DETAILS, release_id=release_id, country=country, usage_types=usage_types
        )

    async def release_tracks(
        self,
        release_id: str,
        *,
        page: int | None = None,
        page_size: int | None = None,
        country: str | None = None,
        usage_types: Iterable[str] | None = None,
    ) -> Page[Track]:
        """List the tracks of one release, in their order.

        Args:
            release_id: 7digital's id.
            page: Which page, from 1; live dialect only.
            page_size: Tracks a page; live dialect only, whose default is ten.
            country: ISO 3166-1 alpha-2 code of the territory; live dialect only.
            usage_types: What the content is to be used for, such as ``subscriptionstreaming``; live dialect only.

        Returns:
            One page, a sequence of tracks. Where the service cuts a long release short, ``total_items`` exceeds its
            length; only the live dialect has a way to ask for another page.

        Raises:
            NotFoundError: No such release.

        API: ``GET /releases/{releaseId}/tracks``
        """
        answer: Page[Track] = await self._caller.call(
            ops.GET_RELEASE_TRACK_LISTING,
            release_id=release_id,
            page=page,
            page_size=page_size,
            country=country,
            usage_types=usage_types,
        )
        return answer

    def search_releases(
        self,
        q: str,
        *,
        page: int = 1,
        page_size: int | None = None,
        country: str | None = None,
        usage_types: Iterable[str] | None = None,
    ) -> Pages[Release]:
        """Search the catalogue for releases, those most listened to first.

        Args:
            q: Free text.
            page: First page to fetch, from 1.
            page_size: Releases a page, 1 to 100 (500 in the live dialect); the service's default if left out.
            country: ISO 3166-1 alpha-2 code of the territory; live dialect only.
            usage_types: What the content is to be used for, such as ``subscriptionstreaming``; live dialect only.

        API: ``GET /releases/search``
        """
        return self._pages(
            Release, ops.SEARCH_RELEASES, q=q, page=page, page_size=page_size, country=country, usage_types=usage_types
        )

    def search_tracks(
        self,
        q: str,
        *,
        page: int = 1,
        page_size: int | None = None,
        country: str | None = None,
        usage_types: Iterable[str] | None = None,
    ) -> Pages[Track]:
        """Search the catalogue for tracks, those most listened to first.

        Args:
            q: Free text.
            page: First page to fetch, from 1.
            page_size: Tracks a page, 1 to 100 (500 in the live dialect); the service's default if left out.
            country: ISO 3166-1 alpha-2 code of the territory; live dialect only.
            usage_types: What the content is to be used for, such as ``subscriptionstreaming``; live dialect only.

        API: ``GET /tracks/search``
        """
        return self._pages(
            Track, ops.SEARCH_TRACKS, q=q, page=page, page_size=page_size, country=country, usage_types=usage_types
        )

    async def tracks_batch(
        self,
        track_ids: Iterable[str],
        *,
        show_errors: bool | None = None,
        country: str | None = None,
        usage_types: Iterable[str] | None = None,
    ) -> TrackBatch:
        """Fetch everything known about several tracks.

        Args:
            track_ids: 7digital's ids.
            show_errors: Report missing items as errors; otherwise they are omitted.
            country: ISO 3166-1 alpha-2 code of the territory; live dialect only.
            usage_types: What the content is to be used for, such as ``subscriptionstreaming``; live dialect only.

        API: ``POST /tracks/details/batch``
        """
        wanted = checks.non_empty_list("track_ids", track_ids)
        return await self._one(
            TrackBatch,
            ops.GET_TRACKS_BATCH_DETAILS,
            track_ids=wanted,
            show_errors=show_errors,
            country=country,
            usage_types=usage_types,
        )

    async def track_details(
        self, track_id: str, *, country: str | None = None, usage_types: Iterable[str] | None = None
    ) -> Track:
        """Fetch everything known about one track.

        Args:
            track_id: 7digital's id.
            country: ISO 3166-1 alpha-2 code of the territory; live dialect only.
            usage_types: What the content is to be used for, such as ``subscriptionstreaming``; live dialect only.

        Raises:
            NotFoundError: No such track.

        API: ``GET /tracks/{trackId}/details``
        """
        return await self._one(
            Track, ops.GET_TRACK_DETAILS, track_id=track_id, country=country, usage_types=usage_types
        )

    async def download_track(self, track_id: str) -> DownloadUrl:
        """Ask where the media file of a track can be fetched.

        Args:
            track_id: 7digital's id.

        Returns:
            A signed address, and until when it is good.

        Raises:
            NotFoundError: No such track.

        API: ``GET /tracks/{trackId}/download``
        """
        return await self._one(DownloadUrl, ops.DOWNLOAD_TRACK, track_id=track_id)

    async def usage_types(self) -> tuple[UsageType, ...]:
        """List what content of the catalogue can be licensed for.

        API: ``GET /usage-types``
        """
        return await self._all(UsageType, ops.GET_USAGE_TYPE_INFORMATION)
