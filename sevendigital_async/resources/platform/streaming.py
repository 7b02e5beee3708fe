"""Streams. Every play has to be reported with ``client.platform.logging`` or a ``StreamLogShipper``."""

from __future__ import annotations

from ...operations.platform import streaming as ops
from ..media_handle import MediaHandle
from ..resource import Resource


class Streaming(Resource):
    """Methods of ``client.platform.streaming``.

    Progressive streams are media to read, save or hand to a player; HLS streams are the text of a manifest.
    """

    def preview(
        self,
        track_id: str,
        *,
        format: str | None = None,
        country: str | None = None,
    ) -> MediaHandle:
        """Stream the preview clip of a track.

        Args:
            track_id: 7digital's id.
            format: ``mp3`` or ``aac``; not in the live dialect.
            country: ISO 3166-1 alpha-2 code of where the user is; live dialect only.

        Raises:
            NotFoundError: No such track.

        API: ``GET /streaming/preview/{trackId}``
        """
        return self._media(ops.STREAM_PREVIEW_CLIP, track_id=track_id, format=format, country=country)

    async def catalogue_hls(
        self, track_id: str, *, format_id: str | None = None, country: str | None = None, user_id: str | None = None
    ) -> str:
        """Fetch the manifest of any track that the user's region allows, for radio-style listening.

        Args:
            track_id: 7digital's id.
            format_id: 7digital's number of a format; only in the live dialect, which requires it.
            country: ISO 3166-1 alpha-2 code of where the user is; only in the live dialect, which requires it.
            user_id: Who listens, in the partner's own numbering, unless the client acts for a user; live dialect only.

        Raises:
            NotFoundError: No such track in the region.
            NotAvailableError: It can't be streamed there, or not yet.

        API: ``GET /streaming/catalogue/{trackId}/hls``
        """
        return await self._text(
            ops.STREAM_CATALOGUE_TRACK_HLS, track_id=track_id, format_id=format_id, country=country, user_id=user_id
        )

    def catalogue(
        self, track_id: str, *, format_id: str | None = None, country: str | None = None, user_id: str | None = None
    ) -> MediaHandle:
        """Stream any track that the user's region allows, for radio-style listening.

        Args:
            track_id: 7digital's id.
            format_id: 7digital's number of a format; only in the live dialect, which requires it.
            country: ISO 3166-1 alpha-2 code of where the user is; only in the live dialect, which requires it.
            user_id: Who listens, in the partner's own numbering, unless the client acts for a user; live dialect only.

        Raises:
            NotFoundError: No such track in the region.
            NotAvailableError: It can't be streamed there, or not yet.

        API: ``GET /streaming/catalogue/{trackId}/progressive``
        """
        return self._media(
            ops.STREAM_CATALOGUE_TRACK_PROGRESSIVE,
            track_id=track_id,
            format_id=format_id,
            country=country,
            user_id=user_id,
        )

    async def locker_hls(
        self, track_id: str, *, format_id: str | None = None, country: str | None = None, user_id: str | None = None
    ) -> str:
        """Fetch the manifest of a track that the user has bought.

        Args:
            track_id: 7digital's id.
            format_id: 7digital's number of a format; only in the live dialect, which requires it.
            country: ISO 3166-1 alpha-2 code of where the user is; only in the live dialect, which requires it.
            user_id: Who listens, in the partner's own numbering, unless the client acts for a user; live dialect only.

        Raises:
            NotFoundError: No such track.
            NotAvailableError: The user hasn't bought it.

        API: ``GET /streaming/locker/{trackId}/hls``
        """
        return await self._text(
            ops.STREAM_LOCKER_TRACK_HLS, track_id=track_id, format_id=format_id, country=country, user_id=user_id
        )

    def locker(
        self, track_id: str, *, format_id: str | None = None, country: str | None = None, user_id: str | None = None
    ) -> MediaHandle:
        """Stream a track that the user has bought.

        Args:
            track_id: 7digital's id.
            format_id: 7digital's number of a format; only in the live dialect, which requires it.
            country: ISO 3166-1 alpha-2 code of where the user is; only in the live dialect, which requires it.
            user_id: Who listens, in the partner's own numbering, unless the client acts for a user; live dialect only.

        Raises:
            NotFoundError: No such track.
            NotAvailableError: The user hasn't bought it.

        API: ``GET /streaming/locker/{trackId}/progressive``
        """
        return self._media(
            ops.STREAM_LOCKER_TRACK_PROGRESSIVE,
            track_id=track_id,
            format_id=format_id,
            country=country,
            user_id=user_id,
        )

    async def subscription_hls(
        self,
        track_id: str,
        *,
        client_id: str | None = None,
        format_id: str | None = None,
        country: str | None = None,
        user_id: str | None = None,
    ) -> str:
        """Fetch the manifest of any track, for a subscriber.

        Args:
            track_id: 7digital's id.
            client_id: The partner's id of the device; if given, one user can't listen on two devices at a time.
            format_id: 7digital's number of a format; only in the live dialect, which requires it.
            country: ISO 3166-1 alpha-2 code of where the user is; only in the live dialect, which requires it.
            user_id: Who listens, in the partner's own numbering, unless the client acts for a user; live dialect only.

        Raises:
            NotFoundError: No such track in the region.
            NotAvailableError: It can't be streamed there or not yet, or the subscription has run out.
            SimultaneousStreamsError: The user listens on another device.

        API: ``GET /streaming/subscription/{trackId}/hls``
        """
        return await self._text(
            ops.STREAM_SUBSCRIPTION_TRACK_HLS,
            track_id=track_id,
            client_id=client_id,
            format_id=format_id,
            country=country,
            user_id=user_id,
        )

    def subscription(
        self,
        track_id: str,
        *,
        format_id: str | None = None,
        country: str | None = None,
        user_id: str | None = None,
        client_id: str | None = None,
    ) -> MediaHandle:
        """Stream any track to a subscriber.

        Args:
            track_id: 7digital's id.
            format_id: 7digital's number of a format; only in the live dialect, which requires it.
            country: ISO 3166-1 alpha-2 code of where the user is; only in the live dialect, which requires it.
            user_id: Who listens, in the partner's own numbering, unless the client acts for a user; live dialect only.
            client_id: The partner's id of the device; live dialect only.

        Raises:
            NotFoundError: No such track in the region.
            NotAvailableError: It can't be streamed there or not yet, or the subscription has run out.
            SimultaneousStreamsError: The user listens on another device.

        API: ``GET /streaming/subscription/{trackId}/progressive``
        """
        return self._media(
            ops.STREAM_SUBSCRIPTION_TRACK_PROGRESSIVE,
            track_id=track_id,
            format_id=format_id,
            country=country,
            user_id=user_id,
            client_id=client_id,
        )

    async def subscription_offline_hls(
        self,
        track_id: str,
        *,
        format_id: str | None = None,
        country: str | None = None,
        user_id: str | None = None,
        client_id: str | None = None,
    ) -> str:
        """Fetch the manifest of a track that a subscriber's device will keep; the device must be authorised before.

        Args:
            track_id: 7digital's id.
            format_id: 7digital's number of a format; only in the live dialect, which requires it.
            country: ISO 3166-1 alpha-2 code of where the user is; only in the live dialect, which requires it.
            user_id: Who listens, in the partner's own numbering, unless the client acts for a user; live dialect only.
            client_id: The partner's id of the device; live dialect only.

        Raises:
            NotFoundError: No such track in the region.
            NotAvailableError: It can't be streamed there or not yet, or the subscription has run out.

        API: ``GET /streaming/subscription/{trackId}/offline/hls``
        """
        return await self._text(
            ops.STREAM_SUBSCRIPTION_TRACK_OFFLINE_HLS,
            track_id=track_id,
            format_id=format_id,
            country=country,
            user_id=user_id,
            client_id=client_id,
        )

    def subscription_offline(
        self,
        track_id: str,
        *,
        format_id: str | None = None,
        country: str | None = None,
        user_id: str | None = None,
        client_id: str | None = None,
    ) -> MediaHandle:
        """Stream a track that a subscriber's device will keep; the device must be authorised before.

        Args:
            track_id: 7digital's id.
            format_id: 7digital's number of a format; only in the live dialect, which requires it.
            country: ISO 3166-1 alpha-2 code of where the user is; only in the live dialect, which requires it.
            user_id: Who listens, in the partner's own numbering, unless the client acts for a user; live dialect only.
            client_id: The partner's id of the device; only in the live dialect, which requires it.

        Raises:
            NotFoundError: No such track in the region.
            NotAvailableError: It can't be streamed there or not yet, or the subscription has run out.

        API: ``GET /streaming/subscription/{trackId}/offline/progressive``
        """
        return self._media(
            ops.STREAM_SUBSCRIPTION_TRACK_OFFLINE_PROGRESSIVE,
            track_id=track_id,
            format_id=format_id,
            country=country,
            user_id=user_id,
            client_id=client_id,
        )
