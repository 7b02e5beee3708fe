"""Groups of users' playlists."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from attrs import Factory, define, frozen


@frozen(kw_only=True)
class Group:
    """A named group of a user's playlists."""

    id: str
    name: str
    user: str
    playlist_ids: tuple[str, ...]
    modified_at: datetime


@define
class PlaylistGroups:
    """All groups, by id, in the order in which they were made."""

    _groups: dict[str, Group] = Factory(dict)
    _created_count: int = 0

    def create(self, *, name: str, user: str, playlist_ids: Sequence[str], now: datetime) -> Group:
        self._created_count += 1
        id_ = f"group-{self._created_count}"
        return self.save(Group(id=id_, name=name, user=user, playlist_ids=tuple(playlist_ids), modified_at=now))

    def save(self, group: Group) -> Group:
        """Replace the group with its id."""
        self._groups[group.id] = group
        return group

    def find(self, user: str, group_id: str) -> Group | None:
        group = self._groups.get(group_id)
        return group if group and group.user == user else None

    def remove(self, group: Group) -> None:
        del self._groups[group.id]

    def of(self, user: str) -> Sequence[Group]:
        return [group for group in self._groups.values() if group.user == user]

    def tree(self) -> list[dict[str, Any]]:
        return [
            {"id": group.id, "name": group.name, "userId": group.user, "playlistIds": list(group.playlist_ids)}
            for group in self._groups.values()
        ]
