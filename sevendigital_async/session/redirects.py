"""Where an answer says that the real one is: for text and media only, never for what a model is read from."""

from __future__ import annotations

from urllib.parse import urljoin

from ..config import check_origin
from ..errors import ConfigurationError, RedirectError
from ..operations import Operation
from .classify import error_in
from .document import Document, Kind
from .transport import Stream

MAX_REDIRECTS = 5


def leads_on(operation: Operation, stream: Stream) -> bool:
    """Say whether an answer is a redirect."""
    problem = error_in(Document(b"", Kind.EMPTY), stream.status, stream.headers, operation.id)
    return isinstance(problem, RedirectError)


def destination(operation: Operation, url: str, location: str, *, allow_http: bool) -> str:
    """Return the URL that the answer of ``url`` leads to.

    Raises:
        RedirectError: It is no place to send anything to.
    """
    try:
        url = urljoin(url, location)
    except ValueError:
        raise RedirectError("redirected to no usable address", operation=operation.id) from None
    try:
        check_origin(url.partition("?")[0].partition("#")[0], allow_http=allow_http)
    except ConfigurationError as error:
        raise RedirectError(f"redirected to an unsafe place: {error}", operation=operation.id) from None
    return url
