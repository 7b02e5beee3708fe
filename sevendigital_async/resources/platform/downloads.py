"""Downloads of what a user has bought."""

from __future__ import annotations

from ...operations.platform import downloads as ops
from ..media_handle import MediaHandle
from ..resource import Resource


class Downloads(Resource):
    """Methods of ``client.platform.downloads``.

    A download may cost the user one of those that are left, so none is retried automatically after a lost response.
    """

    def purchase(self, user_id: str, *, purchase_id: str, country: str | None = None) -> MediaHandle:
        """Fetch everything bought in one transaction as a ZIP file, in the best quality there is.

        Args:
            user_id: Who bought it, in the partner's own numbering.
            purchase_id: The transaction.
            country: ISO 3166-1 alpha-2 code of the territory; live dialect only.

        Raises:
            NotAvailableError: No such purchase, it is another user's, or its licences are used up.

        API: ``GET /users/{userId}/downloads/purchases/{purchaseId}``
        """
        return self._media(ops.DOWNLOAD_PURCHASE_ZIP, user_id=user_id, purchase_id=purchase_id, country=country)

    def release(
        self, user_id: str, *, release_id: str, format_id: str | None = None, country: str | None = None
    ) -> MediaHandle:
        """Fetch a release that the user has bought as a ZIP file.

        Args:
            user_id: Who bought it, in the partner's own numbering.
            release_id: 7digital's id.
            format_id: Id of the format of the files; live dialect only.
            country: ISO 3166-1 alpha-2 code of the territory; live dialect only.

        Raises:
            NotAvailableError: The user hasn't bought it, or its licences are used up.

        API: ``GET /users/{userId}/downloads/releases/{releaseId}``
        """
        return self._media(
            ops.DOWNLOAD_PURCHASED_RELEASE_ZIP,
            user_id=user_id,
            release_id=release_id,
            format_id=format_id,
            country=country,
        )

    def track(
        self,
        user_id: str,
        *,
        track_id: str,
        release_id: str | None = None,
        format_id: str | None = None,
        country: str | None = None,
    ) -> MediaHandle:
        """Fetch a track that the user has bought.

        Args:
            user_id: Who bought it, in the partner's own numbering.
            track_id: 7digital's id.
            release_id: The release it was bought from; only in the live dialect, which requires it.
            format_id: Id of the format of the file; only in the live dialect, which requires it.
            country: ISO 3166-1 alpha-2 code of the territory; live dialect only.

        Raises:
            NotAvailableError: The user hasn't bought it, or its licences are used up.

        API: ``GET /users/{userId}/downloads/tracks/{trackId}``
        """
        return self._media(
            ops.DOWNLOAD_PURCHASED_TRACK,
            user_id=user_id,
            track_id=track_id,
            release_id=release_id,
            format_id=format_id,
            country=country,
        )
