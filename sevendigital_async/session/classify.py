"""What an answer says went wrong: its body first, its status second."""

from __future__ import annotations

import html
import math
import re
from collections.abc import Mapping
from typing import Any
from urllib.parse import parse_qs, urlsplit

from attrs import frozen

from ..account_quota import RateLimit
from ..error_codes import error_type, is_service_code
from ..errors import (
    APIError,
    AuthenticationError,
    GatewayError,
    ItemError,
    RateLimitError,
    RedirectError,
    ServerError,
)
from ..models.scalars import count
from .document import Document, Kind
from .http_date import parse_http_date

MAX_MESSAGE = 500
MAX_TITLE = 200
EXCERPT = 16 * 1024
"""Bytes of a foreign text that are looked at."""

OAUTH_TROUBLE = "oauth authentication error"
"""How the plain text begins with which the service turns a signature down."""

FINAL = 200
"""The lowest status of an answer that ends an exchange."""

NO_REASON = "the service gave no reason"

SERVER_CODES = 7000
"""From this code on, it is the service that failed."""

MAX_ENVELOPES = 4
"""How many objects may stand around the one that tells an error."""

_ENVELOPES = {"response", "result", "root", "body", "data"}
_MESSAGES = ("errorMessage", "message", "error_description", "detail", "title", "#text")
_SECONDS = re.compile(r"[0-9]+(?:\.[0-9]*)?|\.[0-9]+").fullmatch
_TITLES = [re.compile(rf"<{name}[^<>]*>", re.IGNORECASE).search for name in ("title", "h1")]
_UNPRINTABLE = re.compile(r"[\s\x00-\x1f\x7f-\x9f]+")
_SECRET = re.compile(
    r"""(?ix)
    (?<!\w) (\w*? (?: signature | token | token_secret | secret | password | passwd | verifier | cvv | card_?number ))
    ( ["']? \s* (?: = | %(?:25)*3D ) \s* ["']? | ["'] \s* : \s* ["']? )
    (?: (?! %(?:25)*26 ) [^\s"'&<>,;] )+
    """
)


@frozen
class _Trouble:
    """What was found out before the class of the error is chosen."""

    message: str
    code: int | None = None
    items: tuple[ItemError, ...] = ()
    kind: type[APIError] | None = None
    in_service_form: bool = False


_NOT_FINAL = _Trouble("an HTTP status that is not that of a final answer", kind=GatewayError)


def error_in(
    document: Document, status: int, headers: Mapping[str, str], operation_id: str | None, *, now: float | None = None
) -> APIError | None:
    """Return the error an answer amounts to, or None if it is none.

    Args:
        document: The answer's body.
        status: Its HTTP status.
        headers: Its headers, names in lower case.
        operation_id: What was asked.
        now: Seconds since the epoch, to make sense of a ``Retry-After`` that is a date.
    """
    trouble = (
        _in_tree(document, status)
        or _in_text(document, status)
        or (_in_status(document, status, headers) if status >= FINAL else _NOT_FINAL)
    )
    if trouble is None:
        return None
    # A redirect that tells an error is that error; so is an error in an answer that calls itself a success.
    kind = trouble.kind or error_type(max(status, 400), trouble.code)
    rate_limit = RateLimit.from_headers(headers, now)
    wait = retry_after(headers, now)
    if wait is None and issubclass(kind, RateLimitError) and rate_limit is not None:
        wait = rate_limit.wait or None
    return kind(
        presentable(trouble.message),
        code=trouble.code,
        status=status,
        operation=operation_id,
        errors=trouble.items,
        rate_limit=rate_limit,
        retry_after=wait,
        maybe_sent=issubclass(kind, ServerError) or status >= 500 or (trouble.code or 0) >= SERVER_CODES,  # noqa: PLR2004
        in_service_form=trouble.in_service_form,
    )


def retry_after(headers: Mapping[str, str], now: float | None) -> float | None:
    """Return the seconds that ``Retry-After`` asks for: a number, or the time until an HTTP date; else None.

    Args:
        headers: The answer's headers, names in lower case.
        now: Seconds since the epoch; None where dates can't be made sense of.
    """
    text = headers.get("retry-after", "").strip()
    if _SECONDS(text):
        seconds = float(text)
        return seconds if math.isfinite(seconds) else None
    date = None if now is None else parse_http_date(text)
    return None if date is None or now is None else max(0.0, date - now)


def presentable(message: str, limit: int = MAX_MESSAGE) -> str:
    """Make foreign text fit to be shown and logged: on one line, bounded, without secrets."""
    # What is cut off before the masking begins would not have been shown anyway.
    line = _UNPRINTABLE.sub(" ", message[: 8 * limit]).strip()
    masked = _SECRET.sub(r"\1\2***", line)
    return masked if len(masked) <= limit else f"{masked[: limit - 1]}…"


def _in_tree(document: Document, status: int) -> _Trouble | None:
    tree = _unwrapped(document.tree)
    if tree is None:
        return None
    listed = tree["error"] if isinstance(tree.get("error"), list) else [tree.get("error")]
    error = listed[0] if listed else None
    says_so = str(tree.get("status", "")).strip().lower() == "error"
    if not error and not says_so and status < 400:  # noqa: PLR2004
        return None
    stated = _in_lower_case(error) if isinstance(error, dict) else tree
    refused = stated.get("errors") or tree.get("errors") or (listed if len(listed) > 1 else None)
    items = tuple(map(_item, _listed(refused)))
    message = error if isinstance(error, str) and error else _message(stated)
    message = message or next((item.message for item in items), NO_REASON)
    code = count(stated.get("code", stated.get("errorcode")))
    # Gateways have JSON of their own, some with "error" and "code", but not with the codes of this service.
    own = isinstance(error, dict) and any(map(is_service_code, (code, *(item.code for item in items))))
    return _Trouble(message, code, items, in_service_form=own)


def _unwrapped(tree: object) -> dict[str, Any] | None:
    """Return the object that speaks for the service, with its names in lower case."""
    for _ in range(MAX_ENVELOPES):
        if not isinstance(tree, dict):
            return None
        named = _in_lower_case(tree)
        [name, inner] = next(iter(named.items())) if len(named) == 1 else ("", None)
        if name not in _ENVELOPES or not isinstance(inner, dict):
            return named
        tree = inner
    return None


def _in_lower_case(tree: dict[str, Any]) -> dict[str, Any]:
    return {name.lower(): value for name, value in tree.items()}


def _in_text(document: Document, status: int) -> _Trouble | None:
    if document.kind is not Kind.TEXT:
        return None
    beginning = document.excerpt(EXCERPT).strip()
    if not beginning.lower().startswith(OAUTH_TROUBLE):
        return None
    decided_by_status = status in {401, 403, 429}
    return _Trouble(beginning, kind=None if decided_by_status else AuthenticationError, in_service_form=True)


def _in_status(document: Document, status: int, headers: Mapping[str, str]) -> _Trouble | None:
    if 300 <= status < 400:  # noqa: PLR2004
        return _in_location(status, headers)
    if document.kind is Kind.HTML:
        # The API has no pages, so somebody on the way answered in its place, whatever the status.
        failed = status < 400 or error_type(status, None) is ServerError  # noqa: PLR2004
        return _Trouble(_page(document), kind=GatewayError if failed else None)
    if status < 400:  # noqa: PLR2004
        return None
    if document.kind is Kind.TEXT and document.flaw is None:
        return _Trouble(document.excerpt(EXCERPT))
    if isinstance(document.tree, str) and document.tree:
        return _Trouble(document.tree)
    return _Trouble(f"{document.flaw or document.kind.value}, without a reason")


def _in_location(status: int, headers: Mapping[str, str]) -> _Trouble:
    location = headers.get("location", "")
    try:
        parts = urlsplit(location)
        query = {name.lower(): values[-1] for name, values in parse_qs(parts.query, max_num_fields=100).items()}
    except ValueError:
        return _Trouble(f"a redirect (HTTP {status}) to no usable address", kind=RedirectError)
    code, message = count(query.get("errorcode")), query.get("errormsg") or query.get("errormessage")
    if code is not None or message:
        return _Trouble(message or NO_REASON, code, in_service_form=is_service_code(code))
    # Query and path may hold signatures and tokens.
    where = f" to {parts.hostname}" if parts.hostname else ""
    return _Trouble(f"an unexpected redirect (HTTP {status}){where}", kind=RedirectError)


def _page(document: Document) -> str:
    page = document.excerpt(EXCERPT)
    begun = next((found.end() for search in _TITLES if (found := search(page))), len(page))
    title = page[begun:].partition("</")[0].strip()
    words = presentable(html.unescape(re.sub(r"<[^<>]*>", " ", title)), MAX_TITLE)
    return "an HTML page instead of an API answer" + (f": {words}" if words else "")


def _item(item: Any) -> ItemError:
    if not isinstance(item, dict):
        return ItemError(None, None, presentable(str(item)))
    item = _in_lower_case(item)
    index = count(item.get("index"))
    return ItemError(index, count(item.get("code")), presentable(_message(item) or NO_REASON))


def _listed(errors: Any) -> list[Any]:
    if isinstance(errors, dict):
        errors = errors.get("error", errors)
    if isinstance(errors, list):
        return errors
    return [errors] if errors else []


def _message(error: Any) -> str:
    if not isinstance(error, dict):
        return str(error or "")
    lowered = {name.lower(): value for name, value in error.items()}
    texts = (lowered.get(name.lower()) for name in _MESSAGES)
    return next((text for text in texts if isinstance(text, str) and text.strip()), "")
