"""A media response, read piece by piece."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping

from attrs import field, frozen

from ..errors import TransportError
from ..operations import Operation
from .classify import with_operation
from .transport import Stream

TEXTUAL = ("json", "xml", "text/html", "text/plain")
"""Parts of content types that are not media but an error or a proxy's page."""


def is_media(stream: Stream) -> bool:
    """Return whether a response contains media, not an error text."""
    content_type = stream.headers.get("content-type", "").lower()
    return stream.status in {200, 206} and not any(kind in content_type for kind in TEXTUAL)


@frozen
class MediaResponse:
    """Audio or an archive, as it arrives. Iterate over it for pieces of bytes, or :meth:`read` it.

    Attributes:
        operation: The operation that was called.
    """

    operation: Operation
    _stream: Stream = field(repr=False)

    @property
    def status(self) -> int:
        """HTTP status: 200, or 206 for a part."""
        return self._stream.status

    @property
    def headers(self) -> Mapping[str, str]:
        """Headers of the response, names in lower case."""
        return self._stream.headers

    @property
    def content_type(self) -> str | None:
        """Such as ``audio/mpeg``."""
        return self.headers.get("content-type")

    @property
    def content_length(self) -> int | None:
        """Bytes of the body, if the response says so."""
        text = self.headers.get("content-length", "")
        return int(text) if text.isascii() and text.isdigit() else None

    async def __aiter__(self) -> AsyncIterator[bytes]:
        """Iterate over the body.

        Raises:
            TransportError: The body ended early or stalled.
        """
        try:
            while chunk := await self._stream.chunk():
                yield chunk
        except TransportError as error:
            raise with_operation(error, self.operation) from None

    async def read(self) -> bytes:
        """Return the rest of the body; it may be large.

        Raises:
            TransportError: The body ended early or stalled.
        """
        return b"".join([chunk async for chunk in self])
