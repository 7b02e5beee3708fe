"""Bodies on their way in: read to their end within a bound, or piece by piece."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Callable, Mapping
from typing import ParamSpec, TypeVar

from attrs import field, frozen

from ..errors import RequestTimeoutError, ResponseTooLargeError, TransportError
from ..operations import Operation
from .document import Document, parse
from .transport import Stream

P = ParamSpec("P")
T = TypeVar("T")
E = TypeVar("E", bound=TransportError)

OFF_LOOP_BYTES = 256 * 1024
"""Bodies larger than this are parsed and decoded in a thread."""

XML_OFF_LOOP_BYTES = 16 * 1024
"""XML larger than this is parsed in a thread; it takes many times as long as JSON."""

TEXTUAL = ("json", "xml", "text/html", "text/plain")
"""Content types, or parts of them, that are no media: an error, or somebody on the way."""


def named(error: E, operation: Operation) -> E:
    """Let an error of the transport tell which operation it struck."""
    error.operation = operation.id
    error.args = (f"{operation.id}: {error.args[0]}",)
    return error


async def read_all(stream: Stream, limit: int) -> bytes:
    """Return a body of at most ``limit`` bytes.

    Raises:
        TransportError: It broke off, stalled, or is larger.
    """
    chunks: list[bytes] = []
    size = 0
    while chunk := await stream.chunk():
        size += len(chunk)
        if size > limit:
            raise ResponseTooLargeError(f"the answer is larger than {limit} bytes")
        chunks.append(chunk)
    return b"".join(chunks)


async def parsed(body: bytes, content_type: str | None, seconds: float | None) -> Document:
    """Parse a body within so many seconds; None for no limit.

    Raises:
        RequestTimeoutError: It took longer.
    """
    threshold = XML_OFF_LOOP_BYTES if b"<" in body[:256] else OFF_LOOP_BYTES
    if len(body) <= threshold:
        return parse(body, content_type)
    stop = threading.Event()
    try:
        return await in_thread(seconds, parse, body, content_type, stopped=stop.is_set)
    finally:
        stop.set()


async def in_thread(seconds: float | None, function: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> T:
    """Call ``function`` in a thread and wait so many seconds for it; the thread itself runs to its end.

    Raises:
        RequestTimeoutError: It took longer.
    """
    try:
        async with asyncio.timeout(seconds):
            return await asyncio.to_thread(function, *args, **kwargs)
    except TimeoutError:
        raise RequestTimeoutError("the answer was not parsed within the time allowed") from None


def is_media(stream: Stream) -> bool:
    """Whether an answer carries what was asked for, rather than words about it."""
    content_type = stream.headers.get("content-type", "").lower()
    return stream.status in {200, 206} and not any(kind in content_type for kind in TEXTUAL)


@frozen
class MediaResponse:
    """Audio or an archive, as it arrives. Iterate over it for pieces of bytes, or :meth:`read` it.

    Attributes:
        operation: What was asked for.
    """

    operation: Operation
    _stream: Stream = field(repr=False)

    @property
    def status(self) -> int:
        """HTTP status: 200, or 206 for a part."""
        return self._stream.status

    @property
    def headers(self) -> Mapping[str, str]:
        """Headers of the answer, names in lower case."""
        return self._stream.headers

    @property
    def content_type(self) -> str | None:
        """Such as ``audio/mpeg``."""
        return self.headers.get("content-type")

    @property
    def content_length(self) -> int | None:
        """Bytes of the body, if the answer says so."""
        text = self.headers.get("content-length", "")
        return int(text) if text.isascii() and text.isdigit() else None

    async def __aiter__(self) -> AsyncIterator[bytes]:
        """Iterate over the body.

        Raises:
            TransportError: It broke off or stalled.
        """
        try:
            while chunk := await self._stream.chunk():
                yield chunk
        except TransportError as error:
            raise named(error, self.operation) from None

    async def read(self) -> bytes:
        """Return the rest of the body; mind its size.

        Raises:
            TransportError: It broke off or stalled.
        """
        return b"".join([chunk async for chunk in self])
