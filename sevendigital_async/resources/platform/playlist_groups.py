"""Groups of a user's playlists; only the live dialect has them."""

from __future__ import annotations

from collections.abc import Iterable

from ...models import PlaylistGroup
from ...operations.platform import playlist_groups as ops
from .. import checks
from ..resource import Resource


class PlaylistGroups(Resource):
    """Those methods of ``client.platform.playlists`` that are about groups."""

    async def groups(self, user_id: str, *, country: str | None = None) -> tuple[PlaylistGroup, ...]:
        """List a user's groups.

        Args:
            user_id: Whose, in the partner's own numbering.
            country: ISO 3166-1 alpha-2 code of a country that the key may use.

        API: ``GET /1.2/user/playlists/groups``
        """
        return await self._all(PlaylistGroup, ops.LIST_PLAYLIST_GROUPS, user_id=user_id, country=country)

    async def create_group(
        self, name: str, *, playlist_ids: Iterable[str] | None = None, user_id: str, country: str | None = None
    ) -> PlaylistGroup:
        """Make a group. A second call makes a second one of the same name.

        Args:
            name: Its name.
            playlist_ids: What to put into it.
            user_id: The partner's id of the user.
            country: ISO 3166-1 alpha-2 code of a country that the key may use.

        API: ``POST /1.2/user/playlists/groups``
        """
        checks.non_empty("name", name)
        return await self._one(
            PlaylistGroup,
            ops.CREATE_PLAYLIST_GROUP,
            name=name,
            playlist_ids=None if playlist_ids is None else checks.non_empty_list("playlist_ids", playlist_ids),
            user_id=user_id,
            country=country,
        )

    async def group(self, playlist_group_id: str, *, user_id: str, country: str | None = None) -> PlaylistGroup:
        """Fetch a group and what is said about its playlists.

        Args:
            playlist_group_id: The id that ``groups`` or ``create_group`` returned.
            user_id: The partner's id of the user.
            country: ISO 3166-1 alpha-2 code of a country that the key may use.

        Raises:
            NotFoundError: No such group.

        API: ``GET /1.2/user/playlists/groups/{playlistGroupId}``
        """
        return await self._one(
            PlaylistGroup,
            ops.READ_PLAYLIST_GROUP,
            playlist_group_id=playlist_group_id,
            user_id=user_id,
            country=country,
        )

    async def add_to_group(
        self, playlist_group_id: str, *, playlist_ids: Iterable[str], user_id: str, country: str | None = None
    ) -> PlaylistGroup:
        """Add playlists to a group; ids that nothing has are passed over when the group is read.

        Args:
            playlist_group_id: The id that ``groups`` or ``create_group`` returned.
            playlist_ids: What to add.
            user_id: The partner's id of the user.
            country: ISO 3166-1 alpha-2 code of a country that the key may use.

        Raises:
            NotFoundError: No such group.

        API: ``POST /1.2/user/playlists/groups/{playlistGroupId}``
        """
        return await self._one(
            PlaylistGroup,
            ops.ADD_TO_PLAYLIST_GROUP,
            playlist_group_id=playlist_group_id,
            playlist_ids=checks.non_empty_list("playlist_ids", playlist_ids),
            user_id=user_id,
            country=country,
        )

    async def replace_group(
        self,
        playlist_group_id: str,
        *,
        name: str,
        playlist_ids: Iterable[str] | None = None,
        user_id: str,
        country: str | None = None,
    ) -> PlaylistGroup:
        """Put another group in the place of one.

        Args:
            playlist_group_id: The id that ``groups`` or ``create_group`` returned.
            name: Its new name.
            playlist_ids: Its new playlists.
            user_id: The partner's id of the user.
            country: ISO 3166-1 alpha-2 code of a country that the key may use.

        Raises:
            NotFoundError: No such group.

        API: ``PUT /1.2/user/playlists/groups/{playlistGroupId}``
        """
        checks.non_empty("name", name)
        return await self._one(
            PlaylistGroup,
            ops.REPLACE_PLAYLIST_GROUP,
            playlist_group_id=playlist_group_id,
            name=name,
            playlist_ids=None if playlist_ids is None else checks.item_list("playlist_ids", playlist_ids),
            user_id=user_id,
            country=country,
        )

    async def delete_group(self, playlist_group_id: str, *, user_id: str, country: str | None = None) -> None:
        """Delete a group; its playlists stay.

        Args:
            playlist_group_id: The id that ``groups`` or ``create_group`` returned.
            user_id: The partner's id of the user.
            country: ISO 3166-1 alpha-2 code of a country that the key may use.

        Raises:
            NotFoundError: No such group; after a repeat, the first attempt may have done it.

        API: ``DELETE /1.2/user/playlists/groups/{playlistGroupId}``
        """
        await self._none(
            ops.DELETE_PLAYLIST_GROUP, playlist_group_id=playlist_group_id, user_id=user_id, country=country
        )
