"""Playlists of the partner and of its users."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from ...models import Playlist, PlaylistTag, PlaylistTrack, PlaylistTrackInput, Visibility
from ...operations.platform import playlists as ops
from .. import checks
from ..resource import Pages
from .playlist_groups import PlaylistGroups

MAX_DESCRIPTION = 500
"""Characters; the service would cut off the rest."""

MAX_TRACKS_PER_PAGE = 500


class Playlists(PlaylistGroups):
    """Methods of ``client.platform.playlists``."""

    def list(
        self,
        *,
        user_id: str | None = None,
        page: int = 1,
        page_size: int | None = None,
        country: str | None = None,
        status: str | None = None,
        tags: Iterable[str] | None = None,
    ) -> Pages[Playlist]:
        """List the partner's playlists.

        Args:
            user_id: Only those of this user, in the partner's own numbering.
            page: First page to fetch, from 1.
            page_size: Playlists a page, 1 to 100 (500 in the live dialect); the service's default if left out.
            country: ISO 3166-1 alpha-2 code of a country that the key may use; in the live dialect alone.
            status: Only those of this status; live dialect only.
            tags: Only those with these tags; live dialect only.

        API: ``GET /playlists``
        """
        return self._pages(
            Playlist,
            ops.LIST_PLAYLISTS,
            user_id=user_id,
            page=page,
            page_size=page_size,
            country=country,
            status=status,
            tags=None if tags is None else checks.non_empty_list("tags", tags),
        )

    async def create(
        self,
        name: str,
        *,
        description: str | None = None,
        visibility: Visibility | str | None = None,
        tracks: Iterable[PlaylistTrackInput] | None = None,
        user_id: str | None = None,
        country: str | None = None,
        status: str | None = None,
        image: str | None = None,
        tags: Iterable[PlaylistTag | str] | None = None,
        annotations: Mapping[str, str] | None = None,
    ) -> Playlist:
        """Make a playlist. A second call makes a second one of the same name.

        Args:
            name: Its name.
            description: The description; at most 500 characters.
            visibility: Who can see it.
            tracks: Its tracks, in order; it may be empty.
            user_id: The partner's id of the user; the partner's own if left out.
            country: ISO 3166-1 alpha-2 code of a country that the key may use; in the live dialect alone.
            status: ``draft``, ``published``, or a word of your own; live dialect only.
            image: Address of a picture; live dialect only, as what follows.
            tags: Its tags.
            annotations: What to keep with it, value by key.

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
            tracks=None if tracks is None else checks.item_list("tracks", tracks),
            user_id=user_id,
            country=country,
            status=status,
            image=image,
            tags=None if tags is None else checks.item_list("tags", tags),
            annotations=annotations,
        )

    async def update(
        self,
        playlist_id: str,
        *,
        name: str | None = None,
        description: str | None = None,
        visibility: Visibility | str | None = None,
        country: str | None = None,
        user_id: str | None = None,
        status: str | None = None,
        image: str | None = None,
        tags: Iterable[PlaylistTag | str] | None = None,
        annotations: Mapping[str, str] | None = None,
    ) -> Playlist:
        """Change what is said about a playlist; its tracks stay as they are.

        Args:
            playlist_id: The id that ``create`` or ``list`` returned.
            name: Another name.
            description: Another description; at most 500 characters.
            visibility: Who can see it from now on.
            country: ISO 3166-1 alpha-2 code of a country that the key may use; in the live dialect alone.
            user_id: The partner's id of the user, if a user owns it; live dialect only.
            status: ``draft``, ``published``, or a word of your own; live dialect only.
            image: Address of a picture; live dialect only, as what follows.
            tags: Its tags.
            annotations: What to keep with it, value by key.

        Returns:
            The playlist as it is now; in the live dialect, whose response is empty, its id, what was changed, and the
            ``url`` that the response names.

        Raises:
            NotFoundError: No such playlist.

        API: ``PUT /playlists/{playlistId}``
        """
        checks.non_empty("name", name)
        checks.text_length("description", description, MAX_DESCRIPTION)
        checks.require_change(
            name=name,
            description=description,
            visibility=visibility,
            status=status,
            image=image,
            tags=tags,
            annotations=annotations,
        )
        return await self._one(
            Playlist,
            ops.UPDATE_PLAYLIST_DETAILS,
            playlist_id=playlist_id,
            name=name,
            description=description,
            visibility=visibility,
            country=country,
            user_id=user_id,
            status=status,
            image=image,
            tags=None if tags is None else checks.item_list("tags", tags),
            annotations=annotations,
        )

    async def add_tracks(
        self,
        playlist_id: str,
        *,
        tracks: Iterable[PlaylistTrackInput],
        country: str | None = None,
        user_id: str | None = None,
    ) -> Playlist:
        """Append tracks to a playlist. A second call appends them again.

        Args:
            playlist_id: The id that ``create`` or ``list`` returned.
            tracks: What to append, in order.
            country: ISO 3166-1 alpha-2 code of a country that the key may use; in the live dialect alone.
            user_id: The partner's id of the user, if a user owns it; live dialect only.

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
            tracks=checks.non_empty_list("tracks", tracks),
            country=country,
            user_id=user_id,
        )

    async def read(self, playlist_id: str, *, country: str | None = None, user_id: str | None = None) -> Playlist:
        """Fetch a playlist with its tracks; in the live dialect only.

        Args:
            playlist_id: The id that ``create`` or ``list`` returned.
            country: ISO 3166-1 alpha-2 code of a country that the key may use.
            user_id: The partner's id of the user, if a user owns it.

        Raises:
            NotFoundError: No such playlist.

        API: ``GET /1.2/playlists/{playlistId}``
        """
        return await self._one(Playlist, ops.READ_PLAYLIST, playlist_id=playlist_id, country=country, user_id=user_id)

    async def details(self, playlist_id: str, *, country: str | None = None, user_id: str | None = None) -> Playlist:
        """Fetch what is said about a playlist, without its tracks; in the live dialect only.

        Args:
            playlist_id: The id that ``create`` or ``list`` returned.
            country: ISO 3166-1 alpha-2 code of a country that the key may use.
            user_id: The partner's id of the user, if a user owns it.

        Raises:
            NotFoundError: No such playlist.

        API: ``GET /1.2/playlists/{playlistId}/details``
        """
        return await self._one(
            Playlist, ops.READ_PLAYLIST_DETAILS, playlist_id=playlist_id, country=country, user_id=user_id
        )

    def tracks(
        self,
        playlist_id: str,
        *,
        page: int = 1,
        page_size: int | None = None,
        country: str | None = None,
        user_id: str | None = None,
    ) -> Pages[PlaylistTrack]:
        """List what is on a playlist; in the live dialect only.

        Args:
            playlist_id: The id that ``create`` or ``list`` returned.
            page: First page to fetch, from 1.
            page_size: Tracks a page, 1 to 500; the service's default if left out.
            country: ISO 3166-1 alpha-2 code of a country that the key may use.
            user_id: The partner's id of the user, if a user owns it.

        Returns:
            Await it for one page, iterate it for every track; ``id`` is that of the entry.

        Raises:
            NotFoundError: No such playlist.

        API: ``GET /1.2/playlists/{playlistId}/tracks``
        """
        return self._pages(
            PlaylistTrack,
            ops.LIST_PLAYLIST_TRACKS,
            playlist_id=playlist_id,
            page=page,
            page_size=page_size,
            country=country,
            user_id=user_id,
        )

    async def replace(
        self,
        playlist_id: str,
        *,
        name: str | None = None,
        description: str | None = None,
        status: str | None = None,
        visibility: Visibility | str | None = None,
        tracks: Iterable[PlaylistTrackInput] | None = None,
        country: str | None = None,
        user_id: str | None = None,
        image: str | None = None,
        tags: Iterable[PlaylistTag | str] | None = None,
        annotations: Mapping[str, str] | None = None,
    ) -> Playlist:
        """Put another playlist in the place of one, after much was changed elsewhere; in the live dialect only.

        Args:
            playlist_id: The id that ``create`` or ``list`` returned.
            name: Its new name.
            description: The description; at most 500 characters.
            status: ``draft``, ``published``, or a word of your own.
            visibility: Who can see it.
            tracks: Its new tracks, in order.
            country: ISO 3166-1 alpha-2 code of a country that the key may use.
            user_id: The partner's id of the user, if a user owns it.
            image: Address of a picture.
            tags: Its tags.
            annotations: What to keep with it, value by key.

        Raises:
            NotFoundError: No such playlist.

        API: ``POST /1.2/playlists/{playlistId}``
        """
        checks.non_empty("name", name)
        checks.text_length("description", description, MAX_DESCRIPTION)
        return await self._one(
            Playlist,
            ops.REPLACE_PLAYLIST,
            playlist_id=playlist_id,
            name=name,
            description=description,
            status=status,
            visibility=visibility,
            tracks=None if tracks is None else checks.item_list("tracks", tracks),
            country=country,
            user_id=user_id,
            image=image,
            tags=None if tags is None else checks.item_list("tags", tags),
            annotations=annotations,
        )

    async def delete(self, playlist_id: str, *, country: str | None = None, user_id: str | None = None) -> None:
        """Delete a playlist; in the live dialect only.

        Args:
            playlist_id: The id that ``create`` or ``list`` returned.
            country: ISO 3166-1 alpha-2 code of a country that the key may use.
            user_id: The partner's id of the user, if a user owns it.

        Raises:
            NotFoundError: No such playlist; after a repeat, the first attempt may have done it.

        API: ``DELETE /1.2/playlists/{playlistId}``
        """
        await self._none(ops.DELETE_PLAYLIST, playlist_id=playlist_id, country=country, user_id=user_id)

    async def move_track(
        self,
        playlist_id: str,
        *,
        playlist_track_id: str,
        after: str | None = None,
        country: str | None = None,
        user_id: str | None = None,
    ) -> Playlist:
        """Move an entry of a playlist to another place; in the live dialect only.

        Args:
            playlist_id: The id that ``create`` or ``list`` returned.
            playlist_track_id: The entry's own id, as ``tracks`` gives it.
            after: Id of the entry that it is to follow; the front if left out.
            country: ISO 3166-1 alpha-2 code of a country that the key may use.
            user_id: The partner's id of the user, if a user owns it.

        Raises:
            NotFoundError: No such playlist or entry.

        API: ``POST /1.2/playlists/{playlistId}/tracks/{playlistTrackId}/move``
        """
        return await self._one(
            Playlist,
            ops.MOVE_PLAYLIST_TRACK,
            playlist_id=playlist_id,
            playlist_track_id=playlist_track_id,
            after=after,
            country=country,
            user_id=user_id,
        )

    async def remove_track(
        self, playlist_id: str, *, playlist_track_id: str, country: str | None = None, user_id: str | None = None
    ) -> None:
        """Take an entry off a playlist; in the live dialect only.

        Args:
            playlist_id: The id that ``create`` or ``list`` returned.
            playlist_track_id: The entry's own id, as ``tracks`` gives it.
            country: ISO 3166-1 alpha-2 code of a country that the key may use.
            user_id: The partner's id of the user, if a user owns it.

        Raises:
            NotFoundError: No such entry; after a repeat, the first attempt may have done it.

        API: ``DELETE /1.2/playlists/{playlistId}/tracks/{playlistTrackId}``
        """
        await self._none(
            ops.REMOVE_PLAYLIST_TRACK,
            playlist_id=playlist_id,
            playlist_track_id=playlist_track_id,
            country=country,
            user_id=user_id,
        )

    async def tags(self, *, country: str | None = None) -> tuple[PlaylistTag, ...]:
        """List the tags of the partner's playlists; in the live dialect only.

        Args:
            country: ISO 3166-1 alpha-2 code of a country that the key may use.

        API: ``GET /1.2/playlists/tags``
        """
        return await self._all(PlaylistTag, ops.LIST_PLAYLIST_TAGS, country=country)

    async def create_tags(
        self, tags: Iterable[PlaylistTag | str], *, country: str | None = None
    ) -> tuple[PlaylistTag, ...]:
        """Add tags for playlists; in the live dialect only.

        Args:
            tags: The tags, or their names; at least one.
            country: ISO 3166-1 alpha-2 code of a country that the key may use.

        Returns:
            The tags of the response, or those that were sent if it is empty.

        API: ``POST /1.2/playlists/tags``
        """
        listed = checks.non_empty_list("tags", tags)
        return await self._all(PlaylistTag, ops.CREATE_PLAYLIST_TAGS, tags=listed, country=country)

    async def add_favourite(self, playlist_id: str, *, user_id: str, country: str | None = None) -> None:
        """Make a playlist one of a user's favourites; in the live dialect only.

        Args:
            playlist_id: The id that ``create`` or ``list`` returned.
            user_id: The partner's id of the user.
            country: ISO 3166-1 alpha-2 code of a country that the key may use.

        Raises:
            NotFoundError: No such playlist.

        API: ``PUT /1.2/playlists/{playlistId}/favourites/{userId}``
        """
        await self._none(ops.ADD_PLAYLIST_FAVOURITE, playlist_id=playlist_id, user_id=user_id, country=country)

    async def remove_favourite(self, playlist_id: str, *, user_id: str, country: str | None = None) -> None:
        """Take a playlist out of a user's favourites; in the live dialect only.

        Args:
            playlist_id: The id that ``create`` or ``list`` returned.
            user_id: The partner's id of the user.
            country: ISO 3166-1 alpha-2 code of a country that the key may use.

        Raises:
            NotFoundError: It is not among them; after a repeat, the first attempt may have done it.

        API: ``DELETE /1.2/playlists/{playlistId}/favourites/{userId}``
        """
        await self._none(ops.REMOVE_PLAYLIST_FAVOURITE, playlist_id=playlist_id, user_id=user_id, country=country)
