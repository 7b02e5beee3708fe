"""Playlists of the partner and of its users."""

from __future__ import annotations

from collections.abc import Iterable

from ...models import Playlist, PlaylistTrackInput, Visibility
from ...operations.platform import playlists as ops
from .. import checks
from ..pages import Pages
from ..resource import Resource

MAX_DESCRIPTION = 500
"""Characters; the service would cut off the rest."""


class Playlists(Resource):
    """Methods of ``client.platform.playlists``."""

    def list(self, *, user_id: str | None = None, page: int = 1, page_size: int | None = None) -> Pages[Playlist]:
        """List the partner's playlists.

        Args:
            user_id: Only those of this user, in the partner's own numbering.
            page: First page to fetch, from 1.
            page_size: Playlists a page, 1 to 100; the service's default if left out.

        Returns:
            Await it for one page, iterate it for every playlist.

        API: ``GET /playlists``
        """
        checks.page_size(page_size)
        return self._pages(Playlist, ops.LIST_PLAYLISTS, user_id=user_id, page=page, page_size=page_size)

    async def create(
        self,
        name: str,
        *,
        description: str | None = None,
        visibility: Visibility | str | None = None,
        tracks: Iterable[PlaylistTrackInput] | None = None,
        user_id: str | None = None,
    ) -> Playlist:
        """Make a playlist. A second call makes a second one of the same name.

        Args:
            name: What people will call it.
            description: What it is about; at most 500 characters.
            visibility: Who can see it.
            tracks: What to put on it, in order; it may begin empty.
            user_id: Whose it is, in the partner's own numbering; the partner's own if left out.

        API: ``POST /playlists``
        """
        checks.non_empty("name", name)
        checks.text_length("description", description, MAX_DESCRIPTION)
        return await self._one(
            Playlist,
            ops.CREATE_PLAYLIST,
            name=name,
            description=description,
            visibility=visibility,
            tracks=None if tracks is None else [*tracks],
            user_id=user_id,
        )

    async def update(
        self,
        playlist_id: str,
        *,
        name: str | None = None,
        description: str | None = None,
        visibility: Visibility | str | None = None,
    ) -> Playlist:
        """Change what is said about a playlist; its tracks stay as they are.

        Args:
            playlist_id: As ``create`` or ``list`` gave it.
            name: Another name.
            description: Another description; at most 500 characters.
            visibility: Who can see it from now on.

        Raises:
            NotFoundError: No such playlist.

        API: ``PUT /playlists/{playlistId}``
        """
        checks.non_empty("name", name)
        checks.text_length("description", description, MAX_DESCRIPTION)
        return await self._one(
            Playlist,
            ops.UPDATE_PLAYLIST_DETAILS,
            playlist_id=playlist_id,
            name=name,
            description=description,
            visibility=visibility,
        )

    async def add_tracks(self, playlist_id: str, *, tracks: Iterable[PlaylistTrackInput]) -> Playlist:
        """Append tracks to a playlist. A second call appends them again.

        Args:
            playlist_id: As ``create`` or ``list`` gave it.
            tracks: What to append, in order.

        Returns:
            The playlist as it is now.

        Raises:
            NotFoundError: No such playlist.

        API: ``POST /playlists/{playlistId}/tracks``
        """
        return await self._one(
            Playlist,
            ops.ADD_TRACKS_TO_PLAYLIST,
            playlist_id=playlist_id,
            tracks=checks.listed("tracks", tracks),
        )
