"""Whether the body of a success response is an acknowledgement."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from ..models.readers import read_count
from .document import Document, Kind

MAX_TEXT = 200
"""Most characters of a plain-text acknowledgement."""

FIRST_ERROR = 400
"""The lowest HTTP status, and code of the service, that means an error."""

_MARKUP = re.compile(r"[{}\[\]<>]").search
_FAILURE = re.compile(
    r"""(?ix)
    \b (?: (?:\w*error|exception|fault|failure)s? | fail(?:s|ed|ing)? | (?:den|refus|reject|abort|expir)\w*
    | invalid | illegal | malformed | missing | forbidden | unauthori[sz]ed | unable | unknown | unexpected
    | unsupported | unavailable | maintenance | overload\w* | busy | gateway
    | upstream | proxy | time[ds]?[\s-]?out | too\s+(?:many|large|long) | (?:slow|shut(?:ting)?)\s+down | exceeded
    | not | cannot | can't | couldn't | didn't | wasn't | no | nok | ko | false
    | (?:try|retry)\s+(?:again|later) | (?:log|sign)\s*[io]n ) \b
    """
).search
_PROSE = frozenset({"message", "msg", "detail", "details", "description", "reason", "text", ""})
_STATES = frozenset({"status", "state", "stat", "result", "outcome", "ack"})
_SUCCESSES = frozenset({"success", "successful", "succeeded", "ok", "accepted"})
_FAILURES = frozenset(
    {"fault", "faults", "faultcode", "faultstring", "exception", "exceptions", "failure", "failures", "failed", "fail"}
    | {"rejected", "refused", "denied", "invalid"}
)
_CODES = frozenset({"status", "statuscode", "httpstatus", "httpstatuscode", "code"})
_NEGATIVES = frozenset({"0", "false", "no", "none", "null", "ok"})
_NON_LETTERS = re.compile(r"[^a-z]+")


def acknowledgement_problem(document: Document) -> str | None:
    """Return why a body is not an acknowledgement; None if it is one.

    An acknowledgement is empty, short plain text, or JSON or XML that can be read to its end and reports no error. The
    names and states with which services report errors are checked at any depth: a false alarm costs a check by hand, a
    false acknowledgement loses what was sent.
    """
    match document.kind:
        case Kind.EMPTY:
            return None
        case Kind.TEXT:
            return document.flaw or _defect_in_text(document.body)
        case Kind.JSON | Kind.XML:
            status = _envelope_status(document)
            if status is not None and status not in _SUCCESSES:
                return "the status of its envelope is not ok"
            return next(_failures(document.tree), None)
        case kind:
            return f"it is {kind.value}"


def _envelope_status(document: Document) -> str | None:
    """Return the status of the service's envelope of XML."""
    status = document.tree.get("status") if document.kind is Kind.XML and isinstance(document.tree, dict) else None
    return status.strip().lower() if isinstance(status, str) else None


def _defect_in_text(body: bytes) -> str | None:
    try:
        text = body.decode().removeprefix("\ufeff").strip()
    except UnicodeDecodeError:
        return "it is text that is not UTF-8"
    if len(text) > MAX_TEXT:
        return f"it is text of more than {MAX_TEXT} characters"
    if not "".join(text.split()).isprintable():
        return "it is text with control characters"
    if _MARKUP(text):
        return "it is text with JSON or markup in it"
    return "its text reports a failure" if _FAILURE(text) else None


def _failures(tree: object) -> Iterator[str]:
    """Yield the parts of a tree that report an error."""
    pending: list[tuple[str, object, bool]] = [("", tree, False)]
    while pending:
        name, node, alone = pending.pop()
        if _reports_error(_NON_LETTERS.sub("", name.lower()), node, alone=alone):
            yield f"its {name!r} reports a failure" if name else "it reports a failure"
        if isinstance(node, dict):
            pending.extend((inner, value, len(node) == 1) for inner, value in node.items())
        elif isinstance(node, list):
            pending.extend((name, value, alone) for value in node)


def _reports_error(name: str, value: Any, *, alone: bool) -> bool:
    """Return whether a value reports an error.

    Args:
        name: The value's name, in lower case and without other characters than letters.
        value: The value.
        alone: Whether it is the only member of its object.
    """
    if "error" in name or name in _FAILURES:
        return _is_meaningful(value, alone=alone)
    if name in _SUCCESSES:
        return _is_negative(value)
    if isinstance(value, str) and (alone or name in _PROSE or name in _STATES) and _FAILURE(value):
        return True
    if value is False:
        return name in _STATES or not name
    return name in _CODES and (read_count(value) or 0) >= FIRST_ERROR


def _is_meaningful(value: Any, *, alone: bool) -> bool:
    if isinstance(value, str):
        return value.strip().lower() not in _NEGATIVES if value.strip() else alone
    return bool(value) or (alone and value == {})


def _is_negative(value: Any) -> bool:
    if isinstance(value, str):
        return value.strip().lower() in _NEGATIVES - {"ok"} or _FAILURE(value) is not None
    return value is None or value == 0
