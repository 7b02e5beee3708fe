"""The error that a response reports: its body counts first, its status second."""

from __future__ import annotations

import html
import logging
import math
import re
from collections.abc import Mapping, Sized
from datetime import UTC, datetime
from types import TracebackType
from typing import Any, TypeVar
from urllib.parse import parse_qs, urlsplit

from attrs import evolve, frozen

from ..account_quota import RateLimit
from ..error_codes import error_type, is_service_code
from ..errors import (
    APIError,
    AuthenticationError,
    DecodeError,
    GatewayError,
    ItemError,
    RateLimitError,
    RedirectError,
    ServerError,
    ShortCountError,
    TransportError,
)
from ..models.readers import read_count
from ..models.wire import value_at
from ..operations import Operation
from .document import Document, Kind
from .request import Call, Request

E = TypeVar("E", bound=TransportError)

logger = logging.getLogger("sevendigital_async")

MAX_MESSAGE = 500
MAX_TITLE = 200
MAX_EXAMINED_BYTES = 16 * 1024
"""Bytes of a text in another format that are examined."""

OAUTH_ERROR = "oauth authentication error"
"""The beginning of the plain text with which the service refuses a signature."""

MIN_FINAL_STATUS = 200
"""The lowest status of a final response."""

SEE_OTHER = 303
"""The status that leads to a description of what a request has done (RFC 9110, section 15.4.4)."""

NO_REASON = "the service gave no reason"

SERVER_CODES = 7000
"""The lowest code that means that the service failed."""

MAX_ENVELOPES = 4
"""How many objects may enclose the one that reports an error."""

_ENVELOPES = {"response", "result", "root", "body", "data"}
_MESSAGES = ("errorMessage", "message", "error_description", "detail", "title", "#text")
_SECONDS = re.compile(r"[0-9]+(?:\.[0-9]*)?|\.[0-9]+").fullmatch
_TITLES = [re.compile(rf"<{name}[^<>]*>", re.IGNORECASE).search for name in ("title", "h1")]
_UNPRINTABLE = re.compile(r"[\s\x00-\x1f\x7f-\x9f]+")
_SECRET = re.compile(
    r"""(?ix)
    (?<!\w) (\w*? (?: signature | token | token_secret | secret | password | passwd | verifier
      | cvv | verification_?code | card_?number ))
    ( ["']? \s* (?: = | %(?:25)*3D ) \s* ["']? | ["'] \s* : \s* ["']? )
    (?: (?! %(?:25)*26 ) [^\s"'&<>,;] )+
    """
)


TRACE_HEADER = "x-7d-traceid"

MIN_CLOCK_CORRECTION = 2.0
"""An offset must differ from the one in use by this many seconds to justify another attempt."""

EARLIEST_SERVER_TIME = datetime(2024, 1, 1, tzinfo=UTC).timestamp()
"""A clock with an earlier time is wrong: this package did not exist then."""

MAX_CLOCK_OFFSET = 366 * 86_400.0
"""Largest credible offset between two clocks, in seconds."""

_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
_DAY = "(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun)"
_DAY_IN_FULL = "(?:Mon|Tues|Wednes|Thurs|Fri|Satur|Sun)day"
_MONTH = f"(?P<month>{'|'.join(_MONTHS)})"
_TIME = "(?P<hour>[0-9]{2}):(?P<minute>[0-9]{2}):(?P<second>[0-9]{2})"
_DATE_FORMATS = [
    re.compile(pattern).fullmatch
    for pattern in (
        rf"{_DAY}, (?P<day>[0-9]{{2}}) {_MONTH} (?P<year>[0-9]{{4}}) {_TIME} GMT",
        rf"{_DAY_IN_FULL}, (?P<day>[0-9]{{2}})-{_MONTH}-(?P<year>[0-9]{{2}}) {_TIME} GMT",
        rf"{_DAY} {_MONTH} (?P<day>[0-9]{{2}}| [0-9]) {_TIME} (?P<year>[0-9]{{4}})",
    )
]
_CENTURY_ENDS = 70
"""Two-digit years from here on belong to the 20th century, as in POSIX."""


@frozen
class _Finding:
    """What a response reports, before the class of the error is chosen."""

    message: str
    code: int | None = None
    items: tuple[ItemError, ...] = ()
    kind: type[APIError] | None = None
    in_service_form: bool = False


_NOT_FINAL = _Finding("an HTTP status that is not that of a final response", kind=GatewayError)


def error_in(
    document: Document, status: int, headers: Mapping[str, str], operation: str | None, *, now: float | None = None
) -> APIError | None:
    """Return the error that a response reports, or None.

    Args:
        document: The response's body.
        status: Its HTTP status.
        headers: Its headers, names in lower case.
        operation: Name of the operation, for the error.
        now: Seconds since the epoch; needed for a ``Retry-After`` that is a date.
    """
    finding = (
        _error_in_tree(document, status)
        or _error_in_text(document, status)
        or (_error_in_status(document, status, headers) if status >= MIN_FINAL_STATUS else _NOT_FINAL)
    )
    if finding is None:
        return None
    # A redirect that reports an error is that error; so is an error in a response with a success status.
    kind = finding.kind or error_type(max(status, 400), finding.code)
    rate_limit = RateLimit.from_headers(headers, now)
    wait = retry_after(headers, now)
    if wait is None and issubclass(kind, RateLimitError) and rate_limit is not None:
        wait = rate_limit.wait or None
    return kind(
        presentable(finding.message),
        code=finding.code,
        status=status,
        operation=operation,
        errors=finding.items,
        rate_limit=rate_limit,
        retry_after=wait,
        maybe_sent=_may_be_done(kind, status, finding),
        in_service_form=finding.in_service_form,
    )


def _may_be_done(kind: type[APIError], status: int, finding: _Finding) -> bool:
    """Return whether a request may have been carried out although its response is an error."""
    if issubclass(kind, ServerError) or (finding.code or 0) >= SERVER_CODES:
        return True
    if issubclass(kind, RedirectError) and status == SEE_OTHER:
        return True
    # The service's own refusal counts, whatever the status beside it.
    return status >= 500 and not (finding.in_service_form and is_service_code(finding.code))  # noqa: PLR2004


def retry_after(headers: Mapping[str, str], now: float | None) -> float | None:
    """Return the seconds that ``Retry-After`` asks for: a number, or the time until an HTTP date; else None.

    Args:
        headers: The response's headers, names in lower case.
        now: Seconds since the epoch; None to ignore dates.
    """
    text = headers.get("retry-after", "").strip()
    if _SECONDS(text):
        seconds = float(text)
        return seconds if math.isfinite(seconds) else None
    date = None if now is None else parse_http_date(text)
    return None if date is None or now is None else max(0.0, date - now)


def presentable(message: str, limit: int = MAX_MESSAGE) -> str:
    """Return foreign text as one line of limited length, with secrets masked."""
    # Text beyond the limit would not be shown.
    line = _UNPRINTABLE.sub(" ", message[: 8 * limit]).strip()
    masked = _SECRET.sub(r"\1\2***", line)
    return masked if len(masked) <= limit else f"{masked[: limit - 1]}…"


def _error_in_tree(document: Document, status: int) -> _Finding | None:
    tree = _unwrapped(document.tree)
    if tree is None:
        return None
    listed = tree["error"] if isinstance(tree.get("error"), list) else [tree.get("error")]
    error = listed[0] if listed else None
    reports_error = str(tree.get("status", "")).strip().lower() == "error"
    if not error and not reports_error and status < 400:  # noqa: PLR2004
        return None
    stated = _in_lower_case(error) if isinstance(error, dict) else tree
    refused = stated.get("errors") or tree.get("errors") or (listed if len(listed) > 1 else None)
    items = tuple(map(_item_error, _error_items(refused)))
    message = error if isinstance(error, str) and error else _message(stated)
    message = message or next((item.message for item in items), NO_REASON)
    code = read_count(stated.get("code", stated.get("errorcode")))
    # Gateways send JSON too, some with "error" and "code", but not this service's codes.
    in_service_form = isinstance(error, dict) and any(map(is_service_code, (code, *(item.code for item in items))))
    return _Finding(message, code, items, in_service_form=in_service_form)


def _unwrapped(tree: object) -> dict[str, Any] | None:
    """Return the object with the outcome, its keys in lower case."""
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


def _error_in_text(document: Document, status: int) -> _Finding | None:
    if document.kind is not Kind.TEXT:
        return None
    beginning = document.excerpt(MAX_EXAMINED_BYTES).strip()
    if not beginning.lower().startswith(OAUTH_ERROR):
        return None
    decided_by_status = status in {401, 403, 429}
    return _Finding(beginning, kind=None if decided_by_status else AuthenticationError, in_service_form=True)


def _error_in_status(document: Document, status: int, headers: Mapping[str, str]) -> _Finding | None:
    if 300 <= status < 400:  # noqa: PLR2004
        return _error_in_location(headers)
    if document.kind is Kind.HTML:
        # The API has no HTML pages, so a proxy or gateway answered, whatever the status.
        failed = status < 400 or error_type(status, None) is ServerError  # noqa: PLR2004
        return _Finding(_describe_page(document), kind=GatewayError if failed else None)
    if status < 400:  # noqa: PLR2004
        return None
    if document.kind is Kind.TEXT and document.flaw is None:
        return _Finding(document.excerpt(MAX_EXAMINED_BYTES))
    if isinstance(document.tree, str) and document.tree:
        return _Finding(document.tree)
    return _Finding(f"{document.flaw or document.kind.value}, without a reason")


def _error_in_location(headers: Mapping[str, str]) -> _Finding:
    location = headers.get("location", "")
    try:
        parts = urlsplit(location)
        query = {name.lower(): values[-1] for name, values in parse_qs(parts.query, max_num_fields=100).items()}
    except ValueError:
        return _Finding("a redirect to an address that can't be used", kind=RedirectError)
    code, message = read_count(query.get("errorcode")), query.get("errormsg") or query.get("errormessage")
    if code is not None or message:
        return _Finding(message or NO_REASON, code, in_service_form=is_service_code(code))
    # Query and path may hold signatures and tokens.
    where = f" to {parts.hostname}" if parts.hostname else ""
    return _Finding(f"an unexpected redirect{where}", kind=RedirectError)


def _describe_page(document: Document) -> str:
    page = document.excerpt(MAX_EXAMINED_BYTES)
    begun = next((found.end() for search in _TITLES if (found := search(page))), len(page))
    title = page[begun:].partition("</")[0].strip()
    words = presentable(html.unescape(re.sub(r"<[^<>]*>", " ", title)), MAX_TITLE)
    return "an HTML page instead of an API answer" + (f": {words}" if words else "")


def _item_error(item: Any) -> ItemError:
    if not isinstance(item, dict):
        return ItemError(None, None, presentable(str(item)))
    item = _in_lower_case(item)
    index = read_count(item.get("index"))
    return ItemError(index, read_count(item.get("code")), presentable(_message(item) or NO_REASON))


def _error_items(errors: Any) -> list[Any]:
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


def with_operation(error: E, operation: Operation) -> E:
    """Add the operation's name to an error of the transport, if it lacks it, and return the error."""
    if error.operation is None:
        error.operation = operation.name
        error.args = (f"{operation.name}: {error.args[0]}",)
    return error


class ErrorContext:
    """Adds operation and trace id to the errors of a block, and advice where the request may have been carried out."""

    def __init__(self, call: Call) -> None:
        self._call = call

    def __enter__(self) -> None:
        """Change nothing."""

    def __exit__(self, _: type[BaseException] | None, error: BaseException | None, __: TracebackType | None) -> None:
        if isinstance(error, TransportError):
            with_operation(error, self._call.operation)
        if isinstance(error, TransportError | APIError | DecodeError):
            error.trace_id = error.trace_id or self._call.options.trace_id
            if error.maybe_sent:
                error.advice = self._call.operation.advice


def annotate(error: APIError, request: Request, headers: Mapping[str, str]) -> APIError:
    """Add the operation's meaning of the error's code, and the service's trace id."""

    def explain(message: str, code: int | None) -> str:
        meaning = None if code is None else request.binding.meanings.get(code)
        return f"{message} ({meaning})" if meaning else message

    error.trace_id = headers.get(TRACE_HEADER)
    error.message = explain(error.message, error.code)
    error.args = (error.message,)
    error.errors = tuple(evolve(item, message=explain(item.message, item.code)) for item in error.errors)
    return error


def check_count(call: Call, request: Request, document: Document, status: int) -> None:
    """Compare the number of items that a response acknowledges with the number that was sent.

    Raises:
        ShortCountError: It is smaller, or missing.
    """
    wanted = request.binding.count
    sent = request.values.get(wanted.argument) if wanted else None
    if wanted is None or not isinstance(sent, Sized):
        return
    counted = read_count(value_at(document.tree, wanted.path))
    if counted is None or counted < len(sent):
        name, number = call.operation.name, "none" if counted is None else counted
        message = f"{name}: the service acknowledged {number} of {len(sent)} items"
        raise ShortCountError(message, operation=name, status=status)
    if counted > len(sent):
        logger.warning(
            "%s: the service acknowledged %d items, but %d were sent", call.operation.name, counted, len(sent)
        )


def clock_offset_in(error: APIError, date: str | None, now: float, used: float) -> float | None:
    """Return the offset between the service's clock and this machine's, in seconds, from a refusal.

    Args:
        error: The refusal.
        date: The response's ``Date`` header.
        now: This machine's time, seconds since the epoch.
        used: The offset with which the refused request was signed.

    Returns:
        The offset, or None if the refusal is not about the timestamp, if the offset in use is right, or if the
        answer's date is not credible.
    """
    if not isinstance(error, AuthenticationError) or "timestamp" not in error.message.lower():
        return None
    server_time = parse_http_date(date)
    if server_time is None:
        return None
    offset = server_time - now
    if server_time < EARLIEST_SERVER_TIME or (now >= EARLIEST_SERVER_TIME and abs(offset) > MAX_CLOCK_OFFSET):
        logger.warning(
            "the response's Date is %.0f days from this machine's clock; not signing with it", offset / 86_400
        )
        return None
    return offset if abs(offset - used) > MIN_CLOCK_CORRECTION else None


def parse_http_date(text: str | None) -> float | None:
    """Return a header's date as seconds since the epoch; None if it is not an HTTP date.

    HTTP dates (RFC 9110, section 5.6.7) have three formats, all of them in GMT. A date in another zone, or without one,
    is not an HTTP date: a guess could be hours off.
    """
    text = (text or "").strip()
    found = next((match for matches in _DATE_FORMATS if (match := matches(text))), None)
    if found is None:
        return None
    year = int(found["year"])
    if len(found["year"]) == 2:  # noqa: PLR2004 - digits
        year += 2000 if year < _CENTURY_ENDS else 1900
    second = min(int(found["second"]), 59) if found["second"] == "60" else int(found["second"])  # a leap second
    try:
        moment = datetime(
            year,
            _MONTHS.index(found["month"]) + 1,
            int(found["day"]),
            int(found["hour"]),
            int(found["minute"]),
            second,
            tzinfo=UTC,
        )
    except ValueError:
        return None
    return moment.timestamp()
