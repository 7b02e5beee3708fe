"""Interactive radio: listening sessions that keep to a set of rules."""

from __future__ import annotations

from collections.abc import Iterable

from ...models import PlaybackEvent, RadioSession, RadioTrack, Ruleset
from ...operations.platform import radio as ops
from .. import checks
from ..resource import Resource


class Radio(Resource):
    """Methods of ``client.platform.radio``."""

    async def create_session(
        self,
        *,
        user_id: str,
        playlist_ids: Iterable[str],
        ruleset: Ruleset | str | None = None,
        country: str | None = None,
    ) -> RadioSession:
        """Begin a listening session; a user needs a new one each time a station is launched.

        Args:
            user_id: Who listens, in the partner's own numbering.
            playlist_ids: One playlist or several to choose tracks from.
            ruleset: The rules that decide what may be played and skipped.
            country: ISO 3166-1 alpha-2 code of where the user listens.

        API: ``POST /interactive-radio/sessions``
        """
        return await self._one(
            RadioSession,
            ops.CREATE_INTERACTIVE_RADIO_SESSION,
            user_id=user_id,
            playlist_ids=checks.non_empty_list("playlist_ids", playlist_ids),
            ruleset=ruleset,
            country=country,
        )

    async def delete_session(self, session_id: str) -> None:
        """End a listening session.

        Args:
            session_id: The id that ``create_session`` returned.

        Raises:
            NotFoundError: No such session; after a repeat, it may have been ended by the first attempt.

        API: ``DELETE /interactive-radio/sessions/{sessionId}``
        """
        await self._none(ops.DELETE_INTERACTIVE_RADIO_SESSION, session_id=session_id)

    async def next_track(self, session_id: str) -> RadioTrack:
        """Ask what to play next. It moves the session on, so it is never asked twice after a lost response.

        Args:
            session_id: The id that ``create_session`` returned.

        Raises:
            NotFoundError: No such session.

        API: ``GET /interactive-radio/sessions/{sessionId}/next-track``
        """
        return await self._one(RadioTrack, ops.GET_INTERACTIVE_RADIO_NEXT_TRACK, session_id=session_id)

    async def post_events(self, session_id: str, *, events: Iterable[PlaybackEvent]) -> None:
        """Report what the listener did; it decides what may be played and skipped from then on.

        Args:
            session_id: The id that ``create_session`` returned.
            events: In the order in which they happened; one at a time in the live dialect.

        Raises:
            NotFoundError: No such session.
            InvalidArgumentError: The dialect in use accepts fewer events, or requires a field that one lacks.

        API: ``POST /interactive-radio/sessions/{sessionId}/events``
        """
        await self._none(
            ops.POST_INTERACTIVE_RADIO_PLAYBACK_EVENTS,
            session_id=session_id,
            events=checks.non_empty_list("events", events),
        )
