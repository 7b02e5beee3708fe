"""Radio sessions: what plays next, and how often the listener may still skip."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any
from uuid import NAMESPACE_URL, uuid5

from attrs import Factory, define

SKIPS_BY_RULESET: Mapping[str, int] = {"dmca": 6, "gvl": 5, "custom": 10}
"""Skips of a session, by its ruleset."""


@define(kw_only=True)
class Session:
    """One listening session; ``tracks_played`` counts the tracks that it has named so far."""

    id: str
    user: str
    ruleset: str
    track_ids: Sequence[str]
    created_at: datetime
    skips_remaining: int
    tracks_played: int = 0

    def next_track(self) -> str:
        track_id = self.track_ids[self.tracks_played % len(self.track_ids)]
        self.tracks_played += 1
        return track_id


@define
class RadioSessions:
    """The sessions under way, by id."""

    _sessions: dict[str, Session] = Factory(dict)
    _created_count: int = 0

    def create(self, *, user: str, ruleset: str, track_ids: Sequence[str], now: datetime) -> Session:
        self._created_count += 1
        session = Session(
            id=str(uuid5(NAMESPACE_URL, f"radio session {self._created_count}")),
            user=user,
            ruleset=ruleset,
            track_ids=track_ids,
            created_at=now,
            skips_remaining=SKIPS_BY_RULESET[ruleset],
        )
        self._sessions[session.id] = session
        return session

    def find(self, session_id: str) -> Session | None:
        return self._sessions.get(session_id)

    def delete(self, session_id: str) -> None:
        del self._sessions[session_id]

    def tree(self) -> list[dict[str, Any]]:
        return [
            {
                "sessionId": session.id,
                "userId": session.user,
                "played": session.tracks_played,
                "skipsRemaining": session.skips_remaining,
            }
            for session in self._sessions.values()
        ]
