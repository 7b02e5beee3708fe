"""Playlists of the partner and of its users."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

from attrs import Factory, define, evolve, frozen

_FIRST_ID = 789_001


@frozen
class PlaylistEntry:
    """One place of a playlist. It keeps its ``id`` wherever it is moved; ``position`` counts from 1."""

    id: str
    position: int
    added_at: datetime
    track: Mapping[str, str]


@frozen(kw_only=True)
class Playlist:
    """A playlist; ``user`` is None if it is the partner's, ``entries_added`` counts all it ever had."""

    id: str
    name: str
    description: str
    visibility: str
    user: str | None
    created_at: datetime
    modified_at: datetime
    entries: tuple[PlaylistEntry, ...] = ()
    entries_added: int = 0
    status: str = "published"
    image: str = ""
    tags: tuple[str, ...] = ()
    annotations: Mapping[str, str] = Factory(dict)
    favourite_of: frozenset[str] = frozenset()

    def with_tracks(self, tracks: Iterable[Mapping[str, str]], now: datetime) -> Playlist:
        """Return the playlist with more tracks at its end."""
        first = self.entries_added + 1
        added = tuple(PlaylistEntry(f"entry-{number}", 0, now, track) for number, track in enumerate(tracks, first))
        return evolve(self.with_entries((*self.entries, *added), now), entries_added=self.entries_added + len(added))

    def with_entries(self, entries: Iterable[PlaylistEntry], now: datetime) -> Playlist:
        """Return the playlist with its entries in another order, or with others in their place."""
        numbered = tuple(evolve(entry, position=number) for number, entry in enumerate(entries, 1))
        return evolve(self, entries=numbered, modified_at=now)


@define
class Playlists:
    """All playlists, by id, in the order in which they were made."""

    _playlists: dict[str, Playlist] = Factory(dict)
    _created_count: int = 0
    _tags: list[str] = Factory(list)

    def create(self, *, name: str, description: str, visibility: str, user: str | None, now: datetime) -> Playlist:
        playlist = Playlist(
            id=f"playlist-{_FIRST_ID + self._created_count}",
            name=name,
            description=description,
            visibility=visibility,
            user=user,
            created_at=now,
            modified_at=now,
        )
        self._created_count += 1
        return self.save(playlist)

    def save(self, playlist: Playlist) -> Playlist:
        """Replace the playlist with its id."""
        self._playlists[playlist.id] = playlist
        return playlist

    def add_tags(self, names: Iterable[str]) -> None:
        self._tags.extend(name for name in dict.fromkeys(names) if name not in self._tags)

    @property
    def tags(self) -> Sequence[str]:
        return tuple(self._tags)

    def find(self, playlist_id: str) -> Playlist | None:
        return self._playlists.get(playlist_id)

    def remove(self, playlist: Playlist) -> None:
        del self._playlists[playlist.id]

    def of(self, user: str | None) -> Sequence[Playlist]:
        """Return the playlists of one user, or all of them."""
        return [playlist for playlist in self._playlists.values() if user in {None, playlist.user}]

    def tree(self) -> list[dict[str, Any]]:
        return [
            {
                "id": playlist.id,
                "name": playlist.name,
                "userId": playlist.user,
                "trackIds": [entry.track["trackId"] for entry in playlist.entries],
                "favouriteOf": sorted(playlist.favourite_of),
            }
            for playlist in self._playlists.values()
        ]
