"""Checks and encodes many plays together, column by column."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime

import orjson

from ..countries import COUNTRY_CODES
from .stream_log import BACKSLASH, MAX_SECONDS, MAX_TEXT, StreamLog, Window

_TEXT, _WHOLE, _TIME = {str}, {int}, {datetime}


def encoded_together(logs: Sequence[StreamLog], window: Window) -> list[bytes] | None:
    """Return the plays as :func:`~.stream_log.checked_and_encoded` does, in three quarters of the time.

    None says nothing about the plays: one may lack a field, be written in another form, or be invalid.

    Args:
        logs: At least one.
        window: The times that are accepted.
    """
    rows = [
        (log.track_id, log.user_id, log.client_id, log.timestamp, log.duration_played, log.country)
        for log in logs
        if log.release_id is log.format_id is log.play_mode is log.end_reason is log.play_type is log.user_agent is None
    ]
    if len(rows) < len(logs):
        return None
    tracks, users, clients, moments, durations, countries = zip(*rows, strict=True)
    if not (
        {*map(type, tracks), *map(type, users), *map(type, clients), *map(type, countries)} == _TEXT
        and min(map(min, (tracks, users, clients))) >= "!"
        and set(map(type, durations)) == _WHOLE
        and min(durations) >= 0
        and max(durations) <= MAX_SECONDS
        and set(countries) <= COUNTRY_CODES
        and set(map(type, moments)) == _TIME
        and not [moment for moment in moments if moment.tzinfo is not UTC]
        and window.oldest < min(moments)
        and max(moments) <= window.newest
    ):
        return None
    wires = [
        {
            "trackId": track,
            "userId": user,
            "clientId": client,
            "timestamp": moment,
            "durationPlayed": duration,
            "country": country,
        }
        for track, user, client, moment, duration, country in rows
    ]
    try:
        text = orjson.dumps(wires, option=orjson.OPT_UTC_Z)
    except orjson.JSONEncodeError:  # a lone surrogate
        return None
    if BACKSLASH in text or not text.isascii():
        return None
    # No value has a quotation mark or a line feed now. orjson writes six digits of a second where three are meant.
    text = text[1:-1].replace(b'000Z","durationPlayed":', b'Z","durationPlayed":')
    bodies = text.replace(b"},{", b"}\n{").split(b"\n")
    return bodies if len(bodies) == len(logs) and max(map(len, bodies)) <= MAX_TEXT else None
