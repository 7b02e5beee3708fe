"""Redirects, which are followed for text and media only, never for models."""

from __future__ import annotations

import re
import string
from collections.abc import Mapping
from urllib.parse import SplitResult, quote, urljoin, urlsplit, urlunsplit

from ..config import check_origin
from ..errors import ConfigurationError, RedirectError
from ..operations import Operation
from .classify import error_in
from .document import Document, Kind
from .transport import Stream

MAX_REDIRECTS = 5

FORWARDED_HEADERS = frozenset({"accept", "accept-language", "if-match", "if-none-match", "if-range", "range"})
"""Headers of a call that are sent to the target of a redirect as well."""

_ENDS = "".join(map(chr, range(0x21)))
"""Control characters and the space, which browsers strip from both ends of a URL."""

_BREAKS = re.compile(r"[\t\r\n]")
"""Characters that browsers also remove within a URL."""

_PRINTABLE = frozenset(string.ascii_letters + string.digits + string.punctuation)
_IN_QUERY = "".join(_PRINTABLE - set("\"#<>'"))
_IN_PATH = "".join(_PRINTABLE - set('"#<>?^`{}'))
"""Characters that stay unchanged, ``%`` included, so that nothing is encoded twice (WHATWG URL, section 1.3)."""


def is_redirect(operation: Operation, stream: Stream) -> bool:
    """Return whether a response is a redirect."""
    problem = error_in(Document(b"", Kind.EMPTY), stream.status, stream.headers, operation.name)
    return isinstance(problem, RedirectError)


def forwarded_headers(headers: Mapping[str, str]) -> dict[str, str]:
    """Return the headers of a call that are safe to send to the target of a redirect."""
    return {name: value for name, value in headers.items() if name.lower() in FORWARDED_HEADERS}


def destination(operation: Operation, visited: list[str], location: str, *, allow_http: bool) -> str:
    """Return the URL to which the last response redirects.

    Args:
        operation: Named in the error.
        visited: The URLs requested so far; the response is that of the last one.
        location: Its ``Location`` header; different values are separated by line feeds.
        allow_http: Allow plain http to other machines.

    Raises:
        RedirectError: Nothing may be sent there, or it was requested before.
    """
    if "\n" in location:
        raise RedirectError("the redirect has several Location headers", operation=operation.name)
    if not location.strip(_ENDS):
        raise RedirectError("the redirect has an empty Location header", operation=operation.name)
    try:
        url = _absolute(visited[-1], location)
        check_origin(url.partition("?")[0], allow_http=allow_http)
    except (ConfigurationError, ValueError) as error:
        # A message of urllib or the codecs may quote the URL, which may hold signatures.
        reason = error if isinstance(error, ConfigurationError) else "not a usable URL"
        raise RedirectError(f"the redirect's Location can't be used: {reason}", operation=operation.name) from None
    if url in visited:
        raise RedirectError("redirect loop", operation=operation.name)
    return url


def _absolute(base: str, location: str) -> str:
    """Resolve a reference and encode it as browsers do; the fragment is dropped.

    Raises:
        ValueError: It is not a valid URL.
    """
    reference = _BREAKS.sub("", location.strip(_ENDS)).partition("#")[0]
    place, mark, query = reference.partition("?")
    parts = urlsplit(urljoin(base.partition("#")[0], place.replace("\\", "/") + mark + query))
    encoded = SplitResult(
        parts.scheme,
        parts.netloc if parts.netloc.isascii() else parts.netloc.encode("idna").decode(),
        _encoded(parts.path, _IN_PATH),
        _encoded(parts.query, _IN_QUERY),
        "",
    )
    return urlunsplit(encoded)


def _encoded(text: str, safe: str) -> str:
    # aiohttp decodes bytes that are not UTF-8 as surrogates.
    return quote(text.encode("utf-8", "surrogateescape"), safe=safe)
