"""Plays in each dialect: required fields, their wire names, and which plays may share a request.

Spools and journals keep plays as ``StreamLog.encode`` writes them, whatever the dialect. This module turns them into
the arguments of a request, and refuses fields that the dialect lacks before a play is accepted.
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
from ...models.encoded_log import EncodedLog
from ...models.stream_log import LIVE_FIELDS, Window, batch_key, check_text, checked_and_encoded, encode_wire, user_key

MAX_USER_AGENT_LENGTH = 256
"""Characters of a user agent that the live service keeps."""

NEVER_SUBSCRIBED_CODE = 1003
"""What the live service says of a user who has never had a subscription, whatever the plays."""


class PlayDialect(Protocol):
    """How one dialect writes plays of one kind."""

    @property
    def user_error_codes(self) -> frozenset[int]:
        """Error codes about the user, which concern every play in the request."""
        ...

    @property
    def truncates_user_agents(self) -> bool:
        """Whether the service truncates long user agents."""
        ...

    def encode(self, log: StreamLog, window: Window) -> bytes:
        """Check a play and return its encoding, which is the same in every dialect.

        Raises:
            InvalidLogError: It is invalid, lacks a field that the dialect requires, or has one that it lacks.
        """
        ...

    def encode_wire_form(self, log: EncodedLog, window: Window) -> bytes:
        """Do the same for a play that is in its wire form already.

        Raises:
            InvalidLogError: As for ``encode``.
        """
        ...

    def partition_key(self, *, signed_by_user: bool) -> Callable[[StreamLog | EncodedLog], str] | None:
        """Return a function from a play to what all plays of a request must share; None if they need nothing."""
        ...

    def arguments(self, logs: Sequence[bytes]) -> Mapping[str, object]:
        """Return the arguments of a request with encoded plays.

        Raises:
            InvalidLogError: They were accepted for another dialect.
        """
        ...


def _user_and_country(log: StreamLog | EncodedLog) -> str:
    return batch_key(log.user_id or "", log.country or "")


@frozen
class OpenAPIPlays:
    """Plays as the OpenAPI file, and spools, have them."""

    user_error_codes: frozenset[int] = frozenset()
    truncates_user_agents: bool = False

    encode = staticmethod(checked_and_encoded)
    encode_wire_form = staticmethod(EncodedLog.checked_body)

    def partition_key(self, *, signed_by_user: bool) -> Callable[[StreamLog | EncodedLog], str] | None:
        """Partition plays by user where users sign."""
        return user_key if signed_by_user else None

    def arguments(self, logs: Sequence[bytes]) -> Mapping[str, object]:
        """Join the plays as they are."""
        return {"logs": orjson.Fragment(b"[" + b",".join(logs) + b"]")}


@frozen
class PlayField:
    """One field of a play, as an endpoint of the live service expects it.

    Attributes:
        name: The field of ``StreamLog``.
        spool_name: Its wire name in spools.
        wire_name: Its wire name here; None if only the query carries it.
        required: Whether the service requires it.
        is_number: It is a number here.
        choices: The values that it may have.
        is_text: It is any text that is not blank.
    """

    name: str
    spool_name: str
    wire_name: str | None
    required: bool = True
    is_number: bool = False
    choices: tuple[str, ...] = ()
    is_text: bool = False


TRACK = PlayField("track_id", "trackId", "trackId", is_number=True)
RELEASE = PlayField("release_id", "releaseId", "releaseId", is_number=True)
FORMAT = PlayField("format_id", "formatId", "formatId", is_number=True)
PLAYED_AT = PlayField("timestamp", "timestamp", "dateTimePlayed")
SECONDS = PlayField("duration_played", "durationPlayed", "totalTimePlayed")
MODE = PlayField("play_mode", "playMode", "playMode", choices=tuple(PlayMode))
REASON = PlayField("end_reason", "endReason", "endReason", choices=tuple(EndReason))
TYPE = PlayField("play_type", "playType", "playType", required=False, choices=tuple(PlayType))
AGENT = PlayField("user_agent", "userAgent", "userAgent", is_text=True)
USER = PlayField("user_id", "userId", "userId")
COUNTRY = PlayField("country", "country", "country")
USER_IN_QUERY = PlayField("user_id", "userId", None)
COUNTRY_IN_QUERY = PlayField("country", "country", None)


@frozen
class LivePlays:
    """Plays as one endpoint of the live service expects them.

    Attributes:
        kind: Kind of the plays.
        fields: The fields of a play.
        is_by_user: The plays of a request are of one user in one country, which its query names.
        user_error_codes: See `PlayDialect`.
        truncates_user_agents: Likewise.
    """

    kind: LogKind
    fields: tuple[PlayField, ...]
    is_by_user: bool
    user_error_codes: frozenset[int] = frozenset()
    truncates_user_agents: bool = True

    def encode(self, log: StreamLog, window: Window) -> bytes:
        """Check a play and its fields, and encode it."""
        log.check(window.now)
        wire = log.as_wire()
        self.wire_item(wire)
        return encode_wire(wire)

    def encode_wire_form(self, log: EncodedLog, window: Window) -> bytes:
        """Check the fields of a play in its wire form as well."""
        return self.encode(log.decode(), window)

    def partition_key(self, *, signed_by_user: bool) -> Callable[[StreamLog | EncodedLog], str] | None:  # noqa: ARG002 - the signer does not matter
        """Partition plays by user and country where a request is about one of each."""
        return _user_and_country if self.is_by_user else None

    def arguments(self, logs: Sequence[bytes]) -> Mapping[str, object]:
        """Spell the plays anew."""
        return self.request_arguments(map(orjson.loads, logs))

    def request_arguments(self, logs: Iterable[StreamLog | Mapping[str, Any]]) -> Mapping[str, object]:
        """Return the arguments of a request with plays, which may be encoded.

        Raises:
            InvalidLogError: One is invalid, or they belong in different requests.
        """
        kept = [log.as_wire() if isinstance(log, StreamLog) else log for log in logs]
        if not kept or not all(isinstance(wire, Mapping) for wire in kept):
            raise InvalidLogError("logs must be one or more plays", field="logs")
        arguments: dict[str, object] = {"items": [self.wire_item(wire) for wire in kept]}
        arguments |= {"user_id": kept[0].get("userId")} if self.is_by_user else {}
        if self.is_by_user and len({(wire.get("userId"), wire.get("country")) for wire in kept}) > 1:
            raise InvalidLogError(
                f"in the live dialect, all {self.kind} plays of a request must have the same user and country",
                field="user_id",
            )
        return arguments | {"country": kept[0].get("country")}

    def wire_item(self, log: Mapping[str, Any]) -> dict[str, Any]:
        """Spell one play.

        Args:
            log: The play as spools keep it, decoded.

        Raises:
            InvalidLogError: A field is missing, unknown to the endpoint or of the wrong type.
        """
        item: dict[str, Any] = {}
        for field in self.fields:
            value = log.get(field.spool_name)
            if value is None:
                if field.required:
                    raise self._field_error(field.name, "need {}")
                continue
            value = self._wire_value(field, value)
            if field.wire_name is not None:
                item[field.wire_name] = value
        for name in LIVE_FIELDS.keys() - {field.name for field in self.fields}:
            if log.get(LIVE_FIELDS[name]) is not None:
                raise self._field_error(name, "have no {}")
        return item

    def _wire_value(self, field: PlayField, value: object) -> object:
        if field.choices and value not in field.choices:
            raise self._field_error(field.name, f"need {{}} to be one of {', '.join(field.choices)}")
        if field.is_text:
            check_text(field.name, value, math.inf)
        if not field.is_number:
            return value
        if not (isinstance(value, str) and value.isascii() and value.isdigit() and len(value) < 20):  # noqa: PLR2004 - 64 bits
            raise self._field_error(field.name, "need a number as {}")
        return int(value)

    def _field_error(self, name: str, words: str) -> InvalidLogError:
        return InvalidLogError(f"{self.kind} plays {words.format(name)} in the live dialect", field=name)


LIVE_PLAYS: Mapping[LogKind, LivePlays] = {
    LogKind.PREVIEW: LivePlays(
        LogKind.PREVIEW, (USER, COUNTRY, TRACK, PLAYED_AT, SECONDS, AGENT, MODE, TYPE), is_by_user=False
    ),
    LogKind.CATALOGUE: LivePlays(
        LogKind.CATALOGUE,
        (TRACK, RELEASE, FORMAT, PLAYED_AT, SECONDS, REASON, USER, AGENT, COUNTRY_IN_QUERY),
        is_by_user=True,
    ),
    LogKind.SUBSCRIBER: LivePlays(
        LogKind.SUBSCRIBER,
        (TRACK, RELEASE, FORMAT, MODE, PLAYED_AT, SECONDS, AGENT, USER_IN_QUERY, COUNTRY_IN_QUERY),
        is_by_user=True,
        user_error_codes=frozenset({NEVER_SUBSCRIBED_CODE}),
    ),
}

PLAY_DIALECTS: Mapping[Dialect, Mapping[LogKind, PlayDialect]] = {
    Dialect.OPENAPI: dict.fromkeys(LogKind, OpenAPIPlays()),
    Dialect.LIVE: LIVE_PLAYS,
}
