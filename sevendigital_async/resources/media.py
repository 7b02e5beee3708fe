"""Media delivery: what users own, and any track of the catalogue.

All of these are requested by a player or a browser as readily as by a program: ``url()`` of what they return is a
signed address for those. Where an error occurs, they are sent to ``error_url`` with its code and message in the query.
"""

from __future__ import annotations

from ..operations import media as ops
from .media_handle import MediaHandle
from .resource import Resource


class Media(Resource):
    """Methods of ``client.media``.

    Downloads cost something: one of those that the user has left, or the partner's money. None is repeated by
    itself after a lost response. Streams cost nothing.
    """

    def download_track(
        self,
        *,
        track_id: str,
        release_id: str,
        format_id: str,
        country: str | None = None,
        user_id: str | None = None,
        error_url: str | None = None,
    ) -> MediaHandle:
        """Download a track that the user owns; one download fewer is left then.

        Args:
            track_id: 7digital's id.
            release_id: The release that it was bought on.
            format_id: One of the formats that the locker lists.
            country: ISO 3166-1 alpha-2 code of the territory.
            user_id: Id of a user that the partner manages, in place of a token.
            error_url: Where a browser is sent if it fails.

        Raises:
            NotAvailableError: The user doesn't own it, or its licences are used up.

        API: ``GET /media/user/downloadtrack``
        """
        return self._media(
            ops.DOWNLOAD_TRACK,
            track_id=track_id,
            release_id=release_id,
            format_id=format_id,
            country=country,
            user_id=user_id,
            error_url=error_url,
        )

    def stream_track(
        self,
        *,
        track_id: str,
        release_id: str,
        format_id: str,
        country: str | None = None,
        user_id: str | None = None,
        error_url: str | None = None,
    ) -> MediaHandle:
        """Stream a track that the user owns.

        Args:
            track_id: 7digital's id.
            release_id: The release that it was bought on.
            format_id: ``26`` is MP3 at 128 kbit/s, ``50`` at 64.
            country: ISO 3166-1 alpha-2 code of the territory.
            user_id: Id of a user that the partner manages, in place of a token.
            error_url: Where a browser is sent if it fails.

        Raises:
            NotAvailableError: The user doesn't own it, or its licences are used up.

        API: ``GET /media/user/streamtrack``
        """
        return self._media(
            ops.STREAM_TRACK,
            track_id=track_id,
            release_id=release_id,
            format_id=format_id,
            country=country,
            user_id=user_id,
            error_url=error_url,
        )

    def download_release(
        self,
        release_id: str,
        *,
        format_id: str | None = None,
        country: str | None = None,
        user_id: str | None = None,
        error_url: str | None = None,
    ) -> MediaHandle:
        """Download a release that the user owns as a ZIP file; one download fewer of each track is left then.

        Args:
            release_id: 7digital's id.
            format_id: One of the formats that the locker lists.
            country: ISO 3166-1 alpha-2 code of the territory.
            user_id: Id of a user that the partner manages, in place of a token.
            error_url: Where a browser is sent if it fails.

        Raises:
            NotAvailableError: The user doesn't own it, or its licences are used up.

        API: ``GET /media/user/download/release``
        """
        return self._media(
            ops.DOWNLOAD_RELEASE,
            release_id=release_id,
            format_id=format_id,
            country=country,
            user_id=user_id,
            error_url=error_url,
        )

    def download_purchase(
        self,
        purchase_id: str,
        *,
        country: str | None = None,
        user_id: str | None = None,
        error_url: str | None = None,
    ) -> MediaHandle:
        """Download everything of one purchase as a ZIP file; one download fewer of each track is left then.

        Args:
            purchase_id: As the purchase or the delivery gave it.
            country: ISO 3166-1 alpha-2 code of the territory.
            user_id: Id of a user that the partner manages, in place of a token.
            error_url: Where a browser is sent if it fails.

        Raises:
            NotAvailableError: No such purchase, it is another user's, or its licences are used up.

        API: ``GET /media/user/download/purchase``
        """
        return self._media(
            ops.DOWNLOAD_PURCHASE, purchase_id=purchase_id, country=country, user_id=user_id, error_url=error_url
        )

    def stream(
        self,
        track_id: str,
        *,
        release_id: str | None = None,
        format_id: str | None = None,
        country: str | None = None,
        user_id: str | None = None,
    ) -> MediaHandle:
        """Stream any track of the catalogue that is available in the user's country; the user need not own it.

        Args:
            track_id: 7digital's id.
            release_id: The release that it is on.
            format_id: ``26`` is MP3 at 128 kbit/s and the service's default, ``50`` at 64.
            country: ISO 3166-1 alpha-2 code of the territory; the service takes ``GB`` if left out.
            user_id: Who listens, in the partner's own numbering; required unless the client acts for a user.

        Raises:
            NotFoundError: No such track.
            NotAvailableError: It can't be streamed in this country, or not yet.

        API: ``GET /media/track/stream``
        """
        return self._media(
            ops.STREAM,
            track_id=track_id,
            release_id=release_id,
            format_id=format_id,
            country=country,
            user_id=user_id,
        )

    def stream_url(
        self,
        track_id: str,
        *,
        release_id: str | None = None,
        format_id: str | None = None,
        country: str | None = None,
        user_id: str | None = None,
    ) -> str:
        """Return a signed address of what ``stream`` streams, to be handed to a player.

        It is good once, and for a few minutes; it speaks for the user, so treat it as a secret.

        Args:
            track_id: 7digital's id.
            release_id: The release that it is on.
            format_id: ``26`` is MP3 at 128 kbit/s and the service's default, ``50`` at 64.
            country: ISO 3166-1 alpha-2 code of the territory; the service takes ``GB`` if left out.
            user_id: Who listens, in the partner's own numbering; required unless the client acts for a user.
        """
        return self.stream(track_id, release_id=release_id, format_id=format_id, country=country, user_id=user_id).url()

    def download(
        self,
        *,
        track_id: str,
        format_id: str,
        country: str | None = None,
        user_id: str | None = None,
        error_url: str | None = None,
    ) -> MediaHandle:
        """Download any track of the catalogue; the user need not own it, and the partner is billed for it.

        Args:
            track_id: 7digital's id.
            format_id: One of the formats that the catalogue lists.
            country: ISO 3166-1 alpha-2 code of the territory; the service takes ``GB`` if left out.
            user_id: For whom, in the partner's own numbering; for reports.
            error_url: Where a browser is sent if it fails.

        Raises:
            NotFoundError: No such track.
            NotAvailableError: It is not available in this country, or not yet.

        API: ``GET /media/track/download``
        """
        return self._media(
            ops.DOWNLOAD, track_id=track_id, format_id=format_id, country=country, user_id=user_id, error_url=error_url
        )
