"""Errors of media delivery, which are redirects to a page that shows them."""

from __future__ import annotations

from collections.abc import Mapping
from urllib.parse import urlencode, urlsplit

from ..operations import Operation
from .answers import Answer, Problem

ERROR_PAGE = "/error"
"""The error page where the request names none."""

_ERROR_URL_PARAMETER = "errorurl"
_REDIRECTED_WITHOUT_URL = frozenset(
    {"media.download_track", "media.stream_track", "media.download_release", "media.download_purchase"}
)
"""Operations that redirect to the standard page; the others then answer with a status."""


def has_error_redirect(operation: Operation) -> bool:
    return any(
        parameter.wire.lower() == _ERROR_URL_PARAMETER
        for binding in operation.bindings.values()
        for parameter in binding.parameters
    )


def as_error_redirect(answer: Answer, operation: Operation, given: Mapping[str, str], origin: str) -> Answer:
    """Turn an error response into a redirect where the operation does that."""
    problem = answer.content
    if not isinstance(problem, Problem) or not has_error_redirect(operation):
        return answer
    page = _error_page_url(given.get(_ERROR_URL_PARAMETER, ""))
    if page is None:
        if operation.name not in _REDIRECTED_WITHOUT_URL:
            return answer
        page = origin + ERROR_PAGE
    query = urlencode({"errorCode": problem.code, "errorMsg": problem.message})
    return Answer(status=302, headers={"Location": f"{page}{'&' if '?' in page else '?'}{query}"})


def _error_page_url(text: str) -> str | None:
    try:
        parts = urlsplit(text)
    except ValueError:
        return None
    fits = parts.scheme in {"http", "https"} and parts.hostname and text.isprintable() and " " not in text
    return text.partition("#")[0] if fits else None
