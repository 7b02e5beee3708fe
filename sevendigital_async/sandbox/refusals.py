"""Why plays were refused, as the page at ``/`` lists them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from attrs import frozen

from .answers import Answer, Problem

_MAX_TEXT_LENGTH = 200
_MAX_REFUSALS = 50


@frozen
class Refusal:
    """One play that was refused, at its ``position`` in the request; or a request whose response names no play."""

    status: int
    code: int | None
    reason: str
    position: int | None = None
    track_id: str | None = None


def refusals(answer: Answer, logs: Any = None) -> list[Refusal]:
    """Return what a response refuses, at most 50 plays of a request."""
    match answer:
        case Answer(status=429):  # the plays were not looked at
            return []
        case Answer(content=Problem(errors=items)) if items:
            return [
                Refusal(answer.status, item.code, _short(item.message), item.index, _track_id(logs, item.index))
                for item in items[:_MAX_REFUSALS]
            ]
        case Answer(content=Problem(code=code, message=message)):
            return [Refusal(answer.status, code, _short(message))]
        case Answer(content=str(message)):
            return [Refusal(answer.status, None, _short(message))]
    return []


def _track_id(logs: Sequence[Any], index: int) -> str | None:
    log = logs[index]
    track_id = log.get("trackId") if isinstance(log, dict) else None
    return None if track_id is None else _short(str(track_id))


def _short(text: str) -> str:
    return text if len(text) <= _MAX_TEXT_LENGTH else text[: _MAX_TEXT_LENGTH - 1] + "…"
