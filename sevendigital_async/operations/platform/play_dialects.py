"""How each dialect takes plays: what a play must tell there, how it is spelled, and which plays may travel together.

Plays wait in spools, lie in journals and are replayed in one form, that of ``StreamLog.encode``, whatever the dialect.
Here that form becomes the arguments of a request, and what a dialect has no place for is refused before it is accepted.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Protocol

import orjson
from attrs import frozen

from ...config import Dialect
from ...errors import InvalidLogError
from ...models import EndReason, LogKind, PlayMode, PlayType, StreamLog
from ...models.stream_log import LIVE_FIELDS, Window, batch_key, check_text, checked_and_encoded, encoded, user_key

MAX_USER_AGENT = 256
"""Characters of a user agent that the live service keeps."""

NEVER_SUBSCRIBED = 1003
"""What the live service says of a user who has never had a subscription, whatever the plays."""


class PlayDialect(Protocol):
    """How plays of one kind are written in one dialect."""

    @property
    def user_error_codes(self) -> frozenset[int]:
        """Error codes that are about the user, and so about every play in the request."""
        ...

    @property
    def truncates_user_agents(self) -> bool:
        """Whether the service keeps the beginning of a long user agent only."""
        ...

    def encode(self, log: StreamLog, window: Window) -> bytes:
        """Check a play and return the bytes that stand for it until it is sent; the same in every dialect.

        Raises:
            InvalidLogError: It is unfit, lacks a field that the dialect demands, or has one that it has no place for.
        """
        ...

    def partition_key(self, *, signed_by_user: bool) -> Callable[[StreamLog], str] | None:
        """Return what tells of a play what all in a request must have in common; None where that is nothing."""
        ...

    def arguments(self, logs: Sequence[bytes]) -> Mapping[str, object]:
        """Return what a request tells about encoded plays.

        Raises:
            InvalidLogError: They were accepted for another dialect.
        """
        ...


def _user_and_country(log: StreamLog) -> str:
    return batch_key(log.user_id or "", log.country or "")


@frozen
class OpenAPIPlays:
    """The form of the OpenAPI file, which is that of spools as well."""

    user_error_codes: frozenset[int] = frozenset()
    truncates_user_agents: bool = False

    encode = staticmethod(checked_and_encoded)

    def partition_key(self, *, signed_by_user: bool) -> Callable[[StreamLog], str] | None:
        """Tell plays apart by user where users sign."""
        return user_key if signed_by_user else None

    def arguments(self, logs: Sequence[bytes]) -> Mapping[str, object]:
        """Join the plays as they are."""
        return {"logs": orjson.Fragment(b"[" + b",".join(logs) + b"]")}


@frozen
class PlayField:
    """One field of a play as an endpoint of the live service takes it.

    Attributes:
        name: The field of ``StreamLog``.
        kept: Its wire name in spools.
        wire: Its wire name here; None if it stands in the query alone.
        required: Whether the service insists on it.
        number: It is a number here.
        words: What it may be.
        text: It may be anything that says something.
    """

    name: str
    kept: str
    wire: str | None
    required: bool = True
    number: bool = False
    words: tuple[str, ...] = ()
    text: bool = False


TRACK = PlayField("track_id", "trackId", "trackId", number=True)
RELEASE = PlayField("release_id", "releaseId", "releaseId", number=True)
FORMAT = PlayField("format_id", "formatId", "formatId", number=True)
PLAYED_AT = PlayField("timestamp", "timestamp", "dateTimePlayed")
SECONDS = PlayField("duration_played", "durationPlayed", "totalTimePlayed")
MODE = PlayField("play_mode", "playMode", "playMode", words=tuple(PlayMode))
REASON = PlayField("end_reason", "endReason", "endReason", words=tuple(EndReason))
TYPE = PlayField("play_type", "playType", "playType", required=False, words=tuple(PlayType))
AGENT = PlayField("user_agent", "userAgent", "userAgent", text=True)
USER = PlayField("user_id", "userId", "userId")
COUNTRY = PlayField("country", "country", "country")
USER_IN_QUERY = PlayField("user_id", "userId", None)
COUNTRY_IN_QUERY = PlayField("country", "country", None)


@frozen
class LivePlays:
    """The form that one endpoint of the live service takes.

    Attributes:
        kind: Of the plays.
        fields: What a play tells there.
        by_user: The request is about one user in one country, who stand in its query.
        user_error_codes: See `PlayDialect`.
        truncates_user_agents: Likewise.
    """

    kind: LogKind
    fields: tuple[PlayField, ...]
    by_user: bool
    user_error_codes: frozenset[int] = frozenset()
    truncates_user_agents: bool = True

    def encode(self, log: StreamLog, window: Window) -> bytes:
        """Check a play, see that it tells all that the endpoint demands, and encode it."""
        log.check(window.now)
        wire = log.as_wire()
        self.item(wire)
        return encoded(wire)

    def partition_key(self, *, signed_by_user: bool) -> Callable[[StreamLog], str] | None:  # noqa: ARG002 - whoever signs
        """Tell plays apart by user and country where a request is about one of each."""
        return _user_and_country if self.by_user else None

    def arguments(self, logs: Sequence[bytes]) -> Mapping[str, object]:
        """Spell the plays anew."""
        return self.spread(map(orjson.loads, logs))

    def spread(self, logs: Iterable[StreamLog | Mapping[str, Any]]) -> Mapping[str, object]:
        """Return what a request tells about plays, or about what was encoded of them.

        Raises:
            InvalidLogError: One is unfit, or they belong in different requests.
        """
        kept = [log.as_wire() if isinstance(log, StreamLog) else log for log in logs]
        if not kept or not all(isinstance(wire, Mapping) for wire in kept):
            raise InvalidLogError("a request is about one play or several, and about nothing else", field="logs")
        told: dict[str, object] = {"items": [self.item(wire) for wire in kept]}
        told |= {"user_id": kept[0].get("userId")} if self.by_user else {}
        if self.by_user and len({(wire.get("userId"), wire.get("country")) for wire in kept}) > 1:
            raise InvalidLogError(
                f"{self.kind} plays of one user in one country make up a request in the live dialect", field="user_id"
            )
        return told | {"country": kept[0].get("country")}

    def item(self, kept: Mapping[str, Any]) -> dict[str, Any]:
        """Spell one play.

        Args:
            kept: The play as spools keep it, decoded.

        Raises:
            InvalidLogError: It lacks a field, has one that the endpoint has no place for, or one of the wrong form.
        """
        item: dict[str, Any] = {}
        for field in self.fields:
            value = kept.get(field.kept)
            if value is None:
                if field.required:
                    raise self._unfit(field.name, "must tell their {}")
                continue
            value = self._spelled(field, value)
            if field.wire is not None:
                item[field.wire] = value
        for name in LIVE_FIELDS.keys() - {field.name for field in self.fields}:
            if kept.get(LIVE_FIELDS[name]) is not None:
                raise self._unfit(name, "have no {}")
        return item

    def _spelled(self, field: PlayField, value: object) -> object:
        if field.words and value not in field.words:
            raise self._unfit(field.name, f"have a {{}} of {', '.join(field.words)}")
        if field.text:
            check_text(field.name, value, math.inf)
        if not field.number:
            return value
        if not (isinstance(value, str) and value.isascii() and value.isdigit() and len(value) < 20):  # noqa: PLR2004 - 64 bits
            raise self._unfit(field.name, "have a number for their {}")
        return int(value)

    def _unfit(self, name: str, words: str) -> InvalidLogError:
        return InvalidLogError(f"{self.kind} plays {words.format(name)} in the live dialect", field=name)


LIVE_PLAYS: Mapping[LogKind, LivePlays] = {
    LogKind.PREVIEW: LivePlays(
        LogKind.PREVIEW, (USER, COUNTRY, TRACK, PLAYED_AT, SECONDS, AGENT, MODE, TYPE), by_user=False
    ),
    LogKind.CATALOGUE: LivePlays(
        LogKind.CATALOGUE,
        (TRACK, RELEASE, FORMAT, PLAYED_AT, SECONDS, REASON, USER, AGENT, COUNTRY_IN_QUERY),
        by_user=True,
    ),
    LogKind.SUBSCRIBER: LivePlays(
        LogKind.SUBSCRIBER,
        (TRACK, RELEASE, FORMAT, MODE, PLAYED_AT, SECONDS, AGENT, USER_IN_QUERY, COUNTRY_IN_QUERY),
        by_user=True,
        user_error_codes=frozenset({NEVER_SUBSCRIBED}),
    ),
}

PLAY_DIALECTS: Mapping[Dialect, Mapping[LogKind, PlayDialect]] = {
    Dialect.OPENAPI: dict.fromkeys(LogKind, OpenAPIPlays()),
    Dialect.LIVE: LIVE_PLAYS,
}
