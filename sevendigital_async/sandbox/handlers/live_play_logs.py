"""Play logs of the live dialect: other bodies and responses; user and country are in the query."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

from attrs import frozen

from ...models.stream_log import LogKind
from ..answers import Answer, ItemProblem, Problem, RefusalError, WithoutEnvelope, out_of_range
from ..calls import Call
from .play_logs import MAX_LOGS, canonical_json, date_problem
from .request_fields import optional_country
from .request_user import named_user

_NEVER_SUBSCRIBED = "nosub"
"""Prefix of the ids of users who have never had a subscription."""

_MAX_USER_AGENT = 256


def _is_number(value: Any) -> bool:
    return type(value) is int or (isinstance(value, str) and value.isascii() and value.isdigit())


def _is_seconds(value: Any) -> bool:
    return _is_number(value) and int(value) >= 0


def _is_text(value: Any) -> bool:
    return isinstance(value, str) and bool(value.strip())


def _is_country(value: Any) -> bool:
    return isinstance(value, str) and len(value) == 2 and value.isascii() and value.isalpha()  # noqa: PLR2004


def _one_of(*words: str) -> Callable[[Any], bool]:
    return lambda value: value in words


@frozen
class _Field:
    """A field of an item: its name after receipt, and its allowed values."""

    openapi_name: str
    is_valid: Callable[[Any], bool]
    required: bool = True


_TRACK, _RELEASE, _FORMAT = (_Field(name, _is_number) for name in ("trackId", "releaseId", "formatId"))
_COMMON_FIELDS = {
    "trackId": _TRACK,
    "dateTimePlayed": _Field("timestamp", _is_text),
    "totalTimePlayed": _Field("durationPlayed", _is_seconds),
    "userAgent": _Field("userAgent", _is_text),
}
_MODE = _Field("playMode", _one_of("online", "offline", "online-cached"))

_FIELDS: Mapping[LogKind, Mapping[str, _Field]] = {
    LogKind.PREVIEW: {
        **_COMMON_FIELDS,
        "userId": _Field("userId", _is_text),
        "country": _Field("country", _is_country),
        "playMode": _MODE,
        "playType": _Field("playType", _one_of("view", "creation"), required=False),
    },
    LogKind.CATALOGUE: {
        **_COMMON_FIELDS,
        "releaseId": _RELEASE,
        "formatId": _FORMAT,
        "userId": _Field("userId", _is_text),
        "endReason": _Field("endReason", _one_of("naturalEnd", "userSkipped", "other")),
    },
    LogKind.SUBSCRIBER: {**_COMMON_FIELDS, "releaseId": _RELEASE, "formatId": _FORMAT, "playMode": _MODE},
}


def report(kind: LogKind, call: Call) -> Answer:
    """Save a batch of plays: all of them, or none if one is invalid."""
    items, code = call.arguments["items"], optional_country(call)
    if not isinstance(items, list) or not 1 <= len(items) <= MAX_LOGS[kind]:
        raise out_of_range("logs", f"a list of 1 to {MAX_LOGS[kind]}")
    about: Mapping[str, Any] = {} if kind is LogKind.PREVIEW else {"userId": named_user(call), "country": code}
    if kind is LogKind.SUBSCRIBER and about["userId"].startswith(_NEVER_SUBSCRIBED):
        raise RefusalError(400, Problem(1003, "User has never had a subscription"), refused_logs=len(items))
    problems = tuple(
        ItemProblem(index, *problem)
        for index, item in enumerate(items)
        if (problem := _log_problem(kind, item, call, about))
    )
    if problems:
        raise RefusalError(400, _batch_problem(kind, problems), refused_logs=len(problems))
    accepted = tuple(canonical_json({**_as_openapi_log(kind, item), **about}) for item in items)
    if kind is LogKind.PREVIEW:
        return Answer(content=WithoutEnvelope({}), accepted_logs=accepted)
    return Answer(content={"version": "1.2", "playLogs": {"count": len(items)}}, accepted_logs=accepted)


HANDLERS = {f"platform.logging.{kind.value}": partial(report, kind) for kind in LogKind}


def _batch_problem(kind: LogKind, problems: tuple[ItemProblem, ...]) -> Problem:
    if kind is LogKind.PREVIEW:
        return Problem(1008, "One or more logs contain an error", problems)
    # The other two endpoints report the problem without its position.
    return Problem(problems[0].code, problems[0].message)


def _log_problem(kind: LogKind, item: Any, call: Call, about: Mapping[str, Any]) -> tuple[int, str] | None:
    if not isinstance(item, dict):
        return 1002, "A log must be an object"
    if (flaw := _field_problem(_FIELDS[kind], item)) is not None:
        return flaw
    if str(item["trackId"]) in call.faults.poison | call.faults.poison_unindexed:
        return 1002, "trackId is poison"
    if about.get("userId") not in {None, item.get("userId", about.get("userId"))}:
        return 1002, "userId is another than in the query"
    dated = date_problem(item["dateTimePlayed"], call.now)
    return (1002, f"DateTimePlayed is not within the two month window: {dated}") if dated else None


def _field_problem(fields: Mapping[str, _Field], item: Mapping[str, Any]) -> tuple[int, str] | None:
    for name, field in fields.items():
        if name not in item:
            if field.required:
                return 1001, f"{name} is missing"
        elif not field.is_valid(item[name]):
            return 1002, f"{name} is invalid"
    unknown = item.keys() - fields.keys()
    return (1002, f"{min(unknown)} is not a field of a log") if unknown else None


def _as_openapi_log(kind: LogKind, item: Mapping[str, Any]) -> dict[str, Any]:
    """Write an item in the format of the other dialect, so that both can be compared with what was put."""
    received = {field.openapi_name: item[name] for name, field in _FIELDS[kind].items() if name in item}
    ids: dict[str, Any] = {
        name: str(received[name]) for name in ("trackId", "releaseId", "formatId") if name in received
    }
    return {
        **received,
        **ids,
        "durationPlayed": int(received["durationPlayed"]),
        "userAgent": received["userAgent"][:_MAX_USER_AGENT],
    }
