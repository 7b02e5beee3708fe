"""Play logs: checked one by one by the service's rules; a batch is saved completely or not at all."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from datetime import datetime
from functools import partial
from typing import Any

import orjson

from ...models.stream_log import LogKind
from ..answers import Answer, ItemProblem, Problem, RefusalError, out_of_range
from ..calls import Call

LOG_KINDS: Mapping[str, LogKind] = {f"platform.logging.{kind.value}": kind for kind in LogKind}
"""The kind of log that an operation takes, by the operation's name."""

MAX_LOGS: Mapping[LogKind, int] = {LogKind.PREVIEW: 500, LogKind.CATALOGUE: 500, LogKind.SUBSCRIBER: 20}

MAX_AGE_SECONDS = 61 * 86_400
MAX_AHEAD_SECONDS = 300

_ISO_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?(?:Z|[+-]\d\d:\d\d)", re.ASCII)


def report(kind: LogKind, call: Call) -> Answer:
    """Save a batch of plays: all of them, or none if one is invalid."""
    logs = call.arguments["logs"]
    most = MAX_LOGS[kind]
    if not isinstance(logs, list) or not 1 <= len(logs) <= most:
        raise out_of_range("logs", f"a list of 1 to {most}")
    faults = call.faults
    problems = tuple(
        ItemProblem(index, 1002, reason)
        for index, log in enumerate(logs)
        if (reason := _log_problem(log, call.now, call.user, faults.poison)) is not None
    )
    if problems:
        problem = Problem(1008, f"{len(problems)} of {len(logs)} logs are invalid", problems)
        raise RefusalError(400, problem, refused_logs=len(problems))
    if faults.poison_unindexed and any(log["trackId"] in faults.poison_unindexed for log in logs):
        raise RefusalError(400, Problem(1002, "The batch holds an invalid log"), refused_logs=1)
    return Answer(status=202, accepted_logs=tuple(map(canonical_json, logs)))


HANDLERS = {name: partial(report, kind) for name, kind in LOG_KINDS.items()}


def canonical_json(log: dict[str, Any]) -> bytes:
    """Serialise a log so that equal ones have equal bytes."""
    # orjson's result keeps a larger buffer, which matters for 100,000 logs.
    return bytes(memoryview(orjson.dumps(log, option=orjson.OPT_SORT_KEYS)))


def _text_problem(value: Any) -> str | None:
    return None if isinstance(value, str) and value.strip() else "must be a non-empty string"


def _seconds_problem(value: Any) -> str | None:
    return None if type(value) is int and value >= 0 else "must be whole seconds, zero or more"


def _country_problem(value: Any) -> str | None:
    fits = isinstance(value, str) and len(value) == 2 and value.isascii() and value.isalpha()  # noqa: PLR2004
    return None if fits else "must be a two-letter country code"


def _time_problem(value: Any) -> str | None:
    return None if isinstance(value, str) and _ISO_TIME.fullmatch(value) else "must be an ISO 8601 time with a zone"


_FIELDS: Mapping[str, Callable[[Any], str | None]] = {
    "trackId": _text_problem,
    "userId": _text_problem,
    "clientId": _text_problem,
    "timestamp": _time_problem,
    "durationPlayed": _seconds_problem,
    "country": _country_problem,
}
_REQUIRED = ("trackId", "timestamp")


def _log_problem(log: Any, now: float, user: str | None, poison: frozenset[str]) -> str | None:
    if not isinstance(log, dict):
        return "A log must be a JSON object"
    for name in _REQUIRED:
        if name not in log:
            return f"{name} is missing"
    for name, value in log.items():
        check = _FIELDS.get(name)
        reason = "is not a field of a log" if check is None else check(value)
        if reason is not None:
            return f"{name} {reason}"
    if log["trackId"] in poison:
        return "trackId is poison"
    if user is not None and log.get("userId", user) != user:
        return "userId is not the user who signed"
    return date_problem(log["timestamp"], now)


def date_problem(timestamp: str, now: float) -> str | None:
    """Find what is wrong with the time of a play."""
    try:
        age = now - datetime.fromisoformat(timestamp).timestamp()
    except ValueError:
        return "timestamp is not a valid date"
    if age > MAX_AGE_SECONDS:
        return "timestamp is too far in the past"
    return "timestamp is in the future" if -age > MAX_AHEAD_SECONDS else None
