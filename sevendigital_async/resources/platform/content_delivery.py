"""Delivery of the catalogue's media files in bulk."""

from __future__ import annotations

from ...operations.platform import content_delivery as ops
from ..media_handle import MediaHandle
from ..resource import Resource


class ContentDelivery(Resource):
    """Methods of ``client.platform.content_delivery``."""

    def transfer_media(
        self,
        track_id: str,
        *,
        format: str | None = None,
        bitrate: int | None = None,
        format_id: str | None = None,
        country: str | None = None,
    ) -> MediaHandle:
        """Fetch the media file of any track; at most fifty such requests leave in any second.

        Args:
            track_id: 7digital's id.
            format: ``mp3``, ``flac`` or ``aac``.
            bitrate: In kbit/s, such as 320.
            format_id: In the live dialect, in place of both.
            country: ISO 3166-1 alpha-2 code of the territory; live dialect only.

        Raises:
            NotFoundError: No such track.
            PermissionDeniedError: The key has not been cleared for this.

        API: ``GET /content-delivery/media-transfer``
        """
        return self._media(
            ops.TRANSFER_MEDIA,
            track_id=track_id,
            format=format,
            bitrate=bitrate,
            format_id=format_id,
            country=country,
        )
